"""Types of the functions over the engine that the package shares."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from ._native import Engine, Function

def default_engine() -> Engine: ...
def formula(text: str, parameters: list[str] | None = None) -> Function: ...
def formulas(texts: list[str], parameters: list[str]) -> Function: ...
def lambdify(args: Any, expr: Any, *, engine: Engine | None = None) -> Function: ...
def evaluate(
    text: str,
    local_dict: Mapping[str, Any] | None = None,
    global_dict: Mapping[str, Any] | None = None,
    out: NDArray[Any] | None = None,
    *,
    fast: bool = False,
    parallel: bool = True,
) -> Any: ...
