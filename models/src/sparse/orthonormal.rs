//! Designs with orthonormal columns, on which sparse regression has closed forms.

use autodiff::{Real, Var, objective};
use nalgebra::{DMatrix, DVector};
use solvers::Part;

use crate::data::{Samples, Splits};
use crate::gaussian::Gaussian;
use crate::task::{Metric, Task};

/// Samples as rows, and their targets.
pub(super) type Rows = (DMatrix<f64>, DVector<f64>);

/// Training and validation samples, and others kept for the report.
pub(super) struct Design {
    pub(super) train: Rows,
    pub(super) valid: Rows,
    pub(super) test: Option<Rows>,
}

impl Design {
    /// Twice as many samples as features on both sides: A and B with AᵀA = nI, Aᵀt/n = `seen` and
    /// Bᵀu/n = `signal`, with a part of t and u that no y explains.
    pub(super) fn orthonormal(seen: &[f64], signal: &[f64], numbers: &mut Gaussian) -> Self {
        let (dim, n) = (seen.len(), 2 * seen.len());
        let mut rows = |coefficients: &[f64]| {
            let features = DMatrix::from_fn(n, dim, |_, _| numbers.draw()).qr().q();
            let features = features * (n as f64).sqrt();
            let rest = DVector::from_fn(n, |_, _| 0.1 * numbers.draw());
            let along = features.tr_mul(&rest) / n as f64;
            let targets = &features * (DVector::from_column_slice(coefficients) - along) + rest;
            (features, targets)
        };
        Design {
            train: rows(seen),
            valid: rows(signal),
            test: None,
        }
    }

    /// Of the user's samples, whose labels are the targets.
    pub(super) fn of(splits: Splits) -> Self {
        let rows = |part: Samples| {
            (
                part.features.dense().transpose(),
                DVector::from_vec(part.labels),
            )
        };
        Design {
            train: rows(splits.train),
            valid: rows(splits.valid),
            test: splits.test.map(rows),
        }
    }

    /// The largest weight of the ℓ₁ norm at which y is not 0: `‖Aᵀt‖_∞/n`.
    pub(super) fn largest_weight(&self) -> f64 {
        let (a, t) = &self.train;
        a.tr_mul(t).amax() / t.len() as f64
    }

    /// Lower level ‖Ay − t‖²/2n with `part` beside it, upper level ‖By − u‖²/2m. The metrics are the
    /// number of entries of y that are not 0, and the mean squared error on the test samples.
    pub(super) fn task<T: Real>(self, name: &'static str, x: DVector<T>, part: Part<T>) -> Task<T> {
        let dim = self.train.0.ncols();
        let cast = |(m, t): &Rows| (m.map(T::of), t.map(T::of));
        let ((a, t), (b, u)) = (cast(&self.train), cast(&self.valid));
        let over = |t: &DVector<T>| T::of(0.5 / t.len().max(1) as f64);
        let (over_n, over_m) = (over(&t), over(&u));
        let lower = objective(|_: Var<'_, T>, y: Var<'_, T>| (&a * y - &t).norm_squared() * over_n);
        let upper = objective(|_: Var<'_, T>, y: Var<'_, T>| (&b * y - &u).norm_squared() * over_m);
        let task = Task::plain(name, upper, lower, x, dim).with_part(part);
        let mut metrics = vec![not_zero()];
        metrics.extend(self.test.map(|(m, t)| {
            Metric::new("test_mse", move |_, y: &DVector<T>| {
                (&m * y.map(|v| v.f64()) - &t).norm_squared() / t.len() as f64
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
