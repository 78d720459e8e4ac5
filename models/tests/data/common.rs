//! Arrays and files to read, and the messages that refuse them.

pub(crate) use models::data::{self, DataError, Splits};
pub(crate) use npyz::{DType, Order, WriterBuilder};
pub(crate) use rand::{RngExt, SeedableRng};
pub(crate) use rand_chacha::ChaCha8Rng;
pub(crate) use std::io::{Cursor, Write};
pub(crate) use std::path::Path;
pub(crate) use std::time::Instant;
pub(crate) use tempfile::{NamedTempFile, TempDir};
pub(crate) use zip::CompressionMethod::{Deflated, Stored};
pub(crate) use zip::write::SimpleFileOptions;

pub(crate) type Arrays = Vec<(&'static str, Vec<u8>)>;

pub(crate) fn npy<T: npyz::Serialize + Copy>(
    dtype: &str,
    order: Order,
    shape: &[u64],
    c: &[T],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = npyz::WriteOptions::new()
        .dtype(DType::new_scalar(dtype.parse().unwrap()))
        .order(order)
        .shape(shape)
        .writer(&mut bytes)
        .begin_nd()
        .unwrap();
    if order == Order::Fortran && shape.len() == 2 {
        let (rows, columns) = (shape[0] as usize, shape[1] as usize);
        writer
            .extend((0..columns).flat_map(|j| (0..rows).map(move |i| c[i * columns + j])))
            .unwrap();
    } else {
        writer.extend(c.iter().copied()).unwrap();
    }
    writer.finish().unwrap();
    bytes
}

pub(crate) fn floats(shape: &[u64], values: &[f64]) -> Vec<u8> {
    npy("<f8", Order::C, shape, values)
}

pub(crate) fn raw(header: &str, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
}

pub(crate) fn raw_dtype(dtype: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    raw(
        &format!("{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}"),
        data,
    )
}

pub(crate) fn zipped(arrays: &Arrays, compression: zip::CompressionMethod) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(compression);
    for (name, bytes) in arrays {
        archive.start_file(format!("{name}.npy"), options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

pub(crate) fn file(suffix: &str, bytes: &[u8]) -> NamedTempFile {
    let file = tempfile::Builder::new().suffix(suffix).tempfile().unwrap();
    std::fs::write(&file, bytes).unwrap();
    file
}

pub(crate) fn toy() -> Arrays {
    vec![
        ("x_train", floats(&[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])),
        ("t_train", floats(&[3], &[0.0, 1.0, 1.0])),
        ("x_valid", floats(&[2, 2], &[7.0, 8.0, 9.0, 10.0])),
        ("t_valid", floats(&[2], &[1.0, 0.0])),
        ("x_test", floats(&[1, 2], &[11.0, 12.0])),
        ("t_test", floats(&[1], &[1.0])),
    ]
}

/// [`toy`] with some arrays replaced, or removed where the bytes are empty.
pub(crate) fn toy_with(changes: &[(&'static str, Vec<u8>)]) -> Arrays {
    let mut arrays = toy();
    for (name, bytes) in changes {
        arrays.retain(|(other, _)| other != name);
        if !bytes.is_empty() {
            arrays.push((name, bytes.clone()));
        }
    }
    arrays
}

pub(crate) fn read(arrays: &Arrays) -> Result<Splits, DataError> {
    data::read_npz(file(".npz", &zipped(arrays, Stored)).path())
}

/// The message without the path that it must start with.
pub(crate) fn message<T: std::fmt::Debug>(path: &Path, result: Result<T, DataError>) -> String {
    let text = result.unwrap_err().to_string();
    assert_eq!(text.lines().count(), 1, "{text}");
    let start = format!("{}: ", path.display());
    text.strip_prefix(&start)
        .unwrap_or_else(|| panic!("`{text}` lacks `{start}`"))
        .to_owned()
}

pub(crate) fn npz_message(arrays: &Arrays) -> String {
    let file = file(".npz", &zipped(arrays, Deflated));
    message(file.path(), data::read_npz(file.path()))
}

pub(crate) fn x_message(bytes: Vec<u8>) -> String {
    npz_message(&toy_with(&[("x_train", bytes)]))
}

pub(crate) fn csv_message(text: impl AsRef<[u8]>) -> String {
    let file = file(".csv", text.as_ref());
    message(file.path(), data::read_csv(file.path(), 0))
}
