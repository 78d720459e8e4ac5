"""Problems: recorded once, then run in Rust."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _bilevel, _fork
from ._arrays import FLOATS, Array, Blocks, precision, variables
from ._tape import Made, Recorded
from .data import reading_as
from .function import Function, recorded
from .names import natural
from .results import Check, Comparison, Estimate, MemoryTable, PlanTable
from .run import Run, Solution, to_its_end
from .sampled import RecordedMean, Sampled, samples
from .sweeps import Runs, configurations

__all__ = ["Problem", "problem"]

Objective = Callable[[Any, Any], Any] | Sampled


def given(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Settings as the texts that the command line takes; what is None is not given."""
    texts = []
    for key, value in settings.items():
        if isinstance(value, (bool, np.bool_)):
            texts.append((key, "true" if value else "false"))
        elif isinstance(value, (int, float, np.integer, np.floating)):
            texts.append((key, repr(value.item() if isinstance(value, np.generic) else value)))
        elif value is not None:
            texts.append((key, str(value)))
    return texts


class Problem:
    """A bilevel problem: ``min_x upper(x, y*(x))`` with ``y*(x) = argmin_y lower(x, y)``.

    The objectives are called once, with :class:`~bilevel.Var` s in the place of arrays, and are then
    run in Rust. ``x`` and ``y`` are each a size, a shape, an array or a dictionary of these; an array
    says the precision, where the problem is looked at (x), and where the lower level starts (y).

    >>> import numpy as np, bilevel as bl
    >>> def upper(x, y): return 0.5 * np.sum((y - 1.0) ** 2) + 0.5 * np.sum(x ** 2)
    >>> def lower(x, y): return 0.5 * np.sum((y - x) ** 2)
    >>> p = bl.Problem(upper, lower, x=np.array([0.3]), y=1)
    >>> p.hypergradient("aid-cg").hypergradient
    array([-0.4])

    ``part`` is what the lower level has beside its objective, as ``--part`` of the command line:
    ``box:LOW:HIGH``, ``simplex``, ``ball:RADIUS`` or ``l1:WEIGHT``. Here y* is x in a box:

    >>> p = bl.Problem(upper, lower, x=np.array([0.3]), y=1, part="box:0:0.25")
    >>> p.hypergradient("aid-cg").hypergradient
    array([0.3])
    """

    _inner: _bilevel.Problem
    _recorded: tuple[Recorded | RecordedMean, Recorded | RecordedMean] | None
    _how: dict[str, Any]
    x_blocks: Blocks
    y_blocks: Blocks
    #: The last run that :meth:`solve` began, where it was stopped or interrupted.
    last_run: Run
    #: Settings and solutions of the last :meth:`sweep`, as far as it came.
    last_sweep: list[tuple[dict[str, Any], Solution]]

    def __init__(
        self,
        upper: Objective,
        lower: Objective,
        x: Any,
        y: Any,
        *,
        start: Any = None,
        dtype: npt.DTypeLike | None = None,
        bounds: tuple[float, float] | None = None,
        part: str | None = None,
        name: str = "own",
    ) -> None:
        blocks, points, kind = variables(x, y, start, dtype)
        self.x_blocks, self.y_blocks = blocks
        recordings = (
            _recorded(upper, blocks, kind, "the upper objective"),
            _recorded(lower, blocks, kind, "the lower objective"),
        )
        for recording in recordings:
            if isinstance(recording, RecordedMean):
                recording.look_at(points[0], points[1])
        self._made_of(recordings, points[0], points[1], bounds, part, name)

    def _made_of(
        self,
        recordings: tuple[Recorded | RecordedMean, Recorded | RecordedMean],
        x: Array,
        y: Array,
        bounds: tuple[float, float] | None,
        part: str | None,
        name: str,
    ) -> None:
        self._recorded = recordings
        self._how = {"x": x, "y": y, "bounds": bounds, "part": part, "name": name}
        _fork.used()
        upper, lower = recordings
        self._inner = _bilevel.Problem(
            name, upper.program, lower.program, x, y, bounds, samples(upper, lower), part
        )

    # ---- what it is

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def dtype(self) -> np.dtype[Any]:
        return FLOATS[not self._inner.single]

    @property
    def dim_x(self) -> int:
        return self._inner.dims[0]

    @property
    def dim_y(self) -> int:
        return self._inner.dims[1]

    @property
    def x(self) -> Any:
        """The point it is looked at, unless another is given."""
        return self.x_blocks.unpack(self._inner.x)

    @property
    def start(self) -> Any:
        """Where the lower level starts."""
        return self.y_blocks.unpack(self._inner.start)

    @property
    def upper(self) -> Function:
        """The upper objective: its value, gradient and Hessian-vector products at any (x, y)."""
        return self._function(0)

    @property
    def lower(self) -> Function:
        """The lower objective, likewise.

        >>> import numpy as np, bilevel as bl
        >>> p = bl.Problem(lambda x, y: np.sum(y**2), lambda x, y: np.sum(x * y**2), x=2, y=2)
        >>> p.lower.hvp(np.ones(2), np.ones(2), None, np.array([1.0, 0.0]), by=1)
        array([2., 0.])
        """
        return self._function(1)

    def _function(self, level: int) -> Function:
        self._asks(("upper", "lower")[level])
        made: Made | Recorded | RecordedMean = Made(self._inner.programs[level])
        if self._recorded is not None:
            made = self._recorded[level]
        if isinstance(made, RecordedMean):
            made = made.whole
        return Function(made, self.dtype, (self.x_blocks, self.y_blocks))

    @property
    def read(self) -> str | None:
        """How the data was read, where it is made of such."""
        return self._inner.read

    def __repr__(self) -> str:
        return f"Problem({self.name}: x of {self.dim_x}, y of {self.dim_y} entries, {self.dtype})"

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_inner", "last_run", "last_sweep")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._recorded is None:
            self._inner = _named(**self._how)
        else:
            self._made_of(self._recorded, **self._how)

    def _point(self, x: Any) -> Array | None:
        return None if x is None else self.x_blocks.pack(x, self.dtype, "x")

    def _asks(self, what: str) -> None:
        """Hears what is asked for next."""

    #: What is to be said beneath every table.
    _notes: tuple[str, ...] = ()

    # ---- what is asked of it

    def hypergradient(
        self, strategy: str = "aid-cg", *, x: Any = None, start: Any = None, **settings: Any
    ) -> Estimate:
        """The hypergradient of a strategy, with the evidence for it.

        ``settings`` are those of the command line (``depth``, ``tolerance``, …); see
        :func:`bilevel.strategies`.
        """
        self._asks(strategy)
        begin = None if start is None else self.y_blocks.pack(start, self.dtype, "start")
        record, estimate, h, y = self._inner.hypergradient(
            strategy, given(settings), self._point(x), begin
        )
        vectors = self.x_blocks.unpack(h), self.y_blocks.unpack(y)
        return Estimate._of(record, estimate, *vectors, self._notes)

    def compare(
        self, strategies: Iterable[str] | None = None, *, x: Any = None, **settings: Any
    ) -> Comparison:
        """Strategies side by side: error, residuals, oracle calls, time and bytes. Without names, those
        that suit."""
        names = None if strategies is None else _names(strategies, "strategies")
        self._asks("compare")
        return Comparison(self._inner.compare(names, given(settings), self._point(x)), self._notes)

    def run(self, method: str, *, x: Any = None, seed: int = 0, **settings: Any) -> Run:
        """A method's run, to be iterated over: each step gives the record of its iterations."""
        self._asks(method)
        begun = _bilevel.Run(self._inner, method, given(settings), natural(seed, "seed"), self._point(x))
        return Run(self, begun)

    def resume(self, folder: str | os.PathLike[str]) -> Run:
        """The run that was left in a folder, which goes on from there to the bit."""
        return Run(self, _bilevel.Run.resume(self._inner, os.fspath(folder)))

    def solve(
        self,
        method: str,
        *,
        x: Any = None,
        seed: int = 0,
        callback: Callable[[Run, dict[str, Any]], Any] | None = None,
        progress: bool = False,
        worth: bool = True,
        **settings: Any,
    ) -> Solution:
        """A method's run to its end.

        ``settings`` are those of ``bilevel solve`` (``iterations``, ``rate``, ``optimiser``, ``batch``,
        …); see :func:`bilevel.methods`. ``callback(run, record)`` is called after each record, and stops
        the run by returning False. A run that is interrupted is kept in ``last_run``. At the end it is
        measured what x is worth (:meth:`Run.gain`), unless ``worth`` is False.
        """
        self.last_run = self.run(method, x=x, seed=seed, **settings)
        return to_its_end(self.last_run, callback, progress, worth)

    def sweep(
        self, methods: str | Iterable[str], *, seeds: Iterable[int] = (0,), x: Any = None, **settings: Any
    ) -> Runs:
        """Methods, each with every combination of the settings that are lists, and with every seed: a table
        with a record for each run. :func:`bilevel.sweep` runs a file of configurations, in processes.

        Settings that do not fit are refused before the first run. Of a sweep that is interrupted the runs
        that are over are in ``last_sweep``.

        >>> import numpy as np, bilevel as bl
        >>> p = bl.Problem(lambda x, y: np.sum((y - 1) ** 2), lambda x, y: np.sum((y - x) ** 2), x=1, y=1)
        >>> runs = p.sweep(["aid-cg", "itd"], rate=[0.1, 0.4], iterations=30)
        >>> [(r["method"], r["rate"], r["upper"] < 1e-9) for r in runs]
        [('aid-cg', 0.1, False), ('aid-cg', 0.4, True), ('itd', 0.1, False), ('itd', 0.4, True)]
        """
        differ, every = configurations(methods, seeds, settings)
        asked = list(every)
        for one in asked:
            self.run(x=x, **one)
        self.last_sweep = []
        for one in asked:
            self.last_sweep.append((one, self.solve(x=x, **one)))
        return Runs(differ, self.last_sweep)

    def memory(
        self,
        depths: Iterable[int] = (10, 100, 1000),
        policies: Iterable[str] | None = None,
        *,
        budget: str | int | None = None,
        x: Any = None,
        **settings: Any,
    ) -> MemoryTable:
        """Bytes and time of the memory policies of an unrolled loop, against its depth."""
        names = None if policies is None else _names(policies, "policies")
        limit = None if budget is None else str(budget)
        self._asks("memory")
        records = self._inner.memory(_counts(depths), names, given(settings), limit, self._point(x))
        return MemoryTable(records, self._notes)

    def plan(
        self, depth: int | None = None, *, budget: str | int, **settings: Any
    ) -> PlanTable:
        """The fastest schedule of a depth for a budget of bytes, or without a depth the deepest loop of
        each policy; nothing is run."""
        self._asks("plan")
        depth = None if depth is None else natural(depth, "depth")
        records, refused = self._inner.plan(depth, str(budget), given(settings))
        return PlanTable(records, refused)

    def check(self, *, x: Any = None, seed: int = 0, strategies: bool = False) -> Check:
        """Gradients, products and cross products of both objectives against other ways to them, with a
        control; with ``strategies`` every strategy's hypergradient too."""
        self._asks("check")
        return Check(self._inner.check(natural(seed, "seed"), strategies, self._point(x)))


def _recorded(
    objective: Any, blocks: tuple[Blocks, Blocks], dtype: np.dtype[Any], what: str
) -> Recorded | RecordedMean:
    if isinstance(objective, Sampled):
        return RecordedMean(objective, blocks, dtype, what)
    return recorded(objective, blocks, dtype, what)


def _names(given: Iterable[str], what: str) -> list[str]:
    if isinstance(given, str):
        raise TypeError(f"{what} is one text: expected a list of names")
    names = [str(name) for name in given]
    if not names:
        raise ValueError(f"no {what}: expected at least one name, or None for those that suit")
    return names


def _counts(given: Iterable[int]) -> list[int]:
    counts = [int(n) for n in given]
    if not counts or min(counts) < 1:
        raise ValueError(f"depths {counts}: expected counts from 1 on")
    return counts


def _named(
    name: str,
    dtype: str,
    seed: int,
    data: str | None,
    reading: dict[str, Any],
    bias: bool,
    large: bool,
    part: str | None,
) -> _bilevel.Problem:
    _fork.used()
    return _bilevel.Problem.named(name, dtype == "float32", seed, data, reading, bias, large, part)


def problem(
    name: str,
    *,
    data: str | os.PathLike[str] | None = None,
    seed: int = 0,
    dtype: npt.DTypeLike = np.float64,
    bias: bool = False,
    large: bool = False,
    part: str | None = None,
    **reading: Any,
) -> Problem:
    """A problem of the catalogue (:func:`bilevel.problems`), on its own data or on a file.

    ``reading`` says how a table is read: ``header``, ``first_index``, ``format``, ``keep_index``,
    ``standardise``; ``part`` is what the lower level has beside g, as for :class:`Problem`.
    """
    kind = precision(dtype)
    how: dict[str, Any] = {
        "name": name,
        "dtype": str(kind),
        "seed": natural(seed, "seed"),
        "data": None if data is None else os.fspath(data),
        "reading": reading_as(reading),
        "bias": bias,
        "large": large,
        "part": part,
    }
    made = Problem.__new__(Problem)
    made._recorded = None
    made._how = how
    made._inner = _named(**how)
    dim_x, dim_y = made._inner.dims
    made.x_blocks = Blocks(((None, (dim_x,)),))
    made.y_blocks = Blocks(((None, (dim_y,)),))
    return made


