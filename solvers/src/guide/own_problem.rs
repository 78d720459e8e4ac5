use autodiff::{Var, objective};
use nalgebra::{DVector, dmatrix, dvector};
use solvers::{Aid, Bilevel, Descent, Itd, Method, Optimiser, Strategy};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Five measurements of the line t = 1 + 2a, the last one wrong, and two that are trusted.
    let a = dmatrix![1.0, 0.0; 1.0, 1.0; 1.0, 2.0; 1.0, 3.0; 1.0, 4.0];
    let t = dvector![1.1, 2.9, 5.0, 7.1, 0.0];
    let (a_valid, t_valid) = (dmatrix![1.0, 0.5; 1.0, 3.5], dvector![2.0, 8.0]);

    // g(x, y): least squares for the line y, with a weight σ(xᵢ) for each measurement.
    let lower = objective(|x: Var, y: Var| {
        0.5 * x.sigmoid().dot((&a * y - &t).square()) + 1e-3 * y.norm_squared()
    });
    // F(x, y): the trusted measurements.
    let upper = objective(|_x: Var, y: Var| 0.5 * (&a_valid * y - &t_valid).norm_squared());
    let problem = Bilevel::new(upper, lower, 5, 2)?; // x has 5 entries, y has 2

    // The hypergradient at x = 0 in two ways, each with its evidence.
    let (x, mut work) = (DVector::zeros(5), problem.workspace());
    let implicit = Aid::cg().hypergradient(&problem, &x, &mut work)?;
    let unrolled = Itd::reverse(50).hypergradient(&problem, &x, &mut work)?;
    println!("{implicit}\n{unrolled}");

    // Descent along it finds the weights.
    let mut run = Descent::new(Aid::cg(), Optimiser::Adam { rate: 0.3 }, 60).begin(&problem, x)?;
    println!("{}", run.finish());
    let weights = run.x().map(|x| 1.0 / (1.0 + (-x).exp()));
    println!("weights {:.2?}", weights.as_slice());
    println!("line    {:.2?}", run.y().as_slice());
    Ok(())
}
