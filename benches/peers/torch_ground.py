"""What PyTorch's tasks share, in eager mode: the inputs, and the models of more than one group."""

import torch
from torch.nn.functional import softplus

from protocol import Inputs, arguments

args = arguments()
torch.set_num_threads(args.threads)
inputs = Inputs(args.folder, args.dtype)


def load(group, *names):
    return [torch.from_numpy(array) for array in inputs(group, *names)]


def classes(group, name):
    return torch.from_numpy(inputs.classes(group, name))


def leaf(tensor):
    return tensor.clone().requires_grad_()


def logistic(y, a, t):
    return softplus(-t * (a @ y)).mean()


def w1(x, y, a, t):
    return logistic(y, a, t) + 0.5 * (torch.exp(x) * y * y).sum()


def w1_slope(x, y, a, t):
    """The gradient of `w1` by y, by hand: faster through a loop than `create_graph` in each step."""
    return a.T @ (torch.sigmoid(-t * (a @ y)) * (-t / len(t))) + torch.exp(x) * y


def layers(widths, flat):
    """Weights `inputs × outputs` and biases, layer by layer; `flat` may have rows of its own."""
    p, start, lead = [], 0, flat.shape[:-1]
    for rows, cols in zip(widths[:-1], widths[1:]):
        p.append(flat[..., start : start + rows * cols].reshape(*lead, rows, cols))
        start += rows * cols
        p.append(flat[..., start : start + cols])
        start += cols
    return p


def network(p, h):
    for k in range(0, len(p), 2):
        h = torch.addmm(p[k + 1], h, p[k])
        if k + 2 < len(p):
            h = torch.tanh(h)
    return h


def classification(p, samples, targets):
    h = network(p, samples)
    return (torch.logsumexp(h, 1) - (h * targets).sum(1)).mean()
