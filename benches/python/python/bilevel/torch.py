"""PyTorch: objectives that are PyTorch functions or modules, and lower levels as layers of a network."""

# Types are looked at with PyTorch installed and without.
# mypy: disallow-subclassing-any=False, disable-error-code="no-untyped-call"
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from ._arrays import FLOATS, Blocks
from .errors import ProblemError
from .layer import Failure, Layer, Lower, Rows
from .oracle import Functions, OracleProblem, parts, site_of
from .problem import Problem
from .sampled import Sampled

__all__ = ["Argmin", "Called", "from_torch"]

Objective = Callable[..., torch.Tensor] | Sampled


class Called:
    """A module with other parameters: what objectives are given in the place of an ``nn.Module``."""

    def __init__(self, module: torch.nn.Module, named: Mapping[str, torch.Tensor]) -> None:
        self._module, self._named = module, dict(named)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return torch.func.functional_call(self._module, self._named, args, kwargs)

    def parameters(self) -> Iterator[torch.Tensor]:
        return iter(self._named.values())

    def named_parameters(self) -> Iterator[tuple[str, torch.Tensor]]:
        return iter(self._named.items())


class Variable:
    """A tensor, a dictionary of tensors or a module as one vector, and the way back."""

    def __init__(self, given: Any, what: str) -> None:
        self._module = given if isinstance(given, torch.nn.Module) else None
        named: Mapping[Any, Any]
        if self._module is not None:
            named = dict(self._module.named_parameters())
        else:
            named = given if isinstance(given, Mapping) else {None: given}
        if not named:
            raise ProblemError(f"{what} has no tensors: expected at least one")
        for name, tensor in named.items():
            label = what if name is None else f"{what}[{name!r}]"
            if not isinstance(tensor, torch.Tensor):
                raise TypeError(f"{label} is {type(tensor).__name__}: expected a tensor")
            if tensor.dtype not in (torch.float32, torch.float64):
                raise TypeError(f"{label} has {tensor.dtype}: expected torch.float32 or torch.float64")
        kinds = {t.dtype for t in named.values()}
        if len(kinds) > 1:
            names = " and ".join(sorted(str(k) for k in kinds))
            raise TypeError(f"{what} has tensors of {names}: expected one precision")
        self._shapes = [(name, tuple(t.shape)) for name, t in named.items()]
        self.device = next(iter(named.values())).device
        self.point = np.concatenate([t.detach().cpu().numpy().reshape(-1) for t in named.values()])
        if self.point.dtype not in FLOATS:
            raise TypeError(f"{what} has {self.point.dtype}: expected float32 or float64")

    def leaf(self, vector: np.ndarray[Any, Any]) -> torch.Tensor:
        """A vector to differentiate by."""
        return torch.tensor(vector, device=self.device).requires_grad_(True)

    def back(self, vector: torch.Tensor) -> Any:
        """A vector in the form of what was given."""
        sizes = [int(np.prod(shape, dtype=int)) for _, shape in self._shapes]
        parts = zip(self._shapes, vector.split(sizes), strict=True)
        named = {name: part.reshape(shape) for (name, shape), part in parts}
        if self._module is not None:
            return Called(self._module, named)
        return named[None] if None in named else named


def from_torch(
    upper: Objective,
    lower: Objective,
    x: Any,
    y: Any,
    *,
    bounds: tuple[float, float] | None = None,
    part: str | None = None,
    name: str = "own",
) -> Problem:
    """A problem of two PyTorch functions of ``x`` and ``y``, each a tensor, a dictionary of tensors or an
    ``nn.Module``, or of :func:`bilevel.sampled` ones, which take the rows of a batch after these; the lower
    level starts from ``y``.

    In the place of a module the functions get one that is called with the parameters of the point: the
    module itself is not written to. Results have x and y as one vector. Differentiated twice by autograd,
    whose graph of the gradient is made once a point; buffers, such as running means, are constants, so
    put modules in ``eval()`` where they would change them.
    """
    of_x, of_y = Variable(x, "x"), Variable(y, "y")
    if of_x.point.dtype != of_y.point.dtype:
        raise TypeError(f"x has {of_x.point.dtype} and y {of_y.point.dtype}: expected one precision")
    (f, g), arrays = parts(upper, lower)
    levels = (_functions(f, of_x, of_y, "upper"), _functions(g, of_x, of_y, "lower"))
    # Nobody writes to them, which a tensor cannot say: copies.
    of_f, of_g = ([torch.tensor(a, device=of_x.device) for a in of] for of in arrays)
    blocks = (Blocks(((None, of_x.point.shape),)), Blocks(((None, of_y.point.shape),)))
    return OracleProblem(
        levels,
        blocks,
        (of_x.point, of_y.point),
        sites=(site_of(f), site_of(g)),
        bounds=bounds,
        part=part,
        name=name,
        data=(of_f, of_g),
    )


def _functions(f: Any, of_x: Variable, of_y: Variable, level: str) -> Functions:
    def value_at(x: torch.Tensor, y: torch.Tensor, *rows: Any) -> torch.Tensor:
        value = f(of_x.back(x), of_y.back(y), *rows)
        if not isinstance(value, torch.Tensor) or value.numel() != 1:
            found = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
            raise ValueError(f"the {level} objective gives {found}: expected a tensor of one entry")
        return value.reshape(())

    def gradients(value: torch.Tensor, at: Any, create_graph: bool = False) -> Any:
        if not value.requires_grad:
            # It depends on neither.
            return tuple(torch.zeros_like(v) for v in at)
        return torch.autograd.grad(value, at, create_graph=create_graph, materialize_grads=True)

    def value_and_grad(x: Any, y: Any, *rows: Any) -> tuple[Any, Any, Any]:
        with torch.enable_grad():
            at = (of_x.leaf(x), of_y.leaf(y))
            value = value_at(*at, *rows)
            gx, gy = gradients(value, at)
        return value.detach().cpu().numpy(), gx.cpu().numpy(), gy.cpu().numpy()

    def value_alone(x: Any, y: Any, *rows: Any) -> Any:
        with torch.no_grad():
            value = value_at(of_x.leaf(x).detach(), of_y.leaf(y).detach(), *rows)
        return value.cpu().numpy()

    def linearise(x: Any, y: Any, *rows: Any) -> Callable[[Any, Any], tuple[Any, Any]]:
        with torch.enable_grad():
            at = (of_x.leaf(x), of_y.leaf(y))
            gradient = gradients(value_at(*at, *rows), at, create_graph=True)
        curved = [g for g in gradient if g.requires_grad]

        def along(dx: Any, dy: Any) -> tuple[Any, Any]:
            directions = (of_x.leaf(dx).detach(), of_y.leaf(dy).detach())
            moved = [d for d, g in zip(directions, gradient, strict=True) if g.requires_grad]
            if not curved:
                hx, hy = (torch.zeros_like(v) for v in at)
            else:
                # The Hessian is symmetric: its product is what is pulled back through the gradient.
                hx, hy = torch.autograd.grad(
                    curved, at, grad_outputs=moved, retain_graph=True, materialize_grads=True
                )
            return hx.detach().cpu().numpy(), hy.detach().cpu().numpy()

        return along

    return Functions(value_and_grad, None, value_alone, linearise)


class Argmin:
    """The solution of a lower level as a layer: ``x`` of shape ``(…, dim_x)`` to ``(…, dim_y)``.

    Rows are solved side by side, in Rust and without the interpreter's lock. Under ``torch.func`` and
    ``vmap``; reverse mode, and once: second derivatives are refused. Tensors of another device are copied
    to the host and back.

    ``strategy`` and ``settings`` are those of ``hypergradient``. With ``warm_start`` a batch of as many
    rows as the one before starts from its solutions, forward and back: right where rows are the same
    samples, and harmless elsewhere. ``on_failure`` is what becomes of a row whose status is no success:
    ``"warn"``, ``"raise"`` or ``"nan"``. ``last`` has the rows of the last call with their statuses.

    >>> import numpy as np, torch, bilevel as bl
    >>> g = bl.Lower(lambda x, y: 0.5 * np.sum((y - x) ** 2), x=2, y=2)
    >>> layer = bl.torch.Argmin(g)
    >>> x = torch.ones(3, 2, dtype=torch.float64, requires_grad=True)
    >>> layer(x)[:, 0].sum().backward()
    >>> x.grad[0]
    tensor([1., 0.], dtype=torch.float64)
    """

    def __init__(
        self,
        lower: Lower,
        strategy: str = "aid-cg",
        *,
        warm_start: bool = False,
        on_failure: Failure = "warn",
        **settings: Any,
    ) -> None:
        self._layer = Layer(
            lower, strategy, warm_start=warm_start, on_failure=on_failure, **settings
        )

    @property
    def last(self) -> Rows | None:
        """The rows of the last call."""
        return self._layer.last

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        lower = self._layer.lower
        if not isinstance(x, torch.Tensor):
            raise TypeError(f"x is {type(x).__name__}: expected a tensor")
        if x.ndim < 1 or x.shape[-1] != lower.dim_x:
            raise ValueError(f"x has shape {tuple(x.shape)}: expected (…, {lower.dim_x})")
        if str(x.dtype) != f"torch.{lower.dtype}":
            raise TypeError(f"x has {x.dtype}: expected torch.{lower.dtype}, as the lower level has")
        y: torch.Tensor = _Solution.apply(x, self._layer)[0]
        return y

    def __repr__(self) -> str:
        return f"Argmin({self._layer.lower}, {self._layer.strategy})"


def _rows(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    array = tensor.detach().cpu().numpy()
    return np.ascontiguousarray(array.reshape(-1, array.shape[-1]))


def _like(rows: np.ndarray[Any, Any], x: torch.Tensor) -> torch.Tensor:
    made = torch.from_numpy(np.ascontiguousarray(rows)).reshape(*x.shape[:-1], rows.shape[-1])
    return made.to(x.device)


def _forward_bdim(tensor: torch.Tensor, bdim: int | None, size: int) -> torch.Tensor:
    """The mapped dimension in front, made where there is none."""
    if bdim is None:
        return tensor.expand(size, *tensor.shape)
    return tensor.movedim(bdim, 0)


class _Solution(torch.autograd.Function):
    """x to y, and to where the rows started."""

    @staticmethod
    def forward(x: torch.Tensor, layer: Layer) -> tuple[torch.Tensor, torch.Tensor]:
        rows, starts = layer.forward(_rows(x))
        return _like(rows.y, x), _like(starts, x)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        x, layer = inputs
        y, starts = output
        ctx.mark_non_differentiable(starts)
        ctx.save_for_backward(x, y, starts)
        ctx.layer = layer

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> tuple[torch.Tensor, None]:
        x, y, starts = ctx.saved_tensors
        return _PulledBack.apply(x, y, starts, cotangents[0], ctx.layer), None

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: torch.Tensor, layer: Layer) -> Any:
        front = _forward_bdim(x, in_dims[0], info.batch_size)
        return _Solution.apply(front, layer), (0, 0)


class _PulledBack(torch.autograd.Function):
    """A cotangent of y to that of x."""

    @staticmethod
    def forward(
        x: torch.Tensor, y: torch.Tensor, starts: torch.Tensor, cotangent: torch.Tensor, layer: Layer
    ) -> torch.Tensor:
        rows = layer.backward(_rows(x), _rows(y), _rows(cotangent), _rows(starts))
        return _like(rows.by_x, x)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        raise RuntimeError(
            "a second derivative through bilevel.torch.Argmin: the engine has first ones alone; expected "
            "create_graph=False, and no Hessian of what is made of the layer"
        )

    @staticmethod
    def vmap(info: Any, in_dims: Any, *inputs: Any) -> Any:
        *tensors, layer = inputs
        pairs = zip(tensors, in_dims[:-1], strict=True)
        front = (_forward_bdim(t, bdim, info.batch_size) for t, bdim in pairs)
        return _PulledBack.apply(*front, layer), 0
