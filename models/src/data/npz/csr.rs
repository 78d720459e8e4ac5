//! A sparse matrix as SciPy's `save_npz` writes it, in the form `csr`.

use std::io::Read;
use std::path::Path;

use autodiff::Sparse;

use super::Archive;
use crate::data::error::DataError;
use crate::data::features::{Features, is_sparse};
use crate::data::reading::Reading;

/// The arrays of a matrix.
const ARRAYS: [&str; 5] = ["format", "shape", "indptr", "indices", "data"];

/// Reads a matrix, one sample a row.
///
/// # Errors
/// If the file cannot be read, an array is missing or damaged, the form is another, or the numbers are
/// those of no matrix: a column beyond the shape, columns of a row that do not ascend.
pub(in crate::data) fn read(path: &Path, reading: &Reading) -> Result<Features, DataError> {
    let mut archive = Archive::open(path, reading.limit())?;
    let form = archive.form()?;
    if form != "csr" {
        return Err(archive.malformed(ARRAYS[0], format!("`{form}`, expected `csr`: `X.tocsr()`")));
    }
    let [rows, columns] = archive.whole(ARRAYS[1])?[..] else {
        return Err(archive.malformed(ARRAYS[1], "expected two numbers".into()));
    };
    let starts = archive.whole(ARRAYS[2])?;
    let narrow = |place: &usize| u32::try_from(*place).ok();
    let places: Option<Vec<u32>> = archive.whole(ARRAYS[3])?.iter().map(narrow).collect();
    let Some(places) = places else {
        return Err(archive.malformed(ARRAYS[3], "a column beyond 2³², expected fewer".into()));
    };
    let values = archive.array(ARRAYS[4], None)?.values;
    let file = archive.file;
    let sparse = Sparse::new(rows, columns, starts, places, values).map_err(|wrong| {
        DataError::Malformed {
            file: file.clone(),
            place: "sparse matrix".into(),
            found: wrong.to_string(),
            expected: "the form of `csr`: `X.sum_duplicates()` sorts the columns of each row"
                .into(),
        }
    })?;
    let most = super::super::DENSE_LIMIT;
    if !reading.dense && is_sparse(sparse.entries(), rows, columns) {
        return Ok(sparse.into());
    }
    if rows.checked_mul(columns).is_none_or(|size| size > most) {
        return Err(DataError::TooLarge {
            file,
            found: format!("{rows} rows of {columns} features are kept with their zeros"),
            limit: format!("{most} numbers in all"),
        });
    }
    Ok(sparse.to_dense().transpose().into())
}

impl Archive {
    /// The word that says how the matrix is kept.
    fn form(&mut self) -> Result<String, DataError> {
        if !self.has(ARRAYS[0]) {
            return Err(DataError::MissingArray {
                file: self.file.clone(),
                array: ARRAYS[0].into(),
                found: self.names(),
            });
        }
        let mut bytes = Vec::new();
        let entry = self.zip.by_name(&super::entry(ARRAYS[0]));
        // A header and three letters.
        let read = entry.map(|entry| entry.take(4096).read_to_end(&mut bytes));
        if let Err(reason) = read
            .map_err(|e| e.to_string())
            .and_then(|r| r.map_err(|e| e.to_string()))
        {
            return Err(self.malformed(ARRAYS[0], reason));
        }
        let letters = bytes
            .iter()
            .rev()
            .take_while(|b| b.is_ascii_lowercase())
            .count();
        Ok(String::from_utf8_lossy(&bytes[bytes.len() - letters..]).into_owned())
    }

    /// An array of whole numbers from 0 on.
    fn whole(&mut self, array: &str) -> Result<Vec<usize>, DataError> {
        let values = self.array(array, None)?.values;
        for (entry, value) in values.iter().enumerate() {
            if !(*value >= 0.0 && value.fract() == 0.0 && *value < 2f64.powi(53)) {
                let found = format!("entry {entry} is {value}, expected a whole number from 0 on");
                return Err(self.malformed(array, found));
            }
        }
        Ok(values.into_iter().map(|value| value as usize).collect())
    }

    fn malformed(&self, array: &str, reason: String) -> DataError {
        DataError::MalformedArray {
            file: self.file.clone(),
            array: array.into(),
            reason,
        }
    }
}
