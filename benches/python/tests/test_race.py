"""The race beside the bilevel benchmark, on a few samples and with a solver that stands in for its own."""

import sys
import types
from pathlib import Path

import bilevel as bl
import numpy as np
import pytest

PEERS = Path(__file__).resolve().parents[2] / "peers"
SIZES = {"quadratics": ((24, 40), (3, 5)), "regularisation": ((30, 40), (4, 4))}

# Of the form of the benchmark's: gradient descent on the lower level, and on F by x.
SOLVER = """
import jax
from benchopt import BaseSolver
from benchopt.stopping_criterion import SufficientProgressCriterion

class Solver(BaseSolver):
    name = "stand-in"
    parameters = {"step_size": [0.1], "outer_ratio": [1.0], "batch_size": [64], "eval_freq": [8],
                  "random_state": [1]}
    stopping_criterion = SufficientProgressCriterion(patience=3, strategy="callback")

    def set_objective(self, f_inner, f_outer, n_inner_samples, n_outer_samples, inner_var0, outer_var0):
        self.start = inner_var0, outer_var0
        by_inner = jax.grad(lambda y, x: f_inner(y, x, 0, n_inner_samples))
        by_outer = jax.grad(lambda y, x: f_outer(y, x, 0, n_outer_samples), 1)
        self.step = jax.jit(lambda y, x: (
            y - self.step_size * by_inner(y, x),
            x - self.step_size / self.outer_ratio * by_outer(y, x)))
        self.run_once(2)

    def run(self, callback):
        self.inner_var, self.outer_var = self.start
        while callback():
            for _ in range(self.eval_freq):
                self.inner_var, self.outer_var = self.step(self.inner_var, self.outer_var)
"""


@pytest.fixture
def race(monkeypatch):
    pytest.importorskip("jax")
    before = dict(sys.modules)
    monkeypatch.syspath_prepend(str(PEERS))
    import race

    yield race
    # The race stands in for benchopt, and its modules have common names.
    for name, module in list(sys.modules.items()):
        ours = (getattr(module, "__file__", None) or "").startswith(str(PEERS))
        if ours or name.split(".")[0] in ("benchopt", "benchmark_utils"):
            del sys.modules[name]
            if name in before:
                sys.modules[name] = before[name]


@pytest.fixture
def jax_64():
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "benchmark_utils").mkdir()
    (tmp_path / "benchmark_utils" / "stochastic_jax_solver.py").write_text("")
    (tmp_path / "solvers").mkdir()
    (tmp_path / "solvers" / "soba.py").write_text(SOLVER)
    return tmp_path


@pytest.mark.parametrize("name", list(SIZES))
def test_both_have_the_same_objectives_and_the_judge_is_the_exact_hypergradient(race, name, jax_64):
    problem = race.PROBLEMS[name](SIZES[name], 3, np.float64)
    p = bl.Problem(*problem.ours(bl), x=problem.x, y=problem.y)
    lower, upper = problem.theirs(None)["vectors"]()
    (m, n), (dim_x, dim_y) = SIZES[name]
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal(dim_x), rng.standard_normal(dim_y)
    for mine, other, samples in [(p.lower, lower, n), (p.upper, upper, m)]:
        np.testing.assert_allclose(mine(x, y), other(y, x, 0, samples), rtol=1e-13)
    of_blocks = [lower(y, x, k, n // 4) for k in range(0, n, n // 4)]
    np.testing.assert_allclose(np.mean(of_blocks), lower(y, x, 0, n), rtol=1e-13)
    exact = p.hypergradient("exact", x=x).check().hypergradient
    np.testing.assert_allclose(problem.gradient_squared(x), np.sum(exact**2), rtol=1e-8)


def test_settings_are_those_of_the_tracks_in_the_words_of_both(race):
    of = race.settings("quadratics", True)
    assert race.both("amigo", of["amigo"], 33_792) == (
        "amigo",
        {"step": 0.01, "rate": 0.1, "batch": 64, "blocks": True},
        {"batch_size": 64, "step_size": 0.01, "outer_ratio": pytest.approx(0.1)},
    )
    name, _, parameters = race.both("srba", of["srba"], 33_792)
    assert (name, parameters["period_frac"]) == ("srba:264", 0.5)
    assert set(race.settings("regularisation", False)) >= set(race.SOLVERS)


def test_a_race_with_a_stand_in(race, checkout, capsys):
    args = types.SimpleNamespace(
        problems=["quadratics"], methods=["soba"], ways=["vectors"], draws="blocks", seeds=2, dtype="f32",
        sizes=((128, 128), (3, 5)), seconds=0.05,
    )
    (row,) = race.rows(args, bl, race.Benchmark(checkout))
    assert (row["gradients"], row["hvps"]) == (2, 1)
    assert row["theirs_s"] > 0 and row["ours_s"] > 0
    assert row["ratio"] == row["theirs_s"] / row["ours_s"]
    assert [at["share"] for at in row["to_accuracy"]] == list(race.ACCURACIES)
    assert row["to_accuracy"][0]["ours_s"] is not None
    assert "soba" in race.line(list(race.cells(row)))


def test_seconds_to_an_accuracy_are_those_of_the_first_report_there(race):
    problem = types.SimpleNamespace(x=np.array([10.0]), gradient_squared=lambda x: float(x[0] ** 2))
    pairs = [(s, np.array([x])) for s, x in [(0.0, 10.0), (1.0, 5.0), (2.0, 2.0), (3.0, 0.05)]]
    watch = race.Watch(problem, seconds=5)
    assert [watch(pairs[:k]) for k in (1, 2, 3)] == [False, False, False]
    assert watch.until == [2.0, float("inf"), float("inf")]
    assert watch(pairs) and watch.until == [2.0, 3.0, 3.0]
    late = race.Watch(problem, seconds=2)
    assert [late(pairs[:k]) for k in (1, 2, 3)] == [False, False, True]
    assert race.per_iteration(pairs, every=4) == pytest.approx(0.25)


def test_a_folder_that_is_no_checkout_is_refused(race, tmp_path):
    with pytest.raises(ValueError, match="expected a checkout"):
        race.Benchmark(tmp_path)
