"""JAX's side of the table: jit, forward over reverse, linearize outside the time, scan for loops."""

import jax
import jax.numpy as jnp
from jax.scipy.sparse.linalg import cg

import jax_iterations
import jax_memory
import jax_whole
from jax_ground import (
    along,
    args,
    classes,
    classification,
    cross_entropy,
    flattened,
    inputs,
    layers,
    linearised,
    load,
    logistic,
    network,
    task,
    w1_by_both,
    w1_by_y,
)
from protocol import block, serve


def data_of(group):
    """What is written with `Var`s has the inputs, and here the formula, of its group."""
    return group.removesuffix("-vars")


# ---- W1


def w1_task(group, kind):
    x, y, v, a, t = load(data_of(group), "x", "y", "v", "x_train", "t_train")
    if kind == "gradient":
        return task(w1_by_y, x, y, a, t)
    by_y = lambda y, x, a, t: w1_by_y(x, y, a, t)
    if kind == "hvp":
        return linearised(by_y, y, v, x, a, t)
    if kind == "block16":
        v = jnp.asarray(block(inputs.read(data_of(group), "v")))
        return linearised(by_y, y, v, x, a, t, block=True)
    return task(
        lambda x, y, v, a, t: along(lambda y: w1_by_both(x, y, a, t), y, v), x, y, v, a, t
    )


# ---- W2, W6: y is features × classes here, which is faster


def w2(x, y, a, b):
    return jnp.mean(jax.nn.sigmoid(x) * cross_entropy(y, a, b)) + 0.001 * jnp.sum(y * y)


w2_by_y = jax.grad(w2, 1)
w2_by_both = jax.grad(w2, (0, 1))


def w2_task(group, kind):
    group = data_of(group)
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


def w3_small_loss(p, samples, targets):
    return 0.5 * jnp.mean((network(p, samples) - targets) ** 2)


def w3_task(group, kind):
    samples, targets, y, v = load(group, "samples", "targets", "y", "v")
    widths, loss = ((32, 64, 64, 1), w3_small_loss)
    if group == "W3":
        widths, loss = ((784, 128, 10), classification)
    p, rows = layers(widths, y), jnp.asarray(block(inputs.read(group, "v")))
    v, flat = layers(widths, v), dict(parts=flattened)
    gradient = jax.grad(loss)
    if kind == "gradient":
        return task(gradient, p, samples, targets, **flat)
    if kind == "hvp":
        return linearised(gradient, p, v, samples, targets, **flat)
    if kind == "block16":
        flat = dict(parts=lambda p: flattened(p, len(rows)))
        return linearised(gradient, p, layers(widths, rows), samples, targets, **flat, block=True)
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


# ---- W8


def w8(x, y, b):
    """The mean over images of ½‖y − b‖² and the smoothed total variation."""
    across = jnp.pad(jnp.diff(y, axis=1), ((0, 0), (0, 1), (0, 0)))
    down = jnp.pad(jnp.diff(y, axis=2), ((0, 0), (0, 0), (0, 1)))
    variation = jnp.sum(jnp.sqrt(across**2 + down**2 + jnp.exp(2.0 * x[1])))
    return (0.5 * jnp.sum((y - b) ** 2) + jnp.exp(x[0]) * variation) / len(y)


w8_by_both = jax.grad(w8, (0, 1))


def w8_task(group, kind):
    x, y, v, b = load(group, "x", "y", "v", "observed")
    if kind == "gradient":
        return task(jax.grad(w8, 1), x, y, b)
    if kind == "joint-linearised":
        return linearised(lambda y, x, b: w8_by_both(x, y, b), y, v, x, b)
    return task(lambda x, y, v, b: along(lambda y: w8_by_both(x, y, b), y, v), x, y, v, b)


serve(
    jax.__version__,
    args.folder,
    {
        "W1": w1_task,
        "W1-big": w1_task,
        "W1-vars": w1_task,
        "W1-big-vars": w1_task,
        "W2": w2_task,
        "W2-vars": w2_task,
        "W3": w3_task,
        "W3-small": w3_task,
        "W4": w4_task,
        "W5": w5_task,
        "W6": w2_task,
        "W7": w7_task,
        "W8": w8_task,
        **jax_whole.GROUPS,
        **jax_iterations.GROUPS,
        **jax_memory.GROUPS,
    },
)
