"""Python functions, variables, output and events of an engine."""

import io
import sys
import threading

import pytest

import kaleidoscope_jit as ks


def test_callables_are_functions_of_programs(engine):
    engine.register("half", lambda x: x / 2)

    @engine.register
    def twice(x):
        return 2 * x

    @engine.register("total", arity=3)
    def add_all(*args):
        return sum(args)

    assert engine.run("half(twice(3)) + total(1, 2, 3);") == [9.0]
    assert twice(2) == 4
    with pytest.raises(TypeError, match="arity"):
        engine.register("any", lambda *args: 0)
    with pytest.raises(TypeError, match="callable"):
        engine.register("any", 7)


def test_host_exceptions_come_back_as_themselves(engine):
    class Own(Exception):
        pass

    mistake = Own("no luck")

    def fail(x):
        raise mistake

    engine.register("fail", fail)
    engine.run("def outer(x) fail(x) + 1;")
    with pytest.raises(Own) as caught:
        engine.function("outer")(1)
    assert caught.value is mistake
    assert caught.traceback[-1].name == "fail"
    with pytest.raises(Own) as caught:
        engine.run("outer(1);")
    assert caught.value is mistake
    engine.register("fail", lambda x: "text")
    with pytest.raises(TypeError, match="returns a number"):
        engine.run("outer(1);")
    engine.register("fail", lambda x: x)
    assert engine.run("outer(1);") == [2.0]


def test_callables_may_call_the_engine(engine):
    engine.register("again", lambda x: engine.run(f"{x} + 1;")[0])
    assert engine.run("again(again(1));") == [3.0]


def test_variables_are_shared(engine):
    limit = engine.bind("limit", 10)
    assert engine.run("limit = limit / 2; limit;") == [5.0, 5.0]
    assert limit.value == 5.0
    limit.value = 7
    assert engine.run("limit;") == [7.0]
    assert float(engine.variable("limit")) == 7.0
    assert engine.variable("nothing") is None
    with pytest.raises(ks.EngineError):
        engine.bind("if", 1)


def test_output_goes_to_sys_stdout(engine, capsys):
    engine.run("printd(6 * 7);")
    assert capsys.readouterr().out == "42\n"
    collected = io.StringIO()
    ks.Engine(output=collected).run("printd(1); putchard(65);")
    assert collected.getvalue() == "1\nA"


def test_an_output_that_fails_raises():
    class Full:
        def write(self, text):
            raise OSError(28, "no space")

    with pytest.raises(OSError, match="no space"):
        ks.Engine(output=Full()).run("printd(1);")


def test_functions_are_listed_and_removed(engine):
    engine.run("def area(w h) w * h;")
    found = next(each for each in engine.functions() if each["name"] == "area")
    assert found == {
        "name": "area", "arity": 2, "origin": "program", "version": 1,
        "parameters": ["w", "h"], "source": "def area(w h) w * h",
    }
    assert any(each["origin"] == "maths" for each in engine.functions())
    engine.remove("area")
    with pytest.raises(ks.EngineError):
        engine.remove("area")


def test_statistics_and_events():
    engine = ks.Engine(events=True, mode="baseline")
    before = engine.statistics()["defined"]
    engine.events()
    engine.run("def f(x) for i = 0, i < x in i; f(3);")
    assert engine.statistics()["defined"] == before + 1
    assert engine.statistics()["expressions"] == 1
    kinds = [event["event"] for event in engine.events()]
    assert "defined" in kinds and "compiled" in kinds
    assert engine.events() == []
    with pytest.raises(TypeError, match="events=True"):
        ks.Engine().events()


def test_hot_functions_are_optimized_by_llvm():
    engine = ks.Engine(mode="lazy", events=True)
    engine.run("def f(x) x * x + 1; f(3);")
    engine.function("f").prepare()
    assert any(
        event["event"] == "compiled" and event["tier"] == "lazy" for event in engine.events()
    ), "the plug-in with LLVM is loaded"


def test_an_engine_is_interrupted_from_another_thread(engine):
    engine.run("def endless(x) for i = 0, 1 in x;")
    is_done = threading.Event()

    def interrupt():
        while not is_done.wait(0.001):
            engine.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(ks.Interrupted):
            engine.function("endless")(1)
    finally:
        is_done.set()
        thread.join()


def test_other_threads_run_meanwhile(engine):
    """Python's lock is free: the other thread ends the loop."""
    running = engine.bind("running", 1)
    started = threading.Event()

    def stop():
        started.wait()
        running.value = 0

    thread = threading.Thread(target=stop)
    thread.start()
    engine.register("start", lambda: started.set() or 0.0)
    engine.within(60).run("start() : for i = 0, running in 0;")
    thread.join()


def test_a_fork_of_an_engine_has_its_definitions(engine):
    engine.run("def rate() 0.05; def interest(sum) sum * rate();")
    other = engine.fork()
    other.run("def rate() 0.25;")
    assert other.run("interest(100);") == [25.0]
    assert engine.run("interest(100);") == [5.0]


def test_numpy_is_not_imported_before_the_first_array():
    import subprocess

    program = (
        "import sys, kaleidoscope_jit as ks; x = 2; ks.evaluate('x + 1');"
        "assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
