//! The learned tasks: closed forms, invariances, and strategies against each other, at small sizes.

mod constrained_svm;
mod deep_equilibrium;
mod imaging;
mod kalman;
mod learning_rates;
mod maml;
mod networks;
mod representation;
mod softmax;

use autodiff::assert_checked;
use autodiff::check::Check;
use models::Task;
use models::data::{Samples, Splits, digits_classes};
use nalgebra::DVector;
use solvers::{Aid, Estimate, Itd, Strategy};

/// The middle pixels of a few digits, their labels modulo `classes`.
fn few(samples: usize, features: usize, classes: usize) -> Splits {
    let splits = digits_classes(3);
    let cut = |of: &Samples| {
        let indices: Vec<usize> = (0..samples).collect();
        let mut of = of.subset(&indices);
        let first = (of.dim() - features) / 2;
        of.features = of
            .features
            .dense()
            .rows(first, features)
            .into_owned()
            .into();
        of.labels.iter_mut().for_each(|t| *t %= classes as f64);
        of
    };
    Splits {
        train: cut(&splits.train),
        valid: cut(&splits.valid),
        test: splits.test.as_ref().map(cut),
        source: "test".into(),
    }
}

/// Numbers around those of `centre`.
fn around(centre: &DVector<f64>) -> DVector<f64> {
    DVector::from_fn(centre.len(), |i, _| {
        centre[i] + 0.3 * (1.7 * i as f64).sin()
    })
}

/// Both objectives against every other way to their derivatives.
fn assert_derivatives(task: &Task<f64>) {
    let (problem, x) = (&task.bilevel, around(&task.x));
    let y = around(problem.start());
    for level in [problem.upper(), problem.lower()] {
        let check = Check::new().seed(5).entries(12);
        assert_checked!(check.program(level, &[x.as_slice(), y.as_slice()]));
    }
}

/// The mean of the samples one by one is the whole, in any order.
fn assert_means(task: &Task<f64>) {
    let (problem, x) = (&task.bilevel, around(&task.x));
    let y = around(problem.start());
    let [upper, lower] = problem.means().expect("samples");
    assert_eq!(problem.blocks(), 1);
    for (of, whole) in [(upper, problem.upper()), (lower, problem.lower())] {
        let value = |batch: &[usize]| {
            let program = of.program(x.len(), y.len(), batch);
            program.point().value(&[x.as_slice(), y.as_slice()])
        };
        let n = of.samples();
        let mean = (0..n).map(|i| value(&[i])).sum::<f64>() / n as f64;
        let backwards: Vec<usize> = (0..n).rev().collect();
        let whole = whole.point().value(&[x.as_slice(), y.as_slice()]);
        assert!((mean - whole).abs() <= 1e-13 * whole.abs().max(1.0));
        assert!((value(&backwards) - whole).abs() <= 1e-13 * whole.abs().max(1.0));
    }
}

fn estimate(strategy: &dyn Strategy<f64>, problem: &Task<f64>, x: &DVector<f64>) -> Estimate<f64> {
    let estimate = strategy.hypergradient(&problem.bilevel, x, &mut problem.bilevel.workspace());
    let estimate = estimate.expect("valid settings");
    assert!(estimate.status.is_success(), "{}", estimate.status);
    estimate
}

/// Unrolled until it has converged, and implicit: the same hypergradient.
fn assert_itd_is_aid(problem: &Task<f64>, x: &DVector<f64>, depth: usize) {
    let itd = estimate(&Itd::reverse(depth), problem, x).hypergradient;
    let aid = estimate(&Aid::cg(), problem, x).hypergradient;
    let error = (&itd - &aid).norm() / aid.norm();
    assert!(error < 1e-8, "{error:e}");
}
