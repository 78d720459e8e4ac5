"""A scalar function of its own, recorded once: its value, gradient and Hessian-vector products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ._arrays import FLOATS, Array, Blocks, precision
from ._tape import Recorded, Tape
from ._var import Var, lift
from .errors import ProblemError, TraceError

__all__ = ["Function", "Linearised", "record", "recorded"]


def recorded(
    function: Callable[..., Any], blocks: Sequence[Blocks], dtype: np.dtype[Any], what: str
) -> Recorded:
    """Calls a function once with ``Var`` s, and keeps what it did."""
    tape = Tape(dtype, tuple((b.size, 1) for b in blocks))
    arguments = []
    for k, of in enumerate(blocks):
        whole = Var(tape, k, (of.size,))
        parts = {n: whole[s : s + _size(sh)].reshape(sh) for n, sh, s in of.places()}
        arguments.append(parts[None] if None in parts else parts)
    out = function(*arguments)
    if not isinstance(out, Var):
        if out is None or isinstance(out, (str, bytes, list, tuple, dict)):
            raise TraceError(f"{what} returns {type(out).__name__}: expected its value")
        out = lift(tape, out)
    if out._tape is not tape:
        raise TraceError(f"{what} returns a Var of another recording")
    if out.size != 1:
        raise ProblemError(f"{what} has shape {out.shape}: expected a scalar")
    return tape.finish(out._as(()).at)


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=int))


class Function:
    """A recorded scalar function, which is run in Rust. Made by :func:`record`."""

    def __init__(self, recording: Recorded, blocks: tuple[Blocks, ...]) -> None:
        self._recording = recording
        self._blocks = blocks

    @property
    def dtype(self) -> np.dtype[Any]:
        return FLOATS[self._recording.dtype != np.float32]

    def __repr__(self) -> str:
        shapes = ", ".join(str([s for _, s in b.shapes]) for b in self._blocks)
        return f"Function({shapes}, {self.dtype}): {len(self._recording.steps)} operations"

    def _pack(self, given: Sequence[Any]) -> list[Array]:
        if len(given) != len(self._blocks):
            raise TypeError(f"{len(given)} arguments: expected {len(self._blocks)}")
        each = zip(self._blocks, given, strict=True)
        return [b.pack(a, self.dtype, f"argument {k}") for k, (b, a) in enumerate(each)]

    def __call__(self, *arguments: Any) -> float:
        """The value."""
        return float(self._recording.program.evaluate(self._pack(arguments))[0])

    def gradient(self, *arguments: Any) -> Any:
        """The gradient: of one argument in its shape, of several a tuple."""
        return self.linearise(*arguments).gradient

    def linearise(self, *arguments: Any) -> Linearised:
        """The function at a point, for many products with its Hessian."""
        return Linearised(self, self._pack(arguments))


class Linearised:
    """A function at a point: its value, its gradient, and products with its Hessian."""

    def __init__(self, of: Function, at: list[Array]) -> None:
        self._of = of
        self._point = of._recording.program.point()
        #: The value.
        self.value, self._gradients = self._point.linearise(at)

    @property
    def gradient(self) -> Any:
        """The gradient: of one argument in its shape, of several a tuple."""
        return self._unpacked(self._gradients, range(len(self._gradients)))

    def _unpacked(self, vectors: Sequence[Any], by: Sequence[int]) -> Any:
        parts = tuple(self._of._blocks[k].unpack(v) for k, v in zip(by, vectors, strict=True))
        return parts[0] if len(parts) == 1 else parts

    def product(self, *directions: Any, by: int | Sequence[int] | None = None) -> Any:
        """The Hessian times a direction in each argument, of which None is 0: its parts by all
        arguments, or by those that are named."""
        blocks, dtype = self._of._blocks, self._of.dtype
        if len(directions) != len(blocks):
            raise TypeError(f"{len(directions)} directions: expected {len(blocks)}")
        each = enumerate(zip(blocks, directions, strict=True))
        along = [None if d is None else b.pack(d, dtype, f"direction {k}") for k, (b, d) in each]
        wanted = range(len(blocks)) if by is None else [by] if isinstance(by, int) else by
        return self._unpacked(self._point.product(along, list(wanted)), list(wanted))


def record(
    function: Callable[..., Any], *arguments: Any, dtype: npt.DTypeLike | None = None
) -> Function:
    """Calls a scalar function once with :class:`~bilevel.Var` s in the place of its arguments, each a
    size, a shape, an array or a dictionary of these, and keeps what it did.

    >>> import numpy as np, bilevel as bl
    >>> f = bl.record(lambda y: np.sum(np.exp(y) * y), 2)
    >>> at = f.linearise(np.zeros(2))
    >>> at.gradient, at.product(np.ones(2))
    (array([1., 1.]), array([2., 2.]))
    """
    made = [Blocks.of(a, f"argument {k}") for k, a in enumerate(arguments)]
    if not made:
        raise TypeError("a function of no arguments: expected at least one")
    kind = precision(dtype, *(a for _, _, arrays in made for a in arrays))
    blocks = tuple(of for of, _, _ in made)
    return Function(recorded(function, blocks, kind, "the function"), blocks)
