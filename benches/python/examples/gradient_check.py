# %% [markdown]
# # A gradient check that finds a mistake
# The checker holds gradients, Hessian-vector products and cross products of what was recorded against
# other ways to them. A hand-written gradient is held against the recorded one.

# %%
import bilevel as bl
import numpy as np

rng = np.random.default_rng(1)
A, b = rng.normal(size=(30, 5)), rng.normal(size=30)


def loss(y):
    return np.mean(bl.huber(A @ y - b, 1.0)) + 0.05 * np.sum(y**2)


f = bl.record(loss, 5)


def by_hand(y, penalty=0.1):
    residual = A @ y - b
    return A.T @ np.clip(residual, -1.0, 1.0) / len(b) + penalty * y


# %% [markdown]
# The right one agrees; with the factor ½ of the penalty taken for 1 it does not, and the entry is named.

# %%
at = rng.normal(size=5)
right = np.abs(by_hand(at) - f.gradient(at))
wrong = np.abs(by_hand(at, penalty=0.05) - f.gradient(at))
print("right:", right.max(), "wrong:", wrong.max(), "at entry", wrong.argmax())
assert right.max() < 1e-14 < 1e-3 < wrong.max()

# %% [markdown]
# Of a whole problem: both objectives, with a control that must fail.

# %%
p = bl.Problem(
    lambda x, y: np.mean((A @ y - b) ** 2),
    lambda x, y: np.mean(bl.huber(A @ y - b, 1.0)) + 0.5 * np.exp(x) @ y**2,
    x=np.full(5, -2.0),
    y=5,
)
check = p.check(seed=3)
print(check)
check.assert_passed()
