//! Lower levels that are nearly kinked: long flat slopes, and all the curvature in narrow valleys.

use autodiff::{Real, Var, objective};
use nalgebra::{DMatrix, DVector, dvector};
use proptest::prelude::*;
use proptest::strategy::Strategy as _;
use solvers::linear::Cg;
use solvers::{Aid, Bilevel, Descent, Estimate, Method, Optimiser, Strategy};

/// Points (a, b) to be fitted by y₀ + y₁·a in the smoothed absolute deviation of width δ, with the
/// penalty ½·exp(x)·y².
#[derive(Clone, Debug)]
struct Fit {
    points: Vec<(f64, f64)>,
    delta: f64,
    x: [f64; 2],
    start: [f64; 2],
}

/// Where the upper level asks the line to pass.
const VALID: [(f64, f64); 2] = [(0.5, 0.5), (2.5, 2.5)];

impl Fit {
    fn bilevel<T: Real>(&self) -> Bilevel<T> {
        let Fit { points, delta, .. } = self.clone();
        let lower = objective(move |x: Var<T>, y: Var<T>| {
            let line = |a: f64, b: f64| y.at(0) + y.at(1) * T::of(a) - T::of(b);
            let off = points.iter().map(|&(a, b)| line(a, b).smooth_abs(delta));
            Var::sum_of(off) + x.exp().dot(y.square()) * T::of(0.5)
        });
        let upper = objective(|_x: Var<T>, y: Var<T>| {
            Var::sum_of(VALID.map(|(a, b)| (y.at(0) + y.at(1) * T::of(a) - T::of(b)).square()))
        });
        let start = DVector::from_fn(2, |i, _| T::of(self.start[i]));
        Bilevel::new(upper, lower, 2, 2)
            .expect("a valid problem")
            .starting_from(start)
    }

    fn x<T: Real>(&self) -> DVector<T> {
        DVector::from_fn(2, |i, _| T::of(self.x[i]))
    }

    /// ∇_y g and ∇²_yy g, by hand.
    fn derivatives(&self, y: &DVector<f64>) -> (DVector<f64>, DMatrix<f64>) {
        let weight = DVector::from_fn(2, |i, _| self.x[i].exp());
        let mut gradient = weight.component_mul(y);
        let mut hessian = DMatrix::from_diagonal(&weight);
        for &(a, b) in &self.points {
            let row = dvector![1.0, a];
            let off = row.dot(y) - b;
            let size = off.hypot(self.delta);
            gradient.axpy(off / size, &row, 1.0);
            hessian.ger(self.delta * self.delta / size.powi(3), &row, &row, 1.0);
        }
        (gradient, hessian)
    }

    /// The hypergradient at a minimiser: F does not depend on x, and ∇²_xy g is diag(exp(x)·y).
    fn hypergradient(&self, y: &DVector<f64>) -> DVector<f64> {
        let mut upper = DVector::zeros(2);
        for (a, b) in VALID {
            let row = dvector![1.0, a];
            upper.axpy(2.0 * (row.dot(y) - b), &row, 1.0);
        }
        let adjoint = self.derivatives(y).1.lu().solve(&upper).expect("definite");
        DVector::from_fn(2, |i, _| -self.x[i].exp() * y[i] * adjoint[i])
    }
}

fn estimate<T: Real>(fit: &Fit, aid: &Aid<Cg>) -> Estimate<T> {
    let problem = fit.bilevel::<T>();
    aid.hypergradient(&problem, &fit.x(), &mut problem.workspace())
        .expect("valid settings")
}

fn fits() -> impl proptest::strategy::Strategy<Value = Fit> {
    let point = (-3.0..3.0f64, -3.0..3.0f64);
    let pair = |r: std::ops::Range<f64>| [r.clone(), r];
    (
        prop::collection::vec(point, 1..8),
        -2.5..0.5f64,
        pair(-3.0..1.0),
        pair(-20.0..20.0),
    )
        .prop_map(|(points, power, x, start)| Fit {
            points,
            delta: 10f64.powf(power),
            x,
            start,
        })
}

/// Steps of Newton's method across the valley went up here, as long as the gradient shrank a little.
fn found_by_a_user() -> Fit {
    Fit {
        points: vec![(0.0, 0.1), (1.0, 0.9), (2.0, 2.2), (3.0, 2.9)],
        delta: 0.1,
        x: [0.0; 2],
        start: [0.0; 2],
    }
}

fn is_solved(fit: &Fit) {
    let found = estimate::<f64>(fit, &Aid::cg());
    assert!(found.status.is_success(), "{fit:?}: {found}");
    let (gradient, hessian) = fit.derivatives(&found.y);
    assert!(gradient.norm() < 1e-8, "{:e}: {fit:?}", gradient.norm());
    let want = fit.hypergradient(&found.y);
    let off = (&found.hypergradient - &want).norm();
    // The residuals left, times what the Hessian makes of them.
    let bound = 1e-8 * (1.0 + hessian.norm()) * (1.0 + want.norm());
    assert!(off <= bound, "{off:e}: {fit:?}\n{found}");
}

#[test]
fn the_fit_a_user_found_is_solved() {
    let fit = found_by_a_user();
    is_solved(&fit);
    let found = estimate::<f64>(&fit, &Aid::cg());
    for (i, want) in [-0.000755, 0.004991].into_iter().enumerate() {
        assert!((found.hypergradient[i] - want).abs() < 1e-6, "{found}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_fit_is_solved(fit in fits()) {
        is_solved(&fit);
    }
}

/// In single precision as far as its own rounding lets it come.
#[test]
fn single_precision_reaches_its_tolerance() {
    // From far away the first values are so large that their rounding exceeds the last ones.
    for far in [0.0, 30.0, 1e3, -1e4] {
        let fit = Fit {
            start: [far, -far],
            ..found_by_a_user()
        };
        let found = estimate::<f32>(&fit, &Aid::cg());
        assert!(found.status.is_success(), "from {far}: {found}");
    }
}

#[test]
fn the_end_of_a_run_says_which_iteration_failed() {
    let fit = found_by_a_user();
    let rule = Optimiser::GradientDescent { rate: 1.0 };
    let run = |aid: Aid<Cg>| {
        let problem = fit.bilevel::<f64>();
        let descent = Descent::new(aid, rule, 3);
        let finish = descent
            .begin(&problem, fit.x())
            .expect("valid settings")
            .finish();
        assert_eq!(finish.last.as_ref().expect("3 iterations").iteration, 3);
        finish
    };
    let good = run(Aid::cg());
    assert!(good.is_success() && !good.to_string().contains("failed"));
    let bad = run(Aid::cg().lower_tolerance(1e-300));
    assert!(!bad.is_success());
    assert_eq!(bad.failure.as_ref().expect("a failure").0, 1);
    assert!(bad.to_string().contains("iteration 1 failed"), "{bad}");
}
