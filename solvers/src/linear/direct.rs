//! A dense factorisation: the exact answer on small problems.

use std::sync::Arc;

use autodiff::bytes::{Category, Claim};
use autodiff::{Real, cholesky};
use nalgebra::{DMatrix, DVectorView, SymmetricEigen};

use crate::hypergradient::Room;

use super::dense::{BLOCK, factor, form};
use super::{LinearEntry, LinearSolver, Operator, Outcome, Report, Scratch, relative, unknowns};

/// Forms H from `dim_y` products, in blocks of sixteen, and solves by Cholesky.
///
/// # Requirements on the problem
/// Any symmetric H that fits as a dense matrix. One that is not positive definite to working
/// precision is reported as singular or indefinite and answered through its eigenvectors, with the
/// pseudo-inverse where it is singular.
///
/// # Cost in oracle calls
/// `dim_y` Hessian-vector products, `2 dim_y²` scalars and blocks of sixteen columns, `dim_y³/3`
/// operations in [products of matrices](autodiff::cholesky).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Direct;

impl<T: Real> LinearSolver<T> for Direct {
    fn name(&self) -> &'static str {
        "direct"
    }

    /// H and its factor; before there is a factor, its place is no less than the block of unit vectors
    /// needs. The eigenvectors of an H that is not definite take a few vectors more.
    fn bytes(&self, n: usize) -> usize {
        2 * n * n * size_of::<T>()
    }

    fn block(&self, n: usize) -> usize {
        n.clamp(1, BLOCK)
    }

    fn room(&self, n: usize) -> Room {
        Room {
            bytes: LinearSolver::<T>::bytes(self, n),
            dense: true,
            less: "aid-cg",
            ..Room::default()
        }
    }

    fn solve(
        &self,
        h: &mut dyn Operator<T>,
        b: &[T],
        v: &mut [T],
        scratch: &mut Scratch<'_, T>,
    ) -> Report {
        let mut report = [Report::BEGUN];
        self.solve_block(h, b, v, &mut report, scratch);
        report[0]
    }

    #[inline(never)]
    fn solve_block(
        &self,
        h: &mut dyn Operator<T>,
        b: &[T],
        v: &mut [T],
        reports: &mut [Report],
        scratch: &mut Scratch<'_, T>,
    ) {
        let n = unknowns(b, v, reports);
        let bytes = LinearSolver::<T>::bytes(self, n);
        let _bytes = Claim::new(bytes, Category::Solver, scratch.meter());
        let mut dense = DMatrix::<T>::zeros(n, n);
        form(h, n, dense.as_mut_slice());
        v.copy_from_slice(b);
        let of_h = solve_dense(dense, v);
        let each = b.chunks_exact(n).zip(v.chunks_exact_mut(n));
        for ((b, v), report) in each.zip(reports) {
            let mut outcome = of_h;
            if outcome == Outcome::NonFinite || !b.iter().all(|b| b.is_finite()) {
                v.fill(T::zero());
                outcome = Outcome::NonFinite;
            }
            let iterations = n;
            *report = Report {
                outcome,
                iterations,
            };
        }
    }
}

/// Replaces the right-hand sides `b` by the solutions. What H is.
fn solve_dense<T: Real>(mut h: DMatrix<T>, b: &mut [T]) -> Outcome {
    let n = h.nrows();
    if h.iter().any(|v| !v.is_finite()) {
        return Outcome::NonFinite;
    }
    let mut l = h.as_slice().to_vec();
    if factor(&mut l, n) {
        b.chunks_exact_mut(n).for_each(|b| cholesky::solve(&l, b));
        return Outcome::Converged;
    }
    drop(l);
    // Products of rounded sweeps are symmetric up to rounding only.
    let half = T::of(0.5);
    for j in 0..n {
        for i in 0..j {
            let mean = (h[(i, j)] + h[(j, i)]) * half;
            h[(i, j)] = mean;
            h[(j, i)] = mean;
        }
    }
    let flat = n as f64 * T::EPSILON;
    let eigen = SymmetricEigen::new(h);
    let largest = eigen.eigenvalues.amax().f64();
    let least = eigen.eigenvalues.min().f64();
    let smallest = eigen
        .eigenvalues
        .iter()
        .map(|l| l.abs().f64())
        .fold(f64::INFINITY, f64::min);
    let relative = |l: f64| relative(l, largest);
    for b in b.chunks_exact_mut(n) {
        let given = DVectorView::from_slice(b, n);
        let mut coordinates = eigen.eigenvectors.tr_mul(&given);
        for (c, l) in coordinates.iter_mut().zip(eigen.eigenvalues.iter()) {
            *c = if relative(l.abs().f64()) <= flat {
                T::zero()
            } else {
                *c / *l
            };
        }
        b.copy_from_slice((&eigen.eigenvectors * coordinates).as_slice());
    }
    if relative(smallest) <= flat {
        Outcome::Singular {
            relative_curvature: relative(smallest),
        }
    } else if least < 0.0 {
        Outcome::Negative {
            relative_curvature: relative(least),
        }
    } else {
        Outcome::Converged
    }
}

/// The name `aid-direct`.
pub(super) fn entry<T: Real>() -> LinearEntry<T> {
    let about = "implicit differentiation, linear system by a dense factorisation";
    LinearEntry::new("aid-direct", about, &[], |_| Ok(Arc::new(Direct)))
        .descent("descent along implicit hypergradients, by a dense factorisation")
}

#[cfg(test)]
mod tests {
    use autodiff::Meter;
    use nalgebra::DVector;

    use super::*;

    fn solve(h: &DMatrix<f64>, b: &[f64]) -> (Vec<f64>, Outcome) {
        let mut v = vec![0.0; b.len()];
        let mut product = |p: &[f64], out: &mut [f64]| {
            let block = DMatrix::from_column_slice(b.len(), p.len() / b.len(), p);
            out.copy_from_slice((h * block).as_slice());
        };
        let report = super::super::solve(&Direct, &mut product, b, &mut v, &Meter::new());
        (v, report.outcome)
    }

    #[test]
    fn definite_singular_and_indefinite_are_told_apart() {
        let h = DMatrix::from_row_slice(2, 2, &[4.0, 1.0, 1.0, 3.0]);
        let (v, outcome) = solve(&h, &[1.0, 2.0]);
        assert_eq!(outcome, Outcome::Converged);
        assert!((v[0] - 1.0 / 11.0).abs() < 1e-15 && (v[1] - 7.0 / 11.0).abs() < 1e-15);

        let (v, outcome) = solve(
            &DMatrix::from_diagonal(&DVector::from_vec(vec![2.0, 0.0])),
            &[1.0, 5.0],
        );
        assert!(matches!(outcome, Outcome::Singular { .. }));
        assert_eq!(v, [0.5, 0.0]);

        let (v, outcome) = solve(
            &DMatrix::from_diagonal(&DVector::from_vec(vec![2.0, -1.0])),
            &[1.0, 5.0],
        );
        assert_eq!(
            outcome,
            Outcome::Negative {
                relative_curvature: -0.5
            }
        );
        assert_eq!(v, [0.5, -5.0]);
    }

    #[test]
    fn blocks_of_columns_make_up_the_whole_matrix() {
        for n in [1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 5] {
            let h = DMatrix::from_fn(n, n, |i, j| match i == j {
                true => 2.0 + i as f64,
                false => 1.0 / (1 + i + j) as f64,
            });
            let want = DVector::from_fn(n, |i, _| (i as f64 + 1.0).sin());
            let (v, outcome) = solve(&h, (&h * &want).as_slice());
            assert_eq!(outcome, Outcome::Converged);
            assert!((DVector::from_vec(v) - want).amax() < 1e-12, "{n}");
        }
    }
}
