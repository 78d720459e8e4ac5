//! Data files, read as the program reads them.

use std::path::PathBuf;

use models::data::{Labels, Reading, Samples};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::array;
use crate::errors::{DataError, config};
use crate::guard::{computed, guarded};
use crate::held::read_as;

/// Features sample by sample, the number of samples, and the labels.
type Part<'py> = (Bound<'py, PyAny>, usize, Bound<'py, PyAny>);

/// The splits of a file: training, validation, and test where there is one; and how it was read.
#[pyfunction]
pub(crate) fn load<'py>(
    py: Python<'py>,
    path: PathBuf,
    seed: u64,
    labels: &str,
    reading: &Bound<'py, PyDict>,
) -> PyResult<(Vec<Part<'py>>, String)> {
    guarded(|| {
        let kinds = [
            ("as-written", Labels::AsWritten),
            ("signs", Labels::Signs),
            ("classes", Labels::Classes),
            ("targets", Labels::Targets),
        ];
        let known = kinds.iter().find(|(name, _)| *name == labels);
        let names = kinds.map(|(name, _)| name).join(", ");
        let (_, labels) =
            known.ok_or_else(|| config(format!("labels {labels}: expected one of {names}")))?;
        let reading = Reading {
            labels: *labels,
            seed,
            ..read_as(reading)?.reading()
        };
        let loaded = computed(py, false, move || {
            reading
                .load(&path)
                .map_err(|e| DataError::new_err(e.to_string()))
        })?;
        let splits = loaded.splits;
        let part = |samples: &Samples| {
            let features = samples.features.to_dense();
            (
                array(py, features.as_slice()),
                samples.len(),
                array(py, &samples.labels),
            )
        };
        let all = [
            Some(&splits.train),
            Some(&splits.valid),
            splits.test.as_ref(),
        ];
        Ok((
            all.into_iter().flatten().map(part).collect(),
            loaded.about.to_string(),
        ))
    })
}
