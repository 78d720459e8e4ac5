//! W4: the hypergradient through K steps of gradient descent.

use autodiff::Real;
use nalgebra::DVector;
use solvers::{Bilevel, Itd, Strategy, Workspace};

use super::inputs::LinearModel;
use super::sweep::wide;
use super::{Task, w1, w2};

/// A strategy's call on a problem.
pub(super) struct Hypergradient<T: Real, S> {
    problem: Bilevel<T>,
    strategy: S,
    x: DVector<T>,
    work: Workspace<T>,
    last: DVector<T>,
    bytes: usize,
}

impl<T: Real, S: Strategy<T>> Hypergradient<T, S> {
    pub(super) fn new(problem: Bilevel<T>, strategy: S, x: &[f64]) -> Self {
        Hypergradient {
            work: problem.workspace(),
            problem,
            strategy,
            x: DVector::from_iterator(x.len(), x.iter().map(|v| T::of(*v))),
            last: DVector::zeros(0),
            bytes: 0,
        }
    }
}

impl<T: Real, S: Strategy<T>> Task for Hypergradient<T, S> {
    fn call(&mut self) {
        let estimate = self
            .strategy
            .hypergradient(&self.problem, &self.x, &mut self.work);
        let estimate = estimate.expect("valid settings");
        self.bytes = estimate.bytes.peak;
        self.last = estimate.hypergradient;
    }

    fn result(&self) -> Vec<Vec<f64>> {
        vec![wide(self.last.as_slice())]
    }

    fn bytes(&self) -> Option<usize> {
        Some(self.bytes)
    }
}

/// Samples, features and classes of the softmax model.
pub(super) const SOFTMAX: [usize; 3] = [500, 100, 10];

/// 500 samples of 100 features in ten classes, and as many to validate on.
pub(super) fn softmax_inputs() -> LinearModel {
    w2::draw(SOFTMAX[0], SOFTMAX[0], SOFTMAX[1], 4)
}

/// Steps of length 1 from y = 0: 100 and 1000 on W1, 1000 on the softmax model.
pub(super) fn tasks<T: Real>() -> Vec<Box<dyn Task>> {
    let itd = |depth: usize| Itd::reverse(depth).step(1.0);
    let logistic = w1::inputs();
    let problem = w1::problem::<T>(&logistic);
    let softmax = softmax_inputs();
    vec![
        Box::new(Hypergradient::new(problem.clone(), itd(100), &logistic.x)),
        Box::new(Hypergradient::new(problem, itd(1000), &logistic.x)),
        Box::new(Hypergradient::new(
            w2::problem::<T>(&softmax),
            itd(1000),
            &softmax.x,
        )),
    ]
}
