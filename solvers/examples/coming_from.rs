//! The numbers that `benches/peers/coming_from.py` compares with those of other libraries: one JSON
//! object, a vector for each call, all on one small problem.
//!
//! `cargo run --release -p bilevel-solvers --example coming_from`

use autodiff::unroll::Memory;
use autodiff::{Inputs, Objective, Var, objective};
use nalgebra::{dmatrix, dvector};
use solvers::linear::Neumann;
use solvers::{Aid, AidStep, Bilevel, Constraint, FixedPart, InnerStep, Itd, StepLength, Strategy};

const STEP: f64 = 0.2;
const DEPTH: usize = 8;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let a = dmatrix![1.0, 0.2, -0.3; 0.1, -0.8, 0.5; 0.4, 0.3, 0.9; -0.2, 0.6, 0.1];
    let b = dvector![1.0, -0.5, 0.7, 0.2];
    let lower = || {
        objective(|x: Var, y: Var| {
            0.5 * (&a * y - &b).norm_squared() + 0.5 * x.exp().dot(y.square())
        })
    };
    let upper =
        objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.05 * x.norm_squared());
    let problem = Bilevel::new(upper, lower(), 3, 3)?;
    let (x, y, v) = (dvector![-1.0, 0.3, 0.1], [0.5, -0.4, 0.8], [1.0, -2.0, 0.5]);
    let mut rows: Vec<(&str, Vec<f64>)> = Vec::new();

    // What the engine gives at one point.
    let g = lower().record(3, 3);
    let mut point = g.point();
    let value = point.differentiate(&[x.as_slice(), &y], Inputs::one(1));
    rows.push(("value", vec![value]));
    rows.push(("gradient", point.gradient(1).to_vec()));
    point.linearise(&[x.as_slice(), &y]);
    rows.push((
        "directional",
        vec![point.directional(&[Some(&v), Some(&v)])],
    ));
    point.second(&[None, Some(&v)]);
    rows.push(("hvp", point.product(1).to_vec()));
    rows.push(("cross", point.product(0).to_vec()));
    let mut hessian = Vec::new();
    for j in 0..3 {
        let mut unit = [0.0; 3];
        unit[j] = 1.0;
        point.second(&[None, Some(&unit)]);
        hessian.extend_from_slice(point.product(1));
    }
    rows.push(("hessian", hessian));
    let stopped = objective(|_: Var, y: Var| y.dot(y.stop_gradient().square())).record(3, 3);
    let mut point = stopped.point();
    point.differentiate(&[x.as_slice(), &y], Inputs::one(1));
    rows.push(("stopped", point.gradient(1).to_vec()));

    // Hypergradients.
    let mut row = |name, of: &Bilevel<f64>, strategy: &dyn Strategy<f64>| {
        let estimate = strategy.hypergradient(of, &x, &mut of.workspace())?;
        rows.push((name, estimate.hypergradient.as_slice().to_vec()));
        Ok::<(), solvers::ConfigError>(())
    };
    let mut strategy = |name, strategy: &dyn Strategy<f64>| row(name, &problem, strategy);
    let itd = Itd::reverse(DEPTH).step(STEP);
    strategy("unrolled", &itd)?;
    let few = Memory::Checkpointed { slots: 5 };
    strategy("checkpointed", &itd.clone().memory(few))?;
    strategy(
        "truncated",
        &itd.clone().memory(Memory::Truncated { steps: 3 }),
    )?;
    let momentum = "momentum:0.5".parse::<InnerStep>()?;
    strategy("momentum", &itd.clone().inner(momentum))?;
    strategy("implicit", &Aid::cg())?;
    let four_terms = Neumann::new().order(3).step(StepLength::Fixed(STEP));
    strategy("neumann", &Aid::with(four_terms))?;
    // Beside a set, or a norm.
    let step = AidStep::new(InnerStep::GradientDescent);
    let ball = Constraint::Ball { radius: 0.5 };
    row("projected", &problem.clone().with_part(ball.into())?, &step)?;
    let sparse = FixedPart::L1 { weight: 0.05 };
    row("sparse", &problem.clone().with_part(sparse.into())?, &step)?;

    let fields: Vec<String> = rows
        .iter()
        .map(|(name, v)| format!("\"{name}\": {v:?}"))
        .collect();
    println!("{{{}}}", fields.join(", "));
    Ok(())
}
