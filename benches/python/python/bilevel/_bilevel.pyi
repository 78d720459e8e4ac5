"""The compiled part: recordings, problems and records of the engine. Nothing here is for users."""

from collections.abc import Callable
from typing import Any, final

import numpy as np
import numpy.typing as npt

__all__ = [
    "Layer",
    "Point",
    "Problem",
    "Program",
    "Recording",
    "Records",
    "Run",
    "Samples",
    "Table",
    "Value",
    "__version__",
    "_panics",
    "check_functions",
    "command_line",
    "load",
    "methods",
    "operations",
    "oracle",
    "problems",
    "set_threads",
    "strategies",
    "threads",
]

__version__: str

_Vector = npt.NDArray[np.float64] | npt.NDArray[np.float32]
_Named = tuple[str, str, list[str]]
_Given = list[tuple[str, str]]
_Samples = tuple[int, Callable[[int], Program] | None]

@final
class Value:
    @property
    def shape(self) -> tuple[int, int]: ...

@final
class Samples:
    def __new__(
        cls,
        single: bool,
        features: npt.NDArray[np.float64],
        labels: npt.NDArray[np.float64],
        *,
        classes: int | None = None,
        signs: bool = False,
    ) -> Samples: ...
    @property
    def bytes(self) -> int: ...

@final
class Table:
    def __new__(cls, single: bool, entries: _Vector, width: int) -> Table: ...

@final
class Recording:
    def __new__(cls, single: bool, inputs: list[tuple[int, int]]) -> Recording: ...
    @property
    def inputs(self) -> list[Value]: ...
    @property
    def is_open(self) -> bool: ...
    def constant(self, data: _Vector, rows: int, cols: int, site: str) -> Value: ...
    def apply(
        self, name: str, operands: list[Value], counts: list[int], parameter: float, site: str
    ) -> Value: ...
    def loss(
        self, name: str, samples: Samples, operands: list[Value], picked: bool, site: str
    ) -> Value: ...
    def rows(self, table: Table, indices: Value, flat: bool, site: str) -> Value: ...
    def finish(self, output: Value) -> Program: ...

@final
class Program:
    @property
    def operations(self) -> int: ...
    def point(self) -> Point: ...
    def evaluate(self, inputs: list[_Vector]) -> _Vector: ...
    def gradients(
        self, inputs: list[_Vector], by: list[int]
    ) -> tuple[float, list[_Vector]]: ...
    def product(
        self, inputs: list[_Vector], directions: list[_Vector | None], width: int, by: list[int]
    ) -> list[_Vector]: ...

@final
class Point:
    def linearise(self, inputs: list[_Vector]) -> tuple[float, list[_Vector]]: ...
    def product(
        self, directions: list[_Vector | None], width: int, by: list[int]
    ) -> list[_Vector]: ...

@final
class Records:
    def rows(self) -> list[dict[str, Any]]: ...
    def lines(self) -> list[str]: ...
    def table(self) -> str: ...
    def write_page(self, file: str, title: str, subtitle: str) -> None: ...

@final
class Problem:
    def __new__(
        cls,
        name: str,
        upper: Program,
        lower: Program,
        x: _Vector,
        y: _Vector,
        bounds: tuple[float, float] | None,
        samples: tuple[_Samples, _Samples] | None = None,
        part: str | None = None,
    ) -> Problem: ...
    @staticmethod
    def named(
        name: str,
        single: bool,
        seed: int,
        data: str | None,
        reading: dict[str, Any],
        bias: bool,
        large: bool,
        part: str | None = None,
    ) -> Problem: ...
    @property
    def name(self) -> str: ...
    @property
    def single(self) -> bool: ...
    @property
    def dims(self) -> tuple[int, int]: ...
    @property
    def x(self) -> _Vector: ...
    @property
    def start(self) -> _Vector: ...
    @property
    def programs(self) -> tuple[Program, Program]: ...
    @property
    def read(self) -> str | None: ...
    def hypergradient(
        self,
        strategy: str,
        given: _Given,
        x: _Vector | None = None,
        start: _Vector | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any], _Vector, _Vector]: ...
    def compare(
        self, names: list[str] | None, given: _Given, x: _Vector | None = None
    ) -> Records: ...
    def memory(
        self,
        depths: list[int],
        policies: list[str] | None,
        given: _Given,
        budget: str | None = None,
        x: _Vector | None = None,
    ) -> Records: ...
    def plan(
        self, depth: int | None, budget: str, given: _Given
    ) -> tuple[Records, str | None]: ...
    def check(self, seed: int, strategies: bool, x: _Vector | None) -> Records: ...

@final
class Run:
    def __new__(
        cls, problem: Problem, method: str, given: _Given, seed: int, x: _Vector | None = None
    ) -> Run: ...
    @property
    def method(self) -> str: ...
    @property
    def iterations(self) -> int: ...
    @property
    def settings(self) -> dict[str, Any]: ...
    def step(self) -> dict[str, Any] | None: ...
    def gain(self) -> tuple[dict[str, Any] | None, str | None]: ...
    def outcome(self) -> tuple[_Vector, _Vector, dict[str, Any], Records]: ...
    @staticmethod
    def resume(problem: Problem, folder: str) -> Run: ...
    def save(self, folder: str) -> None: ...

@final
class Layer:
    def __new__(cls, lower: Program, dim_x: int, start: _Vector) -> Layer: ...
    def call(
        self,
        strategy: str,
        given: _Given,
        x: _Vector,
        starts: _Vector | None = None,
        cotangents: _Vector | None = None,
        guesses: _Vector | None = None,
    ) -> tuple[_Vector, _Vector, _Vector, list[dict[str, Any]]]: ...
    def sensitivities(
        self,
        strategy: str,
        given: _Given,
        x: _Vector,
        start: _Vector | None = None,
        cotangents: _Vector | None = None,
    ) -> tuple[_Vector, _Vector, list[dict[str, Any]], bool, dict[str, Any]]: ...

def oracle(
    single: bool, name: str, functions: object, dims: list[int], site: str
) -> Program: ...
def check_functions(
    name: str,
    f: object,
    grad: object,
    hvp: object | None,
    x: npt.NDArray[np.float64],
    seed: int,
    epsilon: float,
    entries: int,
) -> tuple[Records, bool, list[str], str, bool]: ...
def command_line(arguments: list[str], itself: list[str]) -> int: ...
def load(
    path: str, seed: int, labels: str, reading: dict[str, Any]
) -> tuple[list[tuple[_Vector, int, _Vector]], str]: ...
def operations() -> list[str]: ...
def strategies() -> list[_Named]: ...
def methods() -> list[_Named]: ...
def problems() -> list[tuple[str, str, str]]: ...
def set_threads(count: int) -> None: ...
def threads() -> int: ...
def _panics(text: str, in_a_thread: bool) -> None: ...
