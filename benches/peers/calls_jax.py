"""Calls of JAX, JAXopt and Optimistix on the small problem."""

import importlib.util

from small_problem import DEPTH, STEP, V, X, Y, objectives


def has(name):
    return importlib.util.find_spec(name) is not None


def calls():
    """Package, whether it is here, the call, whose number of ours it gives, and a function."""
    made = make() if has("jax") else {}
    for package, module, call, name, key in ROWS:
        yield package, has("jax") and has(module), call, name, made.get(key)


ROWS = [
    ("jax", "jax", "jax.value_and_grad(g, 1)(x, y), its value", "value", "value"),
    ("jax", "jax", "jax.value_and_grad(g, 1)(x, y)", "gradient", "gradient"),
    ("jax", "jax", "jax.jvp(g, (x, y), (dx, dy))", "directional", "jvp"),
    ("jax", "jax", "jax.linearize(jax.grad(g, 1), x, y)", "hvp", "linearize"),
    ("jax", "jax", "jax.vjp(jax.grad(g, 1), x, y)", "cross", "vjp"),
    ("jax", "jax", "jax.hessian(g, 1)(x, y)", "hessian", "hessian"),
    ("jax", "jax", "jax.lax.stop_gradient(y)", "stopped", "stop"),
    ("jax", "jax", "jax.lax.scan of steps, jax.grad", "unrolled", "scan"),
    ("jax", "jax", "jax.checkpoint of the body of a scan", "checkpointed", "checkpoint"),
    ("jax", "jax", "jax.lax.custom_root", "implicit", "custom_root"),
    ("jax", "jax", "jax.custom_vjp with a linear solve", "implicit", "custom_vjp"),
    ("jaxopt", "jaxopt", "GradientDescent(g, implicit_diff=True)", "implicit", "jaxopt"),
    ("jaxopt", "jaxopt", "GradientDescent(g, implicit_diff=False)", "unrolled", "jaxopt_loop"),
    ("jaxopt", "jaxopt", "implicit_diff.custom_root(jax.grad(g))", "implicit", "jaxopt_root"),
    ("jaxopt", "jaxopt", "ProjectedGradient(g, projection_l2_ball)", "projected", "jaxopt_ball"),
    ("jaxopt", "jaxopt", "ProximalGradient(g, prox_lasso)", "sparse", "jaxopt_lasso"),
    ("optimistix", "optimistix", "minimise(…, adjoint=ImplicitAdjoint())", "implicit", "optx"),
    ("optimistix", "optimistix", "root_find(…, adjoint=ImplicitAdjoint())", "implicit", "optx_root"),
    ("optimistix", "optimistix", "fixed_point(…, adjoint=ImplicitAdjoint())", "implicit", "optx_map"),
    (
        "optimistix",
        "optimistix",
        "fixed_point(…, adjoint=RecursiveCheckpointAdjoint())",
        "unrolled",
        "optx_loop",
    ),
]


def make():
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    g, upper = objectives(jnp.exp, jnp.asarray)
    x, y, v = jnp.asarray(X), jnp.asarray(Y), jnp.asarray(V)
    zeros = jnp.zeros(3)
    grad = jax.grad(g, 1)

    def listed(function):
        return lambda: [float(n) for n in jnp.ravel(function())]

    def hyper(solve):
        """The gradient by x of the upper objective at what `solve` makes of x."""
        return listed(lambda: jax.grad(lambda x: upper(x, solve(x)))(x))

    def step(x, y):
        return y - STEP * grad(x, y)

    def scanned(body):
        return lambda x: jax.lax.scan(lambda y, _: (body(x, y), None), zeros, length=DEPTH)[0]

    def newton(f, start):
        # g is quadratic in y.
        return start - jnp.linalg.solve(jax.jacobian(f)(start), f(start))

    def custom_root(x):
        def tangent_solve(linear, b):
            return jnp.linalg.solve(jax.jacobian(linear)(b), b)

        return jax.lax.custom_root(lambda y: grad(x, y), zeros, newton, tangent_solve)

    @jax.custom_vjp
    def solved(x):
        return newton(lambda y: grad(x, y), zeros)

    def forward(x):
        y = solved(x)
        return y, (x, y)

    def backward(kept, cotangent):
        x, y = kept
        q = jnp.linalg.solve(jax.hessian(g, 1)(x, y), cotangent)
        return (-jax.vjp(lambda x: grad(x, y), x)[1](q)[0],)

    solved.defvjp(forward, backward)
    made = {
        "value": listed(lambda: jax.value_and_grad(g, 1)(x, y)[0]),
        "gradient": listed(lambda: jax.value_and_grad(g, 1)(x, y)[1]),
        "jvp": listed(lambda: jax.jvp(g, (x, y), (v, v))[1]),
        "linearize": listed(lambda: jax.linearize(grad, x, y)[1](zeros, v)),
        "vjp": listed(lambda: jax.vjp(grad, x, y)[1](v)[0]),
        "hessian": listed(lambda: jax.hessian(g, 1)(x, y)),
        "stop": listed(lambda: jax.grad(lambda y: y @ jax.lax.stop_gradient(y) ** 2)(y)),
        "scan": hyper(scanned(step)),
        "checkpoint": hyper(scanned(jax.checkpoint(step))),
        "custom_root": hyper(custom_root),
        "custom_vjp": hyper(solved),
    }
    if has("jaxopt"):
        made.update(jaxopt_calls(g, grad, zeros, hyper))
    if has("optimistix"):
        made.update(optimistix_calls(g, grad, step, zeros, hyper))
    return made


def jaxopt_calls(g, grad, zeros, hyper):
    import jaxopt

    def of_y(y, x):
        return g(x, y)

    long = {"maxiter": 5000, "tol": 1e-13}

    def descent(**settings):
        solver = jaxopt.GradientDescent(of_y, stepsize=STEP, acceleration=False, **settings)
        return lambda x: solver.run(zeros, x).params

    @jaxopt.implicit_diff.custom_root(lambda y, x: grad(x, y))
    def solved(start, x):
        return descent(**long)(x)

    ball = jaxopt.ProjectedGradient(of_y, jaxopt.projection.projection_l2_ball, **long)
    lasso = jaxopt.ProximalGradient(of_y, jaxopt.prox.prox_lasso, **long)
    return {
        "jaxopt": hyper(descent(implicit_diff=True, **long)),
        "jaxopt_loop": hyper(descent(implicit_diff=False, maxiter=DEPTH, tol=0.0)),
        "jaxopt_root": hyper(lambda x: solved(zeros, x)),
        "jaxopt_ball": hyper(lambda x: ball.run(zeros, 0.5, x).params),
        "jaxopt_lasso": hyper(lambda x: lasso.run(zeros, 0.05, x).params),
    }


def optimistix_calls(g, grad, step, zeros, hyper):
    import optimistix as optx

    tight = {"rtol": 1e-13, "atol": 1e-13}
    implicit = {"adjoint": optx.ImplicitAdjoint(), "max_steps": 5000}

    def minimised(x):
        solver = optx.BFGS(**tight)
        return optx.minimise(lambda y, x: g(x, y), solver, zeros, x, throw=False, **implicit).value

    def root(x):
        return optx.root_find(lambda y, x: grad(x, y), optx.Newton(**tight), zeros, x, **implicit).value

    def fixed(x):
        solver = optx.FixedPointIteration(**tight)
        return optx.fixed_point(lambda y, x: step(x, y), solver, zeros, x, **implicit).value

    def looped(x):
        # So that it ends at the count of steps alone.
        solver = optx.FixedPointIteration(rtol=0.0, atol=0.0)
        adjoint = optx.RecursiveCheckpointAdjoint()
        settings = {"adjoint": adjoint, "max_steps": DEPTH, "throw": False}
        return optx.fixed_point(lambda y, x: step(x, y), solver, zeros, x, **settings).value

    return {
        "optx": hyper(minimised),
        "optx_root": hyper(root),
        "optx_map": hyper(fixed),
        "optx_loop": hyper(looped),
    }
