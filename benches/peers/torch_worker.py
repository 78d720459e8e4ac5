"""PyTorch's side of the table, in eager mode: reverse over reverse, which beats torch.func here.

The linearised products keep the graph of the gradient and repeat its pullback alone. The steps of
W4 are written with the gradient by hand, so that autograd sees one derivative only: faster than
`create_graph` through each step.
"""

import torch
from torch.autograd import grad

import torch_memory
from protocol import block, serve
from torch_ground import (
    args,
    classes,
    classification,
    inputs,
    layers,
    leaf,
    load,
    logistic,
    network,
    w1,
    w1_slope,
)


def data_of(group):
    """What is written with `Var`s has the inputs, and here the formula, of its group."""
    return group.removesuffix("-vars")


def task(f, parts=lambda out: list(out)):
    last = [None]

    def call():
        last[0] = f()

    return call, lambda: [part.detach().numpy() for part in parts(last[0])]


def products(f, variables, by, along, kind, parts=lambda out: list(out)):
    """Tasks on `f` at `variables`: the gradient by `along`'s variables, or the products with it.

    `by` are the variables whose products are asked for.
    """
    moving = list(along)
    if kind == "gradient":
        return task(lambda: grad(f(*variables), moving), parts)
    v = list(along.values())
    if kind == "block16":
        # The directions have a row each.
        slopes = grad(f(*variables), moving, create_graph=True)
        return task(lambda: grad(slopes, by, v, retain_graph=True, is_grads_batched=True), parts)
    if kind in ("hvp", "joint-linearised"):
        slopes = grad(f(*variables), moving, create_graph=True)
        return task(lambda: grad(slopes, by, v, retain_graph=True), parts)

    def fresh():
        slopes = grad(f(*variables), moving, create_graph=True)
        return grad(slopes, by, v)

    return task(fresh, parts)


# ---- W1


def w1_task(group, kind):
    group = data_of(group)
    x, y, v, a, t = load(group, "x", "y", "v", "x_train", "t_train")
    x, y = leaf(x), leaf(y)
    if kind == "block16":
        v = torch.from_numpy(block(inputs.read(group, "v")))
    by = [x, y] if kind == "joint" else [y]
    return products(lambda x, y: w1(x, y, a, t), (x, y), by, {y: v}, kind)


# ---- W2, W6: y is features × classes here, which is faster


def cross_entropy(y, a, b):
    scores = a @ y
    return torch.logsumexp(scores, 1) - (scores * b).sum(1)


def w2_task(group, kind):
    group = data_of(group)
    x, y, v, a = load(group, "x", "y", "v", "x_train")
    b = classes(group, "t_train")
    x, y, v = leaf(x), leaf(y.T.contiguous()), v.T.contiguous()
    f = lambda x, y: (
        (torch.sigmoid(x) * cross_entropy(y, a, b)).mean() + 0.001 * (y * y).sum()
    )
    by = [y] if kind == "gradient" else [x, y]
    parts = lambda out: [part.T.contiguous() if part.ndim == 2 else part for part in out]
    return products(f, (x, y), by, {y: v}, kind, parts)


# ---- W3


def w3_task(group, kind):
    samples, targets, y, v = load(group, "samples", "targets", "y", "v")
    widths = (784, 128, 10) if group == "W3" else (32, 64, 64, 1)

    def f(*p):
        if group == "W3":
            return classification(p, samples, targets)
        return 0.5 * ((network(p, samples) - targets) ** 2).mean()

    p, rows = [leaf(q) for q in layers(widths, y)], 1
    if kind == "block16":
        v = torch.from_numpy(block(inputs.read(group, "v")))
        rows = len(v)
    flat = lambda out: [torch.cat([part.reshape(rows, -1) for part in out], 1)]
    return products(f, p, p, dict(zip(p, layers(widths, v))), kind, flat)


# ---- W4, W5


def unrolled(x, y, slope, upper, depth):
    """The hypergradient through `depth` steps of length 1."""
    x = leaf(x)

    def call():
        last = y
        for _ in range(depth):
            last = last - slope(x, last)
        return grad(upper(last), [x])

    return task(call)


def w4_task(_, kind):
    problem, depth = kind.split("-K")
    depth = int(depth)
    if problem == "W1":
        x, a, t, av, tv = load("W1", "x", "x_train", "t_train", "x_valid", "t_valid")
        slope = lambda x, y: w1_slope(x, y, a, t)
        return unrolled(x, torch.zeros_like(x), slope, lambda y: logistic(y, av, tv), depth)
    group = "W4-softmax"
    x, y, a, av = load(group, "x", "y", "x_train", "x_valid")
    b, bv = classes(group, "t_train"), classes(group, "t_valid")

    def slope(x, y):
        weights = (torch.sigmoid(x) / len(x))[:, None]
        return a.T @ (weights * (torch.softmax(a @ y, 1) - b)) + 0.002 * y

    upper = lambda y: cross_entropy(y, av, bv).mean()
    return unrolled(x, torch.zeros_like(y.T), slope, upper, depth)


def conjugate_gradients(product, b, steps):
    """As many steps from 0."""
    q, r, p = torch.zeros_like(b), b.clone(), b.clone()
    rr = r @ r
    for _ in range(steps):
        hp = product(p)
        length = rr / (p @ hp)
        q, r = q + length * p, r - length * hp
        after = r @ r
        p, rr = r + (after / rr) * p, after
    return q


def w5_task(*_):
    x, a, t, av, tv = load("W1", "x", "x_train", "t_train", "x_valid", "t_valid")
    (y,) = load("W5", "y")
    x, y = leaf(x), leaf(y)

    def implicit():
        (b,) = grad(logistic(y, av, tv), [y])
        (slope,) = grad(w1(x, y, a, t), [y], create_graph=True)
        product = lambda v: grad(slope, y, v, retain_graph=True)[0]
        q = conjugate_gradients(product, b, 20)
        return [-grad(slope, x, q)[0]]

    return task(implicit)


# ---- W7


def w7_task(_, kind):
    a0, b0 = load("W7", "a", "b")
    a, b = leaf(a0), leaf(b0)

    def chain(a, b):
        z = a
        for _ in range(250):
            z = torch.tanh(z * a + b) * b
        return z.sum()

    return products(chain, (a, b), [a, b], {a: a0, b: b0}, kind)


# ---- W8


def w8_task(group, kind):
    x, y, v, b = load(group, "x", "y", "v", "observed")
    x, y = leaf(x), leaf(y)
    pad = torch.nn.functional.pad

    def f(x, y):
        across, down = pad(y.diff(dim=1), (0, 0, 0, 1)), pad(y.diff(dim=2), (0, 1))
        variation = torch.sqrt(across**2 + down**2 + torch.exp(2.0 * x[1])).sum()
        return (0.5 * ((y - b) ** 2).sum() + torch.exp(x[0]) * variation) / len(y)

    by = [y] if kind == "gradient" else [x, y]
    return products(f, (x, y), by, {y: v}, kind)


serve(
    torch.__version__,
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
        **torch_memory.GROUPS,
    },
)
