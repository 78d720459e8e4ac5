"""Optimistix's whole calls: Newton's method by conjugate gradients, and a fixed-point loop."""

import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import optimistix as optx

from accuracy import DEPTHS, TOLERANCES, accurate
from jax_ground import args, load, logistic, w1_by_y
from jax_whole import NAMES, exact
from protocol import serve


def hypergradient(solve, data):
    """The gradient by x of the upper level at what `solve` makes of x."""

    def upper(x, a, t, av, tv):
        return logistic(solve(jnp.zeros_like(x), (x, a, t)), av, tv)

    compiled = jax.jit(jax.grad(upper))
    return lambda: np.asarray(compiled(*data))


def aid(_, accuracy):
    data = load("W1", *NAMES)

    def slope(y, of):
        return w1_by_y(of[0], y, *of[1:])

    def make(tolerance):
        linear = lx.CG(rtol=tolerance, atol=tolerance)
        solver = optx.Newton(rtol=tolerance, atol=tolerance, linear_solver=linear)
        adjoint = optx.ImplicitAdjoint(linear_solver=linear)
        # A Hessian; without the tag conjugate gradients are refused.
        tags = frozenset({lx.positive_semidefinite_tag})
        settings = dict(adjoint=adjoint, tags=tags, max_steps=100)
        return hypergradient(lambda y, of: optx.root_find(slope, solver, y, of, **settings).value, data)

    return accurate("aid", accuracy, TOLERANCES, make, exact())


def itd(_, accuracy):
    data = load("W1", *NAMES)

    def step(y, of):
        return y - w1_by_y(of[0], y, *of[1:])

    def make(depth):
        # So that it ends at the count of steps alone.
        solver = optx.FixedPointIteration(rtol=0.0, atol=0.0)
        adjoint = optx.RecursiveCheckpointAdjoint()
        settings = dict(adjoint=adjoint, max_steps=depth, throw=False)
        return hypergradient(lambda y, of: optx.fixed_point(step, solver, y, of, **settings).value, data)

    return accurate("itd", accuracy, DEPTHS, make, exact())


serve(optx.__version__, args.folder, {"aid": aid, "itd": itd})
