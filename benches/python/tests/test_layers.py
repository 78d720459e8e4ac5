"""Lower levels as layers of PyTorch and JAX programs: batched, warm-started, loud on failure."""

from __future__ import annotations

import gc
import resource
import warnings

import bilevel as bl
import numpy as np
import pytest

D, M = 3, 4
rng = np.random.default_rng(3)
A = rng.standard_normal((6, M))
C = rng.standard_normal((6, D))
X = rng.standard_normal((7, D))


def g(x, y, a=A, c=C):
    r = a @ y - c @ x
    return 0.5 * (r @ r) + 0.25 * np.sum(y**4) + 0.5 * (y @ y)


def lower(dtype="float64"):
    a, c = A.astype(dtype), C.astype(dtype)
    return bl.Lower(lambda x, y: g(x, y, a, c), x=D, y=M, dtype=dtype)


def jacobian(x, y):
    h = A.T @ A + np.diag(3 * y**2 + 1)
    return np.linalg.solve(h, A.T @ C)


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def jax():
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    return jax


# ---- rows


def test_rows_are_solved_and_pulled_back():
    u = rng.standard_normal((7, M))
    rows = lower().call(X, "aid-cg", cotangents=u)
    assert rows.ok.all() and rows.back and rows.y.shape == (7, M) and rows.by_x.shape == (7, D)
    for x, y, cotangent, back in zip(X, rows.y, u, rows.by_x, strict=True):
        np.testing.assert_allclose(jacobian(x, y).T @ cotangent, back, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("strategy", ["aid-cg", "itd"])
def test_a_batch_has_the_bits_of_a_loop(strategy):
    u = rng.standard_normal((7, M))
    level = lower()
    together = level.call(X, strategy, cotangents=u, guesses=np.zeros((7, M)))
    for r in range(7):
        s = slice(r, r + 1)
        alone = level.call(X[s], strategy, cotangents=u[s], guesses=np.zeros((1, M)))
        np.testing.assert_array_equal(alone.y, together.y[s])
        np.testing.assert_array_equal(alone.by_x, together.by_x[s])
        assert alone.status == together.status[s]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("strategy", ["aid-cg", "aid-direct", "exact", "itd"])
def test_the_jacobian_is_the_closed_form(strategy, dtype):
    settings = {"depth": 400} if strategy == "itd" else {}
    x = X[0].astype(dtype)
    found = lower(dtype).jacobian(x, strategy, **settings)
    assert found.ok and found.status in ("converged", "unrolled"), found.message
    assert found.matrix.shape == (M, D) and found.matrix.dtype == dtype
    tolerance = 1e-7 if dtype == "float64" else 1e-3
    np.testing.assert_allclose(found.matrix, jacobian(x, found.y), atol=tolerance)
    implicit = strategy.startswith("aid")
    assert found.by_rows is not implicit and len(found.systems) == (D if implicit else M)


def test_cotangents_are_pulled_back_through_one_solution():
    u, level = rng.standard_normal((21, M)), lower()
    found = level.pull_back(X[0], u)
    assert found.ok and found.matrix.shape == (21, D) and len(found.systems) == 21
    np.testing.assert_allclose(found.matrix, u @ jacobian(X[0], found.y), atol=1e-8)
    assert all(s["residual"] < 1e-8 and s["iterations"] >= 0 for s in found.systems)
    # From the solution nothing is left to solve for but the systems.
    again = level.pull_back(X[0], u, start=found.y)
    assert again.record["lower_iterations"] == 0
    np.testing.assert_allclose(again.matrix, found.matrix, atol=1e-9)
    assert level.pull_back(X[0], u[:0]).matrix.shape == (0, D)


def test_sensitivities_that_fail_say_so():
    found = flat().jacobian(np.array([0.0, 0.5]))
    assert not found.ok and found.status == "singular-hessian" and "singular" in found.message
    u = np.ones((3, M))
    u[1, 2] = np.nan
    back = lower().pull_back(X[0], u)
    assert [s["status"] for s in back.systems] == ["converged", "non-finite", "converged"]
    assert not back.ok and back.status == "non-finite" and np.isnan(back.matrix[1]).all()
    assert repr(back) == "Sensitivities(3 x 3: non-finite)"
    with pytest.raises(ValueError, match=r"x has shape \(1, 3\): expected \(3,\)"):
        lower().jacobian(X[:1])
    with pytest.raises(ValueError, match=r"start has shape \(3,\): expected \(4,\)"):
        lower().jacobian(X[0], start=X[0])
    with pytest.raises(ValueError, match=r"cotangents has shape \(4,\): expected \(rows, 4\)"):
        lower().pull_back(X[0], u[0])
    with pytest.raises(TypeError, match="float32: expected float64"):
        lower().jacobian(X[0].astype(np.float32))
    with pytest.raises(bl.ConfigError, match="follows F"):
        lower().jacobian(X[0], "bda")


def test_functions_are_a_lower_level_too():
    def value_and_grad(x, y):
        r = A @ y - C @ x
        return g(x, y), -C.T @ r, A.T @ r + y**3 + y

    def hvp(x, y, dx, dy):
        r = A @ dy - C @ dx
        return -C.T @ r, A.T @ r + (3 * y**2 + 1) * dy

    u = rng.standard_normal((7, M))
    called = bl.Lower(bl.Functions(value_and_grad, hvp), x=D, y=M).call(X, cotangents=u)
    np.testing.assert_allclose(called.by_x, lower().call(X, cotangents=u).by_x, rtol=1e-7)
    found = bl.Lower(bl.Functions(value_and_grad, hvp), x=D, y=M).jacobian(X[0])
    np.testing.assert_allclose(found.matrix, jacobian(X[0], found.y), atol=1e-8)


def test_what_does_not_fit_is_one_exception():
    with pytest.raises(ValueError, match=r"x has shape \(7, 4\): expected \(rows, 3\)"):
        lower().call(np.zeros((7, 4)))
    with pytest.raises(TypeError, match="float32: expected float64"):
        lower().call(X.astype(np.float32))
    with pytest.raises(bl.ConfigError, match="follows F"):
        bl.Layer(lower(), "bda")
    with pytest.raises(bl.ConfigError, match="did you mean"):
        bl.Layer(lower(), "aid-cgg")
    with pytest.raises(ValueError, match="on_failure"):
        bl.Layer(lower(), on_failure="ignore")


def test_nothing_is_left_over_ten_thousand_calls():
    level, u = lower(), rng.standard_normal((1, M))

    def call():
        return level.call(X[:1], cotangents=u, guesses=np.zeros((1, M)))

    for _ in range(200):
        call()
    gc.collect()
    objects, before = len(gc.get_objects()), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(10_000):
        call()
    gc.collect()
    assert len(gc.get_objects()) <= objects + 50
    # In KiB: a row that is kept for each call would be some MiB.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2048


# ---- PyTorch


@pytest.mark.parametrize("strategy", ["aid-cg", "itd"])
def test_gradcheck_and_our_checker_agree_with_the_layer(torch, strategy):
    settings = {"tolerance": 1e-12} if strategy == "aid-cg" else {"depth": 40}
    layer = bl.torch.Argmin(lower(), strategy, on_failure="nan", **settings)
    x = torch.tensor(X[:3], requires_grad=True)
    assert torch.autograd.gradcheck(layer, (x,), eps=1e-5, atol=1e-5)
    report = bl.check(layer, x=torch.tensor(X[0]))
    assert all(r["verdict"] != "mismatch" for r in report), report


def test_a_network_around_a_layer_learns(torch):
    torch.manual_seed(0)
    layer = bl.torch.Argmin(lower("float32"), warm_start=True)
    net = torch.nn.Linear(5, D)
    features, targets = torch.randn(16, 5), 0.1 * torch.randn(16, M)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.05)
    losses = []
    for _ in range(15):
        loss = (layer(net(features)) - targets).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert layer.last.back and layer.last.ok.all()


def test_leading_dimensions_are_rows(torch):
    layer = bl.torch.Argmin(lower())
    x = torch.tensor(X[:6]).reshape(2, 3, D)
    assert layer(x).shape == (2, 3, M)
    assert torch.equal(layer(x).reshape(6, M), layer(x.reshape(6, D)))
    assert torch.equal(layer(x[0, 0]), layer(x)[0, 0])


def test_transforms_of_torch_func(torch):
    layer = bl.torch.Argmin(lower())
    x = torch.tensor(X)
    mapped = torch.func.vmap(layer)(x)
    assert torch.equal(mapped, layer(x))
    assert torch.equal(torch.func.vmap(layer, in_dims=1)(x.T), layer(x))

    def loss(x):
        return layer(x).square().sum()

    each = torch.func.vmap(torch.func.grad(loss))(x)
    leaf = x.clone().requires_grad_(True)
    loss(leaf).backward()
    torch.testing.assert_close(each, leaf.grad, rtol=1e-9, atol=1e-12)
    jac = torch.func.jacrev(layer)(x[0])
    y = layer(x[0]).numpy()
    np.testing.assert_allclose(jac.numpy(), jacobian(X[0], y), rtol=1e-7, atol=1e-9)


def test_second_derivatives_are_refused_with_the_reason(torch):
    layer = bl.torch.Argmin(lower())
    x = torch.tensor(X[0], requires_grad=True)
    (first,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="second derivative"):
        first.sum().backward()


def test_warm_starts_take_no_iteration_and_give_the_cold_answer(torch):
    x = torch.tensor(X, requires_grad=True)
    grads = []
    for warm in (False, True):
        layer = bl.torch.Argmin(lower(), warm_start=warm)
        for _ in range(2):
            (grad,) = torch.autograd.grad(layer(x).sum(), x)
        assert (max(layer.last.linear_iterations) == 0) is warm
        layer(x)
        assert (max(layer.last.lower_iterations) == 0) is warm
        grads.append(grad)
    torch.testing.assert_close(grads[0], grads[1], rtol=1e-8, atol=1e-10)


def test_another_number_of_rows_starts_cold(torch):
    layer = bl.torch.Argmin(lower(), warm_start=True)
    layer(torch.tensor(X))
    few = layer(torch.tensor(X[:2]))
    assert torch.equal(few, bl.torch.Argmin(lower())(torch.tensor(X[:2])))


def flat():
    """Flat in y₀ where x₀ is 0."""
    return bl.Lower(lambda x, y: 0.5 * x[0] * y[0] ** 2 + 0.5 * (y[1] - x[1]) ** 2, x=2, y=2)


BAD = np.array([[1.0, 0.5], [0.0, 0.5], [2.0, 0.5]])


def test_a_row_that_fails_is_loud_and_leaves_the_others_right(torch):
    x = torch.tensor(BAD, requires_grad=True)
    layer = bl.torch.Argmin(flat(), on_failure="warn")
    with pytest.warns(bl.NumericalWarning, match="row 1: singular-hessian"):
        y = layer(x)
    assert layer.last.status == ["converged", "singular-hessian", "converged"]
    with pytest.warns(bl.NumericalWarning, match="cotangent of row 1"):
        y[:, 1].sum().backward()
    np.testing.assert_allclose(x.grad[[0, 2]], [[0, 1], [0, 1]], atol=1e-9)

    with pytest.raises(bl.StatusError, match="row 1"):
        bl.torch.Argmin(flat(), on_failure="raise")(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quiet = bl.torch.Argmin(flat(), on_failure="nan")
        y = quiet(x).detach()
    assert torch.isnan(y[1]).all() and torch.isfinite(y[[0, 2]]).all()


def test_a_row_that_failed_starts_anew(torch):
    layer = bl.torch.Argmin(flat(), warm_start=True, on_failure="nan")
    layer(torch.tensor(BAD))
    good = BAD.copy()
    good[1, 0] = 1.0
    assert torch.isfinite(layer(torch.tensor(good))).all()


def test_a_cotangent_that_is_not_finite_is_named(torch):
    layer = bl.torch.Argmin(lower())
    x = torch.tensor(X[:2], requires_grad=True)
    y = layer(x)
    u = torch.ones_like(y)
    u[1, 0] = torch.nan
    with pytest.warns(bl.NumericalWarning, match="row 1: non-finite.*cotangent"):
        y.backward(u)
    assert torch.isfinite(x.grad[0]).all()


def test_tensors_that_do_not_fit_are_refused(torch):
    layer = bl.torch.Argmin(lower())
    with pytest.raises(TypeError, match=r"torch\.float32: expected torch\.float64"):
        layer(torch.tensor(X, dtype=torch.float32))
    with pytest.raises(ValueError, match=r"expected \(…, 3\)"):
        layer(torch.zeros(2, 4, dtype=torch.float64))
    with pytest.raises(TypeError, match="expected a tensor"):
        layer(X)


# ---- JAX


def test_a_jax_layer_under_jit_grad_and_vmap(jax):
    jnp = jax.numpy
    layer = bl.jax.Argmin(lower())
    x = jnp.asarray(X)
    y = layer(x)
    assert y.shape == (7, M)
    np.testing.assert_array_equal(jax.jit(layer)(x), y)
    np.testing.assert_array_equal(jax.vmap(layer)(x), y)
    np.testing.assert_array_equal(jax.vmap(layer, in_axes=1)(x.T), y)
    jac = jax.jit(jax.jacrev(layer))(x[0])
    np.testing.assert_allclose(jac, jacobian(X[0], np.asarray(y[0])), rtol=1e-7, atol=1e-9)
    each = jax.vmap(jax.grad(lambda x: layer(x).sum()))(x)
    together = jax.grad(lambda x: layer(x).sum())(x)
    np.testing.assert_allclose(each, together, rtol=1e-9)
    report = bl.check(layer, x=x[0])
    assert all(r["verdict"] != "mismatch" for r in report)


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_a_short_loop_is_pulled_back_through_its_own_steps(framework):
    lib = pytest.importorskip(framework)
    level, u = lower(), rng.standard_normal((7, M))
    want = level.call(X, "itd", cotangents=u, depth=3).by_x
    if framework == "torch":
        layer = bl.torch.Argmin(level, "itd", on_failure="nan", depth=3)
        x = lib.tensor(X, requires_grad=True)
        layer(x).backward(lib.tensor(u))
        got = x.grad.numpy()
    else:
        lib.config.update("jax_enable_x64", True)
        layer = bl.jax.Argmin(level, "itd", on_failure="nan", depth=3)
        got = lib.vjp(layer, lib.numpy.asarray(X))[1](lib.numpy.asarray(u))[0]
    np.testing.assert_array_equal(got, want)


def test_a_thousand_calls_of_a_jax_layer_do_not_hang(jax):
    jnp = jax.numpy
    layer = bl.jax.Argmin(lower())
    step = jax.jit(lambda x: x - 0.01 * jax.grad(lambda x: jnp.square(layer(x)).sum())(x))
    x = jnp.asarray(X)
    first = float(jnp.square(layer(x)).sum())
    for _ in range(1000):
        x = step(x)
    assert float(jnp.square(layer(x)).sum()) < first


def test_jax_within_a_jax_callback_is_refused(jax):
    level = bl.Lower(bl.Functions(lambda x, y: (0.5 * (y - x) @ (y - x), x - y, y - x)), x=2, y=2)
    with pytest.raises(bl.ConfigError, match="JAX hangs"):
        bl.jax.Argmin(level)


def test_a_jax_layer_says_what_failed(jax):
    x = jax.numpy.asarray(BAD)
    layer = bl.jax.Argmin(flat())
    with pytest.warns(bl.NumericalWarning, match="row 1: singular-hessian"):
        jax.block_until_ready(layer(x))
    with pytest.raises(Exception, match="row 1: singular-hessian"):
        jax.block_until_ready(bl.jax.Argmin(flat(), on_failure="raise")(x))
    y = bl.jax.Argmin(flat(), on_failure="nan")(x)
    assert np.isnan(y[1]).all() and np.isfinite(y[0]).all()


def test_jax_in_another_precision_is_refused(jax):
    with pytest.raises(TypeError, match="float32: expected float64"):
        bl.jax.Argmin(lower())(jax.numpy.asarray(X, "float32"))
    with pytest.raises(ValueError, match=r"expected \(…, 3\)"):
        bl.jax.Argmin(lower())(jax.numpy.zeros((2, 4)))
