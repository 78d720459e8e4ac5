"""Exceptions and warnings: bad input is one of them, numerical trouble is a status of the result."""

from __future__ import annotations

__all__ = [
    "BilevelError",
    "ConfigError",
    "DataError",
    "InternalError",
    "NumericalWarning",
    "ProblemError",
    "RestoreError",
    "StatusError",
    "TraceError",
]


class BilevelError(Exception):
    """What all exceptions of this package have in common."""


class TraceError(BilevelError, TypeError):
    """What cannot be recorded: a branch on a value, a function that has no derivative here, a value that
    is used after its recording. The message names the way out."""


class ProblemError(BilevelError, ValueError):
    """Two objectives that are no bilevel problem, or a name or an option that no problem has."""


class ConfigError(BilevelError, ValueError):
    """A name or setting that does not fit, before any work."""


class DataError(BilevelError, ValueError):
    """A data file that cannot be read."""


class RestoreError(BilevelError, ValueError):
    """A saved run that is damaged, or another's."""


class StatusError(BilevelError, ArithmeticError):
    """A result that is not what was asked for, raised by ``.check()``."""


class InternalError(BilevelError, RuntimeError):
    """A mistake of this package, never of its user."""


class NumericalWarning(UserWarning):
    """A result whose status is no success."""
