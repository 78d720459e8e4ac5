# %% [markdown]
# # Half an hour with `bilevel`
# From an install to a solved problem of your own, and a mistake with what is said of it. A script in percent
# format: it opens as a notebook, cell by cell.
#
# From a checkout, with a Rust toolchain and Python 3.11 or later:
# ```
# pip install ./benches/python matplotlib pandas
# ```

# %%
import bilevel as bl
import numpy as np

rng = np.random.default_rng(0)
A, A_valid = rng.normal(size=(120, 12)), rng.normal(size=(80, 12))
w = rng.normal(size=12) * (rng.uniform(size=12) < 0.4)
t, t_valid = (np.sign(a @ w + 0.5 * rng.normal(size=len(a))) for a in (A, A_valid))

# %% [markdown]
# ## 1. Two objectives
# The lower level trains: a logistic regression with a weight of regularisation for each feature. The upper
# level judges: the loss on samples that the lower one has not seen. Ordinary NumPy, called once.


# %%
def loss(y, a, t):
    return np.mean(np.logaddexp(0, -t * (a @ y)))


def lower(x, y):
    return loss(y, A, t) + 0.5 * np.exp(x) @ y**2


def upper(x, y):
    return loss(y, A_valid, t_valid)


p = bl.Problem(upper, lower, x=np.full(12, -3.0), y=12)
p

# %% [markdown]
# ## 2. Are the derivatives right?
# Of what was recorded, against differences, complex steps and other ways to them; with a control, which shows
# that a wrong derivative would have been found.

# %%
p.check().assert_passed()

# %% [markdown]
# Each objective is a function of its own, with a gradient and Hessian-vector products, one direction or many.

# %%
x, y = p.x, rng.normal(size=12)
print(p.lower(x, y), p.lower.gradient(x, y)[1][:3])
print(p.lower.hvp(x, y, None, np.eye(12), by=1).shape)

# %% [markdown]
# ## 3. Which strategy?
# The hypergradient by each of them, beside the exact one.

# %%
table = p.compare(["exact", "aid-cg", "aid-neumann", "itd", "itd-truncated:10", "bda"], depth=500)
print(table)

# %% [markdown]
# One that stops short is no mistake of yours, and says what it is: the truncated loop is off by that much.

# %%
error = {r["strategy"]: r["error_vs_exact"] for r in table}
assert error["aid-cg"] < 1e-8 < error["itd-truncated:10"]

# %% [markdown]
# ## 4. What does it hold in memory?
# Bytes of an unrolled loop against its depth: predicted without running, and measured.

# %%
memory = p.memory([10, 100, 1000], ["stored", "checkpointed:10", "truncated:10"])
print(memory)
assert all(r["peak_bytes"] == r["predicted_bytes"] for r in memory)
print(p.plan(1000, budget="64KiB"))

# %% [markdown]
# ## 5. Solve
# A run has its records, its settings and its seed.

# %%
run = p.solve("aid-cg", optimiser="adam", rate=0.3, iterations=40, seed=0)
print(run.ok, run.trace[0]["upper"], "→", run.trace[-1]["upper"])
assert run.ok and run.trace[-1]["upper"] < run.trace[0]["upper"]

# %% [markdown]
# On batches of the samples: the arrays go into `bl.sampled`, and the functions get the rows of a batch.

# %%
q = bl.Problem(
    bl.sampled(lambda x, y, a, t: loss(y, a, t), A_valid, t_valid),
    bl.sampled(lambda x, y, a, t: loss(y, a, t) + 0.5 * np.exp(x) @ y**2, A, t),
    x=np.full(12, -3.0),
    y=12,
)
drawn = q.solve("soba", batch=16, rate=0.1, iterations=2000, report_every=500, seed=0)
print(drawn.trace[0]["upper"], "→", drawn.trace[-1]["upper"])

# %% [markdown]
# ## 6. A mistake, and what is said of it
# What holds for one value only cannot be recorded: the message has the way out, and the traceback your line.


# %%
def branches(x, y):
    return np.sum(y) if y[0] > 0 else lower(x, y)


try:
    bl.Problem(upper, branches, x=12, y=12)
except bl.TraceError as error:
    print(f"TraceError: {error}")

# %% [markdown]
# A lower level that is flat has no solution to differentiate. That is a status with a remedy, and a warning,
# and not a number without a word.

# %%
import warnings

flat = bl.Problem(upper, lambda x, y: loss(y[:6], A[:, :6], t) + 0.0 * (x @ y), x=12, y=12)
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    estimate = flat.hypergradient("aid-cg")
print(estimate.status, "—", estimate.message)
assert not estimate.ok and said
try:
    estimate.check()
except bl.StatusError as error:
    print("StatusError:", error)
