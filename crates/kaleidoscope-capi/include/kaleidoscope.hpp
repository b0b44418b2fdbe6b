/* Kaleidoscope's engine for C++17: classes over the C functions of kaleidoscope.h, in this header
 * alone.
 *
 * - Objects own their handles and free them. They can be moved and not copied; an object that was
 *   moved from may only be destroyed or assigned to. Several threads may use an object at once,
 *   except for a Scope.
 * - Errors are exceptions of the class Error, with a status, a stable code and a message.
 * - An exception that a host function throws ends the evaluation. The C++ function that evaluates
 *   (call, map, run and others) throws it again.
 */

#ifndef KALEIDOSCOPE_HPP
#define KALEIDOSCOPE_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "kaleidoscope.h"

namespace kaleidoscope {

/* A mistake in a program. */
struct Diagnostic {
    std::string code;    /* stable, for example "KLS2001" */
    std::string message; /* one sentence */
    std::string hint;    /* how to correct the mistake; empty if that is not certain */
    kls_severity severity = KLS_ERROR;
    std::uint32_t line = 0;   /* from 1; 0 if the mistake has no place in the text */
    std::uint32_t column = 0; /* in characters, from 1 */
    std::uint32_t start = 0;  /* the offset of the first byte */
    std::uint32_t end = 0;    /* the offset after the last byte */
};

namespace detail {

/* Calls the C function that frees a handle. */
template <auto function> struct Free {
    template <class T> void operator()(T *handle) const noexcept { function(handle); }
};

using EngineHandle = std::unique_ptr<kls_engine, Free<kls_engine_free>>;
using FunctionHandle = std::unique_ptr<kls_function, Free<kls_function_free>>;
using FormulasHandle = std::unique_ptr<kls_formulas, Free<kls_formulas_free>>;
using VariableHandle = std::unique_ptr<kls_variable, Free<kls_variable_free>>;
using ArrayHandle = std::unique_ptr<kls_array, Free<kls_array_free>>;
using OutcomeHandle = std::unique_ptr<kls_outcome, Free<kls_outcome_free>>;
using ErrorHandle = std::unique_ptr<kls_error, Free<kls_error_free>>;

/* All diagnostics of an error or outcome. */
template <class Owner, class Describe>
std::vector<Diagnostic> diagnostics_of(const Owner *owner, std::size_t count, Describe describe) {
    std::vector<Diagnostic> all;
    for (std::size_t i = 0; i < count; i++) {
        kls_diagnostic one{};
        one.struct_size = sizeof one;
        if (describe(owner, i, &one) != KLS_OK)
            continue;
        all.push_back({one.code, one.message, one.hint == nullptr ? "" : one.hint, one.severity, one.line,
                       one.column, one.start, one.end});
    }
    return all;
}

/* Frees an object of C++ that the engine owns. */
template <class T> void destroy(void *object) noexcept { delete static_cast<T *>(object); }

} // namespace detail

/* Why the engine refused a request, or an evaluation failed. what() is one sentence. */
class Error : public std::runtime_error {
  public:
    Error(kls_status status, const std::string &message)
        : std::runtime_error(message), content(std::make_shared<Content>()) {
        content->status = status;
        content->text = message;
    }

    /* Copies what the C error says. */
    explicit Error(const kls_error *error)
        : std::runtime_error(kls_error_message(error)), content(std::make_shared<Content>()) {
        content->status = kls_error_status(error);
        content->code = kls_error_code(error);
        content->text = kls_error_text(error);
        content->row = kls_error_row(error);
        content->diagnostics =
            detail::diagnostics_of(error, kls_error_n_diagnostics(error), kls_error_diagnostic);
    }

    kls_status status() const noexcept { return content->status; }
    /* The stable code of the first mistake, for example "KLS3004"; empty if there is none. */
    const std::string &code() const noexcept { return content->code; }
    /* The error as text; for a formula, with the places marked in it. */
    const std::string &text() const noexcept { return content->text; }
    const std::vector<Diagnostic> &diagnostics() const noexcept { return content->diagnostics; }
    /* The row of a scan or fold that was not completed; -1 for other errors. */
    std::int64_t row() const noexcept { return content->row; }

  private:
    struct Content {
        kls_status status = KLS_OK;
        std::string code, text;
        std::vector<Diagnostic> diagnostics;
        std::int64_t row = -1;
    };
    /* Shared, so that copies of an exception cannot fail. */
    std::shared_ptr<Content> content;
};

namespace detail {

/* Throws the exception of the host function that failed, or else the error, unless the status is
 * that of success. The error is a reference, because the call that returns the status sets it. */
inline void check(kls_status status, kls_error *const &error) {
    if (status == KLS_OK)
        return;
    const ErrorHandle owned(error);
    if (const void *thrown = kls_error_data(error, destroy<std::exception_ptr>))
        std::rethrow_exception(*static_cast<const std::exception_ptr *>(thrown));
    throw Error(error);
}

/* Fails the call of a host function with the exception that is being handled. */
inline void fail(kls_call *call, const char *message) noexcept {
    auto *const thrown = new (std::nothrow) std::exception_ptr(std::current_exception());
    if (thrown == nullptr)
        kls_call_fail(call, message);
    else
        kls_call_fail_with(call, message, thrown, destroy<std::exception_ptr>);
}

/* Runs a host function. No exception leaves it. */
template <class Body> double guarded(kls_call *call, Body body) noexcept {
    try {
        return body();
    } catch (const std::exception &exception) {
        fail(call, exception.what());
    } catch (...) {
        fail(call, "a C++ exception");
    }
    return 0;
}

/* The parameters of a function. */
template <class Signature> struct Parameters;
template <class Result, class... Args> struct Parameters<std::function<Result(Args...)>> {
    static constexpr std::size_t count = sizeof...(Args);
    static constexpr bool are_doubles =
        std::is_convertible_v<Result, double> && (std::is_convertible_v<const double &, Args> && ...);
};

template <class Callable, std::size_t... places>
double apply(Callable &callable, [[maybe_unused]] const double *args, std::index_sequence<places...>) {
    return static_cast<double>(callable(args[places]...));
}

} // namespace detail

/* One value for all rows, in the place of a column: of map only. */
struct Scalar {
    explicit constexpr Scalar(double value) noexcept : value(value) {}
    double value;
};

/* A column of numbers that is read: a pointer and a size, or any container whose elements lie side
 * by side, such as std::vector, std::array and std::span. It does not own them. */
class Column {
  public:
    Column(const double *data, std::size_t size) noexcept : first(data), count(size) {}
    template <class Container,
              class = std::enable_if_t<std::is_convertible_v<
                  decltype(std::data(std::declval<const Container &>())), const double *>>>
    Column(const Container &container) noexcept
        : first(std::data(container)), count(std::size(container)) {}
    /* A list in braces, as an argument of a call: it ends with the call. */
    Column(std::initializer_list<double> values) noexcept : Column(values.begin(), values.size()) {}
    Column(Scalar scalar) noexcept : Column(nullptr, 1) { value = scalar.value; }

    const double *data() const noexcept { return first; }
    std::size_t size() const noexcept { return count; }
    /* The value of a scalar. */
    std::optional<double> scalar() const noexcept { return value; }

  private:
    const double *first;
    std::size_t count;
    std::optional<double> value;
};

/* As Column, for numbers that are written. */
class Results {
  public:
    Results(double *data, std::size_t size) noexcept : first(data), count(size) {}
    template <class Container, class = std::enable_if_t<std::is_convertible_v<
                                   decltype(std::data(std::declval<Container &>())), double *>>>
    Results(Container &container) noexcept : first(std::data(container)), count(std::size(container)) {}
    /* A view such as std::span, which does not own its elements either. */
    template <class View, class = std::enable_if_t<std::is_convertible_v<
                              decltype(std::data(std::declval<const View &>())), double *>>>
    Results(const View &view) noexcept : first(std::data(view)), count(std::size(view)) {}

    double *data() const noexcept { return first; }
    std::size_t size() const noexcept { return count; }

  private:
    double *first;
    std::size_t count;
};

/* One column for each parameter: a list in braces, or a vector. It does not own them. */
class Columns {
  public:
    Columns(std::initializer_list<Column> columns) : Columns(columns.begin(), columns.size()) {}
    Columns(const std::vector<Column> &columns) : Columns(columns.data(), columns.size()) {}

    const double *const *data() const noexcept { return pointers.data(); }
    std::size_t size() const noexcept { return pointers.size(); }
    /* The number of rows; 0 without columns, 1 if all are scalars. */
    std::size_t n_rows() const noexcept { return rows.value_or(pointers.empty() ? 0 : 1); }
    /* Throws an Error if there are columns, and they do not have this number of rows. */
    void expect_rows(std::size_t n) const {
        if (rows && *rows != n)
            throw Error(KLS_INVALID_ARGUMENT, "the columns have " + std::to_string(*rows) +
                                                  " rows, and there is room for " + std::to_string(n) +
                                                  " results");
    }
    /* Throws an Error if a column is a scalar. */
    void expect_no_scalars() const {
        if (values)
            throw Error(KLS_INVALID_ARGUMENT, "only map takes scalars");
    }
    /* For each column, whether it is a scalar; null if none is. */
    const unsigned char *scalars() const noexcept { return values ? are_scalars.data() : nullptr; }

  private:
    Columns(const Column *columns, std::size_t n_columns) : are_scalars(n_columns) {
        for (std::size_t i = 0; i < n_columns; i++) {
            const Column &column = columns[i];
            if (column.scalar()) {
                if (!values)
                    values = std::make_shared<std::vector<double>>(n_columns);
                (*values)[i] = *column.scalar();
                are_scalars[i] = 1;
                pointers.push_back(&(*values)[i]);
                continue;
            }
            if (!rows)
                rows = column.size();
            if (column.size() != *rows)
                throw Error(KLS_INVALID_ARGUMENT, "column " + std::to_string(i) + " has " +
                                                      std::to_string(column.size()) +
                                                      " rows, and the first one " + std::to_string(*rows));
            pointers.push_back(column.data());
        }
    }

    std::vector<const double *> pointers;
    /* The rows of the columns that are no scalars. */
    std::optional<std::size_t> rows;
    std::vector<unsigned char> are_scalars;
    /* The values of the scalars, where copies of the columns find them too. */
    std::shared_ptr<std::vector<double>> values;
};

/* How a batch runs. */
struct MapOptions {
    kls_precision precision = KLS_PRECISION_STRICT;
    bool on_this_thread = false;

    kls_map_options to_c(const Columns &columns) const noexcept {
        kls_map_options options;
        kls_map_options_init(&options, sizeof options);
        options.precision = precision;
        options.on_this_thread = on_this_thread ? 1 : 0;
        options.scalars = columns.scalars();
        return options;
    }
};

/* An event, valid until the observer returns. kls_event in kaleidoscope.h documents the parts. */
class Event {
  public:
    explicit Event(const kls_event &event) noexcept : event(event) {}

    kls_event_kind kind() const noexcept { return event.kind; }
    kls_tier tier() const noexcept { return event.tier; }
    std::string_view name() const noexcept { return event.name; }
    std::uint32_t version() const noexcept { return event.version; }
    std::optional<std::int32_t> osr_loop() const noexcept {
        return event.osr_loop < 0 ? std::nullopt : std::optional(event.osr_loop);
    }
    std::size_t n_bytes() const noexcept { return event.n_bytes; }
    std::chrono::nanoseconds time() const noexcept {
        return std::chrono::nanoseconds(static_cast<std::int64_t>(event.nanoseconds));
    }
    std::string_view text() const noexcept { return event.text; }
    std::vector<std::string_view> names() const {
        return std::vector<std::string_view>(event.names, event.names + event.n_names);
    }
    /* All parts. */
    const kls_event &c() const noexcept { return event; }

  private:
    const kls_event &event;
};

/* Options of a new engine; kls_options in kaleidoscope.h documents them. 0 means the default. */
struct Options {
    kls_mode mode = KLS_MODE_TIERED;
    std::uint32_t compile_threads = 0;
    std::size_t stack_bytes = 0;
    std::chrono::microseconds time_limit{0};
    std::size_t max_functions = 0;
    std::size_t max_code_bytes = 0;
    std::size_t max_item_bytes = 0;
    /* Where programs write to; the process's standard output if empty. If it throws, the output
     * cannot be written, and the evaluation ends with an Error. */
    std::function<void(std::string_view)> output{};
    /* The provided functions that programs may use; all if not set. */
    std::optional<std::vector<std::string>> provided{};
    bool fall_back_to_interpreter = false;
    /* Receives the engine's events, on the threads where they happen. It may use the engine. It
     * must not throw, which ends the process. */
    std::function<void(const Event &)> observer{};
};

/* A `double` that programs read and assign under a name (Engine::bind). Engines that it was bound
 * in keep using it. */
class Variable {
  public:
    explicit Variable(double value = 0) {
        kls_variable *made = nullptr;
        kls_error *error = nullptr;
        detail::check(kls_variable_new(value, &made, &error), error);
        handle.reset(made);
    }
    double get() const noexcept { return kls_variable_get(handle.get()); }
    void set(double value) const noexcept { kls_variable_set(handle.get(), value); }
    const kls_variable *c() const noexcept { return handle.get(); }

  private:
    detail::VariableHandle handle;
};

/* `double`s that programs read and assign by index under a name (Engine::bind). The number of
 * elements is fixed. Where another thread may run a program that uses the array, access its
 * elements atomically. */
class Array {
  public:
    explicit Array(std::size_t n_elements) {
        kls_array *made = nullptr;
        kls_error *error = nullptr;
        detail::check(kls_array_new(n_elements, &made, &error), error);
        handle.reset(made);
    }
    Array(std::initializer_list<double> elements) : Array(elements.size()) {
        std::size_t i = 0;
        for (const double element : elements)
            data()[i++] = element;
    }
    double *data() const noexcept { return kls_array_place(handle.get()); }
    std::size_t size() const noexcept { return kls_array_n_elements(handle.get()); }
    double *begin() const noexcept { return data(); }
    double *end() const noexcept { return data() + size(); }
    double &operator[](std::size_t index) const noexcept { return data()[index]; }
    const kls_array *c() const noexcept { return handle.get(); }

  private:
    detail::ArrayHandle handle;
};

/* The values and diagnostics of a text that was run. */
class Outcome {
  public:
    explicit Outcome(kls_outcome *outcome) noexcept : handle(outcome) {}

    /* The values of the top-level expressions that ran to their end. */
    std::vector<double> values() const {
        std::vector<double> all;
        for (std::size_t i = 0; i < kls_outcome_n_values(handle.get()); i++)
            all.push_back(kls_outcome_value(handle.get(), i));
        return all;
    }
    std::vector<Diagnostic> diagnostics() const {
        const std::size_t count = kls_outcome_n_diagnostics(handle.get());
        return detail::diagnostics_of(handle.get(), count, kls_outcome_diagnostic);
    }
    bool has_errors() const {
        for (const Diagnostic &diagnostic : diagnostics())
            if (diagnostic.severity == KLS_ERROR)
                return true;
        return false;
    }
    /* The diagnostics as text, with the places marked. */
    std::string text() const { return kls_outcome_text(handle.get()); }

  private:
    detail::OutcomeHandle handle;
};

/* A function of a program, of the host or of the maths library, or a formula. It follows its name:
 * after a redefinition, the next call runs the new definition. It keeps its engine alive. */
class Function {
  public:
    explicit Function(kls_function *function) noexcept : handle(function) {}

    std::size_t arity() const noexcept { return kls_function_arity(handle.get()); }

    /* Calls the function on a stack of its own. Whatever the program does, the host continues. */
    template <class... Args> double operator()(Args... args) const {
        const double all[] = {static_cast<double>(args)..., 0};
        return call(Column(all, sizeof...(Args)));
    }
    double call(Column args) const {
        double result = 0;
        kls_error *error = nullptr;
        detail::check(kls_function_call(handle.get(), args.data(), args.size(), &result, &error), error);
        return result;
    }
    /* A call with a time limit, compilation included. */
    double call_within(std::chrono::microseconds limit, Column args) const {
        double result = 0;
        kls_error *error = nullptr;
        detail::check(kls_function_call_within(handle.get(), static_cast<std::uint64_t>(limit.count()),
                                               args.data(), args.size(), &result, &error),
                      error);
        return result;
    }

    /* Applies the function to each row of the columns. The results must not overlap with them. */
    void map(const Columns &columns, Results results, const MapOptions &options = {}) const {
        const kls_map_options with = options.to_c(columns);
        kls_error *error = nullptr;
        columns.expect_rows(results.size());
        detail::check(kls_function_map_with(handle.get(), &with, columns.data(), columns.size(),
                                            results.data(), results.size(), &error),
                      error);
    }
    std::vector<double> map(const Columns &columns, const MapOptions &options = {}) const {
        std::vector<double> results(columns.n_rows());
        map(columns, results, options);
        return results;
    }

    /* Applies the function to each row, in order, with the result of the row before as first
     * argument: `initial` in the first row. */
    void scan(double initial, const Columns &columns, Results results) const {
        kls_error *error = nullptr;
        columns.expect_no_scalars();
        columns.expect_rows(results.size());
        detail::check(kls_function_scan(handle.get(), initial, columns.data(), columns.size(),
                                        results.data(), results.size(), &error),
                      error);
    }
    /* As scan, with the result of the last row only; `initial` if there are no rows. */
    double fold(double initial, const Columns &columns) const {
        double result = 0;
        kls_error *error = nullptr;
        columns.expect_no_scalars();
        detail::check(kls_function_fold(handle.get(), initial, columns.data(), columns.size(),
                                        columns.n_rows(), &result, &error),
                      error);
        return result;
    }

    /* Compiles the function now, instead of at its first call. */
    void prepare() const {
        kls_error *error = nullptr;
        detail::check(kls_function_prepare(handle.get(), &error), error);
    }
    /* The function's address for raw calls, for example address<double(double)>(). What
     * kls_function_address in kaleidoscope.h asks for must hold. */
    template <class Signature> Signature *address() const {
        using Parameters = detail::Parameters<std::function<Signature>>;
        static_assert(Parameters::are_doubles, "parameters and result are doubles");
        if (Parameters::count != arity())
            throw Error(KLS_INVALID_ARGUMENT, "the function takes " + std::to_string(arity()) +
                                                  " arguments, not " + std::to_string(Parameters::count));
        return reinterpret_cast<Signature *>(kls_function_address(handle.get()));
    }
    const kls_function *c() const noexcept { return handle.get(); }

  private:
    detail::FunctionHandle handle;
};

/* Several formulas over the same parameters, evaluated together: over columns, what they have in
 * common is computed once. They keep their engine alive. */
class Formulas {
  public:
    Formulas(kls_formulas *formulas, std::size_t n_formulas) noexcept
        : handle(formulas), count(n_formulas) {}

    /* The number of formulas. */
    std::size_t size() const noexcept { return count; }

    /* The result of each formula. */
    std::vector<double> call(Column args) const {
        std::vector<double> results(count);
        kls_error *error = nullptr;
        detail::check(
            kls_formulas_call(handle.get(), args.data(), args.size(), results.data(), count, &error), error);
        return results;
    }
    /* Evaluates the formulas for each row. There are results for each formula. */
    void map(const Columns &columns, const std::vector<Results> &results,
             const MapOptions &options = {}) const {
        const kls_map_options with = options.to_c(columns);
        const Places places(columns, results);
        kls_error *error = nullptr;
        detail::check(kls_formulas_map_with(handle.get(), &with, columns.data(), columns.size(),
                                            places.pointers.data(), places.pointers.size(), places.rows,
                                            &error),
                      error);
    }
    /* As map, with the results of the row before as first arguments, one for each formula:
     * `initial` in the first row. */
    void scan(Column initial, const Columns &columns, const std::vector<Results> &results) const {
        columns.expect_no_scalars();
        const Places places(columns, results);
        kls_error *error = nullptr;
        expect_states(initial, places.pointers.size());
        detail::check(kls_formulas_scan(handle.get(), initial.data(), columns.data(), columns.size(),
                                        places.pointers.data(), places.pointers.size(), places.rows,
                                        &error),
                      error);
    }
    /* As scan, with the results of the last row only; `initial` if there are no rows. */
    std::vector<double> fold(Column initial, const Columns &columns) const {
        columns.expect_no_scalars();
        std::vector<double> states(initial.data(), initial.data() + initial.size());
        kls_error *error = nullptr;
        expect_states(initial, count);
        detail::check(kls_formulas_fold(handle.get(), states.data(), states.size(), columns.data(),
                                        columns.size(), columns.n_rows(), &error),
                      error);
        return states;
    }
    const kls_formulas *c() const noexcept { return handle.get(); }

  private:
    /* Where results are written to. */
    struct Places {
        Places(const Columns &columns, const std::vector<Results> &results)
            : rows(results.empty() ? 0 : results[0].size()) {
            columns.expect_rows(rows);
            for (const Results &one : results) {
                if (one.size() != rows)
                    throw Error(KLS_INVALID_ARGUMENT, "the results do not have the same number of rows");
                pointers.push_back(one.data());
            }
        }
        std::vector<double *> pointers;
        std::size_t rows;
    };

    static void expect_states(Column initial, std::size_t n_states) {
        if (initial.size() != n_states)
            throw Error(KLS_INVALID_ARGUMENT, "there are " + std::to_string(initial.size()) +
                                                  " initial values for " + std::to_string(n_states) +
                                                  " formulas");
    }

    detail::FormulasHandle handle;
    std::size_t count;
};

/* A scope for many calls (Engine::enter). It belongs to the thread that entered it. */
class Scope {
  public:
    explicit Scope(const kls_scope *scope) noexcept : scope(scope) {}
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;

    /* Calls a function of the same engine. */
    template <class... Args> double call(const Function &function, Args... args) const {
        const double all[] = {static_cast<double>(args)..., 0};
        double result = 0;
        kls_error *error = nullptr;
        detail::check(kls_scope_call(scope, function.c(), all, sizeof...(Args), &result, &error), error);
        return result;
    }

  private:
    const kls_scope *scope;
};

/* An engine: runs programs, and keeps their definitions. */
class Engine {
  public:
    Engine() : Engine(Options{}) {}
    explicit Engine(const Options &options) {
        kls_options with;
        kls_options_init(&with, sizeof with);
        with.mode = options.mode;
        with.compile_threads = options.compile_threads;
        with.stack_bytes = options.stack_bytes;
        with.time_limit_microseconds = static_cast<std::uint64_t>(options.time_limit.count());
        with.max_functions = options.max_functions;
        with.max_code_bytes = options.max_code_bytes;
        with.max_item_bytes = options.max_item_bytes;
        with.fall_back_to_interpreter = options.fall_back_to_interpreter ? 1 : 0;
        std::vector<const char *> provided;
        if (options.provided) {
            for (const std::string &name : *options.provided)
                provided.push_back(name.c_str());
            provided.push_back(nullptr); /* not counted; an empty list is not a null pointer */
            with.provided = provided.data();
            with.n_provided = provided.size() - 1;
        }
        auto output = options.output ? std::make_unique<Output>(options.output) : nullptr;
        auto observer = options.observer ? std::make_unique<Observer>(options.observer) : nullptr;
        if (output) {
            with.output = write;
            with.output_destroy = detail::destroy<Output>;
            with.output_data = output.release();
        }
        if (observer) {
            with.observer = observe;
            with.observer_destroy = detail::destroy<Observer>;
            with.observer_data = observer.release();
        }
        handle = made(kls_engine_new, &with);
    }

    /* Runs all items of a text, also after errors, and throws an Error if an item failed: it
     * describes the first failure and has all diagnostics. Diagnostics show the name. */
    Outcome run(const std::string &program, const std::string &name = "text") const {
        kls_outcome *outcome = nullptr;
        kls_error *error = nullptr;
        const kls_status status = kls_engine_run(handle.get(), name.c_str(), program.c_str(), &outcome, &error);
        Outcome ran(outcome);
        detail::check(status, error);
        return ran;
    }
    /* As run, but an item that failed is no exception: the outcome has the diagnostics. An
     * exception of a host function is thrown again all the same. */
    [[nodiscard]] Outcome try_run(const std::string &program, const std::string &name = "text") const {
        kls_outcome *outcome = nullptr;
        kls_error *error = nullptr;
        const kls_status status = kls_engine_run(handle.get(), name.c_str(), program.c_str(), &outcome, &error);
        Outcome ran(outcome);
        if (status == KLS_PROGRAM && kls_error_data(error, detail::destroy<std::exception_ptr>) == nullptr)
            kls_error_free(error);
        else
            detail::check(status, error);
        return ran;
    }
    /* Adds the usual operators and names: comparisons, `and`, `pi`, `min` and others. */
    void prelude() const {
        kls_error *error = nullptr;
        detail::check(kls_engine_prelude(handle.get(), &error), error);
    }

    /* Finds the function of this name. */
    Function function(const std::string &name) const {
        kls_function *found = nullptr;
        kls_error *error = nullptr;
        detail::check(kls_engine_function(handle.get(), name.c_str(), &found, &error), error);
        return Function(found);
    }
    /* Defines a formula: an expression over these parameters, as a user types it. */
    Function formula(const std::string &text, const std::vector<std::string> &parameters) const {
        const std::vector<const char *> names = pointers(parameters);
        kls_function *formula = nullptr;
        kls_error *error = nullptr;
        detail::check(kls_engine_formula(handle.get(), text.c_str(), names.data(), names.size(), &formula,
                                         &error),
                      error);
        return Function(formula);
    }
    /* Defines formulas over the same parameters, which are evaluated together. */
    Formulas formulas(const std::vector<std::string> &texts,
                      const std::vector<std::string> &parameters) const {
        const std::vector<const char *> all = pointers(texts), names = pointers(parameters);
        kls_formulas *formulas = nullptr;
        kls_error *error = nullptr;
        detail::check(kls_engine_formulas(handle.get(), all.data(), all.size(), names.data(), names.size(),
                                          &formulas, &error),
                      error);
        return Formulas(formulas, texts.size());
    }

    /* Registers a host function, which takes and returns doubles: a function, or a lambda whose
     * parameters are not `auto`. Several threads may call it at once. It may use the engine, but
     * must not own one of its objects, which would keep the engine alive forever. */
    template <class Callable> void define(const std::string &name, Callable callable) const {
        using Wrapped = decltype(std::function(callable));
        using Parameters = detail::Parameters<Wrapped>;
        static_assert(Parameters::are_doubles, "a host function takes and returns doubles");
        const auto call = [](void *data, const double *args, std::size_t, kls_call *call) noexcept {
            return detail::guarded(call, [=] {
                return detail::apply(*static_cast<Callable *>(data), args,
                                     std::make_index_sequence<Parameters::count>());
            });
        };
        hand_over(name, Parameters::count, call, std::make_unique<Callable>(std::move(callable)));
    }
    /* As above, for a host function that takes its arguments as a column of `arity` numbers. */
    template <class Callable>
    void define(const std::string &name, std::uint32_t arity, Callable callable) const {
        const auto call = [](void *data, const double *args, std::size_t n, kls_call *call) noexcept {
            return detail::guarded(call, [=] {
                return static_cast<double>((*static_cast<Callable *>(data))(Column(args, n)));
            });
        };
        hand_over(name, arity, call, std::make_unique<Callable>(std::move(callable)));
    }
    /* Removes a function: calls of it fail until the name is defined again. */
    void remove(const std::string &name) const {
        kls_error *error = nullptr;
        detail::check(kls_engine_remove(handle.get(), name.c_str(), &error), error);
    }
    /* Binds a variable to a name, so that programs can read and assign it. */
    void bind(const std::string &name, const Variable &variable) const {
        kls_error *error = nullptr;
        detail::check(kls_engine_bind(handle.get(), name.c_str(), variable.c(), &error), error);
    }
    /* Binds an array to a name: `u(i)` is an element, and `u(i) = v` assigns one. */
    void bind(const std::string &name, const Array &array) const {
        kls_error *error = nullptr;
        detail::check(kls_engine_bind_array(handle.get(), name.c_str(), array.c(), &error), error);
    }

    /* Enters the engine once for many calls, which cost a fraction then: calls the body with a
     * Scope, and returns what the body returns. */
    template <class Body> std::invoke_result_t<Body &, const Scope &> enter(Body body) const {
        using Result = std::invoke_result_t<Body &, const Scope &>;
        using Kept = std::conditional_t<std::is_void_v<Result>, bool, Result>;
        struct Entered {
            Body &body;
            std::optional<Kept> result;
            std::exception_ptr thrown;
        } entered{body, std::nullopt, nullptr};
        const auto call = [](const kls_scope *c_scope, void *data) noexcept {
            auto &self = *static_cast<Entered *>(data);
            try {
                const Scope scope(c_scope);
                if constexpr (std::is_void_v<Result>) {
                    self.body(scope);
                    self.result = true;
                } else {
                    self.result.emplace(self.body(scope));
                }
            } catch (...) {
                self.thrown = std::current_exception();
            }
        };
        kls_error *error = nullptr;
        const kls_status status = kls_engine_enter(handle.get(), call, &entered, &error);
        const detail::ErrorHandle owned(status == KLS_OK || entered.thrown == nullptr ? nullptr : error);
        if (entered.thrown)
            std::rethrow_exception(entered.thrown);
        detail::check(status, error);
        if constexpr (!std::is_void_v<Result>)
            return std::move(*entered.result);
    }
    /* Interrupts every running evaluation of the engine, on all threads. */
    void interrupt() const noexcept { kls_engine_interrupt(handle.get()); }
    /* Another handle of the same engine, with a time limit. */
    Engine within(std::chrono::microseconds limit) const {
        kls_engine *other = nullptr;
        kls_error *error = nullptr;
        const auto microseconds = static_cast<std::uint64_t>(limit.count());
        detail::check(kls_engine_within(handle.get(), microseconds, &other, &error), error);
        return Engine(other);
    }
    /* Another engine with the definitions of this one. */
    Engine fork() const { return Engine(made(kls_engine_fork, handle.get()).release()); }
    const kls_engine *c() const noexcept { return handle.get(); }

  private:
    using Output = std::function<void(std::string_view)>;
    using Observer = std::function<void(const Event &)>;
    using Call = double (*)(void *, const double *, std::size_t, kls_call *) noexcept;

    explicit Engine(kls_engine *engine) noexcept : handle(engine) {}

    template <class Make, class From> static detail::EngineHandle made(Make make, const From *from) {
        kls_engine *engine = nullptr;
        kls_error *error = nullptr;
        detail::check(make(from, &engine, &error), error);
        return detail::EngineHandle(engine);
    }

    static std::vector<const char *> pointers(const std::vector<std::string> &texts) {
        std::vector<const char *> all;
        for (const std::string &text : texts)
            all.push_back(text.c_str());
        return all;
    }

    template <class Callable>
    void hand_over(const std::string &name, std::size_t arity, Call call,
                   std::unique_ptr<Callable> callable) const {
        kls_error *error = nullptr;
        detail::check(kls_engine_register(handle.get(), name.c_str(), static_cast<std::uint32_t>(arity), call,
                                          callable.release(), detail::destroy<Callable>, &error),
                      error);
    }

    static std::int32_t write(void *data, const char *text, std::size_t length) noexcept {
        try {
            (*static_cast<const Output *>(data))(std::string_view(text, length));
            return 0;
        } catch (...) {
            return -1;
        }
    }

    static void observe(void *data, const kls_event *event) noexcept {
        (*static_cast<const Observer *>(data))(Event(*event));
    }

    detail::EngineHandle handle;
};

/* The version of the library, for example "0.1.0". */
inline std::string_view version() noexcept { return kls_version(); }

} // namespace kaleidoscope

#endif
