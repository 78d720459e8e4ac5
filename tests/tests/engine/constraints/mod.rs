//! Constraints between the levels: closed forms, differences of solutions by an enumeration of active
//! sets, other units, and levels that have no answer.

mod bad_input;
mod closed_forms;
mod quadratics;
mod units;

use autodiff::{Real, Var, objective};
use nalgebra::DVector;
use solvers::{Bilevel, Constraints, Estimate, Kkt, Strategy};

/// `min_y ½‖y − t(x)‖²` under constraints, upper ½‖y − c‖² for `c_i = (i + 1)/3`.
pub(crate) fn nearest<T: Real>(
    target: impl for<'r> Fn(Var<'r, T>) -> Var<'r, T>,
    constraints: Constraints<T>,
    dims: (usize, usize),
) -> Bilevel<T> {
    let half = T::of(0.5);
    let wanted = DVector::from_fn(dims.1, |i, _| T::of((i + 1) as f64 / 3.0));
    let upper = objective(|_: Var<'_, T>, y: Var<'_, T>| (y - &wanted).norm_squared() * half);
    let lower = objective(|x: Var<'_, T>, y: Var<'_, T>| (y - target(x)).norm_squared() * half);
    Bilevel::new(upper, lower, dims.0, dims.1)
        .expect("a valid problem")
        .with_constraints(constraints)
        .expect("constraints of these")
}

#[track_caller]
pub(crate) fn kkt<T: Real>(problem: &Bilevel<T>, x: &[f64]) -> Estimate<T> {
    let x = DVector::from_iterator(x.len(), x.iter().map(|v| T::of(*v)));
    let estimate = Kkt::new()
        .hypergradient(problem, &x, &mut problem.workspace())
        .expect("a problem that suits");
    let predicted = Kkt::new().predicted_peak_bytes(problem);
    assert_eq!(estimate.bytes.peak, predicted, "{estimate}");
    estimate
}
