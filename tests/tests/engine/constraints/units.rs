//! The same level in other units and precisions.

use autodiff::{Real, Var, objective};
use nalgebra::{DVector, dvector};
use solvers::{Bilevel, Constraints, Status};

use super::kkt;

/// The nearest point to (2, 1)·u of y₀ + y₁ ≤ x, y₁ ≥ 0.2u in units u of y, γ of g and κ of c: at
/// x = 2u it is (1.5, 0.5)u, and moves by (½, ½)x.
fn in_units<T: Real>([u, gamma, kappa]: [f64; 3], start: f64) -> Bilevel<T> {
    let of = T::of;
    let wanted = DVector::from_vec(vec![of(2.0 * u), of(u)]);
    let lower = objective(|_: Var<'_, T>, y: Var<'_, T>| {
        (y - &wanted).norm_squared() * of(0.5 * gamma / u)
    });
    let upper = objective(|_: Var<'_, T>, y: Var<'_, T>| y.norm_squared() * of(0.5 / (u * u)));
    let held = Constraints::new()
        .at_most_zero(move |x: Var<'_, T>, y: Var<'_, T>| (y.sum() - x.at(0)) * of(kappa))
        .at_most_zero(move |_: Var<'_, T>, y: Var<'_, T>| (-y.at(1) + of(0.2 * u)) * of(kappa));
    Bilevel::new(upper, lower, 1, 2)
        .and_then(|p| p.with_constraints(held))
        .expect("a valid problem")
        .starting_from(DVector::from_element(2, of(start)))
}

fn holds<T: Real>(units: [f64; 3], start: f64, within: f64) {
    let [u, gamma, kappa] = units;
    let estimate = kkt(&in_units::<T>(units, start), &[2.0 * u]);
    let case = format!("{units:?} from {start}: {estimate}");
    assert_eq!(estimate.status, Status::Converged, "{case}");
    assert!(estimate.warnings.is_empty(), "{case}");
    let y = dvector![1.5 * u, 0.5 * u];
    assert!(
        (estimate.y.map(|v| v.f64()) - y).norm() <= within * u,
        "{case}"
    );
    // dF/dx = (1.5 + 0.5)/2 / u.
    let h = estimate.hypergradient[0].f64() * u;
    assert!((h - 1.0).abs() <= within, "{case}");
    let multiplier = estimate.multipliers[0] * kappa / gamma;
    assert!((multiplier - 0.5).abs() <= within, "{case}");
}

#[test]
fn no_unit_of_y_of_g_or_of_the_constraints_matters() {
    for u in [1.0, 1e-6, 1e6] {
        for gamma in [1.0, 1e-6, 1e6] {
            for kappa in [1.0, 1e-6, 1e6] {
                holds::<f64>([u, gamma, kappa], 0.0, 1e-11);
            }
        }
    }
}

#[test]
fn no_start_matters() {
    for start in [-1e6, -3.0, 0.1, 1.0, 50.0, 1e6] {
        holds::<f64>([1.0, 1.0, 1.0], start, 1e-9);
    }
}

#[test]
fn single_precision_does_as_well_as_it_can() {
    for units in [[1.0, 1.0, 1.0], [1e-4, 1e3, 1e2], [1e4, 1e-3, 1e-2]] {
        holds::<f32>(units, 0.0, 2e-5);
    }
}
