"""Bilevel optimisation: hypergradients that say how good they are. Record in NumPy, run in Rust."""

import importlib
from typing import Any

from ._bilevel import __version__ as __version__
from ._var import Var as Var

# Each module lists what it has for users.
from .checks import *
from .data import *
from .errors import *
from .function import *
from .functions import *
from .layer import *
from .names import *
from .oracle import *
from .problem import *
from .results import *
from .run import *
from .sampled import *
from .sweeps import *


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
