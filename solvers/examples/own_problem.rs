//! A problem of your own, written once: weights of measurements, learned.
//!
//! `cargo run -p bilevel-solvers --example own_problem`

use autodiff::{Var, objective};
use nalgebra::{DVector, dmatrix, dvector};
use solvers::{Aid, Bda, Bilevel, Descent, Exact, Itd, Method, Optimiser, Strategy};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Five measurements of the line t = 1 + 2a, the last one wrong; two that are trusted.
    let a = dmatrix![1.0, 0.0; 1.0, 1.0; 1.0, 2.0; 1.0, 3.0; 1.0, 4.0];
    let t = dvector![1.1, 2.9, 5.0, 7.1, 0.0];
    let (a_valid, t_valid) = (dmatrix![1.0, 0.5; 1.0, 3.5], dvector![2.0, 8.0]);

    // Below: least squares with a weight σ(xᵢ) for each measurement. Above: the trusted ones.
    let lower = objective(|x: Var, y: Var| {
        0.5 * x.sigmoid().dot((&a * y - &t).square()) + 1e-3 * y.norm_squared()
    });
    let upper = objective(|_: Var, y: Var| 0.5 * (&a_valid * y - &t_valid).norm_squared());
    let problem = Bilevel::new(upper, lower, 5, 2)?;

    // One definition, any strategy.
    let (mut work, x) = (problem.workspace(), DVector::zeros(5));
    let exact = Exact.hypergradient(&problem, &x, &mut work)?.hypergradient;
    println!("strategy     relative error   gradients   HVPs    bytes");
    for (name, strategy) in [
        ("aid-cg", &Aid::cg() as &dyn Strategy<f64>),
        ("aid-direct", &Aid::direct()),
        ("itd, 50", &Itd::reverse(50)),
        ("itd, 2000", &Itd::reverse(2000)),
        ("bda, 2000", &Bda::new(2000)),
    ] {
        let estimate = strategy.hypergradient(&problem, &x, &mut problem.workspace())?;
        let error = (&estimate.hypergradient - &exact).norm() / exact.norm();
        println!(
            "{name:12} {error:14.1e} {:11} {:6} {:8}",
            estimate.oracles.gradients(),
            estimate.oracles.hvps(),
            estimate.bytes.peak
        );
    }
    let aid = Aid::cg().hypergradient(&problem, &x, &mut work)?;
    assert!((&aid.hypergradient - &exact).norm() < 1e-8 * exact.norm());

    // And any method: the weight of the wrong measurement falls, those of the others do not.
    let descent = Descent::new(Aid::cg(), Optimiser::Adam { rate: 0.3 }, 60);
    let mut run = descent.begin(&problem, x)?;
    let finish = run.finish();
    assert!(finish.is_success(), "{finish}");
    let weights = run.x().map(|x| 1.0 / (1.0 + (-x).exp()));
    println!("\nweights {:.3?}", weights.as_slice());
    println!("line    {:.3?}, measured on [1, 2]", run.y().as_slice());
    assert_eq!(weights.imin(), 4);
    assert!((run.y() - dvector![1.0, 2.0]).norm() < 0.2);
    Ok(())
}
