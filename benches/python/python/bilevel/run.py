"""Runs of methods: record by record, with a callback, or to the end."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _bilevel
from .results import Table

if TYPE_CHECKING:
    from .problem import Problem

__all__ = ["Run", "Solution", "Trace"]


class Trace(Table):
    """The records of a run."""

    _shown = (
        "iteration",
        "seconds",
        "upper",
        "lower_residual",
        "hypergradient_norm",
        "hvps",
        "gradients",
        "status",
    )
    _axes = ("iteration", "upper")
    _series = "method"


class Solution:
    """Where a run came to, with its trace and all that it followed from."""

    def __init__(
        self,
        x: Any,
        y: Any,
        trace: Trace,
        so_far: Mapping[str, Any],
        record: dict[str, Any],
    ) -> None:
        #: The outer and the inner variable, in the shapes of the problem.
        self.x, self.y = x, y
        #: Its records, one for each iteration that was reported.
        self.trace = trace
        #: Settings, seed, versions, platform and threads.
        self.record = record
        #: The first iteration that failed, in a sentence with a remedy.
        self.failure: str | None = so_far["failure"]
        self.warnings: tuple[str, ...] = tuple(so_far["warnings"])
        #: What x is worth at the start and at the end, the lower level solved there: see :meth:`Run.gain`.
        self.gain: dict[str, Any] | None = None
        self.iterations: int = so_far["iteration"]
        self.seconds: float = so_far["seconds"]

    @property
    def ok(self) -> bool:
        """Whether every iteration was what was asked for."""
        return self.failure is None

    @property
    def message(self) -> str:
        return self.failure or f"{self.iterations} iterations"

    @property
    def status(self) -> str:
        """How the last iteration ended, in a word."""
        return str(self.trace[-1]["status"]) if len(self.trace) else "not begun"

    def __repr__(self) -> str:
        return str(self.trace)

    def _repr_html_(self) -> str:
        return self.trace._repr_html_()

    def plot(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`Table.plot` of the trace."""
        return self.trace.plot(*args, **kwargs)


class Run(Iterator[dict[str, Any]]):
    """A run that goes on as it is iterated over: a record at a time.

    >>> for record in problem.run("aid-cg", iterations=20):  # doctest: +SKIP
    ...     print(record["iteration"], record["upper"])
    """

    def __init__(self, problem: Problem, run: _bilevel.Run) -> None:
        self._problem = problem
        self._run = run

    @property
    def method(self) -> str:
        return self._run.method

    @property
    def iterations(self) -> int:
        """Iterations in all."""
        return self._run.iterations

    @property
    def x(self) -> Any:
        """The outer variable as it is now."""
        return self._now()[0]

    @property
    def y(self) -> Any:
        """The inner variable as it is now."""
        return self._now()[1]

    def _now(self) -> tuple[Any, Any, dict[str, Any], _bilevel.Records]:
        x, y, so_far, records = self._run.outcome()
        p = self._problem
        return (
            p.x_blocks.unpack(x.astype(p.dtype)),
            p.y_blocks.unpack(y.astype(p.dtype)),
            so_far,
            records,
        )

    def __next__(self) -> dict[str, Any]:
        self._problem._asks(self.method)
        record = self._run.step()
        if record is None:
            raise StopIteration
        return record

    def __getstate__(self) -> Any:
        raise TypeError("a run is not pickled: expected .save(folder), or a pickle of its .solution()")

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Leaves the run in a folder, as ``bilevel solve --out`` does: :func:`bilevel.resume`,
        :meth:`Problem.resume` or ``bilevel solve --resume`` goes on from there, bit for bit."""
        self._run.save(os.fspath(folder))

    def gain(self) -> dict[str, Any] | None:
        """What x is worth where the run began (``start``) and where it stands (``end``): ``value`` is
        F(x, y*(x)) and ``gradient_norm`` that of its gradient (``projected_norm`` within bounds of x), with
        the lower level solved there, and ``off`` how far the method's own y is from that solution.
        ``missing`` says why one of them is None, ``warning`` that x is worth less than at the start.

        It takes two hypergradients, which are no part of the run's counts or time. None where the problem
        brings its own steps: what they lead to is what is meant.
        """
        gain, warning = self._run.gain()
        return None if gain is None else {**gain, "warning": warning}

    def solution(self) -> Solution:
        """The run as it is now."""
        x, y, so_far, records = self._now()
        return Solution(x, y, Trace(records), so_far, self.record)

    @property
    def record(self) -> dict[str, Any]:
        """What the run follows from."""
        return {
            "problem": self._problem.name,
            "method": self.method,
            "settings": self._run.settings,
            "seed": self._run.settings["seed"],
            "dtype": str(self._problem.dtype),
            "threads": _bilevel.threads(),
            "version": _bilevel.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "machine": f"{platform.machine()} {sys.platform}",
        }


def to_its_end(
    run: Run, callback: Callable[[Run, dict[str, Any]], Any] | None, progress: bool, worth: bool
) -> Solution:
    """Iterates; a callback that returns False stops. Then measures what x is worth, if it is to."""
    bar = _bar(run) if progress else None
    for record in run:
        if bar is not None:
            bar(record)
        if callback is not None and callback(run, record) is False:
            break
    solution = run.solution()
    if worth:
        solution.gain = run.gain()
        warning = solution.gain["warning"] if solution.gain is not None else None
        # Of a run that failed it is no news.
        if solution.ok and warning is not None:
            solution.warnings += (warning,)
    return solution


def _bar(run: Run) -> Callable[[dict[str, Any]], None]:
    try:
        from tqdm.auto import tqdm
    except ImportError:

        def line(record: dict[str, Any]) -> None:
            at = f"{run.method} {record['iteration']}/{run.iterations} F = {record['upper']:.6g}"
            end = "\n" if record["iteration"] >= run.iterations else "\r"
            print(at, end=end, file=sys.stderr, flush=True)

        return line
    bar = tqdm(total=run.iterations, desc=run.method)

    def show(record: dict[str, Any]) -> None:
        bar.update(record["iteration"] - bar.n)
        bar.set_postfix(upper=f"{record['upper']:.4g}")
        if record["iteration"] >= run.iterations:
            bar.close()

    return show
