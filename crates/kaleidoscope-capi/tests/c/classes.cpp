/* The classes of kaleidoscope.hpp: results, errors, exceptions of callbacks, and who frees what. */

#include <array>
#include <atomic>
#include <cmath>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>
#if __cplusplus >= 202002L
#include <span>
#endif

#include "check.h"
#include "kaleidoscope.hpp"

namespace ks = kaleidoscope;

static_assert(std::is_nothrow_move_constructible_v<ks::Engine> && !std::is_copy_constructible_v<ks::Engine>);
static_assert(std::is_nothrow_move_constructible_v<ks::Function> && !std::is_copy_constructible_v<ks::Function>);
static_assert(std::is_nothrow_copy_constructible_v<ks::Error>, "exceptions are copied");
static_assert(!std::is_constructible_v<ks::Results, const std::vector<double> &>, "results are written");

/* Whether the body throws this exception, which then is as the condition says. */
template <class Exception, class Body, class Condition> static bool throws(Body body, Condition condition) {
    try {
        body();
    } catch (const Exception &thrown) {
        return condition(thrown);
    }
    return false;
}

static auto has_status(kls_status status, const char *message) {
    return [=](const ks::Error &error) {
        const bool is_so = error.status() == status && std::string(error.what()).find(message) != std::string::npos;
        if (!is_so)
            std::fprintf(stderr, "%d: %s\n", static_cast<int>(error.status()), error.what());
        return is_so;
    };
}

static double twice(double x) { return 2 * x; }

/* An object that counts how many of its kind live. */
struct Counted {
    explicit Counted(int &n) : n_living(&n) { ++*n_living; }
    Counted(const Counted &other) : n_living(other.n_living) { ++*n_living; }
    Counted &operator=(const Counted &) = delete;
    ~Counted() { --*n_living; }
    int *n_living;
};

static void errors() {
    const ks::Engine engine;
    CHECK(throws<ks::Error>([&] { engine.function("nothing"); },
                            has_status(KLS_UNKNOWN_FUNCTION, "there is no function `nothing`")));
    CHECK(throws<ks::Error>([&] { engine.formula("x +", {"x"}); }, [](const ks::Error &error) {
        CHECK(error.status() == KLS_PROGRAM && error.code().substr(0, 3) == "KLS" && error.row() == -1);
        CHECK(error.diagnostics().size() == 1 && error.diagnostics()[0].line == 1);
        CHECK(error.diagnostics()[0].column == 4 && error.text().find("^") != std::string::npos);
        return true;
    }));
    CHECK(throws<ks::Error>([&] { engine.run("1; unknown(2); 3;"); }, [](const ks::Error &error) {
        return error.status() == KLS_PROGRAM && error.diagnostics().size() == 1;
    }));
    const ks::Outcome outcome = engine.try_run("1; x; 3;", "mine");
    CHECK((outcome.values() == std::vector<double>{1, 3}) && outcome.has_errors());
    CHECK(outcome.text().find("mine:1:4") != std::string::npos);
    CHECK(!engine.try_run("1;").has_errors());
    CHECK(throws<ks::Error>([&] { (void)engine.try_run("\xff"); }, has_status(KLS_NOT_UTF8, "UTF-8")));
    CHECK(throws<ks::Error>([&] { engine.function("sin")(1, 2); }, has_status(KLS_CALL, "takes 1 argument")));
    ks::Options options;
    options.mode = static_cast<kls_mode>(99);
    CHECK(throws<ks::Error>([&] { ks::Engine wrong(options); }, has_status(KLS_INVALID_ARGUMENT, "mode 99")));
    CHECK(!ks::version().empty());
}

static void functions() {
    ks::Options options;
    std::string written;
    options.output = [&](std::string_view text) { written += text; };
    options.provided = std::vector<std::string>{"printd", "sin"};
    const ks::Engine engine(options);
    const std::vector<double> values = engine.run("def f(x y) x - y; f(5, 3); printd(7);").values();
    CHECK((values == std::vector<double>{2, 0}) && written == "7\n");
    CHECK(throws<ks::Error>([&] { engine.function("cos"); }, has_status(KLS_UNKNOWN_FUNCTION, "cos")));
    ks::Function f = engine.function("f");
    CHECK(f.arity() == 2 && f(5, 3) == 2 && f.call({1, 2}) == -1 && f(1.5f, 1) == 0.5);
    CHECK(f.call(std::array<double, 2>{9, 1}) == 8);
    CHECK(f.call_within(std::chrono::seconds(60), {9, 1}) == 8);
    f.prepare();
    CHECK(f.address<double(double, double)>()(4, 3) == 1);
    CHECK(throws<ks::Error>([&] { f.address<double(double)>(); }, has_status(KLS_INVALID_ARGUMENT, "2 arguments")));
    ks::Function moved = std::move(f);
    f = engine.formula("1", {});
    CHECK(moved(5, 3) == 2 && f() == 1);
    engine.remove("f");
    CHECK(throws<ks::Error>([&] { moved(1, 2); }, has_status(KLS_CALL, "f")));
    const ks::Engine other = engine.fork();
    other.run("def only_here() 1;");
    CHECK(throws<ks::Error>([&] { engine.function("only_here"); }, has_status(KLS_UNKNOWN_FUNCTION, "only_here")));
    ks::Options none;
    none.provided = std::vector<std::string>{};
    CHECK(throws<ks::Error>([&] { ks::Engine(none).function("sin"); }, has_status(KLS_UNKNOWN_FUNCTION, "sin")));
}

static void columns() {
    const ks::Engine engine;
    const std::vector<double> xs{1, 2, 3};
    const double ys[] = {10, 20, 30};
    const ks::Function sum = engine.formula("x + y", {"x", "y"});
    const std::vector<double> sums{11, 22, 33};
    CHECK(sum.map({xs, ys}) == sums);
    CHECK(sum.map({xs, ks::Column(ys, 3)}) == sums);
    CHECK((sum.map({{1, 2}, {5, 5}}) == std::vector<double>{6, 7}));
    const std::vector<ks::Column> both{xs, ys};
    double results[3];
    ks::MapOptions options;
    options.on_this_thread = true;
    options.precision = KLS_PRECISION_FAST;
    sum.map(both, results, options);
    CHECK(results[0] == 11 && results[2] == 33);
#if __cplusplus >= 202002L
    CHECK((sum.map({std::span(xs).first(1), std::span(ys).first(1)}) == std::vector<double>{11}));
    std::vector<double> spanned(3);
    sum.map(both, std::span(spanned), {.on_this_thread = true});
    CHECK(spanned == sums);
#endif
    CHECK(throws<ks::Error>([&] { sum.map({xs, {1, 2}}); }, has_status(KLS_INVALID_ARGUMENT, "column 1 has 2 rows")));
    CHECK(throws<ks::Error>([&] { sum.map(both, {results, 2}); }, has_status(KLS_INVALID_ARGUMENT, "3 rows")));
    CHECK(throws<ks::Error>([&] { sum.map({xs}); }, has_status(KLS_CALL, "2 arguments")));
    CHECK((sum.map({xs, ks::Scalar(5)}) == std::vector<double>{6, 7, 8}));
    const ks::Columns mixed{ks::Scalar(5), xs}, copy = mixed;
    CHECK(copy.n_rows() == 3 && (sum.map(copy) == std::vector<double>{6, 7, 8}));
    CHECK((sum.map({ks::Scalar(5), ks::Scalar(1)}) == std::vector<double>{6}));
    sum.map({ks::Scalar(5), ks::Scalar(1)}, results);
    CHECK(results[0] == 6 && results[2] == 6);
    CHECK(throws<ks::Error>([&] { sum.fold(0, {ks::Scalar(1)}); }, has_status(KLS_INVALID_ARGUMENT, "only map")));
    CHECK(throws<ks::Error>([&] { sum.scan(0, {ks::Scalar(1)}, results); }, has_status(KLS_INVALID_ARGUMENT, "only map")));
    sum.scan(100, {xs}, results);
    CHECK(results[0] == 101 && results[2] == 106 && sum.fold(100, {xs}) == 106);
    CHECK(sum.fold(5, {std::vector<double>()}) == 5);
    engine.run("def late(s x) if x < 3 then s else missing(x);");
    CHECK(throws<ks::Error>([&] { engine.function("late").fold(0, {xs}); },
                            [](const ks::Error &error) { return error.row() == 2; }));

    const ks::Formulas two = engine.formulas({"a + x", "b * x"}, {"a", "b", "x"});
    double first[3], second[3];
    CHECK(two.size() == 2 && (two.call({1, 2, 3}) == std::vector<double>{4, 6}));
    two.scan({0, 1}, {xs}, {first, second});
    CHECK(first[2] == 6 && second[2] == 6);
    CHECK((two.fold({0, 1}, {xs}) == std::vector<double>{6, 6}));
    two.map({xs, xs, xs}, {first, second}, options);
    CHECK(first[2] == 6 && second[2] == 9);
    two.map({ks::Scalar(2), ks::Scalar(3), xs}, {first, second}, options);
    CHECK(first[2] == 5 && second[2] == 9);
    CHECK(throws<ks::Error>([&] { two.fold({0, 1}, {ks::Scalar(1)}); }, has_status(KLS_INVALID_ARGUMENT, "only map")));
    CHECK(throws<ks::Error>([&] { two.scan({0, 1}, {ks::Scalar(1)}, {first, second}); },
                            has_status(KLS_INVALID_ARGUMENT, "only map")));
    CHECK(throws<ks::Error>([&] { two.fold({0}, {xs}); }, has_status(KLS_INVALID_ARGUMENT, "1 initial values")));
    CHECK(throws<ks::Error>([&] { two.map({xs, xs, xs}, {first, {second, 2}}); },
                            has_status(KLS_INVALID_ARGUMENT, "same number of rows")));
    CHECK(throws<ks::Error>([&] { two.map({xs, xs, xs}, {first}); }, has_status(KLS_CALL, "")));
}

/* Neither a std::exception nor copyable twice by accident. */
struct Thrown {
    int number;
};

static void host_functions() {
    int n_living = 0;
    {
        const ks::Engine engine;
        engine.define("twice", twice);
        engine.define("sum", 3, [](ks::Column args) {
            double all = 0;
            for (std::size_t i = 0; i < args.size(); i++)
                all += args.data()[i];
            return all;
        });
        engine.define("count", [n = 0, counted = Counted(n_living)]() mutable { return ++n; });
        engine.define("fails", [](double x) -> double {
            if (x > 0)
                throw Thrown{static_cast<int>(x)};
            throw std::runtime_error("not positive");
        });
        CHECK(n_living == 1);
        CHECK((engine.run("twice(4); sum(1, 2, 3); count(); count();").values() == std::vector<double>{8, 6, 1, 2}));
        CHECK(throws<ks::Error>([&] { engine.define("def", twice); }, has_status(KLS_INVALID_NAME, "def")));

        const ks::Function fails = engine.function("fails");
        const auto is_seven = [](const Thrown &thrown) { return thrown.number == 7; };
        CHECK(throws<Thrown>([&] { fails(7); }, is_seven));
        CHECK(throws<std::runtime_error>(
            [&] { fails(-1); }, [](const std::runtime_error &thrown) { return thrown.what() == std::string("not positive"); }));
        CHECK(throws<Thrown>([&] { engine.run("fails(7); fails(8);"); }, is_seven));
        CHECK(throws<Thrown>([&] { (void)engine.try_run("def g(x) fails(x) + 1; g(7);"); }, is_seven));
        /* The first failure counts, and it was no exception. */
        CHECK(throws<ks::Error>([&] { engine.run("unknown(1); fails(7);"); }, has_status(KLS_PROGRAM, "unknown")));
        CHECK(throws<Thrown>([&] { fails.map({{7}}); }, is_seven));
        const ks::Formulas both = engine.formulas({"x", "fails(x)"}, {"x"});
        CHECK(throws<Thrown>([&] { both.call({7}); }, is_seven));
        CHECK(throws<Thrown>([&] { engine.enter([&](const ks::Scope &scope) { return scope.call(fails, 7); }); }, is_seven));

        /* Through evaluations inside evaluations: caught where the host catches, thrown on otherwise. */
        engine.define("catches", [&](double x) {
            try {
                return fails(x);
            } catch (const Thrown &thrown) {
                return thrown.number + 0.5;
            }
        });
        engine.define("passes", [&](double x) { return fails(x); });
        CHECK(engine.run("catches(3);").values().at(0) == 3.5);
        CHECK(throws<Thrown>([&] { engine.run("catches(3) + passes(7);"); }, is_seven));
        CHECK(engine.function("catches")(4) == 4.5);

        /* Each thread gets the exception of its own evaluation, also from the threads of a batch. */
        std::atomic<int> n_right{0};
        std::vector<std::thread> threads;
        for (int t = 1; t <= 4; t++)
            threads.emplace_back([&, t] {
                const std::vector<double> rows(5000, t);
                for (int i = 0; i < 20; i++)
                    n_right += throws<Thrown>([&] { fails.map({rows}); },
                                              [=](const Thrown &thrown) { return thrown.number == t; });
            });
        for (std::thread &thread : threads)
            thread.join();
        CHECK(n_right == 80);

        engine.define("count", twice);
    }
    CHECK(n_living == 0);
    const ks::Engine engine;
    CHECK(throws<ks::Error>([&] { engine.define("1", [counted = Counted(n_living)] { return 0; }); },
                            has_status(KLS_INVALID_NAME, "1")));
    CHECK(n_living == 0);
}

static void scopes() {
    const ks::Engine engine;
    const ks::Function sine = engine.function("sin");
    int n_calls = 0;
    engine.enter([&](const ks::Scope &scope) {
        while (scope.call(sine, n_calls) < 0.9)
            n_calls++;
    });
    CHECK(n_calls == 2);
    const std::unique_ptr<double> result =
        engine.enter([&](const ks::Scope &scope) { return std::make_unique<double>(scope.call(sine, 0)); });
    CHECK(*result == 0);
    CHECK(throws<Thrown>([&] { engine.enter([](const ks::Scope &) { throw Thrown{1}; }); },
                         [](const Thrown &thrown) { return thrown.number == 1; }));
    const ks::Engine other;
    CHECK(throws<ks::Error>([&] { other.enter([&](const ks::Scope &scope) { scope.call(sine, 1); }); },
                            has_status(KLS_INVALID_ARGUMENT, "different engines")));
    CHECK(throws<ks::Error>(
        [&] {
            const ks::Engine limited = engine.within(std::chrono::milliseconds(20));
            limited.run("def spin() for i = 0, 1 in 0; spin();");
        },
        [](const ks::Error &error) { return error.code() == "KLS3006"; }));
    engine.define("interrupts", [&] {
        engine.interrupt();
        return 0.0;
    });
    CHECK(throws<ks::Error>([&] { engine.formula("interrupts() + (for i = 0, 1 in 0)", {})(); },
                            has_status(KLS_INTERRUPTED, "interrupted")));
}

static void shared_values() {
    const ks::Variable variable(1);
    const ks::Engine engine;
    {
        const ks::Array array(3);
        engine.bind("v", variable);
        engine.bind("a", array);
        array[1] = 5;
        CHECK(array.size() == 3 && array.end() - array.begin() == 3);
        CHECK(throws<ks::Error>([&] { engine.bind("sin", array); }, has_status(KLS_NAME_IN_USE, "sin")));
    }
    CHECK(engine.run("v = v + a(1);").values().at(0) == 6 && variable.get() == 6);
    variable.set(2);
    CHECK(engine.run("v;").values().at(0) == 2);
    CHECK(throws<ks::Error>([&] { engine.run("a(3);"); }, [](const ks::Error &error) { return error.code() == "KLS3014"; }));
}

static void observers() {
    int n_living = 0;
    std::vector<std::string> compiled;
    {
        ks::Options options;
        options.mode = KLS_MODE_BASELINE;
        options.observer = [&, counted = Counted(n_living)](const ks::Event &event) {
            CHECK(event.c().struct_size == sizeof(kls_event) && !event.osr_loop() && event.names().empty());
            if (event.kind() != KLS_EVENT_COMPILED)
                return;
            CHECK(event.tier() == KLS_TIER_BASELINE && event.n_bytes() > 0 && event.time().count() > 0);
            compiled.emplace_back(event.name());
        };
        options.output = [](std::string_view) { throw Thrown{1}; };
        const ks::Engine engine(options);
        engine.run("def f(x) x + 1; def g(x) x;");
        engine.function("f").prepare();
        CHECK(throws<ks::Error>([&] { engine.run("printd(1);"); },
                                [](const ks::Error &error) { return error.code() == "KLS3007"; }));
        CHECK(n_living > 0);
    }
    CHECK(n_living == 0);
    CHECK(compiled == std::vector<std::string>{"f"});
}

int main() {
    errors();
    functions();
    columns();
    host_functions();
    scopes();
    shared_values();
    observers();
    return 0;
}
