//! The estimators of SOBA's directions: their variance, and how their variables move.

use autodiff::kernels::norm;
use models::{Task, random_quadratics};
use nalgebra::DVector;
use solvers::sampling::{DrawRule, Sampling};
use solvers::{Estimator, Method, Motion, Optimiser, Outer, Schedule, Soba};

use super::{close, exact, noisy, run};

/// Forty samples that disagree at the solution, strongly convex means.
fn quadratics() -> Task<f64> {
    random_quadratics(3, 4, (40, 40), 5)
}

/// The distance of x to the solution after this many steps from all ones.
fn distance(rule: Soba, steps: usize, sampling: Sampling) -> f64 {
    let task = quadratics();
    let method = Outer::new(rule, steps)
        .sampling(sampling)
        .report_every(steps);
    let (_, x, _) = run(&method, &task.bilevel, &[1.0; 3]);
    let known = task.known.expect("a closed form");
    norm((DVector::from_vec(x) - known.solution).as_slice())
}

fn of(estimator: Estimator) -> Soba {
    Soba::new(estimator, Schedule::Constant(0.05), 0.2)
}

/// SABA, SRBA and SPABA come to 1e-10 at a linear rate, on single samples and on batches, with any
/// seed and rule of draws; SOBA ends in a ball of noise at the same lengths, and far from there with
/// lengths that fall.
#[test]
fn finite_sums_are_solved_at_a_linear_rate_where_soba_has_its_floor() {
    let steps = 12_000;
    let draws = [
        Sampling::new(1),
        Sampling::new(2).batches(3, 5),
        Sampling::new(3).batches(4, 4).rule(DrawRule::Epochs),
        Sampling::new(4).batches(5, 4).rule(DrawRule::Blocks),
    ];
    for sampling in draws {
        for estimator in [
            Estimator::Saga,
            Estimator::Sarah { period: 20 },
            Estimator::Page { chance: 0.05 },
        ] {
            let at = |k| distance(of(estimator), k, sampling);
            let [first, half, end] = [200, steps / 2, steps].map(at);
            assert!(end < 1e-10, "{estimator:?}: {end:e}");
            // A line in the logarithm: what is left halves its digits half the way.
            let (early, whole) = ((first / half).ln(), (first / end).ln());
            let share = (steps / 2 - 200) as f64 / (steps - 200) as f64;
            let rounding = end < 1e-13;
            assert!(
                rounding || (early / whole - share).abs() < 0.1,
                "{estimator:?}: {first:e}, {half:e}, {end:e}"
            );
        }
        // There it stays: no rounding adds up.
        let long = distance(of(Estimator::Saga), 3 * steps, sampling);
        assert!(long < 1e-13, "{long:e}");
        let floor = distance(of(Estimator::Plain), steps, sampling);
        assert!(floor > 1e-4, "soba: {floor:e}");
        let falling = Soba::new(Estimator::Plain, Schedule::InverseRoot { a: 0.05 }, 0.2);
        assert!(distance(falling, steps, sampling) > 1e-4);
    }
}

/// STORM with weights that fall beats the floor of SOBA at the same lengths of steps.
#[test]
fn storm_goes_below_the_floor_of_soba() {
    let weight = |a| Schedule::Power { a, q: 2.0 / 3.0 };
    let storm = Estimator::Storm {
        x: weight(2.0),
        y: weight(2.0),
        v: weight(2.0),
    };
    let step = Schedule::Power {
        a: 0.3,
        q: 1.0 / 3.0,
    };
    let [plain, reduced] = [Estimator::Plain, storm].map(|estimator| {
        let rule = Soba::new(estimator, step, 0.2);
        let ends = (0..8).map(|seed| distance(rule, 20_000, Sampling::new(seed).batches(4, 4)));
        ends.sum::<f64>() / 8.0
    });
    assert!(reduced < 0.7 * plain, "{reduced:e} {plain:e}");
}

/// On whole objectives nothing is to be estimated: every estimator makes the steps of SOBA. So the
/// memory begins with a place that was visited, and what is held against the old place is the same
/// function.
#[test]
fn on_whole_objectives_every_estimator_is_exact_from_the_first_step_on() {
    let task = quadratics();
    let half = Schedule::Constant(0.5);
    let storm = Estimator::Storm {
        x: half,
        y: half,
        v: half,
    };
    let ends = |estimator, steps| {
        let method = Outer::new(of(estimator), steps).sampling(Sampling::whole());
        run(&method, &task.bilevel, &[1.0; 3])
    };
    for steps in [1, 2, 3, 50] {
        let (_, x, y) = ends(Estimator::Plain, steps);
        for estimator in [
            Estimator::Saga,
            storm,
            Estimator::Sarah { period: 7 },
            Estimator::Page { chance: 0.2 },
        ] {
            let (_, got_x, got_y) = ends(estimator, steps);
            for (got, want) in got_x.iter().zip(&x).chain(got_y.iter().zip(&y)) {
                close(*got, *want, 1e-12);
            }
        }
    }
}

/// The mean of a table's direction over all batches is that of all samples, with samples that are
/// drawn twice too: one step of SABA from tables that were filled elsewhere.
#[test]
fn batches_of_saga_are_unbiased_with_samples_that_are_drawn_twice() {
    // After one step the tables hold what was there at the start. The second moves x along
    // an estimate of the direction of all samples; its mean over seeds tends to that.
    let end = |sampling: Sampling| {
        let rule = Soba::new(Estimator::Saga, Schedule::Constant(0.3), 1.0);
        run(&Outer::new(rule, 2).sampling(sampling), &noisy(), &[2.0]).1[0]
    };
    let want = end(Sampling::whole());
    let seeds = 4000;
    let ends: Vec<f64> = (0..seeds)
        .map(|seed| end(Sampling::new(seed).batches(4, 4)))
        .collect();
    let mean = ends.iter().sum::<f64>() / seeds as f64;
    let square = ends.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / seeds as f64;
    let deviation = (square / seeds as f64).sqrt();
    assert!(deviation > 0.0);
    assert!(
        (mean - want).abs() < 5.0 * deviation,
        "{mean} {want} ± {deviation}"
    );
}

/// Any optimiser on any variable, under any schedule, ends at the solution.
#[test]
fn every_variable_takes_every_optimiser() {
    let motions = [
        Motion::from(Optimiser::Momentum {
            rate: 0.05,
            momentum: 0.5,
        }),
        Motion::from(Optimiser::Adagrad { rate: 0.3 }),
        Motion::from(Optimiser::Adam { rate: 0.05 }).factor(Schedule::Geometric {
            a: 1.0,
            decay: 0.995,
        }),
        Motion::from(0.1).factor(Schedule::InverseRoot { a: 0.8 }),
    ];
    let plain = Soba::new(Estimator::Plain, Schedule::Constant(0.3), 6.0);
    let mut ends = Vec::new();
    for motion in motions {
        for rule in [
            Soba { x: motion, ..plain },
            Soba { y: motion, ..plain },
            Soba { v: motion, ..plain },
        ] {
            let method = Outer::new(rule, 4000).report_every(4000);
            let (_, x, _) = run(&method, &exact(), &[2.0]);
            assert!((x[0] - 0.5).abs() < 1e-3, "{rule:?}: {x:?}");
            let (_, early, _) = run(&Outer::new(rule, 3), &exact(), &[2.0]);
            ends.push(early[0].to_bits());
        }
    }
    // Each is heeded.
    ends.sort_unstable();
    ends.dedup();
    assert_eq!(ends.len(), 12);
}

#[test]
fn settings_of_estimators_are_checked() {
    let step = Schedule::Constant(0.1);
    let refusal = |rule: Soba| {
        let (method, problem) = (Outer::new(rule, 5), exact());
        let refused = Method::<f64>::begin(&method, &problem, DVector::zeros(1));
        refused.err().expect("refused").to_string()
    };
    let storm = Estimator::Storm {
        x: step,
        y: Schedule::Constant(-1.0),
        v: step,
    };
    for (estimator, said) in [
        (
            Estimator::Sarah { period: 0 },
            "srba: 0 steps of a period: expected at least 1",
        ),
        (
            Estimator::Page { chance: 1.5 },
            "spaba: chance of all samples 1.5: expected a number in (0, 1]",
        ),
        (storm, "srmba: weight of y -1: expected a positive number"),
    ] {
        assert_eq!(refusal(Soba::new(estimator, step, 1.0)), said);
    }
    let plain = Soba::new(Estimator::Plain, step, 1.0);
    let bad = Soba {
        v: Optimiser::Adam { rate: -0.5 }.into(),
        ..plain
    };
    assert_eq!(
        refusal(bad),
        "soba: step of v: rate -0.5: expected a positive number"
    );
    assert_eq!(
        refusal(Soba {
            averaging: 0.0,
            ..plain
        }),
        "ma-soba: averaging 0: expected a number in (0, 1]"
    );
}
