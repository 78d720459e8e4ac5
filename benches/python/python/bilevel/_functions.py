"""NumPy's functions that are no ufuncs: each is recorded, or refused with the way out."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ._rearrange import moved
from ._ufuncs import elementwise, matmul
from ._var import Var, lift, of_one_tape
from .errors import TraceError

__all__ = ["function_call", "log_sum_exp", "reduced"]

_ORACLE = "write the objective as an oracle (bilevel.from_functions), or of functions that are recorded"
_UNSET = np._NoValue


def _plain(name: str, **options: Any) -> None:
    """Refuses options that are given."""
    for key, value in options.items():
        if value is not None and value is not _UNSET:
            raise TraceError(f"np.{name} with {key}=: leave it out")


# ---- reductions


def _axis(v: Var, axis: Any) -> int | None:
    """The one axis, or ``None`` for all."""
    if axis is None:
        return None
    axes = normalize_axis_tuple(axis, max(v.ndim, 1))
    return None if len(axes) >= v.ndim else axes[0] if axes else -1


def _kept(v: Var, out: Var, axis: int | None, keepdims: Any) -> Var:
    if keepdims is _UNSET or not keepdims:
        return out
    shape = tuple(1 if axis is None or k == axis else n for k, n in enumerate(v.shape))
    return out._as(shape)


def _reduce(v: Var, axis: Any, keepdims: Any, all_: Callable[[Var], Var], one: Any) -> Var:
    """``all_`` of the entries, or ``one`` along the axis 0 or 1 of a matrix."""
    where = _axis(v, axis)
    if where == -1:
        return v
    out = all_(v) if where is None else one(v, where)
    return _kept(v, out, where, keepdims)


def _sum_of(v: Var, axis: int) -> Var:
    # The engine's columns are NumPy's rows.
    if axis == 0:
        return v._step("sum_cols", (v.shape[1],))
    return _row(v, "sum_rows")


def _row(v: Var, name: str) -> Var:
    """A fold of each row of ``v``: of each column in the engine, where it is a row."""
    return v._step(name, (v.shape[0], 1))._as((v.shape[0],))


def _sum(v: Var, axis: Any = None, keepdims: Any = False) -> Var:
    return _reduce(v, axis, keepdims, lambda a: a._step("sum", ()), _sum_of)


def _fold(name: str) -> Callable[[Var, Any, Any], Var]:
    """A fold that the engine has of columns: of NumPy's rows."""

    def all_(v: Var) -> Var:
        return v._as((v.size,))._step(name, ())

    def one(v: Var, axis: int) -> Var:
        return _row(v if axis == 1 else v.T, name)

    return lambda v, axis=None, keepdims=False: _reduce(v, axis, keepdims, all_, one)


_max, _min = _fold("max_rows"), _fold("min_rows")
#: ``ln Σ eᵃ`` along an axis, without overflow.
log_sum_exp = _fold("log_sum_exp")


def _count(v: Var, axis: Any) -> int:
    where = _axis(v, axis)
    return v.size if where is None else 1 if where == -1 else v.shape[where]


def sum_(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = _UNSET,
         initial: Any = _UNSET, where: Any = _UNSET) -> Any:
    _plain("sum", dtype=dtype, out=out, initial=initial, where=where)
    return _sum(a, axis, keepdims)


def mean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = _UNSET,
         *, where: Any = _UNSET) -> Any:
    _plain("mean", dtype=dtype, out=out, where=where)
    return _sum(a, axis, keepdims) / float(_count(a, axis))


def var(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
        keepdims: Any = _UNSET, *, where: Any = _UNSET, mean: Any = _UNSET,
        correction: Any = _UNSET) -> Any:
    _plain("var", dtype=dtype, out=out, where=where, mean=mean)
    less = ddof if correction is _UNSET else correction
    centre = _sum(a, axis, True) / float(_count(a, axis))
    squares = np.square(a - centre)
    return _sum(squares, axis, keepdims) / float(max(_count(a, axis) - less, 0) or np.nan)


def std(*args: Any, **kwargs: Any) -> Any:
    return np.sqrt(var(*args, **kwargs))


def _extreme(name: str, fold: Any) -> Callable[..., Any]:
    def extreme(a: Any, axis: Any = None, out: Any = None, keepdims: Any = _UNSET,
                initial: Any = _UNSET, where: Any = _UNSET) -> Any:
        _plain(name, out=out, initial=initial, where=where)
        return fold(a, axis, keepdims)

    return extreme


def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = _UNSET) -> Any:
    _plain("ptp", out=out)
    return _max(a, axis, keepdims) - _min(a, axis, keepdims)


def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *,
            keepdims: Any = _UNSET) -> Any:
    if returned:
        raise TraceError("np.average with returned=: leave it out")
    tape = of_one_tape([a, weights])
    a = lift(tape, a)
    if weights is None:
        return mean(a, axis, keepdims=keepdims)
    weights = lift(tape, weights)
    if weights.shape != a.shape:
        where = _axis(a, axis)
        if where is None or weights.shape != (a.shape[where],):
            raise TraceError("np.average: weights of another shape: broadcast them before")
        weights = weights if where == a.ndim - 1 else weights._as((*weights.shape, 1))
        weights = np.broadcast_to(weights, a.shape)
    return _sum(a * weights, axis, keepdims) / _sum(weights, axis, keepdims)


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> Any:
    if axis is None and (ord is None or (ord == 2 and x.ndim == 1) or (ord == "fro" and x.ndim == 2)):
        return _kept(x, x._step("norm", ()), None, keepdims)
    if axis is None and x.ndim == 1:
        axis = 0
    if isinstance(axis, (int, np.integer)):
        match ord:
            case None | 2:
                return np.sqrt(_sum(np.square(x), axis, keepdims))
            case 1:
                return _sum(np.abs(x), axis, keepdims)
            case _ if ord == np.inf:
                return _max(np.abs(x), axis, keepdims)
            case _ if ord == -np.inf:
                return _min(np.abs(x), axis, keepdims)
    raise TraceError(f"np.linalg.norm with ord={ord!r} of {x.ndim} dimensions is not recorded: {_ORACLE}")


def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    _plain("cumsum", dtype=dtype, out=out)
    where = _axis(a, axis)
    if axis is None or a.ndim == 1:
        return a._as((a.size,))._step("cumsum", (a.size,))
    return a._step("cumsum", a.shape) if where == 1 else a.T._step("cumsum", a.shape[::-1]).T


_REDUCE: dict[str, Callable[..., Any]] = {
    "add": _sum, "maximum": _max, "minimum": _min, "logaddexp": log_sum_exp,
}


def reduced(ufunc: np.ufunc, method: str, args: Any, kwargs: Any) -> Any:
    """``ufunc.reduce`` and ``ufunc.accumulate``."""
    name = ufunc.__name__
    a, *rest = args
    options = {**dict(zip(("axis", "dtype", "out", "keepdims"), rest, strict=False)), **kwargs}
    axis, keepdims = options.pop("axis", 0), options.pop("keepdims", False)
    _plain(f"{name}.{method}", **options)
    if not isinstance(a, Var):
        raise TraceError(f"np.{name}.{method} with a Var among its options")
    if method == "accumulate" and name == "add":
        return cumsum(a, axis)
    if method == "reduce" and name in _REDUCE:
        return _REDUCE[name](a, axis, keepdims)
    instead = "use np.exp(np.sum(np.log(…)))" if name == "multiply" else _ORACLE
    raise TraceError(f"np.{name}.{method} is not recorded: {instead}")


# ---- products


def dot(a: Any, b: Any, out: Any = None) -> Any:
    _plain("dot", out=out)
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
    _plain("outer", out=out)
    tape = of_one_tape([a, b])
    a, b = lift(tape, a), lift(tape, b)
    return a._as((a.size, 1)) * b._as((1, b.size))


def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None,
          out: Any = None) -> Any:
    _plain("trace", dtype=dtype, out=out)
    return _sum(np.diagonal(a, offset, axis1, axis2))


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    if not isinstance(y, Var) or y.ndim != 1:
        raise TraceError("np.trapezoid: expected a Var y of one dimension")
    width = dx if x is None else np.diff(x)
    return np.sum(width * (y[1:] + y[:-1]) / 2.0)


# ---- differences, choices


def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = _UNSET, append: Any = _UNSET) -> Any:
    parts = [p for p in (prepend, a, append) if p is not _UNSET]
    if len(parts) > 1:
        raise TraceError("np.diff with prepend= or append=: use np.concatenate before")
    where = normalize_axis_tuple(axis, a.ndim)[0]
    for _ in range(operator.index(n)):
        late = tuple(slice(1, None) if k == where else slice(None) for k in range(a.ndim))
        early = tuple(slice(None, -1) if k == where else slice(None) for k in range(a.ndim))
        a = a[late] - a[early]
    return a


def clip(a: Any, a_min: Any = _UNSET, a_max: Any = _UNSET, out: Any = None, *,
         min: Any = _UNSET, max: Any = _UNSET, **kwargs: Any) -> Any:
    _plain("clip", out=out, **kwargs)
    low = next((v for v in (a_min, min) if v is not _UNSET), None)
    high = next((v for v in (a_max, max) if v is not _UNSET), None)
    if low is not None:
        a = np.maximum(a, low)
    return a if high is None else np.minimum(a, high)


def where(condition: Any, x: Any = _UNSET, y: Any = _UNSET, /) -> Any:
    if isinstance(condition, Var):
        raise TraceError(
            "np.where of a condition that is a Var: use np.maximum, np.clip or bilevel.relu, or an oracle"
        )
    if x is _UNSET:
        raise TraceError("np.where of one argument: an index may not depend on a value")
    return moved(np.where, [x, y], lambda p: np.where(condition, *p))


def _same(a: Any, *_: Any, **__: Any) -> Any:
    return a


def _filled(function: Any) -> Callable[..., Any]:
    def filled(a: Any, *args: Any, **kwargs: Any) -> Any:
        return function(np.broadcast_to(np.zeros((), a.dtype), a.shape), *args, **kwargs)

    return filled


def _shaped(function: Any) -> Callable[..., Any]:
    return lambda a, *args: function(np.broadcast_to(0.0, a.shape), *args)


# ---- functions that only move entries


def _moves(func: Any) -> Callable[..., Any]:
    """Of one array, the first argument."""

    def move(a: Any, *args: Any, **kwargs: Any) -> Any:
        _plain(func.__name__, out=kwargs.pop("out", None))
        if kwargs.get("order", "C") not in ("C", "K", "A"):
            raise TraceError(f"np.{func.__name__} with order={kwargs['order']!r}: use .T")
        if any(isinstance(v, Var) for v in (*args, *kwargs.values())) or not isinstance(a, Var):
            raise TraceError(f"np.{func.__name__}: an index or a shape may not depend on a value")
        return moved(func, [a], lambda p: func(p[0], *args, **kwargs))

    return move


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
        _plain(func.__name__, out=kwargs.pop("out", None), dtype=kwargs.pop("dtype", None))
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
        np.max: _extreme("max", _max), np.min: _extreme("min", _min), np.cumsum: cumsum,
        np.dot: dot, np.vdot: vdot, np.inner: inner, np.outer: outer, np.trace: trace,
        np.trapezoid: trapezoid, np.diff: diff, np.clip: clip, np.where: where,
        linalg.norm: norm, linalg.matmul: matmul, linalg.outer: outer, linalg.trace: trace,
        linalg.vector_norm: lambda x, *, axis=None, keepdims=False, ord=2: norm(
            x if axis is not None else x._as((x.size,)), ord, axis, keepdims),
        linalg.vecdot: lambda a, b, *, axis=-1: np.sum(a * b, axis=axis),
        np.copy: _same, np.real: _same, np.real_if_close: _same,
        np.zeros_like: _filled(np.zeros_like), np.ones_like: _filled(np.ones_like),
        np.full_like: _filled(np.full_like), np.empty_like: _filled(np.empty_like),
        np.shape: _shaped(np.shape), np.ndim: _shaped(np.ndim), np.size: _shaped(np.size),
        np.iscomplexobj: _shaped(np.iscomplexobj), np.isrealobj: _shaped(np.isrealobj),
        np.append: append, np.pad: pad, np.broadcast_arrays: lambda *a: tuple(
            np.broadcast_to(v, np.broadcast_shapes(*(np.shape(u) for u in a))) for v in a),
    }
    for name in (
        "array_split atleast_1d atleast_2d broadcast_to compress delete diag diagflat diagonal dsplit "
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
    table[np.extract] = lambda condition, arr: moved(
        np.extract, [arr], lambda p: np.extract(condition, p[0]))
    return table


_TABLE = _table()

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


def function_call(func: Any, args: Any, kwargs: Any) -> Any:
    """What a function does of whose arguments one is a ``Var``."""
    step = _TABLE.get(func)
    if step is None:
        module = func.__module__.replace("numpy", "np", 1)
        instead = _INSTEAD.get(func.__name__, _ORACLE)
        raise TraceError(f"{module}.{func.__name__} is not recorded: {instead}")
    return step(*args, **kwargs)
