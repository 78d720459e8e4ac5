"""NumPy's functions that are no ufuncs: each is recorded, or refused with the way out."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ._rearrange import moved
from ._reductions import (
    UNSET,
    average,
    cumsum,
    extreme,
    maximum,
    mean,
    minimum,
    norm,
    plain,
    ptp,
    std,
    sum_,
    total,
    var,
)
from ._ufuncs import elementwise, matmul
from ._var import Var, lift, of_one_tape
from .errors import TraceError

__all__ = ["function_call"]

_ORACLE = "write the objective as an oracle (bilevel.from_functions), or of functions that are recorded"
# ---- products


def dot(a: Any, b: Any, out: Any = None) -> Any:
    plain("dot", out=out)
    tape = of_one_tape([a, b])
    a, b = lift(tape, a), lift(tape, b)
    return elementwise("mul", a, b) if 0 in (a.ndim, b.ndim) else matmul(a, b, "dot")


def vdot(a: Any, b: Any) -> Any:
    tape = of_one_tape([a, b])
    a, b = lift(tape, a), lift(tape, b)
    return matmul(a._as((a.size,)), b._as((b.size,)), "vdot")


def inner(a: Any, b: Any) -> Any:
    tape = of_one_tape([a, b])
    a, b = lift(tape, a), lift(tape, b)
    return elementwise("mul", a, b) if 0 in (a.ndim, b.ndim) else matmul(a, b.T, "inner")


def outer(a: Any, b: Any, out: Any = None) -> Any:
    plain("outer", out=out)
    tape = of_one_tape([a, b])
    a, b = lift(tape, a), lift(tape, b)
    return a._as((a.size, 1)) * b._as((1, b.size))


def _outer_of_vectors(x1: Any, x2: Any, /) -> Any:
    if np.ndim(x1) != 1 or np.ndim(x2) != 1:
        raise ValueError("Input arrays must be one-dimensional, "
                         f"but they are {np.ndim(x1)}-d and {np.ndim(x2)}-d")
    return outer(x1, x2)


def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None,
          out: Any = None) -> Any:
    plain("trace", dtype=dtype, out=out)
    return total(np.diagonal(a, offset, axis1, axis2))


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    if not isinstance(y, Var) or y.ndim != 1:
        raise TraceError("np.trapezoid: expected a Var y of one dimension")
    width = dx if x is None else np.diff(x)
    return np.sum(width * (y[1:] + y[:-1]) / 2.0)


# ---- differences, choices


def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = UNSET, append: Any = UNSET) -> Any:
    parts = [p for p in (prepend, a, append) if p is not UNSET]
    if len(parts) > 1:
        raise TraceError("np.diff with prepend= or append=: use np.concatenate before")
    where = normalize_axis_tuple(axis, a.ndim)[0]
    for _ in range(operator.index(n)):
        late = tuple(slice(1, None) if k == where else slice(None) for k in range(a.ndim))
        early = tuple(slice(None, -1) if k == where else slice(None) for k in range(a.ndim))
        a = a[late] - a[early]
    return a


def clip(a: Any, a_min: Any = UNSET, a_max: Any = UNSET, out: Any = None, *,
         min: Any = UNSET, max: Any = UNSET, **kwargs: Any) -> Any:
    plain("clip", out=out, **kwargs)
    low = next((v for v in (a_min, min) if v is not UNSET), None)
    high = next((v for v in (a_max, max) if v is not UNSET), None)
    if low is not None:
        a = np.maximum(a, low)
    return a if high is None else np.minimum(a, high)


def where(condition: Any, x: Any = UNSET, y: Any = UNSET, /) -> Any:
    if isinstance(condition, Var):
        raise TraceError(
            "np.where of a condition that is a Var: use np.maximum, np.clip or bilevel.relu, or an oracle"
        )
    if x is UNSET:
        raise TraceError("np.where of one argument: an index may not depend on a value")
    return moved(np.where, [x, y], lambda p: np.where(condition, *p))


def _same(a: Any, *_: Any, **__: Any) -> Any:
    return a if isinstance(a, Var) else np.copy(a)


def _filled(function: Any) -> Callable[..., Any]:
    def filled(a: Any, *args: Any, **kwargs: Any) -> Any:
        if any(isinstance(v, Var) for v in (*args, *kwargs.values())):
            raise TraceError(f"np.{function.__name__}: a shape or a filling may not depend on a value")
        return function(_zeros(a), *args, **kwargs)

    return filled


# ---- functions that only move entries


def _moves(func: Any) -> Callable[..., Any]:
    """Of one array, the first argument."""

    def move(a: Any, *args: Any, **kwargs: Any) -> Any:
        plain(func.__name__, out=kwargs.pop("out", None))
        if kwargs.get("order", "C") not in ("C", "K", "A"):
            raise TraceError(f"np.{func.__name__} with order={kwargs['order']!r}: use .T")
        if any(isinstance(v, Var) for v in (*args, *kwargs.values())) or not isinstance(a, Var):
            raise TraceError(f"np.{func.__name__}: an index or a shape may not depend on a value")
        return moved(func, [a], lambda p: func(p[0], *args, **kwargs))

    return move


def _chooses(func: Any) -> Callable[..., Any]:
    """The same of the second argument, after a condition."""

    def choose(condition: Any, a: Any, *args: Any, **kwargs: Any) -> Any:
        return _moves(lambda p, *rest, **named: func(condition, p, *rest, **named))(a, *args, **kwargs)

    return choose


def _turns(func: Any) -> Callable[..., Any]:
    """The same, where it may be the transpose, which products take as it is."""
    move = _moves(func)

    def turn(a: Any, *args: Any, **kwargs: Any) -> Any:
        shape = func(np.broadcast_to(0.0, a.shape), *args, **kwargs).shape
        probe = func(np.arange(4).reshape(2, 2), *args, **kwargs) if a.ndim == 2 else None
        turned = probe is not None and shape == a.shape[::-1] and probe[0, 1] == 2
        return a.T if turned else move(a, *args, **kwargs)

    return turn


def _gathers(func: Any) -> Callable[..., Any]:
    """Of a sequence of arrays."""

    def gather(arrays: Any, *args: Any, **kwargs: Any) -> Any:
        plain(func.__name__, out=kwargs.pop("out", None), dtype=kwargs.pop("dtype", None))
        return moved(func, list(arrays), lambda p: func(p, *args, **kwargs))

    return gather


def append(arr: Any, values: Any, axis: Any = None) -> Any:
    return moved(np.append, [arr, values], lambda p: np.append(p[0], p[1], axis=axis))


def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    moving = {"constant", "edge", "reflect", "symmetric", "wrap"}
    odd = kwargs.get("reflect_type", "even") != "even" or np.any(kwargs.get("constant_values", 0))
    if mode not in moving or odd:
        raise TraceError(f"np.pad with mode={mode!r}: expected one of {', '.join(sorted(moving))}, zeros")
    return moved(np.pad, [array], lambda p: np.pad(p[0], pad_width, mode, **kwargs))


def _table() -> dict[Any, Callable[..., Any]]:
    linalg = np.linalg
    table: dict[Any, Callable[..., Any]] = {
        np.sum: sum_, np.mean: mean, np.var: var, np.std: std, np.ptp: ptp, np.average: average,
        np.max: extreme("max", maximum), np.min: extreme("min", minimum), np.cumsum: cumsum,
        np.dot: dot, np.vdot: vdot, np.inner: inner, np.outer: outer, np.trace: trace,
        np.trapezoid: trapezoid, np.diff: diff, np.clip: clip, np.where: where,
        linalg.norm: norm, linalg.matmul: matmul, linalg.outer: _outer_of_vectors, linalg.trace: trace,
        linalg.vector_norm: lambda x, *, axis=None, keepdims=False, ord=2: norm(
            x if axis is not None else x._as((x.size,)), ord, axis, keepdims),
        linalg.vecdot: lambda a, b, *, axis=-1: np.sum(a * b, axis=axis),
        np.copy: _same, np.real: _same, np.real_if_close: _same,
        np.zeros_like: _filled(np.zeros_like), np.ones_like: _filled(np.ones_like),
        np.full_like: _filled(np.full_like), np.empty_like: _filled(np.empty_like),
        np.shape: _filled(np.shape), np.ndim: _filled(np.ndim), np.size: _filled(np.size),
        np.iscomplexobj: _filled(np.iscomplexobj), np.isrealobj: _filled(np.isrealobj),
        np.append: append, np.pad: pad, np.broadcast_arrays: lambda *a: tuple(
            np.broadcast_to(v, np.broadcast_shapes(*(np.shape(u) for u in a))) for v in a),
    }
    for name in (
        "array_split atleast_1d atleast_2d broadcast_to delete diag diagflat diagonal dsplit "
        "expand_dims flip fliplr flipud hsplit ravel repeat reshape resize roll rollaxis rot90 split "
        "squeeze take take_along_axis tile tril triu vsplit unstack"
    ).split():
        if hasattr(np, name):
            table[getattr(np, name)] = _moves(getattr(np, name))
    for name in "transpose swapaxes moveaxis matrix_transpose".split():
        table[getattr(np, name)] = _turns(getattr(np, name))
    for name in "concatenate stack hstack vstack column_stack".split():
        table[getattr(np, name)] = _gathers(getattr(np, name))
    table[linalg.diagonal] = _moves(linalg.diagonal)
    table[linalg.matrix_transpose] = _turns(linalg.matrix_transpose)
    for chooses in (np.extract, np.compress):
        table[chooses] = _chooses(chooses)
    return table


_TABLE = _table()

#: What looks at shapes itself, and would take its time on zeros.
_PRODUCTS = {np.dot, np.vdot, np.inner, np.outer, np.linalg.matmul, np.linalg.outer, np.where}

_INSTEAD: dict[str, str] = {
    **dict.fromkeys("prod nanprod cumprod".split(), "use np.exp(np.sum(np.log(…)))"),
    **dict.fromkeys("median percentile quantile sort partition".split(),
                    "it depends on the order of values: use an oracle (bilevel.from_functions)"),
    **dict.fromkeys("argmax argmin argsort nonzero searchsorted allclose array_equal isclose all any"
                    .split(), "a recording may not depend on a value"),
    **dict.fromkeys("solve inv pinv lstsq det slogdet cholesky eig eigh svd qr".split(),
                    "make its system a part of the lower level, or use an oracle "
                    "(bilevel.from_functions)"),
    **dict.fromkeys("einsum tensordot kron multi_dot matrix_power".split(),
                    "write it with @, .T, np.sum and broadcasting"),
    **dict.fromkeys("convolve correlate".split(), "use bilevel.conv2d"),
    "dstack": "it has three dimensions: a recording has at most 2",
    "nan_to_num": "it hides what is not finite",
}


def _zeros(value: Any) -> Any:
    """Zeros in the place of ``Var`` s, in arguments as they are given."""
    if isinstance(value, Var):
        return np.broadcast_to(np.zeros((), value.dtype), value.shape)
    if isinstance(value, (list, tuple)):
        return type(value)(_zeros(v) for v in value)
    return value


def function_call(func: Any, args: Any, kwargs: Any) -> Any:
    """What a function does of whose arguments one is a ``Var``."""
    step = _TABLE.get(func)
    if step is None:
        module = func.__module__.replace("numpy", "np", 1)
        instead = _INSTEAD.get(func.__name__, _ORACLE)
        raise TraceError(f"{module}.{func.__name__} is not recorded: {instead}")
    if kwargs.get("out") is not None:
        raise TraceError(f"np.{func.__name__} with out=: write a = …")
    if func in _PRODUCTS:
        return step(*args, **kwargs)
    # What NumPy refuses is refused in its words, and its shapes are what comes out.
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        like = func(*_zeros(args), **{k: _zeros(v) for k, v in kwargs.items()})
    made = step(*args, **kwargs)
    if isinstance(made, Var) and made.shape != np.shape(like):
        raise TraceError(
            f"np.{func.__name__} with these options is not recorded: it has shape {np.shape(like)} in "
            f"NumPy, and {made.shape} here"
        )
    return made
