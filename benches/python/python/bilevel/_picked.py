"""Samples of a batch: ``Var`` s whose numbers are chosen, from arrays, when a recording runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._arrays import Array
from ._tape import Drawn
from ._var import Var
from .errors import TraceError

__all__ = ["Picked", "entries"]


class Picked(Var):
    """The rows of an array that belong to a batch. Those of an array of integers may be an index."""

    __slots__ = ("drawn", "indices")

    def __init__(self, indices: Var, drawn: Drawn) -> None:
        super().__init__(indices._tape, None, (indices.size, *drawn.array.shape[1:]))
        self.drawn, self.indices = drawn, indices

    @property
    def at(self) -> int:
        """The number of the value in its recording, where somebody needs its entries: a loss over samples
        reads them where they are."""
        if self._at is None:
            self._at = self.indices._step("rows", self._shape, data=self.drawn).at
        return self._at


def entries(v: Var, key: Any) -> Var:
    """``v[key]``, where an index among the key is one of a batch."""
    keys = key if isinstance(key, tuple) else (key,)
    if len(keys) > v.ndim:
        raise IndexError(
            f"too many indices for array: array is {v.ndim}-dimensional, but {len(keys)} were indexed"
        )
    if v.size * np.finfo(v.dtype).eps > 1.0:
        raise TraceError(f"an index of a batch among {v.size} entries: {v.dtype} does not tell them apart")
    count = next(one.size for one in keys if isinstance(one, Picked))
    places: Any = 0
    for axis, (one, size) in enumerate(zip(keys, v.shape, strict=False)):
        places = places * size + _within(one, axis, size, count, v.dtype)
    rest = v.shape[len(keys) :]
    for width in rest:
        places = (places * width).reshape(count, 1) + np.arange(width, dtype=v.dtype)
    picked = v._as((v.size,))._step("pick", (places.size,), places.reshape(-1))
    return picked._as((count, *rest))


def _within(one: Any, axis: int, size: int, count: int, dtype: np.dtype[Any]) -> Any:
    """Indices along an axis, counted from its start."""
    if isinstance(one, Var) and not isinstance(one, Picked):
        raise TraceError("an index that is computed: expected an array that was given to bilevel.sampled")
    array: Array = one.drawn.array if isinstance(one, Picked) else np.asarray(one)
    if array.dtype.kind not in "iu" or array.ndim > 1:
        what = type(one).__name__ if array.dtype == object else f"{array.dtype} of shape {array.shape}"
        raise TraceError(f"an index of a batch, or one beside it, is {what}: expected integers in one dimension")
    beyond = np.atleast_1d(array)[np.atleast_1d((array < -size) | (array >= size))]
    if beyond.size:
        raise IndexError(f"index {beyond[0]} is out of bounds for axis {axis} with size {size}")
    positive = np.where(array < 0, array + size, array)
    if isinstance(one, Picked):
        return one if (array >= 0).all() else Picked(one.indices, Drawn(positive))
    if array.ndim and array.size != count:
        raise IndexError(
            "shape mismatch: indexing arrays could not be broadcast together with shapes "
            f"({array.size},) ({count},)"
        )
    return np.broadcast_to(positive, count).astype(dtype)
