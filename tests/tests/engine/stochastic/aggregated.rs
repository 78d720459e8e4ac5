//! sl-BAMM: one loop on both levels aggregated.

use models::closed_form;
use solvers::sampling::Sampling;
use solvers::{Method, Outer, Schedule, SlBamm};

use super::{close, exact, noisy, run};

fn sl_bamm(aggregation: Schedule) -> SlBamm {
    SlBamm {
        aggregation,
        y: 0.8.into(),
        x: 0.1.into(),
    }
}

/// With a weight α that stays, y is the minimiser of ψ, (1 − α) x + α where g = ½(y − x)², and x that of
/// F there: r²/(1 + r²) with r = 1 − α. As the weight falls, x comes to ½.
#[test]
fn a_weight_of_f_is_a_bias() {
    for alpha in [0.1, 0.5] {
        let r: f64 = 1.0 - alpha;
        let want = r * r / (1.0 + r * r);
        let method = Outer::new(sl_bamm(Schedule::Constant(alpha)), 2000);
        for problem in [exact(), noisy()] {
            let (_, x, y) = run(&method, &problem, &[0.3]);
            close(x[0], want, 1e-9);
            close(y[0], r * want + alpha, 1e-9);
        }
        let problem = closed_form::bda_discriminating(3).bilevel;
        let (_, x, y) = run(&method, &problem, &[2.0, -1.0, 0.3]);
        for (x, y) in x.iter().zip(&y[3..]) {
            close(*x, want, 1e-7);
            close(*y, want, 1e-7);
        }
    }
    let method = Outer::new(sl_bamm(Schedule::InverseRoot { a: 0.5 }), 5000);
    let (_, x, _) = run(
        &method,
        &closed_form::bda_discriminating(3).bilevel,
        &[2.0; 3],
    );
    // The bias is α/2 to first order, and the last α is 0.5/√5000.
    close(x[1], 0.5 - 0.5 * 0.5 / 5000f64.sqrt(), 1e-4);
}

/// The best of many lower solutions, from any start, at every weight.
#[test]
fn the_best_of_many_lower_solutions() {
    let problem = closed_form::bda_counterexample(2).bilevel;
    for alpha in [0.2, 0.7] {
        let method = Outer::new(sl_bamm(Schedule::Constant(alpha)), 3000);
        let (_, x, y) = run(&method, &problem, &[0.0, 3.0]);
        for entry in x.iter().chain(&y) {
            close(*entry, 1.0, 1e-7);
        }
    }
}

#[test]
fn two_gradients_and_two_products_of_each_level() {
    let method = Outer::new(sl_bamm(Schedule::InverseRoot { a: 0.5 }), 7);
    let method = method.sampling(Sampling::new(1).batches(2, 3));
    let oracles = run(&method, &noisy(), &[0.5])
        .0
        .pop()
        .expect("a report")
        .oracles;
    assert_eq!((oracles.upper.gradients, oracles.upper.hvps), (14, 14));
    assert_eq!((oracles.lower.gradients, oracles.lower.hvps), (14, 14));
}

#[test]
fn weights_that_are_none_are_refused() {
    for alpha in [1.5, 0.0] {
        let method = Outer::new(sl_bamm(Schedule::Constant(alpha)), 7);
        let x = nalgebra::dvector![0.0];
        let error = method
            .begin(&exact(), x)
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(error.contains("expected"), "{error}");
    }
}

/// Bounds keep x finite where steps are too long; that a run goes from one to the other is said.
#[test]
fn steps_that_go_to_and_fro_between_bounds_are_said() {
    let problem = closed_form::bda_counterexample(2).bilevel;
    for (rate, said) in [(0.1, false), (3.0, true)] {
        let rule = SlBamm {
            x: rate.into(),
            ..sl_bamm(Schedule::InverseRoot { a: 0.5 })
        };
        let method = Outer::new(rule, 2000).bounds(-100.0, 100.0);
        let (progress, x, _) = run(&method, &problem, &[2.0, 2.0]);
        let last = progress.last().expect("a report");
        let told = last.warnings.iter().any(|w| w.contains("to and fro"));
        assert_eq!(told, said, "rate {rate}: {x:?}, {last:?}");
    }
}
