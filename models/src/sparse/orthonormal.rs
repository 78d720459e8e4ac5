//! Designs with orthonormal columns, on which sparse regression has closed forms.

use autodiff::{Real, Var, objective};
use nalgebra::{DMatrix, DVector};
use solvers::{Constants, Part};

use crate::curvatures::extremes;
use crate::data::{Samples, Splits};
use crate::dataset::Dataset;
use crate::gaussian::Gaussian;
use crate::task::{Metric, Task};

/// Training and validation samples, and others kept for the report.
pub(super) struct Design {
    pub(super) train: Samples,
    pub(super) valid: Samples,
    pub(super) test: Option<Samples>,
}

impl Design {
    /// Twice as many samples as features on both sides: A and B with AᵀA = nI, Aᵀt/n = `seen` and
    /// Bᵀu/n = `signal`, with a part of t and u that no y explains.
    pub(super) fn orthonormal(seen: &[f64], signal: &[f64], numbers: &mut Gaussian) -> Self {
        let (dim, n) = (seen.len(), 2 * seen.len());
        let mut samples = |coefficients: &[f64]| {
            let features = DMatrix::from_fn(n, dim, |_, _| numbers.draw()).qr().q();
            let features = features * (n as f64).sqrt();
            let rest = DVector::from_fn(n, |_, _| 0.1 * numbers.draw());
            let along = features.tr_mul(&rest) / n as f64;
            let targets = &features * (DVector::from_column_slice(coefficients) - along) + rest;
            Samples {
                features: features.transpose().into(),
                labels: targets.as_slice().to_vec(),
            }
        };
        Design {
            train: samples(seen),
            valid: samples(signal),
            test: None,
        }
    }

    /// Of the user's samples, whose labels are the targets.
    pub(super) fn of(splits: Splits) -> Self {
        Design {
            train: splits.train,
            valid: splits.valid,
            test: splits.test,
        }
    }

    /// The same as splits.
    pub(super) fn splits(self) -> Splits {
        Splits {
            train: self.train,
            valid: self.valid,
            test: self.test,
            source: "drawn".into(),
        }
    }

    /// The number of features.
    pub(super) fn dim(&self) -> usize {
        self.train.dim()
    }

    /// The largest weight of the ℓ₁ norm at which y is not 0: `‖Aᵀt‖_∞/n`.
    pub(super) fn largest_weight(&self) -> f64 {
        let Samples { features, labels } = &self.train;
        features.weighted(labels).amax() / labels.len() as f64
    }

    /// Lower level ‖Ay − t‖²/2n with `part` beside it, upper level ‖By − u‖²/2m. The metrics are the
    /// number of entries of y that are not 0, and the mean squared error on the test samples. The constants
    /// are the extreme eigenvalues of AᵀA/n and the largest of BᵀB/m; the others are 0.
    pub(super) fn task<T: Real>(self, name: &'static str, x: DVector<T>, part: Part<T>) -> Task<T> {
        let dim = self.dim();
        let train = Dataset::<T>::targets(&self.train);
        let valid = Dataset::<T>::targets(&self.valid);
        let (least, most) = extremes(&self.train);
        let stated = Constants {
            strong_convexity: least,
            smoothness: most,
            hessian_lipschitz: 0.0,
            cross_norm: 0.0,
            cross_lipschitz: 0.0,
            upper_smoothness: extremes(&self.valid).1,
            upper_cross: 0.0,
        };
        let lower = objective(move |_: Var<'_, T>, y: Var<'_, T>| train.squared_loss(y));
        let upper = objective(move |_: Var<'_, T>, y: Var<'_, T>| valid.squared_loss(y));
        let task = Task::plain(name, upper, lower, x, dim)
            .with_part(part)
            .with_constants(move |_, _| stated);
        let mut metrics = vec![not_zero()];
        metrics.extend(self.test.map(|test| {
            let (m, t) = (crate::design::Design::of(test.features), test.labels);
            let t = DVector::from_vec(t);
            Metric::new("test_mse", move |_, y: &DVector<T>| {
                (m.product(&y.map(|v| v.f64())) - &t).norm_squared() / t.len() as f64
            })
        }));
        Task { metrics, ..task }
    }
}

/// How many entries of y are not 0.
pub(super) fn not_zero<T: Real>() -> Metric<T> {
    Metric::new("nonzero", |_, y: &DVector<T>| {
        y.iter().filter(|v| **v != T::zero()).count() as f64
    })
}
