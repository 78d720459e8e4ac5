# %% [markdown]
# # A solve as a layer of a network
# Robust regression as a layer: for each sample the network sets weights, and the layer answers with the
# minimiser of a smoothed ℓ₁ fit. Rows of a batch are solved side by side, from where they were before, and a
# row that fails says so.

# %%
import bilevel as bl
import numpy as np
import torch

rng = np.random.default_rng(0)
torch.manual_seed(0)
basis = rng.standard_normal((12, 4)).astype(np.float32)


# %% [markdown]
# The lower level is ordinary NumPy, recorded once: `x` holds the data of a fit, `y` its coefficients.

# %%
def fit(x, y):
    residual = basis @ y - x
    return np.sum(np.sqrt(residual**2 + 0.01)) + 0.05 * (y @ y)


layer = bl.torch.Argmin(bl.Lower(fit, x=12, y=4, dtype="float32"), warm_start=True)

# %% [markdown]
# A network that is to undo outliers in front of the fit.

# %%
truth = rng.standard_normal((64, 4)).astype(np.float32)
data = truth @ basis.T
data[np.arange(64), rng.integers(0, 12, 64)] += 8.0
inputs, wanted = torch.tensor(data), torch.tensor(truth)

net = torch.nn.Sequential(torch.nn.Linear(12, 12), torch.nn.Tanh(), torch.nn.Linear(12, 12))
optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
losses = []
for _ in range(30):
    loss = (layer(inputs + net(inputs)) - wanted).square().mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    losses.append(loss.item())
print(f"loss {losses[0]:.3f} → {losses[-1]:.3f}")
assert losses[-1] < losses[0]

# %% [markdown]
# What became of each row of the last call: statuses, residuals, how many iterations a warm start left.

# %%
print(layer.last, max(layer.last.linear_iterations), "iterations of a linear system at most")
