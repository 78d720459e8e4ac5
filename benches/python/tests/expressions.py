"""Random expressions of NumPy, which run on arrays and on Vars alike."""

import bilevel as bl
import numpy as np
from hypothesis import strategies as st
from scipy import special

#: Smooth on all reals, and bounded enough to be nested.
UNARY = [
    np.sin, np.cos, np.tanh, np.arctan, np.arcsinh, np.negative, np.positive, special.expit,
    special.erf, special.log_expit, lambda v: np.exp(-v * v), lambda v: np.log1p(v * v),
    lambda v: np.sqrt(v * v + 0.5), lambda v: 1.0 / (1.0 + v**2), lambda v: np.cosh(np.tanh(v)),
    bl.softplus, bl.silu, bl.gelu, bl.log_cosh, lambda v: bl.smooth_abs(v, 0.5),
    lambda v: (v * v + 0.25) ** 0.75, lambda v: np.tanh(v) ** 3, lambda v: 2.0 ** np.sin(v),
    lambda v: np.reciprocal(2.0 + np.cos(v)), lambda v: np.arcsin(0.9 * np.sin(v)),
    lambda v: np.arctanh(0.9 * np.tanh(v)), lambda v: np.expm1(np.sin(v)),
    lambda v: np.log2(1.5 + v * v), lambda v: np.hypot(v, 1.0),
]
BINARY = [
    np.add, np.subtract, np.multiply, np.logaddexp, lambda a, b: a / (1.0 + b * b),
    lambda a, b: np.hypot(a, b + 0.1) , lambda a, b: np.arctan2(a, 1.0 + b * b),
    lambda a, b: (0.5 + a * a) ** np.tanh(b), np.logaddexp2,
]
#: Rearrangements and reductions, each with the least number of dimensions that it needs.
SHAPING = [
    (0, lambda v: np.sum(v)), (0, lambda v: np.mean(v)), (0, lambda v: np.ravel(v)),
    (0, lambda v: np.reshape(v, (-1, 1))), (0, lambda v: np.atleast_2d(v)), (0, lambda v: v.T),
    (0, lambda v: np.broadcast_to(v, (2, *np.shape(v))) if v.ndim < 2 else v),
    (0, lambda v: np.stack([v, 2.0 * v]) if v.ndim < 2 else v),
    (0, lambda v: np.tile(v, 2)), (0, lambda v: np.repeat(v, 2)), (0, lambda v: bl.logsumexp(v)),
    (1, lambda v: np.sum(v, axis=0)), (1, lambda v: np.sum(v, axis=-1, keepdims=True)),
    (1, lambda v: np.mean(v, axis=-1)), (1, lambda v: np.var(v, axis=0, keepdims=True)),
    (1, lambda v: v[::-1]), (1, lambda v: v[-1]), (1, lambda v: v[:1]), (1, lambda v: v[..., None]
     if v.ndim < 2 else v[..., 0]), (1, lambda v: v[[0, -1, 0]]), (1, lambda v: np.cumsum(v, axis=0)),
    (1, lambda v: np.concatenate([v, v[:1]])), (1, lambda v: np.roll(v, 1)), (1, lambda v: np.flip(v)),
    (1, lambda v: np.diff(np.concatenate([v, v]), axis=0)), (1, lambda v: np.pad(v, 1)),
    (1, lambda v: bl.softmax(v)), (1, lambda v: bl.log_softmax(v, axis=0)),
    (1, lambda v: bl.logsumexp(v, axis=-1)), (1, lambda v: np.outer(v, v[0])),
    (1, lambda v: np.linalg.norm(v, axis=0)), (1, lambda v: np.dot(v.T, v)), (1, lambda v: v @ v.T),
    (1, lambda v: np.where(np.arange(len(v)).reshape((-1,) + (1,) * (v.ndim - 1)) % 2 == 0, v, -v)),
    (2, lambda v: v[:, 0]), (2, lambda v: v[:, ::-1]), (2, lambda v: v[0, :]), (2, np.diagonal),
    (2, lambda v: np.cumsum(v, axis=1)), (2, lambda v: np.trace(v)), (2, np.tril), (2, np.rot90),
    (2, lambda v: np.swapaxes(v, 0, 1)), (2, lambda v: np.hstack([v, v])), (2, lambda v: v.sum(axis=1)),
    (2, lambda v: v @ v.T @ v), (2, lambda v: (v.T @ v).T), (2, lambda v: np.var(v, axis=1)),
    (2, lambda v: bl.logsumexp(v, axis=0, keepdims=True)), (2, lambda v: np.mean(v, axis=0)),
    (2, lambda v: np.vstack([v[:1], v])), (2, lambda v: v[np.newaxis, 0]),
    (2, lambda v: bl.conv2d(v, np.array([[0.5, 0.25], [0.1, 0.15]]), "wrap")
     if min(v.shape) > 1 else v),
]

SHAPES = [(), (1,), (3,), (1, 1), (2, 3), (3, 2), (1, 3), (3, 1), (3, 3)]


@st.composite
def expressions(draw, shapes=2):
    """Shapes of inputs, and a function of these to a scalar."""
    inputs = [draw(st.sampled_from(SHAPES)) for _ in range(shapes)]
    seed = draw(st.integers(0, 2**32 - 1))
    steps = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 10**6), st.integers(0, 10**6)),
                          min_size=1, max_size=8))
    layout = draw(st.sampled_from(["C", "F", "strided"]))
    return inputs, program(steps, seed, layout)


def laid_out(array, layout):
    if layout == "F":
        return np.asfortranarray(array)
    if layout == "strided" and array.ndim:
        wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]))
        wide[..., ::2] = array
        return wide[..., ::2]
    return array


def program(steps, seed, layout):
    def f(*inputs):
        rng = np.random.default_rng(seed)
        values = list(inputs)
        for kind, a, b in steps:
            v, w = values[a % len(values)], values[b % len(values)]
            if kind == 0:
                made = UNARY[b % len(UNARY)](v)
            elif kind == 1:
                made = broadcast(BINARY[(a + b) % len(BINARY)], v, w)
            elif kind == 2:
                least, shape = SHAPING[b % len(SHAPING)]
                made = shape(v) if np.ndim(v) >= least else v
            else:
                constant = laid_out(rng.normal(size=np.shape(v)), layout)
                made = constant @ v if np.ndim(v) == 1 else constant * v
                if np.ndim(v) == 2:
                    made = v @ laid_out(rng.normal(size=(v.shape[1], 2)), layout)
            # A function may make arrays of many entries: the mean of squares keeps to their size.
            if np.size(made) <= 64:
                values.append(np.tanh(made) * 2.0 if kind != 2 else made)
        ends = [np.sum(np.sin(v)) for v in values[-3:]]
        return sum(ends[1:], ends[0])

    return f


def broadcast(op, a, b):
    try:
        np.broadcast_shapes(np.shape(a), np.shape(b))
    except ValueError:
        return a
    return op(a, b)
