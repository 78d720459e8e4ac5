//! Folders of PNG images.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use image::codecs::png::PngDecoder;
use image::{DynamicImage, ImageDecoder, Limits};
use nalgebra::DMatrix;

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
        let (width, height) = open(path)?.dimensions();
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

/// The decoder of an image of sound size.
fn open(path: &PathBuf) -> Result<PngDecoder<BufReader<File>>, DataError> {
    let file = path.display().to_string();
    let opened = File::open(path).map_err(unreadable(&file))?;
    let bytes = opened.metadata().map_err(unreadable(&file))?.len();
    let mut limits = Limits::default();
    limits.max_alloc = Some(1 << 26);
    let decoder = PngDecoder::with_limits(BufReader::new(opened), limits);
    let decoder = decoder.map_err(|reason| malformed(path, one_line(reason)))?;
    let (width, height) = decoder.dimensions();
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
    Ok(decoder)
}

fn malformed(path: &Path, found: String) -> DataError {
    DataError::Malformed {
        file: path.display().to_string(),
        place: "the image".into(),
        found,
        expected: "a whole PNG image",
    }
}

/// The middle pixels of an image as grays.
fn middle(path: &PathBuf, size: usize) -> Result<DMatrix<f64>, DataError> {
    let decoded = DynamicImage::from_decoder(open(path)?);
    let image = decoded.map_err(|reason| malformed(path, one_line(reason)))?;
    let cut = |long: u32| (long - size as u32) / 2;
    let (left, top) = (cut(image.width()), cut(image.height()));
    let part = image.crop_imm(left, top, size as u32, size as u32);
    drop(image);
    let full = f64::from(u16::MAX);
    Ok(if part.color().has_color() {
        let pixels = part.into_rgb16();
        DMatrix::from_fn(size, size, |i, j| {
            let [r, g, b] = pixels.get_pixel(j as u32, i as u32).0.map(f64::from);
            (0.2126 * r + 0.7152 * g + 0.0722 * b) / full
        })
    } else {
        let pixels = part.into_luma16();
        DMatrix::from_fn(size, size, |i, j| {
            f64::from(pixels.get_pixel(j as u32, i as u32).0[0]) / full
        })
    })
}
