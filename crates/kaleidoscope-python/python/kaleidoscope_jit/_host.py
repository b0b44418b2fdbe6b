"""Python callables as functions of programs."""

from __future__ import annotations

import inspect


def arity_of(function) -> int:
    """The number of arguments that a callable takes, from its signature."""
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as cause:
        raise TypeError(
            f"{function!r} does not say how many arguments it takes: pass `arity`"
        ) from cause
    if any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters):
        raise TypeError(f"{function!r} takes any number of arguments: pass `arity`")
    return sum(
        parameter.kind in positional and parameter.default is inspect.Parameter.empty
        for parameter in parameters
    )
