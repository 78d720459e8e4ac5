"""Results: frozen, with NumPy arrays, a status in a word and in a sentence, and the program's records."""

from __future__ import annotations

import html
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from . import _bilevel
from .errors import NumericalWarning, StatusError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Check", "Comparison", "Estimate", "MemoryTable", "PlanTable", "Table"]


@dataclass(frozen=True, repr=False)
class Estimate:
    """A hypergradient with the evidence for it."""

    #: The strategy's name.
    strategy: str
    #: The hypergradient, in the shape of x. Where ``ok`` is False it is there for inspection.
    hypergradient: Any
    #: The inner variable it was taken at, in the shape of y.
    y: Any
    #: F(x, y).
    upper: float
    #: How the computation ended, in a word.
    status: str
    #: The numbers behind the status.
    details: Any
    #: How the computation ended, in a sentence with a remedy.
    message: str
    #: Whether the estimate is what was asked for.
    ok: bool
    #: ‖∇_y g(x, y)‖.
    lower_residual: float
    #: ‖Hv − ∇_yF‖ / ‖∇_yF‖, recomputed.
    linear_residual: float | None
    #: How far y is from the solution of the lower level, as a part of y's size.
    distance: float | None
    #: Where a tolerance was given for the lower level: how much a nearer y changed the hypergradient.
    change: float | None
    #: How far the last step of an unrolled loop moved y, as a part of the way from the start.
    moving: float | None
    #: The share of the cotangent that is left at the start of an unrolled loop.
    left: float | None
    #: How far it is to another active set, where the lower level is not smooth.
    margin: float | None
    #: The bound on the error's norm, and whether the problem's constants certify it.
    certificate: Mapping[str, Any] | None
    #: Iterations of the lower level, and of the linear solver or of the way back.
    lower_iterations: int
    linear_iterations: int
    #: Steps of an unrolled loop that the way back ran again.
    recomputed_steps: int
    #: The lower level's step length.
    step: float | None
    #: Hessian-vector products and gradients of both levels.
    hvps: int
    gradients: int
    #: Sweeps of each level.
    oracles: Mapping[str, Mapping[str, int]]
    #: The most bytes of the engine held at one time.
    peak_bytes: int
    seconds: float
    warnings: tuple[str, ...]
    #: The record that ``bilevel compare`` writes.
    record: Mapping[str, Any] = field(compare=False)
    #: What the numbers leave out.
    notes: tuple[str, ...] = ()

    @classmethod
    def _of(
        cls,
        record: dict[str, Any],
        estimate: dict[str, Any],
        h: Any,
        y: Any,
        notes: tuple[str, ...] = (),
    ) -> Estimate:
        status = estimate["status"]
        names = (
            "strategy upper lower_residual linear_residual distance change moving left margin certificate "
            "lower_iterations linear_iterations recomputed_steps step oracles seconds message"
        ).split()
        made = cls(
            hypergradient=h,
            y=y,
            status=status["code"],
            details=status.get("details"),
            ok=estimate["success"],
            hvps=record["hvps"],
            gradients=record["gradients"],
            peak_bytes=record["peak_bytes"],
            warnings=tuple(estimate["warnings"]),
            record=record,
            notes=notes,
            **{name: estimate[name] for name in names},
        )
        if not made.ok:
            warnings.warn(f"{made.strategy}: {made.message}", NumericalWarning, stacklevel=3)
        return made

    def check(self) -> Self:
        """The estimate itself, or :class:`~bilevel.StatusError` where it is not what was asked for."""
        if not self.ok:
            raise StatusError(f"{self.strategy}: {self.status}: {self.message}")
        return self

    def _lines(self) -> list[tuple[str, str]]:
        lines = [("status", f"{self.status}: {self.message}" if not self.ok else self.status)]
        named = "upper lower_residual linear_residual distance change moving left step seconds".split()
        lines += [(n, f"{v:.6g}") for n in named if (v := getattr(self, n)) is not None]
        if self.certificate is not None:
            lines.append(("certificate", ", ".join(f"{k} {v}" for k, v in self.certificate.items())))
        lines.append(("oracle calls", f"{self.hvps} products, {self.gradients} gradients"))
        lines.append(("peak bytes", f"{self.peak_bytes:,}"))
        return lines + [("warning", w) for w in self.warnings] + [("note", n) for n in self.notes]

    def __repr__(self) -> str:
        with np.printoptions(threshold=8, edgeitems=3):
            lines = [f"{name}: {value}" for name, value in self._lines()]
            return "\n  ".join([f"Estimate({self.strategy}) {self.hypergradient}", *lines])

    def _repr_html_(self) -> str:
        rows = [(self.strategy, f"{_norm(self.hypergradient):.6g}")]
        return _html(["", "norm"], rows) + _html(["", ""], self._lines())


def _norm(h: Any) -> float:
    parts = h.values() if isinstance(h, Mapping) else [h]
    return float(np.sqrt(sum(float(np.sum(np.square(np.asarray(p)))) for p in parts)))


def _html(titles: list[str], rows: list[Any]) -> str:
    head = "".join(f"<th>{html.escape(t)}</th>" for t in titles)
    cell = "".join
    body = cell("<tr>" + cell(f"<td>{html.escape(_text(v))}</td>" for v in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(value: Any) -> str:
    match value:
        case None:
            return "–"
        case float():
            return f"{value:.4g}"
    return str(value)


class Table:
    """Records of a study, as the program writes them: a sequence of dictionaries.

    ``str()`` is the program's table; notebooks show HTML.
    """

    #: The columns that are shown in a notebook.
    _shown: tuple[str, ...] = ()
    #: Numbers that :meth:`plot` draws unless others are named.
    _axes: tuple[str, str] = ("", "")
    _series: str = ""

    def __init__(self, records: _bilevel.Records, notes: tuple[str, ...] = ()) -> None:
        #: What the numbers leave out.
        self.notes = notes
        self._records: _bilevel.Records | None = records
        self.records: tuple[dict[str, Any], ...] = tuple(records.rows())
        self._as_text = "\n".join([records.table(), *notes])
        for record in self.records:
            if isinstance(record.get("hypergradient"), list):
                record["hypergradient"] = np.array(record["hypergradient"])

    @property
    def ok(self) -> bool:
        """Whether every record is what was asked for."""
        return all(r.get("success", True) for r in self.records)

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.records)

    def __getitem__(self, key: int) -> dict[str, Any]:
        return self.records[key]

    def __str__(self) -> str:
        return self._as_text

    def __repr__(self) -> str:
        return self._as_text

    def _repr_html_(self) -> str:
        titles = [t for t in self._shown if any(r.get(t) is not None for r in self.records)]
        table = _html(titles, [[r.get(t) for t in titles] for r in self.records])
        return table + "".join(f"<p>{html.escape(n)}</p>" for n in self.notes)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_records": None}

    def to_pandas(self) -> pd.DataFrame:
        """The records as a DataFrame."""
        import pandas

        return pandas.DataFrame(list(self.records))

    def plot(self, x: str | None = None, y: str | None = None, *, ax: Any = None) -> Any:
        """A plot of two numbers of the records on logarithmic axes; gives the axes."""
        across, up = x or self._axes[0], y or self._axes[1]
        for name in (across, up):
            if not any(name in r for r in self.records):
                known = sorted({k for r in self.records for k, v in r.items() if isinstance(v, (int, float))})
                raise ValueError(f"no number {name!r} in the records: expected one of {', '.join(known)}")
        if ax is None:
            from matplotlib import pyplot

            _, ax = pyplot.subplots()
        series: dict[str, list[tuple[float, float]]] = {}
        for r in self.records:
            a, b = r.get(across), r.get(up)
            if a is not None and b is not None:
                series.setdefault(str(r.get(self._series, "")), []).append((a, b))
        for name, points in series.items():
            ax.plot(*zip(*points, strict=True), "o-", label=name)
        ax.set(xscale="log", yscale="log", xlabel=across, ylabel=up)
        if self._series:
            ax.legend()
        return ax

    def write_page(self, file: str | os.PathLike[str], title: str | None = None) -> None:
        """Writes a page that carries its own plots, as the program's ``report.html``."""
        if self._records is None:
            raise ValueError("a page is made of the records of this process, not of a pickle of them")
        subtitle = f"{_bilevel.threads()} threads"
        self._records.write_page(os.fspath(file), title or type(self).__name__, subtitle)

    def lines(self) -> list[str]:
        """The records as the program's lines of JSON."""
        if self._records is None:
            raise ValueError("lines are made of the records of this process, not of a pickle of them")
        return self._records.lines()


class Comparison(Table):
    """Strategies at a point."""

    _shown = (
        "strategy",
        "status",
        "error_vs_exact",
        "lower_residual",
        "linear_residual",
        "hvps",
        "gradients",
        "seconds",
        "peak_bytes",
    )
    _axes = ("peak_bytes", "error_vs_exact")
    _series = "strategy"


class MemoryTable(Table):
    """Memory policies against depth."""

    _shown = ("policy", "depth", "status", "peak_bytes", "predicted_bytes", "recomputed_steps", "seconds")
    _axes = ("depth", "peak_bytes")
    _series = "family"


class PlanTable(Table):
    """Schedules for a budget; nothing was run."""

    _shown = ("policy", "depth", "fits", "bytes", "recomputed_steps")
    _axes = ("depth", "bytes")
    _series = "policy"

    def __init__(self, records: _bilevel.Records, refused: str | None) -> None:
        super().__init__(records)
        #: Why nothing fits, where nothing does.
        self.refused = refused

    @property
    def ok(self) -> bool:
        return self.refused is None


class Check(Table):
    """Derivatives against other ways to them."""

    _shown = ("subject", "check", "mode", "verdict", "ratio", "expected", "got", "place")

    @property
    def ok(self) -> bool:
        return all(r["verdict"] != "mismatch" for r in self.records)

    def assert_passed(self) -> Check:
        """The check itself, or an AssertionError that names each mismatch."""
        bad = [r for r in self.records if r["verdict"] == "mismatch"]
        if bad:
            lines = [
                f"{r['subject']}: {r['check']} at {r['place']}: got {r['got']:.6g}, expected "
                f"{r['expected']:.6g}"
                for r in bad
            ]
            raise AssertionError("\n".join(lines))
        return self
