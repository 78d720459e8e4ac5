//! Inputs from fixed seeds, and files of them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use models::data::Samples;
use nalgebra::DMatrix;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A source of numbers with mean 0 and variance 1.
pub(super) struct Source(ChaCha8Rng);

impl Source {
    pub(super) fn new(seed: u64) -> Self {
        Source(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Uniform, of standard deviation `scale`.
    fn number(&mut self, scale: f64) -> f64 {
        self.0.random_range(-1.0..1.0) * 3f64.sqrt() * scale
    }

    pub(super) fn vector(&mut self, len: usize, mean: f64, scale: f64) -> Vec<f64> {
        (0..len).map(|_| mean + self.number(scale)).collect()
    }

    pub(super) fn matrix(&mut self, rows: usize, cols: usize, scale: f64) -> DMatrix<f64> {
        DMatrix::from_fn(rows, cols, |_, _| self.number(scale))
    }

    /// An index below `count`.
    pub(super) fn index(&mut self, count: usize) -> usize {
        self.0.random_range(0..count)
    }
}

/// Samples of a linear model, a point (x, y), and a direction v of y.
pub(super) struct LinearModel {
    pub(super) train: Samples,
    pub(super) valid: Samples,
    /// Number of classes; with two the labels are ±1.
    pub(super) classes: usize,
    pub(super) x: Vec<f64>,
    pub(super) y: Vec<f64>,
    pub(super) v: Vec<f64>,
}

/// Sizes and scales of a [`LinearModel`].
pub(super) struct Recipe {
    /// Training samples.
    pub(super) n: usize,
    /// Validation samples.
    pub(super) n_valid: usize,
    pub(super) d: usize,
    pub(super) classes: usize,
    /// Standard deviation of the features.
    pub(super) features: f64,
    /// Share of the training labels that are drawn anew.
    pub(super) corrupted: f64,
    /// Mean and standard deviation of x.
    pub(super) x: (f64, f64),
    /// Entries of x.
    pub(super) dim_x: usize,
    /// Standard deviation of y.
    pub(super) y: f64,
}

impl LinearModel {
    pub(super) fn draw(recipe: &Recipe, seed: u64) -> Self {
        let (d, classes) = (recipe.d, recipe.classes);
        let mut source = Source::new(seed);
        // With two classes one score decides.
        let rows = if classes == 2 { 1 } else { classes };
        let teacher = source.matrix(rows, d, 1.0 / (d as f64).sqrt());
        let mut samples = |n: usize, corrupted: f64| {
            let features = source.matrix(d, n, recipe.features);
            let scores = &teacher * &features + source.matrix(rows, n, 0.2);
            let labels = (0..n).map(|i| {
                let anew = source.number(1.0).abs() < corrupted * 3f64.sqrt();
                let class = match (anew, classes) {
                    (true, _) => source.index(classes),
                    (false, 2) => usize::from(scores[(0, i)] > 0.0),
                    (false, _) => scores.column(i).imax(),
                };
                if classes == 2 {
                    2.0 * class as f64 - 1.0
                } else {
                    class as f64
                }
            });
            let labels = labels.collect();
            Samples {
                features: features.into(),
                labels,
            }
        };
        let train = samples(recipe.n, recipe.corrupted);
        let valid = samples(recipe.n_valid, 0.0);
        LinearModel {
            train,
            valid,
            classes,
            x: source.vector(recipe.dim_x, recipe.x.0, recipe.x.1),
            y: source.vector(rows * d, 0.0, recipe.y),
            v: source.vector(rows * d, 0.0, 1.0),
        }
    }

    pub(super) fn write(&self, to: &Writer<'_>, group: &str) -> io::Result<()> {
        let parts = [
            ("x_train", "t_train", &self.train),
            ("x_valid", "t_valid", &self.valid),
        ];
        for (features, labels, samples) in parts {
            if samples.is_empty() {
                continue;
            }
            to.samples(group, features, samples.features.dense())?;
            to.array(group, labels, &[samples.len()], &samples.labels)?;
        }
        to.array(group, "x", &[self.x.len()], &self.x)?;
        let d = self.train.dim();
        for (name, y) in [("y", &self.y), ("v", &self.v)] {
            let matrix = [self.classes, d];
            let shape = if self.classes == 2 {
                &matrix[1..]
            } else {
                &matrix
            };
            to.array(group, name, shape, y)?;
        }
        Ok(())
    }
}

/// Where inputs are written to.
pub(super) struct Writer<'a> {
    pub(super) folder: &'a Path,
}

impl Writer<'_> {
    /// Entries of this shape, the last index running fastest.
    pub(super) fn array(
        &self,
        group: &str,
        name: &str,
        shape: &[usize],
        entries: &[f64],
    ) -> io::Result<()> {
        let file = File::create(self.folder.join(format!("{group}.{name}.npy")))?;
        let mut file = BufWriter::new(file);
        let axes: String = shape.iter().map(|n| format!("{n}, ")).collect();
        let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({axes}), }}");
        // Ten bytes before the header and its line's end make a multiple of 64.
        let length = (header.len() + 11).next_multiple_of(64) - 11;
        file.write_all(b"\x93NUMPY\x01\x00")?;
        file.write_all(&(length as u16 + 1).to_le_bytes())?;
        writeln!(file, "{header:length$}")?;
        for entry in entries {
            file.write_all(&entry.to_le_bytes())?;
        }
        file.flush()
    }

    /// A matrix with one sample per column, as the rows of an array.
    pub(super) fn samples(
        &self,
        group: &str,
        name: &str,
        columns: &DMatrix<f64>,
    ) -> io::Result<()> {
        let shape = [columns.ncols(), columns.nrows()];
        self.array(group, name, &shape, columns.as_slice())
    }
}
