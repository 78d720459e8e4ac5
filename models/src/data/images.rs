//! The small photographs that the crate carries.

use std::io::Read;

use flate2::read::GzDecoder;
use nalgebra::DMatrix;

/// Rows and columns of each image.
pub const IMAGE_SIZE: usize = 32;

/// Six gray photographs of 32 × 32 pixels with values in `[0, 1]`. See
/// [`DIGITS_NOTICE`](super::DIGITS_NOTICE) for their sources and licences.
///
/// ```
/// let images = models::data::images();
/// assert_eq!((images.len(), images[0].shape()), (6, (32, 32)));
/// ```
pub fn images() -> Vec<DMatrix<f64>> {
    let packed: &[u8] = include_bytes!("../../data/images.u8.gz");
    let mut pixels = Vec::new();
    GzDecoder::new(packed)
        .read_to_end(&mut pixels)
        .expect("the embedded images are gzip");
    let image = |pixels: &[u8]| {
        let values = pixels.iter().map(|p| f64::from(*p) / 255.0);
        DMatrix::from_iterator(IMAGE_SIZE, IMAGE_SIZE, values)
    };
    pixels
        .chunks_exact(IMAGE_SIZE * IMAGE_SIZE)
        .map(image)
        .collect()
}
