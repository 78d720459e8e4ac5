# %% [markdown]
# # Memory against depth
# What an unrolled loop holds under each memory policy, measured to the byte and predicted without running;
# beside what JAX holds for the same loop, where it is installed.

# %%
import math

import bilevel as bl
import numpy as np

rng = np.random.default_rng(0)
A, b = rng.normal(size=(40, 64)) / 8, rng.normal(size=40)
A_valid, b_valid = rng.normal(size=(20, 64)) / 8, rng.normal(size=20)
RATE = 0.5


def lower(x, y, xp=np):
    residual = A @ y - b
    return 0.5 * (residual @ residual) / 40 + 0.5 * xp.sum(xp.exp(x) * y * y)


def upper(x, y, xp=np):
    residual = A_valid @ y - b_valid
    return 0.5 * (residual @ residual) / 20


x0 = np.full(64, -2.0)
p = bl.Problem(upper, lower, x=x0, y=64)
depths = [10, 100, 1000]
table = p.memory(depths, ["taped", "stored", "checkpointed:10", "truncated:10"], step=RATE)
print(table)
for record in table:
    assert record["peak_bytes"] == record["predicted_bytes"]

# %% [markdown]
# The slope: stored states grow with the depth, checkpoints do not.

# %%
peak = {(r["family"], r["depth"]): r["peak_bytes"] for r in table}
growth = {f: peak[f, 1000] / peak[f, 100] for f, depth in peak if depth == 1000}
print({f: round(float(g), 2) for f, g in growth.items()})
assert growth["stored"] > 2 > growth["checkpointed:10"]

# %% [markdown]
# The fastest schedule of a depth that fits a budget.

# %%
print(p.plan(1000, budget="64KiB"))

# %% [markdown]
# ## JAX's own
# The same loop as a `lax.scan`, plain, with a checkpoint at every step, and with checkpoints of blocks of
# about √K steps. Bytes are what XLA's own analysis says that the compiled program holds, without its
# arguments; the hypergradients are the same.

# %%
jaxs: dict[tuple[str, int], int] = {}
try:
    import jax
    import jax.numpy as jnp
except ImportError:
    print("JAX is not installed: ours alone")
else:
    jax.config.update("jax_enable_x64", True)

    def repeated(step, depth):
        return lambda y: jax.lax.scan(lambda y, _: (step(y), None), y, None, length=depth)[0]

    def loop(kind, step, depth):
        if kind == "scan":
            return repeated(step, depth)
        if kind == "checkpoint":
            return repeated(jax.checkpoint(step), depth)
        block = max(n for n in range(1, math.isqrt(depth) + 1) if depth % n == 0)
        return repeated(jax.checkpoint(repeated(jax.checkpoint(step), block)), depth // block)

    def compiled(kind, depth):
        def after(x):
            slope = jax.grad(lower, 1)
            step = lambda y: y - RATE * slope(x, y, jnp)  # noqa: E731
            return upper(x, loop(kind, step, depth)(jnp.zeros(64)), jnp)

        return jax.jit(jax.grad(after)).lower(x0).compile()

    kinds = ("scan", "checkpoint", "nested")
    for depth in depths:
        ours = p.hypergradient("itd", depth=depth, step=RATE).hypergradient
        for kind in kinds:
            program = compiled(kind, depth)
            held = program.memory_analysis()
            jaxs[kind, depth] = held.temp_size_in_bytes + held.output_size_in_bytes
            np.testing.assert_allclose(program(x0), ours, rtol=1e-9, atol=1e-14)
    rows = {f"ours, {f}": [peak[f, d] for d in depths] for f in growth}
    rows |= {f"JAX, {kind}": [jaxs[kind, d] for d in depths] for kind in kinds}
    print(f"{'bytes at depth':24}" + "".join(f"{d:>12,}" for d in depths))
    for name, held in rows.items():
        print(f"{name:24}" + "".join(f"{n:>12,}" for n in held))

# %%
try:
    import matplotlib.pyplot as plt
except ImportError:
    print("matplotlib draws the plot, where it is installed")
else:
    fig, ax = plt.subplots()
    table.plot(ax=ax)
    for kind in sorted({kind for kind, _ in jaxs}):
        ax.plot(depths, [jaxs[kind, d] for d in depths], "--", label=f"JAX, {kind}")
    ax.legend()
    ax.set_title("Peak bytes against depth")
