/* The signal handlers of the library, which the README names: none before machine code runs, and
 * none in the mode `off`. */

#define _POSIX_C_SOURCE 200809L

#include <signal.h>
#include <string.h>

#include "check.h"
#include "kaleidoscope.h"

enum { N_SIGNALS = 32 };

static struct sigaction before[N_SIGNALS];

/* Whether the action for a signal is another one than at the beginning. */
static int has_changed(int signal) {
    struct sigaction now;
    if (sigaction(signal, NULL, &now) != 0)
        return 0;
    return memcmp(&now.sa_handler, &before[signal].sa_handler, sizeof now.sa_handler) != 0;
}

static int n_changed(void) {
    int signal, n = 0;
    for (signal = 1; signal < N_SIGNALS; signal++)
        n += has_changed(signal);
    return n;
}

/* Creates an engine of this mode, and calls a function twice, once with a time limit. */
static void use_engine(kls_mode mode) {
    kls_options options;
    kls_engine *engine;
    kls_function *f;
    double x = 3;
    kls_options_init(&options, sizeof options);
    options.mode = mode;
    CHECK(kls_engine_new(&options, &engine, NULL) == KLS_OK);
    CHECK(kls_engine_run(engine, NULL, "def f(x) (for i = 0, i < x in 1) + x; 1 + 1;", NULL, NULL) == KLS_OK);
    CHECK(n_changed() == 0);
    CHECK(kls_engine_function(engine, "f", &f, NULL) == KLS_OK);
    CHECK(kls_function_call(f, &x, 1, &x, NULL) == KLS_OK);
    CHECK(kls_function_call_within(f, 60000000, &x, 1, &x, NULL) == KLS_OK);
    kls_function_free(f);
    kls_engine_free(engine);
}

int main(void) {
    int signal;
    for (signal = 1; signal < N_SIGNALS; signal++)
        sigaction(signal, NULL, &before[signal]);
    use_engine(KLS_MODE_OFF);
    CHECK(n_changed() == 0);
    use_engine(KLS_MODE_BASELINE);
    CHECK(has_changed(SIGSEGV) && has_changed(SIGBUS) && has_changed(SIGFPE) && has_changed(SIGURG));
    CHECK(n_changed() == 4);
    return 0;
}
