"""A solver class for benchopt's bilevel benchmark (https://github.com/benchopt/benchmark_bilevel).

A file ``solvers/bilevel_rs.py`` there is one line::

    from bilevel.benchopt import Solver

Its objectives are JAX functions ``f(inner_var, outer_var, start=0, batch_size=n)``, inner variable first.
They are taken whole: the methods that draw batches are run on all samples here, so that they stand beside
the deterministic solvers of that benchmark, and not beside its stochastic ones.
"""

# Types are looked at with benchopt installed and without.
# mypy: disallow-subclassing-any=False
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchopt import BaseSolver
from benchopt.stopping_criterion import SufficientProgressCriterion
from jax.flatten_util import ravel_pytree

from .jax import from_jax

__all__ = ["Solver"]


class Solver(BaseSolver):
    """A method of :func:`bilevel.methods` on the whole objectives."""

    name = "bilevel"
    requirements = ["jax"]
    #: Any method, its outer rate (None where it has none) and its ``settings``, pairs of a key and a value.
    parameters = {"method": ["aid-cg", "itd"], "rate": [0.1], "settings": [()]}
    stopping_criterion = SufficientProgressCriterion(patience=100, strategy="callback")

    #: The most iterations of a run: benchopt says when to stop.
    limit = 1_000_000

    @staticmethod
    def get_next(stop_val: int) -> int:
        return stop_val + 1

    def set_objective(
        self,
        f_inner: Callable[..., Any],
        f_outer: Callable[..., Any],
        n_inner_samples: int,
        n_outer_samples: int,
        inner_var0: Any,
        outer_var0: Any,
    ) -> None:
        def lower(x: Any, y: Any) -> Any:
            return f_inner(y, x, start=0, batch_size=n_inner_samples)

        def upper(x: Any, y: Any) -> Any:
            return f_outer(y, x, start=0, batch_size=n_outer_samples)

        self._backs = ravel_pytree(outer_var0)[1], ravel_pytree(inner_var0)[1]
        self._problem = from_jax(upper, lower, outer_var0, inner_var0, name="benchopt")
        # Compiled before the clock runs.
        self.run_once(2)

    def run(self, callback: Callable[[], bool]) -> None:
        settings = dict(self.settings)
        run = self._problem.run(
            self.method, iterations=self.limit, rate=self.rate, **settings
        )
        self._keep(run)
        while callback():
            if next(run, None) is None:
                break
            self._keep(run)

    def _keep(self, run: Any) -> None:
        by_x, by_y = self._backs
        self.outer_var, self.inner_var = by_x(run.x), by_y(run.y)

    def get_result(self) -> dict[str, Any]:
        return {"inner_var": self.inner_var, "outer_var": self.outer_var}
