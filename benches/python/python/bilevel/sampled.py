"""Objectives that are means over samples, of which methods draw batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _bilevel
from ._arrays import Array, Blocks, kept, real
from ._picked import Picked
from ._tape import Drawn, Recorded, Tape
from ._var import Var
from .errors import ProblemError
from .function import called, finished, recorded, variable

__all__ = ["Sampled", "sampled"]


class Sampled:
    """A mean over samples, with their data. Made by :func:`sampled`."""

    def __init__(self, function: Any, data: tuple[Drawn, ...]) -> None:
        self.function = function
        self.data = data

    @property
    def samples(self) -> int:
        """How many there are."""
        return len(self.data[0].array)

    def __repr__(self) -> str:
        shapes = ", ".join(str(d.array.shape) for d in self.data)
        return f"Sampled({self.samples} samples: {shapes})"


def sampled(function: Any, *data: npt.ArrayLike) -> Sampled:
    """An objective that is a mean over samples: ``function(x, y, *rows)``, where ``rows`` are those rows of
    each array of ``data`` that belong to a batch, or all of them.

    The mean over all samples is the objective of every strategy; methods that draw batches (``soba``, …)
    take ``batch=``. The function is called once for all samples, and once for each length of a batch: rows
    are then :class:`~bilevel.Var` s, which are read when the recording runs. Terms without samples, such as
    a penalty, belong to every batch in full. Rows of an array of integers may be an index: with
    ``np.arange(n)`` among the data, ``x[rows]`` are the entries of x that belong to the batch.

    >>> import numpy as np, bilevel as bl
    >>> b = np.array([0.5, 1.0, 1.5, 1.0])
    >>> upper = bl.sampled(lambda x, y, b: 0.5 * np.mean((b - y) ** 2) + 0.5 * np.sum(x**2), b)
    >>> lower = bl.sampled(lambda x, y, b: np.mean(b) * np.sum((y - x) ** 2), b)
    >>> p = bl.Problem(upper, lower, x=1, y=1)
    >>> p.hypergradient("aid-cg").hypergradient
    array([-1.])
    >>> run = p.solve("soba", iterations=3000, batch=2, rate=0.02)
    >>> bool(abs(run.x[0] - 0.5) < 0.1)
    True
    """
    if not data:
        raise TypeError("a sampled objective of no data: expected an array with a row for each sample")
    drawn = []
    for k, given in enumerate(data):
        array = real(given, f"data {k}")
        if array.ndim not in (1, 2) or array.size == 0:
            raise ValueError(
                f"data {k} has shape {array.shape}: expected a row for each sample, in 1 or 2 dimensions; "
                "reshape it to (samples, -1)"
            )
        if len(array) != len(np.asarray(data[0])):
            raise ValueError(
                f"data {k} has {len(array)} rows and data 0 has {len(np.asarray(data[0]))}: expected one for "
                "each sample"
            )
        own = kept(array)
        # Who changes the array afterwards changes no problem.
        own.flags.writeable = False
        drawn.append(Drawn(own))
    return Sampled(function, tuple(drawn))


class Mean(ABC):
    """A mean over samples: whole, and called with the length of a batch."""

    def __init__(self, samples: int, dtype: np.dtype[Any], what: str) -> None:
        if samples * np.finfo(dtype).eps > 1.0:
            raise ProblemError(f"{what} has {samples} samples: {dtype} does not tell them apart")
        self.samples, self._dtype, self._what = samples, dtype, what

    @property
    @abstractmethod
    def program(self) -> _bilevel.Program:
        """The mean over all samples."""

    @abstractmethod
    def __call__(self, length: int) -> _bilevel.Program:
        """The mean over batches of this length, of x, y and the indices."""

    def look_at(self, x: Array, y: Array) -> None:
        """Refuses what is no mean: parts of the samples, weighted by their lengths, give the whole."""
        if self.samples == 1:
            return
        rng = np.random.default_rng(0)
        at = [x, (y + 0.1 * rng.standard_normal(y.size)).astype(self._dtype)]
        whole, parts = float(self.program.evaluate(at)[0]), 0.0
        for part in np.array_split(np.arange(self.samples, dtype=self._dtype), 2):
            parts += len(part) / self.samples * float(self(len(part)).evaluate([*at, part])[0])
        unit = float(np.sqrt(np.finfo(self._dtype).eps))
        if np.isfinite([parts, whole]).all() and abs(parts - whole) > unit * (abs(parts) + abs(whole)):
            raise ProblemError(
                f"{self._what} is no mean over its samples: it is {whole:.6g} over all {self.samples}, and "
                f"{parts:.6g} as the mean over two halves; expected np.mean, or a division by the number of "
                "rows that it is given"
            )


class RecordedMean(Mean):
    """A mean over samples with what was recorded of it."""

    def __init__(
        self, of: Sampled, blocks: tuple[Blocks, Blocks], dtype: np.dtype[Any], what: str
    ) -> None:
        super().__init__(of.samples, dtype, what)
        self._of: Sampled | None = of
        self._blocks = blocks
        arrays = [d.array for d in of.data]
        self.whole = recorded(lambda x, y: called(of.function, what, x, y, *arrays), blocks, dtype, what)
        self._lengths: dict[int, Recorded] = {}

    @property
    def program(self) -> _bilevel.Program:
        return self.whole.program

    def __call__(self, length: int) -> _bilevel.Program:
        if length not in self._lengths:
            self._lengths[length] = self._recorded(length)
        return self._lengths[length].program

    def _recorded(self, length: int) -> Recorded:
        if self._of is None:
            known = sorted(self._lengths)
            raise ProblemError(
                f"{self._what} came out of a pickle, which keeps no function: batches of {length} samples "
                f"were not recorded before, those of {known} were"
            )
        tape = Tape(self._dtype, (*((b.size, 1) for b in self._blocks), (length, 1)))
        x, y = (variable(tape, k, of) for k, of in enumerate(self._blocks))
        indices = Var(tape, 2, (length,))._step("stop_gradient", (length,))
        rows = [Picked(indices, drawn) for drawn in self._of.data]
        return finished(tape, called(self._of.function, self._what, x, y, *rows), self._what)

    def __getstate__(self) -> dict[str, Any]:
        # What was recorded, and no code.
        return {**self.__dict__, "_of": None}


Samples = tuple[int, Mean | None]


def samples(*levels: object) -> tuple[Samples, Samples] | None:
    """How many samples each level is a mean over, and what records its batches; None if neither is one."""
    upper, lower = ((of.samples, of) if isinstance(of, Mean) else (1, None) for of in levels)
    return None if (upper[1] or lower[1]) is None else (upper, lower)
