//! Some rows of an array in the npy format, where the others are another rank's.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, sink};
use std::ops::Range;
use std::path::Path;

use nalgebra::DMatrix;

use super::error::{DataError, Place, one_line, unreadable};
use super::grow;
use super::npy::{Array, Numbers, read_whole, sound};
use super::npy_header::{Header, read_header};
use super::reading::Limit;

/// A file of an array in C order of at least two axes, whose rows can be read one by one.
pub(super) struct RowFile<'a> {
    file: File,
    start: u64,
    header: Header,
    numbers: Numbers,
    at: Place<'a>,
}

/// Numbers of a row.
fn width(shape: &[usize]) -> usize {
    shape[1..].iter().product()
}

impl<'a> RowFile<'a> {
    /// The file, unless it has to be read as a whole.
    pub(super) fn open(path: &Path, at: Place<'a>) -> Result<Option<Self>, DataError> {
        let unread = unreadable(at.file);
        let file = File::open(path).map_err(unread)?;
        if !file.metadata().map_err(unread)?.is_file() {
            return Ok(None);
        }
        let len = file.metadata().map_err(unread)?.len();
        let mut stream = BufReader::new(&file);
        let mut start = [0; 6];
        if stream.read_exact(&mut start).is_err() || &start != b"\x93NUMPY" {
            return Ok(None);
        }
        stream.rewind().map_err(unread)?;
        let header = read_header(&mut stream, at)?;
        let start = stream.stream_position().map_err(unread)?;
        if header.shape.len() < 2 || header.fortran_order {
            return Ok(None);
        }
        let numbers = Numbers::of(&header, at)?;
        numbers.check(&header, len.saturating_sub(start) as usize, at)?;
        Ok(Some(RowFile {
            file,
            start,
            header,
            numbers,
            at,
        }))
    }

    /// How many rows there are, of how many numbers.
    pub(super) fn shape(&self) -> (usize, usize) {
        (self.header.shape[0], width(&self.header.shape))
    }

    /// These rows as columns.
    ///
    /// # Errors
    /// If one cannot be read, or has a value that is not finite or beyond the limit.
    pub(super) fn read(&self, rows: &[usize], limit: Limit) -> Result<DMatrix<f64>, DataError> {
        let unread = unreadable(self.at.file);
        let (_, width) = self.shape();
        let mut bytes = vec![0; width * self.numbers.size];
        let mut values = Vec::with_capacity(rows.len() * width);
        let mut file = &self.file;
        for row in rows {
            let place = self.start + (row * bytes.len()) as u64;
            file.seek(SeekFrom::Start(place)).map_err(unread)?;
            file.read_exact(&mut bytes).map_err(unread)?;
            let from = values.len();
            self.numbers.decode(&bytes, &mut values);
            sound(
                &values[from..],
                row * width,
                &self.header.shape,
                self.at,
                limit,
            )?;
        }
        Ok(DMatrix::from_vec(width, rows.len(), values))
    }
}

/// Some rows of a stream, which must end where the data ends: no others are held. `range` says which, of
/// so many.
pub(super) fn read_range(
    mut stream: impl Read,
    at: Place,
    limit: Limit,
    range: impl FnOnce(usize) -> Range<usize>,
) -> Result<Array, DataError> {
    let header = read_header(&mut stream, at)?;
    if header.shape.len() < 2 || header.fortran_order {
        let whole = read_whole(header, stream, at)?;
        sound(&whole.values, 0, &whole.shape, at, limit)?;
        let rows = range(whole.shape.first().copied().unwrap_or(0));
        let width = whole.values.len() / whole.shape.first().copied().unwrap_or(0).max(1);
        let values = whole.values[rows.start * width..rows.end * width].to_vec();
        return Ok(Array { values, ..whole });
    }
    let numbers = Numbers::of(&header, at)?;
    let (rows, width) = (range(header.shape[0]), width(&header.shape));
    let bytes = |rows: usize| rows.saturating_mul(width).saturating_mul(numbers.size) as u64;
    let torn = |reason: io::Error| {
        at.malformed(format!("its data cannot be unpacked: {}", one_line(reason)))
    };
    let before = io::copy(&mut stream.by_ref().take(bytes(rows.start)), &mut sink());
    let before = before.map_err(torn)?;
    let own = stream.by_ref().take(bytes(rows.len()));
    let count = rows.len().saturating_mul(width);
    let taken = grow::numbers(own, count, numbers.size, |bytes, values| {
        numbers.decode(bytes, values);
    });
    let taken = taken.map_err(torn)?;
    let after = io::copy(&mut stream, &mut sink()).map_err(torn)?;
    numbers.check(&header, before as usize + taken.bytes + after as usize, at)?;
    sound(&taken.values, rows.start * width, &header.shape, at, limit)?;
    Ok(Array {
        shape: header.shape,
        values: taken.values,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Place<'static> = Place {
        file: "file",
        array: "x",
    };

    /// 5 rows of 3 numbers: 0, 1, … in C order.
    fn stream(fortran: &str, data: usize) -> Vec<u8> {
        let text = format!("{{'descr': '<f8', 'fortran_order': {fortran}, 'shape': (5, 3)}}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.bytes());
        let number = |k: usize| match fortran {
            "True" => (k % 5 * 3 + k / 5) as f64,
            _ => k as f64,
        };
        bytes.extend((0..data).flat_map(|k| number(k).to_le_bytes()));
        bytes
    }

    fn read(bytes: &[u8], rows: Range<usize>) -> Result<Array, DataError> {
        read_range(bytes, AT, Limit::NONE, |n| {
            assert_eq!(n, 5);
            rows
        })
    }

    #[test]
    fn rows_of_a_stream_are_those_of_the_whole_array() {
        for fortran in ["False", "True"] {
            for rows in [0..5, 1..3, 4..5, 2..2] {
                let array = read(&stream(fortran, 15), rows.clone()).expect("a sound array");
                let want: Vec<f64> = (rows.start * 3..rows.end * 3).map(|k| k as f64).collect();
                assert_eq!((array.shape, array.values), (vec![5, 3], want));
            }
            for data in [0, 2, 5, 14, 16] {
                let told = read(&stream(fortran, data), 1..3)
                    .err()
                    .expect("a wrong length");
                let told = told.to_string();
                let expected = if data < 15 { "truncated" } else { "more bytes" };
                assert!(told.contains(expected), "{told}");
            }
        }
    }

    #[test]
    fn a_row_that_is_not_finite_is_named_by_its_place_in_the_array() {
        let mut bytes = stream("False", 15);
        let at = bytes.len() - 4 * 8;
        bytes[at..at + 8].copy_from_slice(&f64::NAN.to_le_bytes());
        let told = read(&bytes, 3..5).err().expect("NaN").to_string();
        assert!(
            told.contains("array `x`, row 3, column 2, is NaN"),
            "{told}"
        );
        assert!(read(&bytes, 0..3).is_ok(), "it is another rank's");
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), &bytes).expect("written");
        let rows = RowFile::open(file.path(), AT)
            .expect("sound")
            .expect("rows");
        assert_eq!(rows.shape(), (5, 3));
        let some = rows.read(&[4, 0], Limit::NONE).expect("finite rows");
        assert_eq!(some.as_slice(), [12.0, 13.0, 14.0, 0.0, 1.0, 2.0]);
        let told = rows
            .read(&[0, 3], Limit::NONE)
            .expect_err("NaN")
            .to_string();
        assert!(
            told.contains("array `x`, row 3, column 2, is NaN"),
            "{told}"
        );
    }
}
