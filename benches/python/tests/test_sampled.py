"""Objectives that are means over samples: batches of what a user writes, as the engine draws them."""

import pickle

import bilevel as bl
import numpy as np
import pytest

rng = np.random.default_rng(11)
A, A_VALID = rng.standard_normal((60, 5)), rng.standard_normal((30, 5))
TRUTH = rng.standard_normal(5)
T, T_VALID = np.sign(A @ TRUTH + 0.5 * rng.standard_normal(60)), np.sign(A_VALID @ TRUTH)


def plain(y, a, t):
    return np.mean(np.logaddexp(0, -t * (a @ y)))


def fused(y, a, t):
    return bl.logistic_loss(a, t, y)


def problem(loss=fused, **kwargs):
    def lower(x, y, a, t):
        return loss(y, a, t) + np.exp(x) @ y**2 * 0.5

    def upper(x, y, a, t):
        return loss(y, a, t)

    of = bl.sampled(upper, A_VALID, T_VALID), bl.sampled(lower, A, T)
    return bl.Problem(*of, x=np.full(5, -3.0), y=5, **kwargs)


def trace(solution, *keys):
    return [[r[k] for k in keys] for r in solution.trace]


def test_the_whole_is_the_same_problem_as_without_samples():
    p = problem(plain)
    q = bl.Problem(
        lambda x, y: plain(y, A_VALID, T_VALID),
        lambda x, y: plain(y, A, T) + np.exp(x) @ y**2 * 0.5,
        x=np.full(5, -3.0), y=5,
    )
    for strategy in ("exact", "aid-cg", "itd"):
        one, other = (of.hypergradient(strategy).hypergradient for of in (p, q))
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("method", ["soba", "saba", "srba", "amigo", "stocbio", "f2sa"])
def test_a_run_has_the_bits_of_the_problem_in_rust(method, dtype, tmp_path):
    """`logistic` on a file, and the same objectives written here on the samples of that file."""
    file = tmp_path / "data.csv"
    np.savetxt(file, np.c_[A, T], delimiter=",", header="a,b,c,d,e,label", comments="")
    theirs = bl.problem("logistic", data=file, dtype=dtype)
    splits = bl.load(file, labels="signs")

    def lower(x, y, a, t):
        return bl.logistic_loss(a, t, y) + np.exp(x) @ y**2 * 0.5

    def upper(x, y, a, t):
        return bl.logistic_loss(a, t, y)

    ours = bl.Problem(
        bl.sampled(upper, *splits.valid), bl.sampled(lower, *splits.train),
        x=np.full(5, -3.0, dtype), y=5,
    )
    settings = {"iterations": 30, "batch": 7, "report_every": 10, "seed": 3, "rate": 0.02, "step": 0.1}
    got, want = (p.solve(method, **settings) for p in (ours, theirs))
    np.testing.assert_array_equal(got.x, want.x)
    np.testing.assert_array_equal(got.y, want.y)
    assert trace(got, "upper", "gradients", "hvps") == trace(want, "upper", "gradients", "hvps")



def test_plain_numpy_and_fused_losses_of_batches_agree():
    settings = {"iterations": 200, "batch": 4, "seed": 1, "rate": 0.05}
    one, other = (problem(loss).solve("soba", **settings) for loss in (plain, fused))
    np.testing.assert_allclose(one.x, other.x, rtol=1e-10)


def test_rows_that_a_loss_reads_where_they_are_are_not_picked():
    def names(loss):
        return {step.name for of in problem(loss)._recorded for step in of._recorded(7).steps}

    assert "rows" in names(plain) and "rows" not in names(fused)


def test_products_with_rows_of_a_batch_from_either_side_are_numpys():
    def lower(x, y, a):
        gram = (a.T @ a + a.T @ a.copy()) / len(a)
        return (y @ gram @ y + np.mean(y @ a.T) + np.mean(a @ y)) / 2 + np.sum((y - x) ** 2)

    mean = sampled_of(lower, A[:, :3])._recorded[1]
    x, y, rows = np.array([1.0, -2.0, 0.5]), np.array([0.3, 0.1, -1.0]), np.array([2, 4, 4, 9])
    (got,) = mean(4).evaluate([x, y, rows.astype(float)])
    np.testing.assert_allclose(got, lower(x, y, A[rows, :3]), rtol=1e-13)


def test_batches_of_neighbours_are_asked_for_by_a_setting():
    """g = mean bᵢ ½(y − x)², F = mean ½(y − cᵢ)² + ½x²: x = mean c / 2."""
    b, c = np.linspace(0.5, 1.5, 60), np.linspace(-1.0, 3.0, 30)
    p = bl.Problem(
        bl.sampled(lambda x, y, c: np.mean((y - c) ** 2) / 2 + np.sum(x**2) / 2, c),
        bl.sampled(lambda x, y, b: np.mean(b) * np.sum((y - x) ** 2) / 2, b),
        x=1, y=1,
    )
    settings = {"iterations": 6000, "batch": 6, "rate": 0.1, "step": 0.1}
    for method in ("saba", "srba", "soba"):
        blocks, single = (p.solve(method, blocks=of, **settings) for of in (True, False))
        assert blocks.ok and np.all(blocks.x != single.x)
        np.testing.assert_allclose(blocks.x, c.mean() / 2, atol=0.05 if method == "soba" else 1e-9)
    # A row of SABA's tables for each block, and so a gradient of F and of g, and a product, an iteration.
    one = p.solve("saba", blocks=True, **settings).trace
    assert one[-1]["gradients"] - one[0]["gradients"] == 2 * (one[-1]["iteration"] - one[0]["iteration"])


def test_blocks_of_variables_come_by_name():
    def lower(x, y, a, t):
        assert a.shape[1:] == (5,) and t.ndim == 1 and len(a) == len(t) == t.size
        return plain(y["w"], a, t) + np.exp(x["r"]) * np.sum(y["w"] ** 2)

    p = bl.Problem(
        bl.sampled(lambda x, y, a, t: plain(y["w"], a, t), A_VALID, T_VALID),
        bl.sampled(lower, A, T),
        x={"r": ()}, y={"w": 5},
    )
    run = p.solve("soba", iterations=50, batch=7, rate=0.01)
    assert run.ok and np.isfinite(run.x["r"])


def test_the_solution_is_that_of_a_closed_form():
    """g = mean bᵢ ½(y − x)², F = mean ½(y − cᵢ)² + ½x²: x = y = mean c / 2, whatever is drawn."""
    b, c = rng.uniform(0.5, 1.5, 20), rng.standard_normal(20)
    p = bl.Problem(
        bl.sampled(lambda x, y, c: 0.5 * np.mean((y - c) ** 2) + 0.5 * np.sum(x**2), c),
        bl.sampled(lambda x, y, b: 0.5 * np.mean(b) * np.sum((y - x) ** 2), b),
        x=1, y=1,
    )
    want = c.mean() / 2
    exact = p.solve("aid-cg", iterations=100, rate=0.4)
    assert exact.x == pytest.approx(want, rel=1e-9)
    # Estimators whose variance vanishes come to the solution at a constant length.
    drawn = p.solve("saba", iterations=4000, batch=3, rate=0.05, report_every=1000)
    assert drawn.x == pytest.approx(want, rel=1e-6)


def test_samples_have_entries_of_a_variable_and_classes_of_scores():
    n, classes = 24, 3
    a, c = rng.standard_normal((n, 4)), rng.integers(0, classes, n)
    i = np.arange(n)

    def lower(x, y, a, c, i):
        scores = a @ y.T
        terms = bl.logsumexp(scores, axis=1) - scores[np.arange(len(c)), c]
        return np.mean(bl.sigmoid(x[i]) * terms) + 0.01 * np.sum(y**2)

    def fused(x, y, a, c, i):
        return bl.cross_entropy(a, c, y, bl.sigmoid(x[i])) + 0.01 * np.sum(y**2)

    def upper(x, y, a, c):
        return bl.cross_entropy(a, c, y)

    runs = [
        bl.Problem(bl.sampled(upper, a, c), bl.sampled(g, a, c, i), x=n, y=(classes, 4)).solve(
            "soba", iterations=100, batch=5, rate=0.1, seed=2
        )
        for g in (lower, fused)
    ]
    np.testing.assert_allclose(runs[0].x, runs[1].x, rtol=1e-9, atol=1e-12)
    assert np.abs(runs[0].x).max() > 0, "weights of the samples move"


@pytest.mark.parametrize("key", ["row", "negative", "beside", "column"])
def test_indices_of_a_batch_are_numpys(key):
    """Over all samples an index is an array of NumPy's; over halves it is one of a batch: they agree, or
    the problem is refused as no mean."""
    n = 8
    i = rng.integers(0, 3, n) - (3 if key == "negative" else 0)

    def of(v, i):
        match key:
            case "beside":
                return v[i, np.arange(len(i)) % 2]
            case "column":
                return v[1, i]
            case _:
                return v[i].sum(axis=1)

    shape = (2, 3) if key == "column" else (3, 2)
    objective = bl.sampled(lambda x, y, i: np.mean(of(y, i) ** 2) + 0.0 * np.sum(x), i)
    bl.Problem(objective, objective, x=1, y=shape)


def test_a_pickle_goes_on_with_the_lengths_that_were_recorded():
    p = problem()
    settings = {"iterations": 20, "rate": 0.05, "seed": 4}
    want = p.solve("soba", batch=6, **settings).x
    again = pickle.loads(pickle.dumps(p))
    np.testing.assert_array_equal(again.solve("soba", batch=6, **settings).x, want)
    with pytest.raises(bl.ProblemError, match=r"batches of 5 samples were not recorded.*\[6, "):
        again.solve("soba", batch=5, **settings)


def test_a_run_is_saved_and_goes_on_to_the_bit(tmp_path):
    p = problem()
    settings = {"iterations": 40, "batch": 4, "rate": 0.05, "report_every": 10}
    whole = p.solve("saba", **settings)
    run = p.run("saba", **settings)
    next(run)
    run.save(tmp_path / "run")
    again = p.resume(tmp_path / "run")
    for _ in again:
        pass
    np.testing.assert_array_equal(again.solution().x, whole.x)


def test_samples_of_a_loss_are_kept_once_for_all_recordings():
    """Of both levels, whole and in batches."""

    def lower(x, y, a, t):
        return bl.logistic_loss(a, t, y) + np.exp(x) @ y**2

    p = bl.Problem(
        bl.sampled(lambda x, y, a, t: bl.logistic_loss(a, t, y), A, T), bl.sampled(lower, A, T), x=5, y=5
    )
    q = bl.Problem(lambda x, y: bl.logistic_loss(A, T, y), lambda x, y: lower(x, y, A, T), x=5, y=5)
    p.solve("soba", iterations=3, batch=4, rate=0.1)
    levels = [*p._recorded, *q._recorded]
    recordings = [getattr(level, "whole", level) for level in levels]
    recordings += [r for level in p._recorded for r in level._lengths.values()]
    kept = {id(step.data) for r in recordings for step in r.steps if step.name.startswith("loss")}
    assert len(recordings) > 6 and len(kept) == 1


# ---- functions that are called


def of_numpy():
    def of(a, t, y):
        s = -t / (1 + np.exp(t * (a @ y))) / len(t)
        w = np.exp(t * (a @ y)) / (1 + np.exp(t * (a @ y))) ** 2 / len(t)
        return plain(y, a, t), a.T @ s, lambda d: a.T @ (w * (a @ d))

    def lower(x, y, a, t):
        value, slope, _ = of(a, t, y)
        return value + np.exp(x) @ y**2 * 0.5, np.exp(x) * y**2 * 0.5, slope + np.exp(x) * y

    def product(x, y, dx, dy, a, t):
        cross = np.exp(x) * y
        return cross * y * 0.5 * dx + cross * dy, of(a, t, y)[2](dy) + cross * dx + np.exp(x) * dy

    def upper(x, y, a, t):
        value, slope, _ = of(a, t, y)
        return value, 0.0 * x, slope

    def above(x, y, dx, dy, a, t):
        return 0.0 * dx, of(a, t, y)[2](dy)

    return bl.from_functions(
        bl.sampled(bl.Functions(upper, above), A_VALID, T_VALID),
        bl.sampled(bl.Functions(lower, product), A, T),
        x=np.full(5, -3.0), y=np.zeros(5),
    )


def of_jax():
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy

    def loss(y, a, t):
        return jnp.mean(jnp.logaddexp(0, -t * (a @ y)))

    return bl.from_jax(
        bl.sampled(lambda x, y, a, t: loss(y, a, t), A_VALID, T_VALID),
        bl.sampled(lambda x, y, a, t: loss(y, a, t) + jnp.exp(x) @ y**2 * 0.5, A, T),
        jnp.full(5, -3.0), jnp.zeros(5),
    )


def of_torch():
    torch = pytest.importorskip("torch")

    def loss(y, a, t):
        return torch.nn.functional.softplus(-t * (a @ y), threshold=50).mean()

    return bl.from_torch(
        bl.sampled(lambda x, y, a, t: loss(y, a, t), A_VALID, T_VALID),
        bl.sampled(lambda x, y, a, t: loss(y, a, t) + torch.exp(x) @ y**2 * 0.5, A, T),
        torch.full((5,), -3.0, dtype=torch.float64), torch.zeros(5, dtype=torch.float64),
    )


@pytest.mark.parametrize("make", [of_numpy, of_jax, of_torch])
@pytest.mark.parametrize("method", ["soba", "saba", "stocbio"])
def test_functions_get_the_batches_that_recordings_get(make, method):
    settings = {"iterations": 40, "batch": 6, "rate": 0.05, "seed": 9, "report_every": 20}
    want, got = problem(plain).solve(method, **settings), make().solve(method, **settings)
    np.testing.assert_allclose(got.x, want.x, rtol=1e-9)
    assert trace(got, "gradients", "hvps") == trace(want, "gradients", "hvps")
    one, other = (of.hypergradient("aid-cg") for of in (make(), problem(plain)))
    np.testing.assert_allclose(one.hypergradient, other.hypergradient, rtol=1e-8)


def test_functions_that_are_no_mean_are_refused_too():
    g = bl.Functions(lambda x, y, t: (float(np.sum((y - t) ** 2)), 0.0 * x, 2 * np.sum(y - t, keepdims=True)))
    with pytest.raises(bl.ProblemError, match="no mean"):
        bl.from_functions(bl.sampled(g, T), bl.sampled(g, T), x=np.ones(1), y=np.ones(1))
    with pytest.raises(TypeError, match=r"expected bilevel\.Functions"):
        bl.from_functions(bl.sampled(plain, T), g, x=np.ones(1), y=np.ones(1))


# ---- what goes wrong


def test_what_is_no_mean_is_refused_with_both_numbers():
    with pytest.raises(bl.ProblemError, match="lower objective is no mean over its samples.*np.mean"):
        bl.Problem(
            bl.sampled(lambda x, y, t: np.mean((y - t) ** 2), T_VALID),
            bl.sampled(lambda x, y, t: np.sum((y - t) ** 2) / 60, T), x=1, y=1,
        )
    with pytest.raises(bl.ProblemError, match="no mean"):
        bl.Problem(
            lambda x, y: np.sum(y**2),
            bl.sampled(lambda x, y, t: np.max(t * np.sum(y + x)) , np.arange(5.0)), x=1, y=1,
        )


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: sampled_of(3.0, T), TypeError, "expected a function"),
        (lambda: bl.sampled(fused), TypeError, "of no data"),
        (lambda: bl.sampled(fused, A, T[:-1]), ValueError, "59 rows and data 0 has 60"),
        (lambda: bl.sampled(fused, np.ones((2, 2, 2))), ValueError, r"reshape it to \(samples, -1\)"),
        (lambda: bl.sampled(fused, 1.0), ValueError, "a row for each sample"),
        (lambda: bl.sampled(fused, np.ones((0, 2))), ValueError, "a row for each sample"),
        (lambda: bl.sampled(fused, np.array(["a", "b"])), TypeError, "real numbers"),
    ],
)
def test_data_that_are_no_samples_are_refused(make, kind, words):
    with pytest.raises(kind, match=words):
        make()


def sampled_of(f, *data):
    return bl.Problem(lambda x, y: np.sum(y**2), bl.sampled(f, *data), x=3, y=3)


@pytest.mark.parametrize(
    ("f", "kind", "words"),
    [
        (lambda x, y, i: np.sum(np.ones(9)[i] * y[0]), bl.TraceError, "bilevel.sampled"),
        (lambda x, y, i: np.mean(y[i]), IndexError, "out of bounds for axis 0 with size 3"),
        (lambda x, y, i: np.mean(y[i % 3] if isinstance(i, np.ndarray) else y[i * 1]), bl.TraceError, "an index"),
        (lambda x, y, i: np.mean(y[i / 9] ** 2), (bl.TraceError, IndexError), "integer"),
        (lambda x, y, i: np.sum(y) if i[0] > 3 else np.sum(y), bl.TraceError, "np.maximum"),
        (lambda x, y, i: y, bl.ProblemError, "expected a scalar"),
        (lambda x, y: np.sum(y), TypeError, "positional"),
    ],
)
def test_what_is_wrong_in_a_sampled_objective_is_raised_when_the_problem_is_made(f, kind, words):
    with pytest.raises(kind, match=words):
        sampled_of(f, np.arange(9))


def test_an_exception_that_only_a_length_raises_comes_out_of_the_run():
    def picky(x, y, t):
        if len(t) == 7:
            raise LookupError("seven")
        return np.mean((y[0] - t) ** 2) + np.sum((y - x) ** 2)

    p = sampled_of(picky, T)
    with pytest.raises(LookupError, match="seven"):
        p.solve("soba", iterations=5, batch=7, rate=0.1)
    assert p.solve("soba", iterations=5, batch=6, rate=0.1).ok


def test_a_level_without_samples_is_whole_beside_one_that_has_some():
    def lower(x, y, t):
        return 0.5 * np.mean((y - t) ** 2) + 0.5 * np.sum((y - x) ** 2)

    def upper(x, y):
        return np.sum((y - 1.0) ** 2)

    p = bl.Problem(upper, bl.sampled(lower, T), x=1, y=1)
    # The same with an upper mean of one sample, twice.
    q = bl.Problem(
        bl.sampled(lambda x, y, one: upper(x, y) * np.mean(one), np.ones(60)), bl.sampled(lower, T), x=1, y=1
    )
    settings = {"iterations": 50, "batch": 4, "rate": 0.1, "seed": 2}
    np.testing.assert_allclose(p.solve("soba", **settings).x, q.solve("soba", **settings).x, rtol=1e-12)
    with pytest.raises(bl.ConfigError, match="1 sample"):
        bl.Problem(upper, lambda x, y: np.sum((y - x) ** 2), x=1, y=1).solve("soba", iterations=5, batch=4)


def test_batches_beyond_the_samples_and_of_problems_without_any_are_refused():
    with pytest.raises(bl.ConfigError, match="61"):
        problem().solve("soba", iterations=5, batch=61)
    with pytest.raises(TypeError, match="expected a function"):
        bl.Lower(bl.sampled(fused, A, T), x=5, y=5)


def test_who_changes_the_data_afterwards_changes_no_problem():
    t = np.array(T)
    p = sampled_of(lambda x, y, t: np.mean((y[0] - t) ** 2) + np.sum((y - x) ** 2), t)
    want = p.solve("soba", iterations=10, batch=4, rate=0.1).x
    t[:] = 0.0
    assert t.flags.writeable
    np.testing.assert_array_equal(p.solve("soba", iterations=10, batch=4, rate=0.1).x, want)
