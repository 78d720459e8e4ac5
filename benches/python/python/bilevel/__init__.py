"""Bilevel optimisation: hypergradients that say how good they are. Record in NumPy, run in Rust."""

import importlib
from typing import Any

from ._bilevel import __version__
from ._var import Var
from .checks import FunctionCheck, check
from .data import Samples, Splits, load, sweep
from .errors import (
    BilevelError,
    ConfigError,
    DataError,
    InternalError,
    NumericalWarning,
    ProblemError,
    RestoreError,
    StatusError,
    TraceError,
)
from .function import Function, Linearised, record
from .functions import (
    conv2d,
    cross_entropy,
    elu,
    gelu,
    huber,
    leaky_relu,
    log_cosh,
    log_softmax,
    logistic_loss,
    logsumexp,
    relu,
    sigmoid,
    silu,
    smooth_abs,
    softmax,
    softplus,
    squared_loss,
    stop_gradient,
    xlogx,
)
from .layer import Layer, Lower, Rows
from .names import Named, methods, problems, strategies, threads
from .oracle import Functions, from_functions
from .problem import Problem, problem
from .results import Check, Comparison, Estimate, MemoryTable, PlanTable, Table
from .run import Run, Solution, Trace

__all__ = [
    "BilevelError",
    "Check",
    "Comparison",
    "ConfigError",
    "DataError",
    "Estimate",
    "Function",
    "FunctionCheck",
    "Functions",
    "InternalError",
    "Layer",
    "Linearised",
    "Lower",
    "MemoryTable",
    "Named",
    "NumericalWarning",
    "PlanTable",
    "Problem",
    "ProblemError",
    "RestoreError",
    "Rows",
    "Run",
    "Samples",
    "Solution",
    "Splits",
    "StatusError",
    "Table",
    "Trace",
    "TraceError",
    "Var",
    "__version__",
    "check",
    "conv2d",
    "cross_entropy",
    "elu",
    "from_functions",
    "from_jax",
    "from_torch",
    "gelu",
    "huber",
    "leaky_relu",
    "load",
    "log_cosh",
    "log_softmax",
    "logistic_loss",
    "logsumexp",
    "methods",
    "problem",
    "problems",
    "record",
    "relu",
    "sigmoid",
    "silu",
    "smooth_abs",
    "softmax",
    "softplus",
    "squared_loss",
    "stop_gradient",
    "strategies",
    "sweep",
    "threads",
    "xlogx",
]


def from_jax(*args: Any, **kwargs: Any) -> Problem:
    """A problem of two JAX functions: :func:`bilevel.jax.from_jax`."""
    from .jax import from_jax

    return from_jax(*args, **kwargs)


def from_torch(*args: Any, **kwargs: Any) -> Problem:
    """A problem of two PyTorch functions: :func:`bilevel.torch.from_torch`."""
    from .torch import from_torch

    return from_torch(*args, **kwargs)


def __getattr__(name: str) -> Any:
    # They take seconds to import, and need not be there.
    if name in ("benchopt", "jax", "torch"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
