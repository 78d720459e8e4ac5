"""Objectives that are functions of Python, of JAX and of PyTorch: one engine, whatever calls it."""

from __future__ import annotations

import gc
import resource
import signal
import threading
import time
import weakref

import bilevel as bl
import numpy as np
import pytest

N = 5
rng = np.random.default_rng(7)
A = rng.standard_normal((9, N))
B = rng.standard_normal(9)
V = rng.standard_normal((4, N))
W = rng.standard_normal(4)
X = rng.standard_normal(N) * 0.3 - 0.5
STRATEGIES = ["exact", "aid-cg", "aid-minres", "itd", "itd-checkpointed:3", "bda"]


def lower(x, y, xp=np):
    r = A @ y - B
    return 0.5 * (r @ r) / 9 + 0.5 * xp.sum(xp.exp(x) * y * y) + 0.1 * xp.sum(xp.log1p(xp.exp(y)))


def upper(x, y, xp=np):
    r = V @ y - W
    return 0.5 * (r @ r) + 0.01 * (x @ x)


def sigmoid(y):
    return 1 / (1 + np.exp(-y))


class Counting:
    """The two objectives as NumPy callbacks, with how often each was called."""

    def __init__(self):
        self.calls = {"gradient": 0, "linearise": 0, "product": 0}

    def lower(self):
        def value_and_grad(x, y):
            self.calls["gradient"] += 1
            gy = A.T @ (A @ y - B) / 9 + np.exp(x) * y + 0.1 * sigmoid(y)
            return lower(x, y), 0.5 * np.exp(x) * y * y, gy

        def linearise(x, y):
            self.calls["linearise"] += 1
            s = sigmoid(y)

            def product(dx, dy):
                self.calls["product"] += 1
                cross = np.exp(x) * y
                hx = 0.5 * np.exp(x) * y * y * dx + cross * dy
                hy = cross * dx + A.T @ (A @ dy) / 9 + (np.exp(x) + 0.1 * s * (1 - s)) * dy
                return hx, hy

            return product

        return bl.Functions(value_and_grad, linearise=linearise)

    def upper(self):
        def value_and_grad(x, y):
            return upper(x, y), 0.02 * x, V.T @ (V @ y - W)

        return bl.Functions(value_and_grad, lambda x, y, dx, dy: (0.02 * dx, V.T @ (V @ dy)))

    def problem(self):
        return bl.from_functions(self.upper(), self.lower(), X, np.zeros(N))


def of_jax(dtype="float64"):
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp

    def flat(f):
        return lambda x, y: f(x["reg"], y, jnp)

    return bl.from_jax(
        flat(upper), flat(lower), {"reg": jnp.asarray(X, dtype)}, jnp.zeros(N, dtype)
    )


def of_torch(dtype="float64"):
    torch = pytest.importorskip("torch")
    kind = getattr(torch, dtype)
    a, b, v, w = (torch.tensor(m, dtype=kind) for m in (A, B, V, W))

    def g(x, y):
        r = a @ y - b
        soft = torch.log1p(torch.exp(y)).sum()
        return 0.5 * (r @ r) / 9 + 0.5 * (torch.exp(x) * y * y).sum() + 0.1 * soft

    def f(x, y):
        r = v @ y - w
        return 0.5 * (r @ r) + 0.01 * (x @ x)

    return bl.from_torch(f, g, torch.tensor(X, dtype=kind), torch.zeros(N, dtype=kind))


def recorded():
    return bl.Problem(upper, lower, x=X, y=N)


KINDS = {"numpy": lambda: Counting().problem(), "jax": of_jax, "torch": of_torch}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_gives_the_hypergradient_of_the_recording(kind, strategy):
    settings = {"depth": 60} if "itd" in strategy or strategy == "bda" else {}
    want = recorded().hypergradient(strategy, **settings)
    got = KINDS[kind]().hypergradient(strategy, **settings)
    assert got.status == want.status and got.ok
    np.testing.assert_allclose(got.hypergradient, want.hypergradient, rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(got.y, want.y, rtol=1e-8, atol=1e-10)
    # The exact strategy goes on until no step helps, which rounding decides.
    if strategy != "exact":
        assert got.oracles == want.oracles, "sweeps are counted as they are"


@pytest.mark.parametrize("kind", KINDS)
def test_comparisons_checks_memory_and_runs_take_them(kind):
    p = KINDS[kind]()
    table = p.compare(["exact", "aid-cg", "itd"], depth=50)
    assert table.ok and len(table) == 3
    assert "of the engine alone" in str(table)
    p.check().assert_passed()
    memory = p.memory([5, 10], ["stored", "checkpointed:2"])
    assert "of the engine alone" in str(memory)
    settings = {"iterations": 5, "rate": 0.1, "optimiser": "gd"}
    got, want = p.solve("aid-cg", **settings), recorded().solve("aid-cg", **settings)
    np.testing.assert_allclose(got.x, want.x, rtol=1e-7)


def test_a_run_of_small_steps_takes_them():
    settings = {"iterations": 20, "rate": 0.05}
    got = Counting().problem().solve("soba", **settings)
    want = recorded().solve("soba", **settings)
    np.testing.assert_allclose(got.x, want.x, rtol=1e-9)


def test_the_hessian_is_linearised_once_a_point():
    counting = Counting()
    estimate = counting.problem().hypergradient("aid-cg")
    calls = counting.calls
    assert estimate.ok
    assert calls["product"] > 3 * calls["linearise"], calls
    # Newton's method and the system at its end: a linearisation for each point they stand at.
    assert calls["linearise"] <= calls["gradient"] + 1, calls


def test_single_precision_stays_single():
    for p in (of_jax("float32"), of_torch("float32")):
        assert p.dtype == np.float32
        got = p.hypergradient("aid-cg")
        assert got.ok and got.hypergradient.dtype == np.float32
        want = recorded().hypergradient("aid-cg").hypergradient
        np.testing.assert_allclose(got.hypergradient, want, rtol=2e-3, atol=1e-4)


def test_blocks_come_and_go_as_dictionaries():
    def value_and_grad(x, y):
        assert set(x) == {"a", "b"} and x["b"].shape == (2, 2) and y["w"].shape == (3,)
        off = y["w"] - x["a"]
        zero = {"a": -off, "b": x["b"] * 0.0}
        return 0.5 * off @ off + 0.5 * np.sum(x["b"] ** 2), zero | {"b": x["b"]}, {"w": off}

    def hvp(x, y, dx, dy):
        off = dy["w"] - dx["a"]
        return {"a": -off, "b": dx["b"]}, {"w": off}

    both = bl.Functions(value_and_grad, hvp)
    p = bl.from_functions(both, both, {"a": np.ones(3), "b": np.ones((2, 2))}, {"w": np.zeros(3)})
    h = p.hypergradient("aid-cg").hypergradient
    np.testing.assert_allclose(h["a"], 0.0, atol=1e-12)
    np.testing.assert_allclose(h["b"], 1.0)


def test_a_module_is_the_inner_variable():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh(), torch.nn.Linear(2, 1)).double()
    features, targets = torch.randn(12, 3).double(), torch.randn(12, 1).double()

    def g(x, net):
        decay = sum((p**2).sum() for p in net.parameters())
        return (net(features) - targets).square().mean() + torch.exp(x[0]) * decay

    def f(x, net):
        return (net(features[:6]) - targets[:6]).square().mean()

    p = bl.from_torch(f, g, torch.tensor([-1.0], dtype=torch.float64), net)
    assert p.dim_y == sum(q.numel() for q in net.parameters())
    before = [q.detach().clone() for q in net.parameters()]
    estimate = p.hypergradient("itd", depth=30)
    assert estimate.hypergradient.shape == (1,)
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
    p.check().assert_passed()


# ---- what goes wrong


class Own(Exception):
    pass


def parts(value=None, gx=None, gy=None, hvp=None, raises=None):
    """A problem whose lower functions give these in the place of what is right."""

    def value_and_grad(x, y):
        if raises == "gradient":
            raise Own("from the gradient")
        off = y - x
        return (
            0.5 * off @ off if value is None else value,
            -off if gx is None else gx,
            off if gy is None else gy,
        )

    def product(x, y, dx, dy):
        if raises == "product":
            raise Own("from the product")
        return (dx - dy, dy - dx) if hvp is None else hvp

    g = bl.Functions(value_and_grad, product)
    f = bl.Functions(lambda x, y: (0.5 * y @ y, 0.0 * x, y), lambda x, y, dx, dy: (0.0 * dx, dy))
    return bl.from_functions(f, g, np.ones(2), np.zeros(2))


@pytest.mark.parametrize("where", ["gradient", "product"])
def test_an_exception_comes_through_as_it_is_with_a_note(where):
    p = parts(raises=where)
    with pytest.raises(Own, match=f"from the {where}") as caught:
        p.hypergradient("aid-cg")
    assert any("lower objective" in n and "aid-cg" in n for n in caught.value.__notes__)
    frames = [f.name for f in caught.traceback]
    assert ("value_and_grad" if where == "gradient" else "product") in frames
    with pytest.raises(Own):
        p.solve("soba", iterations=3, rate=0.1)


def test_the_problem_goes_on_after_an_exception():
    state = {"bad": True}

    def value_and_grad(x, y):
        if state["bad"]:
            raise Own
        return 0.5 * (y - x) @ (y - x), x - y, y - x

    g = bl.Functions(value_and_grad, lambda x, y, dx, dy: (dx - dy, dy - dx))
    f = bl.Functions(lambda x, y: (0.5 * y @ y, 0.0 * x, y))
    p = bl.from_functions(f, g, np.ones(2), np.zeros(2))
    with pytest.raises(Own):
        p.hypergradient("aid-cg")
    state["bad"] = False
    np.testing.assert_allclose(p.hypergradient("aid-cg").hypergradient, 1.0)


WRONG = [
    (dict(gy=np.zeros(3)), ValueError, r"gradient of the lower objective by y has shape \(3,\)"),
    (dict(gx=np.zeros((2, 1))), ValueError, r"by x has shape \(2, 1\): expected \(2,\)"),
    (dict(gy=np.zeros(2, np.float32)), TypeError, "float32: expected float64"),
    (dict(gy=np.zeros(2, complex)), TypeError, "complex128"),
    (dict(gy=[None, None]), TypeError, "object"),
    (dict(value=np.zeros(2)), ValueError, "value of the lower objective has shape"),
    (dict(value="one"), TypeError, "expected a real number"),
    (dict(value=1j), TypeError, "expected a real number"),
    (dict(hvp=np.zeros(2)), TypeError, "expected a pair"),
    (dict(hvp=(np.zeros(2), np.zeros(1))), ValueError, "Hessian-vector product of the lower"),
]


@pytest.mark.parametrize(("wrong", "kind", "match"), WRONG)
def test_what_does_not_fit_is_one_exception(wrong, kind, match):
    with pytest.raises(kind, match=match):
        parts(**wrong).hypergradient("aid-cg")


@pytest.mark.parametrize(
    "wrong", [dict(gy=np.full(2, np.nan)), dict(hvp=(np.full(2, np.inf),) * 2)]
)
def test_what_is_not_finite_is_a_status(wrong):
    with pytest.warns(bl.NumericalWarning):
        estimate = parts(**wrong).hypergradient("aid-cg")
    assert not estimate.ok and estimate.status == "non-finite", estimate
    with pytest.raises(bl.StatusError):
        estimate.check()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_where_there_is_no_value_a_gradient_is_not_believed(strategy, value):
    with pytest.warns(bl.NumericalWarning):
        estimate = parts(value=value).hypergradient(strategy)
    assert not estimate.ok and estimate.status == "non-finite", estimate
    assert "test_oracles.py:" in estimate.message


def test_what_is_not_finite_names_the_functions_line():
    with pytest.warns(bl.NumericalWarning):
        estimate = parts(gy=np.full(2, np.nan)).hypergradient("aid-cg")
    assert "test_oracles.py:" in estimate.message


def test_products_that_were_not_given_are_asked_for_by_name():
    only = bl.Functions(lambda x, y: (0.5 * (y - x) @ (y - x), x - y, y - x))
    p = bl.from_functions(only, only, np.ones(2), np.zeros(2))
    with pytest.raises(bl.ConfigError, match="lower objective was asked for by aid-cg.*expected hvp="):
        p.hypergradient("aid-cg")


def test_functions_alone_are_no_objective_and_a_problem_of_them_no_pickle():
    import pickle

    with pytest.raises(TypeError, match=r"expected bilevel\.Functions"):
        bl.from_functions(lambda x, y: 0.0, lambda x, y: 0.0, np.ones(1), np.ones(1))
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(parts())


def test_double_precision_with_jax_in_single_is_refused():
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", False)
    try:
        with pytest.raises(bl.ConfigError, match="jax_enable_x64"):
            bl.from_jax(lambda x, y: y @ y, lambda x, y: y @ y, np.ones(2), np.ones(2))
        x = np.ones(2, np.float32)
        p = bl.from_jax(lambda x, y: y @ y, lambda x, y: (y - x) @ (y - x), x, x)
        assert p.dtype == np.float32 and p.hypergradient("aid-cg").ok
    finally:
        jax.config.update("jax_enable_x64", True)


def test_trees_and_tensors_that_do_not_fit_are_refused():
    jax = pytest.importorskip("jax")
    torch = pytest.importorskip("torch")
    f = lambda x, y: y  # noqa: E731
    ints, half = jax.numpy.arange(3), jax.numpy.ones(3, "float16")
    for bad in (ints, half):
        with pytest.raises(TypeError, match="expected float32 or float64"):
            bl.from_jax(f, f, bad, jax.numpy.ones(3))
    with pytest.raises(bl.ProblemError, match="no leaves"):
        bl.from_jax(f, f, {}, jax.numpy.ones(3))
    with pytest.raises(TypeError, match="expected one precision"):
        bl.from_jax(f, f, jax.numpy.ones(2, "float32"), jax.numpy.ones(2, "float64"))
    with pytest.raises(TypeError, match=r"expected torch\.float32"):
        bl.from_torch(f, f, torch.arange(3), torch.ones(3))
    with pytest.raises(TypeError, match="expected a tensor"):
        bl.from_torch(f, f, np.ones(3), torch.ones(3))
    with pytest.raises(ValueError, match="expected a tensor of one entry"):
        bl.from_torch(f, f, torch.ones(3), torch.ones(3)).hypergradient("aid-cg")


def test_a_jax_exception_comes_through():
    pytest.importorskip("jax")

    def g(x, y):
        raise Own("while it is traced")

    p = bl.from_jax(g, g, np.ones(2), np.ones(2))
    with pytest.raises(Own, match="while it is traced"):
        p.hypergradient("aid-cg")


@pytest.mark.parametrize("asked", ["hypergradient", "compare", "run", "next", "upper"])
def test_jax_functions_are_not_called_inside_of_a_callback_of_jax(asked):
    """JAX may hang where a callback calls it again."""
    jax = pytest.importorskip("jax")
    p = of_jax()
    begun = p.run("aid-cg", iterations=3, rate=0.1)
    calls = {
        "hypergradient": lambda: p.hypergradient("aid-cg"),
        "compare": lambda: p.compare(["aid-cg"]),
        "run": lambda: p.run("aid-cg", iterations=3),
        "next": lambda: next(begun),
        "upper": lambda: p.upper,
    }
    seen = []

    def called(x):
        with pytest.raises(bl.ConfigError, match="inside of a callback of JAX") as caught:
            calls[asked]()
        seen.append(caught)
        # What is recorded calls nothing, and may be asked.
        return recorded().hypergradient("aid-cg").hypergradient

    shape = jax.ShapeDtypeStruct((N,), "float64")
    h = jax.jit(lambda x: jax.pure_callback(called, shape, x))(jax.numpy.zeros(N))
    np.testing.assert_allclose(h, p.hypergradient("aid-cg").hypergradient, rtol=1e-8)
    assert seen


def test_another_thread_goes_on_and_may_ask_as_well():
    p, done = of_torch(), []

    def ask():
        done.append(p.hypergradient("aid-cg").hypergradient)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(timeout=60)
    assert len(done) == 4
    for h in done:
        np.testing.assert_array_equal(h, done[0])


@pytest.mark.parametrize("asked", ["hypergradient", "run"])
def test_ctrl_c_in_a_callback_is_obeyed_at_any_depth(asked):
    p = Counting().problem()
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    began = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        if asked == "hypergradient":
            p.hypergradient("itd-online:9", depth=10**7)
        else:
            next(p.run("itd", depth=10**6, iterations=3, rate=0.1))
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert time.perf_counter() - began < 0.3 + 0.3
    assert p.hypergradient("aid-cg").ok


def test_nothing_is_left_over_ten_thousand_calls():
    counting = Counting()
    p = counting.problem()
    alive = weakref.ref(counting)
    for _ in range(100):
        p.hypergradient("aid-cg")
    gc.collect()
    objects = len(gc.get_objects())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    calls = counting.calls["product"]
    while counting.calls["product"] < calls + 10_000:
        p.hypergradient("aid-cg")
    gc.collect()
    assert len(gc.get_objects()) <= objects + 50
    # In KiB: an array that is kept for each call would be some MiB.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2048
    del p, counting
    gc.collect()
    assert alive() is None
