//! Arrays in the IDX format of the MNIST files.

use std::io::{self, Read};

use super::error::{DataError, one_line};
use super::grow;
use super::npy::Array;

/// Reads a whole IDX stream, which must end where the data ends: two zero bytes, the element type,
/// the number of axes, a big-endian `u32` for each axis, and big-endian data, last axis fastest.
/// The second result is whether the elements are unsigned bytes, of which pixels are.
pub(super) fn read(mut stream: impl Read, file: &str) -> Result<(Array, bool), DataError> {
    let malformed = |byte: usize, found: String, expected: &str| DataError::Malformed {
        file: file.into(),
        place: format!("byte {byte}"),
        found,
        expected: expected.into(),
    };
    let cut = |byte| {
        move |error: io::Error| {
            let found = match error.kind() {
                io::ErrorKind::UnexpectedEof => "the file ends".into(),
                _ => format!("its data cannot be unpacked: {}", one_line(error)),
            };
            malformed(byte, found, "an IDX header")
        }
    };
    let mut start = [0; 4];
    stream.read_exact(&mut start).map_err(cut(0))?;
    let [0, 0, kind, rank] = start else {
        let found = format!("{:#04x} {:#04x}", start[0], start[1]);
        let expected = "two zero bytes, with which an IDX file starts";
        return Err(malformed(0, found, expected));
    };
    let Some((size, decode)) = decoder(kind) else {
        let expected = "0x08, 0x09, 0x0b, 0x0c, 0x0d or 0x0e, an element type";
        return Err(malformed(2, format!("{kind:#04x}"), expected));
    };
    if !(1..=4).contains(&rank) {
        return Err(malformed(3, format!("{rank} axes"), "1 to 4"));
    }
    let mut shape = Vec::new();
    for axis in 0..usize::from(rank) {
        let mut length = [0; 4];
        let byte = 4 + 4 * axis;
        stream.read_exact(&mut length).map_err(cut(byte))?;
        shape.push(u32::from_be_bytes(length) as usize);
    }

    let needed = shape
        .iter()
        .try_fold(size, |bytes, &axis| bytes.checked_mul(axis));
    let count = needed.map_or(usize::MAX, |bytes| bytes / size);
    let header = 4 + 4 * shape.len();
    let taken = grow::numbers(stream, count, size, decode).map_err(|error| {
        let found = format!("its data cannot be unpacked: {}", one_line(error));
        malformed(header, found, "the data")
    })?;
    if needed == Some(taken.bytes) {
        let values = taken.values;
        return Ok((Array { shape, values }, kind == 0x08));
    }
    let shape = shape.iter().map(usize::to_string);
    let shape = shape.collect::<Vec<_>>().join(" × ");
    let (byte, found) = match needed {
        Some(needed) if taken.bytes > needed => (header + needed, "more data"),
        _ => (header + taken.bytes, "the file ends"),
    };
    Err(malformed(
        byte,
        format!("{found}, with {shape} entries of {size} bytes"),
        "as many bytes as the header says",
    ))
}

type Decode = fn(&[u8], &mut Vec<f64>);

/// The bytes of one element, and the conversion of many.
fn decoder(kind: u8) -> Option<(usize, Decode)> {
    macro_rules! numbers {
        ($number:ty) => {{
            const SIZE: usize = size_of::<$number>();
            let decode: Decode = |bytes, values| {
                let chunks = bytes.as_chunks::<SIZE>().0.iter();
                values.extend(chunks.map(|&c| <$number>::from_be_bytes(c) as f64))
            };
            (SIZE, decode)
        }};
    }
    Some(match kind {
        0x08 => numbers!(u8),
        0x09 => numbers!(i8),
        0x0b => numbers!(i16),
        0x0c => numbers!(i32),
        0x0d => numbers!(f32),
        0x0e => numbers!(f64),
        _ => return None,
    })
}
