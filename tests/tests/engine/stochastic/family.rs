//! The wider family: oracle counts, fixed points, variance.

use nalgebra::dvector;
use solvers::sampling::Sampling;
use solvers::{Amigo, Bsa, Fsla, Method, Outer, Rule, Saba, Schedule, Soba, Status, StocBio};

use super::{close, exact, noisy, run};

const STEP: Schedule = Schedule::Constant(0.1);

type Make = Box<dyn Fn(usize, Sampling) -> Stepped>;

/// Each rule, with the gradients of F and g and the products that a step takes.
fn rules() -> Vec<(Make, [usize; 3])> {
    fn of<R: Rule<f64> + Clone + 'static>(rule: R, per_step: [usize; 3]) -> (Make, [usize; 3]) {
        let make = move |steps, sampling| -> Stepped {
            Box::new(Outer::new(rule.clone(), steps).sampling(sampling))
        };
        (Box::new(make), per_step)
    }
    vec![
        of(
            Soba {
                step: STEP,
                ratio: 1.0,
            },
            [1, 1, 1],
        ),
        of(
            Fsla {
                step: STEP,
                ratio: 1.0,
                averaging: 0.5,
            },
            [1, 1, 1],
        ),
        of(
            Amigo {
                inner: 3,
                linear: 4,
                y: STEP,
                v: 0.2,
                x: STEP,
            },
            // A product on a fresh batch is one gradient too.
            [1, 3 + 5, 5],
        ),
        of(
            StocBio {
                inner: 2,
                factors: 200,
                y: STEP,
                v: 0.5,
                x: STEP,
            },
            [1, 2 + 201, 201],
        ),
    ]
}

type Stepped = Box<dyn solvers::Method<f64>>;

#[test]
fn oracles_per_step() {
    for (make, [upper, lower, hvps]) in rules() {
        let method = make(6, Sampling::new(2));
        let (reports, ..) = run(&*method, &noisy(), &[1.0]);
        let oracles = reports.last().unwrap().oracles;
        let name = method.name();
        assert_eq!(oracles.upper.gradients, 6 * upper, "{name}");
        assert_eq!(oracles.lower.gradients, 6 * lower, "{name}");
        assert_eq!(oracles.hvps(), 6 * hvps, "{name}");
    }
    // At the start SABA visits each of the 5 + 4 samples once.
    let saba = Saba {
        step: 0.1,
        ratio: 1.0,
    };
    let (reports, ..) = run(
        &Outer::new(saba, 6).sampling(Sampling::new(2)),
        &noisy(),
        &[1.0],
    );
    let oracles = reports.last().unwrap().oracles;
    assert_eq!(oracles.upper.gradients, 6 + 5);
    assert_eq!(
        (oracles.lower.gradients, oracles.lower.hvps),
        (6 + 4, 6 + 4)
    );
}

#[test]
fn on_whole_objectives_the_solution_is_the_fixed_point() {
    for (make, _) in rules() {
        let method = make(2000, Sampling::whole());
        let (_, x, y) = run(&*method, &exact(), &[2.0]);
        close(x[0], 0.5, 1e-10);
        close(y[0], 0.5, 1e-10);
    }
}

/// Steps beyond the curvature's limit are remarked on, long before anything overflows.
#[test]
fn a_linear_system_that_diverges_is_remarked_on() {
    let soba = Soba {
        step: Schedule::Constant(2.5),
        ratio: 1e6,
    };
    let method = Outer::new(soba, 32).report_every(16);
    let (reports, ..) = run(&method, &exact(), &[2.0]);
    let last = reports.last().unwrap();
    assert!(last.warnings[0].contains("take shorter steps"), "{last:?}");
    assert!(reports[0].warnings.is_empty());
    // Some steps more, and it is no success.
    let method = Outer::new(soba, 60).report_every(20);
    let problem = exact();
    let mut run = method
        .begin(&problem, dvector![2.0])
        .expect("valid settings");
    let finish = run.finish();
    assert!(
        matches!(finish.failure, Some((_, Status::LowerDiverged { .. }))),
        "{finish}"
    );
}

/// At constant steps on single samples SOBA ends in a ball of noise, SABA at the solution.
#[test]
fn saba_removes_the_variance_that_soba_keeps() {
    let error = |x: &[f64]| (x[0] - 0.5).abs();
    let sampling = Sampling::new(1);
    let saba = Saba {
        step: 0.1,
        ratio: 1.0,
    };
    let soba = Soba {
        step: STEP,
        ratio: 1.0,
    };
    let (_, saba, _) = run(&Outer::new(saba, 3000).sampling(sampling), &noisy(), &[2.0]);
    let (_, soba, _) = run(&Outer::new(soba, 3000).sampling(sampling), &noisy(), &[2.0]);
    assert!(error(&saba) < 1e-9, "{saba:?}");
    assert!(error(&soba) > 1e-5, "{soba:?}");
}

#[test]
fn saba_asks_for_single_samples() {
    let saba = Saba {
        step: 0.1,
        ratio: 1.0,
    };
    let method = Outer::new(saba, 5).sampling(Sampling::new(0).batches(2, 1));
    let problem = noisy();
    let refused = solvers::Method::<f64>::begin(&method, &problem, nalgebra::dvector![0.0]);
    let message = refused.err().expect("refused").to_string();
    assert_eq!(
        message,
        "saba: batches of 2 and 1: expected single samples, which the tables are of"
    );
}

/// One step of BSA for each p that can be drawn: their mean is the K-term Neumann sum, exactly.
#[test]
fn the_mean_of_the_truncated_products_is_the_neumann_sum() {
    let (terms, alpha, x) = (6, 0.3_f64, 3.0);
    let bsa = Bsa {
        inner: 1,
        terms,
        y: Schedule::Constant(0.5),
        v: alpha,
        x: Schedule::Constant(1.0),
    };
    let mut ends: Vec<f64> = (0..200)
        .map(|seed| {
            let sampling = Sampling::whole().seeded(seed);
            let (reports, end, _) = run(&Outer::new(bsa, 1).sampling(sampling), &exact(), &[x]);
            let oracles = reports[0].oracles;
            let hvps = oracles.lower.hvps;
            assert!((1..=terms).contains(&hvps));
            assert_eq!(oracles.upper.gradients, 1);
            assert_eq!(oracles.lower.gradients, 1 + hvps);
            end[0]
        })
        .collect();
    ends.sort_by(f64::total_cmp);
    ends.dedup();
    assert_eq!(ends.len(), terms, "every p is drawn in 200 seeds");
    let mean = ends.iter().sum::<f64>() / terms as f64;
    // The step on y goes half the way to x.
    let y = 0.5 * x;
    let sum: f64 = (0..terms)
        .map(|k| alpha * (1.0 - alpha).powi(k as i32))
        .sum();
    close(mean, x - (x + sum * (y - 1.0)), 1e-14);
}
