"""This project's Python package: objectives in NumPy, recorded once and run in Rust.

What is written with `Var`s in Rust is plain NumPy here; the other groups call the package's losses, which
take one pass over the samples.
"""

import bilevel as bl
import numpy as np

from protocol import Inputs, arguments, block, serve

args = arguments()
inputs = Inputs(args.folder, args.dtype)


def data_of(group):
    return group.removesuffix("-vars")


def prepared(f, at, along, kind):
    """The task of this kind on `f` at `at`, by its last argument or by all."""
    by = [len(at) - 1] if kind.startswith(("gradient", "hvp", "block16")) else list(range(len(at)))
    rows = [None] * (len(at) - 1)
    last, many = [None], block(along)
    point = f.linearise(*at)

    def parts(out):
        return [out] if len(by) == 1 else list(out)

    def gradient():
        last[0] = [f.gradient(*at, by=by)]

    def linearised():
        last[0] = parts(point.product(*rows, along, by=by))

    def fresh():
        last[0] = parts(f.hvp(*at, *rows, along, by=by))

    def blocks():
        last[0] = parts(point.product(*rows, many, by=by))

    calls = {
        "gradient": gradient,
        "hvp": linearised,
        "joint-linearised": linearised,
        "joint": fresh,
        "hvp-fresh": fresh,
        "block16": blocks,
    }
    return calls[kind], lambda: last[0]


def w1(group, kind):
    x, y, v, a, t = inputs(data_of(group), "x", "y", "v", "x_train", "t_train")

    def fused(x, y):
        return bl.logistic_loss(a, t, y) + 0.5 * np.exp(x) @ y**2

    def plain(x, y):
        return np.mean(np.logaddexp(0, -t * (a @ y))) + 0.5 * np.exp(x) @ y**2

    f = bl.record(plain if group.endswith("-vars") else fused, x, y)
    return prepared(f, (x, y), v, kind)


def w2(group, kind):
    x, y, v, a, c = inputs(data_of(group), "x", "y", "v", "x_train", "t_train")
    d = a.shape[1]
    y, v = y.reshape(-1, d), v.reshape(-1, d)
    one_hot = inputs.classes(data_of(group), "t_train", len(y))

    def fused(x, y):
        return bl.cross_entropy(a, c, y, bl.sigmoid(x)) + 0.001 * np.sum(y * y)

    def plain(x, y):
        scores = a @ y.T
        terms = bl.logsumexp(scores, axis=1) - np.sum(scores * one_hot, axis=1)
        return np.mean(bl.sigmoid(x) * terms) + 0.001 * np.sum(y * y)

    f = bl.record(plain if group.endswith("-vars") else fused, x, y)
    return prepared(f, (x, y), v, kind)


def w3(group, kind):
    samples, targets, y, v = inputs(group, "samples", "targets", "y", "v")
    widths = (784, 128, 10) if group == "W3" else (32, 64, 64, 1)

    def network(y):
        h, start = samples, 0
        for k, (rows, cols) in enumerate(zip(widths[:-1], widths[1:])):
            h = h @ y[start : start + rows * cols].reshape(rows, cols)
            start += rows * cols
            h = h + y[start : start + cols]
            start += cols
            if k + 2 < len(widths):
                h = np.tanh(h)
        return h

    def classification(y):
        scores = network(y)
        return np.mean(bl.logsumexp(scores, axis=1) - np.sum(scores * targets, axis=1))

    def regression(y):
        return 0.5 * np.mean((network(y) - targets) ** 2)

    f = bl.record(classification if group == "W3" else regression, y)
    return prepared(f, (y,), v, kind)


GROUPS = {name: w1 for name in ("W1", "W1-big", "W1-vars", "W1-big-vars")}
GROUPS |= {"W2": w2, "W2-vars": w2, "W3": w3, "W3-small": w3}
serve(bl.__version__, args.folder, GROUPS)
