//! Images with noise, split by image: the embedded photographs, or others.

use nalgebra::DMatrix;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Observe;
use crate::catalogue::Given;
use crate::data::{DataError, IMAGE_SIZE, images};

/// Standard deviation of the noise; pixels are in `[0, 1]`.
const NOISE: f64 = 25.0 / 255.0;

/// Which embedded photographs are trained on, and which are kept apart.
///
/// Of each photograph `tiles × tiles` squares of `size × size` pixels are taken from its middle, side
/// by side. The first `train` photographs are for training, and the next `test` ones are kept apart:
/// no photograph has tiles on both sides. The noise has standard deviation 25/255, is not clamped,
/// and is frozen by the seed for each tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Photographs {
    /// Photographs to train on.
    pub train: usize,
    /// Photographs kept apart.
    pub test: usize,
    /// Rows and columns of a tile.
    pub size: usize,
    /// Tiles along each side of a photograph.
    pub tiles: usize,
    /// Seed of the noise.
    pub seed: u64,
}

impl Photographs {
    /// Four photographs to train on and two kept apart, whole.
    pub fn whole(seed: u64) -> Self {
        Photographs {
            train: 4,
            test: 2,
            size: IMAGE_SIZE,
            tiles: 1,
            seed,
        }
    }

    /// The photographs in tiles of 16 × 16 pixels: 16 samples to train on, 8 kept apart.
    pub fn tiled(seed: u64) -> Self {
        Photographs {
            size: 16,
            tiles: 2,
            ..Self::whole(seed)
        }
    }

    /// The clean images, those to train on first, and how many these are.
    #[track_caller]
    fn clean(&self) -> (Vec<DMatrix<f64>>, usize) {
        let Photographs {
            train, size, tiles, ..
        } = *self;
        let all = images();
        let count = train + self.test;
        let fits = size >= 2 && tiles >= 1 && size.saturating_mul(tiles) <= IMAGE_SIZE;
        assert!(
            train >= 1 && count <= all.len() && fits,
            "{train} + {} images of {tiles} × {tiles} tiles of {size} × {size} pixels: expected 1 \
             to {} images, of at least 2 × 2 and in all at most {IMAGE_SIZE} × {IMAGE_SIZE}",
            self.test,
            all.len()
        );
        let mut clean = Vec::new();
        let first = (IMAGE_SIZE - tiles * size) / 2;
        for image in &all[..count] {
            for tile in 0..tiles * tiles {
                let corner = (first + tile % tiles * size, first + tile / tiles * size);
                clean.push(image.view(corner, (size, size)).into_owned());
            }
        }
        (clean, train * tiles * tiles)
    }
}

/// Images that a regulariser is learned from.
#[derive(Clone, Debug, PartialEq)]
pub enum Images {
    /// The embedded photographs.
    Photographs(Photographs),
    /// Others.
    Own {
        /// Squares of one size with pixels in `[0, 1]`, such as
        /// [`read_images`](crate::data::read_images) gives.
        clean: Vec<DMatrix<f64>>,
        /// How many of the first are trained on; the others are kept apart.
        train: usize,
        /// Seed of the noise, which is that of [`Photographs`].
        seed: u64,
    },
}

impl From<&Photographs> for Images {
    fn from(photographs: &Photographs) -> Self {
        Images::Photographs(*photographs)
    }
}

impl Images {
    /// The images of a problem: the user's, which a problem of `least × least` pixels or more takes, two
    /// thirds of them (rounded up) to train on if some are `kept` apart; else whole photographs, or
    /// two of 4 × 4 pixels in the small size.
    pub(super) fn given(given: &mut Given, least: usize, kept: bool) -> Result<Self, DataError> {
        if let Some(clean) = given.images.take() {
            let (count, side) = (clean.len(), clean[0].nrows());
            if side < least {
                return Err(DataError::Malformed {
                    file: given.file.clone(),
                    place: "the images".into(),
                    found: format!("{side} × {side} pixels of each"),
                    expected: format!("at least {least} × {least}, for its filters"),
                });
            }
            let train = if kept { (2 * count).div_ceil(3) } else { count };
            let apart = count - train;
            given
                .notes
                .push(format!("{train} to train on, {apart} kept apart"));
            let seed = given.seed;
            return Ok(Images::Own { clean, train, seed });
        }
        Ok(Images::Photographs(match given.is_small() {
            false => Photographs::whole(given.seed),
            true => Photographs {
                train: 2,
                test: 0,
                size: 4,
                tiles: 1,
                seed: 0,
            },
        }))
    }

    /// Rows and columns of an image.
    pub(super) fn size(&self) -> usize {
        match self {
            Images::Photographs(photographs) => photographs.size,
            Images::Own { clean, .. } => clean.first().map_or(0, |image| image.nrows()),
        }
    }

    /// The pairs for training and those kept apart.
    #[track_caller]
    pub(super) fn split(self, observe: Observe<'_>) -> (Pairs, Pairs) {
        let size = self.size();
        let (clean, train, seed) = match self {
            Images::Photographs(photographs) => {
                let (clean, train) = photographs.clean();
                (clean, train, photographs.seed)
            }
            Images::Own { clean, train, seed } => (clean, train, seed),
        };
        for image in &clean {
            let shape = image.shape();
            assert!(
                shape == (size, size),
                "an image of {shape:?} pixels among squares of {size}: expected one size"
            );
        }
        assert!(
            size >= 2 && (1..=clean.len()).contains(&train),
            "{} images of {size} × {size} pixels, {train} to train on: expected at least 2 × 2 \
             pixels, and 1 to train on",
            clean.len()
        );
        let mut train_pairs = Pairs::observed(clean, seed, observe);
        let test = train_pairs.split_off(train);
        (train_pairs, test)
    }
}

/// Clean images and what is observed of them.
pub(super) struct Pairs {
    pub(super) clean: Vec<DMatrix<f64>>,
    pub(super) observed: Vec<DMatrix<f64>>,
}

impl Pairs {
    /// The images observed with noise, each from a stream of its own.
    fn observed(clean: Vec<DMatrix<f64>>, seed: u64, observe: Observe<'_>) -> Self {
        let noisy = |(stream, image): (u64, &DMatrix<f64>)| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(stream);
            observe(image).map(|c| c + NOISE * gaussian(&mut rng))
        };
        let observed = (0..).zip(&clean).map(noisy).collect();
        Pairs { clean, observed }
    }

    /// Keeps the first `count`, and gives the others.
    fn split_off(&mut self, count: usize) -> Self {
        Pairs {
            clean: self.clean.split_off(count),
            observed: self.observed.split_off(count),
        }
    }
}

/// A number drawn from N(0, 1) by the method of Box and Muller.
fn gaussian(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}
