"""Arrays on their way in and out: precision, order, and variables of several blocks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "Blocks", "FLOATS", "flat", "kept", "precision", "real", "variables"]

Array = npt.NDArray[Any]

#: The precisions of the engine.
FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def real(value: Any, what: str) -> Array:
    """``value`` as an array of real numbers, in whatever precision it has."""
    if np.ma.is_masked(value):
        raise TypeError(f"{what} is an array with masked entries: expected .filled(…)")
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        kind = "complex numbers" if array.dtype.kind == "c" else f"dtype {array.dtype}"
        raise TypeError(f"{what} has {kind}: expected real numbers")
    return array


def kept(array: Array, dtype: npt.DTypeLike | None = None) -> Array:
    """Numbers that nobody writes to: the array itself where it is read-only and owns what it holds, else a
    copy."""
    fits = dtype is None or array.dtype == dtype
    if fits and array.base is None and array.flags.c_contiguous and not array.flags.writeable:
        return array
    return np.array(array, dtype, order="C")


def precision(dtype: npt.DTypeLike | None, *arrays: Array) -> np.dtype[Any]:
    """The precision of a problem: the one that is asked for, else that of its arrays."""
    if dtype is not None:
        asked = np.dtype(dtype)
        if asked not in FLOATS:
            raise TypeError(f"dtype {asked}: expected float32 or float64")
        return asked
    found = {a.dtype for a in arrays if a.dtype.kind == "f"}
    if not found:
        return np.dtype(np.float64)
    if len(found) > 1:
        names = " and ".join(sorted(str(d) for d in found))
        raise TypeError(f"arrays of {names}: expected one precision, or dtype= to choose it")
    only = found.pop()
    if only not in FLOATS:
        raise TypeError(f"dtype {only}: expected float32 or float64, or dtype= to choose it")
    return only


def flat(value: Any, dtype: np.dtype[Any], shape: tuple[int, ...], what: str) -> Array:
    """``value``, of this shape or a vector of all entries in C order, as a contiguous vector."""
    if type(value) is np.ndarray and value.dtype == dtype and value.shape == shape:
        # What is right is not looked at for long: calls may take microseconds.
        return value.reshape(-1) if value.flags.c_contiguous else value.flatten()
    array, size = real(value, what), math.prod(shape)
    if array.size != size:
        raise ValueError(f"{what} has {array.size} entries: expected {size}")
    if array.shape not in (shape, (size,)) and size > 1:
        raise ValueError(f"{what} has shape {array.shape}: expected {shape}")
    return np.ascontiguousarray(array, dtype=dtype).reshape(-1)


@dataclass(frozen=True)
class Blocks:
    """How a vector is cut into arrays: one array, or several under names."""

    shapes: tuple[tuple[str | None, tuple[int, ...]], ...]

    @staticmethod
    def of(given: Any, what: str) -> tuple[Blocks, Array | None, list[Array]]:
        """What ``given`` stands for, a size, a shape, an array or a dictionary of them: its blocks, its
        numbers if it has any, and the arrays that say the precision."""
        named = given.items() if isinstance(given, Mapping) else [(None, given)]
        shapes: list[tuple[str | None, tuple[int, ...]]] = []
        parts: list[Array | tuple[int, ...]] = []
        for name, one in named:
            if name is not None and not isinstance(name, str):
                raise TypeError(f"{what} has a block {name!r}: expected names that are strings")
            label = what if name is None else f"{what}[{name!r}]"
            part = _block(one, label)
            shape = part if isinstance(part, tuple) else part.shape
            if len(shape) > 2:
                raise ValueError(f"{label} has {len(shape)} dimensions: expected at most 2")
            if math.prod(shape) == 0:
                raise ValueError(f"{label} has shape {shape}: expected at least one entry")
            shapes.append((name, shape))
            parts.append(part)
        if not shapes:
            raise ValueError(f"{what} has no blocks: expected at least one")
        arrays = [p for p in parts if isinstance(p, np.ndarray)]
        numbers = None
        if arrays:
            zeros = [np.zeros(p) if isinstance(p, tuple) else p for p in parts]
            numbers = np.concatenate([z.reshape(-1) for z in zeros])
        return Blocks(tuple(shapes)), numbers, arrays

    @property
    def size(self) -> int:
        return sum(math.prod(shape) for _, shape in self.shapes)

    def places(self) -> Iterator[tuple[str | None, tuple[int, ...], int]]:
        """Name, shape and first entry of each block."""
        start = 0
        for name, shape in self.shapes:
            yield name, shape, start
            start += math.prod(shape)

    def pack(self, given: Any, dtype: np.dtype[Any], what: str) -> Array:
        """Arrays of these blocks as one contiguous vector."""
        if self.shapes[0][0] is None:
            return flat(given, dtype, self.shapes[0][1], what)
        if not isinstance(given, Mapping):
            # A vector of all entries is as good.
            return flat(given, dtype, (self.size,), what)
        names = [name for name, _ in self.shapes]
        if set(given) != set(names):
            raise ValueError(f"{what} has blocks {list(given)}: expected {names}")
        parts = [
            flat(given[name], dtype, shape, f"{what}[{name!r}]")
            for name, shape in self.shapes
        ]
        return np.concatenate(parts)

    def unpack(self, vector: Array, width: int | None = None) -> Any:
        """A vector, or `width` of them one after the other, as arrays of these blocks."""
        lead = () if width is None else (width,)
        if self.shapes[0][0] is None:
            return vector.reshape((*lead, *self.shapes[0][1]))
        rows = vector.reshape((*lead, self.size))
        return {n: rows[..., s : s + math.prod(sh)].reshape((*lead, *sh)) for n, sh, s in self.places()}

    def width(self, given: Any, what: str) -> int | None:
        """How many directions ``given`` has along a dimension in front; None without one."""
        named = given if isinstance(given, Mapping) else {None: given}
        ours = [(np.shape(named[n]), shape) for n, shape in self.shapes if n in named]
        found = {given[0] if given and given[1:] == shape else None for given, shape in ours}
        if len(found) > 1:
            raise ValueError(f"{what} has blocks of several numbers of directions: expected one number")
        return found.pop() if found else None

    def pack_rows(self, given: Any, width: int | None, dtype: np.dtype[Any], what: str) -> Array:
        """``width`` directions of these blocks, one after the other, as one contiguous vector."""
        if width is None:
            return self.pack(given, dtype, what)
        named = given if isinstance(given, Mapping) else {None: given}
        if set(named) != set(dict(self.shapes)):
            return self.pack(given, dtype, what)
        rows = [flat(named[n], dtype, (width, *sh), what).reshape(width, -1) for n, sh in self.shapes]
        return np.concatenate(rows, axis=1).reshape(-1)


Pair = tuple[Array, Array]


def variables(
    x: Any, y: Any, start: Any, dtype: npt.DTypeLike | None
) -> tuple[tuple[Blocks, Blocks], Pair, np.dtype[Any]]:
    """The blocks of x and y, where they are, y at ``start`` if there is one, and their precision."""
    x_blocks, point, of_x = Blocks.of(x, "x")
    y_blocks, initial, of_y = Blocks.of(y, "y")
    kind = precision(dtype, *of_x, *of_y)
    if start is not None:
        initial = y_blocks.pack(start, kind, "start")
    at = [
        np.zeros(b.size, kind) if p is None else np.ascontiguousarray(p, kind)
        for b, p in ((x_blocks, point), (y_blocks, initial))
    ]
    return (x_blocks, y_blocks), (at[0], at[1]), kind


def _block(given: Any, what: str) -> Array | tuple[int, ...]:
    if isinstance(given, (bool, np.bool_)):
        raise TypeError(f"{what} is {given}: expected a size, a shape or an array")
    if isinstance(given, (int, np.integer)):
        if given < 1:
            raise ValueError(f"{what} is {given}: expected at least 1 entry")
        return (int(given),)
    if isinstance(given, tuple) and all(isinstance(n, int) for n in given):
        return given
    array = real(given, what)
    # Who changes the array afterwards changes no problem.
    return np.array(array, order="C")
