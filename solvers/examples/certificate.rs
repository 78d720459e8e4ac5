//! Reading a certificate: how wrong a hypergradient from unfinished solves may be, and is.
//!
//! `cargo run -p bilevel-solvers --example certificate`

use autodiff::{Var, objective};
use nalgebra::dvector;
use solvers::{Aid, Bilevel, Constants, Itd, StepLength, Strategy, certify};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // y*(x) = (x₀, x₁/5), so F(x, y*(x)) = ½(x₀ − 1)² + ½(x₁/5 − 1)².
    let upper = objective(|_: Var, y: Var| 0.5 * (y - 1.0).norm_squared());
    let lower =
        objective(|x: Var, y: Var| 0.5 * y.at(0).square() + 2.5 * y.at(1).square() - x.dot(y));
    let problem = Bilevel::new(upper, lower, 2, 2)?.with_constants(|_, _| Constants {
        strong_convexity: 1.0,
        smoothness: 5.0,
        hessian_lipschitz: 0.0,
        cross_norm: 1.0,
        cross_lipschitz: 0.0,
        upper_smoothness: 1.0,
        upper_cross: 0.0,
    });
    let x = dvector![0.3, 2.0];
    let exact = dvector![x[0] - 1.0, (x[1] / 5.0 - 1.0) / 5.0];

    println!("steps on the lower level   error      bound on it");
    for steps in [1, 3, 10, 30, 100] {
        let rough = Aid::cg().lower_steps(steps, StepLength::Fixed(0.3));
        let estimate = rough.hypergradient(&problem, &x, &mut problem.workspace())?;
        let certificate = estimate.certificate.ok_or("no certificate")?;
        let error = (&estimate.hypergradient - &exact).norm();
        println!("{steps:24}   {error:.2e}   {certificate}");
        // A guarantee, as the constants are the problem's; but for rounding.
        assert!(certificate.certified && error <= certificate.bound + 1e-14);
    }

    // An unrolled loop has no linear system: `certify` brings one.
    let unrolled = Itd::reverse(5).hypergradient(&problem, &x, &mut problem.workspace())?;
    assert!(unrolled.certificate.is_none());
    let certificate = certify(&problem, &x, &unrolled).ok_or("no finite bound")?;
    let error = (&unrolled.hypergradient - &exact).norm();
    println!("\nitd, 5 steps: error {error:.2e}, {certificate}");
    assert!(error <= certificate.bound);
    Ok(())
}
