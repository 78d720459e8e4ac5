# %% [markdown]
# # A JAX objective, as it stands
# Somebody has a loss in JAX and tunes the weight decay of each layer by the loss on held-out data. Below the
# line nothing of theirs is changed: ten lines give the hypergradient by every strategy, with its status.

# %%
import jax
import jax.numpy as jnp

jax.config.update("jax_enable_x64", True)
key = jax.random.split(jax.random.PRNGKey(0), 4)
features = jax.random.normal(key[0], (60, 4))
targets = jnp.tanh(features @ jnp.array([1.0, -2.0, 0.5, 0.0])) + 0.1 * jax.random.normal(key[1], (60,))
train, valid = (features[:40], targets[:40]), (features[40:], targets[40:])


def init(key):
    a, b = jax.random.split(key)
    return {"hidden": 0.5 * jax.random.normal(a, (4, 3)), "out": 0.5 * jax.random.normal(b, (3,))}


def loss(params, data):
    inputs, outputs = data
    return jnp.mean((jnp.tanh(inputs @ params["hidden"]) @ params["out"] - outputs) ** 2)


def decay(log_weights, params):
    return sum(jnp.exp(log_weights[k]) * jnp.sum(params[k] ** 2) for k in params)


# %% [markdown]
# ---
# ## The ten lines

# %%
import bilevel as bl  # 1

x0 = {"hidden": jnp.array(-2.0), "out": jnp.array(-2.0)}  # 2
p = bl.from_jax(  # 3
    lambda x, y: loss(y, valid),  # 4
    lambda x, y: loss(y, train) + decay(x, y),  # 5
    x0,  # 6
    init(key[2]),  # 7
)  # 8
h = p.hypergradient("aid-minres")  # 9
print(h)  # 10

# %% [markdown]
# ## What else there is
# Every strategy side by side, on the same functions; the checker on the objectives themselves.

# %%
print(p.compare(["exact", "aid-cg", "itd"], depth=500))
p.check().assert_passed()

# %% [markdown]
# A few steps of the outer variable. A run is iterated over, record by record.

# %%
run = p.solve("aid-minres", iterations=10, rate=0.3, optimiser="adam")
print(f"held-out loss {run.trace[0]['upper']:.4f} → {run.trace[-1]['upper']:.4f}")
assert run.trace[-1]["upper"] < run.trace[0]["upper"]
