/* A host in C++: users write formulas over columns of a table, and the host evaluates them, whatever
 * is in them. It shows the classes of kaleidoscope.hpp. */

#include <cstdio>
#include <stdexcept>
#include <vector>

#include "kaleidoscope.hpp"

namespace ks = kaleidoscope;

/* A table with two columns. */
struct Table {
    std::vector<double> price{10, 12, 8, 11};
    std::vector<double> amount{1, 2, 3, 4};
};

static void print(const char *what, const std::vector<double> &values) {
    std::printf("%s:", what);
    for (const double value : values)
        std::printf(" %g", value);
    std::printf("\n");
}

/* Formulas of users over the columns. What is wrong with one is shown at its place. */
static void evaluate(const ks::Engine &engine, const Table &table) {
    for (const char *text : {"price * amount", "discount(price * amount)", "price * amonut"}) {
        try {
            const ks::Function formula = engine.formula(text, {"price", "amount"});
            print(text, formula.map({table.price, table.amount}));
        } catch (const ks::Error &error) {
            std::printf("%s", error.text().c_str());
        }
    }
}

/* Rows that depend on the row before, several results at once, and fast maths functions. */
static void evaluate_columns(const ks::Engine &engine, const Table &table) {
    const ks::Function average = engine.formula("a + 0.5 * (price - a)", {"a", "price"});
    std::vector<double> averages(table.price.size());
    average.scan(10, {table.price}, averages);
    print("moving averages", averages);

    const ks::Formulas bounds = engine.formulas({"min(low, price)", "max(high, price)"}, {"low", "high", "price"});
    print("from and to", bounds.fold({1e300, -1e300}, {table.price}));

    ks::MapOptions fast;
    fast.precision = KLS_PRECISION_FAST;
    const ks::Function log = engine.formula("floor(1000 * log(price))", {"price"});
    print("logarithms", log.map({table.price}, fast));
}

/* A host function may throw: the evaluation ends, and the exception leaves it. */
static void call_back(const ks::Engine &engine) {
    engine.define("stock", [](double item) {
        if (item < 0)
            throw std::out_of_range("no such item");
        return 100 - item;
    });
    std::printf("stock: %g\n", engine.formula("stock(x) / 2", {"x"})(10));
    try {
        engine.run("stock(1); stock(0 - 1);");
    } catch (const std::out_of_range &thrown) {
        std::printf("thrown by the host function: %s\n", thrown.what());
    }
}

/* Values that programs and host share. */
static void share(const ks::Engine &engine) {
    const ks::Variable rate(0.5);
    const ks::Array table{0, 1, 4, 9};
    engine.bind("rate", rate);
    engine.bind("squares", table);
    engine.run("rate = rate / 2; squares(1) = squares(3) + 1;");
    std::printf("shared: %g %g\n", rate.get(), table[1]);
}

/* Programs can neither hang nor crash the host. */
static void survive(const ks::Engine &engine) {
    engine.run("def deep(n) deep(n) + 1; def forever() for i = 0, 1 in 0;");
    try {
        engine.function("deep")(1);
    } catch (const ks::Error &error) {
        std::printf("%s: %s\n", error.code().c_str(), error.what());
    }
    try {
        engine.within(std::chrono::milliseconds(200)).function("forever")();
    } catch (const ks::Error &error) {
        std::printf("%s: %s\n", error.code().c_str(), error.what());
    }
}

int main() {
    std::size_t n_compiled = 0;
    ks::Options options;
    options.mode = KLS_MODE_BASELINE;
    options.stack_bytes = 1 << 20;
    options.observer = [&](const ks::Event &event) {
        if (event.kind() == KLS_EVENT_COMPILED)
            n_compiled++;
    };
    const ks::Engine engine(options);
    engine.prelude();
    engine.run("def discount(x) if x > 25 then x * 0.9 else x;", "rules");

    const Table table;
    evaluate(engine, table);
    evaluate_columns(engine, table);
    call_back(engine);
    share(engine);
    survive(engine);

    const ks::Function discount = engine.function("discount");
    const double sum = engine.enter([&](const ks::Scope &scope) {
        double all = 0;
        for (int i = 0; i < 1000; i++)
            all += scope.call(discount, i);
        return all;
    });
    std::printf("a thousand calls: %g\n", sum);
    std::printf("%s\n", n_compiled > 0 ? "functions were compiled" : "nothing was compiled");
    return 0;
}
