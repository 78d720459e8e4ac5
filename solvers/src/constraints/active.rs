//! The equations of a constrained level on its active set.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use super::level::Second;

/// `[H Aᵀ; A 0]` with the rows of the constraints that hold with equality, by a basis of what they
/// leave free: any part of it may be singular, and is told to be.
#[derive(Debug)]
pub(crate) struct Active {
    /// The constraints that hold with equality, in their order.
    pub(crate) set: Vec<usize>,
    hessian: DMatrix<f64>,
    /// The lengths of the rows of A, and `A = diag(lengths) U Σ Vᵀ`.
    lengths: DVector<f64>,
    left: DMatrix<f64>,
    singular: DVector<f64>,
    range: DMatrix<f64>,
    /// An orthonormal basis of what the rows leave free, turned so that H is diagonal on it.
    free: DMatrix<f64>,
    curvatures: DVector<f64>,
    /// The largest curvature of H.
    pub(crate) largest: f64,
    /// The precision of the numbers.
    epsilon: f64,
}

impl Active {
    /// Of these constraints at a point.
    pub(crate) fn of(here: &Second, set: Vec<usize>, epsilon: f64) -> Self {
        let (n, k) = (here.hessian.nrows(), set.len());
        let mut a = here.jacobian.select_rows(&set);
        let lengths = DVector::from_fn(k, |i, _| match a.row(i).norm() {
            0.0 => 1.0,
            length => length,
        });
        for (mut row, length) in a.row_iter_mut().zip(lengths.iter()) {
            row /= *length;
        }
        let (left, singular, range) = match k {
            0 => (
                DMatrix::zeros(0, 0),
                DVector::zeros(0),
                DMatrix::zeros(n, 0),
            ),
            _ => {
                let svd = a.svd(true, true);
                let (u, v) = (svd.u.expect("asked for"), svd.v_t.expect("asked for"));
                (u, svd.singular_values, v.transpose())
            }
        };
        let independent = k.min(n);
        let mut columns = DMatrix::zeros(n, independent + n);
        columns
            .columns_range_mut(..independent)
            .copy_from(&range.columns_range(..independent));
        (0..n).for_each(|i| columns[(i, independent + i)] = 1.0);
        let basis = columns.qr().q();
        let basis = basis.columns_range(independent..n).into_owned();
        let reduced = basis.tr_mul(&(&here.hessian * &basis));
        let (free, curvatures) = match reduced.nrows() {
            0 => (basis, DVector::zeros(0)),
            _ => {
                let eigen = SymmetricEigen::new((&reduced + reduced.transpose()) * 0.5);
                (basis * eigen.eigenvectors, eigen.eigenvalues)
            }
        };
        let along = (0..n).map(|i| here.hessian.column(i).norm());
        Active {
            set,
            largest: along.fold(0.0, f64::max),
            hessian: here.hessian.clone(),
            lengths,
            left,
            singular,
            range,
            free,
            curvatures,
            epsilon,
        }
    }

    /// What a distance from the `i`-th constraint is worth as a gradient, in units of the constraint's
    /// value.
    pub(crate) fn stiffness(&self, i: usize) -> f64 {
        let k = self.set.iter().position(|k| *k == i);
        k.map_or(0.0, |k| self.largest / self.lengths[k])
    }

    /// How nearly the gradients of the set depend on each other: the least singular value in units
    /// of the largest, if that is none to the precision.
    pub(crate) fn dependent(&self) -> Option<f64> {
        let n = self.hessian.nrows();
        if self.set.len() > n {
            return Some(0.0);
        }
        let (largest, least) = (self.singular.max(), self.singular.min());
        let relative = least / largest;
        // Written so that a NaN is dependent.
        (!self.set.is_empty() && !(relative > self.epsilon.sqrt())).then_some(relative.max(0.0))
    }

    /// What counts as no curvature.
    fn flat(&self) -> f64 {
        self.hessian.nrows() as f64 * self.epsilon * self.largest
    }

    /// The most negative curvature on what is free, in units of the largest.
    pub(crate) fn negative(&self) -> Option<f64> {
        let least = self.curvatures.iter().copied().fold(0.0, f64::min);
        (least < -10.0 * self.flat()).then(|| least / self.largest)
    }

    /// Whether L has negative curvature off the active set, with the first `equal` rows held: y is then a
    /// local solution.
    pub(crate) fn is_local(&self, equal: usize) -> bool {
        let n = self.hessian.nrows();
        let mut raised = self.hessian.clone();
        (0..n).for_each(|i| raised[(i, i)] += 10.0 * self.flat());
        let held = self.set.iter().take_while(|i| **i < equal).count();
        let a = self.left.rows_range(..held) * DMatrix::from_diagonal(&self.singular);
        let a = a * self.range.transpose();
        raised += a.tr_mul(&a) * (1e3 * self.largest);
        self.largest > 0.0 && raised.cholesky().is_none()
    }

    /// The least curvature on what is free, in units of the largest, if it is none to the precision.
    pub(crate) fn singular(&self) -> Option<f64> {
        let least = self.curvatures.iter().map(|c| c.abs());
        let least = least.fold(f64::INFINITY, f64::min);
        (least <= self.flat()).then(|| match self.largest {
            0.0 => 0.0,
            largest => least / largest,
        })
    }

    /// The directions that the constraints leave free and the level is flat along.
    pub(crate) fn flats(&self) -> DMatrix<f64> {
        let flat = self.flat();
        let flats = (0..self.curvatures.len()).filter(|i| self.curvatures[*i].abs() <= flat);
        self.free.select_columns(&flats.collect::<Vec<_>>())
    }

    /// The (v, w) with `H v + Aᵀw = b` and `A v = c`; of least norm where there are many.
    pub(crate) fn solve(&self, b: &DVector<f64>, c: &DVector<f64>) -> (DVector<f64>, DVector<f64>) {
        let least = self.epsilon.sqrt() * self.singular.iter().copied().fold(0.0, f64::max);
        let divided = |mut v: DVector<f64>| {
            for (v, s) in v.iter_mut().zip(self.singular.iter()) {
                *v = if *s > least { *v / s } else { 0.0 };
            }
            v
        };
        let held = divided(self.left.tr_mul(&c.component_div(&self.lengths)));
        let mut v = &self.range * held;
        let mut along = self.free.tr_mul(&(b - &self.hessian * &v));
        let flat = self.flat();
        for (along, curvature) in along.iter_mut().zip(self.curvatures.iter()) {
            *along = if curvature.abs() > flat {
                *along / curvature
            } else {
                0.0
            };
        }
        v += &self.free * along;
        let pressed = divided(self.range.tr_mul(&(b - &self.hessian * &v)));
        let w = (&self.left * pressed).component_div(&self.lengths);
        (v, w)
    }
}
