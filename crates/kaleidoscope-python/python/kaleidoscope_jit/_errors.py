"""Exceptions. The native half makes them.

Their `__module__` is the package, where programs find them, for tracebacks and pickle.
"""

from __future__ import annotations


class Error(Exception):
    """What this package raises for its own reasons.

    ``code`` is stable, for example ``KLS1003``; ``docs/language.md`` of the project lists the
    codes. It is ``None`` if the engine refuses a request that is not text.
    """

    __module__ = "kaleidoscope_jit"

    code: str | None

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code

    def __reduce__(self):
        # Exceptions cross processes, for example those of `multiprocessing`.
        return _rebuild, (type(self), self.message, self.__dict__)


def _rebuild(kind, message, fields):
    error = kind.__new__(kind, message)
    error.__dict__.update(fields)
    return error


class ProgramError(Error):
    """A text with mistakes.

    ``str(error)`` has a picture that marks each place in the text. ``span`` is the place of the
    first mistake: the positions of its first character and behind its last one.
    """

    __module__ = "kaleidoscope_jit"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        span: tuple[int, int] | None = None,
        picture: str = "",
        text: str = "",
        diagnostics: list[dict] | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.span = span
        self.picture = picture
        self.text = text
        self.diagnostics = diagnostics or []

    def __str__(self) -> str:
        return self.picture or self.message


class CallError(Error):
    """A call that ended early, for example by a stack overflow.

    ``row`` is the row of a scan or fold that was not completed. ``backtrace`` has the functions in
    which the call ended, innermost first: ``(name, place)``, where ``place`` is
    ``(name of the text, line)`` or ``None``.
    """

    __module__ = "kaleidoscope_jit"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        row: int | None = None,
        backtrace: tuple = (),
        span: tuple[int, int] | None = None,
        picture: str = "",
    ) -> None:
        super().__init__(message, code=code)
        self.row = row
        self.backtrace = backtrace
        self.span = span
        self.picture = picture

    def __str__(self) -> str:
        return self.picture or self.message


class TimedOut(CallError, TimeoutError):
    """A call that reached its time limit."""

    __module__ = "kaleidoscope_jit"


class Interrupted(CallError):
    """A call that `Engine.interrupt` stopped."""

    __module__ = "kaleidoscope_jit"


class EngineError(Error):
    """A request that the engine refuses.

    ``kind`` is the name of the reason, for example ``UnknownFunction``.
    """

    __module__ = "kaleidoscope_jit"

    def __init__(self, message: str, *, kind: str = "") -> None:
        super().__init__(message)
        self.kind = kind
