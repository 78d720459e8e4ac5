//! W5: implicit differentiation at a given point of the lower level.

use autodiff::{Inputs, Real};
use nalgebra::DVector;
use solvers::linear::Cg;
use solvers::{Aid, LowerSolve};

use super::inputs::LinearModel;
use super::sweep::cast;
use super::w4::Hypergradient;
use super::{Task, w1};

/// Steps of conjugate gradients.
pub(super) const STEPS: usize = 20;

/// Where the lower level is after 50 steps of length 1 from 0.
pub(super) fn lower_point(data: &LinearModel) -> Vec<f64> {
    let mut point = w1::lower::<f64>(data).point();
    let mut y = vec![0.0; data.y.len()];
    for _ in 0..50 {
        point.differentiate(&[&data.x, &y], Inputs::one(1));
        for (y, slope) in y.iter_mut().zip(point.gradient(1)) {
            *y -= slope;
        }
    }
    y
}

/// The hypergradient of W1 by 20 steps of conjugate gradients from 0.
pub(super) fn tasks<T: Real>() -> Vec<Box<dyn Task>> {
    let data = w1::inputs();
    let y = DVector::from_vec(cast(&lower_point(&data)));
    let problem = w1::problem::<T>(&data).starting_from(y);
    // No residual of the linear system is accepted before step 20.
    let cg = Cg::new().tolerance(f64::MIN_POSITIVE).max_iterations(STEPS);
    let aid = Aid::with(cg).lower(LowerSolve::Start);
    vec![Box::new(Hypergradient::new(problem, aid, &data.x))]
}
