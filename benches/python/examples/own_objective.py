# %% [markdown]
# # An objective of your own under every strategy
# Both objectives are ordinary NumPy. They are called once, with `Var`s in the place of arrays, and run in
# Rust from then on. Opens as a notebook in any editor that knows percent scripts.

# %%
import bilevel as bl
import numpy as np

rng = np.random.default_rng(0)
A, A_valid = rng.normal(size=(200, 20)), rng.normal(size=(100, 20))
w = rng.normal(size=20) * (rng.uniform(size=20) < 0.3)
t, t_valid = (np.sign(a @ w + 0.5 * rng.normal(size=len(a))) for a in (A, A_valid))


def lower(x, y):
    """A logistic regression with a weight of regularisation for each feature."""
    return np.mean(np.logaddexp(0, -t * (A @ y))) + 0.5 * np.exp(x) @ y**2


def upper(x, y):
    return np.mean(np.logaddexp(0, -t_valid * (A_valid @ y)))


p = bl.Problem(upper, lower, x=np.full(20, -3.0), y=20)
p

# %% [markdown]
# Every strategy of the catalogue, at one point: errors against the exact derivative, oracle calls, bytes.

# %%
strategies = ["exact", "itd", "itd-checkpointed:10", "itd-truncated:10", "aid-cg", "aid-neumann", "bda"]
table = p.compare(strategies, depth=300)
print(table)

# %% [markdown]
# One of them, with the evidence for it.

# %%
estimate = p.hypergradient("aid-cg", tolerance=1e-8)
print(estimate)
estimate.check()

# %% [markdown]
# A whole run, and what it followed from.

# %%
run = p.solve("aid-cg", optimiser="adam", rate=0.2, iterations=40, seed=0)
print(run.message, "F from", run.trace[0]["upper"], "to", run.trace[-1]["upper"])
print(run.record["settings"]["rate"], run.record["version"], run.record["threads"])
assert run.ok and run.trace[-1]["upper"] < run.trace[0]["upper"]
