//! The linear solvers: one matrix of solvers and systems, and the laws of each solver.

mod block;
mod common_laws;
mod curvature;
mod diagonal;
mod implicit;
mod known_bugs;
mod krylov;
mod nystrom;
mod recycled;
mod scales;
mod stationary;
mod system;
mod warm;

use autodiff::Real;
use solvers::linear::{
    Cg, Direct, FixedPoint, Gmres, LinearSolver, Minres, Neumann, Nystrom, Pcg, Recycled,
};

type Solver<T> = Box<dyn LinearSolver<T>>;

/// Every solver that reaches a tolerance, asked for this one.
fn exact_solvers<T: Real>(tolerance: f64) -> Vec<Solver<T>> {
    vec![
        Box::new(Cg::new().tolerance(tolerance)),
        Box::new(Minres::new().tolerance(tolerance)),
        Box::new(Neumann::new().tolerance(tolerance)),
        Box::new(FixedPoint::new().tolerance(tolerance)),
        Box::new(Direct),
        Box::new(Nystrom::new(usize::MAX)),
        Box::new(Pcg::nystrom(2).tolerance(tolerance)),
        Box::new(Pcg::jacobi(3).tolerance(tolerance)),
        Box::new(Recycled::new(4).tolerance(tolerance)),
        Box::new(Gmres::new(12).tolerance(tolerance)),
    ]
}

/// The same, and those that are told how far to go.
fn all_solvers<T: Real>() -> Vec<Solver<T>> {
    let mut all = exact_solvers(solvers::default_tolerance::<T>());
    all.push(Box::new(Neumann::new().order(5)));
    all.push(Box::new(FixedPoint::new().steps(5)));
    all.push(Box::new(Nystrom::new(2)));
    all.push(Box::new(Nystrom::new(3).damping(0.1)));
    all.push(Box::new(solvers::linear::OneStep::new()));
    all
}
