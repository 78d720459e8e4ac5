"""Iterations of stochastic methods in JAX: the same updates on the same draws, one jitted scan.

The indices of all batches are an input of what is compiled, so JAX draws nothing while it is timed. A
call goes on from where the last one ended, with the draws of the first; it ends, as ours does, with F
and the norm of the gradient of g on all samples. The inner loops are scans within the scan, which is
faster than writing them out. Settings are those of benches/src/workloads/stochastic.rs.
"""

import functools
import typing

import jax
import jax.numpy as jnp

from jax_ground import classes, cross_entropy, inputs, load, logistic

INNER = 10
PENALTY = 10.0


class Problem:
    """The losses of the two levels on a batch, the start, and the length of a step."""

    def __init__(self, group):
        self.length = 0.005 if group == "iteration-quadratics" else 0.05
        if group == "iteration-quadratics":
            self.data = load(group, "u", "p", "d", "v", "w", "a", "b")
            self.x = jnp.zeros(self.data[1].shape[1], self.data[0].dtype)
            self.y = jnp.zeros(self.data[0].shape[1], self.data[0].dtype)
            self.upper, self.lower = upper_quadratics, lower_quadratics
            return
        self.x, a, t, av, tv = load(group, "x", "x_train", "t_train", "x_valid", "t_valid")
        self.upper, self.lower, dim_y = upper_logistic, lower_logistic, a.shape[1]
        if group == "iteration-softmax":
            t, tv = (classes(group, name, 7) for name in ("t_train", "t_valid"))
            self.upper, self.lower, dim_y = upper_softmax, lower_softmax, (a.shape[1], 7)
        self.y = jnp.zeros(dim_y, a.dtype)
        self.data = [a, t, av, tv]


def penalty(x, y):
    return 0.5 * jnp.sum(jnp.exp(x)) * jnp.sum(y * y)


def upper_logistic(x, y, data, of):
    return logistic(y, data[2][of], data[3][of])


def lower_logistic(x, y, data, of):
    return logistic(y, data[0][of], data[1][of]) + penalty(x, y)


def upper_softmax(x, y, data, of):
    return jnp.mean(cross_entropy(y, data[2][of], data[3][of]))


def lower_softmax(x, y, data, of):
    return jnp.mean(cross_entropy(y, data[0][of], data[1][of])) + penalty(x, y)


def upper_quadratics(x, y, data, of):
    v, w, a, b = (rows[of] for rows in data[3:])
    return jnp.mean(0.5 * (v @ y) ** 2 + 0.5 * (w @ x) ** 2 + a @ y + b @ x)


def lower_quadratics(x, y, data, of):
    u, p, d = (rows[of] for rows in data[:3])
    along = u @ y
    return jnp.mean(0.5 * along**2 + (p @ x) * along + d @ y)


class Oracles:
    """Derivatives of both levels on a batch."""

    def __init__(self, problem, data):
        self.upper = lambda x, y, of: jax.grad(problem.upper, (0, 1))(x, y, data, of)
        self.upper_by_y = lambda x, y, of: jax.grad(problem.upper, 1)(x, y, data, of)
        self.lower = lambda x, y, of: jax.grad(problem.lower, (0, 1))(x, y, data, of)
        self.lower_by_y = lambda x, y, of: jax.grad(problem.lower, 1)(x, y, data, of)

    def products(self, x, y, v, of):
        """The gradient of g by y, and the cross and the Hessian product with v."""
        (_, gradient), (cross, product) = jax.jvp(lambda y: self.lower(x, y, of), (y,), (v,))
        return gradient, cross, product

    def hessian(self, x, y, v, of):
        return jax.jvp(lambda y: self.lower_by_y(x, y, of), (y,), (v,))[1]

    def cross(self, x, y, v, of):
        by_x = jax.grad(lambda x, y: jnp.vdot(self.lower_by_y(x, y, of), v))
        return by_x(x, y)


def soba(o, length, state, upper, lower):
    x, y, v = state
    in_x, in_y = o.upper(x, y, upper[0])
    gradient, cross, product = o.products(x, y, v, lower[0])
    return x - length / 10 * (cross + in_x), y - length * gradient, v - length * (product + in_y)


def repeated(step, state, draws):
    """The state after a step for each of the draws."""
    return jax.lax.scan(lambda state, of: (step(state, of), None), state, draws)[0]


def descend(o, length, x, y, lower):
    return repeated(lambda y, of: y - length * o.lower_by_y(x, y, of), y, lower[:INNER])


def amigo(o, length, state, upper, lower):
    x, y, v = state
    y = descend(o, length, x, y, lower)
    in_x, in_y = o.upper(x, y, upper[0])
    solve = lambda v, of: v - length * (o.hessian(x, y, v, of) - in_y)
    v = repeated(solve, v, lower[INNER : 2 * INNER])
    return x - length / 10 * (in_x - o.cross(x, y, v, lower[2 * INNER])), y, v


def stocbio(o, length, state, upper, lower):
    x, y, _ = state
    y = descend(o, length, x, y, lower)
    in_x, in_y = o.upper(x, y, upper[0])

    def factor(state, of):
        term, total = state
        term = term - length * o.hessian(x, y, term, of)
        return term, total + term

    v = length * repeated(factor, (in_y, in_y), lower[INNER : 2 * INNER])[1]
    return x - length / 10 * (in_x - o.cross(x, y, v, lower[2 * INNER])), y, v


def saba(o, length, state, upper, lower):
    """The draws hold those of the next iteration too: see `Table`."""
    (x, y, v), of_upper, of_lower = state
    of_upper, (in_x, in_y) = reduced(of_upper, upper[1, 0], o.upper(x, y, upper[0]))
    new = o.products(x, y, v, lower[0])
    of_lower, (gradient, cross, product) = reduced(of_lower, lower[1, 0], new)
    moved = x - length / 10 * (cross + in_x), y - length * gradient, v - length * (product + in_y)
    return moved, of_upper, of_lower


class Table(typing.NamedTuple):
    """What each sample gave when it was last drawn, the means of that, and the row drawn next.

    XLA copies a table in each iteration if a row is read before it is set; so it is read when the
    iteration before has set its own.
    """

    rows: tuple
    means: tuple
    sample: jax.Array
    row: tuple


def row_of(rows, i):
    return tuple(jax.lax.dynamic_index_in_dim(r, i, 0, keepdims=False) for r in rows)


def reduced(table, following, new):
    """The table with a sample's new row, and the directions: new − old + mean."""
    changes = [n - old for n, old in zip(new, table.row)]
    directions = [c + m for c, m in zip(changes, table.means)]
    put = lambda r, n: jax.lax.dynamic_update_index_in_dim(r, n, table.sample, 0)
    rows = tuple(put(r, n) for r, n in zip(table.rows, new))
    means = tuple(m + c / len(r) for m, c, r in zip(table.means, changes, rows))
    return Table(rows, means, following, row_of(rows, following)), directions


def tables(problem, data, state, firsts):
    """What each sample gives at the start."""
    o, (x, y, v) = Oracles(problem, data), state
    samples = jnp.arange(len(data[0]))[:, None]
    of_upper = jax.lax.map(lambda of: o.upper(x, y, of), samples, batch_size=1000)
    of_lower = jax.lax.map(lambda of: o.products(x, y, v, of), samples, batch_size=1000)
    made = []
    for rows, first in zip((of_upper, of_lower), firsts):
        means = tuple(r.mean(0) for r in rows)
        made.append(Table(tuple(rows), means, first, row_of(rows, first)))
    return state, *made


def with_following(draws):
    """Each iteration's draw with that of the next; the last is followed by the first."""
    return jnp.concatenate([draws, jnp.roll(draws, -1, 0)], 1)


def f2sa(o, length, state, upper, lower):
    x, y, z = state
    z = descend(o, length, x, z, lower)
    short = length / (1.0 + PENALTY)

    def penalised(y, of):
        return y - short * (o.upper_by_y(x, y, of[0]) + PENALTY * o.lower_by_y(x, y, of[1]))

    y = repeated(penalised, y, (upper[:INNER], lower[INNER : 2 * INNER]))
    last = lower[2 * INNER]
    apart = o.lower(x, y, last)[0] - o.lower(x, z, last)[0]
    return x - length / 100 * (o.upper(x, y, upper[INNER])[0] + PENALTY * apart), y, z


METHODS = {"soba": soba, "amigo": amigo, "stocbio": stocbio, "saba": saba, "f2sa": f2sa}


def run(problem, step, state, data, upper, lower):
    """All iterations of a call; then F and ‖∇_y g‖ on all samples."""
    oracles = Oracles(problem, data)
    body = lambda state, of: (step(oracles, problem.length, state, *of), None)
    state, _ = jax.lax.scan(body, state, (upper, lower))
    x, y = (state[0] if isinstance(state[0], tuple) else state)[:2]
    everyone = slice(None)
    value = problem.upper(x, y, data, everyone)
    slope = jax.grad(problem.lower, 1)(x, y, data, everyone)
    return state, (x, y), (value, jnp.linalg.norm(slope))


def iterations(group, name):
    problem = Problem(group)
    draws = [jnp.asarray(inputs.read(group, f"{name}_{level}"), jnp.int32) for level in ("upper", "lower")]
    start = (problem.x, problem.y, problem.y if name == "f2sa" else jnp.zeros_like(problem.y))
    # The state is donated, so each part of it has to be an array of its own.
    state = jax.tree.map(jnp.array, start)
    if name == "saba":
        firsts = [of[0, 0, 0] for of in draws]
        state = jax.jit(functools.partial(tables, problem))(problem.data, state, firsts)
        state, draws = jax.tree.map(jnp.array, state), [with_following(of) for of in draws]
    compiled = jax.jit(functools.partial(run, problem, METHODS[name]), donate_argnums=0)
    kept, first = [state], []

    def call():
        kept[0], found, _ = jax.block_until_ready(compiled(kept[0], problem.data, *draws))
        first.append(jax.device_get(found)) if not first else None

    return call, lambda: [first[0][0], first[0][1].T]


GROUPS = {
    "iteration-logistic": iterations,
    "iteration-softmax": iterations,
    "iteration-quadratics": iterations,
}
