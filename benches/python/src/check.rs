//! The checker over functions of Python.

use std::panic::resume_unwind;

use autodiff::check::Check;
use pyo3::prelude::*;

use crate::arrays::{array, numbers};
use crate::guard::guarded;
use crate::records::{Kind, Records};

/// The records, whether the report passed, the derivatives that could not be told from wrong ones
/// anywhere, and the control: in words, and whether it found every wrong derivative out.
type Checked = (Records, bool, Vec<&'static str>, String, bool);

/// Checks a gradient, and a Hessian's products if there are some, at `x`. `epsilon` is the distance from
/// 1 to the next number that the functions compute with.
#[pyfunction]
#[pyo3(signature = (name, f, grad, hvp, x, seed, epsilon, entries))]
#[allow(clippy::too_many_arguments)]
pub(crate) fn check_functions(
    name: &str,
    f: &Bound<'_, PyAny>,
    grad: &Bound<'_, PyAny>,
    hvp: Option<&Bound<'_, PyAny>>,
    x: &Bound<'_, PyAny>,
    seed: u64,
    epsilon: f64,
    entries: usize,
) -> PyResult<Checked> {
    guarded(|| {
        let py = x.py();
        let x: Vec<f64> = numbers(x)?;
        let check = Check::new().seed(seed).epsilon(epsilon).entries(entries);
        let value = |x: &[f64]| or_raise(f.call1((array(py, x),)).and_then(|v| v.extract::<f64>()));
        let gradient = |x: &[f64]| or_raise(grad.call1((array(py, x),)).and_then(|v| numbers(&v)));
        let report = match hvp {
            None => check.gradient(value, gradient, &x),
            Some(hvp) => {
                let product = |x: &[f64], v: &[f64]| {
                    let found = hvp.call1((array(py, x), array(py, v)));
                    or_raise(found.and_then(|v| numbers(&v)))
                };
                check.hessian(value, gradient, product, &x)
            }
        };
        let report = report.named(name);
        let records = Kind::Check(study::check::records(&report)).into();
        let control = report.control();
        let (said, power) = (control.to_string(), control.has_power());
        Ok((records, report.passed(), report.undecided(), said, power))
    })
}

/// What Python raises goes through the checker as a panic, which the guard turns back.
fn or_raise<R>(result: PyResult<R>) -> R {
    result.unwrap_or_else(|error| resume_unwind(Box::new(error)))
}
