//! The equilibrium layer, beside a fixed-point iteration and a loss written by hand.

use models::catalogue::named;
use models::{data, deep_equilibrium};
use nalgebra::{DMatrix, DVector};
use solvers::{Aid, AidStep, InnerStep, Itd, Status, StepSystem, Strategy};

const HIDDEN: usize = 3;

/// The upper objective, by plain steps to rounding.
fn by_hand(splits: &data::Splits, classes: usize, x: &DVector<f64>) -> f64 {
    let (h, d) = (HIDDEN, splits.train.dim());
    let mut at = 0;
    let mut matrix = |rows: usize, columns: usize| {
        let entries = &x.as_slice()[at..at + rows * columns];
        at += rows * columns;
        DMatrix::from_column_slice(rows, columns, entries)
    };
    let (w, u, b) = (matrix(h, h), matrix(h, d), matrix(h, 1));
    let (v, c) = (matrix(classes, h), matrix(classes, 1));
    let train = &splits.train;
    let mut loss = 0.0;
    for (i, label) in train.labels.iter().enumerate() {
        let fed = &u * train.features.dense().column(i) + &b;
        let mut z = DVector::zeros(h);
        for _ in 0..400 {
            z = (&w * &z + &fed).map(f64::tanh);
        }
        let scores = &v * &z + &c;
        let sum: f64 = scores.iter().map(|s| s.exp()).sum();
        loss += sum.ln() - scores[*label as usize];
    }
    loss / train.len() as f64 + 5e-4 * x.norm_squared()
}

#[test]
fn the_equilibrium_s_hypergradient_is_that_of_a_loss_written_by_hand() {
    let splits = data::digits_classes(2).cut(12, 5);
    let task = deep_equilibrium::<f64>(splits.clone(), HIDDEN, 3).expect("digits");
    let (splits, classes) = splits.into_classes().expect("digits");
    let (problem, x) = (&task.bilevel, &task.x);
    let aid = AidStep::new(InnerStep::GradientDescent);
    let estimate = aid.hypergradient(problem, x, &mut problem.workspace());
    let estimate = estimate.expect("a map that does not change");
    assert_eq!(estimate.status, Status::Converged, "{estimate}");
    assert!(estimate.warnings.is_empty(), "{estimate}");
    assert!((estimate.upper - by_hand(&splits, classes, x)).abs() < 1e-9);
    assert_eq!(estimate.bytes.peak, aid.predicted_peak_bytes(problem));
    for i in (0..x.len()).step_by(3) {
        let at = |by: f64| {
            let mut x = x.clone();
            x[i] += by;
            by_hand(&splits, classes, &x)
        };
        let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
        let h = estimate.hypergradient[i];
        assert!((h - difference).abs() < 1e-8, "{i}: {h} {difference}");
    }
    // GMRES by name, and unrolled steps of the same map.
    let gmres = aid.clone().system(StepSystem::Gmres { restart: 30 });
    for strategy in [&gmres as &dyn Strategy<f64>, &Itd::reverse(200)] {
        let other = strategy.hypergradient(problem, x, &mut problem.workspace());
        let other = other.expect("it suits");
        let off = (&other.hypergradient - &estimate.hypergradient).norm();
        assert!(off < 1e-8, "{other}");
    }
    let refused = Aid::cg().hypergradient(problem, x, &mut problem.workspace());
    let reason = refused.expect_err("no ∇_y g = 0").to_string();
    assert!(reason.contains("expected aid-step or itd"), "{reason}");
}

#[test]
fn acceleration_takes_fewer_evaluations_than_plain_steps() {
    let task = named("deep-equilibrium")
        .expect("listed")
        .small::<f64>(1)
        .expect("digits");
    let aid = AidStep::new(InnerStep::GradientDescent);
    let estimate = aid
        .hypergradient(&task.bilevel, &task.x, &mut task.bilevel.workspace())
        .expect("it suits");
    let mut point = task.bilevel.lower().point();
    let plain = {
        // Plain steps until the residual is as small.
        let step = task.bilevel.step().expect("a map").clone();
        let mut steps = autodiff::unroll::Unrolled::new(step, &autodiff::Meter::new());
        let memory = autodiff::unroll::Memory::Truncated { steps: 0 };
        let mut y = task.bilevel.start().clone();
        (0..).find(|_| {
            let next = steps.forward(task.x.as_slice(), y.as_slice(), 1, memory);
            let next = DVector::from_column_slice(next);
            let residual = (&next - &y).norm();
            y = next;
            residual <= estimate.lower_residual
        })
    };
    let plain = plain.expect("it contracts");
    assert!(
        estimate.lower_iterations < plain,
        "{} {plain}",
        estimate.lower_iterations
    );
    // g is ½ ‖Φ − y‖².
    let g = point.value(&[task.x.as_slice(), estimate.y.as_slice()]);
    assert!((g - 0.5 * estimate.lower_residual.powi(2)).abs() < 1e-18);
}
