//! An optimiser step of your own, unrolled and differentiated: gradient descent whose step length
//! for each entry is learned.
//!
//! `cargo run -p bilevel-autodiff --example own_step`

use autodiff::bytes::human_bytes;
use autodiff::check::Check;
use autodiff::unroll::{Memory, Step, Unrolled};
use autodiff::{Meter, Objective, Var, objective};

fn main() {
    // g(y) = ½ (y₀² + 25 y₁²): one step length is wrong for one of the two entries.
    let g = objective(|_: Var, y: Var| 0.5 * y.at(0).square() + 12.5 * y.at(1).square());
    let g = g.record(2, 2);
    // y ← y − eˣ ∘ ∇g(y). The gradient of g is an operation like any other.
    let step = Step::new(2, 2, |x, y, _| y - x.exp() * Var::gradient(&g, 1, &[x, y]));

    // The step is checked before it is used: its derivatives through five iterations.
    let report = Check::new().step(&step, &[-2.0, -3.5], &[1.0, 1.0], 5);
    assert!(report.passed(), "{report}");

    // ½‖y_K‖² and its derivative by x, under three memory policies: the same bits.
    let (x, start, depth) = ([-2.0, -3.5], [1.0, 1.0], 50);
    let mut gradients = Vec::new();
    for memory in [
        Memory::Taped,
        Memory::Stored,
        Memory::Checkpointed { slots: 5 },
    ] {
        let meter = Meter::new();
        let mut unrolled = Unrolled::new(step.clone(), &meter);
        let end = unrolled.forward(&x, &start, depth, memory).to_vec();
        let gradient = unrolled.reverse(&end).0.to_vec();
        println!(
            "{:15} d/dx ½‖y_K‖² = [{:.3e}, {:.3e}], {} steps run again, peak {}",
            memory.to_string(),
            gradient[0],
            gradient[1],
            unrolled.recomputed_steps(),
            human_bytes(meter.read().peak)
        );
        gradients.push(gradient);
    }
    assert!(gradients.windows(2).all(|pair| pair[0] == pair[1]));

    // y₀ after K steps is (1 − e^{x₀})^K, so its share of the derivative is known.
    let factor = 1.0 - x[0].exp();
    let exact = -(depth as f64) * factor.powi(2 * depth as i32 - 1) * x[0].exp();
    let error = (gradients[0][0] - exact).abs() / exact.abs();
    println!("relative error of the first entry against the closed form: {error:.1e}");
    assert!(error < 1e-12);
}
