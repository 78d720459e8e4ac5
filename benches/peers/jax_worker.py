"""JAX's side of the table: jit, forward over reverse, linearize outside the time, scan for loops.

Data are arguments, not constants, of what is compiled, so that XLA cannot compute on them before.
"""

import jax
import jax.numpy as jnp
from jax.scipy.sparse.linalg import cg

from protocol import Inputs, arguments, serve

args = arguments()
jax.config.update("jax_enable_x64", args.dtype == "f64")
inputs = Inputs(args.folder, args.dtype)


def load(group, *names):
    return [jnp.asarray(array) for array in inputs(group, *names)]


def classes(group, name):
    return jnp.asarray(inputs.classes(group, name))


def task(f, *arguments, parts=lambda out: jax.tree.leaves(out)):
    """`f` compiled; `parts` brings its value into the order that the table compares."""
    compiled, last = jax.jit(f), [None]

    def call():
        last[0] = jax.block_until_ready(compiled(*arguments))

    return call, lambda: parts(last[0])


def linearised(f, at, along, *rest, parts=lambda out: jax.tree.leaves(out)):
    """The derivative of `f` along `along`; what depends on the point alone is computed before."""
    linear = jax.jit(lambda at, *rest: jax.linearize(lambda z: f(z, *rest), at)[1])(at, *rest)
    return task(lambda linear, v: linear(v), linear, along, parts=parts)


def along(f, at, v):
    """The derivative of `f` at `at` along `v`."""
    return jax.jvp(f, (at,), (v,))[1]


# ---- W1


def logistic(y, a, t):
    return jnp.mean(jnp.logaddexp(0.0, -t * (a @ y)))


def w1(x, y, a, t):
    return logistic(y, a, t) + 0.5 * jnp.sum(jnp.exp(x) * y * y)


w1_by_y = jax.grad(w1, 1)
w1_by_both = jax.grad(w1, (0, 1))


def w1_task(group, kind):
    x, y, v, a, t = load(group, "x", "y", "v", "x_train", "t_train")
    if kind == "gradient":
        return task(w1_by_y, x, y, a, t)
    if kind == "hvp":
        return linearised(lambda y, x, a, t: w1_by_y(x, y, a, t), y, v, x, a, t)
    return task(
        lambda x, y, v, a, t: along(lambda y: w1_by_both(x, y, a, t), y, v), x, y, v, a, t
    )


# ---- W2: y is features × classes here, which is faster


def cross_entropy(y, a, b):
    scores = a @ y
    return jax.nn.logsumexp(scores, 1) - jnp.sum(scores * b, 1)


def w2(x, y, a, b):
    return jnp.mean(jax.nn.sigmoid(x) * cross_entropy(y, a, b)) + 0.001 * jnp.sum(y * y)


w2_by_y = jax.grad(w2, 1)
w2_by_both = jax.grad(w2, (0, 1))


def w2_task(group, kind):
    x, y, v, a = load(group, "x", "y", "v", "x_train")
    y, v, b = jnp.asarray(y.T.copy()), jnp.asarray(v.T.copy()), classes(group, "t_train")
    if kind == "gradient":
        return task(w2_by_y, x, y, a, b, parts=lambda g: [g.T])
    both = dict(parts=lambda out: [out[0], out[1].T])
    if kind == "joint-linearised":
        return linearised(lambda y, x, a, b: w2_by_both(x, y, a, b), y, v, x, a, b, **both)
    return task(
        lambda x, y, v, a, b: along(lambda y: w2_by_both(x, y, a, b), y, v),
        *(x, y, v, a, b),
        **both,
    )


# ---- W3


def network(p, samples):
    h = samples
    for k, (w, b) in enumerate(p):
        h = h @ w + b
        if k + 1 < len(p):
            h = jnp.tanh(h)
    return h


def w3_loss(p, samples, targets):
    scores = network(p, samples)
    return jnp.mean(jax.nn.logsumexp(scores, 1) - jnp.sum(scores * targets, 1))


def w3_small_loss(p, samples, targets):
    return 0.5 * jnp.mean((network(p, samples) - targets) ** 2)


def layers(widths, flat):
    """Weights `inputs × outputs` and biases of each layer."""
    p, start = [], 0
    for rows, cols in zip(widths[:-1], widths[1:]):
        w = flat[start : start + rows * cols].reshape(rows, cols)
        start += rows * cols
        p.append((w, flat[start : start + cols]))
        start += cols
    return p


def w3_task(group, kind):
    samples, targets, y, v = load(group, "samples", "targets", "y", "v")
    widths, loss = ((32, 64, 64, 1), w3_small_loss)
    if group == "W3":
        widths, loss = ((784, 128, 10), w3_loss)
    p, v = layers(widths, y), layers(widths, v)
    flat = dict(parts=lambda p: [jnp.concatenate([q.ravel() for q in jax.tree.leaves(p)])])
    gradient = jax.grad(loss)
    if kind == "gradient":
        return task(gradient, p, samples, targets, **flat)
    if kind == "hvp":
        return linearised(gradient, p, v, samples, targets, **flat)
    return task(
        lambda p, v, s, t: along(lambda p: gradient(p, s, t), p, v),
        *(p, v, samples, targets),
        **flat,
    )


# ---- W4, W5


def unrolled(by_y, upper, depth):
    """The hypergradient through `depth` steps of length 1."""

    def after(x, y, data, valid):
        y, _ = jax.lax.scan(lambda y, _: (y - by_y(x, y, *data), None), y, None, length=depth)
        return upper(y, *valid)

    return jax.grad(after)


def w4_task(_, kind):
    problem, depth = kind.split("-K")
    depth = int(depth)
    if problem == "W1":
        x, a, t, av, tv = load("W1", "x", "x_train", "t_train", "x_valid", "t_valid")
        return task(unrolled(w1_by_y, logistic, depth), x, jnp.zeros_like(x), (a, t), (av, tv))
    group = "W4-softmax"
    x, y, a, av = load(group, "x", "y", "x_train", "x_valid")
    b, bv = classes(group, "t_train"), classes(group, "t_valid")
    upper = lambda y, a, b: jnp.mean(cross_entropy(y, a, b))
    return task(unrolled(w2_by_y, upper, depth), x, jnp.zeros_like(y.T), (a, b), (av, bv))


def w5_task(*_):
    x, a, t, av, tv = load("W1", "x", "x_train", "t_train", "x_valid", "t_valid")
    (y,) = load("W5", "y")

    def implicit(x, y, a, t, av, tv):
        product = jax.linearize(lambda y: w1_by_y(x, y, a, t), y)[1]
        q, _ = cg(product, jax.grad(logistic)(y, av, tv), maxiter=20, tol=0.0, atol=0.0)
        return -jax.vjp(lambda x: w1_by_y(x, y, a, t), x)[1](q)[0]

    return task(implicit, x, y, a, t, av, tv)


# ---- W7


def chain(a, b):
    return jax.lax.scan(lambda z, _: (jnp.tanh(z * a + b) * b, None), a, None, length=250)[0].sum()


def w7_task(_, kind):
    a, b = load("W7", "a", "b")
    gradient = jax.grad(chain, (0, 1))
    if kind == "gradient":
        return task(gradient, a, b)
    return task(lambda a, b: jax.jvp(gradient, (a, b), (a, b))[1], a, b)


serve(
    jax.__version__,
    args.folder,
    {
        "W1": w1_task,
        "W1-big": w1_task,
        "W2": w2_task,
        "W3": w3_task,
        "W3-small": w3_task,
        "W4": w4_task,
        "W5": w5_task,
        "W7": w7_task,
    },
)
