"""The examples of the guide and of the package's README run, and give what they say."""

import ast
import pathlib
import re

import pytest

import kaleidoscope_jit as ks

CRATE = pathlib.Path(__file__).parents[1]
GUIDES = [CRATE / "README.md", CRATE.parents[1] / "docs" / "python.md"]
# Comments that are values.
VALUE = re.compile(r"  # ((?:-?\d|\[|array\().*)$")


def blocks(path, language):
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)


def run_block(text, names):
    """Runs the statements, and compares expressions with the values behind them."""
    n_compared = 0
    lines = text.splitlines()
    for statement in ast.parse(text).body:
        source = ast.get_source_segment(text, statement)
        decorators = getattr(statement, "decorator_list", [])
        if decorators:
            source = f"@{ast.get_source_segment(text, decorators[0])}\n{source}"
        value = VALUE.search(lines[statement.end_lineno - 1])
        if isinstance(statement, ast.Expr) and value:
            result = eval(source, names)
            assert repr(result) == value[1].split(", by ")[0], source
            n_compared += 1
        else:
            exec(source, names)
    return n_compared


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.name)
def test_the_examples_run(path):
    names = {}
    compared = [run_block(block, names) for block in blocks(path, "python")]
    assert sum(compared) > 0


def test_the_error_looks_as_in_the_guide():
    (block,) = blocks(GUIDES[1], "pycon")
    with pytest.raises(ks.ProgramError) as caught:
        ks.formula("a * sin(y)", ["a", "x"])
    shown = block.split("kaleidoscope_jit.ProgramError: ")[1]
    assert str(caught.value).rstrip() == shown.rstrip()
