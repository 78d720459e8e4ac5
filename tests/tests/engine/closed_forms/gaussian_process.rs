//! `gaussian-process`: hypergradients against traces and solutions computed without the engine.

use models::data::{Samples, Splits};
use models::{Evidence, Task, gaussian_process};
use nalgebra::{DMatrix, DVector};
use solvers::{Aid, Exact, Strategy};

/// Samples in two features that look like noise, and targets that are smooth in them.
fn splits() -> Splits {
    let part = |count: usize, seed: usize| {
        let number = |i: usize| ((i * 12 + seed * 77 + 1) as f64 * 2.399).sin();
        let features = DMatrix::from_fn(2, count, |i, j| 1.5 * number(2 * j + i));
        let labels = features
            .column_iter()
            .map(|a| (2.0 * a[0]).sin() + 0.3 * a[1]);
        Samples {
            labels: labels.collect(),
            features: features.into(),
        }
    };
    Splits {
        train: part(12, 1),
        valid: part(7, 2),
        test: Some(part(5, 3)),
        source: "test".into(),
    }
}

/// K, and its derivatives by x, entry by entry.
fn kernel(x: &DVector<f64>, a: &Samples, b: &Samples) -> (DMatrix<f64>, Vec<DMatrix<f64>>) {
    let (a, b, d) = (a.features.dense(), b.features.dense(), x.len() - 2);
    let part = |i: usize, k: usize, j: usize| (-2.0 * x[j]).exp() * (a[(j, i)] - b[(j, k)]).powi(2);
    let entry = |i, k| (x[d] - 0.5 * (0..d).map(|j| part(i, k, j)).sum::<f64>()).exp();
    let all = DMatrix::from_fn(a.ncols(), b.ncols(), entry);
    let by = |j: usize| {
        DMatrix::from_fn(a.ncols(), b.ncols(), |i, k| match j {
            j if j < d => all[(i, k)] * part(i, k, j),
            j if j == d => all[(i, k)],
            _ => 0.0,
        })
    };
    let by = (0..x.len()).map(by).collect();
    (all, by)
}

/// F and its hypergradient at x.
fn by_hand(splits: &Splits, by: Evidence, x: &DVector<f64>) -> (f64, DVector<f64>) {
    let n = splits.train.len();
    let (k, mut dk) = kernel(x, &splits.train, &splits.train);
    let noise = DMatrix::identity(n, n) * x[x.len() - 1].exp();
    *dk.last_mut().expect("the noise") = noise.clone();
    let inverse = (k + noise).try_inverse().expect("positive definite");
    let t = DVector::from_column_slice(&splits.train.labels);
    let y = &inverse * &t;
    let determinant = -inverse.determinant().ln();
    if by == Evidence::Likelihood {
        let slope =
            |dk: &DMatrix<f64>| 0.5 * ((&inverse * dk).trace() - y.dot(&(dk * &y))) / n as f64;
        let value = 0.5 * (t.dot(&y) + determinant) / n as f64 + 0.5 * std::f64::consts::TAU.ln();
        return (value, DVector::from_iterator(x.len(), dk.iter().map(slope)));
    }
    let (c, dc) = kernel(x, &splits.valid, &splits.train);
    let count = splits.valid.len() as f64;
    let left = &c * &y - DVector::from_column_slice(&splits.valid.labels);
    // d(K_v C⁻¹t) = dK_v y − K_v C⁻¹ dC y
    let slope = |(dc, dk): (&DMatrix<f64>, &DMatrix<f64>)| {
        left.dot(&(dc * &y - &c * &inverse * (dk * &y))) / count
    };
    let slopes = dc.iter().zip(&dk).map(slope);
    let value = 0.5 * left.norm_squared() / count;
    (value, DVector::from_iterator(x.len(), slopes))
}

fn task(by: Evidence) -> Task<f64> {
    gaussian_process(splits(), by).expect("few samples")
}

#[test]
fn hypergradients_are_those_of_the_book() {
    for by in [Evidence::Validation, Evidence::Likelihood] {
        let (task, x) = (task(by), DVector::from_vec(vec![-0.3, 0.8, 0.4, -1.7]));
        let (value, want) = by_hand(&splits(), by, &x);
        for strategy in [&Exact as &dyn Strategy<f64>, &Aid::cg(), &Aid::direct()] {
            let mut work = task.bilevel.workspace();
            let estimate = strategy.hypergradient(&task.bilevel, &x, &mut work);
            let estimate = estimate.expect("valid settings");
            assert!(estimate.status.is_success(), "{estimate}");
            assert!((estimate.upper - value).abs() < 1e-9, "{value}: {estimate}");
            let off = (&estimate.hypergradient - &want).norm() / want.norm();
            assert!(off < 1e-8, "{by:?}: {off:e}: {estimate}");
        }
    }
}

/// Twice the same sample and no noise to speak of: C has no factor, which is said with its name.
#[test]
fn a_covariance_that_is_singular_is_named() {
    let mut splits = splits();
    splits.train = splits.train.subset(&[0, 1, 2, 3, 0]);
    let task = gaussian_process::<f64>(splits, Evidence::Likelihood).expect("few samples");
    let x = DVector::from_vec(vec![0.0, 0.0, 0.0, -80.0]);
    let mut work = task.bilevel.workspace();
    let estimate = Exact.hypergradient(&task.bilevel, &x, &mut work);
    let status = estimate.expect("no settings").status;
    assert!(!status.is_success());
    let zeros = vec![0.0; task.bilevel.dim_y()];
    let upper = task.bilevel.upper();
    let found = upper.find_non_finite(&[x.as_slice(), &zeros], &[None, None]);
    assert_eq!(found.expect("no factor").operation, "log_det");
}
