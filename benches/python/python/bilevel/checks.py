"""The checker for any callables: a gradient and a Hessian's products against differences of a value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import _bilevel
from ._arrays import FLOATS, Array, real
from .results import Check

__all__ = ["FunctionCheck", "check"]


class FunctionCheck(Check):
    """Derivatives of a function against differences of its value, with a control: the same check of
    derivatives that are wrong on purpose."""

    def __init__(
        self, records: _bilevel.Records, passed: bool, undecided: list[str], control: str, power: bool
    ) -> None:
        super().__init__(records)
        self._passed = passed
        #: Derivatives that could not be told from wrong ones anywhere: at a kink, say.
        self.undecided = tuple(undecided)
        #: What the control found, in words.
        self.control = control
        #: Whether every derivative that was wrong on purpose was found out.
        self.has_power = power

    @property
    def ok(self) -> bool:
        """Whether nothing is off, and right could be told from wrong."""
        return self._passed

    def assert_passed(self) -> FunctionCheck:
        super().assert_passed()
        if not self._passed:
            what = " and ".join(self.undecided) or "nothing"
            raise AssertionError(f"{what} could not be told from a wrong one:\n{self}")
        return self

    def __str__(self) -> str:
        return f"{super().__str__()}\n{self.control}"

    __repr__ = __str__


def check(
    f: Callable[..., Any],
    grad: Callable[..., Any] | None = None,
    hvp: Callable[..., Any] | bool | None = None,
    x: Any = None,
    *,
    seed: int = 0,
    entries: int = 256,
    name: str | None = None,
) -> FunctionCheck:
    """Checks ``grad(x)`` and, if it is given, ``hvp(x, v)`` of a function ``f(x)`` at a point.

    ``x`` is an array of any shape, of NumPy, JAX or PyTorch, or a pytree of JAX arrays; the functions get
    it and give gradients in that form. Without ``grad``, where ``x`` is of JAX or PyTorch, it is the
    framework's own derivative: so a ``jax.custom_vjp`` or a ``torch.autograd.Function`` is held against
    the function that it is of. ``hvp=True`` asks the framework for products too. A function of several
    values is checked through a random cotangent of them.

    >>> import numpy as np, bilevel as bl
    >>> x = np.array([0.3, -1.2])
    >>> bl.check(lambda x: np.exp(x).sum(), np.exp, lambda x, v: np.exp(x) * v, x).ok
    True
    """
    if x is None:
        raise TypeError("a check needs a point: expected x=")
    how = _framework(x)
    flat, value, gradient, product = how(f, grad, hvp or None, x, np.random.default_rng(seed))
    found = _bilevel.check_functions(
        name or str(getattr(f, "__name__", type(f).__name__)),
        value,
        gradient,
        product,
        np.ascontiguousarray(flat, np.float64),
        seed,
        float(np.finfo(flat.dtype).eps),
        entries,
    )
    return FunctionCheck(*found)


Vector = Callable[..., Array]
Made = tuple[Array, Callable[[Array], float], Vector, Vector | None]


def _framework(x: Any) -> Callable[..., Made]:
    roots = {type(leaf).__module__.partition(".")[0] for leaf in _leaves(x)}
    if "torch" in roots:
        return _torch
    if roots & {"jax", "jaxlib"} or isinstance(x, (dict, list, tuple)) and not roots <= {"builtins"}:
        return _jax
    return _numpy


def _leaves(x: Any) -> list[Any]:
    if isinstance(x, dict):
        return [leaf for part in x.values() for leaf in _leaves(part)]
    if isinstance(x, (list, tuple)):
        return [leaf for part in x for leaf in _leaves(part)]
    return [x]


def _number(value: Any) -> float:
    array = real(value, "the value of the function")
    if array.size != 1:
        raise ValueError(f"the value of the function has shape {array.shape}: expected a scalar")
    return float(array.reshape(()))


def _as_long(given: Any, flat: Array, what: str) -> Array:
    array = real(given, what)
    if array.size != flat.size:
        raise ValueError(f"{what} has {array.size} entries: expected {flat.size}, as x has")
    return np.ascontiguousarray(array, np.float64).reshape(-1)


def _numpy(f: Any, grad: Any, hvp: Any, x: Any, rng: np.random.Generator) -> Made:
    at = real(x, "x")
    if at.size == 0:
        raise ValueError("x has no entries: expected at least one")
    if grad is None:
        raise TypeError("no gradient: expected grad=, or x of JAX or PyTorch, which have derivatives")
    if hvp is True:
        raise TypeError("hvp=True asks JAX or PyTorch for products: expected x of theirs, or a function")
    kind = at.dtype if at.dtype in FLOATS else np.dtype(np.float64)

    def shaped(v: Array) -> Array:
        return v.astype(kind).reshape(at.shape)

    def gradient(v: Array) -> Array:
        return _as_long(grad(shaped(v)), at, "the gradient")

    product = None
    if hvp is not None:

        def product(v: Array, d: Array) -> Array:
            return _as_long(hvp(shaped(v), shaped(d)), at, "the Hessian's product")

    return at.astype(kind).reshape(-1), lambda v: _number(f(shaped(v))), gradient, product


def _jax(f: Any, grad: Any, hvp: Any, x: Any, rng: np.random.Generator) -> Made:
    import jax
    import jax.numpy as jnp
    from jax.flatten_util import ravel_pytree

    from .jax import flattened

    at, back = flattened(x, "x")
    shape = jax.eval_shape(f, x)
    leaves = jax.tree.leaves(shape)
    size = sum(int(np.prod(leaf.shape)) for leaf in leaves)
    cotangent = jnp.asarray(rng.standard_normal(size), at.dtype) if size != 1 else None

    def scalar(v: Any) -> Any:
        out = ravel_pytree(f(back(v)))[0]
        return out[0] if cotangent is None else out @ cotangent

    if cotangent is not None and (grad is not None or hvp not in (None, True)):
        raise ValueError(f"f gives {size} values and a derivative of one: expected a scalar function")
    slope = jax.grad(scalar) if grad is None else None

    def vector(v: Array) -> Any:
        return jnp.asarray(v, at.dtype)

    def gradient(v: Array) -> Array:
        given = slope(vector(v)) if slope is not None else ravel_pytree(grad(back(vector(v))))[0]
        return _as_long(given, at, "the gradient")

    product = None
    if hvp is True:
        # Reverse over reverse: a custom_vjp has no forward mode.
        of = slope or (lambda v: ravel_pytree(grad(back(v)))[0])

        def product(v: Array, d: Array) -> Array:
            along = vector(d)
            return _as_long(jax.grad(lambda u: of(u) @ along)(vector(v)), at, "the Hessian's product")

    elif hvp is not None:

        def product(v: Array, d: Array) -> Array:
            found = hvp(back(vector(v)), back(vector(d)))
            return _as_long(ravel_pytree(found)[0], at, "the Hessian's product")

    return at, lambda v: _number(scalar(vector(v))), gradient, product


def _torch(f: Any, grad: Any, hvp: Any, x: Any, rng: np.random.Generator) -> Made:
    import torch

    from .torch import Variable

    of = Variable(x if isinstance(x, (dict, torch.Tensor)) else dict(enumerate(x)), "x")
    at = of.point

    def called(v: torch.Tensor) -> Any:
        given = of.back(v)
        return f(*given.values()) if isinstance(x, (list, tuple)) else f(given)

    with torch.no_grad():
        size = called(of.leaf(at)).numel()
    weights = rng.standard_normal(size)

    def scalar(v: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = called(v)
        if size == 1:
            return torch.reshape(out, ())
        return torch.reshape(out, (-1,)) @ torch.tensor(weights, dtype=out.dtype, device=out.device)

    if size != 1 and (grad is not None or hvp not in (None, True)):
        raise ValueError(f"f gives {size} values and a derivative of one: expected a scalar function")

    def vector(v: Array) -> torch.Tensor:
        return of.leaf(v.astype(at.dtype))

    def host(given: Any) -> Any:
        if isinstance(given, dict):
            return np.concatenate([host(part).reshape(-1) for part in given.values()])
        if isinstance(given, (list, tuple)):
            return np.concatenate([host(part).reshape(-1) for part in given])
        return given.detach().cpu().numpy()

    def slope(v: torch.Tensor, create_graph: bool = False) -> torch.Tensor:
        with torch.enable_grad():
            (g,) = torch.autograd.grad(
                scalar(v), v, create_graph=create_graph, materialize_grads=True
            )
        return g

    def gradient(v: Array) -> Array:
        given = slope(vector(v)) if grad is None else grad(of.back(vector(v).detach()))
        return _as_long(host(given), at, "the gradient")

    product = None
    if hvp is True:

        def product(v: Array, d: Array) -> Array:
            with torch.enable_grad():
                leaf = vector(v)
                g = slope(leaf, create_graph=True)
                along = vector(d).detach()
                (h,) = torch.autograd.grad(g, leaf, along, materialize_grads=True)
            return _as_long(host(h), at, "the Hessian's product")

    elif hvp is not None:

        def product(v: Array, d: Array) -> Array:
            found = hvp(of.back(vector(v).detach()), of.back(vector(d).detach()))
            return _as_long(host(found), at, "the Hessian's product")

    def value(v: Array) -> float:
        with torch.no_grad():
            return _number(scalar(vector(v)).cpu().numpy())

    return at, value, gradient, product
