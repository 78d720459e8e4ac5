//! Folders of PNG images.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use nalgebra::DMatrix;
use png::{BitDepth, ColorType, Decoder, DecodingError, Limits, Reader, Transformations};

use super::DENSE_LIMIT;
use super::error::{DataError, one_line, unreadable};

/// Rows or columns that an image may have.
const LONGEST: u32 = 1 << 14;
/// What one byte of a PNG file unpacks to at most: deflate's ratio of 1032.
const RATIO: u64 = 1032;

/// The PNG images of a folder, in the order of their names.
pub(super) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let extension = path.extension().unwrap_or_default();
        if extension.eq_ignore_ascii_case(OsStr::new("png")) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Reads the PNG images of a folder, in the order of their names, as square gray images of one
/// size with values in `[0, 1]`.
///
/// Files whose extension is not `png`, in either case, are ignored. Gray images of 1 to 16 bits
/// are divided by their largest value; colours become gray by the weights 0.2126, 0.7152 and 0.0722
/// of red, green and blue (ITU-R BT.709, on the values as they are written); transparency is
/// ignored. Each image is cut to its middle `s × s` pixels, where `s` is the smallest side of all
/// images; of an odd rest the larger part is cut off below and to the right. An image whose smallest
/// side is less than half of the others' median is refused: all would be cut to it.
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
/// assert!(error.to_string().ends_with("the folder has no PNG images, expected at least one"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_images(folder: &Path) -> Result<Vec<DMatrix<f64>>, DataError> {
    let file = folder.display().to_string();
    if !folder.is_dir() && folder.exists() {
        let reason = io::Error::other("it is a file, expected a folder of PNG images");
        return Err(unreadable(&file)(reason));
    }
    let paths = files(folder).map_err(unreadable(&file))?;
    let mut sides = Vec::new();
    for path in &paths {
        let (width, height) = open(path)?.info().size();
        sides.push(width.min(height));
    }
    let Some((smallest, size)) = sides.iter().copied().enumerate().min_by_key(|(_, s)| *s) else {
        return Err(DataError::Empty {
            file,
            place: "the folder".into(),
            what: "PNG images",
        });
    };
    sides.sort_unstable();
    let median = sides[sides.len() / 2];
    if 2 * size < median {
        return Err(DataError::Malformed {
            file: paths[smallest].display().to_string(),
            place: "the image".into(),
            found: format!(
                "its smallest side of {size} pixels, to which all would be cut, is less than half \
                 of {median}, the median"
            ),
            expected: "images of like sizes: take this one out, or enlarge it",
        });
    }
    let (count, size) = (paths.len(), size as usize);
    if count.saturating_mul(size * size) > DENSE_LIMIT {
        return Err(DataError::TooLarge {
            file,
            found: format!("{count} images, cut to {size} × {size} pixels"),
            limit: format!("{DENSE_LIMIT} pixels"),
        });
    }
    paths.iter().map(|path| middle(path, size)).collect()
}

/// The decoder of an image of sound size, of 8 or 16 bits a channel and without a palette.
fn open(path: &PathBuf) -> Result<Reader<BufReader<File>>, DataError> {
    let file = path.display().to_string();
    let opened = File::open(path).map_err(unreadable(&file))?;
    let bytes = opened.metadata().map_err(unreadable(&file))?.len();
    let limits = Limits { bytes: 1 << 26 };
    let mut decoder = Decoder::new_with_limits(BufReader::new(opened), limits);
    decoder.set_transformations(Transformations::EXPAND);
    let reader = decoder.read_info().map_err(|e| undecoded(path, e))?;
    let (width, height) = reader.info().size();
    if width < 2 || height < 2 || width > LONGEST || height > LONGEST {
        return Err(DataError::Malformed {
            file,
            place: "the image".into(),
            found: format!("{height} × {width} pixels"),
            expected: "2 to 16384 rows and columns",
        });
    }
    // An eighth of a byte is the least that a pixel takes.
    let least = u64::from(width).div_ceil(8) * u64::from(height);
    if least > bytes.saturating_mul(RATIO) {
        let found = format!("{height} × {width} pixels do not fit in {bytes} bytes");
        return Err(malformed(path, found));
    }
    Ok(reader)
}

fn malformed(path: &Path, found: String) -> DataError {
    DataError::Malformed {
        file: path.display().to_string(),
        place: "the image".into(),
        found,
        expected: "a whole PNG image",
    }
}

fn undecoded(path: &Path, reason: DecodingError) -> DataError {
    let found = match reason {
        DecodingError::Format(_) => format!("Format error decoding Png: {reason}"),
        DecodingError::LimitsExceeded => "Memory limit exceeded".into(),
        DecodingError::IoError(_) | DecodingError::Parameter(_) => reason.to_string(),
    };
    malformed(path, one_line(found))
}

/// The middle pixels of an image as grays.
fn middle(path: &PathBuf, size: usize) -> Result<DMatrix<f64>, DataError> {
    let mut reader = open(path)?;
    let (width, height) = reader.info().size();
    let (colours, depth) = reader.output_color_type();
    let too_large = || undecoded(path, DecodingError::LimitsExceeded);
    let mut bytes = vec![0; reader.output_buffer_size().ok_or_else(too_large)?];
    reader
        .next_frame(&mut bytes)
        .map_err(|e| undecoded(path, e))?;
    let cut = |long: u32| (long as usize - size) / 2;
    let (left, top) = (cut(width), cut(height));
    // Of 8 bits: the number of 16 that is as large a part of the largest.
    let channel = |i: usize, j: usize, c: usize| {
        let at = ((top + i) * width as usize + left + j) * colours.samples() + c;
        f64::from(match depth {
            BitDepth::Sixteen => u16::from_be_bytes([bytes[2 * at], bytes[2 * at + 1]]),
            _ => u16::from(bytes[at]) * 257,
        })
    };
    let full = f64::from(u16::MAX);
    Ok(DMatrix::from_fn(size, size, |i, j| match colours {
        ColorType::Rgb | ColorType::Rgba => {
            let [r, g, b] = [0, 1, 2].map(|c| channel(i, j, c));
            (0.2126 * r + 0.7152 * g + 0.0722 * b) / full
        }
        _ => channel(i, j, 0) / full,
    }))
}
