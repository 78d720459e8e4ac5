"""Every ufunc and every overridable function of NumPy is recorded as NumPy computes it, or refused by
name: none makes an array of objects, or a number that is not NumPy's."""

import warnings

import bilevel as bl
import numpy as np
import pytest
from bilevel._tape import Tape
from bilevel._var import Var
from numpy.testing import overrides

UFUNCS = sorted(overrides.get_overridable_numpy_ufuncs(), key=lambda f: f.__name__)
FUNCTIONS = sorted(
    overrides.get_overridable_numpy_array_functions(), key=lambda f: f"{f.__module__}.{f.__name__}"
)
SHAPES = [(), (3,), (2, 3), (3, 3)]


def evaluated(out, tape, inputs):
    """The numbers of a value of a recording."""
    if isinstance(out, (tuple, list)):
        # A recording has one output: each part on a tape of its own would be the same steps.
        flat = [o.ravel() if o.ndim else o.reshape(1) for o in out]
        shapes = [o.shape for o in out]
        whole = np.concatenate(flat)
        numbers = evaluated(whole, tape, inputs)
        sizes = np.cumsum([o.size for o in out])[:-1]
        return [n.reshape(s) for n, s in zip(np.split(numbers, sizes), shapes, strict=True)]
    program = tape.finish(out.at).program
    return program.evaluate([i.reshape(-1) for i in inputs]).reshape(out.shape)


def traced(f, *arrays):
    tape = Tape(np.dtype(np.float64), tuple((a.size, 1) for a in arrays))
    variables = [Var(tape, k, (a.size,)).reshape(a.shape) for k, a in enumerate(arrays)]
    out = f(*variables)
    return out if not has_var(out) else Recorded(evaluated(out, tape, arrays))


class Recorded:
    """Numbers that a recording computes."""

    def __init__(self, numbers):
        self.numbers = numbers


def has_var(out):
    return isinstance(out, Var) or (isinstance(out, (tuple, list)) and any(map(has_var, out)))


def agree(got, want):
    if isinstance(want, (tuple, list)):
        assert isinstance(got, (tuple, list)) and len(got) == len(want)
        for g, w in zip(got, want, strict=True):
            agree(g, w)
        return
    got, want = np.asarray(got), np.asarray(want)
    assert got.dtype != object
    assert got.shape == want.shape
    if want.dtype.kind == "V":
        return
    np.testing.assert_allclose(got, want, rtol=2e-13, atol=1e-15)


def same_or_refused(f, name, *arrays):
    """NumPy's numbers, or an error that names the function; NumPy's own mistakes are mistakes here."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            want = f(*arrays)
        except Exception:
            want = None
        try:
            got = traced(f, *arrays)
        except bl.TraceError as refused:
            assert len(str(refused)) > len(name)
            return False
        except Exception:
            # What NumPy takes is no other mistake here, but in functions that ask no protocol.
            if want is not None and name not in ASKS_NOBODY:
                raise
            return False
    recorded = isinstance(got, Recorded)
    got = got.numbers if recorded else got
    if want is None and not recorded:
        # A Var has a dtype and a shape, which may be asked for: nothing is recorded.
        return False
    assert want is not None, "it is no mistake here, and one in NumPy"
    agree(got, want)
    return True


ASKS_NOBODY = "frombuffer fromiter fromfile fromstring merge_arrays require_fields".split()

RECORDED = """absolute add arccos arccosh arcsin arcsinh arctan arctan2 arctanh cbrt conjugate cos cosh
deg2rad degrees divide exp exp2 expm1 fabs float_power hypot log log10 log1p log2 logaddexp logaddexp2
matmul matvec maximum minimum multiply negative positive power rad2deg radians reciprocal sin sinh sqrt
square subtract tan tanh vecdot vecmat""".split()


@pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda f: f.__name__)
def test_every_ufunc_is_recorded_or_refused(ufunc):
    rng = np.random.default_rng(0)
    recorded = []
    core = ufunc.__name__ in ("matmul", "matvec", "vecdot", "vecmat")
    for base in SHAPES:
        for other in SHAPES:
            arrays = [rng.uniform(0.1, 0.9, base)]
            if ufunc.nin > 1:
                arrays.append(rng.uniform(0.1, 0.9, other))
            if ufunc.__name__ == "arccosh":
                arrays = [1.0 + a for a in arrays]
            recorded.append(same_or_refused(ufunc, ufunc.__name__, *arrays))
            if ufunc.nin > 1:
                # A constant on either side.
                for k in (0, 1):
                    constant = arrays[1 - k]
                    one = (lambda v, c=constant: ufunc(v, c)) if k == 0 else (
                        lambda v, c=constant: ufunc(c, v))
                    recorded.append(same_or_refused(one, ufunc.__name__, arrays[k]))
    assert any(recorded) == (ufunc.__name__ in RECORDED)
    if ufunc.__name__ in RECORDED and not core:
        assert recorded[0]
    array = rng.uniform(0.1, 0.9, (2, 3))
    # NumPy itself comes to no good where methods are called of ufuncs that have none, or of texts.
    if (ufunc.nin, ufunc.nout, ufunc.signature) != (2, 1, None) or ufunc.__name__.startswith("_"):
        return
    for method in ("reduce", "accumulate"):
        same_or_refused(lambda v, m=method: getattr(ufunc, m)(v), ufunc.__name__, array)
    for method, rest in (("reduceat", ([0],)), ("outer", (np.ones(3),)), ("at", ([0], 1.0))):
        if ufunc is np.multiply and method == "outer":
            assert same_or_refused(lambda v: np.multiply.outer(v, np.ones(3)), "multiply", np.ones(3))
            continue
        with pytest.raises((bl.TraceError, ValueError)):
            traced(lambda v, m=method, r=rest: getattr(ufunc, m)(v, *r), array)


#: Arguments after the first for functions that need some.
ARGUMENTS = {
    "append": (np.ones(3),), "array_split": (2,), "broadcast_to": ((3, 3),), "clip": (0.3, 0.6),
    "compress": ([True, False, True], ), "cross": (np.ones(3),), "delete": (1,), "diff": (),
    "dot": (np.ones(3),), "expand_dims": (0,), "full_like": (2.0,), "inner": (np.ones(3),),
    "kron": (np.ones(3),), "moveaxis": (0, -1), "outer": (np.ones(3),), "pad": (1,), "repeat": (2,),
    "reshape": ((-1,),), "resize": ((4,),), "roll": (1,), "split": (3,), "swapaxes": (0, -1),
    "take": ([0, 2, 1],), "tile": (2,), "tensordot": (np.ones(3), 1), "vdot": (np.ones(3),),
    "vecdot": (np.ones(3),), "matmul": (np.ones(3),), "hsplit": (3,), "vsplit": (2,), "rollaxis": (0,),
    "take_along_axis": (np.array([0, 1]),), "quantile": (0.5,), "percentile": (50,),
}
#: Functions that are refused of every argument tried here would be no news: these must be recorded.
MUST = """append array_split atleast_1d average broadcast_to clip compress concatenate copy cumsum delete
diag diagonal diff dot empty_like expand_dims flip full_like hstack inner max mean min moveaxis ndim
norm ones_like outer pad ptp ravel repeat reshape resize roll shape size split squeeze stack std sum
swapaxes take tile trace transpose trapezoid tril triu var vdot vstack where zeros_like""".split()


def calls(func):
    """Ways to call a function with one array."""
    name = func.__name__
    given = ARGUMENTS.get(name, ())
    if name == "compress":
        yield lambda v: func(v, axis=-1, condition=[True, False, True])
        yield lambda v: func([True, False, True], v)
        return
    if name in ("concatenate", "stack", "hstack", "vstack", "column_stack", "dstack", "block"):
        yield lambda v: func([v, v])
        return
    if name == "where":
        yield lambda v: func(np.array([True, False, True]), v, 2.0 * v)
        yield lambda v: func(v > 0.5, v, 0.0)
        return
    if name == "extract":
        yield lambda v: func(np.ones(v.shape, bool), v)
        return
    yield lambda v: func(v, *given)
    yield lambda v: func(v, *given, axis=0)
    yield lambda v: func(v, *given, axis=-1)
    yield lambda v: func(v, *given, axis=1, keepdims=True)
    yield lambda v: func(v, v)
    yield lambda v: func(np.ones(3), v)
    yield lambda v: func(v, out=np.zeros(3))


@pytest.mark.parametrize("func", FUNCTIONS, ids=lambda f: f"{f.__module__}.{f.__name__}")
def test_every_function_is_recorded_or_refused(func):
    name = func.__name__
    if name in ("save", "savez", "savez_compressed", "savetxt", "copyto", "put", "place", "putmask"):
        # They write: there is nothing to write.
        with pytest.raises((bl.TraceError, TypeError)):
            traced(lambda v: func("nowhere", v) if name.startswith("save") else func(np.ones(3), v, v),
                   np.ones(3))
        return
    rng = np.random.default_rng(1)
    recorded = []
    for shape in SHAPES:
        array = rng.uniform(0.1, 0.9, shape)
        for call in calls(func):
            if name == "empty_like":
                got = traced(call, array) if shape else np.empty_like(array)
                assert not has_var(got) and got.dtype == array.dtype
                recorded.append(True)
                break
            recorded.append(same_or_refused(call, name, array))
    if name in MUST and func.__module__ in ("numpy", "numpy.linalg"):
        assert any(recorded), name


def test_a_refusal_names_the_function_and_the_way_out():
    for f, words in [
        (lambda v: np.sort(v), "np.sort"),
        (lambda v: np.linalg.solve(np.eye(3), v), "np.linalg.solve"),
        (lambda v: np.floor(v), "np.floor"),
        (lambda v: np.fmax(v, 0.0), "np.maximum"),
        (lambda v: np.prod(v), "np.log"),
    ]:
        with pytest.raises(bl.TraceError, match=words):
            traced(f, np.ones(3))
