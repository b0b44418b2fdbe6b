/* Engines where the system forbids machine code that is made at run time. The argument says how:
 * `mdwe` refuses to make written memory executable, `memfd` forbids files in memory, and `exec`
 * executable memory as a whole. Prints what each mode does. */

#define _GNU_SOURCE

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "check.h"
#include "kaleidoscope.h"

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define SKIP_UNLESS(test, value, n) BPF_JUMP(BPF_JMP | test | BPF_K, value, 0, n)
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)

static void forbid(struct sock_filter *filter, unsigned short length) {
    struct sock_fprog program = {length, filter};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

/* Returns 0 if this system cannot be locked down in this way. */
static int lock_down(const char *how) {
    struct sock_filter no_memfd[] = {
        LOAD(nr), SKIP_UNLESS(BPF_JEQ, SYS_memfd_create, 1),
        RETURN(SECCOMP_RET_ERRNO | EPERM), RETURN(SECCOMP_RET_ALLOW),
    };
    struct sock_filter no_exec[] = {
        LOAD(nr), SKIP_UNLESS(BPF_JEQ, SYS_mprotect, 3),
        LOAD(args[2]), SKIP_UNLESS(BPF_JSET, PROT_EXEC, 1), RETURN(SECCOMP_RET_ERRNO | EACCES),
        LOAD(nr), SKIP_UNLESS(BPF_JEQ, SYS_mmap, 3),
        LOAD(args[2]), SKIP_UNLESS(BPF_JSET, PROT_EXEC, 1), RETURN(SECCOMP_RET_ERRNO | EACCES),
        RETURN(SECCOMP_RET_ALLOW),
    };
    if (strcmp(how, "memfd") == 0)
        forbid(no_memfd, sizeof no_memfd / sizeof no_memfd[0]);
    else if (strcmp(how, "exec") == 0)
        forbid(no_exec, sizeof no_exec / sizeof no_exec[0]);
    else if (strcmp(how, "mdwe") == 0)
        /* PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN */
        return prctl(65, 1L, 0L, 0L, 0L) == 0;
    return 1;
}

static void run(const char *name, kls_mode mode, int falls_back) {
    kls_options options;
    kls_engine *engine;
    kls_outcome *outcome;
    kls_error *error = NULL;
    kls_diagnostic diagnostic;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.mode = mode;
    options.fall_back_to_interpreter = falls_back;
    if (kls_engine_new(&options, &engine, &error) != KLS_OK) {
        printf("%s: no engine: %s\n", name, kls_error_message(error));
        kls_error_free(error);
        return;
    }
    kls_engine_run(engine, NULL, "def f(x) x + 1; f(1) + f(2);", &outcome, NULL);
    diagnostic.struct_size = sizeof diagnostic;
    if (kls_outcome_n_diagnostics(outcome) == 0)
        printf("%s: %g\n", name, kls_outcome_value(outcome, 0));
    else if (kls_outcome_diagnostic(outcome, 0, &diagnostic) == KLS_OK)
        printf("%s: %s\n", name, diagnostic.message);
    kls_outcome_free(outcome);
    kls_engine_free(engine);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    if (!lock_down(argv[1])) {
        puts("not possible here");
        return 0;
    }
    run("off", KLS_MODE_OFF, 0);
    run("baseline", KLS_MODE_BASELINE, 0);
    run("baseline or off", KLS_MODE_BASELINE, 1);
    return 0;
}
