"""``Var``: a value of a recording, with NumPy's shape, dtype and operators, and no numbers yet.

The engine has matrices column by column. A two-dimensional array is kept as its transpose there, so
that NumPy's C order is the engine's order, a reshape moves nothing, and broadcasting is the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ._arrays import FLOATS, Array
from ._tape import Drawn, LossData, Step, Tape
from .errors import TraceError

__all__ = ["Var", "constant", "engine_shape", "lift", "of_one_tape"]


def engine_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of a value of NumPy's ``shape`` in the engine."""
    match shape:
        case ():
            return 1, 1
        case (n,):
            return n, 1
        case (rows, cols):
            return cols, rows
    raise TraceError(
        f"an array of {len(shape)} dimensions: a recording has at most 2; reshape to 2, or write the "
        "objective as an oracle (bilevel.from_functions)"
    )


def _no(what: str, instead: str) -> Callable[..., Any]:
    def refuse(self: Var, *_: Any, **__: Any) -> Any:
        raise TraceError(f"{what}: a Var has a shape and no numbers while it is recorded; {instead}")

    return refuse


class Var(np.lib.mixins.NDArrayOperatorsMixin):
    """A value that is being recorded: an array without numbers.

    Objectives get ``Var`` s in the place of arrays. Arithmetic, NumPy's and SciPy's functions and the
    methods of arrays record what they would compute, or raise :class:`~bilevel.TraceError` with the
    way out.
    """

    __slots__ = ("_at", "_shape", "_tape", "_turned")
    __hash__ = None  # type: ignore[assignment]

    def __init__(
        self, tape: Tape, at: int | None, shape: tuple[int, ...], turned: Var | None = None
    ) -> None:
        self._tape = tape
        self._at = at
        self._shape = shape
        # A transpose is recorded when somebody needs its entries: products do not.
        self._turned = turned

    # ---- what an array says of itself

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    @property
    def ndim(self) -> int:
        return len(self._shape)

    @property
    def size(self) -> int:
        return math.prod(self._shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._tape.dtype

    @property
    def at(self) -> int:
        """The number of the value in its recording."""
        if self._at is None:
            assert self._turned is not None
            self._at = self._turned._step("transpose", self._shape).at
        return self._at

    def __repr__(self) -> str:
        return f"Var(shape={self._shape}, dtype={self.dtype})"

    def __len__(self) -> int:
        if not self._shape:
            raise TypeError("len() of unsized object")
        return self._shape[0]

    def __iter__(self) -> Iterator[Var]:
        if not self._shape:
            raise TypeError("iteration over a 0-d array")
        return (self[k] for k in range(self._shape[0]))

    # ---- steps

    def _step(
        self,
        name: str,
        shape: tuple[int, ...],
        *others: Var,
        counts: tuple[int, ...] = (),
        parameter: float = 0.0,
        data: Drawn | LossData | None = None,
    ) -> Var:
        operands = (self.at, *(v.at for v in others))
        at = self._tape.push(Step(name, operands, counts, parameter, data))
        return Var(self._tape, at, shape)

    def _as(self, shape: tuple[int, ...]) -> Var:
        """The same entries in C order under another shape."""
        if shape == self._shape:
            return self
        rows, cols = engine_shape(shape)
        if engine_shape(self._shape) == (rows, cols):
            return Var(self._tape, self.at, shape)
        return self._step("reshape", shape, counts=(rows, cols))

    # ---- protocols

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **kwargs: Any) -> Any:
        from ._ufuncs import ufunc_call

        return ufunc_call(ufunc, method, args, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from ._functions import function_call

        return function_call(func, args, kwargs)

    __array__ = _no(
        "it would be converted to an array here",
        "use np.stack or np.concatenate for a list of Vars, bilevel.logsumexp or bilevel.softmax in the "
        "place of SciPy's, and give an array that is indexed by samples to bilevel.sampled",
    )
    __bool__ = _no(
        "it is branched on or compared here",
        "use np.maximum, np.minimum, np.clip, bilevel.relu or np.where with a mask that is no Var",
    )
    __float__ = _no("it is made a float here", "use NumPy's functions in the place of math's")
    __int__ = _no("it is made an integer here", "a count may not depend on a value")
    __index__ = _no(
        "it is an index here",
        "an index may not depend on a value; of samples, give the array that is indexed to bilevel.sampled",
    )
    def __format__(self, spec: str) -> str:
        if spec:
            raise TraceError(f"it is written as {spec!r}: a Var has a shape and no numbers while it is recorded")
        return repr(self)

    __complex__ = _no("it is made complex here", "recordings are real")
    __contains__ = _no("a value is looked for in it", "a recording may not depend on a value")
    item = _no("item()", "a recording may not depend on a value")
    tolist = _no("tolist()", "a recording may not depend on a value")
    tobytes = _no("tobytes()", "a recording may not depend on a value")
    __setitem__ = _no("it is assigned to", "make a new one by np.where or np.concatenate")

    def __getitem__(self, key: Any) -> Var:
        from ._rearrange import picked

        return picked(self, key)

    def _in_place(self, other: Any, operator: Callable[[Any, Any], Any], sign: str) -> Any:
        # A NumPy scalar is bound to its new value, an array is written to.
        if self._shape:
            raise TraceError(f"a {sign}= b on an array: write a = a {sign} b")
        return operator(self, other)

    def __iadd__(self, other: Any) -> Any:
        return self._in_place(other, np.add, "+")

    def __isub__(self, other: Any) -> Any:
        return self._in_place(other, np.subtract, "-")

    def __imul__(self, other: Any) -> Any:
        return self._in_place(other, np.multiply, "*")

    def __itruediv__(self, other: Any) -> Any:
        return self._in_place(other, np.divide, "/")

    # ---- the methods of arrays

    @property
    def T(self) -> Var:  # noqa: N802
        if self.ndim < 2:
            return self
        turned = self._shape[::-1]
        if 1 in self._shape:
            return self._as(turned)
        if self._turned is not None:
            return self._turned
        return Var(self._tape, None, turned, self)

    @property
    def mT(self) -> Var:  # noqa: N802
        if self.ndim < 2:
            raise ValueError("matrix transpose with ndim < 2 is undefined")
        return self.T

    @property
    def real(self) -> Var:
        return self

    @property
    def flat(self) -> Any:
        raise TraceError("flat: use ravel()")

    def reshape(self, *shape: Any, order: str = "C", copy: bool | None = None) -> Any:
        given = shape[0] if len(shape) == 1 else shape
        return np.reshape(self, given, order=order)  # type: ignore[call-overload]

    def ravel(self, order: str = "C") -> Any:
        return np.ravel(self, order=order)  # type: ignore[call-overload]

    flatten = ravel

    def astype(self, dtype: Any, **_: Any) -> Var:
        if np.dtype(dtype) != self.dtype:
            raise TraceError(
                f"astype({np.dtype(dtype)}): a recording has one precision, {self.dtype} here; "
                "choose it by dtype= of the problem"
            )
        return self

    def copy(self, order: str = "C") -> Var:
        return self

    def view(self, *_: Any, **__: Any) -> Any:
        raise TraceError("view(): use reshape()")


def _method(name: str) -> Callable[..., Any]:
    function = getattr(np, name)

    def method(self: Var, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__name__ = name
    method.__doc__ = f"As ``numpy.{name}``."
    return method


for _name in (
    "clip conj cumsum diagonal dot max mean min prod repeat squeeze std sum swapaxes take trace var "
    "argmax argmin argsort all any nonzero round ptp"
).split():
    setattr(Var, _name, _method(_name))


def _transpose(self: Var, *axes: Any) -> Any:
    """As ``numpy.transpose``."""
    if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))):
        return np.transpose(self, axes[0])
    return np.transpose(self, axes or None)


setattr(Var, "transpose", _transpose)


def of_one_tape(values: list[Any]) -> Tape:
    """The recording that the ``Var`` s among these values are of."""
    tapes = {id(v._tape): v._tape for v in values if isinstance(v, Var)}
    if len(tapes) > 1:
        raise TraceError(
            "Vars of two recordings in one operation: a recorded function must not keep a Var of "
            "another one"
        )
    return next(iter(tapes.values()))


def constant(tape: Tape, value: Any) -> Array:
    """``value`` as an array that NumPy would combine with a Var in the Var's precision."""
    # A Python number takes the precision that it meets, as in NumPy.
    weak = isinstance(value, (bool, int, float)) and not isinstance(value, np.generic)
    if np.ma.is_masked(value):
        raise TraceError("an array with masked entries beside a Var: expected .filled(…)")
    array = np.asarray(value, tape.dtype) if weak else np.asarray(value)
    kind = array.dtype.kind
    if kind not in "biuf":
        what = {"c": "complex numbers", "O": "an object", "U": "text"}.get(kind, str(array.dtype))
        raise TraceError(f"{what} beside a Var: expected real numbers, found {value!r:.60}")
    if np.result_type(tape.dtype, array.dtype) != tape.dtype:
        raise TraceError(
            f"{array.dtype} beside a Var of {tape.dtype}: NumPy would go on in "
            f"{np.result_type(tape.dtype, array.dtype)}, a recording has one precision; write "
            f".astype(np.{tape.dtype}), float(…) for a number, or give the problem dtype=np.float64"
        )
    return array


def lift(tape: Tape, value: Any) -> Var:
    """``value`` as a value of the recording: an array is a constant."""
    if isinstance(value, Var):
        return value
    array = constant(tape, value)
    if array.dtype in FLOATS and array.ndim == 2 and 1 not in array.shape:
        if array.flags.f_contiguous and not array.flags.c_contiguous:
            return _recorded(tape, array.T).T
    return _recorded(tape, array)


def _recorded(tape: Tape, array: Array) -> Var:
    if array.size == 0:
        raise TraceError(f"an empty array of shape {array.shape}: expected at least one entry")
    rows, cols = engine_shape(array.shape)
    return Var(tape, tape.constant(np.ascontiguousarray(array), rows, cols), array.shape)
