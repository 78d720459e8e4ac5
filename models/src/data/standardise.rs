//! Features brought to one scale.

use autodiff::{Sparse, ranks};
use nalgebra::DMatrix;

use super::{Features, Samples};

/// The constants that features were standardised by, those of the training samples alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standardised {
    /// What is taken from each feature: its mean, or 0 of sparse features, whose zeros stay.
    pub means: Vec<f64>,
    /// The standard deviation of each feature, with the divisor n; 0 of a feature that all training
    /// samples share, which is left as it is.
    pub deviations: Vec<f64>,
    /// Mean and standard deviation of the targets of a regression; a deviation of 0 as above.
    pub target: Option<(f64, f64)>,
}

/// Adds what is at hand to sums, and gives back those over all.
type Sum = fn(&mut [f64], &mut dyn FnMut(&mut [f64]));

impl Standardised {
    /// The constants of these samples.
    pub(super) fn of(train: &Samples) -> Self {
        match &train.features {
            Features::Dense(dense) => Self::of_dense(dense, dense.ncols(), |sums, add| add(sums)),
            // Sums go on from rank to rank, in the order of all samples.
            Features::Own(own) => Self::of_dense(own.dense(), own.len(), ranks::in_turn),
            Features::Sparse(sparse) => Self::of_sparse(sparse),
        }
    }

    /// Those of sparse features, over the entries and the zeros between them.
    fn of_sparse(train: &Sparse<f64>) -> Self {
        let (dim, n) = (train.columns(), train.rows() as f64);
        let entries = || {
            let rows = (0..train.rows()).map(|i| train.row(i));
            rows.flat_map(|(places, values)| places.iter().zip(values))
                .map(|(j, v)| (*j as usize, *v))
        };
        let (mut means, mut counts) = (vec![0.0; dim], vec![0_usize; dim]);
        let mut ends = vec![(f64::INFINITY, f64::NEG_INFINITY); dim];
        for (j, v) in entries() {
            means[j] += v / n;
            counts[j] += 1;
            ends[j] = (ends[j].0.min(v), ends[j].1.max(v));
        }
        for j in (0..dim).filter(|j| counts[*j] < train.rows()) {
            ends[j] = (ends[j].0.min(0.0), ends[j].1.max(0.0));
        }
        // As of dense features: divided first, so that large ones do not overflow.
        let largest = |j: usize| (ends[j].1 - means[j]).max(means[j] - ends[j].0);
        let varies = |j: &usize| ends[*j].0 < ends[*j].1;
        let mut squares = vec![0.0; dim];
        for (j, v) in entries().filter(|(j, _)| varies(j)) {
            squares[j] += ((v - means[j]) / largest(j)).powi(2) / n;
        }
        for j in (0..dim).filter(varies) {
            let zeros = (train.rows() - counts[j]) as f64;
            squares[j] += zeros * (means[j] / largest(j)).powi(2) / n;
        }
        let deviation = |j: usize| match varies(&j) {
            true => largest(j) * squares[j].sqrt(),
            false => 0.0,
        };
        Standardised {
            deviations: (0..dim).map(deviation).collect(),
            means: vec![0.0; dim],
            target: None,
        }
    }

    /// Those of n samples, of which some are at hand: `sum` adds these to sums, and gives back those over
    /// all n.
    fn of_dense(train: &DMatrix<f64>, n: usize, sum: Sum) -> Self {
        let (dim, n) = (train.nrows(), n as f64);
        let mut means = vec![0.0; dim];
        // Divided first, so that large features do not overflow.
        sum(&mut means, &mut |means| {
            for sample in train.column_iter() {
                let add = |(mean, value): (&mut f64, &f64)| *mean += value / n;
                means.iter_mut().zip(&sample).for_each(add);
            }
        });
        // The largest distance from the mean, the least and the largest value, of each feature.
        let mut ends = [0.0, f64::INFINITY, f64::NEG_INFINITY].repeat(dim);
        sum(&mut ends, &mut |ends| {
            for sample in train.column_iter() {
                for (j, ends) in ends.chunks_exact_mut(3).enumerate() {
                    ends[0] = ends[0].max((sample[j] - means[j]).abs());
                    ends[1] = ends[1].min(sample[j]);
                    ends[2] = ends[2].max(sample[j]);
                }
            }
        });
        let largest: Vec<f64> = ends.iter().step_by(3).copied().collect();
        let varies: Vec<bool> = ends.chunks_exact(3).map(|e| e[1] < e[2]).collect();
        let mut squares = vec![0.0; dim];
        sum(&mut squares, &mut |squares| {
            for sample in train.column_iter() {
                for j in (0..dim).filter(|j| varies[*j]) {
                    squares[j] += ((sample[j] - means[j]) / largest[j]).powi(2) / n;
                }
            }
        });
        let deviation = |(scale, square): (f64, f64)| scale * square.sqrt();
        Standardised {
            deviations: largest.into_iter().zip(squares).map(deviation).collect(),
            means,
            target: None,
        }
    }

    /// Takes up those of the targets.
    pub(super) fn add_targets(&mut self, targets: &[f64]) {
        let one = Samples {
            features: DMatrix::from_row_slice(1, targets.len(), targets).into(),
            labels: targets.to_vec(),
        };
        let of_targets = Self::of(&one);
        self.target = Some((of_targets.means[0], of_targets.deviations[0]));
    }

    /// Standardises samples with as many features, and their targets.
    pub(super) fn apply(&self, samples: &mut Samples) {
        let apply = |dense: &mut DMatrix<f64>| {
            for mut sample in dense.column_iter_mut() {
                for (j, value) in sample.iter_mut().enumerate() {
                    if self.deviations[j] > 0.0 {
                        *value = (*value - self.means[j]) / self.deviations[j];
                    }
                }
            }
        };
        match &mut samples.features {
            Features::Dense(dense) => apply(dense),
            Features::Own(own) => apply(own.dense_mut()),
            Features::Sparse(sparse) => {
                *sparse = sparse.map_by_column(|j, value| match self.deviations[j] > 0.0 {
                    true => value / self.deviations[j],
                    false => value,
                });
            }
        }
        if let Some((mean, deviation)) = self.target.filter(|(_, deviation)| *deviation > 0.0) {
            let labels = samples.labels.iter_mut();
            labels.for_each(|target| *target = (*target - mean) / deviation);
        }
    }

    /// How many features were left as they are.
    ///
    /// ```
    /// let standardised = models::data::Standardised {
    ///     means: vec![2.0, 5.0],
    ///     deviations: vec![1.0, 0.0],
    ///     target: None,
    /// };
    /// assert_eq!(standardised.constant(), 1);
    /// ```
    pub fn constant(&self) -> usize {
        self.deviations.iter().filter(|d| **d == 0.0).count()
    }
}
