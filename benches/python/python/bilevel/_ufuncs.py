"""NumPy's and SciPy's ufuncs: each is recorded, or refused with the way out."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ._var import Var, constant, lift, of_one_tape
from .errors import TraceError

__all__ = ["BINARY", "UNARY", "elementwise", "matmul", "ufunc_call", "unary"]

Step = Callable[..., Any]


def unary(name: str, a: Var, parameter: float = 0.0) -> Var:
    """An elementwise operation of the engine."""
    return a._step(name, a.shape, parameter=parameter)


def elementwise(name: str, a: Any, b: Any) -> Var:
    """An elementwise operation of two values, which are broadcast as in NumPy."""
    tape = of_one_tape([a, b])
    left, right = lift(tape, a), lift(tape, b)
    try:
        shape = np.broadcast_shapes(left.shape, right.shape)
    except ValueError:
        text = f"operands could not be broadcast together with shapes {_text(left)} {_text(right)}"
        raise ValueError(text) from None
    return left._step(name, shape, right)


def _text(v: Var) -> str:
    return str(v.shape).replace(" ", "")


# ---- operations of one operand

_LN2, _LN10 = math.log(2.0), math.log(10.0)


def _named(name: str, parameter: float = 0.0) -> Step:
    return lambda a: unary(name, a, parameter)


def _arccosh(a: Var) -> Any:
    t = a - 1.0
    return np.log1p(t + np.sqrt(t * (t + 2.0)))


UNARY: dict[str, Step] = {
    "absolute": _named("abs"),
    "arccos": lambda a: np.arctan2(np.sqrt((1.0 - a) * (1.0 + a)), a),
    "arccosh": _arccosh,
    "arcsin": lambda a: np.arctan2(a, np.sqrt((1.0 - a) * (1.0 + a))),
    "arcsinh": _named("asinh"),
    "arctan": _named("atan"),
    "arctanh": lambda a: 0.5 * (np.log1p(a) - np.log1p(-a)),
    "cbrt": _named("cbrt"),
    "conjugate": lambda a: a,
    "cos": _named("cos"),
    "cosh": _named("cosh"),
    "deg2rad": lambda a: a * (math.pi / 180.0),
    "degrees": lambda a: a * (180.0 / math.pi),
    "exp": _named("exp"),
    "exp2": lambda a: elementwise("pow", 2.0, a),
    "expm1": _named("expm1"),
    "fabs": _named("abs"),
    "log": _named("ln"),
    "log10": lambda a: unary("ln", a) / _LN10,
    "log1p": _named("log1p"),
    "log2": lambda a: unary("ln", a) / _LN2,
    "negative": _named("neg_"),
    "positive": lambda a: a,
    "rad2deg": lambda a: a * (180.0 / math.pi),
    "radians": lambda a: a * (math.pi / 180.0),
    "reciprocal": _named("recip"),
    "sin": _named("sin"),
    "sinh": _named("sinh"),
    "sqrt": _named("sqrt"),
    "square": _named("square"),
    "tan": _named("tan"),
    "tanh": _named("tanh"),
}

#: Of ``scipy.special``, where they are no other names of NumPy's.
SCIPY_UNARY: dict[str, Step] = {
    "cbrt": _named("cbrt"),
    "erf": _named("erf"),
    "exp10": lambda a: elementwise("pow", 10.0, a),
    "exp2": lambda a: elementwise("pow", 2.0, a),
    "expit": _named("sigmoid"),
    "expm1": _named("expm1"),
    "log1p": _named("log1p"),
    "log_expit": _named("log_sigmoid"),
    "logit": lambda a: np.log(a) - np.log1p(-a),
}


# ---- operations of two operands


def _constant_of(b: Any) -> float | None:
    """The number that ``b`` is, if it is one."""
    if isinstance(b, Var):
        return None
    array = np.asarray(b)
    return float(array) if array.ndim == 0 and array.dtype.kind in "biuf" else None


def _power(a: Any, b: Any) -> Any:
    n = _constant_of(b)
    if isinstance(a, Var) and n is not None:
        constant(a._tape, b)
        if n == 1.0:
            return a
        if n == 2.0:
            return unary("square", a)
        if n == 0.5:
            return unary("sqrt", a)
        if n.is_integer() and abs(n) <= 1024:
            return unary("powi", a, n)
        if math.isfinite(n):
            return unary("powf", a, n)
    return elementwise("pow", a, b)


def _float_power(a: Any, b: Any) -> Any:
    if of_one_tape([a, b]).single:
        raise TraceError("np.float_power of float32 goes on in float64: use np.power")
    return _power(a, b)


def _logaddexp(a: Any, b: Any) -> Any:
    for one, other in ((a, b), (b, a)):
        if _constant_of(one) == 0.0 and isinstance(other, Var):
            return unary("softplus", other)
    return elementwise("logaddexp", a, b)


def _logaddexp2(a: Any, b: Any) -> Any:
    return _logaddexp(a * _LN2, b * _LN2) / _LN2


def _binary(name: str) -> Step:
    return lambda a, b: elementwise(name, a, b)


BINARY: dict[str, Step] = {
    "add": _binary("add"),
    "arctan2": _binary("atan2"),
    "divide": _binary("div"),
    "float_power": _float_power,
    "hypot": _binary("hypot"),
    "logaddexp": _logaddexp,
    "logaddexp2": _logaddexp2,
    "maximum": _binary("max"),
    "minimum": _binary("min"),
    "multiply": _binary("mul"),
    "power": _power,
    "subtract": _binary("sub"),
}


def _xlogy(a: Any, b: Any) -> Any:
    if isinstance(a, Var) and a is b:
        return unary("xlogx", a)
    if isinstance(a, Var):
        raise TraceError("scipy.special.xlogy(x, y) of a Var x: use x * np.log(y), or xlogy(x, x)")
    # Where x is 0 the product is 0, whatever y is.
    return a * np.log(np.where(np.asarray(a) == 0.0, 1.0, b))


def _huber(delta: Any, r: Any) -> Any:
    number = _constant_of(delta)
    if number is None or not number > 0.0 or not isinstance(r, Var):
        raise TraceError("scipy.special.huber(delta, r): expected a positive number delta")
    return unary("huber", r, number)


def _pseudo_huber(delta: Any, r: Any) -> Any:
    number = _constant_of(delta)
    if number is None or not number > 0.0 or not isinstance(r, Var):
        raise TraceError("scipy.special.pseudo_huber(delta, r): expected a positive number delta")
    return number**2 * np.expm1(0.5 * np.log1p(np.square(r / number)))


SCIPY_BINARY: dict[str, Step] = {"huber": _huber, "pseudo_huber": _pseudo_huber, "xlogy": _xlogy}


# ---- products


def matmul(a: Any, b: Any, name: str = "matmul") -> Any:
    """``a @ b`` of one or two dimensions."""
    tape = of_one_tape([a, b])
    a, b = lift(tape, a), lift(tape, b)
    if 0 in (a.ndim, b.ndim):
        raise ValueError(
            f"{name}: Input operand {0 if a.ndim == 0 else 1} does not have enough dimensions "
            "(has 0, gufunc core needs 1)"
        )
    if a.shape[-1] != b.shape[0]:
        raise ValueError(
            f"{name}: operands could not be multiplied with shapes {_text(a)} {_text(b)}: "
            f"{a.shape[-1]} (dim {a.ndim - 1}) != {b.shape[0]} (dim 0)"
        )
    if a.ndim == 1 and b.ndim == 1:
        return a._step("dot", (), b)
    # The engine's product is that of the transposes: (a b)ᵀ = bᵀ aᵀ.
    if a.ndim == 2 and b.ndim == 1:
        shape = a.shape[:1]
        return a._turned._step("matmul", shape, b) if _lazy(a) else a._step("tr_matmul", shape, b)
    if a.ndim == 1:
        shape = b.shape[1:]
        return b._turned._step("tr_matmul", shape, a) if _lazy(b) else b._step("matmul", shape, a)
    shape = a.shape[:1] + b.shape[1:]
    if _lazy(b):
        return b._turned._step("tr_matmul", shape, a)
    if _lazy(a):
        return b._step("matmul_tr", shape, a._turned)
    return b._step("matmul", shape, a)


def _lazy(v: Var) -> bool:
    """Whether it is a transpose that nobody has needed the entries of."""
    return v._at is None and v._turned is not None


def _rowwise(name: str, left: int, right: int) -> Step:
    """``np.vecdot`` and its relatives, where there is no batch."""

    def product(a: Any, b: Any) -> Any:
        tape = of_one_tape([a, b])
        a, b = lift(tape, a), lift(tape, b)
        if (a.ndim, b.ndim) == (left, right):
            return matmul(a, b, name)
        if name == "vecdot" and max(a.ndim, b.ndim) == 2 and min(a.ndim, b.ndim) > 0:
            if a.shape[-1] != b.shape[-1]:
                raise ValueError(f"vecdot: shapes {_text(a)} {_text(b)} differ in the last dimension")
            return np.sum(a * b, axis=-1)
        raise TraceError(
            f"np.{name} of {a.ndim} and {b.ndim} dimensions: use @, or an oracle for batches"
        )

    return product


PRODUCTS: dict[str, Step] = {
    "matmul": matmul,
    "matvec": _rowwise("matvec", 2, 1),
    "vecdot": _rowwise("vecdot", 1, 1),
    "vecmat": _rowwise("vecmat", 1, 2),
}

# ---- what is refused

_COMPARE = "use np.maximum, np.clip, bilevel.relu, or np.where with a mask that is no Var"
_ROUND = "it is constant where it has a derivative: take it of an array before, or leave it out"
_BITS = "it is for integers: take it of an array before"
_OUT: dict[str, str] = {
    **dict.fromkeys("equal not_equal less less_equal greater greater_equal".split(), _COMPARE),
    **dict.fromkeys("isfinite isinf isnan isnat signbit logical_and logical_not".split(), _COMPARE),
    **dict.fromkeys("logical_or logical_xor".split(), _COMPARE),
    **dict.fromkeys("ceil floor rint trunc sign heaviside copysign".split(), _ROUND),
    **dict.fromkeys("floor_divide remainder fmod divmod modf frexp".split(), _ROUND),
    **dict.fromkeys("nextafter spacing ldexp".split(), _ROUND),
    **dict.fromkeys("gcd lcm invert left_shift right_shift bitwise_and".split(), _BITS),
    **dict.fromkeys("bitwise_or bitwise_xor bitwise_count".split(), _BITS),
    "fmax": "use np.maximum, which keeps a NaN",
    "fmin": "use np.minimum, which keeps a NaN",
}
_ORACLE = "write the objective as an oracle (bilevel.from_functions), or of functions that are recorded"


def _found(ufunc: np.ufunc) -> Step | None:
    name = ufunc.__name__
    if getattr(np, name, None) is ufunc:
        return UNARY.get(name) or BINARY.get(name) or PRODUCTS.get(name)
    special = sys.modules.get("scipy.special")
    if special is not None and getattr(special, name, None) is ufunc:
        return SCIPY_UNARY.get(name) or SCIPY_BINARY.get(name)
    return None


def _shown(ufunc: np.ufunc) -> str:
    name = ufunc.__name__
    return f"np.{name}" if getattr(np, name, None) is ufunc else name


def ufunc_call(ufunc: np.ufunc, method: str, args: Any, kwargs: Any) -> Any:
    """What a ufunc does with operands of which one is a ``Var``."""
    from ._reductions import reduced

    shown = _shown(ufunc)
    out = kwargs.pop("out", None)
    if out is not None and any(o is not None for o in out):
        raise TraceError(f"{shown} with out=, as in a += b: write a = a + b")
    if method in ("reduce", "accumulate"):
        return reduced(ufunc, method, args, kwargs)
    if method == "outer" and ufunc is np.multiply:
        return np.outer(*args)
    if method != "__call__":
        raise TraceError(f"{shown}.{method} is not recorded: {_ORACLE}")
    tape = of_one_tape(list(args))
    dtype = kwargs.pop("dtype", None)
    if dtype is not None and np.dtype(dtype) != tape.dtype:
        raise TraceError(f"{shown} with dtype={dtype}: a recording has one precision, {tape.dtype}")
    if kwargs.pop("where", True) is not True:
        raise TraceError(f"{shown} with where=: use np.where")
    if kwargs:
        raise TraceError(f"{shown} with {', '.join(kwargs)}: leave it out")
    step = _found(ufunc)
    if step is None:
        raise TraceError(f"{shown} is not recorded: {_OUT.get(ufunc.__name__, _ORACLE)}")
    return step(*args)
