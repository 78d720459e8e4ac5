"""What the whole calls of PyTorch's libraries share: the problem, and a module whose parameters are y."""

import torch

from torch_ground import inputs, leaf, load, logistic

NAMES = ("x", "x_train", "t_train", "x_valid", "t_valid")


def exact():
    return inputs.read("calls", "exact")


class Net(torch.nn.Module):
    """y as the parameters of a module, at 0."""

    def __init__(self, like):
        super().__init__()
        self.y = torch.nn.Parameter(torch.zeros_like(like))

    def forward(self):
        return self.y


def hypergradient(solve):
    """For a function from x and the samples to y: the gradient by x of the upper level there."""
    x0, a, t, av, tv = load("W1", *NAMES)

    def gradient():
        x = leaf(x0)
        logistic(solve(x, a, t), av, tv).backward()
        return x.grad.numpy()

    return gradient
