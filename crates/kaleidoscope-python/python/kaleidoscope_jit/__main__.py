"""The command: `python -m kaleidoscope_jit` is `kaleidoscope`."""

import os
import sys


def main() -> None:
    command = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kaleidoscope")
    if not os.access(command, os.X_OK):
        sys.exit(f"kaleidoscope_jit: the command is missing: {command}")
    # The command's own handling of Ctrl-C begins where Python's ends.
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(command, ["kaleidoscope", *sys.argv[1:]])


if __name__ == "__main__":
    main()
