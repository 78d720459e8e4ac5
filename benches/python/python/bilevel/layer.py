"""Lower levels as layers: rows of a batch, forward and back, whatever the program around them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from . import _bilevel
from ._arrays import Array, variables
from .errors import NumericalWarning, StatusError
from .oracle import Asked, Functions, Oracle, site_of
from .function import recorded
from .problem import given

__all__ = ["Layer", "Lower", "Rows"]

#: What becomes of a row whose status is no success.
Failure = Literal["warn", "raise", "nan"]


class Lower:
    """A lower level alone, ``y*(x) = argmin_y lower(x, y)``: recorded, or :class:`~bilevel.Functions`.

    ``x``, ``y``, ``start`` and ``dtype`` as for :class:`~bilevel.Problem`.
    """

    def __init__(
        self,
        lower: Any,
        x: Any,
        y: Any,
        *,
        start: Any = None,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        blocks, (_, self.start), self.dtype = variables(x, y, start, dtype)
        self.x_blocks, self.y_blocks = blocks
        #: Whether it calls Python, and so is called row by row.
        self.calls_python = isinstance(lower, Functions)
        self._asked = Asked()
        if isinstance(lower, Functions):
            self._recorded = None
            oracle = Oracle(lower, blocks, self.dtype, "lower", self._asked)
            program = oracle.program(site_of(lower.value_and_grad))
        else:
            self._recorded = recorded(lower, blocks, self.dtype, "the lower objective")
            program = self._recorded.program
        self._inner = _bilevel.Layer(program, self.dim_x, self.start)

    def __getstate__(self) -> dict[str, Any]:
        if self._recorded is None:
            raise TypeError("a lower level of Python's functions is not pickled: expected a recorded one")
        return {k: v for k, v in self.__dict__.items() if k != "_inner"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._inner = _bilevel.Layer(state["_recorded"].program, self.dim_x, self.start)

    @property
    def dim_x(self) -> int:
        return self.x_blocks.size

    @property
    def dim_y(self) -> int:
        return self.y_blocks.size

    def __repr__(self) -> str:
        return f"Lower(x of {self.dim_x}, y of {self.dim_y} entries, {self.dtype})"

    def call(
        self,
        x: Array,
        strategy: str = "aid-cg",
        *,
        starts: Array | None = None,
        cotangents: Array | None = None,
        guesses: Array | None = None,
        **settings: Any,
    ) -> Rows:
        """Solves the rows of ``x``, of shape ``(rows, dim_x)``, and pulls ``cotangents`` of shape
        ``(rows, dim_y)`` back; side by side on several threads, with the bits of one after the other."""
        self._asked.by = strategy
        others = {"starts": starts, "cotangents": cotangents, "guesses": guesses}
        y, by_x, linear, said = self._inner.call(
            strategy,
            given(settings),
            self._rows(x, self.dim_x, "x"),
            **{k: self._rows(v, self.dim_y, k) for k, v in others.items() if v is not None},
        )
        return Rows(
            y=y.reshape(-1, self.dim_y),
            by_x=by_x.reshape(-1, self.dim_x),
            linear=linear.reshape(-1, self.dim_y) if linear.size else None,
            back=cotangents is not None,
            records=tuple(said),
        )

    def _rows(self, given: Any, entries: int, what: str) -> Array:
        array = np.asarray(given)
        if array.dtype != self.dtype:
            raise TypeError(f"{what} has {array.dtype}: expected {self.dtype}, as the lower level has")
        if array.ndim != 2 or array.shape[1] != entries:
            raise ValueError(f"{what} has shape {array.shape}: expected (rows, {entries})")
        return np.ascontiguousarray(array).reshape(-1)


@dataclass(frozen=True, repr=False)
class Rows:
    """A batch of calls, with what is said of each row."""

    #: The solutions, ``(rows, dim_y)``, and the cotangents of x, ``(rows, dim_x)``.
    y: Array
    by_x: Array
    #: The solutions of the linear systems, where guesses were given.
    linear: Array | None
    #: Whether cotangents were pulled back.
    back: bool
    #: An estimate for each row: residuals, distances, counts, bytes.
    records: tuple[dict[str, Any], ...]

    @property
    def status(self) -> list[str]:
        """How each row ended, in a word."""
        return [str(r["status"]["code"]) for r in self.records]

    @property
    def message(self) -> list[str]:
        """The same in a sentence with a remedy."""
        return [str(r["message"]) for r in self.records]

    @property
    def ok(self) -> npt.NDArray[np.bool_]:
        """Whether each row is what was asked for."""
        return np.array([r["success"] for r in self.records], bool)

    @property
    def lower_iterations(self) -> list[int]:
        return [r["lower_iterations"] for r in self.records]

    @property
    def linear_iterations(self) -> list[int]:
        return [r["linear_iterations"] for r in self.records]

    def __repr__(self) -> str:
        way = "back" if self.back else "forward"
        return f"Rows({len(self.records)} {way}: {', '.join(sorted(set(self.status)))})"


class Layer:
    """A layer over arrays: what those of JAX and PyTorch share."""

    def __init__(
        self,
        lower: Lower,
        strategy: str = "aid-cg",
        *,
        warm_start: bool = False,
        on_failure: Failure = "warn",
        **settings: Any,
    ) -> None:
        if not isinstance(lower, Lower):
            raise TypeError(f"the lower level is {type(lower).__name__}: expected bilevel.Lower")
        if on_failure not in ("warn", "raise", "nan"):
            raise ValueError(f"on_failure {on_failure!r}: expected 'warn', 'raise' or 'nan'")
        self.lower, self.strategy, self.settings = lower, strategy, settings
        self.warm_start, self.on_failure = warm_start, on_failure
        #: The rows of the last call.
        self.last: Rows | None = None
        #: Whether y is what steps make of a start, and not a solution: as the rows of a call say.
        self.unrolls = False
        self._y: Array | None = None
        self._linear: Array | None = None
        # Names and settings are looked at now, and not in the middle of a training.
        lower.call(np.zeros((0, lower.dim_x), lower.dtype), strategy, **settings)

    def forward(self, x: Array) -> tuple[Rows, Array]:
        """The solutions of these rows, and where they started."""
        count, lower = len(x), self.lower
        starts = np.tile(lower.start, (count, 1))
        if self.warm_start and self._y is not None and len(self._y) == count:
            # A row that failed starts anew.
            starts = np.where(np.isfinite(self._y).all(axis=1, keepdims=True), self._y, starts)
        rows = lower.call(x, self.strategy, starts=starts, **self.settings)
        self.unrolls = any(r["moving"] is not None for r in rows.records)
        self._y = np.where(rows.ok[:, None], rows.y, np.nan).astype(lower.dtype)
        self._note(rows, rows.y)
        return rows, starts

    def backward(self, x: Array, y: Array, cotangents: Array, starts: Array | None = None) -> Rows:
        """The cotangents of x. A loop is run again from where it started, which is the level's own start
        unless ``starts`` are given; a solution is gone on from."""
        lower, warm = self.lower, self.warm_start
        begin = y
        if self.unrolls:
            begin = np.tile(lower.start, (len(x), 1)) if starts is None else starts
        guesses = np.zeros_like(y)
        if warm and self._linear is not None and self._linear.shape == y.shape:
            guesses = self._linear
        rows = lower.call(
            x, self.strategy, starts=begin, cotangents=cotangents, guesses=guesses, **self.settings
        )
        self._linear = rows.linear
        self._note(rows, rows.by_x)
        return rows

    def _note(self, rows: Rows, result: Array) -> None:
        self.last = rows
        bad = np.flatnonzero(~rows.ok)
        if not len(bad):
            return
        if self.on_failure == "nan":
            result[bad] = np.nan
            return
        way = "the cotangent of " if rows.back else ""
        first = f"{way}row {bad[0]}: {rows.status[bad[0]]}: {rows.message[bad[0]]}"
        more = f" (and {len(bad) - 1} more of {len(rows.records)} rows)" if len(bad) > 1 else ""
        if self.on_failure == "raise":
            raise StatusError(f"{self.strategy}, {first}{more}")
        warnings.warn(f"{self.strategy}, {first}{more}", NumericalWarning, stacklevel=4)
