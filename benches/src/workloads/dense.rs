//! `dense`: hypergradients through a dense Hessian.

use autodiff::Real;
use solvers::{Aid, Bilevel, Exact};

use super::inputs::LinearModel;
use super::w4::{Hypergradient, softmax_inputs};
use super::{Task, w1, w2};

/// `exact` and `aid-direct`, both of which solve the lower level too, on the upper levels of W1 and of
/// W2 at 500×100×10: y of 500 and of 1000 entries.
pub(super) fn tasks<T: Real>() -> Vec<Box<dyn Task>> {
    let (logistic, softmax) = (w1::inputs(), softmax_inputs());
    let mut tasks = of(w1::problem::<T>(&logistic), &logistic);
    tasks.extend(of(w2::problem::<T>(&softmax), &softmax));
    tasks
}

fn of<T: Real>(problem: Bilevel<T>, data: &LinearModel) -> Vec<Box<dyn Task>> {
    vec![
        Box::new(Hypergradient::new(problem.clone(), Exact, &data.x)),
        Box::new(Hypergradient::new(problem, Aid::direct(), &data.x)),
    ]
}
