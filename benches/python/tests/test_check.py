"""The checker over functions of NumPy, JAX and PyTorch, and over derivatives written by hand."""

from __future__ import annotations

import bilevel as bl
import numpy as np
import pytest

X = np.array([[0.3, -1.2], [0.7, 2.0]])


def f(x):
    return np.sum(np.exp(x) * np.roll(x, 1))


def grad(x):
    return np.exp(x) * np.roll(x, 1) + np.roll(np.exp(x), -1)


def hvp(x, v):
    e = np.exp(x)
    return e * np.roll(x, 1) * v + e * np.roll(v, 1) + np.roll(e * v, -1)


def test_what_is_right_passes_with_a_control():
    report = bl.check(f, grad, hvp, X)
    assert report.ok and report.has_power
    assert report.assert_passed() is report
    assert {r["check"] for r in report} >= {"gradient", "product"}
    assert "control" in str(report) or "found out" in str(report)


def test_an_entry_that_is_off_by_a_millionth_is_named():
    def off(x):
        g = grad(x)
        g[1, 0] *= 1 + 2e-6
        return g

    report = bl.check(f, off, None, X)
    assert not report.ok
    bad = [r for r in report if r["verdict"] == "mismatch"]
    assert bad and all("entry 2" in r["place"] for r in bad if "entry" in r["place"])
    with pytest.raises(AssertionError, match="gradient at .*entry 2"):
        report.assert_passed()


def test_a_product_that_drops_a_term_is_found():
    report = bl.check(f, grad, lambda x, v: np.exp(x) * np.roll(x, 1) * v, X)
    assert any(r["check"] == "product" and r["verdict"] == "mismatch" for r in report)
    assert all(r["verdict"] != "mismatch" for r in report if r["check"] == "gradient")


def test_what_cannot_be_told_is_no_pass():
    report = bl.check(lambda x: np.abs(x).sum(), np.sign, None, np.zeros(1))
    assert not report.ok and report.undecided == ("gradient",)
    with pytest.raises(AssertionError, match="could not be told"):
        report.assert_passed()


def test_an_exception_of_a_function_comes_through():
    class Own(Exception):
        pass

    def bad(x):
        raise Own

    for arguments in [(bad, grad, None), (f, bad, None), (f, grad, lambda x, v: bad(x))]:
        with pytest.raises(Own):
            bl.check(*arguments, X)


@pytest.mark.parametrize(
    ("arguments", "kind", "match"),
    [
        ((f, grad, None, None), TypeError, "needs a point"),
        ((f, None, None, X), TypeError, "no gradient"),
        ((f, grad, True, X), TypeError, "hvp=True"),
        ((f, lambda x: np.zeros(3), None, X), ValueError, "3 entries: expected 4"),
        ((lambda x: x, grad, None, X), ValueError, "expected a scalar"),
        ((lambda x: 1j, grad, None, X), TypeError, "complex"),
        ((f, grad, None, X * 1j), TypeError, "complex"),
        ((f, grad, None, np.zeros(0)), ValueError, "no entries"),
    ],
)
def test_what_does_not_fit_is_one_exception(arguments, kind, match):
    with pytest.raises(kind, match=match):
        bl.check(*arguments)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_jax_is_held_against_its_own_function(dtype):
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy

    def loss(tree):
        return jnp.sum(jnp.tanh(tree["w"]) ** 2) * jnp.exp(tree["b"])

    tree = {"w": jnp.asarray([0.3, -0.7], dtype), "b": jnp.asarray(0.2, dtype)}
    report = bl.check(loss, hvp=True, x=tree)
    assert all(r["verdict"] != "mismatch" for r in report)
    if dtype == "float64":
        report.assert_passed()
        bl.check(loss, jax.grad(loss), x=tree).assert_passed()


def test_a_custom_vjp_with_a_bug_is_found():
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy

    def made(backward):
        @jax.custom_vjp
        def softplus(x):
            return jnp.logaddexp(0.0, x)

        softplus.defvjp(lambda x: (softplus(x), x), lambda x, u: (backward(x) * u,))
        return softplus

    x = jnp.asarray([-1.0, 0.5, 2.0])
    bl.check(made(jax.nn.sigmoid), x=x).assert_passed()
    report = bl.check(made(lambda x: jax.nn.sigmoid(2 * x)), x=x)
    assert not report.ok


@pytest.mark.parametrize("right", [True, False])
def test_an_autograd_function_is_held_against_its_forward(right):
    torch = pytest.importorskip("torch")

    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, u):
            (x,) = ctx.saved_tensors
            return (3.0 if right else 3.0003) * x**2 * u

    x = torch.tensor([[0.5, -1.5, 2.0]], dtype=torch.float64)
    report = bl.check(Cube.apply, x=x, hvp=right)
    assert report.ok is right
    if right:
        bl.check(lambda a, b: (a * b).sum(), x=(x, 2 * x), hvp=True).assert_passed()
        bl.check(lambda v: v.sum(), lambda v: torch.ones_like(v), x=x).assert_passed()
