"""Whole calls written by hand in JAX: Newton's method and conjugate gradients, and a scan of steps."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.sparse.linalg import cg

from accuracy import DEPTHS, TOLERANCES, accurate
from jax_ground import inputs, load, logistic, w1_by_y

NAMES = ("x", "x_train", "t_train", "x_valid", "t_valid")


def exact():
    return inputs.read("calls", "exact")


@jax.jit
def implicit(tolerance, x, a, t, av, tv):
    """Newton's method on g from 0, each step by conjugate gradients; then the linear system."""
    by_y = lambda y: w1_by_y(x, y, a, t)

    def step(state):
        y, slope = state
        # Looser than Newton's rate needs costs steps, tighter costs products.
        forcing = jnp.minimum(0.1, jnp.linalg.norm(slope))
        y = y - cg(jax.linearize(by_y, y)[1], slope, tol=forcing)[0]
        return y, by_y(y)

    far = lambda state: jnp.linalg.norm(state[1]) > tolerance
    y, _ = jax.lax.while_loop(far, step, (jnp.zeros_like(x), by_y(jnp.zeros_like(x))))
    q, _ = cg(jax.linearize(by_y, y)[1], jax.grad(logistic)(y, av, tv), tol=tolerance)
    return -jax.vjp(lambda x: w1_by_y(x, y, a, t), x)[1](q)[0]


def aid(_, accuracy):
    data = load("W1", *NAMES)
    make = lambda tolerance: lambda: np.asarray(implicit(tolerance, *data))
    return accurate("jax aid", accuracy, TOLERANCES, make, exact())


def itd(_, accuracy):
    data = load("W1", *NAMES)

    def make(depth):
        def after(x, a, t, av, tv):
            step = lambda y, _: (y - w1_by_y(x, y, a, t), None)
            return logistic(jax.lax.scan(step, jnp.zeros_like(x), None, length=depth)[0], av, tv)

        compiled = jax.jit(jax.grad(after))
        return lambda: np.asarray(compiled(*data))

    return accurate("jax itd", accuracy, DEPTHS, make, exact())


GROUPS = {"aid": aid, "itd": itd}
