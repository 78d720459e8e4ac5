//! Which format a file has: by its name where that says so, else by what is in it.

use std::fmt;
use std::path::Path;

use super::error::{DataError, excerpt};
use super::opened::Opened;

/// Lines that are looked at.
const LINES: usize = 50;

/// A format of tables in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An archive of NumPy arrays.
    Npz,
    /// Rows of numbers with a comma, semicolon, tab, bar or blanks between them.
    Csv,
    /// Rows of `label index:value …`.
    Libsvm,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Npz => "npz",
            Format::Csv => "csv",
            Format::Libsvm => "libsvm",
        })
    }
}

/// First bytes by which files of other kinds are known.
const OTHERS: [(&[u8], &str); 15] = [
    (b"\x93NUMPY", "one NumPy array"),
    (b"\0\0\x08", "one IDX file"),
    (b"\0\0\x0d", "one IDX file"),
    (b"\0\0\x0e", "one IDX file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"PAR1", "a Parquet file"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x28\xb5\x2f\xfd", "a file packed by zstd"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet"),
    (b"\xff\xfe", "text in UTF-16"),
    (b"\xfe\xff", "text in UTF-16"),
    (b"@relation", "an ARFF file"),
    (b"<", "XML or HTML"),
];

/// The format of a file.
///
/// # Errors
/// [`DataError::UnknownFormat`] if it is none of those that can be read.
pub(super) fn of(path: &Path, opened: &Opened, file: &str) -> Result<Format, DataError> {
    let unknown = |found: String| DataError::UnknownFormat {
        file: file.into(),
        found,
    };
    let sample = &opened.sample[..];
    let archive = sample.starts_with(b"PK\x03\x04") || sample.starts_with(b"PK\x05\x06");
    if let (true, Some(packing)) = (archive, opened.packing) {
        return Err(unknown(format!("an archive packed by {packing}")));
    }
    let extension = extension(path, opened.packing);
    match extension.as_str() {
        "npz" => return Ok(Format::Npz),
        _ if archive => return Ok(Format::Npz),
        "csv" | "tsv" => return Ok(Format::Csv),
        "libsvm" | "svm" | "svmlight" => return Ok(Format::Libsvm),
        _ => {}
    }
    let start = sample.trim_ascii_start();
    let is = |magic: &&(&[u8], &str)| {
        let begins = |bytes: &[u8]| {
            let head = bytes.get(..magic.0.len());
            head.is_some_and(|head| head.eq_ignore_ascii_case(magic.0))
        };
        begins(sample) || begins(start)
    };
    if let Some((_, what)) = OTHERS.iter().find(is) {
        return Err(unknown((*what).into()));
    }
    if sample.contains(&0) {
        let head = String::from_utf8_lossy(&sample[..sample.len().min(8)]);
        return Err(unknown(format!("bytes that begin `{}`", excerpt(&head))));
    }
    Ok(if has_indices(sample) {
        Format::Libsvm
    } else {
        Format::Csv
    })
}

/// The extension in lower case, without one that says how the file is packed.
fn extension(path: &Path, packing: Option<&str>) -> String {
    let last = path.extension().unwrap_or_default().to_string_lossy();
    let named = match packing {
        Some(_) if ["gz", "bz2", "xz"].contains(&&*last.to_ascii_lowercase()) => {
            let stem = Path::new(path.file_stem().unwrap_or_default());
            stem.extension().unwrap_or_default().to_string_lossy()
        }
        _ => last,
    };
    named.to_ascii_lowercase()
}

/// Whether a line has words `index:value` after a number, as LIBSVM's lines do.
fn has_indices(sample: &[u8]) -> bool {
    let indexed = |word: &[u8]| {
        let colon = word.iter().position(|byte| *byte == b':');
        let name = colon.map_or(&b""[..], |colon| &word[..colon]);
        name == b"qid" || (!name.is_empty() && name.iter().all(u8::is_ascii_digit))
    };
    let line = |line: &[u8]| {
        let text = line.split(|byte| *byte == b'#').next().unwrap_or_default();
        let words = text.split(u8::is_ascii_whitespace);
        let mut words = words.filter(|word| !word.is_empty());
        words.next().is_some() && words.next().is_some_and(indexed)
    };
    sample.split(|byte| *byte == b'\n').take(LINES).any(line)
}
