//! Points as archives of NumPy arrays.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use autodiff::Real;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Bytes that the header of an array is a multiple of.
const ALIGNED: usize = 64;

/// Writes a point as an npz file that `numpy.load` and [`read_point`](super::read_point) read: arrays
/// `x` and `y` in the scalar type, `<f8` or `<f4`, and `names`, two strings that say what the entries
/// of x and of y are.
///
/// The file is complete or not there: it is written beside its place first, as `….part`.
///
/// # Errors
/// If it cannot be written.
///
/// ```
/// use models::data::{read_point, write_point};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("solution.npz");
/// write_point(&path, &[0.5_f32, -2.0], &[1.0], ["ln of the penalties", "weights"])?;
/// let point = read_point(&path).expect("a point");
/// assert_eq!((point.x, point.y), (vec![0.5, -2.0], Some(vec![1.0])));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write_point<T: Real>(path: &Path, x: &[T], y: &[T], names: [&str; 2]) -> io::Result<()> {
    let part = path.with_extension("npz.part");
    let written = archive(&part, x, y, names).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // What it takes is of more use to others.
        let _ = fs::remove_file(&part);
    }
    written
}

fn archive<T: Real>(path: &Path, x: &[T], y: &[T], names: [&str; 2]) -> io::Result<()> {
    let mut archive = ZipWriter::new(BufWriter::new(File::create(path)?));
    let options = |bytes: usize| {
        SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(u32::try_from(bytes).is_err())
    };
    for (name, values) in [("x.npy", x), ("y.npy", y)] {
        archive.start_file(name, options(9 * values.len()))?;
        if T::NAME == "f32" {
            archive.write_all(&header("<f4", values.len()))?;
            for value in values {
                archive.write_all(&(value.f64() as f32).to_le_bytes())?;
            }
        } else {
            archive.write_all(&header("<f8", values.len()))?;
            for value in values {
                archive.write_all(&value.f64().to_le_bytes())?;
            }
        }
    }
    archive.start_file("names.npy", options(0))?;
    archive.write_all(&strings(names))?;
    let file = archive.finish()?.into_inner().map_err(|e| e.into_error())?;
    file.sync_all()
}

/// The header of an array of one axis.
fn header(dtype: &str, length: usize) -> Vec<u8> {
    let mut text =
        format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({length},), }}");
    let start = b"\x93NUMPY\x01\x00";
    let before = start.len() + 2;
    while !(before + text.len() + 1).is_multiple_of(ALIGNED) {
        text.push(' ');
    }
    text.push('\n');
    let bytes = u16::try_from(text.len()).expect("a short header");
    [start, &bytes.to_le_bytes()[..], text.as_bytes()].concat()
}

/// An array of strings, in NumPy's UTF-32.
fn strings(of: [&str; 2]) -> Vec<u8> {
    let longest = of.map(|text| text.chars().count()).into_iter().max();
    let longest = longest.unwrap_or(0).max(1);
    let mut bytes = header(&format!("<U{longest}"), of.len());
    for text in of {
        let padded = text.chars().map(u32::from).chain(std::iter::repeat(0));
        bytes.extend(padded.take(longest).flat_map(u32::to_le_bytes));
    }
    bytes
}
