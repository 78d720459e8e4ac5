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

__all__ = ["Layer", "Lower", "Rows", "Sensitivities"]

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

    def jacobian(
        self, x: Array, strategy: str = "aid-cg", *, start: Array | None = None, **settings: Any
    ) -> Sensitivities:
        """Solves the level at one ``x``, of shape ``(dim_x,)``, and differentiates the solution: ``matrix``
        is dy*/dx, of shape ``(dim_y, dim_x)``. Implicit strategies solve for sixteen columns at once, or rows
        where y has fewer entries."""
        return self._sensitivities(x, strategy, start, None, settings)

    def pull_back(
        self,
        x: Array,
        cotangents: Array,
        strategy: str = "aid-cg",
        *,
        start: Array | None = None,
        **settings: Any,
    ) -> Sensitivities:
        """Solves the level at one ``x``, of shape ``(dim_x,)``, and pulls each row of ``cotangents``, of shape
        ``(count, dim_y)``, back through the one solution: ``matrix`` has a cotangent of x in each row, of shape
        ``(count, dim_x)``. Implicit strategies solve for sixteen at once."""
        return self._sensitivities(
            x, strategy, start, self._rows(cotangents, self.dim_y, "cotangents"), settings
        )

    def _sensitivities(
        self,
        x: Any,
        strategy: str,
        start: Any,
        cotangents: Array | None,
        settings: dict[str, Any],
    ) -> Sensitivities:
        self._asked.by = strategy
        y, matrix, systems, by_rows, said = self._inner.sensitivities(
            strategy,
            given(settings),
            self._one(x, self.dim_x, "x"),
            None if start is None else self._one(start, self.dim_y, "start"),
            cotangents,
        )
        if cotangents is None:
            # It comes column by column.
            matrix = matrix.reshape(self.dim_x, self.dim_y).T
        else:
            matrix, by_rows = matrix.reshape(-1, self.dim_x), True
        return Sensitivities(y, matrix, tuple(systems), by_rows, said)

    def _one(self, given: Any, entries: int, what: str) -> Array:
        array = np.asarray(given)
        if array.shape != (entries,):
            raise ValueError(f"{what} has shape {array.shape}: expected ({entries},)")
        return self._rows(array[None, :], entries, what)

    def _rows(self, given: Any, entries: int, what: str) -> Array:
        array = np.asarray(given)
        if array.dtype != self.dtype:
            raise TypeError(f"{what} has {array.dtype}: expected {self.dtype}, as the lower level has")
        if array.ndim != 2 or array.shape[1] != entries:
            raise ValueError(f"{what} has shape {array.shape}: expected (rows, {entries})")
        return np.ascontiguousarray(array).reshape(-1)


@dataclass(frozen=True, repr=False)
class Sensitivities:
    """Several derivatives of one solution, with what is said of each."""

    #: The solution, ``(dim_y,)``.
    y: Array
    #: dy*/dx, ``(dim_y, dim_x)``, or the cotangents of x, ``(count, dim_x)``. What has no finite answer is NaN.
    matrix: Array
    #: For each row of the matrix, or each column: status, message, success, residual and iterations.
    systems: tuple[dict[str, Any], ...]
    #: Whether the systems are those of the rows.
    by_rows: bool
    #: The estimate of the solution: residuals, distances, counts, bytes.
    record: dict[str, Any]

    @property
    def status(self) -> str:
        """The first status that is no success, that of y or of a system; that of y where all are."""
        return self._first[0]

    @property
    def message(self) -> str:
        """The same in a sentence with a remedy."""
        return self._first[1]

    @property
    def ok(self) -> bool:
        """Whether y and all derivatives are what was asked for."""
        return bool(self.record["success"]) and all(s["success"] for s in self.systems)

    @property
    def _first(self) -> tuple[str, str]:
        own = str(self.record["status"]["code"]), str(self.record["message"])
        failed = (s for s in self.systems if not s["success"])
        first = next(failed, None) if self.record["success"] else None
        return own if first is None else (str(first["status"]), str(first["message"]))

    def __repr__(self) -> str:
        rows, columns = self.matrix.shape
        return f"Sensitivities({rows} x {columns}: {self.status})"


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
