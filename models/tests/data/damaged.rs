//! Damaged files of every format are refused in one line: never a panic, never memory out of
//! proportion to the file.
//!
//! The suite draws a sample. A campaign, whose summary shows with `--nocapture`:
//! `BILEVEL_INPUTS=1000000 BILEVEL_SEED=1 cargo test --profile mutants -p bilevel-models --test data damaged -- --nocapture`

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use png::ColorType;

use models::data::{Labels, Reading};

use crate::common::*;
use crate::decided::contents::{BZIP2, XZ};
use crate::heap::peak;
use crate::jpeg::{COLOUR, GRAY, PROGRESSIVE};
use crate::mutate::{mutate, repair};
use crate::pairs::{idx, packed};
use crate::png::png;

/// Bytes that a reader may hold whatever it reads: its buffers, the states of the decoders (of bzip2
/// 4 MB), and the dense table that a file may always have (8 MiB).
const FREE: usize = 14 << 20;
/// Bytes that it may hold for each byte of the files.
const RATE: usize = 64;

/// Sound files, the damaged one among them first; what is done to it after the damage; the reader.
struct Format {
    name: &'static str,
    files: Vec<(&'static str, Vec<u8>)>,
    wrap: fn(Vec<u8>) -> Vec<u8>,
    read: fn(&Path) -> Result<(), DataError>,
}

fn with_x(x: Vec<u8>) -> Vec<u8> {
    zipped(&toy_with(&[("x_train", x)]), Stored)
}

fn with_point(x: Vec<u8>) -> Vec<u8> {
    zipped(&vec![("x", x)], Deflated)
}

fn repaired(mut bytes: Vec<u8>) -> Vec<u8> {
    repair(&mut bytes);
    bytes
}

fn load(path: &Path) -> Result<(), DataError> {
    data::load(path, 0).map(drop)
}

fn load_mapped(path: &Path) -> Result<(), DataError> {
    let reading = Reading {
        labels: Labels::Classes,
        standardise: true,
        ..Reading::default()
    };
    reading.load(path).map(drop)
}

fn load_targets(path: &Path) -> Result<(), DataError> {
    let reading = Reading {
        labels: Labels::Targets,
        standardise: true,
        largest: Some(f32::MAX.into()),
        ..Reading::default()
    };
    reading.load(path).map(drop)
}

fn load_pair(folder: &Path) -> Result<(), DataError> {
    let folder = folder.display();
    load(format!("{folder}/x,{folder}/t").as_ref())
}

fn formats() -> Vec<Format> {
    let as_is = |bytes| bytes;
    let table = b"a,b,label\n1,2,0\n3.5,-4e2,1\n5,\"6\",0\n7,8,1\n9,10,1\n";
    let sparse = b"+1 1:0.5 3:-2e3\n# c\n\n-1 2:1\n1 1:1 2:2 3:3 # d\n-1\n+1 3:0\n";
    let words = b"a,b,kind\n1,2,cat\n3.5,-4e2,dog\n5,6,cat\n7,8,a b\n9,10,dog\n";
    let blanks = b"\" \" 0 1 2\n1 3.5 -4e2 1\n2 5 6 0\n# c\n3 7 8 1\n4 9 10 1\n";
    let images = idx(0x08, &[5, 2, 2], &Vec::from_iter(0..20));
    let digits = idx(0x08, &[5], &[0, 1, 2, 3, 4]);
    let x = floats(&[5, 2], &[0.5; 10]);
    let t = npy("<i4", Order::C, &[5], &[0, 1, 2, 3, 4]);
    let gray = png(&Vec::from_iter(0..80), 8, 10, ColorType::Grayscale);
    let colours = png(&Vec::from_iter(0..192), 8, 8, ColorType::Rgb);
    let one = |name, bytes: Vec<u8>, read, wrap| Format {
        name,
        files: vec![(name, bytes)],
        wrap,
        read,
    };
    let pair =
        |name, first: (&'static str, &Vec<u8>), second: (&'static str, &Vec<u8>), wrap| Format {
            name,
            files: vec![(first.0, first.1.clone()), (second.0, second.1.clone())],
            wrap,
            read: load_pair,
        };
    let array = toy()[0].1.clone();
    vec![
        one("a.npz", zipped(&toy(), Stored), load, as_is),
        one("packed.npz", zipped(&toy(), Deflated), load, as_is),
        one("inside.npz", array.clone(), load, with_x),
        one(
            "point.npz",
            array,
            |path| data::read_point(path).map(drop),
            with_point,
        ),
        one("a.csv", table.to_vec(), load, as_is),
        one("a.libsvm", sparse.to_vec(), load, as_is),
        one("a.txt", blanks.to_vec(), load_mapped, as_is),
        one("a.svm.gz, inside", sparse.to_vec(), load_mapped, |bytes| {
            packed(&bytes)
        }),
        one("a.svm.bz2", BZIP2.to_vec(), load, as_is),
        one("a.svm.xz", XZ.to_vec(), load, as_is),
        pair("npy, features", ("x", &x), ("t", &t), as_is),
        pair("npy, labels", ("t", &t), ("x", &x), as_is),
        pair("idx, features", ("x", &images), ("t", &digits), as_is),
        pair("idx, labels", ("t", &digits), ("x", &images), as_is),
        pair("idx.gz", ("x", &packed(&images)), ("t", &digits), as_is),
        pair("idx.gz, inside", ("x", &images), ("t", &digits), |bytes| {
            packed(&bytes)
        }),
        one("words.csv", words.to_vec(), load_mapped, as_is),
        one("targets.csv", table.to_vec(), load_targets, as_is),
        Format {
            name: "jpeg",
            files: vec![("a.jpg", GRAY.to_vec()), ("b.png", colours.clone())],
            wrap: as_is,
            read: |folder| data::read_images(folder).map(drop),
        },
        Format {
            name: "jpeg, of scans",
            files: vec![("a.jpg", PROGRESSIVE.to_vec()), ("b.jpg", COLOUR.to_vec())],
            wrap: as_is,
            read: |folder| data::read_images(folder).map(drop),
        },
        Format {
            name: "png",
            files: vec![("a.png", gray.clone()), ("b.png", colours.clone())],
            wrap: as_is,
            read: |folder| data::read_images(folder).map(drop),
        },
        Format {
            name: "png, sums repaired",
            files: vec![("b.png", colours), ("a.png", gray)],
            wrap: repaired,
            read: |folder| data::read_images(folder).map(drop),
        },
    ]
}

/// A number from the environment.
fn given(variable: &str, otherwise: usize) -> usize {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{variable}={text}: expected a number")),
        Err(_) => otherwise,
    }
}

/// Without truncating to nothing, which some file systems answer by flushing to the disk.
fn rewrite(path: &Path, bytes: &[u8]) {
    let options = std::fs::OpenOptions::new().write(true).open(path);
    let mut file = options.unwrap();
    file.write_all(bytes).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
}

#[derive(Default)]
struct Tally {
    inputs: usize,
    accepted: usize,
    /// The most bytes held beyond [`RATE`] for each of the files.
    held: usize,
}

#[test]
fn damaged_files_are_refused() {
    let (inputs, seed) = (given("BILEVEL_INPUTS", 20_000), given("BILEVEL_SEED", 1));
    let formats = formats();
    let root = TempDir::new().unwrap();
    let folders = Vec::from_iter(formats.iter().enumerate().map(|(k, format)| {
        let folder = root.path().join(k.to_string());
        std::fs::create_dir(&folder).unwrap();
        for (name, bytes) in &format.files {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
        folder
    }));
    let others = Vec::from_iter(formats.iter().map(|format| &*format.files[0].1));
    let start = Instant::now();
    let mut tallies = BTreeMap::<_, Tally>::new();
    for input in 0..inputs {
        let k = input % formats.len();
        let (format, folder) = (&formats[k], &folders[k]);
        // Each input has a stream of its own, so that one can be looked at alone.
        let mut rng = ChaCha8Rng::seed_from_u64(seed as u64);
        rng.set_stream(input as u64);
        let mut bytes = format.files[0].1.clone();
        mutate(&mut bytes, &others, &mut rng);
        let bytes = (format.wrap)(bytes);
        rewrite(&folder.join(format.files[0].0), &bytes);

        let one = format.files.len() == 1;
        let path = if one {
            folder.join(format.files[0].0)
        } else {
            folder.clone()
        };
        let (read, held) = peak(|| catch_unwind(AssertUnwindSafe(|| (format.read)(&path))));
        let place = || {
            format!(
                "{}, input {input} of seed {seed}: {:02x?}",
                format.name, bytes
            )
        };
        let Ok(read) = read else {
            panic!("a panic: {}", place())
        };
        let size = bytes.len()
            + format.files[1..]
                .iter()
                .map(|(_, b)| b.len())
                .sum::<usize>();
        let beyond = held.saturating_sub(RATE * size);
        assert!(beyond <= FREE, "{held} bytes held: {}", place());
        let tally = tallies.entry(format.name).or_default();
        tally.inputs += 1;
        tally.held = tally.held.max(beyond);
        match read {
            Ok(()) => tally.accepted += 1,
            Err(error) => {
                let text = error.to_string();
                let names = text.starts_with(&folder.display().to_string());
                assert!(
                    names && !text.contains(['\n', '\r']),
                    "{text:?}: {}",
                    place()
                );
                assert!(text.len() < 1000, "{text:?}: {}", place());
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{inputs} inputs of seed {seed} in {seconds:.1} s: no panic; at most {RATE} bytes held for each byte of the files, and"
    );
    for (name, tally) in &tallies {
        let Tally {
            inputs,
            accepted,
            held,
        } = tally;
        println!("  {name:20} {inputs:8} inputs, {accepted:8} accepted, {held:9} bytes more");
        // Some damage is harmless, most is not: both paths have been taken.
        assert!(inputs < &500 || (1..*inputs).contains(accepted), "{name}");
    }
}
