/* Observers get the events of an engine, and may use it. Batches have options. Errors have the data
 * of the host function that failed. */

#include <string.h>

#include "check.h"
#include "kaleidoscope.h"

/* What an observer has seen. */
typedef struct seen {
    const kls_engine *engine;
    int n_events[KLS_EVENT_MAPPED + 1];
    int n_calls_of_mine;
    size_t n_rows;
    int n_destroyed;
} seen;

/* The observer is an observer of what it does itself, too: it calls `g` once. */
static void use_engine(seen *self) {
    kls_function *g;
    double two = 2, result;
    if (self->engine == NULL || self->n_calls_of_mine > 0)
        return;
    self->n_calls_of_mine++;
    CHECK(kls_engine_run(self->engine, "observer", "def g(x) x * 10; g(1);", NULL, NULL) == KLS_OK);
    CHECK(kls_engine_function(self->engine, "g", &g, NULL) == KLS_OK);
    CHECK(kls_function_call(g, &two, 1, &result, NULL) == KLS_OK && result == 20);
    kls_function_free(g);
    CHECK(kls_engine_run(self->engine, "observer", "1 +;", NULL, NULL) == KLS_PROGRAM);
}

static void observe(void *data, const kls_event *event) {
    seen *self = (seen *)data;
    CHECK(event->struct_size == sizeof *event);
    CHECK(event->kind >= KLS_EVENT_READ && event->kind <= KLS_EVENT_MAPPED);
    self->n_events[event->kind]++;
    CHECK(event->name != NULL && event->text != NULL && event->osr_loop == -1);
    CHECK((event->names == NULL) == (event->n_names == 0));
    if (event->kind == KLS_EVENT_COMPILED) {
        CHECK(event->tier == KLS_TIER_BASELINE && event->n_bytes > 0 && event->nanoseconds > 0);
        CHECK(event->name[0] == (self->n_calls_of_mine == 0 ? 'f' : 'g') || event->name[0] == '$');
        use_engine(self);
    }
    if (event->kind == KLS_EVENT_DEFINED)
        CHECK(event->n_bytes > 0 && event->tier == KLS_TIER_NONE);
    if (event->kind == KLS_EVENT_MAPPED) {
        self->n_rows += event->n_rows_by_kernel + event->n_rows_by_columns + event->n_rows_by_calls;
        CHECK(event->name[0] == '$');
    }
}

static void destroyed(void *data) {
    ((seen *)data)->n_destroyed++;
}

static void events(void) {
    seen all;
    kls_options options;
    kls_engine *engine;
    kls_function *f;
    double result;
    const double one = 1;
    memset(&all, 0, sizeof all);
    kls_options_init(&options, sizeof options);
    options.mode = 99;
    options.observer = observe;
    options.observer_data = &all;
    options.observer_destroy = destroyed;
    CHECK(kls_engine_new(&options, &engine, NULL) == KLS_INVALID_ARGUMENT && all.n_destroyed == 1);
    options.mode = KLS_MODE_BASELINE;
    CHECK(kls_engine_new(&options, &engine, NULL) == KLS_OK);
    all.engine = engine;
    CHECK(kls_engine_run(engine, NULL, "def f(x) if x < 1 then x else f(x - 1);", NULL, NULL) == KLS_OK);
    CHECK(all.n_events[KLS_EVENT_READ] == 1 && all.n_events[KLS_EVENT_DEFINED] == 1);
    CHECK(kls_engine_function(engine, "f", &f, NULL) == KLS_OK);
    CHECK(kls_function_prepare(f, NULL) == KLS_OK);
    CHECK(kls_function_call(f, &one, 1, &result, NULL) == KLS_OK && result == 0);
    kls_function_free(f);
    CHECK(all.n_events[KLS_EVENT_COMPILED] == 2 && all.n_calls_of_mine == 1);
    CHECK(all.n_events[KLS_EVENT_DEFINED] == 2 && all.n_events[KLS_EVENT_EVALUATED] == 1);
    CHECK(all.n_events[KLS_EVENT_COMPILE_FAILED] == 0);

    {
        static const char *const parameters[] = {"x"};
        const double xs[] = {1, 2, 3};
        const double *const columns[] = {xs};
        double results[3];
        CHECK(kls_engine_formula(engine, "sin(x) + 1", parameters, 1, &f, NULL) == KLS_OK);
        CHECK(kls_function_map(f, columns, 1, results, 3, NULL) == KLS_OK);
        CHECK(all.n_events[KLS_EVENT_MAPPED] == 1 && all.n_rows == 3);
        kls_function_free(f);
    }
    CHECK(all.n_destroyed == 1);
    kls_engine_free(engine);
    CHECK(all.n_destroyed == 2);
}

/* Whether two results differ by less than a few units in the last place. */
static int close_to(double a, double b) {
    const double difference = a < b ? b - a : a - b;
    return difference <= 1e-14 * (a < 0 ? -a : a);
}

enum { N_ROWS = 20000 };

static void map_options(const kls_engine *engine) {
    static const char *const texts[] = {"sin(x) * 2", "exp(x)"};
    static const char *const parameters[] = {"x"};
    static double xs[N_ROWS], strict[N_ROWS], results[N_ROWS], exps[N_ROWS];
    const double *const columns[] = {xs};
    double *const places[] = {results, exps};
    kls_map_options options, later[2];
    kls_function *f;
    kls_formulas *formulas;
    kls_error *error;
    size_t i;
    for (i = 0; i < N_ROWS; i++)
        xs[i] = (double)i / 1000 + 0.5;
    CHECK(kls_engine_formula(engine, texts[0], parameters, 1, &f, NULL) == KLS_OK);
    CHECK(kls_engine_formulas(engine, texts, 2, parameters, 1, &formulas, NULL) == KLS_OK);
    CHECK(kls_function_map(f, columns, 1, strict, N_ROWS, NULL) == KLS_OK);

    kls_map_options_init(NULL, 0);
    kls_map_options_init(&options, sizeof options);
    CHECK(options.struct_size == sizeof options && options.precision == KLS_PRECISION_STRICT);
    options.on_this_thread = 1;
    CHECK(kls_function_map_with(f, &options, columns, 1, results, N_ROWS, NULL) == KLS_OK);
    CHECK(memcmp(strict, results, sizeof strict) == 0);
    options.precision = KLS_PRECISION_FAST;
    CHECK(kls_function_map_with(f, &options, columns, 1, results, N_ROWS, NULL) == KLS_OK);
    for (i = 0; i < N_ROWS; i++)
        CHECK(close_to(strict[i], results[i]));
    CHECK(kls_formulas_map_with(formulas, &options, columns, 1, places, 2, N_ROWS, NULL) == KLS_OK);
    CHECK(close_to(strict[7], results[7]) && exps[0] > 1.6 && exps[0] < 1.7);
    CHECK(kls_function_map_with(f, NULL, columns, 1, results, N_ROWS, NULL) == KLS_OK);
    CHECK(kls_formulas_map_with(formulas, NULL, columns, 1, places, 2, N_ROWS, NULL) == KLS_OK);
    CHECK(memcmp(strict, results, sizeof strict) == 0);

    /* A scalar has one value for all rows. */
    {
        static const char *const two[] = {"x", "a"};
        const double a = 0.5;
        const double *const mixed[] = {xs, &a};
        const unsigned char scalars[] = {0, 1};
        kls_function *scaled;
        kls_formulas *both;
        static const char *const scaled_texts[] = {"x * a", "x + a"};
        CHECK(kls_engine_formula(engine, "x * a", two, 2, &scaled, NULL) == KLS_OK);
        CHECK(kls_engine_formulas(engine, scaled_texts, 2, two, 2, &both, NULL) == KLS_OK);
        kls_map_options_init(&options, sizeof options);
        CHECK(options.scalars == NULL);
        options.scalars = scalars;
        CHECK(kls_function_map_with(scaled, &options, mixed, 2, results, N_ROWS, NULL) == KLS_OK);
        CHECK(results[0] == 0.25 && results[N_ROWS - 1] == xs[N_ROWS - 1] * 0.5);
        CHECK(kls_formulas_map_with(both, &options, mixed, 2, places, 2, N_ROWS, NULL) == KLS_OK);
        CHECK(results[1] == xs[1] * 0.5 && exps[N_ROWS - 1] == xs[N_ROWS - 1] + 0.5);
        kls_function_free(scaled);
        kls_formulas_free(both);
        options.scalars = NULL;
    }

    options.precision = 2;
    CHECK(kls_function_map_with(f, &options, columns, 1, results, N_ROWS, &error) == KLS_INVALID_ARGUMENT);
    CHECK(strcmp(kls_error_message(error), "there is no precision 2") == 0);
    kls_error_free(error);
    options.struct_size = 0;
    CHECK(kls_formulas_map_with(formulas, &options, columns, 1, places, 2, N_ROWS, &error) == KLS_INVALID_ARGUMENT);
    CHECK(strstr(kls_error_message(error), "kls_map_options_init") != NULL);
    kls_error_free(error);
    /* A later version has more fields, which may have their defaults. */
    kls_map_options_init(later, sizeof later);
    CHECK(kls_function_map_with(f, later, columns, 1, results, N_ROWS, NULL) == KLS_OK);
    later[1].precision = 1;
    CHECK(kls_function_map_with(f, later, columns, 1, results, N_ROWS, NULL) == KLS_INVALID_ARGUMENT);
    CHECK(kls_function_map_with(NULL, NULL, columns, 1, results, N_ROWS, NULL) == KLS_INVALID_ARGUMENT);
    CHECK(kls_formulas_map_with(NULL, NULL, columns, 1, places, 2, N_ROWS, NULL) == KLS_INVALID_ARGUMENT);
    kls_function_free(f);
    kls_formulas_free(formulas);
}

static int n_freed = 0;

static void free_reason(void *data) {
    n_freed++;
    free(data);
}

/* Fails with a number. */
static double fails(void *data, const double *args, size_t n_args, kls_call *call) {
    double *reason = (double *)malloc(sizeof *reason);
    (void)data, (void)n_args;
    CHECK(reason != NULL);
    *reason = args[0];
    if (args[0] > 0)
        kls_call_fail_with(call, "positive", reason, free_reason);
    else
        free(reason);
    return 0;
}

/* The number in an error, which is freed. */
static double reason_of(kls_error *error) {
    const double *found = (const double *)kls_error_data(error, free_reason);
    const double reason = found == NULL ? -1 : *found;
    CHECK(kls_error_data(error, destroyed) == NULL && kls_error_data(error, NULL) == NULL);
    kls_error_free(error);
    return reason;
}

/* A host function that runs a program whose failure does not concern it. */
static double inner(void *data, const double *args, size_t n_args, kls_call *call) {
    (void)args, (void)n_args, (void)call;
    CHECK(kls_engine_run((const kls_engine *)data, NULL, "fails(9);", NULL, NULL) == KLS_PROGRAM);
    return 1;
}

static void failures(const kls_engine *engine) {
    const double zero_to_three[] = {0, 0, 3, 0}, five = 5;
    const double *const columns[] = {zero_to_three};
    double results[4];
    kls_function *f;
    kls_error *error;
    CHECK(kls_engine_register(engine, "fails", 1, fails, NULL, NULL, NULL) == KLS_OK);
    CHECK(kls_engine_register(engine, "inner", 0, inner, (void *)engine, NULL, NULL) == KLS_OK);
    CHECK(kls_engine_function(engine, "fails", &f, NULL) == KLS_OK);
    CHECK(kls_function_call(f, &five, 1, results, &error) == KLS_CALL);
    CHECK(strstr(kls_error_text(error), "`fails` failed: positive") != NULL);
    CHECK(n_freed == 0 && reason_of(error) == 5 && n_freed == 1);
    CHECK(kls_function_map(f, columns, 1, results, 4, &error) == KLS_CALL && reason_of(error) == 3);
    kls_function_free(f);
    CHECK(n_freed == 2);
    /* The error of a program has the data of the first failure. */
    CHECK(kls_engine_run(engine, NULL, "fails(0); fails(6); fails(7);", NULL, &error) == KLS_PROGRAM);
    CHECK(reason_of(error) == 6 && n_freed == 4);
    CHECK(kls_engine_run(engine, NULL, "unknown(1); fails(6);", NULL, &error) == KLS_PROGRAM);
    CHECK(reason_of(error) == -1 && n_freed == 5);
    CHECK(kls_engine_run(engine, NULL, "inner(); fails(2);", NULL, &error) == KLS_PROGRAM);
    CHECK(reason_of(error) == 2 && n_freed == 7);
    CHECK(kls_engine_run(engine, NULL, "fails(8);", NULL, NULL) == KLS_PROGRAM && n_freed == 8);
    CHECK(kls_error_data(NULL, NULL) == NULL);
    kls_call_fail_with(NULL, "nothing", malloc(1), free_reason);
    CHECK(n_freed == 9);
}

int main(void) {
    kls_engine *engine;
    events();
    CHECK(kls_engine_new(NULL, &engine, NULL) == KLS_OK);
    map_options(engine);
    failures(engine);
    kls_engine_free(engine);
    return 0;
}
