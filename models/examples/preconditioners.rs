//! Iterations of the linear system with and without a preconditioner, on every problem of the
//! catalogue that takes plain conjugate gradients more than a few.
//!
//! `cargo run --release -p bilevel-models --example preconditioners -- [FEWEST]`
//!
//! A row is a problem at its own point x, whose lower level is solved first: the entries of y, then the
//! iterations of `aid-cg`, `aid-jacobi-cg` and `aid-nystrom-cg` and, in parentheses, all Hessian-vector
//! products that the system took, those of the preconditioner with them. A word stands where it failed.
//! Problems of fewer than FEWEST (30) iterations are left out.

use std::error::Error;

use models::PROBLEMS;
use models::catalogue::Source;
use nalgebra::DVector;
use solvers::catalogue::{Settings, strategy};
use solvers::linear::{Cg, LinearSolver, Pcg};
use solvers::{Aid, At, Bilevel, LowerSolve, Strategy};

fn main() -> Result<(), Box<dyn Error>> {
    let fewest = std::env::args()
        .nth(1)
        .map_or(Ok(30), |text| text.parse())?;
    let of = ["aid-cg", "aid-jacobi-cg", "aid-nystrom-cg"];
    println!(
        "{:>20} {:>7} {:>16} {:>16} {:>16}",
        "problem", "entries", of[0], of[1], of[2]
    );
    for entry in PROBLEMS {
        let Ok(task) = entry.task::<f64>(&Source::default()) else {
            continue;
        };
        let (problem, x) = (&task.bilevel, &task.x);
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
        let n = problem.dim_y();
        println!(
            "{:>20} {n:>7} {plain:>16} {jacobi:>16} {nystrom:>16}",
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
