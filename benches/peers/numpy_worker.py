"""NumPy's dense hypergradients: Newton's method with Cholesky's factorisation, the Hessian formed by
products of matrices, and the implicit hypergradient by the last factor.
"""

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from protocol import Inputs, arguments, serve

args = arguments()
inputs = Inputs(args.folder, args.dtype)
SOLVED = {"f64": 1e-10, "f32": 1e-5}[args.dtype]


def newton(y, gradient, hessian, exact):
    """The minimiser and the factor of the Hessian there."""
    slope, here = gradient(y)
    size = np.linalg.norm(slope)
    while True:
        factor = cho_factor(hessian(here), lower=True, overwrite_a=True, check_finite=False)
        if size <= SOLVED and not exact:
            return y, here, factor
        moved = y - cho_solve(factor, slope, check_finite=False)
        new_slope, new_here = gradient(moved)
        new_size = np.linalg.norm(new_slope)
        # Until no step helps.
        if new_size >= size:
            return y, here, factor
        y, here, slope, size = moved, new_here, new_slope, new_size


def logistic(exact):
    x, a, t, av, tv = inputs("W1", "x", "x_train", "t_train", "x_valid", "t_valid")
    n, penalty = len(t), np.exp(x)

    def slopes(a, t, y):
        p = 1.0 / (1.0 + np.exp(t * (a @ y)))
        return a.T @ (-t * p) / a.dtype.type(len(t)), p

    def gradient(y):
        slope, p = slopes(a, t, y)
        return slope + penalty * y, p

    def hessian(p):
        h = a.T @ (a * (p * (1.0 - p) / n)[:, None])
        h[np.diag_indices_from(h)] += penalty
        return h

    def hypergradient():
        y, _, factor = newton(np.zeros_like(x), gradient, hessian, exact)
        v = cho_solve(factor, slopes(av, tv, y)[0], check_finite=False)
        return -penalty * y * v

    return hypergradient


def softmax(exact):
    x, a, av = inputs("W4-softmax", "x", "x_train", "x_valid")
    b, bv = inputs.classes("W4-softmax", "t_train"), inputs.classes("W4-softmax", "t_valid")
    (n, d), c = a.shape, b.shape[1]
    s = 1.0 / (1.0 + np.exp(-x))
    ridge = a.dtype.type(0.002)

    def shares(a, y):
        scores = a @ y.reshape(c, d).T
        p = np.exp(scores - scores.max(1, keepdims=True))
        return p / p.sum(1, keepdims=True)

    def gradient(y):
        p = shares(a, y)
        return ((p - b) * (s / n)[:, None]).T.dot(a).ravel() + ridge * y, p

    def hessian(p):
        h = np.zeros((c * d, c * d), a.dtype)
        for j in range(c):
            for k in range(j + 1):
                weight = s / n * p[:, j] * ((j == k) - p[:, k])
                block = a.T @ (a * weight[:, None])
                h[j * d : (j + 1) * d, k * d : (k + 1) * d] = block
        h[np.diag_indices_from(h)] += ridge
        return h

    def hypergradient():
        y, p, factor = newton(np.zeros(c * d, a.dtype), gradient, hessian, exact)
        upward = ((shares(av, y) - bv) / len(av)).T.dot(av).ravel()
        v = cho_solve(factor, upward, check_finite=False).reshape(c, d)
        return -s * (1.0 - s) / n * np.sum((p - b) * (a @ v.T), 1)

    return hypergradient


def task(group, kind):
    model = softmax if group.endswith("softmax") else logistic
    f, last = model(kind == "exact"), [None]

    def call():
        last[0] = f()

    return call, lambda: [last[0]]


serve(np.__version__, args.folder, {"dense": task, "dense-softmax": task})
