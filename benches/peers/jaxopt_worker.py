"""JAXopt's whole calls: L-BFGS with implicit differentiation, and gradient descent unrolled."""

import functools
import importlib.metadata

import jax
import jax.numpy as jnp
import jaxopt
import numpy as np

from accuracy import DEPTHS, TOLERANCES, accurate
from jax_ground import args, load, logistic, w1
from jax_whole import NAMES, exact
from protocol import serve


def hypergradient(solver, data):
    """The gradient by x of the upper level at what the solver makes of x."""

    def upper(x, a, t, av, tv):
        return logistic(solver.run(jnp.zeros_like(x), x, a, t).params, av, tv)

    compiled = jax.jit(jax.grad(upper))
    return lambda: np.asarray(compiled(*data))


def lower(y, x, a, t):
    return w1(x, y, a, t)


def aid(_, accuracy):
    data = load("W1", *NAMES)

    def make(tolerance):
        solve = functools.partial(jaxopt.linear_solve.solve_cg, tol=tolerance)
        solver = jaxopt.LBFGS(lower, maxiter=1000, tol=tolerance, implicit_diff_solve=solve)
        return hypergradient(solver, data)

    return accurate("aid", accuracy, TOLERANCES, make, exact())


def itd(_, accuracy):
    data = load("W1", *NAMES)
    # Unrolled and compiled is a scan.
    settings = dict(stepsize=1.0, acceleration=False, tol=0.0, implicit_diff=False, unroll=True)

    def make(depth):
        return hypergradient(jaxopt.GradientDescent(lower, maxiter=depth, **settings), data)

    return accurate("itd", accuracy, DEPTHS, make, exact())


serve(importlib.metadata.version("jaxopt"), args.folder, {"aid": aid, "itd": itd})
