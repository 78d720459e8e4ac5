"""``python -m bilevel``: the whole command line, in this process."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from . import _bilevel

__all__ = ["main"]


def main() -> int:
    """Runs the command line on the process's arguments."""
    # Its own handlers, or what a signal does to any program.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        # One that was held back while this process began.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    sys.stdout.flush()
    sys.stderr.flush()
    # A sweep starts it for each run: by its script, where that is installed beside the interpreter.
    script = Path(sys.executable).with_name("bilevel")
    itself = [str(script)] if script.exists() else [sys.executable, "-m", "bilevel"]
    return _bilevel.command_line(["bilevel", *sys.argv[1:]], itself)


if __name__ == "__main__":
    sys.exit(main())
