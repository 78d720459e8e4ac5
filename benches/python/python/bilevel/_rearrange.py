"""Indexing and every function that only moves entries: NumPy itself says where they go.

The function is called on arrays of positions in the place of ``Var`` s, so its semantics are NumPy's own.
What comes out says which entry stands where: a run of them is a slice, anything else is gathered.
Positions start from 1, and 0, with which ``np.diag`` or ``np.pad`` fill up, is a zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ._arrays import Array
from ._picked import Picked, entries
from ._tape import Tape
from ._var import Var, engine_shape, lift, of_one_tape
from .errors import TraceError

__all__ = ["moved", "picked"]


def picked(v: Var, key: Any) -> Var:
    """``v[key]``."""
    keys = key if isinstance(key, tuple) else (key,)
    if any(isinstance(one, Picked) for one in keys):
        return entries(v, key)
    if any(isinstance(one, Var) for one in keys):
        raise TraceError("an index that is a Var: an index may not depend on a value")
    return _made(v._tape, [v], _positions(1, v.shape)[key])


def moved(func: Callable[..., Any], values: list[Any], rest: Callable[[list[Array]], Any]) -> Any:
    """What ``func`` makes of ``values``, arrays or ``Var`` s, called by ``rest`` with their positions."""
    tape = of_one_tape(values)
    lifted = [lift(tape, v) for v in values]
    start, positions = 1, []
    for v in lifted:
        positions.append(_positions(start, v.shape))
        start += v.size
    out = rest(positions)
    if isinstance(out, (list, tuple)):
        return type(out)(_made(tape, lifted, np.asarray(part)) for part in out)
    return _made(tape, lifted, np.asarray(out))


def _positions(start: int, shape: tuple[int, ...]) -> Array:
    return np.arange(start, start + math.prod(shape), dtype=np.int64).reshape(shape)


def _made(tape: Tape, values: list[Var], positions: Array) -> Var:
    shape = positions.shape
    if positions.size == 0:
        raise TraceError(f"an empty array of shape {shape}: expected at least one entry")
    engine_shape(shape)
    order = np.ascontiguousarray(positions).reshape(-1)
    values, order = _used(values, order)
    if order[0] and np.array_equal(order, np.arange(order[0], order[0] + order.size)):
        whole = _joined(values)
        if whole.size == order.size:
            return whole._as(shape)
        part = whole._step("slice", (order.size,), counts=(int(order[0]) - 1, order.size))
        return part._as(shape)
    if len(values) == 1 and np.array_equal(order, np.full_like(order, order[0])) and order[0]:
        one = _joined(values)
        if one.size == 1:
            return one._step("broadcast", shape, counts=engine_shape(shape))
    if (order == 0).any():
        values = [*values, lift(tape, 0.0)]
        order = np.where(order == 0, sum(v.size for v in values), order)
    places = tuple((order - 1).tolist())
    return _joined(values)._step("gather", (order.size,), counts=places)._as(shape)


def _used(values: list[Var], order: Array) -> tuple[list[Var], Array]:
    """The values of which an entry is used, and the positions among these."""
    used: list[Var] = []
    start, end, shift = 1, 1, np.zeros_like(order)
    for v in values:
        end += v.size
        inside = (order >= start) & (order < end)
        if inside.any():
            shift[inside] = start - 1 - sum(u.size for u in used)
            used.append(v)
        start = end
    return (used, order - shift) if used else (values[:1], order)


def _joined(values: list[Var]) -> Var:
    flat = [v._as((v.size,)) for v in values]
    if len(flat) == 1:
        return flat[0]
    return flat[0]._step("concat", (sum(v.size for v in flat),), *flat[1:])
