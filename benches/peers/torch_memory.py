"""Unrolled loops in PyTorch, for memory.py: bytes of all tensors that a call makes, at their most.

`loop` keeps the graph of each step; `checkpoint` the state before each step
(torch.utils.checkpoint); `nested` a state for each of about √K blocks of steps, whose graph is made
again as a whole. The gradient of W1 is by hand; that of the network is autograd's.
"""

import math
import weakref

import torch
from torch.autograd import grad
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint

from torch_ground import classification, layers, leaf, load, logistic, w1_slope

WIDTHS = (64, 32, 10)


class Held(TorchDispatchMode):
    """Counts the bytes of the storages that operations make, while they are alive."""

    def __init__(self):
        super().__init__()
        self.alive, self.peak, self.known = 0, 0, set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        # What is a view of an operand, or written into it, is nothing new.
        old = {storage._cdata for storage in storages([args, kwargs])}
        out = function(*args, **(kwargs or {}))
        for storage in storages(out):
            if storage._cdata not in old:
                self.meet(storage)
        return out

    def meet(self, storage):
        key, size = storage._cdata, storage.nbytes()
        if key in self.known:
            return
        self.known.add(key)
        self.alive += size
        self.peak = max(self.peak, self.alive)
        weakref.finalize(storage, self.lose, key, size)

    def lose(self, key, size):
        self.known.discard(key)
        self.alive -= size


def storages(values):
    """Those of all tensors among these values."""
    leaves = tree_leaves(values)
    return [leaf.untyped_storage() for leaf in leaves if isinstance(leaf, torch.Tensor)]


def logistic_problem():
    """x, where y starts, a step, and the upper level."""
    x, a, t, av, tv = load("W1", "x", "x_train", "t_train", "x_valid", "t_valid")
    step = lambda x, y: y - w1_slope(x, y, a, t)
    return x, torch.zeros_like(x), step, lambda y: logistic(y, av, tv)


def network_problem():
    samples, targets, x, y = load("memory-network", "samples", "targets", "x", "y")
    valid = load("memory-network-valid", "samples", "targets")

    def lower(x, y):
        p = layers(WIDTHS, y)
        squares = [(w * w).sum() + (b * b).sum() for w, b in zip(p[::2], p[1::2])]
        return classification(p, samples, targets) + 0.5 * (torch.exp(x) * torch.stack(squares)).sum()

    def step(x, y):
        return y - 0.5 * grad(lower(x, y), y, create_graph=True)[0]

    return x, leaf(y), step, lambda y: classification(layers(WIDTHS, y), *valid)


def repeated(step, depth):
    def run(x, y):
        for _ in range(depth):
            y = step(x, y)
        return y

    return run


def loop(step, kind, depth):
    if kind == "loop":
        return repeated(step, depth)
    again = lambda f: lambda x, y: checkpoint(f, x, y, use_reentrant=False)
    if kind == "checkpoint":
        return repeated(again(step), depth)
    block = max(n for n in range(1, math.isqrt(depth) + 1) if depth % n == 0)
    return repeated(again(repeated(step, block)), depth // block)


def unrolled(group, name):
    kind, depth = name.rsplit("-K", 1)
    problems = {"W1": logistic_problem, "network": network_problem}
    x, start, step, upper = problems[group.removeprefix("memory-")]()
    x, last, held = leaf(x), [None], [None]
    run = loop(step, kind, int(depth))

    def once():
        last[0] = grad(upper(run(x, start)), [x])

    def call():
        # The first call is counted, and not timed.
        if held[0] is not None:
            return once()
        with Held() as bytes:
            once()
        held[0] = bytes.peak

    return call, lambda: [last[0][0].numpy()], lambda: held[0]


GROUPS = {"memory-W1": unrolled, "memory-network": unrolled}
