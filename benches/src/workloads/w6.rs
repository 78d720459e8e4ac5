//! W6: images in 8 bits.

use super::inputs::LinearModel;
use super::w2;

/// Images, pixels and classes.
pub(super) const SIZE: [usize; 3] = [20_000, 784, 10];

/// W2's function on 20000 images whose 784 pixels are whole multiples of 1/255 from 0 to 1.
pub(super) fn inputs() -> LinearModel {
    let mut data = w2::draw(SIZE[0], 0, SIZE[1], 8);
    // They are drawn uniformly around 0.
    let drawn = data.train.features.dense();
    let largest = drawn.amax();
    let pixels = drawn.map(|v| ((0.5 + 0.5 * v / largest) * 255.0).round() / 255.0);
    data.train.features = pixels.into();
    data
}
