"""A peer's side of sparse.py: `sparse_worker.py scipy|jax|torch FOLDER --dtype f64 --threads 1`.

The function is that of W1, mean_i ln(1 + exp(-t_i <a_i, y>)) + 1/2 sum_j exp(x_j) y_j^2, on a sparse
matrix. SciPy's products are written by hand, with the transpose made beforehand: what two products with
the matrix cost. JAX differentiates over a BCOO matrix, PyTorch over a CSR tensor.
"""

import sys

import numpy as np
import scipy.sparse

from protocol import Inputs, arguments, serve

GROUP = "Sparse"


def matrix(inputs):
    rows, columns = np.load(f"{inputs.folder}/{GROUP}.shape.npy").astype(int)
    starts = np.load(f"{inputs.folder}/{GROUP}.indptr.npy").astype(np.int32)
    places = np.load(f"{inputs.folder}/{GROUP}.indices.npy").astype(np.int32)
    values = inputs.read(GROUP, "data")
    return scipy.sparse.csr_matrix((values, places, starts), shape=(rows, columns))


def by_hand(inputs):
    a = matrix(inputs)
    back = a.T.tocsr()
    t, x, y, v = inputs(GROUP, "t", "x", "y", "v")
    n = len(t)

    def slopes():
        s = 1 / (1 + np.exp(t * (a @ y)))
        return s

    def gradient():
        return [back @ (-t * slopes() / n) + np.exp(x) * y]

    def curvatures():
        s = slopes()
        return s * (1 - s) / n

    fixed, weights = curvatures(), np.exp(x)

    def product():
        return [back @ (fixed * (a @ v)) + weights * v]

    def joint():
        w = np.exp(x)
        return [w * y * v, back @ (curvatures() * (a @ v)) + w * v]

    return {"gradient": gradient, "hvp": product, "joint": joint}


def jax_tasks(inputs):
    import jax
    import jax.numpy as jnp
    from jax.experimental.sparse import BCOO

    jax.config.update("jax_enable_x64", inputs.dtype == np.float64)
    a = BCOO.from_scipy_sparse(matrix(inputs))
    t, x, y, v = map(jnp.asarray, inputs(GROUP, "t", "x", "y", "v"))

    def g(x, y):
        return jnp.mean(jax.nn.softplus(-t * (a @ y))) + 0.5 * jnp.sum(jnp.exp(x) * y * y)

    by_y = jax.grad(g, 1)
    gradient = jax.jit(lambda y: by_y(x, y))
    _, linear = jax.linearize(lambda y: by_y(x, y), y)
    product = jax.jit(linear)
    joint = jax.jit(lambda y: jax.jvp(lambda y: jax.grad(g, (0, 1))(x, y), (y,), (v,))[1])
    ready = jax.block_until_ready
    return {
        "gradient": lambda: [ready(gradient(y))],
        "hvp": lambda: [ready(product(v))],
        "joint": lambda: list(ready(joint(y))),
    }


def torch_tasks(inputs, threads):
    import torch

    torch.set_num_threads(threads)
    of = matrix(inputs)

    def tensor(of):
        parts = [torch.from_numpy(p) for p in (of.indptr, of.indices, of.data)]
        return torch.sparse_csr_tensor(*parts, size=of.shape)

    a, back = tensor(of), tensor(of.T.tocsr())
    t, x, y, v = map(torch.from_numpy, inputs(GROUP, "t", "x", "y", "v"))
    x.requires_grad_(), y.requires_grad_()

    # Its own backward of a product with a CSR tensor has no second derivative.
    class Times(torch.autograd.Function):
        @staticmethod
        def forward(ctx, v, transposed):
            ctx.transposed = transposed
            return torch.mv(back if transposed else a, v)

        @staticmethod
        def backward(ctx, u):
            return Times.apply(u, not ctx.transposed), None

    def g():
        losses = torch.nn.functional.softplus(-t * Times.apply(y, False))
        return losses.mean() + 0.5 * (x.exp() * y * y).sum()

    def gradient():
        return list(torch.autograd.grad(g(), y))

    (kept,) = torch.autograd.grad(g(), y, create_graph=True)

    def product():
        return list(torch.autograd.grad(kept, y, v, retain_graph=True))

    def joint():
        (slope,) = torch.autograd.grad(g(), y, create_graph=True)
        return list(torch.autograd.grad(slope, (x, y), v))

    return {"gradient": gradient, "hvp": product, "joint": joint}


def main():
    peer = sys.argv.pop(1)
    args = arguments()
    inputs = Inputs(args.folder, args.dtype)
    made = {}

    def task(_, name):
        if not made:
            if peer == "scipy":
                made.update(by_hand(inputs))
            elif peer == "jax":
                made.update(jax_tasks(inputs))
            else:
                made.update(torch_tasks(inputs, args.threads))
        call = made[name]
        last = []

        def run():
            last[:] = call()

        def result():
            return [np.asarray(p.detach() if hasattr(p, "detach") else p) for p in last]

        return run, result

    serve(f"{peer}", args.folder, {GROUP: task})


main()
