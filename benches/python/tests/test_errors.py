"""What is wrong is an exception at the user's line, and no panic gets out."""

import subprocess
import sys

import bilevel as bl
import numpy as np
import pytest
from bilevel import _bilevel


@pytest.mark.parametrize("in_a_thread", [False, True])
def test_a_panic_is_an_exception_and_says_nothing_on_standard_error(in_a_thread, capfd):
    with pytest.raises(bl.InternalError, match="seven of nine.*bug of bilevel"):
        _bilevel._panics("seven of nine", in_a_thread)
    assert capfd.readouterr().err == ""
    assert issubclass(bl.InternalError, Exception)


def upper(x, y):
    return np.sum((y - 1.0) ** 2) + np.sum(x**2)


def lower(x, y):
    return np.sum((y - x) ** 2)


def line_of(error):
    """The user's line: the last one of the traceback that is in this file."""
    own = [f for f in error.traceback if str(f.path) == __file__]
    return str(own[-1].statement)


def recorded(f):
    return bl.Problem(upper, f, x=3, y=3)


@pytest.mark.parametrize(
    ("function", "kind", "words"),
    [
        (lambda x, y: np.sum(y) if y[0] > 0 else np.sum(x), bl.TraceError, "np.maximum"),
        (lambda x, y: np.sum(y) if np.sum(y) else np.sum(x), bl.TraceError, "branched on"),
        (lambda x, y: float(np.sum(y)), bl.TraceError, "math"),
        (lambda x, y: np.sum(np.array([y, x])), bl.TraceError, "np.stack"),
        (lambda x, y: np.sum(np.ones((4, 5)) @ y), ValueError, r"\(4,5\) \(3,\)"),
        (lambda x, y: np.sum(np.ones(5) + y), ValueError, r"shapes \(5,\) \(3,\)"),
        (lambda x, y: np.sum(y[7]), IndexError, "index 7 is out of bounds"),
        (lambda x, y: np.sum(y, axis=3), np.exceptions.AxisError, "axis 3"),
        (lambda x, y: np.sum(y.reshape(2, 2)), ValueError, "cannot reshape"),
        (lambda x, y: np.sum(y.reshape(1, 1, 3)), bl.TraceError, "3 dimensions"),
        (lambda x, y: np.sum(y * 1j), bl.TraceError, "complex"),
        (lambda x, y: np.sum(y * np.array(["a", "b", "c"])), bl.TraceError, "text"),
        (lambda x, y: np.linalg.det(np.outer(y, y)), bl.TraceError, "oracle"),
        (lambda x, y: np.einsum("i,i->", y, y), bl.TraceError, "broadcasting"),
        (lambda x, y: y, bl.ProblemError, "expected a scalar"),
        (lambda x, y: None, bl.TraceError, "returns NoneType"),
        (lambda x, y: np.sum(x), bl.ProblemError, "does not depend on y"),
        (lambda x, y: f"{y[0]:.3f}", bl.TraceError, "written as"),
        (lambda x, y: np.sum(y * np.ma.array(np.ones(3), mask=[0, 1, 0])), bl.TraceError, "masked"),
    ],
)
def test_what_cannot_be_recorded_is_refused_with_the_way_out(function, kind, words):
    with pytest.raises(kind, match=words):
        recorded(function)


def test_a_mistake_is_raised_at_the_users_line():
    def slip(x, y):
        z = y * 2.0
        return np.sum(z + np.ones(7))

    with pytest.raises(ValueError) as error:
        recorded(slip)
    assert "np.ones(7)" in line_of(error)


def test_an_array_is_not_written_to():
    def writes(x, y):
        y[0] = 1.0
        return np.sum(y)

    def adds(x, y):
        y += 1.0
        return np.sum(y)

    def into(x, y):
        a = np.ones(3)
        a += y
        return np.sum(a)

    for f in (writes, adds, into):
        with pytest.raises(bl.TraceError):
            recorded(f)


def test_a_sum_may_be_gathered_by_adding_to_a_number():
    def gathers(x, y):
        total = 0.0
        for k in range(3):
            total += (y[k] - x[k]) ** 2
        return total

    assert recorded(gathers).hypergradient("aid-cg").ok


def test_a_var_that_leaks_out_of_its_recording_says_so():
    kept = []

    def leaks(x, y):
        kept.append(y)
        return np.sum((y - x) ** 2)

    recorded(leaks)
    with pytest.raises(bl.TraceError, match="recording that is over"):
        np.sum(kept[0])
    with pytest.raises(bl.TraceError, match="two recordings"):
        recorded(lambda x, y: np.sum(y - kept[0]))


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda p: p.hypergradient("aid-cgg"), bl.ConfigError, "did you mean `aid-cg`"),
        (lambda p: p.hypergradient("itd", dept=3), bl.ConfigError, "did you mean `depth`"),
        (lambda p: p.hypergradient("itd", depth=0), bl.ConfigError, "expected at least 1"),
        (lambda p: p.hypergradient("exact", depth=3), bl.ConfigError, "no such setting"),
        (lambda p: p.hypergradient("itd", x=np.ones(4)), ValueError, "4 entries: expected 3"),
        (lambda p: p.hypergradient("itd", x=np.ones(3) * 1j), TypeError, "complex"),
        (lambda p: p.compare("itd"), TypeError, "list of names"),
        (lambda p: p.memory([0]), ValueError, "from 1 on"),
        (lambda p: p.plan(10, budget="many"), bl.ConfigError, "budget"),
        (lambda p: p.plan(-3, budget="1MiB"), bl.ConfigError, "depth -3: expected a whole number"),
        (lambda p: p.solve("aid-cg", seed=-1), bl.ConfigError, "seed -1: expected a whole number"),
        (lambda p: p.check(seed=0.5), bl.ConfigError, "seed 0.5: expected a whole number"),
        (lambda p: bl.threads(-1), bl.ConfigError, "threads -1: expected a whole number"),
        (lambda p: p.compare([]), ValueError, "no strategies"),
        (lambda p: p.hypergradient("itd", x=np.ones((3, 1))), ValueError, r"shape \(3, 1\): expected \(3,\)"),
        (lambda p: p.hypergradient("itd", depth=10**12), bl.ConfigError, "`itd` would keep.*this machine has"),
        (lambda p: p.compare(["itd"], depth=10**12), bl.ConfigError, "`itd` would keep.*this machine has"),
        (lambda p: p.memory([10**12], ["stored"]), bl.ConfigError, "`stored` would keep"),
        (lambda p: p.solve("itd", depth=10**12), bl.ConfigError, "`itd` would keep.*this machine has"),
        (lambda p: bl.Lower(lower, x=3, y=3).call(np.ones((1, 3)), "itd", depth=10**12), bl.ConfigError, "`itd` would keep"),
        (lambda p: bl.Layer(lower), TypeError, r"function: expected bilevel\.Lower"),
        (lambda p: bl.Problem(None, lower, x=3, y=3), TypeError, "upper objective is NoneType"),
    ],
)
def test_a_slip_in_a_call_is_one_clear_line(call, kind, words):
    with pytest.raises(kind, match=words) as error:
        call(bl.Problem(upper, lower, x=3, y=3))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("x", "kind", "words"),
    [
        (0, ValueError, "at least 1"),
        (True, TypeError, "size"),
        (np.ones((2, 2, 2)), ValueError, "at most 2"),
        (np.ones(3) * 1j, TypeError, "complex"),
        (np.ones(3, np.float16), TypeError, "float16"),
        (np.array(["a"]), TypeError, "real numbers"),
        (np.ma.array(np.ones(3), mask=[0, 1, 0]), TypeError, "masked"),
        ({}, ValueError, "no blocks"),
    ],
)
def test_a_variable_that_is_none_is_refused(x, kind, words):
    with pytest.raises(kind, match=words):
        bl.Problem(lambda x, y: np.sum(y), lambda x, y: np.sum(y * y), x=x, y=3)


def test_two_precisions_are_not_mixed_silently():
    single = np.ones(3, np.float32)
    with pytest.raises(TypeError, match="float32 and float64"):
        bl.Problem(upper, lower, x=single, y=np.ones(3))
    with pytest.raises(bl.TraceError, match="one precision"):
        bl.Problem(upper, lambda x, y: np.sum((y - np.ones(3)) ** 2), x=single, y=3)
    p = bl.Problem(upper, lower, x=single, y=3)
    assert p.dtype == np.float32
    assert p.hypergradient("aid-cg").hypergradient.dtype == np.float32


def test_a_problem_or_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(bl.ProblemError, match="did you mean `ridge`"):
        bl.problem("rigde")
    with pytest.raises(bl.DataError):
        bl.problem("hyper-cleaning", data=tmp_path / "none.csv")
    with pytest.raises(bl.ConfigError, match="unknown setting `heder`"):
        bl.problem("hyper-cleaning", heder=True)


def test_a_status_that_is_no_success_warns_and_is_raised_on_demand():
    def saddle(x, y):
        return 0.5 * (y[0] - x[0]) ** 2 - 0.5 * (y[1] - x[1]) ** 2

    p = bl.Problem(lambda x, y: np.sum(y**2), saddle, x=np.ones(2), y=2)
    with pytest.warns(bl.NumericalWarning):
        estimate = p.hypergradient("aid-direct")
    assert not estimate.ok and estimate.status == "negative-curvature"
    with pytest.raises(bl.StatusError, match="negative-curvature"):
        estimate.check()


def test_the_program_runs_in_this_process():
    ran = subprocess.run(
        [sys.executable, "-m", "bilevel", "compare", "--problem", "nothing"],
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 2 and "unknown problem `nothing`" in ran.stderr


def test_a_number_that_is_not_finite_is_named_with_the_users_line():
    def logarithm(x, y):
        return np.sum((y - np.log(x)) ** 2)

    p = bl.Problem(upper, logarithm, x=np.array([-1.0, 1.0, 1.0]), y=3)
    with pytest.warns(bl.NumericalWarning):
        estimate = p.hypergradient("aid-cg")
    line = logarithm.__code__.co_firstlineno + 1
    assert estimate.status == "non-finite" and f"test_errors.py:{line}" in estimate.message


def test_a_transposed_array_is_not_taken_for_the_other():
    p = bl.Problem(lambda x, y: np.sum(y**2), lambda x, y: np.sum((y - x.ravel()) ** 2), x=(2, 3), y=6)
    with pytest.raises(ValueError, match=r"shape \(3, 2\): expected \(2, 3\)"):
        p.hypergradient(x=np.ones((3, 2)))
    # A vector of all entries is as good, in C order.
    h = p.hypergradient(x=np.arange(6.0)).hypergradient
    np.testing.assert_allclose(h, 2 * np.arange(6.0).reshape(2, 3), atol=1e-12)


def test_what_is_no_data_is_not_pickled_and_says_what_is():
    import pickle

    with pytest.raises(TypeError, match=r"expected \.save"):
        pickle.dumps(recorded(lower).run("aid-cg", iterations=2))
    called = bl.Functions(lambda x, y: (0.5 * y @ y, 0.0 * x, y), lambda x, y, dx, dy: (0.0 * dx, dy))
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(bl.Lower(called, x=2, y=2))
    level = bl.Lower(lower, x=3, y=3)
    again = pickle.loads(pickle.dumps(level))
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(again.call(x).y, level.call(x).y)


def test_a_part_is_beside_the_lower_objective_and_goes_where_the_problem_goes(tmp_path):
    import pickle

    problem = bl.Problem(upper, lower, x=np.array([0.3, -0.2]), y=2, part="box:0:0.25")
    for one in (problem, pickle.loads(pickle.dumps(problem))):
        estimate = one.hypergradient("aid-cg")
        assert np.allclose(estimate.y, [0.25, 0.0])
        # Both entries are held: what is left is F's own derivative.
        assert np.allclose(estimate.hypergradient, [0.6, -0.4])
    with pytest.raises(bl.ConfigError, match="did you mean `simplex`"):
        bl.Problem(upper, lower, x=2, y=2, part="simplx")
    with pytest.raises(bl.ConfigError, match="--inner gd --part box:0:1"):
        bl.problem("scalar").hypergradient("itd", inner="projected-box:0:1")
    with pytest.raises(bl.ProblemError, match=r"a part of its own \(l1\)"):
        bl.problem("lasso", part="l1:1")
    with pytest.raises(bl.ConfigError, match="unknown setting `part`"):
        bl.load(tmp_path / "any.csv", part="simplex")
