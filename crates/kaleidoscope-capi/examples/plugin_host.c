/* A host with plug-ins: users write formulas and small programs, and the host runs them, whatever is in them.
 *
 * It shows what a host needs: diagnostics as values and as text, functions of its own that programs call, calls that
 * cannot hang or crash it, and who gives what back. It is C99 and C++. */

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kaleidoscope.h"

/* Prints the error and frees it. */
static void complain(const char *what, kls_error *error) {
    printf("%s: %s %s\n", what, kls_error_code(error), kls_error_message(error));
    kls_error_free(error);
}

/* Ends the process if a call fails that cannot fail in a correct host. */
static void expect_ok(kls_status status, kls_error *error) {
    if (status != KLS_OK) {
        complain("unexpected", error);
        exit(1);
    }
}

/* Where programs write to. */
static int32_t write_output(void *data, const char *text, size_t length) {
    (void)data;
    return fwrite(text, 1, length, stdout) == length ? 0 : -1;
}

/* A host function: programs read sensors by `sensor(n)`. */
typedef struct sensors {
    double values[4];
} sensors;

static double sensor(void *data, const double *args, size_t n_args, kls_call *call) {
    const sensors *all = (const sensors *)data;
    (void)n_args; /* always the registered number */
    if (!(args[0] >= 0 && args[0] < 4)) {
        kls_call_fail(call, "there are four sensors");
        return 0;
    }
    return all->values[(size_t)args[0]];
}

static void free_sensors(void *data) {
    printf("the sensors are freed\n");
    free(data);
}

static kls_engine *make_engine(void) {
    kls_options options;
    kls_engine *engine;
    kls_error *error;
    sensors *all = (sensors *)malloc(sizeof *all);
    if (all == NULL)
        exit(1);

    kls_options_init(&options, sizeof options);
    options.output = write_output;
    options.stack_bytes = 1 << 20;
    expect_ok(kls_engine_new(&options, &engine, &error), error);

    all->values[0] = 20.5;
    all->values[1] = 21;
    all->values[2] = 19;
    all->values[3] = -40;
    expect_ok(kls_engine_register(engine, "sensor", 1, sensor, all, free_sensors, &error), error);
    return engine;
}

/* Runs a program, and prints values and diagnostics. */
static void run(const kls_engine *engine, const char *program) {
    kls_outcome *outcome;
    size_t i;
    kls_status status = kls_engine_run(engine, "plugin", program, &outcome, NULL);
    for (i = 0; i < kls_outcome_n_values(outcome); i++)
        printf("value %g\n", kls_outcome_value(outcome, i));
    for (i = 0; i < kls_outcome_n_diagnostics(outcome); i++) {
        kls_diagnostic diagnostic;
        diagnostic.struct_size = sizeof diagnostic;
        if (kls_outcome_diagnostic(outcome, i, &diagnostic) == KLS_OK)
            printf("%s at %u:%u: %s\n", diagnostic.code, (unsigned)diagnostic.line, (unsigned)diagnostic.column,
                   diagnostic.message);
    }
    if (status == KLS_PROGRAM)
        printf("%s", kls_outcome_text(outcome));
    kls_outcome_free(outcome);
}

/* Formulas over two parameters: calls and batches. */
static void use_formulas(const kls_engine *engine) {
    static const char *const formulas[] = {"gain * x + sensor(1)", "smooth(x, gain)", "gain * y"};
    static const char *const parameters[] = {"x", "gain"};
    size_t i;
    for (i = 0; i < sizeof formulas / sizeof *formulas; i++) {
        const double args[] = {2, 10};
        const double xs[] = {1, 2, 3}, gains[] = {10, 20, 30};
        const double *const columns[] = {xs, gains};
        double result, results[3];
        kls_function *formula;
        kls_error *error;
        if (kls_engine_formula(engine, formulas[i], parameters, 2, &formula, &error) != KLS_OK) {
            printf("%s", kls_error_text(error));
            kls_error_free(error);
            continue;
        }
        expect_ok(kls_function_call(formula, args, 2, &result, &error), error);
        expect_ok(kls_function_map(formula, columns, 2, results, 3, &error), error);
        printf("%s: %g, and of columns %g %g %g\n", formulas[i], result, results[0], results[1], results[2]);
        kls_function_free(formula);
    }
}

/* Several formulas together, and rows that depend on the row before. */
static void use_columns(const kls_engine *engine) {
    static const char *const both[] = {"x * gain", "x + gain"};
    static const char *const parameters[] = {"x", "gain"};
    static const char *const mean[] = {"n + 1", "m + (x - m) / (n + 1)"};
    static const char *const states[] = {"n", "m", "x"};
    const double xs[] = {1, 2, 6}, gains[] = {10, 20, 30};
    const double *const columns[] = {xs, gains};
    double products[3], sums[3], state[] = {0, 0}, averages[3];
    double *const results[] = {products, sums};
    kls_formulas *formulas;
    kls_function *average;
    kls_error *error;
    expect_ok(kls_engine_formulas(engine, both, 2, parameters, 2, &formulas, &error), error);
    expect_ok(kls_formulas_map(formulas, columns, 2, results, 2, 3, &error), error);
    printf("together: %g %g %g, %g %g %g\n", products[0], products[1], products[2], sums[0], sums[1], sums[2]);
    kls_formulas_free(formulas);
    expect_ok(kls_engine_formulas(engine, mean, 2, states, 3, &formulas, &error), error);
    expect_ok(kls_formulas_fold(formulas, state, 2, columns, 1, 3, &error), error);
    printf("%g values with the mean %g\n", state[0], state[1]);
    kls_formulas_free(formulas);
    expect_ok(kls_engine_formula(engine, "m + 0.5 * (x - m)", states + 1, 2, &average, &error), error);
    expect_ok(kls_function_scan(average, 1, columns, 1, averages, 3, &error), error);
    printf("moving averages %g %g %g\n", averages[0], averages[1], averages[2]);
    kls_function_free(average);
}

static kls_function *function(const kls_engine *engine, const char *name) {
    kls_function *found;
    kls_error *error;
    expect_ok(kls_engine_function(engine, name, &found, &error), error);
    return found;
}

/* A host variable. */
static void share(const kls_engine *engine) {
    kls_variable *volume;
    kls_error *error;
    expect_ok(kls_variable_new(3, &volume, &error), error);
    expect_ok(kls_engine_bind(engine, "volume", volume, &error), error);
    run(engine, "volume = volume * 2;");
    printf("the volume is %g\n", kls_variable_get(volume));
    kls_variable_free(volume);
}

/* An array of the host: a look-up table with linear interpolation. */
static void look_up(const kls_engine *engine) {
    kls_array *table;
    kls_function *height;
    kls_error *error;
    double *elements, x = 2.5;
    size_t i;
    expect_ok(kls_array_new(5, &table, &error), error);
    elements = kls_array_place(table);
    for (i = 0; i < kls_array_n_elements(table); i++)
        elements[i] = (double)(i * i);
    expect_ok(kls_engine_bind_array(engine, "table", table, &error), error);
    run(engine, "def height(x) var i = floor(x) in table(i) + (x - i) * (table(i + 1) - table(i));");
    height = function(engine, "height");
    expect_ok(kls_function_call(height, &x, 1, &x, &error), error);
    printf("the height at 2.5 is %g\n", x);
    if (kls_function_call(height, &x, 1, &x, &error) == KLS_CALL)
        printf("%s: %s\n", kls_error_code(error), kls_error_message(error));
    kls_error_free(error);
    kls_function_free(height);
    kls_array_free(table);
}

/* Many calls in one scope. */
static void iterate(const kls_scope *scope, void *data) {
    const kls_function *step = (const kls_function *)data;
    double x = 0.5;
    int i;
    for (i = 0; i < 1000; i++)
        if (kls_scope_call(scope, step, &x, 1, &x, NULL) != KLS_OK)
            return;
    printf("after a thousand steps: %s\n", x > 0 && x < 1 ? "between 0 and 1" : "astray");
}

/* A failing plug-in is an error of the call, and the host continues. */
static void survive(const kls_engine *engine) {
    kls_function *deep = function(engine, "deep");
    kls_function *forever = function(engine, "forever");
    kls_function *read = function(engine, "read");
    const double arg = 7;
    double result;
    kls_error *error;
    if (kls_function_call(deep, &arg, 1, &result, &error) == KLS_CALL)
        complain("deep", error);
    if (kls_function_call_within(forever, 500000, NULL, 0, &result, &error) == KLS_TIMED_OUT)
        complain("forever", error);
    if (kls_function_call(read, &arg, 1, &result, &error) == KLS_CALL)
        complain("read", error);
    if (kls_function_call(read, NULL, 0, &result, &error) == KLS_CALL)
        complain("read", error);
    kls_function_free(deep);
    kls_function_free(forever);
    kls_function_free(read);
}

/* Another thread stops the program once the program has reported that it runs. */
typedef struct stopper {
    const kls_engine *engine;
    sem_t running;
} stopper;

static void *stop(void *data) {
    stopper *self = (stopper *)data;
    while (sem_wait(&self->running) != 0) {
    }
    kls_engine_interrupt(self->engine);
    return NULL;
}

static double say_that_it_runs(void *data, const double *args, size_t n_args, kls_call *call) {
    (void)args, (void)n_args, (void)call;
    sem_post(&((stopper *)data)->running);
    return 0;
}

static void interrupt(const kls_engine *engine) {
    stopper self;
    pthread_t thread;
    kls_error *error;
    self.engine = engine;
    sem_init(&self.running, 0, 0);
    expect_ok(kls_engine_register(engine, "running", 0, say_that_it_runs, &self, NULL, &error), error);
    if (pthread_create(&thread, NULL, stop, &self) != 0)
        exit(1);
    run(engine, "def spin() for i = running(), 1 in 0;\nspin();");
    pthread_join(thread, NULL);
    expect_ok(kls_engine_remove(engine, "running", &error), error);
    sem_destroy(&self.running);
}

/* A raw call: fast, without a guard. */
static void call_by_address(const kls_engine *engine) {
    kls_function *smooth = function(engine, "smooth");
    kls_error *error;
    double (*address)(double, double);
    expect_ok(kls_function_prepare(smooth, &error), error);
    address = (double (*)(double, double))kls_function_address(smooth);
    printf("by its address: %g\n", address(3, 5));
    kls_function_free(smooth);
}

int main(void) {
    kls_engine *engine = make_engine();
    kls_function *step;
    kls_error *error;
    expect_ok(kls_engine_prelude(engine, &error), error);
    run(engine, "def smooth(a b) (a + b) / 2;\n"
                "def step(x) 3.9 * x * (1 - x);\n"
                "def read(n) sensor(n) + 273.15;\n"
                "def deep(n) deep(n) + 1;\n"
                "def forever() for i = 0, 1 in 0;\n"
                "printd(smooth(sensor(0), sensor(2)));\n"
                "-sensor(3) > 0;\n");
    run(engine, "smooth(1, 2) * volume;");
    use_formulas(engine);
    use_columns(engine);
    share(engine);
    look_up(engine);
    step = function(engine, "step");
    expect_ok(kls_engine_enter(engine, iterate, step, &error), error);
    kls_function_free(step);
    survive(engine);
    interrupt(engine);
    call_by_address(engine);
    kls_engine_free(engine);
    return 0;
}
