"""Objectives that are functions of one's own: NumPy callbacks, called with arrays and never traced."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _bilevel
from ._arrays import Array, Blocks, variables
from ._tape import Made
from .errors import ConfigError
from .problem import Problem
from .sampled import Mean, Sampled, samples

__all__ = ["Functions", "from_functions"]


@dataclass(frozen=True)
class Functions:
    """An objective of x and y by its value and derivatives.

    Arrays come in, and are expected back, in the shapes and the precision of x and y; of a variable that
    is a dictionary, dictionaries.

    >>> import numpy as np, bilevel as bl
    >>> lower = bl.Functions(
    ...     lambda x, y: (0.5 * np.sum((y - x) ** 2), x - y, y - x),
    ...     lambda x, y, dx, dy: (dx - dy, dy - dx),
    ... )
    >>> upper = bl.Functions(lambda x, y: (0.5 * np.sum(y**2), 0.0 * x, y))
    >>> p = bl.from_functions(upper, lower, x=np.array([0.5]), y=np.zeros(1))
    >>> p.hypergradient("aid-cg").hypergradient
    array([0.5])
    """

    #: ``(x, y)`` to the value, the gradient by x and the gradient by y. Of a mean over samples
    #: (:func:`bilevel.sampled`) the rows of a batch come after y, here and below.
    value_and_grad: Callable[..., tuple[Any, Any, Any]]
    #: ``(x, y, dx, dy)``, and then the rows of a batch, to the Hessian's product with the direction, by x and by y. Strategies take
    #: those of the lower objective; of the upper one some methods do.
    hvp: Callable[..., tuple[Any, Any]] | None = None
    #: ``(x, y)`` to the value alone, where that is cheaper.
    value: Callable[..., Any] | None = None
    #: In the place of ``hvp``: ``(x, y)`` to the function ``(dx, dy)`` of the products there. It is
    #: called once a point, however many products are taken.
    linearise: Callable[..., Callable[[Any, Any], tuple[Any, Any]]] | None = None


class Asked:
    """Who asked for what is called, for the notes of exceptions."""

    by: str | None = None


class Oracle:
    """What the compiled part calls: vectors in, vectors out, every answer looked at. Of a mean over samples
    ``data`` are the arrays that rows are picked from."""

    def __init__(
        self,
        functions: Functions,
        blocks: tuple[Blocks, Blocks],
        dtype: np.dtype[Any],
        level: str,
        asked: Asked,
        data: Sequence[Any] = (),
    ) -> None:
        self._functions, self._data = functions, data
        self._x, self._y = blocks
        self._dtype, self._level, self._asked = dtype, level, asked

    def _call(self, what: str, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except BaseException as error:
            by = f", asked for by {self._asked.by}" if self._asked.by else ""
            error.add_note(f"in the {what} of the {self._level} objective{by}")
            raise

    def _packed(self, given: Any, blocks: Blocks, what: str) -> Array:
        named = {name: shape for name, shape in blocks.shapes}
        if None in named:
            return _fits(given, named[None], self._dtype, what)
        if not isinstance(given, Mapping):
            raise TypeError(f"{what} is {type(given).__name__}: expected a dictionary of {list(named)}")
        if set(given) != set(named):
            raise ValueError(f"{what} has blocks {list(given)}: expected {list(named)}")
        label = "{}[{!r}]".format
        parts = [_fits(given[n], s, self._dtype, label(what, n)) for n, s in named.items()]
        return np.concatenate(parts)

    def _pair(self, given: Any, what: str) -> tuple[Array, Array]:
        if not isinstance(given, (tuple, list)) or len(given) != 2:
            raise TypeError(f"the {what} is {_kind(given)}: expected a pair, by x and by y")
        of = f"the {what} of the {self._level} objective"
        return (
            self._packed(given[0], self._x, f"{of} by x"),
            self._packed(given[1], self._y, f"{of} by y"),
        )

    def _number(self, given: Any) -> float:
        what = f"the value of the {self._level} objective"
        value = np.asarray(given)
        if value.size != 1:
            raise ValueError(f"{what} has shape {value.shape}: expected a scalar")
        if value.dtype.kind not in "fiu":
            raise TypeError(f"{what} is {_kind(given)}: expected a real number")
        if value.dtype.kind == "f" and value.dtype.itemsize < self._dtype.itemsize:
            raise TypeError(f"{what} is {value.dtype}: expected {self._dtype}, as x and y are")
        return float(value.reshape(()))

    def _at(self, x: Array, y: Array) -> tuple[Any, Any]:
        return self._x.unpack(x), self._y.unpack(y)

    def _rows(self, batch: tuple[Array, ...]) -> Sequence[Any]:
        """The rows of a batch, or all."""
        if not batch:
            return self._data
        (indices,) = batch
        return [array[indices.astype(np.int64)] for array in self._data]

    def value(self, x: Array, y: Array, *batch: Array) -> float:
        function = self._functions.value
        if function is None:
            return self.value_and_gradient(x, y, *batch)[0]
        return self._number(self._call("value", function, *self._at(x, y), *self._rows(batch)))

    def value_and_gradient(self, x: Array, y: Array, *batch: Array) -> tuple[float, Array, Array]:
        at = (*self._at(x, y), *self._rows(batch))
        found = self._call("gradient", self._functions.value_and_grad, *at)
        if not isinstance(found, (tuple, list)) or len(found) != 3:
            raise TypeError(
                f"value_and_grad of the {self._level} objective gives {_kind(found)}: expected the "
                "value, the gradient by x and the gradient by y"
            )
        gx, gy = self._pair(found[1:], "gradient")
        return self._number(found[0]), gx, gy

    def linearise(
        self, x: Array, y: Array, *batch: Array
    ) -> Callable[[Array, Array], tuple[Array, Array]]:
        at, rows, functions = self._at(x, y), self._rows(batch), self._functions
        product: Callable[[Any, Any], Any]
        if functions.linearise is not None:
            product = self._call("linearisation", functions.linearise, *at, *rows)
        elif functions.hvp is not None:
            hvp = functions.hvp

            def product(dx: Any, dy: Any) -> Any:
                return hvp(*at, dx, dy, *rows)

        else:
            by = f" by {self._asked.by}" if self._asked.by else ""
            raise ConfigError(
                f"a Hessian-vector product of the {self._level} objective was asked for{by}, and none "
                "was given: expected hvp= or linearise=, or a strategy that takes none"
            )
        what = "Hessian-vector product"

        def packed(dx: Array, dy: Array) -> tuple[Array, Array]:
            return self._pair(self._call(what, product, *self._at(dx, dy)), what)

        return packed

    def program(self, site: str, length: int | None = None) -> _bilevel.Program:
        """The whole as a function of x and y, or batches of a length as one of x, y and indices."""
        dims = [self._x.size, self._y.size, *([] if length is None else [length])]
        single = self._dtype == np.float32
        return _bilevel.oracle(single, f"the {self._level} objective", self, dims, site)


class CalledMean(Mean):
    """A mean over samples that is called, and not recorded."""

    def __init__(self, oracle: Oracle, samples: int, dtype: np.dtype[Any], what: str, site: str) -> None:
        super().__init__(samples, dtype, what)
        self._oracle, self._site = oracle, site

    @property
    def program(self) -> _bilevel.Program:
        return self._oracle.program(self._site)

    def __call__(self, length: int) -> _bilevel.Program:
        return self._oracle.program(self._site, length)


def _fits(given: Any, shape: tuple[int, ...], dtype: np.dtype[Any], what: str) -> Array:
    array = np.asarray(given)
    if array.dtype != dtype:
        raise TypeError(f"{what} has dtype {array.dtype}: expected {dtype}, as x and y have")
    if array.shape != shape:
        raise ValueError(f"{what} has shape {array.shape}: expected {shape}")
    return np.ascontiguousarray(array).reshape(-1)


def _kind(given: Any) -> str:
    if isinstance(given, (tuple, list)):
        return f"{type(given).__name__} of {len(given)}"
    return f"{type(given).__name__}"


def site_of(function: Any) -> str:
    """Where a function stands: ``file:line``."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code = getattr(function, "__code__", None)
    if code is None:
        return f"a {type(function).__name__}"
    return f"{os.path.basename(code.co_filename)}:{code.co_firstlineno}"


class OracleProblem(Problem):
    """A problem whose objectives are functions of Python's.

    They are called where the problem is asked, by the thread that asks; a run calls them in a thread of
    its own. Numbers of bytes are of the engine alone: nobody here sees what a function holds.
    """

    _notes = ("bytes are of the engine alone: what the functions hold is not counted",)

    def __init__(
        self,
        levels: tuple[Functions, Functions],
        blocks: tuple[Blocks, Blocks],
        points: tuple[Array, Array],
        *,
        sites: tuple[str, str],
        bounds: tuple[float, float] | None,
        part: str | None,
        name: str,
        data: tuple[Sequence[Any], Sequence[Any]] = ((), ()),
    ) -> None:
        self.x_blocks, self.y_blocks = blocks
        self._asked = Asked()
        x, y = points
        made: list[Made | Mean] = []
        for functions, level, site, arrays in zip(levels, ("upper", "lower"), sites, data, strict=True):
            oracle = Oracle(functions, blocks, x.dtype, level, self._asked, arrays)
            if len(arrays):
                mean = CalledMean(oracle, len(arrays[0]), x.dtype, f"the {level} objective", site)
                mean.look_at(x, y)
                made.append(mean)
            else:
                made.append(Made(oracle.program(site)))
        self._recorded = None
        self._inner = _bilevel.Problem(
            name, made[0].program, made[1].program, x, y, bounds, samples(made[0], made[1]), part
        )

    def _asks(self, what: str) -> None:
        self._asked.by = what

    def __getstate__(self) -> dict[str, Any]:
        raise TypeError(
            "a problem of Python's functions is not pickled: expected a recorded one, or a pickle of what "
            "makes it"
        )


def parts(upper: Any, lower: Any) -> tuple[tuple[Any, Any], tuple[list[Array], list[Array]]]:
    """Two objectives, and the samples of those that are means."""

    def of(given: Any) -> tuple[Any, list[Array]]:
        if isinstance(given, Sampled):
            return given.function, [drawn.array for drawn in given.data]
        return given, []

    (f, of_f), (g, of_g) = of(upper), of(lower)
    return (f, g), (of_f, of_g)


def from_functions(
    upper: Functions | Sampled,
    lower: Functions | Sampled,
    x: Any,
    y: Any,
    *,
    start: Any = None,
    dtype: npt.DTypeLike | None = None,
    bounds: tuple[float, float] | None = None,
    part: str | None = None,
    name: str = "own",
) -> Problem:
    """A problem of two objectives that are given by NumPy functions, or by :func:`bilevel.sampled` ones of
    the rows of a batch; ``x``, ``y`` and the rest as for :class:`~bilevel.Problem`.

    Exceptions of the functions come through as they are, with a note of what was asked for; an answer of
    another shape or precision is refused; what is not finite becomes a status.
    """
    functions, data = parts(upper, lower)
    for level, given in zip(("upper", "lower"), functions, strict=True):
        if not isinstance(given, Functions):
            raise TypeError(f"the {level} objective is {_kind(given)}: expected bilevel.Functions")
    blocks, points, _ = variables(x, y, start, dtype)
    f, g = functions
    sites = (site_of(f.value_and_grad), site_of(g.value_and_grad))
    return OracleProblem(
        (f, g), blocks, points, sites=sites, bounds=bounds, part=part, name=name, data=data
    )
