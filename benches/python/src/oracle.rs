//! Objectives that are functions of Python: a program of one operation, whose rules call them.

use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};

use autodiff::{Asked, OperandAdjoints, OperandTangents, Operands, Primitive, Shape, Stash};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::arrays::{Of, Scalar, array, numbers};
use crate::guard::guarded;
use crate::program::Program;

/// What the Hessian was taken at, and the Hessian there as a function of directions.
type Linearised<T> = (Vec<T>, Py<PyAny>);

/// An objective that Python evaluates. `functions` has `value(x, y)`, `value_and_gradient(x, y)` and
/// `linearise(x, y)`, which gives the function `(dx, dy) ↦ (hx, hy)`; see `python/bilevel/oracle.py`. Of
/// a batch each has a third argument, the indices of its samples.
struct Oracle<T> {
    name: String,
    functions: Py<PyAny>,
    /// x and y, and the indices of a batch.
    operands: usize,
    /// Where the Hessian was asked for last. It is a function of the operands alone, so that the rules
    /// answer the same whatever stands here.
    last: Mutex<Option<Linearised<T>>>,
}

/// What Python raises goes through the engine as a panic, which the guard turns back: no hook sees it.
fn called<R>(f: impl FnOnce(Python<'_>) -> PyResult<R>) -> R {
    Python::attach(|py| f(py).unwrap_or_else(|error| resume_unwind(Box::new(error))))
}

impl<T: Scalar> Oracle<T> {
    /// The Hessian's product with a direction.
    fn product(&self, at: &Operands<'_, T>, direction: [Option<&[T]>; 2]) -> [Vec<T>; 2] {
        called(|py| {
            let hessian = self.linearised(py, at)?;
            let zeros = [0, 1].map(|k| vec![T::zero(); at.get(k).len()]);
            let [dx, dy] = [0, 1].map(|k| direction[k].unwrap_or(&zeros[k]));
            let product = hessian.bind(py).call1((array(py, dx), array(py, dy)))?;
            let (hx, hy): (Bound<'_, PyAny>, Bound<'_, PyAny>) = product.extract()?;
            Ok([numbers(&hx)?, numbers(&hy)?])
        })
    }

    /// The Hessian at these operands, which is linearised there once.
    fn linearised(&self, py: Python<'_>, at: &Operands<'_, T>) -> PyResult<Py<PyAny>> {
        let count = self.operands;
        let here = || (0..count).flat_map(move |k| at.get(k)).copied();
        let same = |at: &[T]| {
            let bits = |v: T| v.f64().to_bits();
            at.iter().copied().map(bits).eq(here().map(bits))
        };
        // Never held while Python runs: another thread may wait for the interpreter with it.
        let last = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, hessian)) = &*last()
            && same(at)
        {
            return Ok(hessian.clone_ref(py));
        }
        let functions = self.functions.bind(py);
        let hessian = functions
            .call_method1("linearise", self.arguments(py, at)?)?
            .unbind();
        let kept = (here().collect(), hessian.clone_ref(py));
        let before = last().replace(kept);
        drop(before);
        Ok(hessian)
    }
}

impl<T: Scalar> Oracle<T> {
    /// The operands as arrays.
    fn arguments<'py>(
        &self,
        py: Python<'py>,
        at: &Operands<'_, T>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, (0..self.operands).map(|k| array(py, at.get(k))))
    }
}

impl<T: Scalar> Primitive<T> for Oracle<T> {
    fn name(&self) -> &str {
        &self.name
    }

    fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String> {
        match operands.len() {
            n if n == self.operands => Ok(Shape::SCALAR),
            n => Err(format!("{n} operands: expected {}", self.operands)),
        }
    }

    fn stash_len(&self, operands: &[Shape]) -> usize {
        operands[..2].iter().map(|shape| shape.len()).sum()
    }

    fn eval(&self, a: &Operands<'_, T>, asked: Asked, out: &mut [T], mut stash: Stash<'_, T>) {
        let (gradient, _) = stash.split();
        let value = called(|py| {
            let functions = self.functions.bind(py);
            let at = self.arguments(py, a)?;
            if !asked.first {
                return functions.call_method1("value", at)?.extract::<f64>();
            }
            let found = functions.call_method1("value_and_gradient", at)?;
            let (value, gx, gy): (f64, Bound<'_, PyAny>, Bound<'_, PyAny>) = found.extract()?;
            match value.is_finite() {
                true => gradient.copy_from_slice(&[numbers::<T>(&gx)?, numbers(&gy)?].concat()),
                // Where there is no value there is no derivative, whatever the function says.
                false => gradient.fill(T::of(f64::NAN)),
            }
            Ok(value)
        });
        out[0] = T::of(value);
    }

    fn jvp(
        &self,
        a: &Operands<'_, T>,
        t: &OperandTangents<'_, T>,
        mut stash: Stash<'_, T>,
        out: &mut [T],
    ) {
        let (gx, gy) = stash.split().0.split_at(a.get(0).len());
        let along =
            |k: usize, g: &[T]| t.get(k).map_or(T::zero(), |t| autodiff::kernels::dot(g, t));
        out[0] = along(0, gx) + along(1, gy);
    }

    fn vjp(
        &self,
        a: &Operands<'_, T>,
        mut stash: Stash<'_, T>,
        u: &[T],
        adjoints: &mut OperandAdjoints<'_, T>,
    ) {
        let (gx, gy) = stash.split().0.split_at(a.get(0).len());
        for (k, g) in [gx, gy].into_iter().enumerate() {
            if let Some(out) = adjoints.get(k) {
                autodiff::kernels::axpy(out, u[0], g);
            }
        }
    }

    fn vjp_tangent(
        &self,
        a: &Operands<'_, T>,
        t: &OperandTangents<'_, T>,
        mut stash: Stash<'_, T>,
        u: &[T],
        du: Option<&[T]>,
        adjoints: &mut OperandAdjoints<'_, T>,
    ) {
        let (gx, gy) = stash.split().0.split_at(a.get(0).len());
        let directions = [t.get(0), t.get(1)];
        let moves = directions.iter().any(Option::is_some) && u[0] != T::zero();
        let product = moves.then(|| self.product(a, directions));
        for (k, g) in [gx, gy].into_iter().enumerate() {
            let Some(out) = adjoints.get(k) else { continue };
            if let Some(du) = du {
                autodiff::kernels::axpy(out, du[0], g);
            }
            if let Some(product) = &product {
                autodiff::kernels::axpy(out, u[0], &product[k]);
            }
        }
    }
}

fn program<T: Scalar>(
    name: String,
    functions: Py<PyAny>,
    dims: &[usize],
    site: &str,
) -> Arc<autodiff::Program<T>> {
    let oracle = Oracle {
        name,
        functions,
        last: Mutex::new(None),
        operands: dims.len(),
    };
    let shapes: Vec<Shape> = dims.iter().map(|n| Shape::vector(*n)).collect();
    autodiff::Program::record(&shapes, |v| {
        // Nothing is differentiated by an index.
        let rest: Vec<_> = v[1..2]
            .iter()
            .copied()
            .chain(v[2..].iter().map(|v| v.stop_gradient()))
            .collect();
        v[0].recorded_at(site, |x| x.fused(oracle, &rest))
    })
}

/// The program of one operation that Python's functions are: of x and y, and of indices where there is a
/// third dimension. `site` is where they stand.
#[pyfunction]
pub(crate) fn oracle(
    single: bool,
    name: String,
    functions: Py<PyAny>,
    dims: Vec<usize>,
    site: &str,
) -> PyResult<Program> {
    guarded(|| {
        let of = match single {
            true => Of::F32(program(name, functions, &dims, site).into()),
            false => Of::F64(program(name, functions, &dims, site).into()),
        };
        Ok(Program { of, calls: true })
    })
}
