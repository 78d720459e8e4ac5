"""What all of JAX's tasks share: the inputs, and functions compiled into tasks.

Data are arguments, not constants, of what is compiled, so that XLA cannot compute on them before.
"""

import jax
import jax.numpy as jnp

from protocol import Inputs, arguments

args = arguments()
jax.config.update("jax_enable_x64", args.dtype == "f64")
inputs = Inputs(args.folder, args.dtype)


def load(group, *names):
    return [jnp.asarray(array) for array in inputs(group, *names)]


def classes(group, name, count=10):
    return jnp.asarray(inputs.classes(group, name, count))


def task(f, *arguments, parts=lambda out: jax.tree.leaves(out)):
    """`f` compiled; `parts` brings its value into the order that the table compares."""
    compiled, last = jax.jit(f), [None]

    def call():
        last[0] = jax.block_until_ready(compiled(*arguments))

    return call, lambda: parts(last[0])


def linearised(f, at, along, *rest, parts=lambda out: jax.tree.leaves(out), block=False):
    """The derivative of `f` along `along`; what depends on the point alone is computed before.

    With `block`, `along` has a row for each direction.
    """
    linear = jax.jit(lambda at, *rest: jax.linearize(lambda z: f(z, *rest), at)[1])(at, *rest)
    product = (lambda linear, v: jax.vmap(linear)(v)) if block else (lambda linear, v: linear(v))
    return task(product, linear, along, parts=parts)


def along(f, at, v):
    """The derivative of `f` at `at` along `v`."""
    return jax.jvp(f, (at,), (v,))[1]


# ---- The models of more than one group


def logistic(y, a, t):
    return jnp.mean(jnp.logaddexp(0.0, -t * (a @ y)))


def w1(x, y, a, t):
    return logistic(y, a, t) + 0.5 * jnp.sum(jnp.exp(x) * y * y)


w1_by_y = jax.grad(w1, 1)
w1_by_both = jax.grad(w1, (0, 1))


def cross_entropy(y, a, b):
    """Of each sample; y is features × classes here, which is faster."""
    scores = a @ y
    return jax.nn.logsumexp(scores, 1) - jnp.sum(scores * b, 1)


def network(p, samples):
    h = samples
    for k, (w, b) in enumerate(p):
        h = h @ w + b
        if k + 1 < len(p):
            h = jnp.tanh(h)
    return h


def classification(p, samples, targets):
    scores = network(p, samples)
    return jnp.mean(jax.nn.logsumexp(scores, 1) - jnp.sum(scores * targets, 1))


def layers(widths, flat):
    """Weights `inputs × outputs` and biases of each layer; `flat` may have rows of its own."""
    p, start, lead = [], 0, flat.shape[:-1]
    for rows, cols in zip(widths[:-1], widths[1:]):
        w = flat[..., start : start + rows * cols].reshape(*lead, rows, cols)
        start += rows * cols
        p.append((w, flat[..., start : start + cols]))
        start += cols
    return p


def flattened(p, count=1):
    """The entries of layers in the order of `flat`, in as many rows, one after the other."""
    return [jnp.concatenate([q.reshape(count, -1) for q in jax.tree.leaves(p)], 1)]
