"""Reductions: along an axis or of all entries, with NumPy's options or a refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ._var import Var, lift, of_one_tape
from .errors import TraceError

__all__ = [
    "UNSET",
    "average",
    "cumsum",
    "extreme",
    "log_sum_exp",
    "maximum",
    "mean",
    "minimum",
    "norm",
    "plain",
    "ptp",
    "reduced",
    "std",
    "sum_",
    "total",
    "var",
]

_ORACLE = "write the objective as an oracle (bilevel.from_functions), or of functions that are recorded"
UNSET = np._NoValue


def plain(name: str, **options: Any) -> None:
    """Refuses options that are given."""
    for key, value in options.items():
        if value is not None and value is not UNSET:
            raise TraceError(f"np.{name} with {key}=: leave it out")


def _axis(v: Any, axis: Any) -> int | None:
    """The one axis, or ``None`` for all."""
    if not isinstance(v, Var) or isinstance(axis, Var):
        raise TraceError("an axis or an option may not depend on a value")
    if axis is None:
        return None
    axes = normalize_axis_tuple(axis, max(v.ndim, 1))
    return None if len(axes) >= v.ndim else axes[0] if axes else -1


def _kept(v: Var, out: Var, axis: int | None, keepdims: Any) -> Var:
    if keepdims is UNSET or not keepdims:
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


def total(v: Any, axis: Any = None, keepdims: Any = False) -> Var:
    return _reduce(v, axis, keepdims, lambda a: a._step("sum", ()), _sum_of)


def _fold(name: str) -> Callable[..., Var]:
    """A fold that the engine has of columns: of NumPy's rows."""

    def all_(v: Var) -> Var:
        return v._as((v.size,))._step(name, ())

    def one(v: Var, axis: int) -> Var:
        return _row(v if axis == 1 else v.T, name)

    def fold(v: Any, axis: Any = None, keepdims: Any = False) -> Var:
        return _reduce(v, axis, keepdims, all_, one)

    return fold


maximum, minimum = _fold("max_rows"), _fold("min_rows")
#: ``ln Σ eᵃ`` along an axis, without overflow.
log_sum_exp = _fold("log_sum_exp")


def _count(v: Var, axis: Any) -> int:
    where = _axis(v, axis)
    return v.size if where is None else 1 if where == -1 else v.shape[where]


def sum_(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = UNSET,
         initial: Any = UNSET, where: Any = UNSET) -> Any:
    plain("sum", dtype=dtype, out=out, initial=initial, where=where)
    return total(a, axis, keepdims)


def mean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = UNSET,
         *, where: Any = UNSET) -> Any:
    plain("mean", dtype=dtype, out=out, where=where)
    return total(a, axis, keepdims) / float(_count(a, axis))


def var(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
        keepdims: Any = UNSET, *, where: Any = UNSET, mean: Any = UNSET,
        correction: Any = UNSET) -> Any:
    plain("var", dtype=dtype, out=out, where=where, mean=mean)
    less = ddof if correction is UNSET else correction
    centre = total(a, axis, True) / float(_count(a, axis))
    squares = np.square(a - centre)
    return total(squares, axis, keepdims) / float(max(_count(a, axis) - less, 0) or np.nan)


def std(*args: Any, **kwargs: Any) -> Any:
    return np.sqrt(var(*args, **kwargs))


def extreme(name: str, fold: Any) -> Callable[..., Any]:
    def fold_of(a: Any, axis: Any = None, out: Any = None, keepdims: Any = UNSET,
                initial: Any = UNSET, where: Any = UNSET) -> Any:
        plain(name, out=out, initial=initial, where=where)
        return fold(a, axis, keepdims)

    return fold_of


def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = UNSET) -> Any:
    plain("ptp", out=out)
    return maximum(a, axis, keepdims) - minimum(a, axis, keepdims)


def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *,
            keepdims: Any = UNSET) -> Any:
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
    return total(a * weights, axis, keepdims) / total(weights, axis, keepdims)


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> Any:
    if not isinstance(x, Var):
        raise TraceError("np.linalg.norm: an option may not depend on a value")
    if axis is None and (ord is None or (ord == 2 and x.ndim == 1) or (ord == "fro" and x.ndim == 2)):
        return _kept(x, x._step("norm", ()), None, keepdims)
    if axis is None and x.ndim == 1:
        axis = 0
    if isinstance(axis, (int, np.integer)):
        match ord:
            case None | 2:
                return np.sqrt(total(np.square(x), axis, keepdims))
            case 1:
                return total(np.abs(x), axis, keepdims)
            case _ if ord == np.inf:
                return maximum(np.abs(x), axis, keepdims)
            case _ if ord == -np.inf:
                return minimum(np.abs(x), axis, keepdims)
    raise TraceError(f"np.linalg.norm with ord={ord!r} of {x.ndim} dimensions is not recorded: {_ORACLE}")


def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    plain("cumsum", dtype=dtype, out=out)
    where = _axis(a, axis)
    if axis is None or a.ndim < 2:
        return a._as((a.size,))._step("cumsum", (a.size,))
    return a._step("cumsum", a.shape) if where == 1 else a.T._step("cumsum", a.shape[::-1]).T


_REDUCE: dict[str, Callable[..., Any]] = {
    "add": total, "maximum": maximum, "minimum": minimum, "logaddexp": log_sum_exp,
}


def reduced(ufunc: np.ufunc, method: str, args: Any, kwargs: Any) -> Any:
    """``ufunc.reduce`` and ``ufunc.accumulate``."""
    name = ufunc.__name__
    a, *rest = args
    options = {**dict(zip(("axis", "dtype", "out", "keepdims"), rest, strict=False)), **kwargs}
    axis, keepdims = options.pop("axis", 0), options.pop("keepdims", False)
    plain(f"{name}.{method}", **options)
    if not isinstance(a, Var):
        raise TraceError(f"np.{name}.{method} with a Var among its options")
    if method == "accumulate" and name == "add":
        return cumsum(a, axis)
    if method == "reduce" and name in _REDUCE:
        return _REDUCE[name](a, axis, keepdims)
    instead = "use np.exp(np.sum(np.log(…)))" if name == "multiply" else _ORACLE
    raise TraceError(f"np.{name}.{method} is not recorded: {instead}")
