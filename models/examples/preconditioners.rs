//! Iterations of the linear system with and without a preconditioner, on every problem of the
//! catalogue that takes plain conjugate gradients more than a few.
//!
//! `cargo run --release -p bilevel-models --example preconditioners -- [FEWEST [SHIFT]]`
//!
//! A row is a problem at its own point x, whose lower level is solved first: the entries of y, then the
//! iterations of `aid-cg`, `aid-jacobi-cg` and `aid-nystrom-cg` and, in parentheses, all Hessian-vector
//! products that the system took, those of the preconditioner with them. A word stands where it failed.
//! Problems of fewer than FEWEST (30) iterations are left out. SHIFT (0) is added to each entry of x: less
//! than 0 makes most regularisers weaker.
//!
//! The last three columns are all products of the linear systems of twenty steps of descent, each of a
//! hundredth of the size of x, or of 1 where that is less: of `aid-cg` from the solution before, and of
//! `aid-recycled-cg` likewise, which keeps 8 vectors, or 16, from one system for the next.

use std::error::Error;

use models::PROBLEMS;
use models::catalogue::Source;
use nalgebra::DVector;
use solvers::catalogue::{Settings, strategy};
use solvers::linear::{Cg, LinearSolver, Pcg, Recycled};
use solvers::{Aid, At, Bilevel, LowerSolve, Strategy};

/// Steps of descent.
const STEPS: usize = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let fewest = std::env::args()
        .nth(1)
        .map_or(Ok(30), |text| text.parse())?;
    let shift = std::env::args()
        .nth(2)
        .map_or(Ok(0.0), |text| text.parse())?;
    let of = ["aid-cg", "aid-jacobi-cg", "aid-nystrom-cg"];
    println!(
        "{:>20} {:>7} {:>16} {:>16} {:>16} {:>9} {:>9} {:>9}",
        "problem", "entries", of[0], of[1], of[2], "run", "recycled", "16"
    );
    for entry in PROBLEMS {
        let Ok(task) = entry.task::<f64>(&Source::default()) else {
            continue;
        };
        let (problem, x) = (&task.bilevel, &task.x.add_scalar(shift));
        let solve = strategy::<f64>(of[0], &Settings::default())?;
        if solve.suits(problem).is_err() || problem.part().is_some() {
            continue;
        }
        let solved = solve.hypergradient(problem, x, &mut problem.workspace())?;
        if solved.lower_residual.is_nan() || solved.linear_iterations < fewest {
            continue;
        }
        let plain = cell(problem, x, &solved.y, Cg::new());
        let jacobi = cell(problem, x, &solved.y, Pcg::jacobi(16));
        let nystrom = cell(problem, x, &solved.y, Pcg::nystrom(20));
        let run = outer(problem, x, &solved.y, Cg::new());
        let [eight, sixteen] =
            [8, 16].map(|rank| outer(problem, x, &solved.y, Recycled::new(rank)));
        let n = problem.dim_y();
        println!(
            "{:>20} {n:>7} {plain:>16} {jacobi:>16} {nystrom:>16} {run:>9} {eight:>9} {sixteen:>9}",
            entry.row.name
        );
    }
    Ok(())
}

/// The iterations and products of the system at y.
fn cell(
    problem: &Bilevel<f64>,
    x: &DVector<f64>,
    y: &DVector<f64>,
    linear: impl LinearSolver<f64>,
) -> String {
    let aid = Aid::with(linear).lower(LowerSolve::Start);
    let found = aid.hypergradient_at(problem, At::new(x).start(y), &mut problem.workspace());
    match found {
        Ok(found) if found.linear_residual.is_some_and(|r| r <= 1e-10) => {
            format!("{} ({})", found.linear_iterations, found.oracles.lower.hvps)
        }
        Ok(found) => found.status.code().to_owned(),
        Err(refused) => refused.reason().to_owned(),
    }
}

/// The products of the linear systems of a run of descent.
fn outer(
    problem: &Bilevel<f64>,
    x: &DVector<f64>,
    y: &DVector<f64>,
    linear: impl LinearSolver<f64>,
) -> String {
    let solve = Aid::cg();
    let aid = Aid::with(linear).lower(LowerSolve::Start);
    let (mut x, mut y, mut work) = (x.clone(), y.clone(), problem.workspace());
    let mut guess = DVector::zeros(problem.dim_y());
    let mut kept = vec![0.0; aid.kept(problem)];
    let mut products = 0;
    for _ in 0..STEPS {
        let at = At::new(&x).start(&y);
        let Ok(solved) = solve.hypergradient_at(problem, at, &mut work) else {
            return "refused".to_owned();
        };
        y = solved.y;
        let at = At::new(&x).start(&y).linear(&mut guess).kept(&mut kept);
        match aid.hypergradient_at(problem, at, &mut work) {
            Ok(found) if found.linear_residual.is_some_and(|r| r <= 1e-10) => {
                products += found.oracles.lower.hvps;
                let size = found.hypergradient.norm();
                if size > 0.0 {
                    x -= found.hypergradient * (0.01 * x.norm().max(1.0) / size);
                }
            }
            Ok(found) => return found.status.code().to_owned(),
            Err(refused) => return refused.reason().to_owned(),
        }
    }
    products.to_string()
}
