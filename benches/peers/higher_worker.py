"""The whole call of higher: gradient descent unrolled."""

import importlib.metadata

import higher
import torch

from accuracy import DEPTHS, accurate
from protocol import serve
from torch_ground import args, w1
from torch_whole import Net, exact, hypergradient


def itd(_, accuracy):
    def make(depth):
        def solve(x, a, t):
            net = Net(x)
            sgd = torch.optim.SGD(net.parameters(), lr=1.0)
            with higher.innerloop_ctx(net, sgd) as (functional, optimiser):
                for _ in range(depth):
                    optimiser.step(w1(x, functional(), a, t))
                return functional()

        return hypergradient(solve)

    return accurate("itd", accuracy, DEPTHS, make, exact())


serve(importlib.metadata.version("higher"), args.folder, {"itd": itd})
