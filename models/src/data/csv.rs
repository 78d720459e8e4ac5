//! Tables of numbers in comma-separated text.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder, Terminator};
use nalgebra::DMatrix;

use super::error::{DataError, excerpt, unreadable};
use super::split::Plan;
use super::{Samples, Splits};

/// Reads a table of comma-separated numbers, the label in the last column, and splits its rows.
///
/// The first line is a header, and ignored, if none of its fields is a number. Blank lines are
/// skipped. The rows are shuffled with `seed`; half of them (rounded up) become the training split,
/// half of the rest (rounded up) the validation split, and the others the test split.
///
/// # Errors
///
/// If the file cannot be read; if a field is not a finite number; if lines differ in their number
/// of fields; if there are no features or fewer than four rows.
///
/// ```
/// let file = tempfile::Builder::new().suffix(".csv").tempfile()?;
/// std::fs::write(&file, "height,width,label\n1,2,0\n3,4,1\n5,6,0\n7,8,1\n")?;
/// let splits = models::data::read_csv(file.path(), 7)?;
/// assert_eq!((splits.train.len(), splits.valid.len(), splits.train.dim()), (2, 1, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_csv(path: &Path, seed: u64) -> Result<Splits, DataError> {
    let source = path.display().to_string();
    let table = read_table(path, &source)?;
    Ok(Plan::draw(table.len(), seed, &source)?.gather(&table, source))
}

fn read_table(path: &Path, file: &str) -> Result<Samples, DataError> {
    let unreadable = unreadable(file);
    let opened = File::open(path).map_err(unreadable)?;
    // Every line ends in a newline, so that after a record the reader stands on the next line.
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .terminator(Terminator::Any(b'\n'))
        .from_reader(opened.chain(&b"\n"[..]));

    let (mut features, mut labels) = (Vec::new(), Vec::new());
    let mut width = None;
    let mut record = ByteRecord::new();
    while reader
        .read_byte_record(&mut record)
        .map_err(|e| unreadable(e.into()))?
    {
        if record.len() == 1 && record[0].trim_ascii().is_empty() {
            continue;
        }
        let line = reader.position().line().saturating_sub(1);
        let first = width.is_none();
        let expected = *width.get_or_insert(record.len());
        if record.len() != expected {
            let (file, found) = (file.into(), record.len());
            return Err(DataError::RaggedCsv {
                file,
                line,
                found,
                expected,
            });
        }
        if first && record.iter().all(|field| number(field).is_none()) {
            continue;
        }
        for (column, field) in record.iter().enumerate() {
            let value = number(field)
                .filter(|value| value.is_finite())
                .ok_or_else(|| DataError::MalformedCsv {
                    file: file.into(),
                    line,
                    column: column + 1,
                    text: excerpt(&String::from_utf8_lossy(field)),
                })?;
            if column + 1 < expected {
                features.push(value)
            } else {
                labels.push(value)
            }
        }
    }

    // What they grew to ahead of the rows.
    features.shrink_to_fit();
    labels.shrink_to_fit();
    match width {
        Some(1) => Err(DataError::Empty {
            file: file.into(),
            place: "the table, with one column for the labels,".into(),
            what: "features",
        }),
        _ => {
            let dim = width.map_or(0, |width| width - 1);
            Ok(Samples {
                features: DMatrix::from_vec(dim, labels.len(), features),
                labels,
            })
        }
    }
}

fn number(field: &[u8]) -> Option<f64> {
    str::from_utf8(field).ok()?.trim().parse().ok()
}
