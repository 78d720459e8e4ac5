//! Features brought to one scale.

use nalgebra::DMatrix;

use super::Samples;

/// The constants that features were standardised by, those of the training samples alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standardised {
    /// The mean of each feature.
    pub means: Vec<f64>,
    /// The standard deviation of each feature, with the divisor n; 0 of a feature that all training
    /// samples share, which is left as it is.
    pub deviations: Vec<f64>,
    /// Mean and standard deviation of the targets of a regression; a deviation of 0 as above.
    pub target: Option<(f64, f64)>,
}

impl Standardised {
    /// The constants of these samples.
    pub(super) fn of(train: &Samples) -> Self {
        let (dim, n) = (train.dim(), train.len() as f64);
        let mut means = vec![0.0; dim];
        // Divided first, so that large features do not overflow.
        for sample in train.features.column_iter() {
            let add = |(mean, value): (&mut f64, &f64)| *mean += value / n;
            means.iter_mut().zip(&sample).for_each(add);
        }
        let mut largest = vec![0.0_f64; dim];
        let mut varies = vec![false; dim];
        for sample in train.features.column_iter() {
            for j in 0..dim {
                largest[j] = largest[j].max((sample[j] - means[j]).abs());
                varies[j] |= sample[j] != train.features[(j, 0)];
            }
        }
        let mut squares = vec![0.0; dim];
        for sample in train.features.column_iter() {
            for j in (0..dim).filter(|j| varies[*j]) {
                squares[j] += ((sample[j] - means[j]) / largest[j]).powi(2) / n;
            }
        }
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
            features: DMatrix::from_row_slice(1, targets.len(), targets),
            labels: targets.to_vec(),
        };
        let of_targets = Self::of(&one);
        self.target = Some((of_targets.means[0], of_targets.deviations[0]));
    }

    /// Standardises samples with as many features, and their targets.
    pub(super) fn apply(&self, samples: &mut Samples) {
        for mut sample in samples.features.column_iter_mut() {
            for (j, value) in sample.iter_mut().enumerate() {
                if self.deviations[j] > 0.0 {
                    *value = (*value - self.means[j]) / self.deviations[j];
                }
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
