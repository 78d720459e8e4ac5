//! Staying within a memory budget: the same derivative through 20,000 steps in ever fewer bytes.
//!
//! `cargo run -p bilevel-solvers --example memory_budget`

use autodiff::bytes::human_bytes;
use autodiff::{Var, objective};
use nalgebra::DVector;
use solvers::{Bilevel, Itd, Strategy};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const DIM: usize = 50;
    const DEPTH: usize = 20_000;
    let upper = objective(|_: Var, y: Var| 0.5 * (y - 1.0).norm_squared());
    let lower = objective(|x: Var, y: Var| 0.5 * x.exp().dot(y.square()) - y.sin().sum());
    let problem = Bilevel::new(upper, lower, DIM, DIM)?;
    let x = DVector::from_fn(DIM, |i, _| 0.02 * i as f64);

    let mut first: Option<DVector<f64>> = None;
    println!("budget      policy               predicted    measured   steps run again   seconds");
    for budget in [16 << 20, 1 << 20, 256 << 10] {
        // The fastest policy that fits, known before anything runs.
        let itd = Itd::reverse(DEPTH).step(0.1).budget(&problem, budget)?;
        let (plan, predicted) = (
            itd.plan(&problem, budget)?,
            itd.predicted_peak_bytes(&problem),
        );
        let estimate = itd.hypergradient(&problem, &x, &mut problem.workspace())?;
        println!(
            "{:11} {:18} {:>11} {:>11} {:>17} {:9.2}",
            human_bytes(budget),
            estimate.strategy.trim_start_matches("itd-"),
            human_bytes(predicted),
            human_bytes(estimate.bytes.peak),
            estimate.recomputed_steps,
            estimate.seconds,
        );
        assert_eq!(estimate.bytes.peak, predicted);
        assert!(predicted <= budget && plan.predicted_bytes <= budget);
        // Fewer bytes, the same bits.
        let bits = first.get_or_insert_with(|| estimate.hypergradient.clone());
        assert_eq!(*bits, estimate.hypergradient);
    }

    // What cannot be done is said, with the smallest budget that could.
    let error = Itd::reverse(DEPTH).budget(&problem, 1000).unwrap_err();
    println!("\n{error}");
    assert!(
        Itd::reverse(DEPTH)
            .budget(&problem, error.smallest.predicted_bytes)
            .is_ok()
    );
    Ok(())
}
