//! The stochastic AID loop, step by step.

use solvers::sampling::{DrawRule, Draws, Sampling};
use solvers::{Outer, Schedule, StochasticAid};

use super::{close, exact, noisy, run};

fn rule() -> StochasticAid {
    StochasticAid {
        inner: 3,
        x: Schedule::Harmonic { a: 0.6, c: 2.0 }.into(),
        y: 0.4.into(),
        z: 0.3,
        averaging: 0.7,
    }
}

/// The listing on scalars, written out: z from ∇_yf = y − bᵢ and curvatures aⱼ; y and m at the old
/// point; the batches in the order of the listing.
#[test]
fn the_listing_is_followed_to_the_letter() {
    let (b, a) = ([0.5, 1.0, 1.5, 0.0, 2.0], [0.8, 1.2, 0.9, 1.1]);
    for draws in [DrawRule::WithReplacement, DrawRule::Epochs] {
        let mut upper = Draws::new(draws, 5, 1, 11, Draws::UPPER);
        let mut lower = Draws::new(draws, 4, 1, 11, Draws::LOWER);
        let (mut x, mut y, mut m) = (2.0, 0.0, 0.0);
        for t in 0..25 {
            let f_y = y - b[upper.next_batch()[0]];
            let mut z = 0.0;
            for _ in 0..3 {
                z -= 0.3 * (a[lower.next_batch()[0]] * z - f_y);
            }
            let g_y = a[lower.next_batch()[0]] * (y - x);
            let cross = -a[lower.next_batch()[0]] * z;
            m = 0.3 * m + 0.7 * (x - cross);
            y -= 0.4 * g_y;
            x -= 0.6 / (t as f64 + 2.0) * m;
        }
        let method = Outer::new(rule(), 25).sampling(Sampling::new(11).rule(draws));
        let (_, got_x, got_y) = run(&method, &noisy(), &[2.0]);
        close(got_x[0], x, 1e-13);
        close(got_y[0], y, 1e-13);
    }
}

/// With ξ = ζ = all, z = r (y − 1), r = 1 − (1 − η_z)ᴷ, so that the fixed point of x + r (y − 1) is
/// r/(1 + r).
#[test]
fn whole_batches_end_at_the_fixed_point_of_the_truncated_system() {
    let r = 1.0 - 0.7_f64.powi(3);
    let rule = StochasticAid {
        x: 0.2.into(),
        ..rule()
    };
    for problem in [exact(), noisy()] {
        let (_, x, y) = run(&Outer::new(rule, 600), &problem, &[2.0]);
        close(x[0], r / (1.0 + r), 1e-12);
        close(y[0], x[0], 1e-12);
    }
}

#[test]
fn a_run_is_a_function_of_the_seed() {
    let end = |seed, report| {
        let method = Outer::new(rule(), 40)
            .sampling(Sampling::new(seed).batches(2, 3))
            .report_every(report);
        run(&method, &noisy(), &[1.0]).1
    };
    assert_eq!(end(4, 1), end(4, 7), "reports draw nothing");
    assert_ne!(end(4, 1), end(5, 1));
}

#[test]
fn oracles_per_step() {
    let method = Outer::new(rule(), 10).sampling(Sampling::new(0).batches(2, 2));
    let (reports, ..) = run(&method, &noisy(), &[1.0]);
    let oracles = reports.last().unwrap().oracles;
    assert_eq!((oracles.upper.gradients, oracles.upper.hvps), (10, 0));
    // Each product is on a fresh batch, whose linearisation is a gradient.
    assert_eq!((oracles.lower.gradients, oracles.lower.hvps), (10 + 40, 40));
    assert_eq!(reports.len(), 10);
}
