"""``python -m bilevel``: the whole command line, in this process."""

from __future__ import annotations

import signal
import sys

from . import _bilevel

__all__ = ["main"]


def main() -> int:
    """Runs the command line on the process's arguments."""
    # Its own handlers, or what a signal does to any program.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.stdout.flush()
    sys.stderr.flush()
    itself = [sys.executable, "-m", "bilevel"]
    return _bilevel.command_line(["bilevel", *sys.argv[1:]], itself)


if __name__ == "__main__":
    sys.exit(main())
