/* Creates and frees engines: a thousand one after the other, whose memory is freed, and two at once
 * in two threads. */

#include <pthread.h>
#include <unistd.h>

#include "check.h"
#include "kaleidoscope.h"

static int n_destroyed = 0;

static void destroyed(void *data) {
    (void)data;
    n_destroyed++;
}

static double twice(void *data, const double *args, size_t n_args, kls_call *call) {
    (void)data, (void)n_args, (void)call;
    return 2 * args[0];
}

/* Creates, uses and frees an engine. */
static void one_engine(double x) {
    static const char *const parameters[] = {"a", "b"};
    double args[2], result;
    kls_engine *engine;
    kls_function *f, *formula;
    CHECK(kls_engine_new(NULL, &engine, NULL) == KLS_OK);
    CHECK(kls_engine_register(engine, "twice", 1, twice, NULL, destroyed, NULL) == KLS_OK);
    CHECK(kls_engine_run(engine, NULL, "def f(x) if x < 1 then twice(x) else f(x - 1);", NULL, NULL) == KLS_OK);
    CHECK(kls_engine_function(engine, "f", &f, NULL) == KLS_OK);
    CHECK(kls_engine_formula(engine, "f(a) + b", parameters, 2, &formula, NULL) == KLS_OK);
    /* Functions keep their engine. */
    kls_engine_free(engine);
    args[0] = x + 0.25;
    args[1] = 1;
    CHECK(kls_function_call(f, args, 1, &result, NULL) == KLS_OK && result == 0.5);
    CHECK(kls_function_call(formula, args, 2, &result, NULL) == KLS_OK && result == 1.5);
    CHECK(kls_function_arity(f) == 1 && kls_function_arity(formula) == 2);
    kls_function_free(f);
    kls_function_free(formula);
}

/* Resident memory in bytes. */
static long resident(void) {
    long total, pages;
    FILE *statm = fopen("/proc/self/statm", "r");
    CHECK(statm != NULL && fscanf(statm, "%ld %ld", &total, &pages) == 2);
    fclose(statm);
    return pages * sysconf(_SC_PAGESIZE);
}

/* Rounds of engines. One round must need less additional memory than this: a leak grows in each. */
static void memory_stays_level(int n_engines) {
    const long bytes_per_engine = 512;
    int stretch, n;
    for (stretch = 0; stretch < 5; stretch++) {
        long before = resident(), grown;
        for (n = 0; n < n_engines; n++)
            one_engine(n % 10);
        grown = resident() - before;
        if (stretch > 0 && grown < bytes_per_engine * n_engines)
            return;
    }
    CHECK(!"memory stays level");
}

/* Defines, calls and redefines a function in an engine of this thread. */
static void *work(void *data) {
    const double own = *(const double *)data;
    char program[64];
    kls_engine *engine;
    kls_function *f;
    int turn;
    CHECK(kls_engine_new(NULL, &engine, NULL) == KLS_OK);
    CHECK(kls_engine_run(engine, NULL, "def f(x) x;", NULL, NULL) == KLS_OK);
    CHECK(kls_engine_function(engine, "f", &f, NULL) == KLS_OK);
    for (turn = 0; turn < 200; turn++) {
        const double arg = turn;
        double result;
        snprintf(program, sizeof program, "def f(x) x * %g + %d;", own, turn);
        CHECK(kls_engine_run(engine, NULL, program, NULL, NULL) == KLS_OK);
        CHECK(kls_function_call(f, &arg, 1, &result, NULL) == KLS_OK && result == arg * own + turn);
    }
    kls_function_free(f);
    kls_engine_free(engine);
    return NULL;
}

/* The prelude's names are for formulas, too. */
static void prelude(void) {
    static const char *const parameters[] = {"a", "b"};
    static const char text[] = "max(a, b, 3) + cos(2 * pi) and not a == b";
    double args[2] = {5, 2}, result;
    kls_engine *engine;
    kls_function *formula;
    CHECK(kls_engine_new(NULL, &engine, NULL) == KLS_OK);
    CHECK(kls_engine_formula(engine, text, parameters, 2, &formula, NULL) == KLS_PROGRAM);
    CHECK(kls_engine_prelude(engine, NULL) == KLS_OK);
    CHECK(kls_engine_formula(engine, text, parameters, 2, &formula, NULL) == KLS_OK);
    CHECK(kls_function_call(formula, args, 2, &result, NULL) == KLS_OK && result == 1);
    args[1] = 5;
    CHECK(kls_function_call(formula, args, 2, &result, NULL) == KLS_OK && result == 0);
    kls_function_free(formula);
    kls_engine_free(engine);
}

int main(int argc, char **argv) {
    /* With an argument, this many engines (Valgrind checks the memory); otherwise rounds of engines. */
    const int n_engines = argc > 1 ? atoi(argv[1]) : 0;
    double own[2] = {2, 3};
    pthread_t threads[2];
    int i;
    for (i = 0; i < n_engines; i++)
        one_engine(i % 10);
    if (n_engines == 0)
        memory_stays_level(500);
    prelude();
    CHECK(n_destroyed >= (n_engines == 0 ? 1000 : n_engines));
    for (i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, work, &own[i]) == 0);
    for (i = 0; i < 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    return 0;
}
