"""Expressions of SymPy as formulas. Imported by `lambdify`."""

from __future__ import annotations

import sympy
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

# SymPy's names, and those of the language with its prelude.
_FUNCTIONS = {
    "Abs": "fabs", "Max": "max", "Min": "min", "acos": "acos", "acosh": "acosh", "asin": "asin",
    "asinh": "asinh", "atan": "atan", "atan2": "atan2", "atanh": "atanh", "cbrt": "cbrt",
    "ceiling": "ceil", "cos": "cos", "cosh": "cosh", "erf": "erf", "erfc": "erfc", "exp": "exp",
    "floor": "floor", "gamma": "tgamma", "log": "log", "sign": "sign", "sin": "sin",
    "sinh": "sinh", "tan": "tan", "tanh": "tanh",
}  # fmt: skip


class _Printer(StrPrinter):
    """Prints an expression in the language. `<` is true for NaN there, and `>` is not."""

    def __init__(self, names, known):
        super().__init__()
        self.names = names
        self.known = known

    def emptyPrinter(self, expr):
        raise TypeError(f"{type(expr).__name__} has no counterpart in the language: {expr}")

    def _print_Symbol(self, symbol):
        try:
            return self.names[symbol]
        except KeyError:
            raise ValueError(f"the symbol {symbol} is not among the arguments") from None

    _print_Dummy = _print_Symbol

    def _print_Function(self, expr):
        name = expr.func.__name__
        arguments = ", ".join(self._print(argument) for argument in expr.args)
        if name in _FUNCTIONS:
            # `log(x, base)` became a quotient before.
            return f"{_FUNCTIONS[name]}({arguments})"
        if self.known is not None and isinstance(expr, sympy.core.function.AppliedUndef):
            if name in self.known:
                return f"{name}({arguments})"
        raise TypeError(f"the language has no function `{name}`")

    _print_Max = _print_Min = _print_Abs = _print_floor = _print_ceiling = _print_Function

    def _print_ImaginaryUnit(self, expr):
        raise TypeError("the language has no complex numbers")

    _print_ComplexInfinity = _print_ImaginaryUnit

    def _print_Pow(self, expr, rational=False):
        base, exponent = expr.args
        if exponent == sympy.S.Half:
            return f"sqrt({self._print(base)})"
        if exponent == -sympy.S.Half:
            return f"(1 / sqrt({self._print(base)}))"
        if exponent.is_number and exponent.could_extract_minus_sign():
            return f"(1 / {self._print_Pow(sympy.Pow(base, -exponent, evaluate=False))})"
        if exponent == 1:
            return f"({self._print(base)})"
        return f"(({self._print(base)})^({self._print(exponent)}))"

    def _print_Mod(self, expr):
        # With the sign of the divisor, as Python's.
        a, b = (f"({self._print(argument)})" for argument in expr.args)
        return f"({a} - {b} * floor({a} / {b}))"

    def _print_Integer(self, expr):
        return repr(float(expr)) if abs(expr) > 2**53 else str(expr.p)

    def _print_Rational(self, expr):
        return f"({expr.p} / {expr.q})"

    def _print_Float(self, expr):
        return repr(float(expr))

    def _print_Exp1(self, expr):
        return repr(float(sympy.E))

    def _print_Pi(self, expr):
        return repr(float(sympy.pi))

    def _print_Infinity(self, expr):
        return "(1 / 0)"

    def _print_NegativeInfinity(self, expr):
        return "(-1 / 0)"

    def _print_NaN(self, expr):
        return "(0 / 0)"

    def _print_NumberSymbol(self, expr):
        return repr(float(expr))

    _print_GoldenRatio = _print_EulerGamma = _print_Catalan = _print_NumberSymbol

    def _print_BooleanTrue(self, expr):
        return "1"

    def _print_BooleanFalse(self, expr):
        return "0"

    def _print_Relational(self, expr):
        left, right = (self.parenthesize(each, PRECEDENCE["Atom"]) for each in expr.args)
        if expr.rel_op == "<":
            return f"({right} > {left})"
        if expr.rel_op == "!=":
            return f"!({left} == {right})"
        return f"({left} {expr.rel_op} {right})"

    def _print_And(self, expr):
        return "(" + " & ".join(f"({self._print(each)})" for each in expr.args) + ")"

    def _print_Or(self, expr):
        return "(" + " | ".join(f"({self._print(each)})" for each in expr.args) + ")"

    def _print_Not(self, expr):
        return f"!({self._print(expr.args[0])})"

    def _print_Piecewise(self, expr):
        text = "(0 / 0)"
        for value, condition in reversed(expr.args):
            text = f"(if {self._print(condition)} then {self._print(value)} else {text})"
        return text

    def _print_ITE(self, expr):
        condition, yes, no = (self._print(each) for each in expr.args)
        return f"(if {condition} then {yes} else {no})"


def make(engine, args, expr):
    """The function of an expression, or of several."""
    symbols = [sympy.sympify(arg) for arg in (args if isinstance(args, (list, tuple)) else [args])]
    if not all(symbol.is_Symbol for symbol in symbols):
        raise TypeError("the arguments are symbols")
    # A name of the language may hide nothing that the printer writes.
    names = {symbol: f"p{at}" for at, symbol in enumerate(symbols)}
    known = {each["name"] for each in engine.functions()}
    printer = _Printer(names, known)
    if isinstance(expr, sympy.MatrixBase):
        expr = list(expr)
    if isinstance(expr, (list, tuple, sympy.Tuple)):
        texts = [printer.doprint(sympy.sympify(each)) for each in expr]
        return engine.formulas(texts, list(names.values()))
    return engine.formula(printer.doprint(sympy.sympify(expr)), list(names.values()))
