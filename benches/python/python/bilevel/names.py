"""What has a name: strategies, methods and problems, as in ``bilevel list``; and threads."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

from . import _bilevel
from .errors import ConfigError

__all__ = ["Named", "methods", "problems", "strategies", "threads"]


@dataclass(frozen=True)
class Named:
    """A name, what it stands for, and the settings that it takes."""

    name: str
    about: str
    settings: tuple[str, ...] = ()


def natural(given: Any, what: str) -> int:
    """A whole number from 0 on that the engine can count to."""
    try:
        number = operator.index(given)
    except TypeError:
        number = -1
    if not 0 <= number < 2**64:
        raise ConfigError(f"{what} {given!r}: expected a whole number from 0 to 2⁶⁴ − 1")
    return number


def strategies() -> list[Named]:
    """Every strategy; capitals in a name stand for what is to be given, as in ``aid-nystrom:RANK``."""
    return [Named(name, about, tuple(keys)) for name, about, keys in _bilevel.strategies()]


def methods() -> list[Named]:
    """Every method."""
    return [Named(name, about, tuple(keys)) for name, about, keys in _bilevel.methods()]


def problems() -> list[Named]:
    """Every problem of the catalogue."""
    return [Named(name, f"{about}; data: {data}") for name, about, data in _bilevel.problems()]


def threads(count: int | None = None) -> int:
    """The number of threads that passes over samples and products use, set if it is given. Results are
    the same to the bit on any number."""
    if count is not None:
        _bilevel.set_threads(natural(count, "threads"))
    return _bilevel.threads()
