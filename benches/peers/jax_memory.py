"""Unrolled loops in JAX, for memory.py: bytes from the compiled program's own analysis.

`scan` keeps what each step's derivative needs; `checkpoint` the state before each step; `nested` a state
for each of about √K blocks of steps, and within the block that is on its way back one for each step.
"""

import math

import jax
import jax.numpy as jnp

from jax_ground import classification, layers, load, logistic, w1_by_y

WIDTHS = (64, 32, 10)


def logistic_problem():
    """x, where y starts, a step, the upper level, and the data of both."""
    x, a, t, av, tv = load("W1", "x", "x_train", "t_train", "x_valid", "t_valid")
    step = lambda x, y, data: y - w1_by_y(x, y, *data[:2])
    return x, jnp.zeros_like(x), step, lambda y, data: logistic(y, *data[2:]), (a, t, av, tv)


def network_problem():
    samples, targets, x, y = load("memory-network", "samples", "targets", "x", "y")
    data = (samples, targets, *load("memory-network-valid", "samples", "targets"))

    def lower(x, p, data):
        squares = [sum(jnp.sum(q * q) for q in layer) for layer in p]
        return classification(p, *data[:2]) + 0.5 * jnp.sum(jnp.exp(x) * jnp.stack(squares))

    def step(x, p, data):
        return jax.tree.map(lambda q, slope: q - 0.5 * slope, p, jax.grad(lower, 1)(x, p, data))

    return x, layers(WIDTHS, y), step, lambda p, data: classification(p, *data[2:]), data


def repeated(step, depth):
    """`depth` times a function of the state, as a scan."""
    return lambda y: jax.lax.scan(lambda y, _: (step(y), None), y, None, length=depth)[0]


def loop(step, kind, depth):
    """`depth` steps, differentiated in the way of `kind`."""
    if kind == "scan":
        return repeated(step, depth)
    if kind == "checkpoint":
        return repeated(jax.checkpoint(step), depth)
    block = max(n for n in range(1, math.isqrt(depth) + 1) if depth % n == 0)
    inner = jax.checkpoint(repeated(jax.checkpoint(step), block))
    return repeated(inner, depth // block)


def unrolled(group, name):
    kind, depth = name.rsplit("-K", 1)
    x, start, step, upper, data = {"W1": logistic_problem, "network": network_problem}[
        group.removeprefix("memory-")
    ]()

    def after(x, start, data):
        return upper(loop(lambda y: step(x, y, data), kind, int(depth))(start), data)

    compiled = jax.jit(jax.grad(after)).lower(x, start, data).compile()
    analysis, last = compiled.memory_analysis(), [None]

    def call():
        last[0] = jax.block_until_ready(compiled(x, start, data))

    held = analysis.temp_size_in_bytes + analysis.output_size_in_bytes
    return call, lambda: [last[0]], lambda: held


GROUPS = {"memory-W1": unrolled, "memory-network": unrolled}
