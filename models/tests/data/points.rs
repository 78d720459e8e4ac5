//! Solutions as they are written.

use std::io::Read;

use models::PROBLEMS;
use models::data::write_point;

use crate::common::*;

/// The array of an archive, by another library.
fn array<T: npyz::Deserialize>(archive: &Path, name: &str) -> Vec<T> {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(archive).unwrap()).unwrap();
    let mut bytes = Vec::new();
    zip.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
    let array = npyz::NpyFile::new(&bytes[..]).unwrap();
    assert_eq!(
        bytes.len() as u64 % 64,
        (array.len() * size_of::<T>() as u64) % 64
    );
    array.into_vec().unwrap()
}

#[test]
fn a_point_is_read_as_it_was_written() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("solution.npz");
    let (x, y) = ([0.1, -2.5e300, f64::MIN_POSITIVE], [1.0 / 3.0]);
    write_point(&path, &x, &y, ["ln λ", "weights"]).unwrap();
    let point = data::read_point(&path).unwrap();
    assert_eq!((point.x, point.y), (x.to_vec(), Some(y.to_vec())));
    assert_eq!(array::<f64>(&path, "x.npy"), x);
    assert_eq!(array::<f64>(&path, "y.npy"), y);

    let (x, y) = ([0.1_f32, -2.5e30], [1.0_f32 / 3.0; 3]);
    write_point(&path, &x, &y, ["", ""]).unwrap();
    assert_eq!(array::<f32>(&path, "x.npy"), x);
    assert_eq!(array::<f32>(&path, "y.npy"), y);
    let point = data::read_point(&path).unwrap();
    assert_eq!(point.x, x.map(f64::from));
    assert_eq!(point.y.unwrap(), y.map(f64::from));
    // What was half written is taken away.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(write_point(&folder.path().join("no/x.npz"), &x, &y, ["", ""]).is_err());
}

#[test]
fn names_are_strings_of_numpy() {
    let file = file(".npz", b"");
    write_point(file.path(), &[1.0], &[2.0], ["ln λ", "w"]).unwrap();
    let mut zip = zip::ZipArchive::new(std::fs::File::open(file.path()).unwrap()).unwrap();
    let mut bytes = Vec::new();
    let mut entry = zip.by_name("names.npy").unwrap();
    entry.read_to_end(&mut bytes).unwrap();
    let header = str::from_utf8(&bytes[10..128]).unwrap();
    let expected = "{'descr': '<U4', 'fortran_order': False, 'shape': (2,), }";
    assert_eq!(header[..118 - 64].trim_end(), expected[..54].trim_end());
    let text: String = bytes[bytes.len() - 32..]
        .as_chunks::<4>()
        .0
        .iter()
        .map(|c| char::from_u32(u32::from_le_bytes(*c)).unwrap())
        .collect();
    assert_eq!(text, "ln λw\0\0\0");
}

#[test]
fn every_problem_says_what_its_variables_are() {
    for entry in PROBLEMS {
        let [x, y] = entry.variables;
        assert!(!x.is_empty() && !y.is_empty(), "{}", entry.row.name);
    }
}
