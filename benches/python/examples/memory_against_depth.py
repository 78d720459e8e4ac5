# %% [markdown]
# # Memory against depth
# What an unrolled loop holds under each memory policy, measured to the byte and predicted without running.

# %%
import bilevel as bl
import numpy as np

p = bl.problem("ridge")
table = p.memory([10, 100, 1000], ["taped", "stored", "checkpointed:10", "truncated:10"])
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

# %%
try:
    import matplotlib.pyplot as plt
except ImportError:
    print("matplotlib draws the plot, where it is installed")
else:
    fig, ax = plt.subplots()
    table.plot(ax=ax)
    ax.set_title("Peak bytes against depth")
assert np.isfinite(list(growth.values())).all()
