//! The bound beside a part that is a sum over entries: it holds, a control breaks it, and it is there once y
//! is near.

use nalgebra::DMatrix;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use solvers::linear::Cg;
use solvers::{Aid, Bilevel, Constants, Itd, Part, StepLength, Strategy, arbitrary, certify};

use autodiff::Var;
use autodiff::arbitrary::programs;

use super::{cross_norm, exact, named};

/// ℓ₁ norm, elastic net and boxes, with parameters of x of one entry or of each.
fn part(kind: usize) -> (&'static str, Part<f64>) {
    match kind {
        0 => ("l1", Part::l1(|x: Var| x.at(0).exp() * 0.3)),
        1 => (
            "elastic net",
            Part::elastic_net(|x: Var| x.at(0).exp() * 0.3, |x: Var| x.at(1).exp() * 0.5),
        ),
        2 => {
            let weights = DMatrix::from_fn(6, 1, |i, _| 0.1 * i as f64);
            ("weights", Part::l1(move |x: Var| &weights * x.at(1).exp()))
        }
        3 => (
            "box",
            Part::between(
                |x: Var| x.at(0).sin() * 0.2 - 0.4,
                |x: Var| x.at(1).exp() * 0.3,
            ),
        ),
        _ => ("above", Part::above(|x: Var| x.at(2).sin() * 0.3)),
    }
}

/// A drawn problem with its constants, μ said to be `factor` times as large.
fn drawn(
    rng: &mut ChaCha8Rng,
    which: usize,
    part: Part<f64>,
) -> (arbitrary::Problem, Bilevel<f64>) {
    let problem = arbitrary::Problem {
        dim_x: 4,
        dim_y: 6,
        decades: rng.random_range(0.0..1.5),
        bend: if which.is_multiple_of(2) { 0.0 } else { 0.5 },
        samples: 7,
        numbers: (0..101).map(|_| rng.random_range(-2.0..2.0)).collect(),
    };
    let bilevel = problem
        .bilevel::<f64>()
        .with_part(part)
        .expect("a part of this y");
    (problem, bilevel)
}

fn stated(of: &arbitrary::Problem, problem: &Bilevel<f64>, factor: f64) -> Bilevel<f64> {
    let known = of.constants();
    let cross_lipschitz = 0.25 * of.bend * 2.0 * (of.dim_x as f64).sqrt();
    let (upper, lower) = (problem.upper().clone(), problem.lower().clone());
    problem.clone().with_constants(move |x, y| Constants {
        strong_convexity: factor * known.strong_convexity,
        smoothness: known.smoothness,
        hessian_lipschitz: known.hessian_lipschitz,
        cross_norm: cross_norm(&lower, x, y),
        cross_lipschitz,
        upper_smoothness: 1.0,
        upper_cross: cross_norm(&upper, x, y),
    })
}

#[test]
fn the_bound_beside_a_part_holds_wherever_there_is_one() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let count = (programs(400) / 10) as usize;
    let (mut broken, mut bent) = (0, 0);
    for kind in 0..5 {
        let (mut bounds, mut near, mut ratios) = (0, 0, Vec::new());
        for which in 0..count {
            let (name, part) = part(kind);
            let (of, problem) = drawn(&mut rng, which, part);
            let (honest, control) = (stated(&of, &problem, 1.0), stated(&of, &problem, 1e2));
            let x = of.x();
            let (_, want, y) = exact(&problem, &x);
            let step = StepLength::Fixed(1.0 / of.constants().smoothness);
            for depth in [5, 20, 100, 400, 2000] {
                let linear = Cg::new().tolerance(10f64.powf(rng.random_range(-9.0..-0.5)));
                let rough = Aid::with(linear).lower_steps(depth, step);
                let run = |problem: &Bilevel<f64>| {
                    let estimate = rough.hypergradient(problem, &x, &mut problem.workspace());
                    estimate.expect("valid settings")
                };
                let estimate = run(&honest);
                assert_eq!(
                    estimate.bytes.peak,
                    rough.predicted_peak_bytes(&honest),
                    "{name}"
                );
                let error = (&estimate.hypergradient - &want).norm();
                if let Some(c) = estimate.certificate {
                    bounds += 1;
                    let off = (&estimate.y - &y).norm();
                    assert!(
                        error <= c.bound * (1.0 + 1e-9) + 1e-9,
                        "{name} {of:?}: {error:e} {c}"
                    );
                    assert!(
                        off <= c.lower_error * (1.0 + 1e-9) + 1e-9,
                        "{name} {of:?}: {off:e} {c}"
                    );
                    // Above the rounding of both.
                    ratios.extend((error > 1e-8).then_some(c.bound / error));
                    bent += usize::from(of.bend > 0.0);
                    near += usize::from(depth == 2000);
                }
                let c = run(&control).certificate;
                broken += usize::from(c.is_some_and(|c| error > c.bound + 1e-9));
                // Of an estimate without a linear system.
                let unrolled = Itd::reverse(depth).step(1.0 / of.constants().smoothness);
                let unrolled = unrolled.hypergradient(&honest, &x, &mut honest.workspace());
                let unrolled = unrolled.expect("valid settings");
                if let Some(c) = certify(&honest, &x, &unrolled) {
                    let error = (&unrolled.hypergradient - &want).norm();
                    assert!(
                        c.certified && error <= c.bound + 1e-9,
                        "{name} {of:?}: {error:e} {c}"
                    );
                }
            }
        }
        ratios.sort_by(f64::total_cmp);
        let median = ratios[ratios.len() / 2];
        println!(
            "{}: {bounds} bounds, median bound/error {median:.1}",
            part(kind).0
        );
        assert!(near > count / 3, "{near} of {count} solutions have a bound");
    }
    assert!(broken > 0 && bent > 0, "the control has no power");
}

#[test]
fn problems_of_the_catalogue_with_sets_and_weights_are_answered_with_a_certificate() {
    for name in ["lasso", "elastic-net", "weighted-lasso", "svm"] {
        let task = named(name);
        let problem = &task.bilevel;
        let aid = Aid::cg();
        let estimate = aid.hypergradient(problem, &task.x, &mut problem.workspace());
        let estimate = estimate.expect("valid settings");
        let c = estimate.certificate.expect("stated constants");
        let size = estimate.hypergradient.norm();
        // C of each of 150 entries is of x, and the curvature is theirs together.
        let part = if name == "svm" { 1.0 } else { 1e-6 };
        assert!(c.certified && c.bound < part * size, "{name}: {size:e} {c}");
    }
    // One whose pieces no number here bounds.
    let task = named("group-lasso");
    let mut work = task.bilevel.workspace();
    let estimate = Aid::cg()
        .hypergradient(&task.bilevel, &task.x, &mut work)
        .expect("valid");
    assert_eq!(certify(&task.bilevel, &task.x, &estimate), None);
}

/// Each on its own: what the weight, the square and a bound of x add to the constants of a g without x.
#[test]
fn what_a_part_adds_to_the_constants_is_what_its_derivatives_by_x_miss() {
    use autodiff::objective;
    use nalgebra::{DVector, dmatrix, dvector};
    let constants = |smoothness| Constants {
        strong_convexity: 1.0,
        smoothness,
        hessian_lipschitz: 0.0,
        cross_norm: 0.0,
        cross_lipschitz: 0.0,
        upper_smoothness: 1.0,
        upper_cross: 0.0,
    };
    let bound = |problem: Bilevel<f64>, x: f64, step: f64, want: f64| {
        let rough = Aid::cg().lower_steps(6, StepLength::Fixed(step));
        let x = DVector::from_element(1, x);
        let estimate = rough.hypergradient(&problem, &x, &mut problem.workspace());
        let estimate = estimate.expect("valid settings");
        let c = estimate
            .certificate
            .expect("y is on the piece of the solution");
        let error = (estimate.hypergradient[0] - want).abs();
        assert!(
            error > 1e-4 && error <= c.bound * (1.0 + 1e-9),
            "{error:e} {c}"
        );
        c.bound / error
    };
    // y* = 1 − x under x|y|, and φ' = −(y* − 0.2).
    let upper = |t: f64| objective(move |_: Var, y: Var| 0.5 * (y - t).norm_squared());
    let near_one = || objective(|_: Var, y: Var| 0.5 * (y - 1.0).norm_squared());
    let lasso = Bilevel::new(upper(0.2), near_one(), 1, 1).expect("a valid problem");
    let lasso = lasso.with_part(Part::l1(|x: Var| x)).expect("a part");
    let lasso = lasso.with_constants(move |_, _| constants(1.0));
    let ratio = bound(lasso, 0.3, 0.5, -0.5);
    // Of one entry it is the error itself.
    assert!((ratio - 1.0).abs() < 1e-9, "{ratio}");

    // y* = 0.9/(1 + x) under 0.1|y| + ½xy², and φ' = −y*²/(1 + x).
    let net = Bilevel::new(upper(0.0), near_one(), 1, 1).expect("a valid problem");
    let part = Part::elastic_net(|x: Var| x.scalar(0.1), |x: Var| x);
    let net = net.with_part(part).expect("a part");
    let net = net.with_constants(move |_, _| constants(1.0));
    let y = 0.9 / 1.5;
    let ratio = bound(net, 0.5, 0.4, -y * y / 1.5);
    assert!(ratio < 2.0, "{ratio}");

    // y₁ = x at its bound and y₂* = (1 − x)/2: φ' = x − y₂*/2.
    let q = dmatrix![2.0, 1.0; 1.0, 2.0];
    let lower = objective(move |_: Var, y: Var| 0.5 * y.dot(&q * y) - 3.0 * y.at(0) - y.at(1));
    let boxed = Bilevel::new(upper(0.0), lower, 1, 2).expect("a valid problem");
    let part = Part::below(|x: Var| x.concat(&[x.scalar(9.0)]));
    let boxed = boxed.with_part(part).expect("a part");
    let boxed = boxed.with_constants(move |_, _| constants(3.0));
    let boxed = boxed.starting_from(dvector![0.1, 0.0]);
    let ratio = bound(boxed, 0.1, 0.25, 0.1 - 0.225);
    assert!(ratio < 20.0, "{ratio}");
}
