"""A scalar function of its own, recorded once: its value, gradient and Hessian-vector products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _bilevel
from ._arrays import Array, Blocks, precision
from ._tape import Made, Recorded, Tape
from ._var import Var, lift
from .errors import ProblemError, TraceError

__all__ = ["Function", "Linearised", "record"]


def recorded(
    function: Callable[..., Any], blocks: Sequence[Blocks], dtype: np.dtype[Any], what: str
) -> Recorded:
    """Calls a function once with ``Var`` s, and keeps what it did."""
    tape = Tape(dtype, tuple((b.size, 1) for b in blocks))
    arguments = [variable(tape, k, of) for k, of in enumerate(blocks)]
    return finished(tape, called(function, what, *arguments), what)


def variable(tape: Tape, k: int, of: Blocks) -> Any:
    """Input ``k`` of a recording, in its blocks."""
    whole = Var(tape, k, (of.size,))
    parts = {n: whole[s : s + _size(sh)].reshape(sh) for n, sh, s in of.places()}
    return parts[None] if None in parts else parts


def called(function: Any, what: str, *arguments: Any) -> Any:
    """What a user's function returns."""
    if not callable(function):
        raise TypeError(f"{what} is {type(function).__name__}: expected a function")
    return function(*arguments)


def finished(tape: Tape, out: Any, what: str) -> Recorded:
    """The recording whose value a function returned."""
    if not isinstance(out, Var):
        if out is None or isinstance(out, (str, bytes, list, tuple, dict)):
            raise TraceError(f"{what} returns {type(out).__name__}: expected its value")
        out = lift(tape, out)
    value: Var = out
    if value._tape is not tape:
        raise TraceError(f"{what} returns a Var of another recording")
    if value.size != 1:
        raise ProblemError(f"{what} has shape {value.shape}: expected a scalar")
    return tape.finish(value._as(()).at)


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=int))


class Function:
    """A scalar function that is run in Rust: recorded by :func:`record`, or an objective of a problem."""

    def __init__(
        self, made: Made | Recorded, dtype: np.dtype[Any], blocks: tuple[Blocks, ...]
    ) -> None:
        self._made, self._blocks = made, blocks
        self.dtype = dtype

    @property
    def _program(self) -> _bilevel.Program:
        return self._made.program

    def __repr__(self) -> str:
        shapes = ", ".join(str([s for _, s in b.shapes]) for b in self._blocks)
        return f"Function({shapes}, {self.dtype}): {self._program.operations} operations"

    def _pack(self, given: Sequence[Any]) -> list[Array]:
        if len(given) != len(self._blocks):
            raise TypeError(f"{len(given)} arguments: expected {len(self._blocks)}")
        each = zip(self._blocks, given, strict=True)
        return [b.pack(a, self.dtype, f"argument {k}") for k, (b, a) in enumerate(each)]

    def __call__(self, *arguments: Any) -> float:
        """The value."""
        return float(self._program.evaluate(self._pack(arguments))[0])

    def gradient(self, *arguments: Any, by: int | Sequence[int] | None = None) -> Any:
        """The gradient: of one argument in its shape, of several a tuple; by all of them, or by those that
        are named."""
        return self.value_and_grad(*arguments, by=by)[1]

    def value_and_grad(
        self, *arguments: Any, by: int | Sequence[int] | None = None
    ) -> tuple[float, Any]:
        """The value, and the gradient as :meth:`gradient` gives it."""
        wanted = self._named(by)
        value, gradients = self._program.gradients(self._pack(arguments), wanted)
        return value, self._unpacked(gradients, wanted)

    def hvp(self, *given: Any, by: int | Sequence[int] | None = None) -> Any:
        """The Hessian at a point times a direction: all arguments, then as many directions, of which None
        is 0. Directions and ``by`` as for :meth:`Linearised.product`; many products at one point are
        faster through :meth:`linearise`.

        >>> import numpy as np, bilevel as bl
        >>> f = bl.record(lambda x, y: np.sum(x * y**2), 2, 2)
        >>> f.hvp(np.ones(2), np.ones(2), None, np.eye(2), by=1)
        array([[2., 0.],
               [0., 2.]])
        """
        count = len(self._blocks)
        if len(given) != 2 * count:
            raise TypeError(f"{len(given)} arguments: expected {count} of the function and a direction for each")
        along, width, wanted = self._along(given[count:], by)
        at = self._pack(given[:count])
        found = self._program.product(at, along, 1 if width is None else width, wanted)
        return self._unpacked(found, wanted, width)

    def linearise(self, *arguments: Any) -> Linearised:
        """The function at a point, for many products with its Hessian."""
        return Linearised(self, self._pack(arguments))

    def _along(
        self, directions: Sequence[Any], by: int | Sequence[int] | None
    ) -> tuple[list[Array | None], int | None, list[int]]:
        """Directions as vectors, how many there are of each if they are blocks, and by which arguments."""
        if len(directions) != len(self._blocks):
            raise TypeError(f"{len(directions)} directions: expected {len(self._blocks)}")
        widths: set[int | None] = set()
        along: list[Array | None] = []
        for k, (of, direction) in enumerate(zip(self._blocks, directions, strict=True)):
            if direction is None:
                along.append(None)
                continue
            what = f"direction {k}"
            width = of.width(direction, what)
            widths.add(width)
            if width == 0:
                raise ValueError(f"{what} is a block of 0 directions: expected at least one")
            along.append(of.pack_rows(direction, width, self.dtype, what))
        if len(widths) > 1:
            raise ValueError("blocks of several numbers of directions: expected one number")
        return along, widths.pop() if widths else None, self._named(by)

    def _named(self, by: int | Sequence[int] | None) -> list[int]:
        """By which arguments."""
        if by is None:
            return list(range(len(self._blocks)))
        named = [by] if isinstance(by, int) else list(by)
        if not named or not all(0 <= k < len(self._blocks) for k in named):
            raise ValueError(f"by={by}: expected arguments from 0 to {len(self._blocks) - 1}")
        return named

    def _unpacked(self, vectors: Sequence[Any], by: Sequence[int], width: int | None = None) -> Any:
        parts = tuple(self._blocks[k].unpack(v, width) for k, v in zip(by, vectors, strict=True))
        return parts[0] if len(parts) == 1 else parts


class Linearised:
    """A function at a point: its value, its gradient, and products with its Hessian."""

    def __init__(self, of: Function, at: list[Array]) -> None:
        self._of = of
        self._point = of._program.point()
        #: The value.
        self.value, self._gradients = self._point.linearise(at)

    @property
    def gradient(self) -> Any:
        """The gradient: of one argument in its shape, of several a tuple."""
        return self._of._unpacked(self._gradients, range(len(self._gradients)))

    def product(self, *directions: Any, by: int | Sequence[int] | None = None) -> Any:
        """The Hessian times a direction in each argument, of which None is 0: its parts by all
        arguments, or by those that are named. A direction with one dimension in front is a block of as
        many, whose products have it in front too, and take less time than one by one."""
        along, width, wanted = self._of._along(directions, by)
        found = self._point.product(along, 1 if width is None else width, wanted)
        return self._of._unpacked(found, wanted, width)


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
    return Function(recorded(function, blocks, kind, "the function"), kind, blocks)
