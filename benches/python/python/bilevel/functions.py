"""Functions that NumPy lacks, and losses that the engine takes in one pass over the samples.

Each takes arrays as well as ``Var`` s: an objective that is written with them can be called on arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ._arrays import Array, real
from ._picked import Picked
from ._reductions import log_sum_exp
from ._tape import LossData
from ._ufuncs import unary
from ._var import Var, lift, of_one_tape
from .errors import TraceError

__all__ = [
    "conv2d",
    "cross_entropy",
    "elu",
    "gelu",
    "huber",
    "leaky_relu",
    "log_cosh",
    "log_softmax",
    "logistic_loss",
    "logsumexp",
    "outputs",
    "relu",
    "sigmoid",
    "silu",
    "smooth_abs",
    "softmax",
    "softplus",
    "squared_loss",
    "stop_gradient",
    "xlogx",
]


def _elementwise(name: str, doc: str, of_array: Callable[..., Any]) -> Callable[..., Any]:
    def function(a: Any) -> Any:
        if isinstance(a, Var):
            return unary(name, a)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return of_array(np.asarray(a))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


def _sigmoid(a: Array) -> Any:
    return np.exp(-np.logaddexp(0.0, -a))


relu = _elementwise("relu", "``max(a, 0)``; the derivative at 0 is 0.", lambda a: np.maximum(a, 0))
softplus = _elementwise("softplus", "``ln(1 + eᵃ)``, without overflow.", lambda a: np.logaddexp(0, a))
sigmoid = _elementwise("sigmoid", "``1 / (1 + e⁻ᵃ)``.", _sigmoid)
silu = _elementwise("silu", "``a · sigmoid(a)``, also called swish.", lambda a: a * _sigmoid(a))
gelu = _elementwise(
    "gelu",
    "Gaussian error linear unit in the form with tanh, JAX's default.",
    lambda a: 0.5 * a * (1 + np.tanh(np.sqrt(2 / np.pi) * (a + 0.044715 * a**3))),
)
log_cosh = _elementwise(
    "log_cosh", "``ln cosh a``, without overflow.", lambda a: np.logaddexp(a, -a) - np.log(2.0)
)
xlogx = _elementwise(
    "xlogx", "``a ln a``, and 0 at 0.", lambda a: np.where(a == 0, 0 * a, a * np.log(np.where(a == 0, 1, a)))
)


def _number(value: Any, what: str) -> float:
    if isinstance(value, Var):
        raise TraceError(f"{what} is a Var: expected a number")
    return float(value)


def huber(a: Any, delta: float = 1.0) -> Any:
    """Huber's loss: ``a²/2`` up to ``|a| = delta``, then ``delta (|a| − delta/2)``."""
    delta = _number(delta, "delta")
    if isinstance(a, Var):
        return unary("huber", a, delta)
    size = np.abs(np.asarray(a))
    return np.where(size <= delta, 0.5 * size**2, delta * (size - 0.5 * delta))


def smooth_abs(a: Any, nu: float) -> Any:
    """``√(a² + nu²)``."""
    nu = _number(nu, "nu")
    return unary("smooth_abs", a, nu) if isinstance(a, Var) else np.sqrt(np.square(a) + nu * nu)


def elu(a: Any, alpha: float = 1.0) -> Any:
    """``a`` where positive, else ``alpha (eᵃ − 1)``."""
    alpha = _number(alpha, "alpha")
    if isinstance(a, Var):
        return unary("elu", a, alpha)
    return np.where(np.asarray(a) > 0, a, alpha * np.expm1(np.minimum(a, 0)))


def leaky_relu(a: Any, slope: float = 0.01) -> Any:
    """``a`` where positive, else ``slope · a``."""
    slope = _number(slope, "slope")
    if isinstance(a, Var):
        return unary("leaky_relu", a, slope)
    return np.where(np.asarray(a) > 0, a, slope * np.asarray(a))


def outputs(a: Any) -> Any:
    """The value itself, marked as a model's outputs: what ``curvature="gauss-newton"`` takes as linear
    is whatever they are computed from."""
    return a._step("outputs", a.shape) if isinstance(a, Var) else a


def stop_gradient(a: Any) -> Any:
    """The value itself, as a constant to every derivative."""
    return a._step("stop_gradient", a.shape) if isinstance(a, Var) else a


def logsumexp(a: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """``ln Σ eᵃ`` along an axis, without overflow; of all entries without one."""
    if isinstance(a, Var):
        return log_sum_exp(a, axis, keepdims)
    array = np.asarray(a)
    axes = tuple(range(array.ndim)) if axis is None else axis
    largest = np.max(array, axis=axes, keepdims=True)
    largest = np.where(np.isfinite(largest), largest, 0.0)
    sums = np.log(np.sum(np.exp(array - largest), axis=axes, keepdims=True)) + largest
    return sums if keepdims else np.squeeze(sums, axis=axes)[()]


def log_softmax(a: Any, axis: int = -1) -> Any:
    """``a − logsumexp(a)`` along an axis."""
    return a - logsumexp(a, axis, keepdims=True)


def softmax(a: Any, axis: int = -1) -> Any:
    """``eᵃ / Σ eᵃ`` along an axis, without overflow."""
    return np.exp(log_softmax(a, axis))


def conv2d(
    image: Any, kernel: Any, padding: Literal["reflect", "wrap", "zero", "valid"] = "reflect"
) -> Any:
    """Convolution of an image with a small kernel, which is turned around as in
    ``scipy.signal.convolve2d``: of the image's shape, or smaller with ``"valid"``.

    ``"reflect"`` mirrors at the outermost pixels, which are not repeated.
    """
    pads = ("reflect", "wrap", "zero", "valid")
    if padding not in pads:
        raise ValueError(f"padding {padding!r}: expected one of {', '.join(pads)}")
    if not (isinstance(image, Var) or isinstance(kernel, Var)):
        return _conv2d(np.asarray(image), np.asarray(kernel), padding)
    tape = of_one_tape([image, kernel])
    image, kernel = lift(tape, image), lift(tape, kernel)
    _fits(image.shape, kernel.shape, padding)
    shape = image.shape
    if padding == "valid":
        shape = tuple(n - k + 1 for n, k in zip(image.shape, kernel.shape, strict=True))
    return image._step(f"conv2d_{padding}", shape, kernel)


def _fits(image: tuple[int, ...], kernel: tuple[int, ...], padding: str) -> None:
    if len(image) != 2 or len(kernel) != 2:
        raise ValueError(f"conv2d of shapes {image} and {kernel}: expected two dimensions of each")
    for n, k in zip(image, kernel, strict=True):
        if (k > n) if padding in ("wrap", "valid") else (padding == "reflect" and k // 2 >= n):
            raise ValueError(f"conv2d of shapes {image} and {kernel}: too large a kernel for {padding!r}")


def _conv2d(image: Array, kernel: Array, padding: str) -> Array:
    _fits(image.shape, kernel.shape, padding)
    turned = kernel[::-1, ::-1]
    if padding != "valid":
        mode = {"reflect": "reflect", "wrap": "wrap", "zero": "constant"}[padding]
        before = [k - 1 - (k - 1) // 2 for k in kernel.shape]
        widths = [(b, k - 1 - b) for b, k in zip(before, kernel.shape, strict=True)]
        image = np.pad(image, widths, mode)  # type: ignore[call-overload]
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    return np.einsum("ijpq,pq->ij", windows, turned)  # type: ignore[no-any-return]


# ---- losses over samples


def _loss(
    name: str, samples: tuple[Any, Any], classes: int | None, signs: bool, *operands: Var
) -> Var:
    """A loss over samples: all of them, or those of a batch."""
    if not any(isinstance(one, Var) for one in samples):
        data = _samples(*samples, classes, signs)
        _weights(operands[0], data.features.shape[1] * (classes or 1), "w")
        return operands[0]._step(f"loss:{name}", (), *operands[1:], data=data)
    features, labels = samples
    if not (isinstance(features, Picked) and isinstance(labels, Picked)):
        raise TraceError(
            f"bilevel.{name} of samples that are Vars: expected arrays, or both as bilevel.sampled gave them"
        )
    data = _samples(features.drawn.array, labels.drawn.array, classes, signs)
    _weights(operands[0], data.features.shape[1] * (classes or 1), "w")
    return features.indices._step(f"loss_of:{name}", (), *operands, data=data)


def _samples(features: Any, labels: Any, classes: int | None, signs: bool) -> LossData:
    """The samples of a loss."""
    a, t = real(features, "features"), real(labels, "labels")
    if a.ndim != 2 or t.shape != a.shape[:1] or a.size == 0:
        raise ValueError(
            f"features of shape {a.shape} and labels of shape {t.shape}: expected (n, d) and (n,)"
        )
    if not np.isfinite(a).all():
        raise ValueError("features hold a NaN or an infinity: expected finite numbers")
    if signs and not np.isin(t, (-1.0, 1.0)).all():
        raise ValueError("labels: expected -1 and 1")
    if classes is not None and not (np.isin(t, np.arange(classes)).all()):
        raise ValueError(f"labels: expected classes 0 to {classes - 1}")
    return LossData.of(a, t, classes, signs)


def _weights(w: Any, size: int, what: str) -> None:
    if np.size(w) != size:
        raise ValueError(f"{what} has {np.size(w)} entries: expected {size}")


def logistic_loss(features: npt.ArrayLike, labels: npt.ArrayLike, w: Any) -> Any:
    """``mean ln(1 + exp(−t ⟨a, w⟩))`` of labels t of −1 and 1, in one pass over the samples."""
    if not isinstance(w, Var):
        a, t = np.asarray(features), np.asarray(labels)
        return np.mean(np.logaddexp(0.0, -t * (a @ np.asarray(w))))
    return _loss("logistic_loss", (features, labels), None, True, w)


def squared_loss(features: npt.ArrayLike, targets: npt.ArrayLike, w: Any) -> Any:
    """``mean ½ (⟨a, w⟩ − t)²``, in one pass over the samples."""
    if not isinstance(w, Var):
        return np.mean(0.5 * np.square(np.asarray(features) @ np.asarray(w) - np.asarray(targets)))
    return _loss("squared_loss", (features, targets), None, False, w)


def cross_entropy(
    features: npt.ArrayLike, classes: npt.ArrayLike, w: Any, weights: Any = None
) -> Any:
    """``mean −ln softmax(W a)_c`` of classes c from 0 on, for W of shape ``(classes, d)``; with a weight
    for each sample, the mean of the weighted terms. One pass over the samples."""
    given = [v for v in (w, weights) if isinstance(v, Var)]
    shape = np.shape(w)
    if len(shape) != 2:
        raise ValueError(f"w has shape {shape}: expected (classes, d)")
    if not given:
        a, c = np.asarray(features), np.asarray(classes)
        terms = -log_softmax(a @ np.asarray(w).T)[np.arange(len(a)), c.astype(int)]
        return np.mean(terms if weights is None else np.asarray(weights) * terms)
    tape = of_one_tape([w, weights])
    w = lift(tape, w)._as((shape[0] * shape[1],))
    if weights is None:
        return _loss("cross_entropy", (features, classes), shape[0], False, w)
    _weights(weights, len(classes), "weights")  # type: ignore[arg-type]
    return _loss("cross_entropy", (features, classes), shape[0], False, w, lift(tape, weights))
