//! Cross-validation, Stein's risk estimate and optimal values, beside their definitions.

use autodiff::{Var, objective};
use models::data::{Samples, Splits};
use models::{Task, elastic_net_cv, elastic_net_on, lasso_cv, lasso_on, lasso_sure};
use nalgebra::{DMatrix, DVector, dvector};
use solvers::{
    Aid, Bilevel, Envelope, Estimate, Exact, Folds, LowerSolve, Part, Status, Strategy, Sure,
};

#[track_caller]
fn run(problem: &Bilevel<f64>, strategy: &dyn Strategy<f64>, x: &DVector<f64>) -> Estimate<f64> {
    let estimate = strategy
        .hypergradient(problem, x, &mut problem.workspace())
        .expect("it suits");
    assert_eq!(estimate.status, Status::Converged, "{estimate}");
    assert_eq!(estimate.bytes.peak, strategy.predicted_peak_bytes(problem));
    estimate
}

#[test]
fn folds_hold_each_row_out_once_and_differ_by_one_in_size() {
    let folds = Folds::new(11, 4, 3);
    let mut all: Vec<usize> = (0..4).flat_map(|k| folds.held_out(k)).collect();
    all.sort_unstable();
    assert_eq!(all, (0..11).collect::<Vec<_>>());
    for k in 0..4 {
        let (held, others) = (folds.held_out(k), folds.others(k));
        assert!([2, 3].contains(&held.len()), "{held:?}");
        assert_eq!(held.len() + others.len(), 11);
        assert!(held.iter().all(|i| !others.contains(i)));
    }
    assert_eq!(folds, Folds::new(11, 4, 3));
    assert_ne!(folds, Folds::new(11, 4, 4));
}

#[test]
#[should_panic(expected = "4 folds of 3 rows: expected at least 2, and no more than rows")]
fn more_folds_than_rows_are_refused() {
    let _ = Folds::new(3, 4, 0);
}

/// Ridge regressions of each fold, solved by normal equations: the mean of the held-out losses.
#[test]
fn cross_validation_is_the_mean_of_fits_to_the_other_folds() {
    let (n, d, count) = (12, 3, 4);
    let a = DMatrix::from_fn(n, d, |i, j| (1.0 + 3.0 * i as f64 + 7.0 * j as f64).sin());
    let t = DVector::from_fn(n, |i, _| (2.0 * i as f64).cos());
    let folds = Folds::new(n, count, 1);
    let (a, t) = (&a, &t);
    let problem = folds
        .problem(
            |_: Var, y: Var, rows: &[usize]| {
                (&a.select_rows(rows) * y - &t.select_rows(rows)).norm_squared()
                    * (0.5 / rows.len() as f64)
            },
            |x: Var, y: Var, rows: &[usize]| {
                let off = (&a.select_rows(rows) * y - &t.select_rows(rows)).norm_squared();
                off * 0.5 + 0.5 * x.exp().dot(y.square())
            },
            d,
            d,
        )
        .expect("a valid problem");
    let by_hand = |x: &DVector<f64>| {
        let of_fold = |k: usize| {
            let (rows, held) = (folds.others(k), folds.held_out(k));
            let (b, u) = (a.select_rows(&rows), t.select_rows(&rows));
            let ridge = DMatrix::from_diagonal(&x.map(f64::exp));
            let fit = (b.tr_mul(&b) + ridge)
                .lu()
                .solve(&b.tr_mul(&u))
                .expect("regular");
            (a.select_rows(&held) * fit - t.select_rows(&held)).norm_squared() / held.len() as f64
        };
        (0..count).map(of_fold).sum::<f64>() * 0.5 / count as f64
    };
    let x = dvector![-1.0, 0.3, -0.5];
    let estimate = run(&problem, &Aid::cg(), &x);
    assert!((estimate.upper - by_hand(&x)).abs() < 1e-12, "{estimate}");
    for i in 0..d {
        let at = |by: f64| {
            let mut x = x.clone();
            x[i] += by;
            by_hand(&x)
        };
        let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
        assert!((estimate.hypergradient[i] - difference).abs() < 1e-9);
    }
}

/// Of a threshold of b at w, SURE is `(Σ min(b², w²) + 2σ² #{|b| > w})/n − σ²`.
#[test]
fn the_risk_of_a_threshold_has_its_closed_form_for_every_direction() {
    let b = dvector![3.0, -0.2, 1.1, 0.05, -2.4, 0.6];
    let (sigma, n) = (0.5, 6.0);
    for (seed, w) in [(0, 0.9), (1, 0.3), (2, 2.0)] {
        let problem = Sure::new(b.clone(), sigma, seed)
            .epsilon(1e-3)
            .problem(
                |_: Var, y: Var| y,
                |_: Var, y: Var, b: Var| 0.5 * (y - b).norm_squared(),
                1,
                6,
            )
            .and_then(|problem| problem.with_part(Part::l1(|x: Var| x.exp())))
            .expect("a valid problem");
        let estimate = run(&problem, &Aid::cg(), &dvector![f64::ln(w)]);
        let kept = b.iter().filter(|b| b.abs() > w).count() as f64;
        let squares: f64 = b.iter().map(|b| b.abs().min(w).powi(2)).sum();
        let want = (squares + 2.0 * sigma * sigma * kept) / n - sigma * sigma;
        assert!((estimate.upper - want).abs() < 1e-11, "{estimate}");
        // d/dx w² = 2 w² for each that is kept.
        let slope = 2.0 * w * w * kept / n;
        assert!(
            (estimate.hypergradient[0] - slope).abs() < 1e-9,
            "{estimate}"
        );
    }
}

/// A ridge fit is linear in b: over all directions the finite difference has the trace of its matrix as
/// its mean.
#[test]
fn degrees_of_freedom_of_a_linear_fit_are_its_trace_on_average() {
    let (n, d) = (8, 3);
    let a = DMatrix::from_fn(n, d, |i, j| (1.0 + 5.0 * i as f64 + 2.0 * j as f64).sin());
    let b = DVector::from_fn(n, |i, _| (i as f64).cos());
    let (sigma, ridge) = (0.3f64, 0.4f64);
    let hat = &a
        * (a.tr_mul(&a) + DMatrix::identity(d, d) * ridge)
            .try_inverse()
            .expect("regular")
        * a.transpose();
    let fit = &hat * &b;
    let without = (&fit - &b).norm_squared() / n as f64 - sigma * sigma;
    let mut mean = 0.0;
    let draws = 20_000;
    for seed in 0..draws {
        let a = &a;
        let problem = Sure::new(b.clone(), sigma, seed)
            .problem(
                |_: Var, y: Var| a * y,
                |x: Var, y: Var, b: Var| {
                    0.5 * (a * y - b).norm_squared() + 0.5 * x.exp().dot(y.norm_squared())
                },
                1,
                d,
            )
            .expect("a valid problem");
        let estimate = run(&problem, &Aid::cg(), &dvector![ridge.ln()]);
        mean += (estimate.upper - without) * n as f64 / (2.0 * sigma * sigma) / draws as f64;
    }
    assert!((mean - hat.trace()).abs() < 0.06, "{mean} {}", hat.trace());
}

#[test]
fn the_optimal_value_s_gradient_needs_no_linear_system() {
    let a = DMatrix::from_fn(5, 4, |i, j| (1.0 + 2.0 * i as f64 + 3.0 * j as f64).sin());
    let g = objective(move |x: Var, y: Var| {
        (&a * y - x.slice(0, 1) * 2.0).exp().sum() + 0.5 * x.exp().sum() * y.norm_squared()
    });
    let problem = Bilevel::optimal_value(g, 2, 4).expect("a valid problem");
    let x = dvector![0.2, -0.4];
    let estimate = run(&problem, &Envelope::new(), &x);
    assert_eq!(
        (estimate.linear_iterations, estimate.linear_residual),
        (0, None)
    );
    for i in 0..2 {
        let at = |by: f64| {
            let mut x = x.clone();
            x[i] += by;
            run(&problem, &Exact, &x).upper
        };
        let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
        assert!(
            (estimate.hypergradient[i] - difference).abs() < 1e-8,
            "{estimate}"
        );
    }
    // Where F is another function y's derivative counts.
    let upper = objective(|_: Var, y: Var| y.norm_squared());
    let lower = objective(|x: Var, y: Var| (y - x).norm_squared());
    let other = Bilevel::new(upper, lower, 1, 1).expect("a valid problem");
    let refused = Envelope::new().hypergradient(&other, &dvector![1.0], &mut other.workspace());
    let reason = refused.expect_err("F is not g").to_string();
    assert!(
        reason.contains("expected a problem of Bilevel::optimal_value"),
        "{reason}"
    );
    let short = Envelope::new().lower(LowerSolve::Newton {
        tolerance: Some(1e-14),
        limit: Some(1),
    });
    let short = short
        .hypergradient(&problem, &x, &mut problem.workspace())
        .expect("it suits");
    assert!(!short.status.is_success(), "{short}");
}

/// Samples of a sparse signal with noise.
fn samples(rows: usize, seed: f64) -> Samples {
    let dim = 7;
    let features = DMatrix::from_fn(dim, rows, |j, i| {
        (seed + 1.3 * (i * i * 5 + j * j * 11 + 3 * i * j) as f64).sin()
    });
    let labels = (0..rows)
        .map(|i| features[(0, i)] - 0.5 * features[(3, i)] + 0.2 * (seed + i as f64).cos());
    Samples {
        labels: labels.collect(),
        features: features.into(),
    }
}

fn user_splits() -> Splits {
    Splits {
        train: samples(19, 0.4),
        valid: samples(14, 2.7),
        test: None,
        source: "a test".into(),
    }
}

#[test]
fn cross_validation_of_the_lasso_is_the_mean_of_five_of_them() {
    let all = {
        let Splits { train, valid, .. } = user_splits();
        let features = [train.features.dense(), valid.features.dense()];
        let columns = features
            .iter()
            .flat_map(|f| f.column_iter())
            .collect::<Vec<_>>();
        Samples {
            features: DMatrix::from_columns(&columns).into(),
            labels: [train.labels, valid.labels].concat(),
        }
    };
    let folds = Folds::new(33, 5, 3);
    let at = |task: &Task<f64>, x: &DVector<f64>| {
        let estimate = Aid::cg().hypergradient(&task.bilevel, x, &mut task.bilevel.workspace());
        let estimate = estimate.expect("valid settings");
        assert!(estimate.status.is_success(), "{estimate}");
        estimate
    };
    type Made = (Task<f64>, fn(Splits) -> Task<f64>);
    let made: [Made; 2] = [
        (lasso_cv(user_splits(), 3), lasso_on),
        (elastic_net_cv(user_splits(), 3), elastic_net_on),
    ];
    for (task, one) in made {
        let x = DVector::from_fn(task.x.len(), |i, _| -3.0 + i as f64);
        let whole = at(&task, &x);
        let (mut upper, mut slope) = (0.0, DVector::zeros(x.len()));
        for k in 0..5 {
            let splits = Splits {
                train: all.subset(&folds.others(k)),
                valid: all.subset(&folds.held_out(k)),
                test: None,
                source: "a fold".into(),
            };
            let fold = at(&one(splits), &x);
            upper += fold.upper / 5.0;
            slope += &fold.hypergradient / 5.0;
            assert!((&fold.y - whole.y.rows(7 * k, 7)).norm() < 1e-8, "fold {k}");
        }
        assert!((whole.upper - upper).abs() < 1e-9);
        assert!(
            (&whole.hypergradient - &slope).norm() < 1e-8,
            "{whole} {slope}"
        );
    }
}

#[test]
fn the_risk_of_a_lasso_of_zeros_is_what_least_squares_say_of_the_noise() {
    let task = lasso_sure::<f64>(user_splits(), 1, "file").expect("more samples than features");
    let x = DVector::from_element(1, 3.0);
    let estimate = Aid::cg().hypergradient(&task.bilevel, &x, &mut task.bilevel.workspace());
    let estimate = estimate.expect("valid settings");
    assert_eq!(estimate.y.amax(), 0.0);
    let Splits { train, valid, .. } = user_splits();
    let rows = |s: &Samples| s.features.dense().transpose();
    let (a, b) = (rows(&train), rows(&valid));
    let a = DMatrix::from_fn(
        33,
        7,
        |i, j| if i < 19 { a[(i, j)] } else { b[(i - 19, j)] },
    );
    let t = DVector::from_vec([train.labels, valid.labels].concat());
    let normal = (a.tr_mul(&a))
        .cholesky()
        .expect("full rank")
        .solve(&a.tr_mul(&t));
    let variance = (&t - &a * normal).norm_squared() / 26.0;
    let want = t.norm_squared() / 33.0 - variance;
    assert!((estimate.upper - want).abs() < 1e-12 * want.abs().max(1.0));
    let few = Splits {
        train: samples(3, 0.1),
        valid: samples(4, 0.2),
        ..user_splits()
    };
    let refused = lasso_sure::<f64>(few, 1, "file.csv")
        .map(|_| ())
        .unwrap_err();
    let line = "file.csv: 7 samples, expected at least 8 for the noise";
    assert!(refused.to_string().starts_with(line), "{refused}");
}
