"""TorchOpt's whole calls: implicit differentiation of PyTorch's L-BFGS, and MetaSGD unrolled."""

import warnings

import torch
import torchopt

from accuracy import DEPTHS, TOLERANCES, accurate
from protocol import serve
from torch_ground import args, leaf, w1
from torch_whole import Net, exact, hypergradient


# It calls what PyTorch means to rename.
warnings.simplefilter("ignore", FutureWarning)


def aid(_, accuracy):
    def make(tolerance):
        solve = torchopt.linear_solve.solve_cg(rtol=tolerance, atol=0.0, maxiter=500)

        def slope(y, x, a, t):
            return torch.func.grad(w1, 1)(x, y, a, t)

        @torchopt.diff.implicit.custom_root(slope, argnums=1, solve=solve)
        def solved(y, x, a, t):
            y = leaf(y)
            lbfgs = torch.optim.LBFGS(
                [y],
                max_iter=1000,
                tolerance_grad=tolerance / len(y) ** 0.5,
                tolerance_change=0.0,
                line_search_fn="strong_wolfe",
            )

            def closure():
                lbfgs.zero_grad()
                loss = w1(x.detach(), y, a, t)
                loss.backward()
                return loss

            lbfgs.step(closure)
            return y.detach()

        return hypergradient(lambda x, a, t: solved(torch.zeros_like(x), x, a, t))

    return accurate("aid", accuracy, TOLERANCES, make, exact())


def itd(_, accuracy):
    def make(depth):
        def solve(x, a, t):
            net = Net(x)
            optimiser = torchopt.MetaSGD(net, lr=1.0)
            for _ in range(depth):
                optimiser.step(w1(x, net(), a, t))
            return net()

        return hypergradient(solve)

    return accurate("itd", accuracy, DEPTHS, make, exact())


serve(torchopt.__version__, args.folder, {"aid": aid, "itd": itd})
