//! The bound ω at random pairs (y, q): it holds, and an overstated μ breaks it.

use autodiff::arbitrary::programs;
use autodiff::{Inputs, Meter, Var, objective};
use models::data::{Splits, digits_parity};
use models::{Dataset, Task, logistic, ridge, tv_denoising};
use nalgebra::DVector;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use solvers::arbitrary;
use solvers::linear::{Cg, solve};
use solvers::{Bilevel, Certificate, Constants};

use super::{cross_norm, exact, random};

/// Pairs at each of which so many more share its x, whose exact answer is found once.
const PAIRS: usize = 50;

struct Tally {
    pairs: usize,
    violations: usize,
    /// Directions that the certificate says descend, and those of them that do not.
    descent: (usize, usize),
    /// ω over the error.
    ratios: Vec<f64>,
}

impl Tally {
    fn median(&mut self) -> f64 {
        self.ratios.sort_by(f64::total_cmp);
        self.ratios[self.ratios.len() / 2]
    }
}

/// The bound against the error at `count` pairs: y and q off their solutions by relative distances
/// from 1e-6 to 1, around points x near `centre`.
fn tally(problem: &Bilevel<f64>, centre: &DVector<f64>, count: usize) -> Tally {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut tally = Tally {
        pairs: 0,
        violations: 0,
        descent: (0, 0),
        ratios: Vec::new(),
    };
    while tally.pairs < count {
        let x = centre + random(&mut rng, centre.len());
        let (_, want, y) = exact(problem, &x);
        let v = linear_solution(problem, &x, &y);
        for _ in 0..PAIRS.min(count - tally.pairs) {
            let mut off = |of: &DVector<f64>| {
                let size = 10f64.powf(rng.random_range(-6.0..0.0));
                of + random(&mut rng, of.len()) * size * (1.0 + of.amax())
            };
            let (near, q) = (off(&y), off(&v));
            let (c, z) = Certificate::of_pair(problem, &x, &near, &q).expect("constants");
            let error = (&z - &want).norm();
            tally.pairs += 1;
            // Far above the rounding of the exact answer.
            tally.violations += usize::from(error > c.bound * (1.0 + 1e-9) + 1e-12);
            tally.ratios.push(c.bound / error);
            if c.descent {
                tally.descent.0 += 1;
                tally.descent.1 += usize::from(z.dot(&want) <= 0.0);
            }
        }
    }
    tally
}

/// `H⁻¹∇_yF` at (x, y).
fn linear_solution(problem: &Bilevel<f64>, x: &DVector<f64>, y: &DVector<f64>) -> DVector<f64> {
    let (mut upper, mut lower) = (problem.upper().point(), problem.lower().point());
    let at = [x.as_slice(), y.as_slice()];
    upper.differentiate(&at, Inputs::one(1));
    lower.linearise(&at);
    let mut v = DVector::zeros(y.len());
    let mut product = |p: &[f64], out: &mut [f64]| {
        lower.second(&[None, Some(p)]);
        out.copy_from_slice(lower.product(1));
    };
    let b = upper.gradient(1);
    solve(&Cg::new(), &mut product, b, v.as_mut_slice(), &Meter::new());
    v
}

/// The same problem with μ said to be larger.
fn overstated(problem: &Task<f64>, factor: f64) -> Bilevel<f64> {
    let stated = problem.bilevel.clone();
    problem
        .bilevel
        .clone()
        .with_constants(move |x, y| Constants {
            strong_convexity: factor * stated.constants(x, y).expect("stated").strong_convexity,
            ..stated.constants(x, y).expect("stated")
        })
}

/// The first samples and features, so that the exact answer is cheap.
fn small_logistic() -> Task<f64> {
    let mut splits: Splits = digits_parity(0);
    for part in [&mut splits.train, &mut splits.valid] {
        part.features = part
            .features
            .dense()
            .view((20, 0), (16, 60))
            .into_owned()
            .into();
        part.labels.truncate(60);
    }
    splits.test = None;
    assert_eq!(Dataset::<f64>::binary(&splits.train).len(), 60);
    logistic(splits).expect("labels of two classes")
}

/// No violation, and descent wherever it is said; the control breaks the bound at some pairs.
#[track_caller]
fn check(name: &str, problem: &Task<f64>, overstatement: f64) {
    let count = programs(400) as usize;
    let centre = &problem.x;
    let mut all = tally(&problem.bilevel, centre, count);
    assert_eq!((all.violations, all.descent.1), (0, 0), "{name}");
    assert!(
        all.descent.0 > count / 50,
        "{name}: {} descend",
        all.descent.0
    );
    let control = tally(&overstated(problem, overstatement), centre, 400);
    assert!(control.violations > 0, "{name}: the control has no power");
    let median = all.median();
    println!(
        "{name}: {} pairs, 0 violations, median bound/error {:.3}, {} certified descents; μ times \
         {overstatement:e}: {} of {} violated",
        all.pairs, median, all.descent.0, control.violations, control.pairs
    );
}

#[test]
fn the_bound_of_ridge_regression_holds() {
    check("ridge", &ridge(8, 0), 1e2);
}

#[test]
fn the_bound_of_logistic_regression_holds() {
    check("logistic", &small_logistic(), 1e3);
}

#[test]
fn the_bound_of_smoothed_total_variation_holds() {
    let mut task = tv_denoising(3, 6, 0);
    task.x = DVector::from_vec(vec![-3.0, -2.0]);
    check("tv-denoising", &task, 1e4);
}

/// F that depends on x and y together, and lower levels that are no quadratics.
#[test]
fn the_bound_of_random_problems_holds() {
    let count = programs(400) as usize;
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for drawn in 0..count.div_ceil(PAIRS) {
        let numbers = (0..101).map(|_| rng.random_range(-2.0..2.0)).collect();
        let problem = arbitrary::Problem {
            dim_x: 4,
            dim_y: 6,
            decades: rng.random_range(0.0..2.0),
            bend: if drawn % 2 == 0 { 0.0 } else { 0.5 },
            samples: 7,
            numbers,
        };
        let known = problem.constants();
        let bilevel = problem.bilevel::<f64>();
        // |σ'| ≤ ¼, |sech²| ≤ 1, rows of norm 1; weights t_j by what 101 numbers below 2 can be.
        let cross_lipschitz = 0.25 * problem.bend * 2.0 * (problem.dim_x as f64).sqrt();
        let (upper, lower) = (bilevel.upper().clone(), bilevel.lower().clone());
        let bilevel = bilevel.with_constants(move |x, y| Constants {
            strong_convexity: known.strong_convexity,
            smoothness: known.smoothness,
            hessian_lipschitz: known.hessian_lipschitz,
            cross_norm: cross_norm(&lower, x, y),
            cross_lipschitz,
            upper_smoothness: 1.0,
            upper_cross: cross_norm(&upper, x, y),
        });
        let centre = problem.x();
        let all = tally(&bilevel, &centre, PAIRS);
        assert_eq!((all.violations, all.descent.1), (0, 0), "{problem:?}");
    }
}

/// F = xy, g = ½(y − 1)²: z = y and ∇φ = 1, so the error is ε, all of it by ∇_xF.
#[test]
fn the_bound_has_what_moves_the_gradient_in_x() {
    let upper = objective(|x: Var, y: Var| x.dot(y));
    let lower = objective(|_: Var, y: Var| 0.5 * (y - 1.0).norm_squared());
    let problem = Bilevel::new(upper, lower, 1, 1).expect("a valid problem");
    let problem = problem.with_constants(|_, _| Constants {
        strong_convexity: 1.0,
        smoothness: 1.0,
        hessian_lipschitz: 0.0,
        cross_norm: 0.0,
        cross_lipschitz: 0.0,
        upper_smoothness: 0.0,
        upper_cross: 1.0,
    });
    let one = |v: f64| DVector::from_element(1, v);
    let pair = Certificate::of_pair(&problem, &one(0.3), &one(1.25), &one(0.0));
    let (certificate, z) = pair.expect("constants");
    assert_eq!((z[0], certificate.bound), (1.25, 0.25));
    // F(x, y) − φ(x) = 0.3 · 0.25, which is ‖∇_yF‖ε.
    assert!((certificate.upper_error - 0.075).abs() < 1e-16);
}
