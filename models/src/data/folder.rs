//! Folders of images.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use nalgebra::DMatrix;

use super::about::AboutImages;
use super::error::{DataError, excerpt, unreadable};
use super::{DENSE_LIMIT, jpeg, png};

/// Rows or columns that an image may have.
pub(super) const LONGEST: u32 = 1 << 14;

/// What an image is coded by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Png,
    Jpeg,
}

/// The decoded pixels of an image, row by row.
pub(super) struct Pixels {
    pub(super) bytes: Vec<u8>,
    /// Pixels of a row.
    pub(super) width: usize,
    /// Numbers of a pixel; of three or more the first are red, green and blue.
    pub(super) channels: usize,
    /// Whether a number has two bytes, the high one first.
    pub(super) wide: bool,
}

impl Code {
    /// What the file's first bytes say, else its name.
    fn of(path: &Path) -> Option<Self> {
        let mut start = Vec::new();
        // What cannot be opened is told where it is read.
        if let Ok(file) = File::open(path) {
            let _ = file.take(8).read_to_end(&mut start);
        }
        let named = |extension: &str| {
            let found = path.extension().unwrap_or_default();
            found.eq_ignore_ascii_case(OsStr::new(extension))
        };
        match &start[..] {
            [0x89, b'P', b'N', b'G', ..] => Some(Code::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Code::Jpeg),
            _ if named("png") => Some(Code::Png),
            _ if named("jpg") || named("jpeg") => Some(Code::Jpeg),
            _ => None,
        }
    }

    fn size(self, path: &Path) -> Result<(u32, u32), DataError> {
        match self {
            Code::Png => png::size(path),
            Code::Jpeg => jpeg::size(path),
        }
    }

    fn pixels(self, path: &Path) -> Result<Pixels, DataError> {
        match self {
            Code::Png => png::pixels(path),
            Code::Jpeg => jpeg::pixels(path),
        }
    }
}

/// What is in a folder.
struct Listed {
    /// Its images, in the order of their names.
    images: Vec<(Code, PathBuf)>,
    /// The names of its other files.
    others: Vec<String>,
}

fn listed(folder: &Path) -> io::Result<Listed> {
    let (mut images, mut others) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Hidden files are the system's.
        if !path.is_file() || name.starts_with('.') {
            continue;
        }
        match Code::of(&path) {
            Some(code) => images.push((code, path)),
            None => others.push(name.into_owned()),
        }
    }
    images.sort_by(|a, b| a.1.cmp(&b.1));
    others.sort();
    Ok(Listed { images, others })
}

/// The images of a folder, in the order of their names.
pub(super) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let images = listed(folder)?.images;
    Ok(images.into_iter().map(|(_, path)| path).collect())
}

/// Reads the PNG and JPEG images of a folder, in the order of their names, as square gray images of
/// one size with values in `[0, 1]`.
///
/// The first bytes of a file say whether it is an image, else its extension; other files are left
/// out. Gray images of 1 to 16 bits are divided by their largest value; colours become gray by the
/// weights 0.2126, 0.7152 and 0.0722 of red, green and blue (ITU-R BT.709, on the values as they are
/// written); transparency, and a turn that a camera noted, are ignored. Each image is cut to its
/// middle `s × s` pixels, where `s` is the smallest side of all images; of an odd rest the larger part
/// is cut off below and to the right. An image whose smallest side is less than half of the others'
/// median is refused: all would be cut to it.
///
/// Sizes are read first, so that no more is held at a time than the result and one image. An image
/// may have 16,384 rows and columns, the result [`DENSE_LIMIT`] pixels.
///
/// # Errors
///
/// If the folder or an image cannot be read; if there is no image; if one is damaged, larger than
/// these limits, smaller than 2 × 2 pixels, or much smaller than the others.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let error = models::data::read_images(folder.path()).unwrap_err();
/// let said = "the folder has no PNG or JPEG images, expected at least one";
/// assert!(error.to_string().ends_with(said));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_images(folder: &Path) -> Result<Vec<DMatrix<f64>>, DataError> {
    read(folder).map(|(images, _)| images)
}

/// The same, with what was decided.
pub(crate) fn read(folder: &Path) -> Result<(Vec<DMatrix<f64>>, AboutImages), DataError> {
    let file = folder.display().to_string();
    if !folder.is_dir() && folder.exists() {
        let reason = io::Error::other("it is a file, expected a folder of PNG or JPEG images");
        return Err(unreadable(&file)(reason));
    }
    let Listed {
        images: found,
        others,
    } = listed(folder).map_err(unreadable(&file))?;
    let mut sizes = Vec::new();
    for (code, path) in &found {
        sizes.push(checked(path, code.size(path)?)?);
    }
    let sides = sizes.iter().map(|(rows, columns)| (*rows).min(*columns));
    let Some((smallest, side)) = sides.clone().enumerate().min_by_key(|(_, s)| *s) else {
        return Err(DataError::Empty {
            file,
            place: "the folder".into(),
            what: "PNG or JPEG images",
        });
    };
    let mut sorted: Vec<usize> = sides.collect();
    sorted.sort_unstable();
    let median = sorted[sorted.len() / 2];
    if 2 * side < median {
        return Err(DataError::Malformed {
            file: found[smallest].1.display().to_string(),
            place: "the image".into(),
            found: format!(
                "its smallest side of {side} pixels, to which all would be cut, is less than half \
                 of {median}, the median"
            ),
            expected: "images of like sizes: take this one out, or enlarge it".into(),
        });
    }
    let count = found.len();
    if count.saturating_mul(side * side) > DENSE_LIMIT {
        return Err(DataError::TooLarge {
            file,
            found: format!("{count} images, cut to {side} × {side} pixels"),
            limit: format!("{DENSE_LIMIT} pixels"),
        });
    }
    let images = found
        .iter()
        .map(|(code, path)| Ok(middle(&code.pixels(path)?, side)));
    let images = images.collect::<Result<_, DataError>>()?;
    let is = |code: Code| found.iter().any(|(c, _)| *c == code);
    let about = AboutImages {
        folder: file,
        format: match (is(Code::Png), is(Code::Jpeg)) {
            (true, true) => "png and jpeg",
            (true, false) => "png",
            _ => "jpeg",
        },
        count,
        side,
        sizes: sizes
            .iter()
            .copied()
            .min()
            .zip(sizes.iter().copied().max())
            .expect("an image"),
        left_out: others.iter().map(|name| excerpt(name)).collect(),
        notes: Vec::new(),
    };
    Ok((images, about))
}

/// Rows and columns, if they are sound.
fn checked(path: &Path, (width, height): (u32, u32)) -> Result<(usize, usize), DataError> {
    if width < 2 || height < 2 || width > LONGEST || height > LONGEST {
        return Err(DataError::Malformed {
            file: path.display().to_string(),
            place: "the image".into(),
            found: format!("{height} × {width} pixels"),
            expected: "2 to 16384 rows and columns".into(),
        });
    }
    Ok((height as usize, width as usize))
}

/// The middle pixels of an image as grays.
fn middle(pixels: &Pixels, side: usize) -> DMatrix<f64> {
    let Pixels {
        bytes,
        width,
        channels,
        wide,
    } = pixels;
    let size = if *wide { 2 } else { 1 };
    let height = bytes.len() / (width * channels * size);
    let (left, top) = ((width - side) / 2, (height - side) / 2);
    // Of 8 bits: the number of 16 that is as large a part of the largest.
    let channel = |i: usize, j: usize, c: usize| {
        let at = ((top + i) * width + left + j) * channels + c;
        f64::from(match wide {
            true => u16::from_be_bytes([bytes[2 * at], bytes[2 * at + 1]]),
            false => u16::from(bytes[at]) * 257,
        })
    };
    let full = f64::from(u16::MAX);
    DMatrix::from_fn(side, side, |i, j| match channels {
        1 | 2 => channel(i, j, 0) / full,
        _ => {
            let [r, g, b] = [0, 1, 2].map(|c| channel(i, j, c));
            (0.2126 * r + 0.7152 * g + 0.0722 * b) / full
        }
    })
}
