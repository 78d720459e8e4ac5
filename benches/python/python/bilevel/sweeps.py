"""Runs of one problem over methods, settings and seeds."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .results import Table
from .run import Solution

__all__ = ["Runs"]


class Runs(Table):
    """A record for each run: its method, its seed, what differs between the runs, whether it is as it was
    asked for, and the last record of its trace. The runs themselves are ``solutions``, in the same order."""

    _axes = ("seconds", "upper")
    _series = "method"

    def __init__(self, differ: list[str], made: Iterable[tuple[dict[str, Any], Solution]]) -> None:
        records, self.solutions = [], []
        for settings, solution in made:
            last = solution.trace[-1] if len(solution.trace) else {}
            own = {key: settings[key] for key in ("method", "seed", *differ)}
            records.append({**last, **own, "success": solution.ok, "message": solution.message})
            self.solutions.append(solution)
        shown = ("method", "seed", *differ, "status", "iteration", "seconds", "upper", "hypergradient_norm")
        self._shown = tuple(dict.fromkeys(shown))
        super().__init__(_Records(records, self._shown))  # type: ignore[arg-type]


class _Records:
    """Records in the place of the program's."""

    def __init__(self, records: list[dict[str, Any]], shown: tuple[str, ...]) -> None:
        self._records, self._shown = records, shown

    def rows(self) -> list[dict[str, Any]]:
        return self._records

    def lines(self) -> list[str]:
        return [json.dumps(record) for record in self._records]

    def write_page(self, *_: Any) -> None:
        raise ValueError("a page is of one run: expected .solutions[k].trace.write_page(file)")

    def table(self) -> str:
        lines = [[_text(r.get(key)) for key in self._shown] for r in self._records]
        lines.insert(0, list(self._shown))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        padded = ("  ".join(map(str.ljust, line, widths)) for line in lines)
        return "\n".join(line.rstrip() for line in padded)


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "–" if value is None else str(value)


def configurations(
    methods: str | Iterable[str], seeds: Iterable[int], settings: Mapping[str, Any]
) -> tuple[list[str], Iterator[dict[str, Any]]]:
    """The settings that are lists, and every combination of methods, values and seeds, seeds last."""
    differ = [key for key, value in settings.items() if isinstance(value, (list, tuple))]
    names = [methods] if isinstance(methods, str) else list(methods)
    every = {"method": names, **{k: v if k in differ else [v] for k, v in settings.items()}}
    every["seed"] = list(seeds)
    for key, values in every.items():
        if not values:
            raise ValueError(f"{key}: an empty list, so there is no run: expected at least one value")
    return differ, (dict(zip(every, of, strict=True)) for of in itertools.product(*every.values()))
