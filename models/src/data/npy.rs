//! One array in the npy format, as real numbers in C order.

use std::io::Read;

use super::error::{DataError, Place, one_line, place as error_place};
use super::grow;
use super::npy_header::{Dtype, Header, read_header};
use super::reading::Limit;

/// An array of any rank, its values in C order (last axis fastest).
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f64>,
}

/// Reads a whole npy stream, which must end where the data ends.
pub(super) fn read(mut stream: impl Read, at: Place) -> Result<Array, DataError> {
    let header = read_header(&mut stream, at)?;
    read_whole(header, stream, at)
}

/// How numbers are written.
pub(super) struct Numbers {
    /// Bytes of each.
    pub(super) size: usize,
    big_endian: bool,
    decode: Decode,
}

impl Numbers {
    pub(super) fn of(header: &Header, at: Place) -> Result<Self, DataError> {
        let decoder = header.dtype.decoder();
        let (size, decode) = decoder.ok_or_else(|| at.unsupported(&header.dtype.text))?;
        Ok(Numbers {
            size,
            big_endian: header.dtype.big_endian,
            decode,
        })
    }

    pub(super) fn decode(&self, bytes: &[u8], values: &mut Vec<f64>) {
        (self.decode)(bytes, self.big_endian, values);
    }

    /// Bytes that the shape needs; `None` if they are beyond memory, and so beyond any file.
    fn needed(&self, header: &Header) -> Option<usize> {
        let mut axes = header.shape.iter();
        axes.try_fold(self.size, |bytes, &axis| bytes.checked_mul(axis))
    }

    /// # Errors
    /// If so many bytes of data are not those that the shape needs.
    pub(super) fn check(&self, header: &Header, found: usize, at: Place) -> Result<(), DataError> {
        let needed = self.needed(header);
        if needed.is_none_or(|needed| found < needed) {
            return Err(DataError::TruncatedArray {
                file: at.file.into(),
                array: at.array.into(),
                shape: header.shape.clone(),
                dtype: header.dtype.text.clone(),
                found,
            });
        }
        if needed.is_some_and(|needed| found > needed) {
            let shape = &header.shape;
            return Err(at.malformed(format!("more bytes than the shape {shape:?} needs")));
        }
        Ok(())
    }
}

/// Reads what comes after a header.
pub(super) fn read_whole(header: Header, stream: impl Read, at: Place) -> Result<Array, DataError> {
    let numbers = Numbers::of(&header, at)?;
    let (needed, size) = (numbers.needed(&header), numbers.size);
    let count = needed.map_or(usize::MAX, |bytes| bytes / size);
    let taken = grow::numbers(stream, count, size, |bytes, values| {
        numbers.decode(bytes, values);
    })
    .map_err(|reason| at.malformed(format!("its data cannot be unpacked: {}", one_line(reason))))?;
    numbers.check(&header, taken.bytes, at)?;

    let mut values = taken.values;
    if header.fortran_order && header.shape.len() > 1 {
        values = fortran_to_c(&values, &header.shape);
    }
    Ok(Array {
        shape: header.shape,
        values,
    })
}

/// # Errors
/// If a value is NaN or infinite, or beyond the limit.
pub(super) fn finite(array: &Array, at: Place, limit: Limit) -> Result<(), DataError> {
    sound(&array.values, 0, &array.shape, at, limit)
}

/// [`finite`] of the values from `first` on of an array of this shape.
pub(super) fn sound(
    values: &[f64],
    first: usize,
    shape: &[usize],
    at: Place,
    limit: Limit,
) -> Result<(), DataError> {
    let sound = |value: &f64| value.is_finite() && limit.allows(*value);
    let Some(found) = values.iter().position(|value| !sound(value)) else {
        return Ok(());
    };
    let (index, value) = (multi_index(first + found, shape), values[found]);
    if value.is_finite() {
        let index = error_place(&index);
        return Err(limit.beyond(at.file, format!("array `{}`, {index}", at.array), value));
    }
    Err(DataError::NotFinite {
        file: at.file.into(),
        array: at.array.into(),
        index,
        value,
    })
}

fn multi_index(mut position: usize, shape: &[usize]) -> Vec<usize> {
    let mut index: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&axis| {
            let along = position % axis;
            position /= axis;
            along
        })
        .collect();
    index.reverse();
    index
}

type Decode = fn(&[u8], bool, &mut Vec<f64>);

impl Dtype {
    /// The bytes of one element, and the conversion of many.
    fn decoder(&self) -> Option<(usize, Decode)> {
        macro_rules! numbers {
            ($number:ty, $to_f64:expr) => {{
                const SIZE: usize = size_of::<$number>();
                let decode: Decode = |bytes, big_endian, values| {
                    let chunks = bytes.as_chunks::<SIZE>().0.iter();
                    if big_endian {
                        values.extend(chunks.map(|&c| $to_f64(<$number>::from_be_bytes(c))))
                    } else {
                        values.extend(chunks.map(|&c| $to_f64(<$number>::from_le_bytes(c))))
                    }
                };
                (SIZE, decode)
            }};
            ($number:ty) => {
                numbers!($number, |number| number as f64)
            };
        }
        let (order, code) = self.text.split_at_checked(1)?;
        let (size, decode) = match code {
            "b1" => numbers!(u8, |byte| f64::from(u8::from(byte != 0))),
            "i1" => numbers!(i8),
            "i2" => numbers!(i16),
            "i4" => numbers!(i32),
            "i8" => numbers!(i64),
            "u1" => numbers!(u8),
            "u2" => numbers!(u16),
            "u4" => numbers!(u32),
            "u8" => numbers!(u64),
            "f2" => numbers!(u16, half_to_f64),
            "f4" => numbers!(f32),
            "f8" => numbers!(f64, |number| number),
            _ => return None,
        };
        let known_order = matches!(order, "<" | ">") || (order == "|" && size == 1);
        known_order.then_some((size, decode))
    }
}

/// The IEEE half-precision number with these bits.
fn half_to_f64(bits: u16) -> f64 {
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f64::from(bits & 0x3ff);
    let magnitude = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 {
        -magnitude
    } else {
        magnitude
    }
}

fn fortran_to_c(values: &[f64], shape: &[usize]) -> Vec<f64> {
    let strides: Vec<usize> = shape
        .iter()
        .scan(1, |stride, &axis| {
            Some(std::mem::replace(stride, *stride * axis))
        })
        .collect();
    let mut index = vec![0; shape.len()];
    let mut offset = 0;
    let mut ordered = Vec::with_capacity(values.len());
    while ordered.len() < values.len() {
        ordered.push(values[offset]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            offset += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            offset -= shape[axis] * strides[axis];
            index[axis] = 0;
        }
    }
    ordered
}
