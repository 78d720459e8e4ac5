"""A process that forks leaves the engine's threads behind: it is told so, once."""

from __future__ import annotations

import os
import warnings

__all__ = ["used"]

_state = {"used": False, "told": False}


def used() -> None:
    """Notes that there may be threads from now on."""
    _state["used"] = True


def _warn() -> None:
    if _state["used"] and not _state["told"]:
        _state["told"] = True
        warnings.warn(
            "this process forks after bilevel was used: the child has none of its threads and may hang; "
            'start processes by multiprocessing.get_context("spawn")',
            RuntimeWarning,
            stacklevel=2,
        )


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_warn)
