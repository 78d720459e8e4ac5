# %% [markdown]
# # A gradient check that finds a bug
# A `jax.custom_vjp` by hand: a stable `log(1 + exp(x))`, whose backward pass forgot that it was given `-x`.
# It trains all the same, only worse: nothing complains. The checker does.

# %%
import bilevel as bl
import jax
import jax.numpy as jnp

jax.config.update("jax_enable_x64", True)


@jax.custom_vjp
def softplus(x):
    return jnp.maximum(x, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(x)))


softplus.defvjp(lambda x: (softplus(x), x), lambda x, u: (u * jax.nn.sigmoid(-x),))

point = jnp.array([-1.0, 0.3, 2.0])
report = bl.check(softplus, x=point)
print(report)
assert not report.ok

# %% [markdown]
# The same with the sign put right. The control says that a gradient one millionth off would have been found:
# a check that cannot fail says nothing.

# %%
softplus.defvjp(lambda x: (softplus(x), x), lambda x, u: (u * jax.nn.sigmoid(x),))
report = bl.check(softplus, x=point).assert_passed()
print(report.control)
assert report.has_power

# %% [markdown]
# Any three callables, NumPy or not: a value, a gradient and products with the Hessian.

# %%
import numpy as np

a = np.array([[2.0, 0.5], [0.5, 1.0]])
bl.check(
    lambda y: 0.5 * y @ a @ y + np.sum(y**4),
    lambda y: a @ y + 4 * y**3,
    lambda y, v: a @ v + 12 * y**2 * v,
    x=np.array([0.3, -0.7]),
).assert_passed()
