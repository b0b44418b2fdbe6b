/* Kaleidoscope's engine for C99 and C++.
 *
 * Made from the source of the crate kaleidoscope-capi by cbindgen: not to be edited.
 *
 * What holds for every function:
 *
 * - Texts are UTF-8 and end by NUL. Pointers are checked for NULL, and texts for being UTF-8.
 * - What a function gives through `kls_...**` is the host's, and given back by the `_free` of its
 *   type, once. NULL may be given back too. What is given as `const ...*` belongs to what it was
 *   asked of, and lives as long.
 * - `error` may be NULL. If not, it is set by every call: to NULL, or to an error that is the
 *   host's. Other places are written only on KLS_OK, unless something else is said.
 * - Every handle may be used by several threads at once, and given back by any thread when no
 *   call uses it any more. Where that is otherwise, it is said.
 * - No function ends the process or leaves by an exception; functions of the host must not either.
 */


#ifndef KALEIDOSCOPE_H
#define KALEIDOSCOPE_H

#include <stddef.h>
#include <stdint.h>

// How a call of this library ended.
enum kls_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // As it should.
  KLS_OK = 0,
  // An argument makes no sense: it is `NULL`, too large, or of a newer version of this library.
  KLS_INVALID_ARGUMENT = 1,
  // A text is not UTF-8.
  KLS_NOT_UTF8 = 2,
  // The operating system gave no memory.
  KLS_MEMORY = 3,
  // No function has the name.
  KLS_UNKNOWN_FUNCTION = 4,
  // The language has no such name: it is no identifier, or a keyword.
  KLS_INVALID_NAME = 5,
  // The program or the formula has errors; the diagnostics say which.
  KLS_PROGRAM = 6,
  // A call ended early; the code says why.
  KLS_CALL = 7,
  // A call was stopped by kls_engine_interrupt.
  KLS_INTERRUPTED = 8,
  // A call took longer than it may.
  KLS_TIMED_OUT = 9,
  // An error in this library, which has caught it.
  KLS_PANIC = 10,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum kls_status kls_status;
#else
typedef int32_t kls_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How bad a diagnostic is.
enum kls_severity
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // The item, or its evaluation, has failed.
  KLS_ERROR = 0,
  // The item is taken as it stands, but it may not be what was meant.
  KLS_WARNING = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum kls_severity kls_severity;
#else
typedef int32_t kls_severity;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// When an engine makes code.
enum kls_mode
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // Quickly at a function's first call; again and better, in the background, when it has become hot.
  KLS_MODE_TIERED = 0,
  // Well at a function's first call: a function that is never called costs no code.
  KLS_MODE_LAZY = 1,
  // When a function is defined.
  KLS_MODE_EAGER = 2,
  // Quickly at a function's first call, and never again.
  KLS_MODE_BASELINE = 3,
  // Never: everything is interpreted.
  KLS_MODE_OFF = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum kls_mode kls_mode;
#else
typedef int32_t kls_mode;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// A call of a function of the host, while it runs.
typedef struct kls_call kls_call;

// An engine: runs programs, and keeps what they define. Given back by kls_engine_free.
//
// It may be used by several threads at once.
typedef struct kls_engine kls_engine;

// An error. Given back by kls_error_free.
typedef struct kls_error kls_error;

// A function of a program, of the host or of the maths library, or a formula. Given back by kls_function_free.
//
// It stays valid through definitions of its name, which the next call sees, and keeps its engine.
typedef struct kls_function kls_function;

// What came of a text that was run. Given back by kls_outcome_free.
typedef struct kls_outcome kls_outcome;

// A scope for many calls, while it is entered. It belongs to the thread that has entered it.
typedef struct kls_scope kls_scope;

// A `double` that programs read and assign under a name. Given back by kls_variable_free; an engine that it was bound in goes on with it.
typedef struct kls_variable kls_variable;

// A function of the host: gives a value for `n_args` values.
//
// It runs on the thread that evaluates, and several threads may be in it at once. It may use the engine; it is not
// stopped by requests and time limits, which wait for its return. It fails by kls_call_fail. It must not leave by a C++
// exception or longjmp.
typedef double (*kls_callback)(void *data, const double *args, size_t n_args, struct kls_call *call);

// Gives the data of a function of the host back to the host, when nobody needs it any more. It is called once, by any thread.
typedef void (*kls_destroy)(void *data);

// Takes what programs write: `length` bytes of UTF-8, not ended by NUL. Gives 0, or anything else if the text cannot be
// written, which ends the evaluation.
//
// It may be called by every thread that uses the engine, and by several at once; it may use the engine. It must not leave by a
// C++ exception or longjmp.
typedef int32_t (*kls_output)(void *data, const char *text, size_t length);

// Settings of an engine to be made. kls_options_init fills them in; 0 and `NULL` mean that a setting is as usual.
typedef struct kls_options {
  // `sizeof (kls_options)`, set by kls_options_init: later versions of this library may know more.
  size_t struct_size;
  // When code is made: one of kls_mode.
  int32_t mode;
  // The most threads that make code in the background; usually half as many as there are processors.
  uint32_t compile_threads;
  // The most memory in bytes that nested calls may take within one evaluation; usually 256 MiB, of which only what is used takes
  // memory.
  size_t stack_bytes;
  // The longest time that a call or a top-level expression may take, compiling included; usually any.
  uint64_t time_limit_microseconds;
  // The most functions that programs may name; usually any number.
  size_t max_functions;
  // The most bytes of machine code in memory at once; usually any number.
  size_t max_code_bytes;
  // The most bytes of text that one item may have; usually any number.
  size_t max_item_bytes;
  // Where programs write to; usually the process's standard output.
  kls_output output;
  // Given to `output`.
  void *output_data;
  // Called once with `output_data` when nobody needs it any more: when kls_engine_new has failed, or the last handle of the
  // engine is gone.
  kls_destroy output_destroy;
  // Which of the functions that an engine usually provides (printd, sin, …) programs may use; `NULL` for all. Names of others
  // are passed over.
  const char *const *provided;
  // How many names stand in `provided`.
  size_t n_provided;
} kls_options;

// A mistake in a program. The texts belong to what it was asked of.
typedef struct kls_diagnostic {
  // `sizeof (kls_diagnostic)`, set by the host: later versions of this library may know more.
  size_t struct_size;
  // What kind of mistake, as a stable code: "KLS2001", say.
  const char *code;
  // One sentence, lower case, without the final dot.
  const char *message;
  // What to do about it; `NULL` where that is not certain.
  const char *hint;
  // How bad it is.
  kls_severity severity;
  // The line, from 1; 0 where the mistake has no place in the text.
  uint32_t line;
  // The character within the line, from 1; 0 where it has no place.
  uint32_t column;
  // The offset of the first byte of the place, from 0.
  uint32_t start;
  // The offset behind the last byte of the place.
  uint32_t end;
} kls_diagnostic;

// The address of a function: of a C function that takes as many `double`s as the function has parameters, and gives a `double`.
// To be cast before it is called.
typedef void (*kls_address)(void);

// What is done inside of a scope. It must not leave by a C++ exception or longjmp.
typedef void (*kls_scope_body)(const struct kls_scope *scope, void *data);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Lets programs call a function of the host by this name, as if the host had a `def` of its own.
//
// A function that had the name is replaced for every call that begins after this; so is this one by a `def` of the program. It is called
// with `arity` values, and with `data`, which is the engine's from here on, also when this fails: `destroy`, if not
// `NULL`, is called with it when the function is replaced or the engine gone, and no call is inside.
//
// KLS_INVALID_NAME when the language has no such name, KLS_INVALID_ARGUMENT for more than 10,000 parameters.
kls_status kls_engine_register(const struct kls_engine *engine,
                               const char *name,
                               uint32_t arity,
                               kls_callback callback,
                               void *data,
                               kls_destroy destroy,
                               struct kls_error **error);

// Says, from inside of a function of the host, that the call has failed, and why: the evaluation ends with this text when the
// function returns. The text is copied; what is not UTF-8 in it is replaced. The last one counts.
//
// To be called by the thread that the function was called by.
void kls_call_fail(struct kls_call *call,
                   const char *message);

// The version of this library, "0.1.0" say. It lives for ever.
const char *kls_version(void);

// Makes an engine, with `options` or, if that is `NULL`, as it usually is.
//
// `options->output_data` is the engine's from here on, also when this fails. The rest of the options is copied.
kls_status kls_engine_new(const struct kls_options *options,
                          struct kls_engine **engine,
                          struct kls_error **error);

// Makes another handle of the same engine: a text that is run by it, a scope entered by it, or a call of a function made by it may take
// so many microseconds, compiling included. It is given back by itself.
kls_status kls_engine_within(const struct kls_engine *engine,
                             uint64_t microseconds,
                             struct kls_engine **other,
                             struct kls_error **error);

// Makes another engine, which begins with what is defined in this one. What is defined later in one is not seen by the other;
// functions of the host and variables are shared.
kls_status kls_engine_fork(const struct kls_engine *engine,
                           struct kls_engine **other,
                           struct kls_error **error);

// Gives a handle of an engine back; nothing for `NULL`. The engine itself goes with the last of its handles and functions.
void kls_engine_free(struct kls_engine *engine);

// Runs a text: every item, going on after errors.
//
// `name` is for diagnostics, a file's name say; `NULL` for none. If `outcome` is not `NULL` it is given what came of the text, also
// when this is KLS_PROGRAM: that at least one item has failed. The error then speaks of the first.
kls_status kls_engine_run(const struct kls_engine *engine,
                          const char *name,
                          const char *program,
                          struct kls_outcome **outcome,
                          struct kls_error **error);

// Defines the operators that programs usually want and the language does not have: comparisons, `!`, `|`, `&` and the like.
kls_status kls_engine_prelude(const struct kls_engine *engine,
                              struct kls_error **error);

// Takes a function from the program: calls of it fail until the name is defined again.
//
// KLS_UNKNOWN_FUNCTION when nothing has the name.
kls_status kls_engine_remove(const struct kls_engine *engine,
                             const char *name,
                             struct kls_error **error);

// Stops every evaluation of the engine that runs now, by whatever thread: it ends with KLS_INTERRUPTED, or with a diagnostic
// that says so. What begins later is not affected.
//
// To be called by another thread; not by a signal handler.
void kls_engine_interrupt(const struct kls_engine *engine);

// Which sort of error it is; KLS_OK for `NULL`.
kls_status kls_error_status(const struct kls_error *error);

// The error in a sentence, lower case, without the final dot; empty for `NULL`. It lives as long as the error.
const char *kls_error_message(const struct kls_error *error);

// The stable code of the first error in the program, or of why the call ended early: "KLS3004", say. Empty where there is none.
// It lives as long as the error.
const char *kls_error_code(const struct kls_error *error);

// How many diagnostics belong to the error: what is wrong with a formula, each with its place.
size_t kls_error_n_diagnostics(const struct kls_error *error);

// Describes one of the error's diagnostics, counted from 0. The texts live as long as the error.
//
// `diagnostic->struct_size` has to be set before. KLS_INVALID_ARGUMENT where there is no such diagnostic.
kls_status kls_error_diagnostic(const struct kls_error *error,
                                size_t index,
                                struct kls_diagnostic *diagnostic);

// The error as text for a person: for a formula, with the places marked in it. It ends with a new line, and lives as long
// as the error.
const char *kls_error_text(const struct kls_error *error);

// Gives an error back; nothing for `NULL`.
void kls_error_free(struct kls_error *error);

// Gives the function of this name. It costs no code: that is made by the first call, or by kls_function_prepare.
//
// KLS_UNKNOWN_FUNCTION when nothing has the name.
kls_status kls_engine_function(const struct kls_engine *engine,
                               const char *name,
                               struct kls_function **function,
                               struct kls_error **error);

// Makes a formula callable: an expression over these parameters, as a user types it. It may use everything that a program may.
//
// KLS_PROGRAM when it has no meaning: the error's diagnostics say where and why. When the formula is given back, nothing of it is left.
kls_status kls_engine_formula(const struct kls_engine *engine,
                              const char *formula,
                              const char *const *parameters,
                              size_t n_parameters,
                              struct kls_function **function,
                              struct kls_error **error);

// How many arguments the function takes.
size_t kls_function_arity(const struct kls_function *function);

// Calls the function, on a stack of its own: whatever it does, the host goes on. `result` is written when it is KLS_OK.
//
// KLS_INTERRUPTED and KLS_TIMED_OUT when it was stopped; KLS_CALL for everything else that a program can do wrong while
// it runs, and for another number of arguments than the function takes.
kls_status kls_function_call(const struct kls_function *function,
                             const double *args,
                             size_t n_args,
                             double *result,
                             struct kls_error **error);

// As kls_function_call, for a call that may take so many microseconds, compiling included.
kls_status kls_function_call_within(const struct kls_function *function,
                                    uint64_t microseconds,
                                    const double *args,
                                    size_t n_args,
                                    double *result,
                                    struct kls_error **error);

// Calls the function with each row of columns, of which there is one for each parameter, and writes the results to `results`, which
// has `n_rows` values as every column has. It may not overlap with them.
//
// After an error results of some rows have been written. A time limit is that of all rows together.
kls_status kls_function_map(const struct kls_function *function,
                            const double *const *columns,
                            size_t n_columns,
                            double *results,
                            size_t n_rows,
                            struct kls_error **error);

// Makes the code now that the first call would make, if the engine makes code at all. Functions that it calls are prepared when
// they are called, or by handles of their own.
kls_status kls_function_prepare(const struct kls_function *function,
                                struct kls_error **error);

// The function's address, which stays what it is whatever is defined behind it; `NULL` for `NULL`. It is valid as long as the engine,
// and that of a formula as long as there is a handle of it.
//
// To call it is the quickest way, and nothing stands around it: it runs on the caller's stack and cannot be stopped. What
// it reaches must have been prepared, must be no function of the host, and must not be defined again meanwhile; otherwise
// the process ends with a message, or worse.
kls_address kls_function_address(const struct kls_function *function);

// Gives a function back; nothing for `NULL`.
void kls_function_free(struct kls_function *function);

// Fills in the options of an engine to be made, as they usually are.
//
// ```c
// kls_options options;
// kls_options_init(&options, sizeof options);
// ```
void kls_options_init(struct kls_options *options, size_t struct_size);

// How many top-level expressions ran to their end.
size_t kls_outcome_n_values(const struct kls_outcome *outcome);

// The value of one of them, counted from 0; a NaN where there is none.
double kls_outcome_value(const struct kls_outcome *outcome, size_t index);

// How many diagnostics there are: errors and warnings, in the order of the text.
size_t kls_outcome_n_diagnostics(const struct kls_outcome *outcome);

// Describes one of the diagnostics, counted from 0. The texts live as long as the outcome.
//
// `diagnostic->struct_size` has to be set before. KLS_INVALID_ARGUMENT where there is no such diagnostic.
kls_status kls_outcome_diagnostic(const struct kls_outcome *outcome,
                                  size_t index,
                                  struct kls_diagnostic *diagnostic);

// The diagnostics as text for a person, with the places marked; empty where there are none. It lives as long as the outcome.
const char *kls_outcome_text(const struct kls_outcome *outcome);

// Gives an outcome back; nothing for `NULL`.
void kls_outcome_free(struct kls_outcome *outcome);

// Prepares for many calls, which cost a fraction of what they cost each by itself, and calls `body` with `data`: it makes the calls by
// kls_scope_call.
//
// The time limit of the engine is that of all calls together, and kls_engine_interrupt stops all that are still to come. What is redefined
// meanwhile keeps its memory until the scope is left.
kls_status kls_engine_enter(const struct kls_engine *engine,
                            kls_scope_body body,
                            void *data,
                            struct kls_error **error);

// Calls the function, as kls_function_call does. Function and scope belong to the same engine.
kls_status kls_scope_call(const struct kls_scope *scope,
                          const struct kls_function *function,
                          const double *args,
                          size_t n_args,
                          double *result,
                          struct kls_error **error);

// Makes a variable with this value.
kls_status kls_variable_new(double value, struct kls_variable **variable, struct kls_error **error);

// Lets programs read and assign the variable by this name. It may be bound in several engines, and under several names. When
// a name is bound again, text that is read from then on means the new variable.
//
// KLS_INVALID_NAME when the language has no such name.
kls_status kls_engine_bind(const struct kls_engine *engine,
                           const char *name,
                           const struct kls_variable *variable,
                           struct kls_error **error);

// The value, which a program may change at any time; a NaN for `NULL`.
double kls_variable_get(const struct kls_variable *variable);

// Gives the variable another value, which programs that run see as well.
void kls_variable_set(const struct kls_variable *variable, double value);

// Where the value is, for hosts that read and write it very often; `NULL` for `NULL`. It stays there as long as the variable, or an
// engine that it was bound in.
//
// While another thread may be in a program that uses the variable, the host's accesses have to be atomic.
double *kls_variable_place(const struct kls_variable *variable);

// Gives a variable back; nothing for `NULL`.
void kls_variable_free(struct kls_variable *variable);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* KALEIDOSCOPE_H */
