/* Misuse is an error, and optional arguments may be left out. */

#include <string.h>

#include "check.h"
#include "kaleidoscope.h"

static int n_destroyed = 0;

static void destroyed(void *data) {
    (void)data;
    n_destroyed++;
}

static double nothing(void *data, const double *args, size_t n_args, kls_call *call) {
    (void)data, (void)args, (void)n_args, (void)call;
    return 0;
}

static double fails(void *data, const double *args, size_t n_args, kls_call *call) {
    (void)args, (void)n_args;
    kls_call_fail(call, "first");
    kls_call_fail(call, (const char *)data);
    return 1;
}

static int32_t full(void *data, const char *text, size_t length) {
    (void)data, (void)text, (void)length;
    return 28;
}

/* Checks status and text, and frees the error. */
static void failed_with(kls_error *error, kls_status status, const char *message) {
    CHECK(error != NULL);
    CHECK(kls_error_status(error) == status);
    if (strstr(kls_error_message(error), message) == NULL)
        fprintf(stderr, "%s\n", kls_error_message(error));
    CHECK(strstr(kls_error_message(error), message) != NULL);
    CHECK(strlen(kls_error_text(error)) > 0);
    kls_error_free(error);
}

/* Several formulas, and the row of an error. */
static void several(const kls_engine *engine) {
    static const char *const texts[] = {"s + x", "x +"};
    static const char *const parameters[] = {"s", "x"};
    const double xs[] = {1, 2};
    const double *const columns[] = {xs};
    double results[] = {3, 4};
    double *const places[] = {results};
    double *const nowhere[] = {NULL};
    kls_formulas *formulas;
    kls_function *f;
    kls_error *error;
    CHECK(kls_engine_formulas(engine, texts, 2, parameters, 2, &formulas, &error) == KLS_PROGRAM);
    CHECK(strstr(kls_error_text(error), "formula 2:1:4") != NULL && kls_error_row(error) == -1);
    kls_error_free(error);
    CHECK(kls_engine_formulas(engine, NULL, 0, parameters, 2, &formulas, &error) == KLS_PROGRAM);
    failed_with(error, KLS_PROGRAM, "there is no formula");
    CHECK(kls_engine_formulas(engine, texts, 1, NULL, 2, &formulas, NULL) == KLS_INVALID_ARGUMENT);
    CHECK(kls_engine_formulas(engine, texts, 1, parameters, 2, &formulas, NULL) == KLS_OK);
    CHECK(kls_formulas_call(formulas, xs, 2, results, 2, NULL) == KLS_CALL);
    CHECK(kls_formulas_call(formulas, xs, 2, results, 1, NULL) == KLS_OK && results[0] == 3);
    CHECK(kls_formulas_map(formulas, columns, 1, places, 1, 2, NULL) == KLS_CALL);
    CHECK(kls_formulas_scan(formulas, NULL, columns, 1, places, 1, 2, NULL) == KLS_INVALID_ARGUMENT);
    CHECK(kls_formulas_scan(formulas, xs, columns, 1, nowhere, 1, 2, NULL) == KLS_INVALID_ARGUMENT);
    CHECK(kls_formulas_scan(formulas, xs, columns, 1, places, 1, 2, NULL) == KLS_OK);
    CHECK(results[0] == 2 && results[1] == 4);
    CHECK(kls_formulas_fold(formulas, results, 1, columns, 1, 0, NULL) == KLS_OK && results[0] == 2);
    CHECK(kls_formulas_fold(NULL, results, 1, columns, 1, 2, NULL) == KLS_INVALID_ARGUMENT);
    kls_formulas_free(formulas);
    kls_formulas_free(NULL);
    CHECK(kls_error_row(NULL) == -1);
    CHECK(kls_engine_run(engine, NULL, "def late(s x) if x < 2 then s else missing(x);", NULL, NULL) == KLS_OK);
    CHECK(kls_engine_function(engine, "late", &f, NULL) == KLS_OK);
    CHECK(kls_function_scan(f, 8, columns, 1, results, 2, &error) == KLS_CALL);
    CHECK(kls_error_row(error) == 1 && results[0] == 8 && results[1] == 4);
    kls_error_free(error);
    kls_function_free(f);
}

static void pointers(const kls_engine *engine) {
    kls_error *error;
    kls_function *f;
    kls_outcome *outcome;
    double result = 7;
    CHECK(kls_engine_new(NULL, NULL, &error) == KLS_INVALID_ARGUMENT);
    failed_with(error, KLS_INVALID_ARGUMENT, "`engine` is NULL");
    CHECK(kls_engine_run(NULL, NULL, "1;", NULL, &error) == KLS_INVALID_ARGUMENT);
    failed_with(error, KLS_INVALID_ARGUMENT, "`engine` is NULL");
    CHECK(kls_engine_run(engine, NULL, NULL, &outcome, &error) == KLS_INVALID_ARGUMENT);
    failed_with(error, KLS_INVALID_ARGUMENT, "`program` is NULL");
    CHECK(kls_engine_run(engine, NULL, "\xff", NULL, &error) == KLS_NOT_UTF8);
    failed_with(error, KLS_NOT_UTF8, "`program` is not UTF-8");
    CHECK(kls_engine_function(engine, "unknown", &f, &error) == KLS_UNKNOWN_FUNCTION);
    failed_with(error, KLS_UNKNOWN_FUNCTION, "there is no function `unknown`");
    CHECK(kls_engine_function(engine, "sin", &f, &error) == KLS_OK && error == NULL);
    CHECK(kls_function_call(f, NULL, 1, &result, &error) == KLS_INVALID_ARGUMENT);
    failed_with(error, KLS_INVALID_ARGUMENT, "`args` is NULL");
    CHECK(kls_function_call(f, &result, 1, NULL, NULL) == KLS_INVALID_ARGUMENT);
    CHECK(kls_function_call(NULL, &result, 1, &result, NULL) == KLS_INVALID_ARGUMENT);
    CHECK(kls_function_map(f, NULL, 0, &result, 1, &error) != KLS_OK);
    kls_error_free(error);
    CHECK(result == 7);
    CHECK(kls_function_map(f, NULL, 1, &result, 1, NULL) == KLS_INVALID_ARGUMENT);
    CHECK(kls_function_scan(f, 1, NULL, 0, NULL, 1, NULL) == KLS_INVALID_ARGUMENT);
    CHECK(kls_function_fold(f, 1, NULL, 0, 0, NULL, NULL) == KLS_INVALID_ARGUMENT);
    CHECK(kls_function_fold(f, 5, NULL, 0, 0, &result, NULL) == KLS_OK && result == 5);
    result = 7;
    several(engine);
    CHECK(kls_engine_enter(engine, NULL, NULL, NULL) == KLS_INVALID_ARGUMENT);
    kls_function_free(f);
    /* NULL may be freed. */
    kls_function_free(NULL);
    kls_engine_free(NULL);
    kls_outcome_free(NULL);
    kls_error_free(NULL);
    kls_engine_interrupt(NULL);
    CHECK(kls_error_status(NULL) == KLS_OK && kls_error_n_diagnostics(NULL) == 0);
    CHECK(strcmp(kls_error_message(NULL), "") == 0 && strcmp(kls_error_code(NULL), "") == 0);
    CHECK(kls_function_arity(NULL) == 0 && kls_function_address(NULL) == NULL);
    CHECK(kls_outcome_n_values(NULL) == 0 && kls_outcome_n_diagnostics(NULL) == 0);
    CHECK(strlen(kls_version()) > 0);
}

/* Data that was handed over is freed once, also if the call fails. */
static void callbacks(const kls_engine *engine) {
    static char reason[] = "\xff is no text";
    kls_error *error;
    CHECK(kls_engine_register(engine, "if", 0, nothing, NULL, destroyed, &error) == KLS_INVALID_NAME);
    failed_with(error, KLS_INVALID_NAME, "`if`");
    CHECK(n_destroyed == 1);
    CHECK(kls_engine_register(engine, "f", 0, NULL, NULL, destroyed, NULL) == KLS_INVALID_ARGUMENT);
    CHECK(n_destroyed == 2);
    CHECK(kls_engine_register(NULL, "f", 0, nothing, NULL, destroyed, NULL) == KLS_INVALID_ARGUMENT);
    CHECK(n_destroyed == 3);
    CHECK(kls_engine_register(engine, "f", 1000000, nothing, NULL, destroyed, NULL) == KLS_INVALID_ARGUMENT);
    CHECK(n_destroyed == 4);
    CHECK(kls_engine_register(engine, "f", 0, nothing, NULL, destroyed, NULL) == KLS_OK);
    CHECK(n_destroyed == 4);
    CHECK(kls_engine_register(engine, "f", 0, fails, reason, NULL, NULL) == KLS_OK);
    CHECK(n_destroyed == 5);
    CHECK(kls_engine_run(engine, NULL, "f();", NULL, &error) == KLS_PROGRAM);
    failed_with(error, KLS_PROGRAM, "`f` failed: \xef\xbf\xbd is no text");
    CHECK(kls_engine_remove(engine, "f", NULL) == KLS_OK);
    CHECK(kls_engine_remove(engine, "f", NULL) == KLS_UNKNOWN_FUNCTION);
}

static void diagnostics(const kls_engine *engine) {
    static const char *const parameters[] = {"x", NULL};
    kls_diagnostic diagnostic;
    kls_function *f;
    kls_error *error;
    CHECK(kls_engine_formula(engine, "x", parameters, 2, &f, &error) == KLS_INVALID_ARGUMENT);
    failed_with(error, KLS_INVALID_ARGUMENT, "`parameters` is NULL");
    CHECK(kls_engine_formula(engine, "x +\n\xc3\xa4 y", parameters, 1, &f, &error) == KLS_PROGRAM);
    CHECK(kls_error_n_diagnostics(error) >= 1);
    memset(&diagnostic, 0, sizeof diagnostic);
    CHECK(kls_error_diagnostic(error, 0, &diagnostic) == KLS_INVALID_ARGUMENT);
    diagnostic.struct_size = sizeof diagnostic;
    CHECK(kls_error_diagnostic(error, 0, &diagnostic) == KLS_OK);
    CHECK(strncmp(diagnostic.code, "KLS", 3) == 0 && strcmp(diagnostic.code, kls_error_code(error)) == 0);
    CHECK(diagnostic.line == 2 && diagnostic.column == 1 && diagnostic.start == 4);
    CHECK(diagnostic.severity == KLS_ERROR);
    CHECK(kls_error_diagnostic(error, 99, &diagnostic) == KLS_INVALID_ARGUMENT);
    CHECK(kls_error_diagnostic(error, 0, NULL) == KLS_INVALID_ARGUMENT);
    kls_error_free(error);
}

/* Engines keep an array whose handle was freed. */
static void arrays(const kls_engine *engine) {
    kls_array *array, *other;
    kls_function *f;
    kls_error *error;
    double result = 1;
    CHECK(kls_array_new(2, NULL, NULL) == KLS_INVALID_ARGUMENT);
    CHECK(kls_array_new((size_t)-1 / 16, &array, &error) == KLS_MEMORY);
    failed_with(error, KLS_MEMORY, "there is no memory");
    CHECK(kls_array_new(2, &array, NULL) == KLS_OK && kls_array_new(2, &other, NULL) == KLS_OK);
    CHECK(kls_array_n_elements(array) == 2 && kls_array_n_elements(NULL) == 0);
    CHECK(kls_array_place(NULL) == NULL && (size_t)kls_array_place(array) % 64 == 0);
    CHECK(kls_engine_bind_array(engine, "1", array, &error) == KLS_INVALID_NAME);
    failed_with(error, KLS_INVALID_NAME, "`1`");
    CHECK(kls_engine_bind_array(engine, "sin", array, &error) == KLS_NAME_IN_USE);
    failed_with(error, KLS_NAME_IN_USE, "`sin` is a function");
    CHECK(kls_engine_bind_array(engine, "cells", NULL, NULL) == KLS_INVALID_ARGUMENT);
    CHECK(kls_engine_bind_array(engine, "cells", array, NULL) == KLS_OK);
    CHECK(kls_engine_bind_array(engine, "cells", array, NULL) == KLS_OK);
    CHECK(kls_engine_bind_array(engine, "cells", other, NULL) == KLS_NAME_IN_USE);
    kls_array_place(array)[1] = 5;
    kls_array_free(array);
    kls_array_free(other);
    kls_array_free(NULL);
    CHECK(kls_engine_run(engine, NULL, "def cell(i) cells(i) = cells(i) + 1;", NULL, NULL) == KLS_OK);
    CHECK(kls_engine_function(engine, "cell", &f, NULL) == KLS_OK);
    CHECK(kls_function_call(f, &result, 1, &result, NULL) == KLS_OK && result == 6);
    CHECK(kls_function_call(f, &result, 1, &result, &error) == KLS_CALL);
    CHECK(strcmp(kls_error_code(error), "KLS3014") == 0);
    kls_error_free(error);
    kls_function_free(f);
}

/* Engines keep a variable whose handle was freed. */
static void variables(const kls_engine *engine) {
    kls_variable *variable;
    kls_engine *other;
    kls_function *f;
    kls_error *error;
    double *place, result = 0;
    CHECK(kls_variable_new(1, NULL, NULL) == KLS_INVALID_ARGUMENT);
    CHECK(kls_variable_new(1, &variable, NULL) == KLS_OK);
    CHECK(kls_engine_bind(engine, "1", variable, &error) == KLS_INVALID_NAME);
    failed_with(error, KLS_INVALID_NAME, "`1`");
    CHECK(kls_engine_bind(engine, "v", NULL, NULL) == KLS_INVALID_ARGUMENT);
    CHECK(kls_engine_bind(engine, "v", variable, NULL) == KLS_OK);
    CHECK(kls_engine_run(engine, NULL, "def grow(by) v = v + by;", NULL, NULL) == KLS_OK);
    CHECK(kls_engine_fork(engine, &other, NULL) == KLS_OK);
    CHECK(kls_engine_function(other, "grow", &f, NULL) == KLS_OK);
    result = 2;
    CHECK(kls_function_call(f, &result, 1, &result, NULL) == KLS_OK && result == 3);
    CHECK(kls_variable_get(variable) == 3);
    kls_variable_set(variable, 10);
    place = kls_variable_place(variable);
    CHECK(*place == 10);
    kls_variable_free(variable);
    *place = 20;
    CHECK(kls_function_call(f, &result, 1, &result, NULL) == KLS_OK && result == 23 && *place == 23);
    kls_function_free(f);
    kls_engine_free(other);
    CHECK(kls_variable_place(NULL) == NULL && kls_variable_get(NULL) != kls_variable_get(NULL));
    kls_variable_set(NULL, 1);
    kls_variable_free(NULL);
}

static void options(void) {
    struct {
        kls_options known;
        void *of_the_future;
    } newer;
    static const char *const provided[] = {"sin", "printd"};
    kls_options options;
    kls_engine *engine, *hurried;
    kls_error *error;

    memset(&options, 0, sizeof options);
    CHECK(kls_engine_new(&options, &engine, NULL) == KLS_INVALID_ARGUMENT);
    kls_options_init(&options, sizeof options);
    options.mode = 77;
    CHECK(kls_engine_new(&options, &engine, &error) == KLS_INVALID_ARGUMENT);
    failed_with(error, KLS_INVALID_ARGUMENT, "there is no mode 77");

    kls_options_init(&newer.known, sizeof newer);
    CHECK(kls_engine_new(&newer.known, &engine, NULL) == KLS_OK);
    kls_engine_free(engine);
    newer.of_the_future = &newer;
    CHECK(kls_engine_new(&newer.known, &engine, &error) == KLS_INVALID_ARGUMENT);
    failed_with(error, KLS_INVALID_ARGUMENT, "does not know");
    /* The options of an older host. */
    kls_options_init(&options, offsetof(kls_options, max_functions));
    options.mode = KLS_MODE_BASELINE;
    options.max_functions = 1;
    CHECK(kls_engine_new(&options, &engine, NULL) == KLS_OK);
    CHECK(kls_engine_run(engine, NULL, "def a() 1; def b() 2;", NULL, NULL) == KLS_OK);
    kls_engine_free(engine);

    kls_options_init(&options, sizeof options);
    options.mode = KLS_MODE_OFF;
    options.max_functions = 1;
    options.output = full;
    options.output_destroy = destroyed;
    options.provided = provided;
    options.n_provided = 2;
    n_destroyed = 0;
    CHECK(kls_engine_new(&options, &engine, NULL) == KLS_OK);
    CHECK(kls_engine_run(engine, NULL, "def a() 1; def b() 2;", NULL, &error) == KLS_PROGRAM);
    CHECK(strncmp(kls_error_code(error), "KLS4", 4) == 0);
    kls_error_free(error);
    CHECK(kls_engine_run(engine, NULL, "printd(1);", NULL, &error) == KLS_PROGRAM);
    failed_with(error, KLS_PROGRAM, "failed with 28");
    CHECK(kls_engine_run(engine, NULL, "cos(1);", NULL, NULL) == KLS_PROGRAM);
    CHECK(kls_engine_within(engine, 10000, &hurried, NULL) == KLS_OK);
    kls_engine_free(engine);
    CHECK(n_destroyed == 0);
    CHECK(kls_engine_run(hurried, NULL, "for i = 0, 1 in 0;", NULL, &error) == KLS_PROGRAM);
    CHECK(strcmp(kls_error_code(error), "KLS3006") == 0);
    kls_error_free(error);
    kls_engine_free(hurried);
    CHECK(n_destroyed == 1);
}

/* A scope of one engine, and a function of another one. */
static void mix_up(const kls_scope *scope, void *data) {
    double result = 0;
    kls_error *error;
    CHECK(kls_scope_call(scope, (const kls_function *)data, &result, 1, &result, &error) == KLS_INVALID_ARGUMENT);
    failed_with(error, KLS_INVALID_ARGUMENT, "different engines");
}

static void engines(const kls_engine *engine) {
    kls_engine *other;
    kls_function *f;
    CHECK(kls_engine_new(NULL, &other, NULL) == KLS_OK);
    CHECK(kls_engine_function(other, "sin", &f, NULL) == KLS_OK);
    CHECK(kls_engine_enter(engine, mix_up, f, NULL) == KLS_OK);
    kls_function_free(f);
    kls_engine_free(other);
}

int main(void) {
    kls_engine *engine;
    CHECK(kls_engine_new(NULL, &engine, NULL) == KLS_OK);
    pointers(engine);
    callbacks(engine);
    diagnostics(engine);
    engines(engine);
    variables(engine);
    arrays(engine);
    kls_engine_free(engine);
    options();
    return 0;
}
