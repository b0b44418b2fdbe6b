"""The magics of IPython and Jupyter: `%load_ext kaleidoscope_jit`."""

from __future__ import annotations

from IPython.core.magic import Magics, line_cell_magic, magics_class

from ._evaluate import default_engine, evaluate


@magics_class
class KaleidoscopeMagics(Magics):
    """`%kaleidoscope` evaluates a formula, and `%%kaleidoscope` runs a program."""

    @line_cell_magic
    def kaleidoscope(self, line, cell=None):
        """Evaluates the formula behind it with the variables of the notebook.

        With two signs, it runs the cell as a program. Its functions are known to formulas in all
        later cells. The value is that of the last expression; with a name behind the magic, the
        variable of this name is the list of all values.
        """
        if cell is None:
            return evaluate(line, self.shell.user_ns)
        values = default_engine().run(cell, "cell")
        name = line.strip()
        if name:
            if not name.isidentifier():
                raise ValueError(f"`{name}` is no name for the values")
            self.shell.user_ns[name] = values
            return None
        return values[-1] if values else None


def load(shell):
    shell.register_magics(KaleidoscopeMagics)
