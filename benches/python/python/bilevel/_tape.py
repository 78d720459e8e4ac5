"""The list of operations behind a recording: what is recorded, and what a pickle keeps."""

from __future__ import annotations

import os
import sys
import weakref
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from . import _bilevel
from ._arrays import Array, kept
from .errors import TraceError

__all__ = ["Drawn", "LossData", "Made", "Recorded", "Step", "Tape"]

#: Where no line is the user's.
_NOT_THE_USERS = tuple(str(Path(m.__file__ or "").parent) + os.sep for m in (np, _bilevel))


def _line() -> str:
    """The line of the user's that records."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(_NOT_THE_USERS):
            return f"{Path(file).name}:{frame.f_lineno}"
        frame = frame.f_back
    return "?"


@dataclass(frozen=True)
class Step:
    """One operation: a name of the engine, or ``constant`` or ``loss`` with data."""

    name: str
    operands: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
    parameter: float = 0.0
    data: Any = None
    #: The user's line, which messages name.
    site: str = ""


@dataclass(frozen=True, eq=False)
class LossData:
    """The samples of a fused loss, as they are kept in a pickle."""

    features: Array
    labels: Array
    classes: int | None
    signs: bool
    _made: dict[bool, _bilevel.Samples] = field(default_factory=dict, repr=False)

    @staticmethod
    def of(features: Array, labels: Array, classes: int | None, signs: bool) -> LossData:
        """These samples, which are kept once, whatever recordings go over them."""
        for data in list(_LOSSES):
            same = (data.classes, data.signs) == (classes, signs)
            if same and np.array_equal(data.features, features) and np.array_equal(data.labels, labels):
                return data
        data = LossData(kept(features), kept(labels), classes, signs)
        _LOSSES.add(data)
        return data

    def samples(self, single: bool) -> _bilevel.Samples:
        """Their numbers in a precision."""
        if single not in self._made:
            self._made[single] = _bilevel.Samples(
                single,
                np.ascontiguousarray(self.features, np.float64).reshape(-1),
                np.ascontiguousarray(self.labels, np.float64),
                classes=self.classes,
                signs=self.signs,
            )
        return self._made[single]

    def __reduce__(self) -> Any:
        return LossData, (self.features, self.labels, self.classes, self.signs)


#: The samples of losses that somebody has.
_LOSSES: weakref.WeakSet[LossData] = weakref.WeakSet()


@dataclass(frozen=True)
class Drawn:
    """An array of samples, a row for each, that recordings pick batches from."""

    #: Nobody writes to it.
    array: Array
    _tables: dict[bool, _bilevel.Table] = field(default_factory=dict, compare=False, repr=False)

    def table(self, single: bool) -> _bilevel.Table:
        """Its numbers in a precision, which all recordings share."""
        if single not in self._tables:
            numbers: Any = np.ascontiguousarray(self.array, np.float32 if single else np.float64)
            width = numbers.size // len(numbers)
            self._tables[single] = _bilevel.Table(single, numbers.reshape(-1), width)
        return self._tables[single]

    def __reduce__(self) -> Any:
        return Drawn, (self.array,)


@dataclass
class Tape:
    """A recording that goes on. Values are numbers: the inputs first, then a number for each step."""

    dtype: np.dtype[Any]
    inputs: tuple[tuple[int, int], ...]
    steps: list[Step] = field(default_factory=list)
    values: list[_bilevel.Value] = field(default_factory=list)
    _constants: dict[Any, tuple[Any, Array, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.recording = _bilevel.Recording(self.dtype == np.float32, list(self.inputs))
        self.values = list(self.recording.inputs)

    @property
    def single(self) -> bool:
        return self.dtype == np.float32

    def push(self, step: Step) -> int:
        """Records a step and gives the number of its value."""
        if not step.site:
            step = replace(step, site=_line())
        operands = [self.values[k] for k in step.operands]
        if step.name == "constant":
            rows, cols = step.counts
            value = self.recording.constant(step.data, rows, cols, step.site)
        elif step.name == "rows":
            flat = step.data.array.ndim == 1
            table = step.data.table(self.single)
            value = self.recording.rows(table, operands[0], flat, step.site)
        elif step.name.startswith("loss"):
            kind, name = step.name.split(":")
            samples = step.data.samples(self.single)
            value = self.recording.loss(name, samples, operands, kind == "loss_of", step.site)
        else:
            value = self.recording.apply(
                step.name, operands, list(step.counts), step.parameter, step.site
            )
        self.steps.append(step)
        self.values.append(value)
        return len(self.values) - 1

    def constant(self, array: Array, rows: int, cols: int) -> int:
        """A constant of C-contiguous numbers; the same array is kept once."""
        pointer = array.__array_interface__["data"][0]
        key = (pointer, array.shape, array.strides, array.dtype.str)
        known = self._constants.get(key)
        if known is not None:
            _, numbers, at = known
            # It may have been written to since.
            if np.array_equal(numbers, array.reshape(-1), equal_nan=True):
                return self._shaped(at, rows, cols)
        numbers = kept(array, self.dtype).reshape(-1)
        at = self.push(Step("constant", (), (rows, cols), 0.0, numbers))
        # The array is held, so that its memory is no other's.
        self._constants[key] = (array, numbers, at)
        return at

    def _shaped(self, at: int, rows: int, cols: int) -> int:
        if self.values[at].shape == (rows, cols):
            return at
        return self.push(Step("reshape", (at,), (rows, cols)))

    def finish(self, output: int) -> Recorded:
        """Ends the recording."""
        if not self.recording.is_open:
            raise TraceError("this recording is over")
        program = self.recording.finish(self.values[output])
        return Recorded(program, self.dtype, self.inputs, tuple(self.steps), output)


@dataclass(frozen=True)
class Recorded:
    """A finished recording with its steps: a pickle of it runs no code of anybody's."""

    program: _bilevel.Program
    dtype: np.dtype[Any]
    inputs: tuple[tuple[int, int], ...]
    steps: tuple[Step, ...]
    output: int

    def __reduce__(self) -> Any:
        return _replayed, (self.dtype.str, self.inputs, self.steps, self.output)


@dataclass(frozen=True)
class Made:
    """A program that was not recorded here: it is not pickled."""

    program: _bilevel.Program


def _replayed(
    dtype: str, inputs: tuple[tuple[int, int], ...], steps: tuple[Step, ...], output: int
) -> Recorded:
    tape = Tape(np.dtype(dtype), inputs)
    for step in steps:
        tape.push(step)
    return tape.finish(output)
