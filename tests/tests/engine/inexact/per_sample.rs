//! Problems with one lower level for each sample.

use autodiff::{Var, sampled};
use models::tv_denoising;
use nalgebra::DVector;
use solvers::{Aid, Bilevel, ProblemError, Strategy};

use super::exact;

/// Each sample's own problem, alone.
#[test]
fn the_whole_is_the_mean_of_the_samples() {
    let whole = tv_denoising::<f64>(3, 6, 0).bilevel;
    let [upper, lower] = whole.means().expect("samples");
    let x = DVector::from_vec(vec![-2.0, -2.5]);
    let (value, hypergradient, y) = exact(&whole, &x);
    let (mut sum, mut total) = (0.0, DVector::zeros(2));
    for i in 0..3 {
        let alone = |of: &dyn autodiff::Sampled<f64>| of.program(2, 36, &[i]);
        let one = Bilevel::new(alone(&**upper), alone(&**lower), 2, 36);
        let (f, z, block) = exact(&one.expect("a valid problem"), &x);
        sum += f / 3.0;
        total += z / 3.0;
        assert!((block - y.rows(36 * i, 36)).amax() < 1e-8);
    }
    assert!((value - sum).abs() < 1e-9 && (hypergradient - total).amax() < 1e-9);
}

/// The bound of the whole is the mean of the bounds of the samples.
#[test]
fn certificates_are_means_over_samples() {
    let whole = tv_denoising::<f64>(2, 5, 0).bilevel;
    let [upper, lower] = whole.means().expect("samples");
    let x = DVector::from_vec(vec![-2.0, -2.5]);
    let (y, q) = (
        DVector::from_fn(50, |i, _| (i as f64).sin()),
        DVector::from_fn(50, |i, _| (i as f64).cos()),
    );
    let pair = |problem: &Bilevel<f64>, y: DVector<f64>, q: DVector<f64>| {
        let pair = solvers::Certificate::of_pair(problem, &x, &y, &q);
        pair.expect("constants").0.bound
    };
    let mut mean = 0.0;
    for i in 0..2 {
        let alone = |of: &dyn autodiff::Sampled<f64>| of.program(2, 25, &[i]);
        let one = Bilevel::new(alone(&**upper), alone(&**lower), 2, 25);
        let stated = whole.clone();
        let one = one.expect("valid");
        let one = one.with_constants(move |x, y| stated.constants(x, y).expect("constants"));
        let block = |v: &DVector<f64>| v.rows(25 * i, 25).into_owned();
        mean += pair(&one, block(&y), block(&q)) / 2.0;
    }
    let all = pair(&whole, y, q);
    assert!((all - mean).abs() <= 1e-12 * mean, "{all} {mean}");
}

/// The norm of the cross derivative that the model states against its columns.
#[test]
fn the_stated_norms_of_total_variation_bound_the_derivatives() {
    let problem = tv_denoising(1, 6, 0);
    let x = [-2.0, -2.5];
    let y: Vec<f64> = (0..36).map(|i| (1.7 * f64::from(i)).sin()).collect();
    let c = problem.bilevel.constants(&x, &y).expect("stated");
    let mut point = problem.bilevel.lower().point();
    point.linearise(&[&x, &y]);
    let squares = [[1.0, 0.0], [0.0, 1.0]].map(|unit| {
        point.second(&[Some(&unit), None]);
        point.product(1).iter().map(|v| v * v).sum::<f64>()
    });
    let frobenius = squares.iter().sum::<f64>().sqrt();
    assert!((c.cross_norm - frobenius).abs() <= 1e-12 * frobenius);
    let mut hessian = nalgebra::DMatrix::zeros(36, 36);
    for j in 0..36 {
        let unit: Vec<f64> = (0..36).map(|i| f64::from(i == j)).collect();
        point.second(&[None, Some(&unit)]);
        hessian.column_mut(j).copy_from_slice(point.product(1));
    }
    let spectrum = ((&hessian + hessian.transpose()) * 0.5).symmetric_eigenvalues();
    assert!(spectrum.min() >= c.strong_convexity - 1e-12);
    assert!(spectrum.max() <= c.smoothness);
}

#[test]
fn levels_must_have_the_same_samples() {
    let level = |n| sampled(n, |_: Var, y: Var, _: &[usize]| 0.5 * y.norm_squared());
    let error = Bilevel::<f64>::per_sample(level(2), level(3), 1, 1).expect_err("2 and 3");
    assert_eq!(error, ProblemError::SamplesDiffer { upper: 2, lower: 3 });
    let problem = Bilevel::<f64>::per_sample(level(2), level(2), 1, 3).expect("valid");
    assert_eq!((problem.dim_y(), problem.blocks()), (6, 2));
    let estimate = Aid::cg().hypergradient(&problem, &DVector::zeros(1), &mut problem.workspace());
    assert!(estimate.expect("valid settings").status.is_success());
}
