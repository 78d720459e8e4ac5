//! Sparse tables in the text format of LIBSVM, made dense.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use nalgebra::DMatrix;

use super::error::{DataError, excerpt, unreadable};
use super::split::Plan;
use super::{DENSE_LIMIT, Samples, Splits};

/// Entries that a file may always have when dense.
const FREE: usize = 1 << 20;
/// Beyond, the dense table may have so many entries for each one that the file writes.
const SPARSEST: usize = 1000;

/// Reads a table in the format of LIBSVM and SVMlight, and splits its rows as
/// [`read_csv`](super::read_csv) does.
///
/// A line is `label index:value …`; indices count from 1 and ascend, and what a line leaves out
/// is 0. The largest index is the number of features. What follows a `#` and blank lines are
/// ignored.
///
/// The result is dense. It may have at most [`DENSE_LIMIT`] entries and, beyond a million (2²⁰),
/// 1000 for each entry that the file writes: a mistyped index does not take the machine's memory.
/// The file is read twice, so that no more than the result and a line are held.
///
/// # Errors
///
/// If the file cannot be read; if a label or a value is not a finite number, an index not a
/// positive number above the one before; if the dense table is too large; if there are no features
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
    let source = path.display().to_string();
    let mut extent = Extent::default();
    scan(path, &source, &mut extent)?;
    let plan = Plan::draw(extent.rows, seed, &source)?;
    if extent.dim == 0 {
        return Err(DataError::Empty {
            file: source,
            place: "the table".into(),
            what: "features",
        });
    }
    extent.check(&source)?;

    let mut fill = Fill {
        parts: plan.parts().map(|rows| Samples {
            features: DMatrix::zeros(extent.dim, rows.len()),
            labels: vec![0.0; rows.len()],
        }),
        places: plan.places(),
        next: 0,
        changed: false,
    };
    scan(path, &source, &mut fill)?;
    if fill.changed || fill.next != extent.rows {
        return Err(unreadable(&source)(io::Error::other(
            "it changed while it was read",
        )));
    }
    let [train, valid, test] = fill.parts;
    Ok(Splits {
        train,
        valid,
        test: Some(test),
        source,
    })
}

/// What the lines of a file are told to.
trait Visit {
    /// A line begins.
    fn row(&mut self, label: f64);
    /// It has this value at an index from 0.
    fn entry(&mut self, index: usize, value: f64);
}

/// The size of a table.
#[derive(Default)]
struct Extent {
    rows: usize,
    dim: usize,
    written: usize,
}

impl Visit for Extent {
    fn row(&mut self, _: f64) {
        self.rows += 1;
    }

    fn entry(&mut self, index: usize, _: f64) {
        self.dim = self.dim.max(index + 1);
        self.written += 1;
    }
}

impl Extent {
    fn check(&self, file: &str) -> Result<(), DataError> {
        let (rows, dim, written) = (self.rows, self.dim, self.written);
        let sparse = written.saturating_mul(SPARSEST).max(FREE);
        let most = sparse.min(DENSE_LIMIT);
        if rows.checked_mul(dim).is_some_and(|size| size <= most) {
            return Ok(());
        }
        let why = match most {
            DENSE_LIMIT => String::new(),
            _ => format!(" with {written} written ones"),
        };
        Err(DataError::TooLarge {
            file: file.into(),
            found: format!("{rows} rows of {dim} features, the largest index, made dense"),
            limit: format!("{most} entries{why}"),
        })
    }
}

/// The splits while they are filled.
struct Fill {
    parts: [Samples; 3],
    places: Vec<(u8, usize)>,
    next: usize,
    changed: bool,
}

impl Visit for Fill {
    fn row(&mut self, label: f64) {
        match self.places.get(self.next) {
            Some(&(part, place)) => self.parts[usize::from(part)].labels[place] = label,
            None => self.changed = true,
        }
        self.next += 1;
    }

    fn entry(&mut self, index: usize, value: f64) {
        let place = self.places.get(self.next - 1);
        let slot = place.and_then(|&(part, place)| {
            let features = &mut self.parts[usize::from(part)].features;
            features.get_mut((index, place))
        });
        match slot {
            Some(slot) => *slot = value,
            None => self.changed = true,
        }
    }
}

fn scan(path: &Path, file: &str, visit: &mut impl Visit) -> Result<(), DataError> {
    let mut reader = BufReader::new(File::open(path).map_err(unreadable(file))?);
    let (mut line, mut number) = (Vec::new(), 0_u64);
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line);
        if read.map_err(unreadable(file))? == 0 {
            return Ok(());
        }
        number += 1;
        row(&line, visit).map_err(|(word, expected)| DataError::Malformed {
            file: file.into(),
            place: format!("line {number}"),
            found: format!("`{}`", excerpt(&String::from_utf8_lossy(word))),
            expected,
        })?;
    }
}

/// One line; else the word that is wrong, and what was expected.
fn row<'a>(line: &'a [u8], visit: &mut impl Visit) -> Result<(), (&'a [u8], &'static str)> {
    let text = line.split(|byte| *byte == b'#').next().unwrap_or_default();
    let words = text.split(u8::is_ascii_whitespace);
    let mut words = words.filter(|word| !word.is_empty());
    let Some(first) = words.next() else {
        return Ok(());
    };
    visit.row(parsed(first).ok_or((first, "a finite number as the label"))?);
    let mut above = 0;
    for word in words {
        let colon = word.iter().position(|byte| *byte == b':');
        let colon = colon.ok_or((word, "`index:value`"))?;
        let (index, value) = (&word[..colon], &word[colon + 1..]);
        let index = digits(index).ok_or((word, "an index below 2³² before the colon"))?;
        if index <= above {
            return Err((word, "indices that count from 1 and ascend"));
        }
        above = index;
        let value = parsed(value).ok_or((word, "a finite number after the colon"))?;
        visit.entry(index as usize - 1, value);
    }
    Ok(())
}

fn digits(text: &[u8]) -> Option<u32> {
    let digits = text.iter().all(u8::is_ascii_digit);
    str::from_utf8(text).ok().filter(|_| digits)?.parse().ok()
}

fn parsed(text: &[u8]) -> Option<f64> {
    let value: f64 = str::from_utf8(text).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}
