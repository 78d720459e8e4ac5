"""JAX: objectives that are JAX functions, and lower levels as layers of a JAX program."""

# Types are looked at with JAX installed and without.
# mypy: disable-error-code="attr-defined,no-untyped-call,untyped-decorator"
from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from ._arrays import FLOATS, Blocks
from .errors import ConfigError, ProblemError
from .layer import Failure, Layer, Lower
from .oracle import Functions, OracleProblem, parts, site_of
from .problem import Problem
from .sampled import Sampled

__all__ = ["Argmin", "flattened", "from_jax"]

Objective = Callable[..., Any] | Sampled

#: Where JAX calls a callback from.
_CALLBACKS = os.path.join("jax", "_src", "callback.py")


def flattened(tree: Any, what: str) -> tuple[np.ndarray[Any, Any], Callable[[Any], Any]]:
    """A pytree as one vector in its own precision, and the way back for vectors of JAX."""
    leaves = jax.tree.leaves(tree)
    if not leaves:
        raise ProblemError(f"{what} has no leaves: expected at least one array")
    for leaf in leaves:
        dtype = getattr(leaf, "dtype", None)
        if dtype is not None and np.dtype(dtype).kind not in "f":
            raise TypeError(f"{what} has a leaf of {dtype}: expected float32 or float64")
        if dtype == np.float64 and not jax.config.jax_enable_x64:
            raise ConfigError(
                f"{what} has float64 and JAX's 64-bit mode is off, which would make it float32: expected "
                'jax.config.update("jax_enable_x64", True), or float32 arrays'
            )
    vector, back = ravel_pytree(tree)
    if vector.dtype not in FLOATS:
        raise TypeError(f"{what} has {vector.dtype}: expected float32 or float64")
    kinds = {jnp.asarray(leaf).dtype for leaf in leaves}
    if len(kinds) > 1:
        names = " and ".join(sorted(str(k) for k in kinds))
        raise TypeError(f"{what} has leaves of {names}: expected one precision")
    return np.array(vector), back


def from_jax(
    upper: Objective,
    lower: Objective,
    x: Any,
    y: Any,
    *,
    bounds: tuple[float, float] | None = None,
    part: str | None = None,
    jit: bool = True,
    name: str = "own",
) -> Problem:
    """A problem of two JAX functions of pytrees ``x`` and ``y``, or of :func:`bilevel.sampled` ones, which
    take the rows of a batch after these; the lower level starts from ``y``.

    Compiled, value with gradient, and linearised once a point, here: the functions themselves need be
    neither. Results have x and y as one vector, in the order of ``jax.flatten_util.ravel_pytree``.

    The precision is that of the arrays. JAX is in single precision unless told otherwise: float64 with
    its 64-bit mode off is refused.
    """
    (x0, x_back), (y0, y_back) = flattened(x, "x"), flattened(y, "y")
    if x0.dtype != y0.dtype:
        raise TypeError(f"x has {x0.dtype} and y {y0.dtype}: expected one precision")
    (f, g), (of_f, of_g) = parts(upper, lower)
    levels = (_functions(f, x_back, y_back, jit), _functions(g, x_back, y_back, jit))
    blocks = (Blocks(((None, x0.shape),)), Blocks(((None, y0.shape),)))
    data = [jnp.asarray(a) for a in of_f], [jnp.asarray(a) for a in of_g]
    sites = (site_of(f), site_of(g))
    return JaxProblem(
        levels, blocks, (x0, y0), sites=sites, bounds=bounds, part=part, name=name, data=data
    )


class JaxProblem(OracleProblem):
    """A problem of JAX functions."""

    def _asks(self, what: str) -> None:
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename.endswith(_CALLBACKS):
                raise ConfigError(
                    f"{what} of JAX functions was asked for inside of a callback of JAX, where JAX may hang "
                    "when it is called again: expected a problem of functions in NumPy, which are recorded "
                    "and call nothing"
                )
            frame = frame.f_back
        super()._asks(what)


def _functions(
    f: Any, x_back: Callable[[Any], Any], y_back: Callable[[Any], Any], jit: bool
) -> Functions:
    def flat(x: Any, y: Any, *rows: Any) -> Any:
        return f(x_back(x), y_back(y), *rows)

    compiled: Callable[..., Any] = jax.jit if jit else (lambda g: g)
    gradients = jax.grad(flat, (0, 1))
    both = compiled(jax.value_and_grad(flat, (0, 1)))
    tangent = compiled(
        lambda x, y, *rows: jax.linearize(lambda x, y: gradients(x, y, *rows), x, y)[1]
    )
    apply = compiled(lambda product, dx, dy: product(dx, dy))
    alone = compiled(flat)

    def value_and_grad(x: Any, y: Any, *rows: Any) -> tuple[Any, Any, Any]:
        value, (gx, gy) = both(x, y, *rows)
        return np.asarray(value), np.asarray(gx), np.asarray(gy)

    def linearise(x: Any, y: Any, *rows: Any) -> Callable[[Any, Any], tuple[Any, Any]]:
        product = tangent(x, y, *rows)

        def along(dx: Any, dy: Any) -> tuple[Any, Any]:
            hx, hy = apply(product, dx, dy)
            return np.asarray(hx), np.asarray(hy)

        return along

    return Functions(value_and_grad, None, lambda *at: np.asarray(alone(*at)), linearise)


class Argmin:
    """The solution of a lower level as a function of a JAX program: ``x`` of shape ``(…, dim_x)`` to
    ``(…, dim_y)``, under ``jit``, ``grad`` and ``vmap``.

    Rows are solved side by side, in Rust. Reverse mode alone, and once: a second derivative is refused by
    JAX. A lower level that is itself JAX is refused, since JAX hangs when it is called by a callback of
    its own; a recorded one calls nothing.

    ``on_failure`` is what becomes of a row whose status is no success: ``"warn"``, ``"raise"`` (JAX
    raises an error of its own, which says it) or ``"nan"``. ``last`` has the statuses of the last call.

    >>> import numpy as np, jax, bilevel as bl
    >>> g = bl.Lower(lambda x, y: 0.5 * np.sum((y - x) ** 2), x=2, y=2, dtype="float32")
    >>> layer = bl.jax.Argmin(g)
    >>> jax.grad(lambda x: layer(x)[0] * 3.0)(np.ones(2, np.float32))
    Array([3., 0.], dtype=float32)
    """

    def __init__(
        self, lower: Lower, strategy: str = "aid-cg", *, on_failure: Failure = "warn", **settings: Any
    ) -> None:
        if getattr(lower, "calls_python", False):
            raise ConfigError(
                "a layer of JAX whose lower level is a function of Python's: JAX hangs where a callback "
                "calls JAX again; expected bilevel.Lower of a function in NumPy, which is recorded"
            )
        self._layer = layer = Layer(lower, strategy, on_failure=on_failure, **settings)
        dtype, dim_x, dim_y = lower.dtype, lower.dim_x, lower.dim_y

        def forward(x: Any) -> Any:
            x = np.asarray(x)
            lead = x.shape[:-1]
            return layer.forward(x.reshape(-1, dim_x))[0].y.reshape(*lead, dim_y)

        def backward(x: Any, y: Any, cotangent: Any) -> Any:
            x, y, cotangent = (np.asarray(a) for a in (x, y, cotangent))
            rows = [a.reshape(-1, a.shape[-1]) for a in (x, y, cotangent)]
            return layer.backward(rows[0], rows[1], rows[2]).by_x.reshape(x.shape)

        def solved(x: Any) -> Any:
            if x.dtype != dtype:
                raise TypeError(f"x has {x.dtype}: expected {dtype}, as the lower level has")
            if x.ndim < 1 or x.shape[-1] != dim_x:
                raise ValueError(f"x has shape {x.shape}: expected (…, {dim_x})")
            out = jax.ShapeDtypeStruct((*x.shape[:-1], dim_y), dtype)
            return jax.pure_callback(forward, out, x, vmap_method="broadcast_all")

        @jax.custom_vjp
        def call(x: Any) -> Any:
            return solved(x)

        def there(x: Any) -> Any:
            y = solved(x)
            return y, (x, y)

        def back(kept: Any, cotangent: Any) -> Any:
            x, y = kept
            out = jax.ShapeDtypeStruct(x.shape, dtype)
            args = (x, y, cotangent)
            return (jax.pure_callback(backward, out, *args, vmap_method="broadcast_all"),)

        call.defvjp(there, back)
        self._call = call

    @property
    def last(self) -> Any:
        """The rows of the last call."""
        return self._layer.last

    def __call__(self, x: Any) -> Any:
        if getattr(x, "dtype", None) == np.float64 and not jax.config.jax_enable_x64:
            raise ConfigError(
                "x has float64 and JAX's 64-bit mode is off: expected "
                'jax.config.update("jax_enable_x64", True), or a lower level in float32'
            )
        return self._call(jnp.asarray(x))


