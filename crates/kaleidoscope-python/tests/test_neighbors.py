"""Beside numba, which has an LLVM of its own, and in many threads. Memory stays level."""

import gc
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

import kaleidoscope_jit as ks

ALTERNATE = """
    import threading
    import numpy as np
    {imports}

    f = ks.formula("a * x * x + sin(x)", ["a", "x"])
    engine = ks.Engine(mode="lazy")
    engine.run("def g(x) x * x + sin(x);")
    g = engine.function("g")

    @numba.njit
    def peer(a, x):
        return a * x * x + np.sin(x)

    x = np.linspace(-1, 1, 20_000)
    wanted = 2 * x * x + np.sin(x)
    failures = []

    def alternate():
        try:
            for _ in range(30):
                np.testing.assert_allclose(f(2, x), wanted, rtol=1e-14)
                np.testing.assert_allclose(peer(2, x), wanted, rtol=1e-14)
                np.testing.assert_allclose(g(x), wanted - x * x, rtol=1e-13)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=alternate) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert not failures, failures
"""


@pytest.mark.parametrize("imports", [
    "import kaleidoscope_jit as ks, numba", "import numba, kaleidoscope_jit as ks",
])
def test_numba_in_the_same_process(imports):
    program = textwrap.dedent(ALTERNATE.format(imports=imports))
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300,
    )
    assert result.returncode == 0, result.stderr


def test_threads_share_an_engine(engine):
    engine.run("def fib(n) if n < 3 then 1 else fib(n - 1) + fib(n - 2);")
    fib = engine.function("fib")
    failures = []

    def work(number):
        try:
            for step in range(50):
                assert fib(15) == 610
                formula = engine.formula(f"fib(x) + {number}")
                assert formula(np.full(10, 10.0)).tolist() == [55 + number] * 10
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.parametrize("make", [
    lambda: ks.Engine().run("def f(x) x + 1; f(2);"),
    lambda: ks.formula("x * x + 1")(np.ones(100)),
    lambda: ks.evaluate("x * 2", {"x": np.ones(10_000)[::2]}),
    lambda: pytest.raises(ks.ProgramError, ks.formula, "1 + (x"),
], ids=["engine", "formula", "evaluate", "mistake"])
def test_memory_is_level(make):
    for _ in range(300):
        make()
    gc.collect()
    before = resident()
    for _ in range(1000):
        make()
    gc.collect()
    # 4 KB each would be a leak of 4 MB.
    assert resident() - before < 4_000_000
