//! The program as a process in a folder of its own, and data files for it.

// Each test file uses its part.
#![allow(dead_code)]

use std::collections::BTreeSet;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use npyz::WriterBuilder;
use serde_json::Value;
use tempfile::TempDir;

/// A finished run of the program.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// The exit code; `None` after a signal.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Run {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// Standard output as JSON Lines: every line an object, and nothing else there.
    #[track_caller]
    pub(crate) fn records(&self) -> Vec<Value> {
        assert!(self.out.is_empty() || self.out.ends_with('\n'), "{self:?}");
        let object = |line: &str| match serde_json::from_str(line) {
            Ok(value @ Value::Object(_)) => value,
            other => panic!("{line:?} is {other:?}: expected a JSON object; {self:?}"),
        };
        self.out.lines().map(object).collect()
    }

    /// The same run, which has to have ended with this code.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }
}

/// An empty folder in which the program runs.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Folder(tempfile::tempdir().expect("a temporary folder"))
    }

    /// The program, to be run here on these words.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bilevel"));
        command.args(words.split_whitespace());
        command.current_dir(self.0.path());
        command
    }

    /// Starts the program here on these words, unheard.
    pub(crate) fn start(&self, words: &str) -> Child {
        let mut command = self.command(words);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("the program starts")
    }

    /// Runs the program here on these words.
    pub(crate) fn run(&self, words: &str) -> Run {
        let output = self.command(words).output().expect("the program starts");
        Run::of(output)
    }

    /// Runs a line of the shell here, in which `$BILEVEL` is the program.
    #[cfg(unix)]
    pub(crate) fn shell(&self, line: &str) -> Run {
        let mut shell = Command::new("sh");
        shell.env("BILEVEL", env!("CARGO_BIN_EXE_bilevel"));
        shell.args(["-c", line]).current_dir(self.0.path());
        Run::of(shell.output().expect("a shell"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).expect("a writable folder");
    }

    /// Writes an npz file of these arrays.
    pub(crate) fn write_npz(&self, name: &str, arrays: &[(&str, Vec<u8>)]) {
        self.write(name, npz(arrays));
    }

    /// Everything below the folder: names and sizes.
    pub(crate) fn contents(&self) -> BTreeSet<(PathBuf, u64)> {
        fn visit(dir: &Path, found: &mut BTreeSet<(PathBuf, u64)>) {
            for entry in std::fs::read_dir(dir).expect("a folder") {
                let path = entry.expect("an entry").path();
                let size = std::fs::metadata(&path).expect("a file").len();
                if path.is_dir() {
                    visit(&path, found);
                }
                found.insert((path, size));
            }
        }
        let mut found = BTreeSet::new();
        visit(self.0.path(), &mut found);
        found
    }
}

/// An array in the npy format, in C order.
pub(crate) fn npy<T: npyz::AutoSerialize + Clone>(shape: &[usize], values: &[T]) -> Vec<u8> {
    assert_eq!(shape.iter().product::<usize>(), values.len());
    let shape: Vec<u64> = shape.iter().map(|axis| *axis as u64).collect();
    let mut bytes = Vec::new();
    let mut writer = npyz::WriteOptions::new()
        .default_dtype()
        .shape(&shape)
        .writer(&mut bytes)
        .begin_nd()
        .expect("a valid header");
    writer.extend(values.iter().cloned()).expect("memory");
    writer.finish().expect("as many as the shape says");
    bytes
}

/// An npz file in memory.
pub(crate) fn npz(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default();
    for (name, bytes) in arrays {
        zip.start_file(format!("{name}.npy"), stored)
            .expect("memory");
        zip.write_all(bytes).expect("memory");
    }
    zip.finish().expect("memory").into_inner()
}

/// Writes a gray image of 8 bits.
pub(crate) fn photo(path: &Path, width: u32, height: u32, gray: impl Fn(u32, u32) -> u8) {
    let file = std::fs::File::create(path).expect("a writable folder");
    let encoder = png::Encoder::new(file, width, height);
    let mut writer = encoder.write_header().expect("sizes");
    let pixels = (0..height).flat_map(|j| (0..width).map(move |i| (i, j)));
    let pixels: Vec<u8> = pixels.map(|(i, j)| gray(i, j)).collect();
    writer.write_image_data(&pixels).expect("all pixels");
    writer.finish().expect("a writable folder");
}

/// Numbers without a pattern, in (-1, 1), the same every time.
pub(crate) fn noise(count: usize, seed: usize) -> Vec<f64> {
    let at = |i: usize| (12.9898 * (i + 1) as f64 + 78.233 * (seed + 1) as f64).sin() * 43758.5453;
    (0..count)
        .map(|i| 2.0 * at(i).fract().abs() - 1.0)
        .collect()
}
