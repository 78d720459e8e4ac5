//! Whole calls: from x alone to a hypergradient of a stated accuracy.

use autodiff::Real;
use nalgebra::DVector;
use solvers::linear::Cg;
use solvers::{Aid, Exact, Itd, Strategy};

use super::inputs::LinearModel;
use super::w4::Hypergradient;
use super::{Task, w1};

/// The accuracies of the tasks, as their names say: the relative error of the hypergradient.
const AID: [f64; 3] = [1e-3, 1e-6, 1e-10];
const ITD: [f64; 2] = [1e-3, 1e-6];

/// Whether a task can be done in single precision.
pub fn in_single_precision(task: &str) -> bool {
    let fine = ["1e-6", "1e-10"];
    let whole = task.starts_with("aid-") || task.starts_with("itd-");
    !(whole && fine.iter().any(|accuracy| task.ends_with(accuracy)))
}

/// The hypergradient of W1 at its x, to rounding.
pub(super) fn exact_hypergradient(data: &LinearModel) -> Vec<f64> {
    let (problem, x) = (w1::problem::<f64>(data), DVector::from_vec(data.x.clone()));
    let exact = Exact.hypergradient(&problem, &x, &mut problem.workspace());
    exact.expect("no settings").hypergradient.data.into()
}

/// The lower level by Newton's method and the linear system by conjugate gradients, both to the
/// loosest tolerance of 10⁻¹, 10⁻², … that gives the accuracy.
pub(super) fn aid<T: Real>() -> Vec<Box<dyn Task>> {
    accurate::<T, _>(
        &AID,
        (1..=14).map(|digits| 10f64.powi(-digits)),
        |tolerance| Aid::with(Cg::new().tolerance(tolerance)).lower_tolerance(tolerance),
    )
}

/// Steps of length 1, as many as the smallest power of two that gives the accuracy.
pub(super) fn itd<T: Real>() -> Vec<Box<dyn Task>> {
    accurate::<T, _>(&ITD, (4..=12).map(|power| f64::from(1 << power)), |depth| {
        Itd::reverse(depth as usize).step(1.0)
    })
}

/// The first of the settings that gives each accuracy. Peers choose in the same way.
fn accurate<T: Real, S: Strategy<T> + 'static>(
    accuracies: &[f64],
    settings: impl Iterator<Item = f64> + Clone,
    strategy: impl Fn(f64) -> S,
) -> Vec<Box<dyn Task>> {
    let data = w1::inputs();
    let (exact, problem) = (exact_hypergradient(&data), w1::problem::<T>(&data));
    let possible = accuracies.iter().filter(|a| T::NAME == "f64" || **a > 1e-5);
    let first = |accuracy: &f64| -> Box<dyn Task> {
        let mut tasks = settings
            .clone()
            .map(|setting| Hypergradient::new(problem.clone(), strategy(setting), &data.x));
        let found = tasks.find_map(|mut task| {
            task.call();
            (error(&task.result()[0], &exact) <= *accuracy).then_some(task)
        });
        Box::new(found.unwrap_or_else(|| panic!("no setting gives an accuracy of {accuracy:e}")))
    };
    possible.map(first).collect()
}

/// The relative error in the Euclidean norm.
fn error(found: &[f64], exact: &[f64]) -> f64 {
    let apart = found.iter().zip(exact).map(|(a, b)| (a - b).powi(2));
    let size: f64 = exact.iter().map(|b| b * b).sum();
    (apart.sum::<f64>() / size).sqrt()
}
