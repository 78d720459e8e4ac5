//! Samples that fused losses go over: one pass, data as narrow as they are exact.

use autodiff::{Batch, Var};
use models::Dataset;
use models::data::Samples as Raw;
use nalgebra::DMatrix;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrays::{Of, Scalar, each, numbers};
use crate::guard::guarded;

/// Samples with their labels, in the precision of a recording.
#[pyclass(frozen)]
pub(crate) struct Samples {
    pub(crate) of: Of<Dataset<f32>, Dataset<f64>>,
}

#[pymethods]
impl Samples {
    /// `features` row by row, one sample each; labels are signs, classes if `classes` are given, or
    /// numbers.
    #[new]
    #[pyo3(signature = (single, features, labels, *, classes=None, signs=false))]
    fn new(
        single: bool,
        features: &Bound<'_, PyAny>,
        labels: &Bound<'_, PyAny>,
        classes: Option<usize>,
        signs: bool,
    ) -> PyResult<Self> {
        guarded(|| {
            let (features, labels): (Vec<f64>, Vec<f64>) = (numbers(features)?, numbers(labels)?);
            let (n, len) = (labels.len(), features.len());
            if n == 0 || len % n != 0 {
                let reason = format!("{len} features of {n} samples: expected as many of each");
                return Err(PyValueError::new_err(reason));
            }
            let features = DMatrix::from_vec(len / n, n, features).into();
            let raw = Raw { features, labels };
            Ok(Samples {
                of: match single {
                    true => Of::F32(dataset(&raw, classes, signs)),
                    false => Of::F64(dataset(&raw, classes, signs)),
                },
            })
        })
    }

    /// Bytes that the features take.
    #[getter]
    fn bytes(&self) -> usize {
        each!(&self.of, data => data.bytes())
    }
}

fn dataset<T: Scalar>(raw: &Raw, classes: Option<usize>, signs: bool) -> Dataset<T> {
    match classes {
        Some(classes) => Dataset::classes(raw, classes),
        None if signs => Dataset::binary(raw),
        None => Dataset::targets(raw),
    }
}

/// A fused loss of weights, and of a weight for each sample where there is a second operand: over all
/// samples, or over those of a batch.
pub(crate) fn loss<'r, T: Scalar>(
    name: &str,
    data: &Dataset<T>,
    batch: Option<Batch<'r, T>>,
    v: &[Var<'r, T>],
) -> Option<Var<'r, T>> {
    Some(match (name, batch, v) {
        ("logistic_loss", None, [w]) => data.logistic_loss(*w),
        ("logistic_loss", Some(of), [w]) => data.logistic_loss_of(of, *w),
        ("squared_loss", None, [w]) => data.squared_loss(*w),
        ("squared_loss", Some(of), [w]) => data.squared_loss_of(of, *w),
        ("cross_entropy", None, [w]) => data.cross_entropy(*w),
        ("cross_entropy", Some(of), [w]) => data.cross_entropy_of(of, *w),
        ("cross_entropy", None, [w, s]) => data.weighted_cross_entropy(*w, *s),
        ("cross_entropy", Some(of), [w, s]) => data.weighted_cross_entropy_of(of, *w, *s),
        _ => return None,
    })
}
