//! JPEG images.

use std::path::Path;

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::error::{DataError, one_line, unreadable};
use super::folder::{LONGEST, Pixels};

/// Pixels that one byte of a JPEG file holds at most: 8 × 8 of them take a bit or more.
const RATIO: u64 = 512;

type Decoder = JpegDecoder<ZCursor<Vec<u8>>>;

/// Width and height.
pub(super) fn size(path: &Path) -> Result<(u32, u32), DataError> {
    open(path).map(|(_, size)| size)
}

/// The pixels, gray or red, green and blue, of 8 bits each.
pub(super) fn pixels(path: &Path) -> Result<Pixels, DataError> {
    let (mut decoder, (width, _)) = open(path)?;
    let gray = decoder.input_colorspace() == Some(ColorSpace::Luma);
    let (colours, channels) = match gray {
        true => (ColorSpace::Luma, 1),
        false => (ColorSpace::RGB, 3),
    };
    decoder.set_options(options().jpeg_set_out_colorspace(colours));
    let bytes = decoder.decode().map_err(|e| malformed(path, e))?;
    Ok(Pixels {
        bytes,
        width: width as usize,
        channels,
        wide: false,
    })
}

/// Without the gray that the decoder would put in place of what is missing.
fn options() -> DecoderOptions {
    DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
}

/// The decoder of an image after its header, and its size, which can be in the file.
fn open(path: &Path) -> Result<(Decoder, (u32, u32)), DataError> {
    let file = path.display().to_string();
    let bytes = std::fs::read(path).map_err(unreadable(&file))?;
    let length = bytes.len() as u64;
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options());
    decoder.decode_headers().map_err(|e| malformed(path, e))?;
    let info = decoder.info().expect("the header is decoded");
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    let pixels = u64::from(width) * u64::from(height);
    let sound = width <= LONGEST && height <= LONGEST;
    if sound && pixels > length.saturating_mul(RATIO) {
        let found = format!("{height} × {width} pixels do not fit in {length} bytes");
        return Err(malformed(path, found));
    }
    Ok((decoder, (width, height)))
}

fn malformed(path: &Path, found: impl ToString) -> DataError {
    DataError::Malformed {
        file: path.display().to_string(),
        place: "the image".into(),
        found: one_line(found),
        expected: "a whole JPEG image".into(),
    }
}
