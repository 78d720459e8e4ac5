"""Calls of PyTorch, higher, hypertorch, TorchOpt and Betty on the small problem."""

import importlib.util

from small_problem import DEPTH, STEP, V, X, Y, objectives


def has(name):
    return importlib.util.find_spec(name) is not None


def has_hypertorch():
    """Its module is `hypergrad`, as is that of another package."""
    if not has("torch") or not has("hypergrad"):
        return False
    import hypergrad

    return hasattr(hypergrad, "reverse_unroll")


def calls():
    """Package, whether it is here, the call, whose number of ours it gives, and a function."""
    made = make() if has("torch") else {}
    for package, module, call, name, key in ROWS:
        here = has_hypertorch() if package == "hypertorch" else has("torch") and has(module)
        yield package, here, call, name, made.get(key)


ROWS = [
    ("torch", "torch", "g(x, y).backward(); y.grad", "gradient", "backward"),
    ("torch", "torch", "torch.func.jvp(g, (x, y), (dx, dy))", "directional", "jvp"),
    ("torch", "torch", "autograd.grad twice, create_graph=True", "hvp", "twice"),
    ("torch", "torch", "torch.func.hessian(g, 1)(x, y)", "hessian", "hessian"),
    ("torch", "torch", "y.detach()", "stopped", "detach"),
    ("torch", "torch", "a loop of steps, backward()", "unrolled", "loop"),
    ("torch", "torch", "torch.utils.checkpoint in a loop", "checkpointed", "checkpoint"),
    ("torch", "torch", "torch.autograd.Function with a linear solve", "implicit", "function"),
    ("higher", "higher", "higher.innerloop_ctx(net, SGD)", "unrolled", "higher"),
    ("higher", "higher", "higher.innerloop_ctx(net, SGD with momentum)", "momentum", "momentum"),
    ("hypertorch", "hypergrad", "reverse_unroll(params, hparams, loss)", "unrolled", "hg_unroll"),
    ("hypertorch", "hypergrad", "reverse(history, hparams, maps, loss)", "unrolled", "hg_reverse"),
    ("hypertorch", "hypergrad", "reverse(…) of the last three steps", "truncated", "hg_truncated"),
    ("hypertorch", "hypergrad", "fixed_point(params, hparams, 4, map, loss)", "neumann", "hg_four"),
    ("hypertorch", "hypergrad", "fixed_point(params, hparams, K, map, loss)", "implicit", "hg_map"),
    ("hypertorch", "hypergrad", "CG(params, hparams, K, map, loss)", "implicit", "hg_cg"),
    ("torchopt", "torchopt", "torchopt.MetaSGD(net, lr), unrolled", "unrolled", "metasgd"),
    ("torchopt", "torchopt", "diff.implicit.custom_root(…, argnums=1)", "implicit", "torchopt_root"),
    ("betty-ml", "betty", 'Config(type="cg")', "implicit", "betty_cg"),
    ("betty-ml", "betty", 'Config(type="neumann")', "implicit", "betty_neumann"),
]


def make():
    import torch
    from torch.utils.checkpoint import checkpoint

    def array(values):
        return torch.tensor(values, dtype=torch.float64)

    g, upper = objectives(torch.exp, array)
    start = array([0.0, 0.0, 0.0])

    def leaf(values):
        return array(values).requires_grad_()

    def listed(function):
        return lambda: torch.as_tensor(function()).detach().reshape(-1).tolist()

    def backward():
        y = leaf(Y)
        g(array(X), y).backward()
        return y.grad

    def twice():
        y, v = leaf(Y), array(V)
        (gradient,) = torch.autograd.grad(g(array(X), y), y, create_graph=True)
        return torch.autograd.grad(gradient @ v, y)[0]

    def detach():
        y = leaf(Y)
        (y @ y.detach() ** 2).backward()
        return y.grad

    def hyper(solve):
        """The gradient by x of the upper objective at what `solve` makes of x."""

        def gradient():
            x = leaf(X)
            upper(x, solve(x)).backward()
            return x.grad

        return listed(gradient)

    def step(x, y):
        (gradient,) = torch.autograd.grad(g(x, y), y, create_graph=True)
        return y - STEP * gradient

    def looped(body):
        def solve(x):
            y = start.clone().requires_grad_()
            for _ in range(DEPTH):
                y = body(x, y)
            return y

        return solve

    def solution(x):
        # g is quadratic in y.
        hessian = torch.func.hessian(g, 1)(x, start)
        return torch.linalg.solve(hessian, -torch.func.grad(g, 1)(x, start))

    class Solved(torch.autograd.Function):
        @staticmethod
        def forward(kept, x):
            y = solution(x.detach())
            kept.save_for_backward(x, y)
            return y

        @staticmethod
        def backward(kept, cotangent):
            x, y = kept.saved_tensors
            q = torch.linalg.solve(torch.func.hessian(g, 1)(x, y), cotangent)
            return -torch.func.vjp(lambda x: torch.func.grad(g, 1)(x, y), x)[1](q)[0]

    jvp = torch.func.jvp
    made = {
        "backward": listed(backward),
        "jvp": listed(lambda: jvp(g, (array(X), array(Y)), (array(V), array(V)))[1]),
        "twice": listed(twice),
        "hessian": listed(lambda: torch.func.hessian(g, 1)(array(X), array(Y))),
        "detach": listed(detach),
        "loop": hyper(looped(step)),
        "checkpoint": hyper(looped(lambda x, y: checkpoint(step, x, y, use_reentrant=False))),
        "function": hyper(Solved.apply),
    }

    class Net(torch.nn.Module):
        """A module whose parameters are y."""

        def __init__(self, values):
            super().__init__()
            self.y = torch.nn.Parameter(array(values))

        def forward(self):
            return self.y

    if has("higher"):
        made.update(higher_calls(torch, g, Net, hyper))
    if has_hypertorch():
        made.update(hypertorch_calls(step, solution, upper, start, leaf, listed))
    if has("torchopt"):
        made.update(torchopt_calls(torch, g, Net, hyper, solution, start))
    if has("betty"):
        made.update(betty_calls(torch, g, upper, Net, listed, array))
    return made


def higher_calls(torch, g, net, hyper):
    import higher

    def trained(momentum):
        def solve(x):
            module = net([0.0, 0.0, 0.0])
            sgd = torch.optim.SGD(module.parameters(), lr=STEP, momentum=momentum)
            with higher.innerloop_ctx(module, sgd) as (functional, optimiser):
                for _ in range(DEPTH):
                    optimiser.step(g(x, functional()))
                return functional()

        return solve

    return {"higher": hyper(trained(0.0)), "momentum": hyper(trained(0.5))}


def hypertorch_calls(step, solution, upper, start, leaf, listed):
    import hypergrad

    def fp_map(params, hparams):
        y = params[0] if params[0].requires_grad else params[0].clone().requires_grad_()
        return [step(hparams[0], y)]

    def loss(params, hparams):
        return upper(hparams[0], params[0])

    def history(x, count):
        params = [[start.clone().requires_grad_()]]
        for _ in range(count):
            params.append(fp_map(params[-1], [x]))
        return params

    def unrolled(of):
        def gradient():
            x = leaf(X)
            return of(x, history(x, DEPTH))[0]

        return listed(gradient)

    def implicit(method, count, tol):
        def gradient():
            x = leaf(X)
            y = solution(x.detach()).requires_grad_()
            return method([y], [x], count, fp_map, loss, tol=tol)[0]

        return listed(gradient)

    hg = hypergrad
    return {
        "hg_unroll": unrolled(lambda x, all: hg.reverse_unroll(all[-1], [x], loss)),
        "hg_reverse": unrolled(lambda x, all: hg.reverse(all, [x], [fp_map] * DEPTH, loss)),
        "hg_truncated": unrolled(lambda x, all: hg.reverse(all[-4:], [x], [fp_map] * 3, loss)),
        "hg_four": implicit(hg.fixed_point, 4, 0.0),
        "hg_map": implicit(hg.fixed_point, 1000, 1e-14),
        # By its tolerance it ends before the iterate that met it.
        "hg_cg": implicit(hg.CG, 3, 0.0),
    }


def torchopt_calls(torch, g, net, hyper, solution, start):
    import torchopt

    def meta(x):
        module = net([0.0, 0.0, 0.0])
        optimiser = torchopt.MetaSGD(module, lr=STEP)
        for _ in range(DEPTH):
            optimiser.step(g(x, module()))
        return module()

    def gradient(y, x):
        return torch.func.grad(g, 1)(x, y)

    # Its conjugate gradients end at ten iterations, or earlier at a tolerance.
    solve = torchopt.linear_solve.solve_normal_cg(rtol=1e-14, atol=1e-14)

    @torchopt.diff.implicit.custom_root(gradient, argnums=1, solve=solve)
    def solved(y, x):
        return solution(x.detach())

    return {"metasgd": hyper(meta), "torchopt_root": hyper(lambda x: solved(start, x))}


def betty_calls(torch, g, upper, net, listed, array):
    import logging

    from betty.configs import Config, EngineConfig
    from betty.engine import Engine
    from betty.problems import ImplicitProblem

    steps = 300
    logging.disable(logging.INFO)

    class Outer(ImplicitProblem):
        def training_step(self, batch):
            return upper(self.module(), self.inner.module())

    class Inner(ImplicitProblem):
        def training_step(self, batch):
            return g(self.outer.module(), self.module())

    def level(kind, name, module, lr, config):
        sgd = torch.optim.SGD(module.parameters(), lr=lr)
        return kind(name, config=config, module=module, optimizer=sgd, train_data_loader=[(0,)])

    def hypergradient(**settings):
        def moved():
            outer = level(Outer, "outer", net(X), 1.0, Config(retain_graph=True))
            config = Config(unroll_steps=steps, **settings)
            inner = level(Inner, "inner", net([0.0, 0.0, 0.0]), STEP, config)
            links = {"u2l": {outer: [inner]}, "l2u": {inner: [outer]}}
            engine = EngineConfig(train_iters=steps, valid_step=10**9)
            Engine(config=engine, problems=[outer, inner], dependencies=links).run()
            # One step of length 1 against the hypergradient.
            return array(X) - outer.module()

        return listed(moved)

    return {
        "betty_cg": hypergradient(type="cg", cg_iterations=3, cg_alpha=1.0),
        "betty_neumann": hypergradient(
            type="neumann", neumann_iterations=500, neumann_alpha=STEP
        ),
    }
