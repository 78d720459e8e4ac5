//! PNG images.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use png::{BitDepth, Decoder, DecodingError, Limits, Reader, Transformations};

use super::error::{DataError, one_line, unreadable};
use super::folder::Pixels;

/// What one byte of a PNG file unpacks to at most: deflate's ratio of 1032.
const RATIO: u64 = 1032;

/// Width and height.
pub(super) fn size(path: &Path) -> Result<(u32, u32), DataError> {
    Ok(open(path)?.info().size())
}

/// The pixels, of 8 or 16 bits a channel and without a palette.
pub(super) fn pixels(path: &Path) -> Result<Pixels, DataError> {
    let mut reader = open(path)?;
    let width = reader.info().size().0 as usize;
    let (colours, depth) = reader.output_color_type();
    let too_large = || undecoded(path, DecodingError::LimitsExceeded);
    let mut bytes = vec![0; reader.output_buffer_size().ok_or_else(too_large)?];
    reader
        .next_frame(&mut bytes)
        .map_err(|e| undecoded(path, e))?;
    Ok(Pixels {
        bytes,
        width,
        channels: colours.samples(),
        wide: depth == BitDepth::Sixteen,
    })
}

/// The decoder of an image of a size that can be in its file.
fn open(path: &Path) -> Result<Reader<BufReader<File>>, DataError> {
    let file = path.display().to_string();
    let opened = File::open(path).map_err(unreadable(&file))?;
    let bytes = opened.metadata().map_err(unreadable(&file))?.len();
    let limits = Limits { bytes: 1 << 26 };
    let mut decoder = Decoder::new_with_limits(BufReader::new(opened), limits);
    decoder.set_transformations(Transformations::EXPAND);
    let reader = decoder.read_info().map_err(|e| undecoded(path, e))?;
    let (width, height) = reader.info().size();
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
        expected: "a whole PNG image".into(),
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
