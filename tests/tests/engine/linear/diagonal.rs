//! The preconditioner that estimates the diagonal.

use autodiff::Meter;
use nalgebra::{DMatrix, DVector};
use solvers::linear::{Cg, Diagonal, Outcome, Pcg, Preconditioner, Report, Scratch, solve};

fn units(n: usize) -> DMatrix<f64> {
    let coupling = DMatrix::from_fn(n, n, |i, j| match i.abs_diff(j) {
        0 => 3.0,
        1 => 1.0,
        _ => 0.0,
    });
    let unit = DMatrix::from_diagonal(&DVector::from_fn(n, |i, _| {
        10f64.powf(i as f64 / 10.0 - 3.0)
    }));
    &unit * coupling * &unit
}

fn solved(
    a: &DMatrix<f64>,
    solver: &dyn solvers::linear::LinearSolver<f64>,
) -> (Report, DVector<f64>) {
    let (b, mut v) = (
        DVector::from_element(a.nrows(), 1.0),
        DVector::zeros(a.nrows()),
    );
    let n = a.nrows();
    let mut h = |v: &[f64], out: &mut [f64]| {
        for (v, out) in v.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
            out.copy_from_slice((a * DVector::from_column_slice(v)).as_slice());
        }
    };
    let report = solve(
        solver,
        &mut h,
        b.as_slice(),
        v.as_mut_slice(),
        &Meter::new(),
    );
    (report, v)
}

#[test]
fn entries_in_unlike_units_cost_what_they_would_in_like_ones() {
    let a = units(60);
    let (plain, _) = solved(&a, &Cg::new());
    for samples in [16, usize::MAX] {
        let (report, v) = solved(&a, &Pcg::jacobi(samples));
        assert_eq!(report.outcome, Outcome::Converged);
        assert!(
            2 * report.iterations < plain.iterations,
            "{report:?} {plain:?}"
        );
        let left = (&a * v - DVector::from_element(60, 1.0)).norm() / 60f64.sqrt();
        assert!(left < 1e-9, "{left:e}");
    }
}

/// From unit vectors, whatever stands beside the diagonal.
#[test]
fn as_many_samples_as_entries_give_the_diagonal_itself() {
    let a = units(9);
    let mut h = |v: &[f64], out: &mut [f64]| {
        for (v, out) in v.chunks_exact(9).zip(out.chunks_exact_mut(9)) {
            out.copy_from_slice((&a * DVector::from_column_slice(v)).as_slice());
        }
    };
    let diagonal = Diagonal::of(9);
    let mut room = vec![0.0; Preconditioner::<f64>::scratch(&diagonal, 9)];
    let meter = Meter::new();
    let scratch = Scratch::new(&mut room, &meter);
    let mut inverse = diagonal.prepare(&mut h, 9, scratch).expect("a diagonal");
    let mut z = [0.0; 9];
    solvers::linear::Operator::apply(&mut inverse, &[1.0; 9], &mut z);
    for i in 0..9 {
        assert!((z[i] * a[(i, i)] - 1.0).abs() < 1e-15, "{i}: {z:?}");
    }
}
