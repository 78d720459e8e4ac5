//! Sparse tables in the text format of LIBSVM.

mod fill;

use std::io::{self, BufRead};
use std::path::Path;

use nalgebra::DMatrix;

use super::error::{DataError, excerpt, unreadable};
use super::features::is_sparse;
use super::labels::{Seen, Whence};
use super::opened::Opened;
use super::reading::{Limit, Read, Reading};
use super::split::Plan;
use super::{About, DENSE_LIMIT, Format, Splits};
use fill::{Fill, Rows};

/// Entries that a file may always have when dense, and features when sparse.
const FREE: usize = 1 << 20;
/// Beyond, the dense table may have this many entries for each one that the file writes.
const SPARSEST: usize = 1000;

/// Reads a table in the format of LIBSVM and SVMlight, and splits its rows as
/// [`read_csv`](super::read_csv) does.
///
/// A line is `label index:value …`; indices ascend, and what a line leaves out is 0. They count from
/// 0 if a 0 occurs, else from 1, and the last one tells the number of features. What follows a `#`,
/// blank lines and queries `qid:number` are ignored. [`Reading`] has a setting for the first index,
/// and says what was decided.
///
/// The result is sparse if fewer than one in [`SPARSE_FROM`](super::SPARSE_FROM) of its entries are
/// written, else dense, or if [`Reading::dense`] asks for that. It may have at most, if dense,
/// [`DENSE_LIMIT`] entries and, beyond a million (2²⁰), 1000 for each entry that the file writes; if
/// sparse, beyond a million, a feature for each of these: a mistyped index does not take the machine's
/// memory. The file is read twice, so that no more than the result and a line are held.
///
/// # Errors
///
/// If the file cannot be read; if a label or a value is not a finite number, an index not a
/// positive number above the one before; if the table is too large; if there are no features
/// or fewer than four rows.
///
/// ```
/// let file = tempfile::Builder::new().suffix(".libsvm").tempfile()?;
/// std::fs::write(&file, "+1 1:0.5 3:2 # a comment\n-1 2:1\n\n+1 1:1\n-1\n")?;
/// let splits = models::data::read_libsvm(file.path(), 0)?;
/// assert_eq!((splits.train.len(), splits.train.dim()), (2, 3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_libsvm(path: &Path, seed: u64) -> Result<Splits, DataError> {
    let reading = Reading {
        seed,
        format: Some(Format::Libsvm),
        ..Reading::default()
    };
    reading.load(path).map(|loaded| loaded.splits)
}

pub(super) fn read(path: &Path, reading: &Reading) -> Result<Read, DataError> {
    let source = path.display().to_string();
    let mut extent = Extent::new(reading.limit());
    let least = reading.first_index.unwrap_or(0).into();
    scan(path, &source, least, &mut extent)?;
    if let Some((line, value)) = extent.beyond {
        let place = format!("line {line}");
        return Err(reading.limit().beyond(&source, place, value));
    }
    let plan = Plan::of(extent.rows, reading, &source)?;
    let Some((smallest, largest)) = extent.indices else {
        return Err(DataError::Empty {
            file: source,
            place: "the table".into(),
            what: "features",
        });
    };
    let first = match reading.first_index {
        Some(first) => first.into(),
        None => smallest.min(1),
    };
    let dim = (largest - first) as usize + 1;
    let (rows, written) = (extent.rows, extent.counts.iter().map(|c| *c as usize).sum());
    let sparse = !reading.dense && is_sparse(written, rows, dim);
    match sparse {
        true => check_sparse(dim, written, &source)?,
        false => check_dense((rows, dim), written, &source)?,
    }
    let mut about = About {
        format: "libsvm".into(),
        notes: vec![format!("indices from {first}")],
        ..About::default()
    };
    if extent.queries {
        about.dropped.push("the queries `qid:`".into());
    }

    let changed = || unreadable(&source)(io::Error::other("it changed while it was read"));
    let [train, valid, test] = if sparse {
        let counts = |rows: &[usize]| {
            let counts = rows.iter().map(|row| extent.counts[*row] as usize);
            Rows::new(dim, counts)
        };
        let mut fill = Fill::new(&plan, first, counts);
        scan(path, &source, first, &mut fill)?;
        fill.finish(rows, changed)?
    } else {
        let zeros = |rows: &[usize]| DMatrix::zeros(dim, rows.len());
        let mut fill = Fill::new(&plan, first, zeros);
        scan(path, &source, first, &mut fill)?;
        fill.finish(rows, changed)?
    };
    Ok(Read {
        splits: Splits {
            train,
            valid,
            test: Some(test),
            source,
        },
        about,
        seen: extent.seen,
    })
}

/// What the lines of a file are told to.
trait Visit {
    /// A line begins.
    fn row(&mut self, label: f64, line: u64);
    /// It has this value at an index as it is written.
    fn entry(&mut self, index: u32, value: f64);
    /// It belongs to a query.
    fn query(&mut self) {}
}

/// The size of a table.
struct Extent {
    limit: Limit,
    /// The line and the first number that is beyond the limit.
    beyond: Option<(u64, f64)>,
    /// The line that is read.
    line: u64,
    rows: usize,
    /// The smallest and the largest index.
    indices: Option<(u32, u32)>,
    /// Entries that each row writes.
    counts: Vec<u32>,
    queries: bool,
    seen: Seen,
}

impl Visit for Extent {
    fn row(&mut self, label: f64, line: u64) {
        self.rows += 1;
        self.counts.push(0);
        self.line = line;
        self.hold(label);
        self.seen.add(label, || Whence::Line(line));
    }

    fn entry(&mut self, index: u32, value: f64) {
        self.hold(value);
        let (smallest, largest) = self.indices.unwrap_or((index, index));
        self.indices = Some((smallest.min(index), largest.max(index)));
        if let Some(count) = self.counts.last_mut() {
            *count += 1;
        }
    }

    fn query(&mut self) {
        self.queries = true;
    }
}

impl Extent {
    fn new(limit: Limit) -> Self {
        Extent {
            limit,
            beyond: None,
            line: 0,
            rows: 0,
            indices: None,
            counts: Vec::new(),
            queries: false,
            seen: Seen::default(),
        }
    }

    /// Holds a number against the limit.
    fn hold(&mut self, value: f64) {
        if !self.limit.allows(value) {
            self.beyond.get_or_insert((self.line, value));
        }
    }
}

/// Refuses a dense table that is too large.
fn check_dense((rows, dim): (usize, usize), written: usize, file: &str) -> Result<(), DataError> {
    let sparse = written.saturating_mul(SPARSEST).max(FREE);
    let most = sparse.min(DENSE_LIMIT);
    if rows.checked_mul(dim).is_some_and(|size| size <= most) {
        return Ok(());
    }
    let why = match most {
        DENSE_LIMIT => "",
        _ => ", so many zeros may be a slip of an index",
    };
    Err(DataError::TooLarge {
        file: file.into(),
        found: format!(
            "{rows} rows of {dim} features, as the largest index says, are kept with their \
             zeros, and {written} of their numbers are written"
        ),
        limit: format!(
            "{most} numbers in all{why}: leave out features that few rows have, or fold the \
             indices into fewer"
        ),
    })
}

/// Refuses a sparse table of features that nothing is written of.
fn check_sparse(dim: usize, written: usize, file: &str) -> Result<(), DataError> {
    let most = written.max(FREE);
    if dim <= most {
        return Ok(());
    }
    Err(DataError::TooLarge {
        file: file.into(),
        found: format!("{dim} features, as the largest index says, and {written} numbers"),
        limit: format!(
            "{most} features, so many without a number may be a slip of an index: fold the indices \
             into fewer"
        ),
    })
}

/// Reads every line; indices are at least `least`.
fn scan(path: &Path, file: &str, least: u32, visit: &mut impl Visit) -> Result<(), DataError> {
    let mut reader = Opened::open(path, file)?.stream();
    let (mut line, mut number) = (Vec::new(), 0_u64);
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line);
        if read.map_err(unreadable(file))? == 0 {
            return Ok(());
        }
        number += 1;
        row(&line, number, least, visit).map_err(|(word, expected)| DataError::Malformed {
            file: file.into(),
            place: format!("line {number}"),
            found: format!("`{}`", excerpt(&String::from_utf8_lossy(word))),
            expected: expected.into(),
        })?;
    }
}

/// One line; else the word that is wrong, and what was expected.
fn row<'a>(
    line: &'a [u8],
    number: u64,
    least: u32,
    visit: &mut impl Visit,
) -> Result<(), (&'a [u8], &'static str)> {
    let text = line.split(|byte| *byte == b'#').next().unwrap_or_default();
    let words = text.split(u8::is_ascii_whitespace);
    let mut words = words.filter(|word| !word.is_empty()).peekable();
    let Some(first) = words.next() else {
        return Ok(());
    };
    let label = parsed(first).ok_or((first, "a finite number as the label"))?;
    visit.row(label, number);
    if words.next_if(|word| word.starts_with(b"qid:")).is_some() {
        visit.query();
    }
    let mut next = u64::from(least);
    for word in words {
        let colon = word.iter().position(|byte| *byte == b':');
        let colon = colon.ok_or((word, "`index:value`"))?;
        let (index, value) = (&word[..colon], &word[colon + 1..]);
        let index = digits(index).ok_or((word, "an index below 2³² before the colon"))?;
        if u64::from(index) < next {
            return Err((word, ascending(least)));
        }
        next = u64::from(index) + 1;
        let value = parsed(value).ok_or((word, "a finite number after the colon"))?;
        visit.entry(index, value);
    }
    Ok(())
}

fn ascending(least: u32) -> &'static str {
    match least {
        0 => "indices that ascend",
        _ => "indices that count from 1 and ascend",
    }
}

fn digits(text: &[u8]) -> Option<u32> {
    let digits = text.iter().all(u8::is_ascii_digit);
    str::from_utf8(text).ok().filter(|_| digits)?.parse().ok()
}

fn parsed(text: &[u8]) -> Option<f64> {
    let value: f64 = str::from_utf8(text).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}
