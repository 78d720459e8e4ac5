//! The Nyström approximation.

use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use solvers::linear::{
    Cg, Direct, Nystrom, Operator, Outcome, Pcg, Preconditioner, Scratch, Sketch,
};

use crate::linear::system::{System, definite, relative};

const SKETCHES: [Sketch; 2] = [Sketch::Gaussian, Sketch::Columns];

/// Ĥ, as the solver sees it: with damping 1 the answer is (Ĥ + I)⁻¹b, for every b.
fn approximation(system: &System, nystrom: Nystrom) -> DMatrix<f64> {
    let n = system.dim();
    let columns: Vec<DVector<f64>> = (0..n)
        .map(|j| {
            let unit = DVector::from_fn(n, |i, _| f64::from(u8::from(i == j)));
            system.with(unit).solve::<f64>(&nystrom.damping(1.0)).v
        })
        .collect();
    let inverse = DMatrix::from_columns(&columns);
    let damped = inverse
        .try_inverse()
        .expect("no eigenvalue is below a half");
    damped - DMatrix::identity(n, n)
}

fn norm(m: &DMatrix<f64>) -> f64 {
    m.clone().svd(false, false).singular_values.max()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn full_rank_tends_to_the_direct_solution_as_the_damping_falls(
        system in definite(2.0),
        seed in any::<u64>(),
    ) {
        let n = system.dim();
        let exact = system.solve::<f64>(&Direct).v;
        for sketch in SKETCHES {
            let nystrom = Nystrom::new(n).sketch(sketch).seed(seed);
            for damping in [1e-1, 1e-4, 1e-8] {
                let solved = system.solve::<f64>(&nystrom.damping(damping));
                prop_assert_eq!(solved.report.outcome, Outcome::Approximate);
                let want = system.function(|l| 1.0 / (l + damping));
                prop_assert!(relative(&solved.v, &want) < 1e-10);
            }
            for exactly in [nystrom, nystrom.damping(0.0)] {
                let solved = system.solve::<f64>(&exactly);
                prop_assert_eq!(solved.report.outcome, Outcome::Converged);
                prop_assert_eq!((solved.report.iterations, solved.products), (n, n));
                prop_assert!(relative(&solved.v, &exact) < 1e-11);
            }
        }
    }

    /// A matrix of low rank plus a multiple of the identity, which is the damping, is solved
    /// exactly as soon as the rank is reached.
    #[test]
    fn low_rank_plus_identity_is_exact(
        low in definite(1.0),
        beside in 1..8usize,
        damping in 1e-3..1.0f64,
        seed in any::<u64>(),
    ) {
        let rank = low.dim();
        let mut values: Vec<f64> = (0..rank).map(|i| 1.0 + i as f64).collect();
        values.resize(rank + beside, 0.0);
        let system = System::new(&values, seed);
        for extra in 0..=2 {
            let nystrom = Nystrom::new(rank + extra).damping(damping).seed(seed);
            let solved = system.solve::<f64>(&nystrom);
            let want = system.function(|l| 1.0 / (l + damping));
            let error = relative(&solved.v, &want);
            // As many directions as the rank may lie near a plane, one draw in thousands: what they
            // see of H is then as badly conditioned as the square of that.
            let bound = if extra == 0 { 1e-6 } else { 1e-8 };
            prop_assert!(error < bound, "{extra}: {error:e}");
            // More directions than the rank meet those along which H is flat, which the others
            // know nothing of.
            let flat = solved.report.outcome != Outcome::Approximate;
            prop_assert!(extra > 0 || !flat, "{:?}", solved.report);
        }
    }

    /// With E = H − Ĥ, which is semidefinite, the inverses of H + ρ and Ĥ + ρ differ by at most
    /// ‖E‖/(ρ(‖E‖ + ρ)).
    #[test]
    fn the_error_obeys_its_law(
        system in definite(2.0),
        damping in 1e-2..1.0f64,
        seed in any::<u64>(),
    ) {
        prop_assume!(system.dim() > 2);
        for sketch in SKETCHES {
            let nystrom = Nystrom::new(system.dim() / 2).sketch(sketch).seed(seed);
            let e = &system.h - approximation(&system, nystrom);
            let least = e.clone().symmetric_eigen().eigenvalues.min();
            prop_assert!(least > -1e-10, "{least:e}");
            let size = norm(&e);
            let v = system.solve::<f64>(&nystrom.damping(damping)).v;
            let want = system.function(|l| 1.0 / (l + damping));
            let bound = size / (damping * (size + damping)) * system.b.norm();
            prop_assert!((v - want).norm() <= bound * (1.0 + 1e-9) + 1e-9);
        }
    }

    #[test]
    fn a_first_guess_is_corrected(system in definite(1.0), seed in any::<u64>()) {
        let start = System::new(&vec![1.0; system.dim()], seed).b;
        let nystrom = Nystrom::new(3).damping(0.1).seed(seed);
        let left = system.with(&system.b - &system.h * &start);
        let want = &start + left.solve::<f64>(&nystrom).v;
        let got = system.solve_from::<f64>(&nystrom, &start);
        prop_assert!((&got.v - &want).norm() < 1e-10 * (1.0 + want.norm()));
        prop_assert_eq!(got.products, 3.min(system.dim()) + 1);
    }
}

#[test]
fn the_approximation_is_the_formula() {
    // Columns of a diagonal matrix: what is drawn is inverted, and the rest is the damping.
    let values = [5.0, 4.0, 3.0, 2.0, 1.0];
    let system = System::diagonal(&values, &[1.0; 5]);
    let nystrom = Nystrom::new(2).sketch(Sketch::Columns).damping(0.5).seed(3);
    let v = system.solve::<f64>(&nystrom).v;
    let drawn: Vec<usize> = (0..5).filter(|i| (v[*i] - 2.0).abs() > 1e-12).collect();
    assert_eq!(drawn.len(), 2, "{v}");
    for i in drawn {
        assert!((v[i] - 1.0 / (values[i] + 0.5)).abs() < 1e-15, "{v}");
    }
    // Without a damping the rest stands for the least eigenvalue that is known.
    let v = system
        .solve::<f64>(&Nystrom::new(2).sketch(Sketch::Columns).seed(3))
        .v;
    let least = (0..5).map(|i| 1.0 / v[i]).fold(f64::INFINITY, f64::min);
    let known = (0..5)
        .filter(|i| (v[*i] * values[*i] - 1.0).abs() < 1e-14)
        .count();
    assert!(
        known >= 2 && v.iter().all(|v| *v <= 1.0 / least + 1e-15),
        "{v}"
    );
}

#[test]
fn seeds_decide() {
    let system = System::new(&[5.0, 4.0, 3.0, 2.0, 1.0, 0.5], 2);
    for sketch in SKETCHES {
        let with = |seed| Nystrom::new(2).sketch(sketch).seed(seed);
        let of = |seed| system.solve::<f64>(&with(seed)).v;
        assert_eq!(of(7), of(7));
        assert!((0..8).any(|seed| relative(&of(seed), &of(7)) > 1e-6));
    }
}

#[test]
fn indefinite_and_singular_are_reported() {
    let indefinite = System::new(&[2.0, 1.0, -1.0, 0.5], 1);
    let solved = indefinite.solve::<f64>(&Nystrom::new(4));
    assert!(matches!(solved.report.outcome, Outcome::Negative { .. }));
    assert!(relative(&solved.v, &indefinite.solution()) < 1e-12);
    let singular = System::new(&[2.0, 1.0, 0.0, 0.5], 1);
    let solved = singular.solve::<f64>(&Nystrom::new(4));
    assert!(matches!(solved.report.outcome, Outcome::Singular { .. }));
    assert!(relative(&solved.v, &singular.solution()) < 1e-12, "H⁺b");
}

/// What few large eigenvalues cost conjugate gradients, a preconditioner has back.
#[test]
fn a_preconditioner_takes_large_eigenvalues_out() {
    let value = |i: i32| match i {
        0..8 => 10f64.powi(8 - i),
        _ => 1.0 + f64::from(i) / 60.0,
    };
    let system = System::new(&Vec::from_iter((0..60).map(value)), 3);
    let plain = system.solve::<f64>(&Cg::new());
    let rounder = system.solve::<f64>(&Pcg::nystrom(12));
    for solved in [&plain, &rounder] {
        assert_eq!(solved.report.outcome, Outcome::Converged);
        // The solver's own residual drifts from this one by rounding times the condition, 1e8.
        let residual = system.residual(&solved.v);
        assert!(residual < 1e-7, "{residual:e}");
    }
    let (many, few) = (plain.report.iterations, rounder.report.iterations);
    assert!(2 * few < many, "{few} iterations, and {many} without");
    // The sketch's products are counted too.
    assert_eq!(rounder.products, few + 12);
}

/// An indefinite H gives no inner product, and is told by the sketch.
#[test]
fn a_preconditioner_of_an_indefinite_system_is_refused() {
    let system = System::new(&[3.0, 2.0, -1.0, 1.0], 5);
    let solved = system.solve::<f64>(&Pcg::nystrom(4));
    let negative = matches!(solved.report.outcome, Outcome::Negative { .. });
    assert!(negative, "{:?}", solved.report);
}

/// A preconditioner of a user's own: a multiple of the residual, kept in its scratch.
#[derive(Debug)]
struct Scaled(f64);

impl Preconditioner<f64> for Scaled {
    fn name(&self) -> &'static str {
        "scaled-cg"
    }

    fn scratch(&self, n: usize) -> usize {
        n
    }

    fn prepare<'s>(
        &'s self,
        _: &mut dyn Operator<f64>,
        n: usize,
        mut scratch: Scratch<'s, f64>,
    ) -> Result<impl Operator<f64> + 's, Outcome> {
        scratch.vectors::<1>(n)[0].fill(self.0);
        let ([scale], _) = scratch.take(n);
        Ok(move |r: &[f64], z: &mut [f64]| {
            for i in 0..n {
                z[i] = scale[i] * r[i];
            }
        })
    }
}

#[test]
fn a_multiple_of_the_identity_preconditions_nothing_and_one_that_is_not_positive_is_told() {
    let system = System::new(&[3.0, 2.0, 1.0, 0.5], 5);
    let plain = system.solve::<f64>(&Cg::new());
    let own = system.solve::<f64>(&Pcg::with(Scaled(8.0)));
    assert_eq!(own.report, plain.report);
    assert_eq!(own.v, plain.v, "a power of two changes no bit");
    for (scale, negative) in [(-1.0, true), (0.0, true), (f64::NAN, false)] {
        let told = system.solve::<f64>(&Pcg::with(Scaled(scale))).report;
        assert_eq!(told.iterations, 0);
        assert_eq!(matches!(told.outcome, Outcome::Negative { .. }), negative);
        assert_eq!(told.outcome == Outcome::NonFinite, !negative);
    }
}
