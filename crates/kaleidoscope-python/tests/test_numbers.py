"""Engine, functions and formulas over numbers."""

import doctest
import math
import pickle

import pytest

import kaleidoscope_jit as ks


def test_a_program_runs(engine):
    assert engine.run("def square(x) x * x; square(7); 1 + 1;") == [49.0, 2.0]
    assert engine.function("square")(3) == 9.0


def test_a_formula_takes_arguments_by_place_and_name():
    wave = ks.formula("a * cos(x) + b", ["a", "b", "x"])
    assert wave(2, 1, 0) == 3.0
    assert wave(2, x=0, b=1) == 3.0
    assert wave.parameters == ("a", "b", "x")
    assert wave.text == "a * cos(x) + b"
    with pytest.raises(TypeError, match="lacks the argument `x`"):
        wave(2, b=1)
    with pytest.raises(TypeError, match="no argument `y`"):
        wave(2, 1, 0, y=1)
    with pytest.raises(TypeError, match="takes 3 arguments, not 2"):
        wave(2, 1)


def test_integers_and_booleans_are_numbers():
    double = ks.formula("2 * x")
    assert double(True) == 2.0
    assert double(2**60) == 2.0**61
    with pytest.raises(OverflowError):
        double(10**400)


def test_evaluate_takes_names_from_the_caller():
    a, b = 2, 0.5
    assert ks.evaluate("a * b + 1") == 2.0
    assert ks.evaluate("a * b", {"a": 4, "b": 4}) == 16.0
    assert ks.evaluate("a * c", {"a": 4}, {"c": 3}) == 12.0
    with pytest.raises(NameError, match="`nothing`"):
        ks.evaluate("nothing + a")
    # A function's own variables hide those of the module.
    assert eval("ks.evaluate('a + b')", {"ks": ks, "a": 1}, {"b": 2}) == 3.0


def test_evaluate_knows_constants_and_lets_variables_hide_them():
    assert ks.evaluate("2 * pi") == 2 * math.pi
    assert ks.evaluate("e * 1", {}) == math.e


def test_several_formulas_give_a_tuple():
    polar = ks.formulas(["r * cos(t)", "r * sin(t)"], ["r", "t"])
    assert polar(2, 0) == (2.0, 0.0)
    assert polar.n_results == 2


def test_a_function_follows_its_name(engine):
    engine.run("def area(w h) w * h;")
    area = engine.function("area")
    assert area(w=2, h=3) == 6.0
    engine.run("def area(w h) w * h / 2;")
    assert area(2, 3) == 3.0


def test_mistakes_have_code_span_and_picture():
    with pytest.raises(ks.ProgramError) as caught:
        ks.formula("1 + ü(x)", ["x"])
    assert caught.value.code.startswith("KLS")
    assert "^" in str(caught.value)
    with pytest.raises(ks.ProgramError) as caught:
        ks.formula("a + nowhere", ["a"])
    assert caught.value.code == "KLS2001"
    assert caught.value.text[slice(*caught.value.span)] == "nowhere"
    assert caught.value.diagnostics[0]["severity"] == "error"


def test_the_first_mistake_ends_a_program(engine):
    with pytest.raises(ks.ProgramError) as caught:
        engine.run("x = ;\ndef f(x) x;", name="rates.kal")
    assert "rates.kal:1:" in str(caught.value)
    with pytest.raises(ks.EngineError) as caught:
        engine.function("f")
    assert caught.value.kind == "UnknownFunction"


def test_calls_that_fail_are_exceptions():
    engine = ks.Engine(stack_bytes=1 << 20)
    engine.run("def deep(x) deep(x + 1) + 1; def endless(x) for i = 0, 1 in x;")
    with pytest.raises(ks.CallError) as caught:
        engine.function("deep")(1)
    assert caught.value.code == "KLS3004"
    assert caught.value.backtrace[0] == ("deep", ("text", 1))
    with pytest.raises(TimeoutError) as caught:
        engine.function("endless").within(0.02)(1)
    assert isinstance(caught.value, ks.TimedOut)
    with pytest.raises(ks.CallError) as caught:
        engine.run("deep(1);")
    assert caught.value.code == "KLS3004"
    with pytest.raises(ks.TimedOut):
        engine.within(0.02).run("endless(1);")


def test_limits_hold():
    with pytest.raises(ks.ProgramError) as caught:
        ks.Engine(max_item_bytes=2000).run("1" + "+1" * 2000 + ";")
    assert caught.value.code == "KLS4008"
    with pytest.raises(ks.ProgramError):
        ks.Engine(provide_only=["sin"], prelude=False).formula("putchard(65)", [])
    with pytest.raises(ValueError, match="no mode"):
        ks.Engine(mode="quick")
    with pytest.raises(ValueError, match="time limit"):
        ks.Engine(time_limit=-1)


@pytest.mark.parametrize("mode", ["tiered", "lazy", "eager", "baseline", "off"])
def test_all_modes_give_the_same_bits(mode):
    engine = ks.Engine(mode=mode)
    assert engine.mode == mode
    assert engine.run("def f(x) sin(x) * 3 + x^2; f(2);") == [math.sin(2) * 3 + 4]


def test_errors_cross_processes():
    with pytest.raises(ks.ProgramError) as caught:
        ks.formula("1 +")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.code, again.span) == (
        str(caught.value), caught.value.code, caught.value.span,
    )


def test_formulas_of_the_shared_engine_are_pickled(engine):
    again = pickle.loads(pickle.dumps(ks.formula("x + 1")))
    assert again(2) == 3.0
    both = pickle.loads(pickle.dumps(ks.formulas(["x", "-x"], ["x"])))
    assert both(2) == (2.0, -2.0)
    with pytest.raises(TypeError, match="stays in its process"):
        pickle.dumps(engine.formula("x + 1"))


def test_examples_of_the_documentation():
    from kaleidoscope_jit import _evaluate, _native

    n_examples = 0
    for module in [ks, _evaluate, _native]:
        result = doctest.testmod(module)
        assert result.failed == 0
        n_examples += result.attempted
    assert n_examples > 20
