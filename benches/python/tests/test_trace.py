"""What a recording computes is what NumPy computes; its derivatives are those of the checker and of JAX."""

import bilevel as bl
import numpy as np
import pytest
from bilevel._tape import Tape
from bilevel._var import Var
from expressions import expressions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MANY = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
SOME = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))


def recorded(f, shapes, dtype=np.float64):
    tape = Tape(np.dtype(dtype), tuple((int(np.prod(s, dtype=int)), 1) for s in shapes))
    variables = [Var(tape, k, (v[0],)).reshape(s) for (k, v), s in zip(
        enumerate(tape.inputs), shapes, strict=True)]
    return tape.finish(f(*variables).at)


def point(shapes, seed, scale=1.0):
    rng = np.random.default_rng(seed)
    return [scale * rng.normal(size=s) for s in shapes]


def flat(arrays):
    return [np.ascontiguousarray(a).reshape(-1) for a in arrays]


def derivatives(program, at, along):
    """Value, gradients, and products of the Hessian with a direction."""
    by = list(range(len(at)))
    return *program.gradients(at, by), program.product(at, along, 1, by)


@MANY
@given(expressions(), st.integers(0, 1000))
def test_random_expressions_have_numpys_value(expression, seed):
    shapes, f = expression
    at = point(shapes, seed)
    want = f(*at)
    got = recorded(f, shapes).program.evaluate(flat(at))
    np.testing.assert_allclose(got[0], want, rtol=1e-11, atol=1e-12)


@MANY
@given(expressions(), st.integers(0, 1000))
def test_random_expressions_have_the_derivatives_that_differences_of_numpy_have(expression, seed):
    shapes, f = expression
    at, along, other = (point(shapes, seed + k) for k in range(3))
    program = recorded(f, shapes).program
    _, gradients, products = derivatives(program, flat(at), flat(along))

    def moved(s):
        return [a + s * v for a, v in zip(at, along, strict=True)]

    def off(got, of):
        # What bends much has differences that are right of short steps alone.
        slopes = [(of(h) - of(-h)) / (2 * h) for h in (1e-5, 1e-6, 1e-7)]
        return min(abs(got - slope) for slope in slopes)

    got = sum(g @ v for g, v in zip(gradients, flat(along), strict=True))
    size = 1.0 + abs(got) + sum(np.abs(g).max() for g in gradients)
    assert off(got, lambda h: f(*moved(h))) < 2e-6 * size

    # The product against differences of the gradient, along another direction.
    def slope(s):
        gradients = derivatives(program, flat(moved(s)), flat(along))[1]
        return sum(g @ v for g, v in zip(gradients, flat(other), strict=True))

    got = sum(p @ v for p, v in zip(products, flat(other), strict=True))
    size = 1.0 + abs(got) + sum(np.abs(p).max() for p in products)
    assert off(got, slope) < 2e-5 * size


@SOME
@given(expressions(), st.integers(0, 1000))
def test_single_precision_stays_single(expression, seed):
    shapes, f = expression
    at = point(shapes, seed, 0.5)

    def single(*inputs):
        try:
            return f(*inputs)
        except bl.TraceError as refused:
            # Constants of the expression are in double precision: NumPy would go on in it.
            assert "one precision" in str(refused)
            return None

    tape = Tape(np.dtype(np.float32), tuple((int(np.prod(s, dtype=int)), 1) for s in shapes))
    out = single(*[Var(tape, k, (n,)).reshape(s) for (k, (n, _)), s in zip(
        enumerate(tape.inputs), shapes, strict=True)])
    if out is not None:
        got = tape.finish(out.at).program.evaluate([a.astype(np.float32) for a in flat(at)])
        assert got.dtype == np.float32
        want = f(*at)
        assert abs(got[0] - want) < 1e-3 * (1.0 + abs(want))


@SOME
@given(expressions(), st.integers(0, 1000))
def test_a_pickle_computes_the_same_to_the_bit(expression, seed):
    import pickle

    shapes, f = expression
    first = recorded(f, shapes)
    again = pickle.loads(pickle.dumps(first))
    at, along = flat(point(shapes, seed)), flat(point(shapes, seed + 1))
    numbers = [derivatives(r.program, at, along) for r in (first, again)]
    for one, other in zip(*([np.r_[n[0], *n[1], *n[2]] for n in numbers]), strict=True):
        assert one == other or np.isnan([one, other]).all()


@pytest.mark.parametrize("layout", ["C", "F", "negative", "read-only", "big-endian", "subarray"])
def test_an_array_of_any_layout_is_the_same_constant(layout):
    rng = np.random.default_rng(3)
    a = rng.normal(size=(4, 3))
    given_ = {
        "C": a,
        "F": np.asfortranarray(a),
        "negative": np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
        "read-only": a.copy(),
        "big-endian": a.astype(">f8"),
        "subarray": np.pad(a, 2)[2:-2, 2:-2],
    }[layout]
    if layout == "read-only":
        given_.flags.writeable = False
    y = rng.normal(size=3)
    for f in (lambda v: np.sum(np.sin(given_ @ v)), lambda v: np.sum(np.cos(v @ given_.T)),
              lambda v: np.sum(given_ * v)):
        np.testing.assert_allclose(recorded(f, [(3,)]).program.evaluate([y])[0], f(y), rtol=1e-14)


def test_a_constant_that_is_changed_between_two_uses_is_two_constants():
    a = np.ones(3)

    def f(y):
        first = np.sum(a * y)
        a[:] = 2.0
        return first + np.sum(a * y)

    assert recorded(f, [(3,)]).program.evaluate([np.ones(3)])[0] == 9.0


def test_an_array_that_is_read_only_is_not_copied_for_a_pickle():
    def shared(a):
        (step,) = (s for s in recorded(lambda y: np.sum(a @ y), [(3,)]).steps if s.name == "constant")
        return np.shares_memory(step.data, a)

    a = np.ones((2, 3))
    assert not shared(a)
    a.flags.writeable = False
    assert shared(a) and not shared(a[:1])


def test_natural_code_moves_no_matrix():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(7, 3))

    def f(y):
        r = np.tanh(a @ y)
        return np.sum((a.T @ r) ** 2) + np.mean(np.logaddexp(0.0, -r))

    steps = recorded(f, [(3,)]).steps
    assert not {"transpose", "gather"} & {s.name for s in steps}
    assert [s.name for s in steps if s.name == "constant" and s.data.size == a.size] == ["constant"]


@pytest.mark.parametrize("axis", [0, 1])
def test_a_broken_copy_with_its_axis_swapped_is_found(axis):
    """What holds the semantics: a function that sums along the other axis has another value."""
    v = np.arange(6.0).reshape(2, 3)
    got = recorded(lambda u: np.sum(np.sin(np.sum(u, axis=axis))), [(2, 3)]).program
    value = got.evaluate([v.reshape(-1)])[0]
    assert value == pytest.approx(np.sum(np.sin(v.sum(axis=axis))), rel=1e-14)
    assert value != pytest.approx(np.sum(np.sin(v.sum(axis=1 - axis))), rel=1e-3)


def test_fused_losses_are_their_formulas():
    rng = np.random.default_rng(5)
    a, t = rng.normal(size=(9, 4)), np.sign(rng.normal(size=9))
    c, s = rng.integers(0, 3, 9), rng.uniform(size=9)
    w, m = rng.normal(size=4), rng.normal(size=(3, 4))
    for fused, plain, at in [
        (lambda v: bl.logistic_loss(a, t, v), lambda v: np.mean(np.logaddexp(0, -t * (a @ v))), w),
        (lambda v: bl.squared_loss(a, s, v), lambda v: np.mean(0.5 * (a @ v - s) ** 2), w),
        (lambda v: bl.cross_entropy(a, c, v),
         lambda v: -np.mean(np.where(c[:, None] == np.arange(3), bl.log_softmax(a @ v.T), 0).sum(1)), m),
        (lambda v: bl.cross_entropy(a, c, v, s),
         lambda v: -np.mean(s * np.where(c[:, None] == np.arange(3), bl.log_softmax(a @ v.T), 0).sum(1)),
         m),
    ]:
        one, other = (recorded(f, [at.shape]).program for f in (fused, plain))
        along = rng.normal(size=at.size)
        numbers = [derivatives(r, [at.reshape(-1)], [along]) for r in (one, other)]
        got, want = (np.r_[n[0], *n[1], *n[2]] for n in numbers)
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)
        assert fused(at) == pytest.approx(plain(at), rel=1e-13)


def test_blocks_are_given_by_name_and_come_back_by_name():
    a = np.arange(6.0).reshape(2, 3) / 6

    def upper(x, y):
        return np.sum((y["w"] - a) ** 2) + y["b"] ** 2

    def lower(x, y):
        reg = np.exp(x["log"])
        return np.sum((y["w"] - a * x["scale"]) ** 2) + reg * np.sum(y["w"] ** 2) + (y["b"] - 1.0) ** 2

    p = bl.Problem(upper, lower, x={"log": (), "scale": np.ones((2, 3))}, y={"w": (2, 3), "b": ()})
    estimate = p.hypergradient("aid-direct")
    assert estimate.hypergradient["scale"].shape == (2, 3) and estimate.hypergradient["log"].shape == ()
    h, at = 1e-5, p.x

    def outer(log):
        return p.hypergradient("aid-direct", x={**at, "log": log}).upper

    slope = (outer(h) - outer(-h)) / (2 * h)
    assert estimate.hypergradient["log"] == pytest.approx(slope, rel=1e-8)


@pytest.mark.parametrize("name", ["logistic", "network", "images", "norms", "powers", "choices"])
def test_gradients_and_products_are_those_of_jax(name):
    """The same code on `jax.numpy`, in double precision."""
    jax = pytest.importorskip("jax")
    jnp = pytest.importorskip("jax.numpy")
    rng = np.random.default_rng(7)
    a, t, mask = rng.normal(size=(9, 4)), np.sign(rng.normal(size=9)), rng.normal(size=(4, 4)) > 0

    def f(xp, v):
        m = v.reshape(4, 4)
        return {
            "logistic": lambda: xp.mean(xp.logaddexp(0.0, -t * (a @ v[:4]))) + xp.sum(xp.exp(v) * v**2),
            "network": lambda: xp.mean((xp.tanh(a @ m + v[:4]) @ m.T - v[4:8]) ** 2),
            "images": lambda: xp.sum(xp.sqrt(xp.diff(m, axis=0)[:, :-1] ** 2 + xp.diff(m)[:-1] ** 2 + 0.1)),
            "norms": lambda: xp.linalg.norm(m) + xp.sum(xp.linalg.norm(m, axis=1)) + xp.std(v),
            "powers": lambda: xp.sum((v * v + 1.0) ** 1.5) + xp.sum(m[:, ::-1] ** 3) + xp.sum(2.0**v),
            "choices": lambda: xp.sum(xp.where(mask, m, m.T) ** 2) + xp.max(v) ** 2 + xp.sum(xp.maximum(v, 0.1)),
        }[name]()

    at, along = rng.normal(size=16), rng.normal(size=16)
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        gradient = jax.grad(lambda v: f(jnp, v))
        want = (f(jnp, jnp.asarray(at)), *jax.jvp(gradient, (at,), (along,)))
    finally:
        jax.config.update("jax_enable_x64", before)
    point = bl.record(lambda v: f(np, v), 16).linearise(at)
    for got, expected in zip((point.value, point.gradient, point.product(along)), want, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-12)


def test_one_call_and_a_linearisation_give_the_same_products():
    rng = np.random.default_rng(2)
    a = rng.normal(size=(7, 6))
    f = bl.record(
        lambda x, y: np.sum(np.tanh(a @ y["w"].ravel()) ** 2) * np.exp(x[0]) + np.sum(y["b"] ** 4),
        2, {"w": (2, 3), "b": 2},
    )
    x, y = rng.normal(size=2), {"w": rng.normal(size=(2, 3)), "b": rng.normal(size=2)}
    dx, dy = rng.normal(size=(5, 2)), {"w": rng.normal(size=(5, 2, 3)), "b": rng.normal(size=(5, 2))}
    at = f.linearise(x, y)
    value, (gx, gy) = f.value_and_grad(x, y)
    assert value == at.value == f(x, y)
    np.testing.assert_array_equal(gx, at.gradient[0])
    np.testing.assert_array_equal(gy["w"], at.gradient[1]["w"])
    blocks = f.hvp(x, y, dx, dy), at.product(dx, dy)
    for k in range(5):
        one = dx[k], {n: v[k] for n, v in dy.items()}
        alone, linear = f.hvp(x, y, *one), at.product(*one)
        np.testing.assert_array_equal(alone[0], linear[0])
        np.testing.assert_array_equal(alone[1]["b"], linear[1]["b"])
        for hx, hy in blocks:
            assert hx.shape == (5, 2) and hy["w"].shape == (5, 2, 3)
            np.testing.assert_allclose(hx[k], alone[0], rtol=1e-12, atol=1e-14)
            np.testing.assert_allclose(hy["w"][k], alone[1]["w"], rtol=1e-12, atol=1e-14)
    import pickle

    again = pickle.loads(pickle.dumps(f))
    np.testing.assert_array_equal(again.hvp(x, y, dx, dy)[0], blocks[0][0])
    only = f.hvp(x, y, None, dy, by=0)
    np.testing.assert_allclose(only[3], f.hvp(x, y, None, {n: v[3] for n, v in dy.items()})[0], rtol=1e-12)


@pytest.mark.parametrize(
    ("directions", "kind", "words"),
    [
        ((np.ones(2),), TypeError, "expected 2 of the function and a direction for each"),
        ((np.ones((3, 2)), np.ones((4, 2))), ValueError, "several numbers of directions"),
        ((np.ones((3, 2)), np.ones(2)), ValueError, "several numbers of directions"),
        ((np.ones(3), None), ValueError, "direction 0 has 3 entries: expected 2"),
        ((np.ones((0, 2)), None), ValueError, "block of 0 directions"),
        ((np.ones(2) * 1j, None), TypeError, "complex"),
    ],
)
def test_directions_that_do_not_fit_are_refused(directions, kind, words):
    f = bl.record(lambda x, y: np.sum(x * y**2), 2, 2)
    with pytest.raises(kind, match=words):
        f.hvp(np.ones(2), np.ones(2), *directions)


def test_the_objectives_of_a_problem_are_functions():
    p = bl.Problem(
        lambda x, y: np.sum((y - 1.0) ** 2), lambda x, y: np.sum(np.exp(x) * y**2), x=2, y=2
    )
    x, y, v = np.array([0.1, 0.2]), np.array([1.0, -2.0]), np.array([1.0, 3.0])
    assert p.upper(x, y) == pytest.approx(9.0)
    np.testing.assert_allclose(p.lower.gradient(x, y)[1], 2 * np.exp(x) * y)
    hx, hy = p.lower.hvp(x, y, None, v)
    np.testing.assert_allclose(hx, 2 * np.exp(x) * y * v)
    np.testing.assert_allclose(hy, 2 * np.exp(x) * v)
    named = bl.problem("ridge")
    assert named.lower.gradient(named.x, named.start)[1].shape == (named.dim_y,)
