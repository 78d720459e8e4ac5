"""The solver class for benchopt, on objectives in the form of its bilevel benchmark."""

import numpy as np
import pytest

jax = pytest.importorskip("jax")
pytest.importorskip("benchopt")
jnp = jax.numpy


def samples(seed, n=12, inner=4, outer=3):
    """Means over samples of ½ z'Hz + x'Cz + b'z + ½ x'Gx: inner variable first, a block of samples."""
    rng = np.random.default_rng(seed)
    half = rng.standard_normal((n, inner, inner)) / 4
    h = jnp.asarray(half @ half.transpose(0, 2, 1) + np.eye(inner), "float32")
    c = jnp.asarray(rng.standard_normal((n, outer, inner)) / 4, "float32")
    b = jnp.asarray(rng.standard_normal((n, inner)), "float32")

    def f(inner_var, outer_var, start=0, batch_size=1):
        own = (jax.lax.dynamic_slice_in_dim(a, start, batch_size).mean(0) for a in (h, c, b))
        hess, cross, linear = own
        quadratic = 0.5 * inner_var @ hess @ inner_var + 0.5 * outer_var @ outer_var
        return quadratic + outer_var @ cross @ inner_var + linear @ inner_var

    return f


@pytest.mark.parametrize(("method", "rate"), [("aid-cg", 0.3), ("itd", 0.3), ("hoag", None)])
def test_a_solver_of_benchopt_comes_to_the_solution(method, rate):
    from bilevel.benchopt import Solver

    f_inner, f_outer = samples(0), samples(1)
    solver = Solver.get_instance(method=method, rate=rate, settings=())
    solver.set_objective(
        f_inner=f_inner,
        f_outer=f_outer,
        n_inner_samples=12,
        n_outer_samples=12,
        inner_var0=jnp.zeros(4, "float32"),
        outer_var0=-2 * jnp.ones(3, "float32"),
    )
    calls = iter(range(80))
    solver.run(lambda: next(calls, None) is not None)
    result = solver.get_result()
    assert set(result) == {"inner_var", "outer_var"}

    def value(x):
        inner = jax.hessian(f_inner)(jnp.zeros(4, "float32"), x, batch_size=12)
        slope = jax.grad(f_inner)(jnp.zeros(4, "float32"), x, batch_size=12)
        return f_outer(-jnp.linalg.solve(inner, slope), x, batch_size=12)

    slope = jax.grad(value)
    first, last = (np.linalg.norm(slope(x)) for x in (-2 * jnp.ones(3), result["outer_var"]))
    assert last < 0.02 * first
    assert next(calls, None) is None, "it goes on for as long as benchopt asks"
