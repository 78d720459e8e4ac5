"""The problems of race.py: samples drawn here, both objectives in NumPy for us and in JAX for the benchmark,
and a judge of both, ‖∇φ(x)‖² by an exact solution of the lower level in f64.

The benchmark's objectives are `f(inner_var, outer_var, start, batch_size)`: means over so many samples from
`start` on.
"""

import numpy as np


def spectrum(dim, low=0.1, high=1.0):
    """Square roots of curvatures that are spaced logarithmically."""
    return np.sqrt(np.geomspace(low, high, dim))


class Quadratics:
    """Means over quadratics of rank one, as `random-quadratics` has them at the benchmark's sizes:
    gᵢ = ½ (uᵢᵀy)² + (pᵢᵀx)(uᵢᵀy) + dᵢᵀy and Fᵢ = ½ (vᵢᵀy)² + ½ (wᵢᵀx)² + aᵢᵀy + bᵢᵀx."""

    track = "quadratics"

    def __init__(self, sizes, seed, dtype):
        (m, n), (dim_x, dim_y) = sizes or ((1024, 32_768), (10, 100))
        rng = np.random.default_rng(seed)
        normal = rng.standard_normal
        u, v, w = normal((n, dim_y)), normal((m, dim_y)), normal((m, dim_x))
        turn = np.linalg.qr(normal((dim_y, dim_x)))[0]
        p = 0.1 * u @ turn
        u, v, w = u * spectrum(dim_y), v * spectrum(dim_y), w * spectrum(dim_x)
        data = [u, p, normal((n, dim_y)), v, w, normal((m, dim_y)), normal((m, dim_x))]
        data = [np.ascontiguousarray(rows, dtype) for rows in data]
        self.lower, self.upper = data[:3], data[3:]
        self.x, self.y = np.full(dim_x, -2.0, dtype), np.zeros(dim_y, dtype)
        u, p, d, v, w, a, b = (rows.astype(float) for rows in data)
        h, cross = u.T @ u / n, p.T @ u / n
        self.mean = h, v.T @ v / m, w.T @ w / m, cross, d.mean(0), a.mean(0), b.mean(0)

    def gradient_squared(self, x):
        h, upper, outer, cross, d, a, b = self.mean
        y = -np.linalg.solve(h, cross.T @ x + d)
        return np.sum((outer @ x + b - cross @ np.linalg.solve(h, upper @ y + a)) ** 2)

    @staticmethod
    def objectives(mean):
        """Both of them, the upper first, with the mean of NumPy or of JAX."""

        def lower(x, y, u, p, d):
            along = u @ y
            return mean(0.5 * along**2 + (p @ x) * along + d @ y)

        def upper(x, y, v, w, a, b):
            return mean(0.5 * (v @ y) ** 2 + 0.5 * (w @ x) ** 2 + a @ y + b @ x)

        return upper, lower

    def ours(self, bl):
        upper, lower = self.objectives(np.mean)
        return bl.sampled(upper, *self.upper), bl.sampled(lower, *self.lower)

    def theirs(self, benchmark):
        """In the two ways in which they can be given to the benchmark's solvers."""
        import jax.numpy as jnp

        upper, lower = self.objectives(jnp.mean)

        def matrices():
            # As the benchmark's own dataset has them: matrices for each sample.
            made = benchmark.module("datasets/simulated.py").get_function
            (u, p, d), (v, w, a, b) = (map(jnp.asarray, of) for of in (self.lower, self.upper))
            outer = lambda left, right: left[:, :, None] * right[:, None, :]
            none = jnp.zeros_like
            lower = made(outer(u, u), none(outer(p, p)), outer(p, u), d, none(p))
            return lower, made(outer(v, v), outer(w, w), none(outer(w, v)), a, b)

        return {
            "vectors": lambda: (sliced(lower, self.lower), sliced(upper, self.upper)),
            "matrices": matrices,
        }


class Regularisation:
    """A weight decay exp(xᵢ) for each feature of logistic regression, at the sizes of ijcnn1."""

    track = "regularisation"

    def __init__(self, sizes, seed, dtype):
        (m, n), (dim, _) = sizes or ((91_701, 49_990), (22, 22))
        rng = np.random.default_rng(seed)
        truth = rng.standard_normal(dim) * (rng.random(dim) < 0.5)

        def draw(n):
            a = rng.standard_normal((n, dim)) * spectrum(dim)
            t = np.where(rng.random(n) < 1 / (1 + np.exp(-2 * a @ truth)), 1.0, -1.0)
            return [a.astype(dtype), t.astype(dtype)]

        self.lower, self.upper = draw(n), draw(m)
        self.x, self.y = np.full(dim, -2.0, dtype), np.zeros(dim, dtype)
        self.exact = [[rows.astype(float) for rows in of] for of in (self.lower, self.upper)]
        self.near = np.zeros(dim)

    def gradient_squared(self, x):
        (a, t), (av, tv) = self.exact
        weights = np.exp(x)
        y = self.near
        for _ in range(50):
            s = 1 / (1 + np.exp(t * (a @ y)))
            gradient = -(t * s) @ a / len(t) + weights * y
            h = (a.T * (s * (1 - s))) @ a / len(t) + np.diag(weights)
            step = np.linalg.solve(h, gradient)
            y = y - step
            if np.linalg.norm(step) <= 1e-12 * np.linalg.norm(y):
                break
        self.near = y
        by_y = -(tv / (1 + np.exp(tv * (av @ y)))) @ av / len(tv)
        return np.sum((weights * y * np.linalg.solve(h, by_y)) ** 2)

    def ours(self, bl):
        lower = lambda x, y, a, t: bl.logistic_loss(a, t, y) + 0.5 * np.exp(x) @ y**2
        upper = lambda x, y, a, t: bl.logistic_loss(a, t, y)
        return bl.sampled(upper, *self.upper), bl.sampled(lower, *self.lower)

    def theirs(self, _):
        import jax
        import jax.numpy as jnp

        loss = lambda y, a, t: -jnp.mean(jax.nn.log_sigmoid(t * (a @ y)))
        lower = lambda x, y, a, t: loss(y, a, t) + jnp.dot(jnp.exp(x) * y, y) / 2
        upper = lambda x, y, a, t: loss(y, a, t)
        return {"vectors": lambda: (sliced(lower, self.lower), sliced(upper, self.upper))}


def sliced(of, data):
    """An objective of the benchmark's form."""
    import jax
    import jax.numpy as jnp

    data = [jnp.asarray(rows) for rows in data]

    def f(inner_var, outer_var, start=0, batch_size=1):
        rows = [jax.lax.dynamic_slice_in_dim(r, start, batch_size) for r in data]
        return of(outer_var, inner_var, *rows)

    return jax.jit(f, static_argnames="batch_size")


PROBLEMS = {of.track: of for of in (Quadratics, Regularisation)}
