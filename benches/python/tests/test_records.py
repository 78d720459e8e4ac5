"""The same names, settings and numbers as the command line, bit for bit."""

import json
import math
import subprocess
import sys

import bilevel as bl
import numpy as np
import pytest

#: What depends on the clock.
TIMES = ("seconds", "seconds_range")


def program(*arguments):
    """The records that the command line writes."""
    ran = subprocess.run(
        [sys.executable, "-m", "bilevel", *arguments, "--json"], capture_output=True, text=True
    )
    assert ran.returncode in (0, 1), ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def comparable(record):
    """A record without its times; numbers that are not finite are null in JSON."""

    def plain(value):
        if isinstance(value, float) and not math.isfinite(value):
            return None
        if isinstance(value, np.ndarray):
            return [plain(v) for v in value.tolist()]
        return value

    own = ("success", "family", "read")
    return {k: plain(v) for k, v in record.items() if k not in (*TIMES, *own)}


def same(ours, theirs):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert comparable(one) == comparable(other)


@pytest.mark.parametrize("name", ["ridge", "logistic", "quadratic"])
@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_a_comparison_is_that_of_the_program(name, dtype):
    p = bl.problem(name, dtype={"f64": np.float64, "f32": np.float32}[dtype])
    theirs = program("compare", "--problem", name, "--dtype", dtype, "--depth", "30", "--full")
    same(p.compare(depth=30), theirs)


def test_settings_are_those_of_the_program():
    p = bl.problem("ridge", seed=3)
    names = ["aid-neumann", "itd-checkpointed:4", "aid-nystrom:5"]
    theirs = program(
        "compare", "--problem", "ridge", "--seed", "3", "--strategy", ",".join(names),
        "--depth", "17", "--tolerance", "1e-6", "--full",
    )
    same(p.compare(names, depth=17, tolerance=1e-6), theirs)


def test_bytes_against_depth_are_those_of_the_program():
    p = bl.problem("ridge")
    same(p.memory([10, 40], budget="64KiB"),
         program("memory", "--problem", "ridge", "--depths", "10,40", "--budget", "64KiB"))


def test_plans_are_those_of_the_program():
    p = bl.problem("ridge")
    same(p.plan(100, budget="64KiB"),
         program("plan", "--problem", "ridge", "--depth", "100", "--budget", "64KiB"))
    same(p.plan(budget="64KiB"), program("plan", "--problem", "ridge", "--budget", "64KiB"))


@pytest.mark.parametrize(
    ("name", "method", "settings"),
    [("ridge", "aid-cg", {"iterations": 4, "optimiser": "adam"}), ("ridge", "hoag", {"iterations": 3}),
     ("hyper-cleaning", "soba", {"iterations": 200, "batch": 4})],
)
def test_a_run_is_that_of_the_program(name, method, settings):
    flags = [w for k, v in settings.items() for w in (f"--{k.replace('_', '-')}", str(v))]
    header, *theirs, worth = program(
        "solve", "--problem", name, "--method", method, "--seed", "5", *flags
    )
    p = bl.problem(name, seed=5)
    run = p.solve(method, seed=5, **settings)
    same(run.trace, theirs)
    assert {k: v for k, v in run.gain.items() if k != "warning"} == worth["gain"]
    assert run.record["settings"] == header["header"]["settings"]


def test_an_own_problem_has_the_numbers_of_the_same_one_in_rust():
    """The quadratic ½(y − 1)² + ½x² over ½(y − x)²: the derivative is 2x − 1."""
    p = bl.Problem(
        lambda x, y: 0.5 * np.sum((y - 1.0) ** 2) + 0.5 * np.sum(x**2),
        lambda x, y: 0.5 * np.sum((y - x) ** 2),
        x=np.array([0.3]), y=1,
    )
    for strategy in ("exact", "aid-cg", "itd", "aid-minres"):
        estimate = p.hypergradient(strategy)
        assert estimate.hypergradient == pytest.approx([2 * 0.3 - 1.0], rel=1e-9), strategy
    solution = p.solve("aid-cg", iterations=60, rate=0.4)
    assert solution.ok and solution.x == pytest.approx([0.5], abs=1e-9)


def test_threads_change_no_bit():
    p = bl.problem("hyper-cleaning")
    one = p.hypergradient("aid-cg").hypergradient
    before = bl.threads()
    try:
        bl.threads(2)
        assert bl.threads() == 2
        np.testing.assert_array_equal(one, p.hypergradient("aid-cg").hypergradient)
    finally:
        bl.threads(before)
    with pytest.raises(bl.ConfigError, match="at least 1"):
        bl.threads(0)
