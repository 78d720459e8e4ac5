//! The wider family: oracle counts, fixed points, variance.

use nalgebra::dvector;
use solvers::sampling::Sampling;
use solvers::{
    Amigo, Bsa, Estimator, InnerLoops, Method, Outer, Rule, Schedule, Series, Soba, Status,
    StocBio, Sustain, Tfbo, Vrbo,
};

use super::{close, exact, noisy, run};

const STEP: Schedule = Schedule::Constant(0.1);

type Make = Box<dyn Fn(usize, Sampling) -> Stepped>;

/// Each rule, with the gradients of F and g and the products that six steps on single samples take.
fn of<R: Rule<f64> + Clone + 'static>(
    name: &str,
    rule: R,
    counts: [usize; 3],
) -> (Make, [usize; 3]) {
    assert_eq!(rule.name(), name);
    let make = move |steps, sampling| -> Stepped {
        Box::new(Outer::new(rule.clone(), steps).sampling(sampling))
    };
    (Box::new(make), counts)
}

fn rules() -> Vec<(Make, [usize; 3])> {
    let soba = |estimator| Soba::new(estimator, STEP, 1.0);
    let constant = Schedule::Constant;
    let storm = |x, y, v| Estimator::Storm {
        x: constant(x),
        y: constant(y),
        v: constant(v),
    };
    let averaged = Soba {
        averaging: 0.5,
        ..soba(Estimator::Plain)
    };
    let averaged_saga = Soba {
        averaging: 0.5,
        ..soba(Estimator::Saga)
    };
    let sarah = Estimator::Sarah { period: 3 };
    let amigo = Amigo {
        inner: 3,
        linear: 4,
        y: STEP.into(),
        v: 0.2.into(),
        x: STEP.into(),
    };
    let stocbio = StocBio {
        inner: 2,
        factors: 200,
        y: STEP.into(),
        v: 0.5,
        x: STEP.into(),
    };
    vec![
        of("soba", soba(Estimator::Plain), [6, 6, 6]),
        of("ma-soba", averaged, [6, 6, 6]),
        // At the start each of the 5 + 4 samples is visited once.
        of("saba", soba(Estimator::Saga), [6 + 5, 6 + 4, 6 + 4]),
        of("ma-saba", averaged_saga, [6 + 5, 6 + 4, 6 + 4]),
        // At the old point too, but in the first step.
        of("fsla", soba(storm(0.5, 1.0, 1.0)), [11, 11, 11]),
        of("srmba", soba(storm(0.5, 0.5, 0.5)), [11, 11, 11]),
        // All samples at once in two of six steps.
        of("srba", soba(sarah), [2 + 8, 2 + 8, 2 + 8]),
        of("spaba", soba(Estimator::Page { chance: 1.0 }), [6, 6, 6]),
        // A product on a fresh batch is one gradient too.
        of("amigo", amigo, [6, 6 * (3 + 5), 6 * 5]),
        of("stocbio", stocbio, [6, 6 * (2 + 201), 6 * 201]),
        of("s-tfbo", tfbo(None), [6, 6, 6]),
        of(
            "d-tfbo",
            tfbo(Some(InnerLoops {
                limit: 3,
                tolerance: 0.0,
            })),
            [6, 6 * (3 + 4), 6 * 4],
        ),
    ]
}

fn tfbo(inner: Option<InnerLoops>) -> Tfbo {
    Tfbo { start: 0.1, inner }
}

/// Those whose hypergradients are by a Neumann series of so many terms, with six steps' counts.
fn by_series(terms: usize) -> Vec<(Make, [usize; 3])> {
    let series = |cut| Series {
        terms,
        step: 0.5,
        cut,
    };
    let sustain = |cut| Sustain {
        series: series(cut),
        weight: Schedule::Constant(0.5),
        y: STEP.into(),
        x: STEP.into(),
    };
    let vrbo = Vrbo {
        period: 3,
        inner: 2,
        series: series(false),
        y: STEP.into(),
        x: STEP.into(),
    };
    // A product on fresh batches is one gradient too; a series of K factors takes K + 1.
    let pairs = 11 * (terms + 1);
    let within = (6 * 2 * 2 + 2) * (terms + 1);
    vec![
        of("mrbo", sustain(false), [11, 11 + pairs, pairs]),
        of("vrbo", vrbo, [6 * 4 + 2, 6 * 4 + 2 + within, within]),
        of(
            "sustain",
            sustain(true),
            if terms == 1 { [11, 22, 11] } else { [0; 3] },
        ),
    ]
}

type Stepped = Box<dyn solvers::Method<f64>>;

#[test]
fn oracles_per_step() {
    let of_series = by_series(1).into_iter().chain(by_series(7));
    // How many factors are left of a series that is cut is chance.
    let counted = of_series.filter(|(_, counts)| counts[0] > 0);
    for (make, counts) in rules().into_iter().chain(counted) {
        let method = make(6, Sampling::new(2));
        let (reports, ..) = run(&*method, &noisy(), &[1.0]);
        let oracles = reports.last().unwrap().oracles;
        let got = [oracles.upper.gradients, oracles.lower.gradients];
        assert_eq!(
            [got[0], got[1], oracles.hvps()],
            counts,
            "{}",
            method.name()
        );
    }
}

#[test]
fn on_whole_objectives_the_solution_is_the_fixed_point() {
    let whole_series = by_series(60).into_iter().take(2);
    for (make, _) in rules().into_iter().chain(whole_series) {
        let method = make(2000, Sampling::whole());
        let (_, x, y) = run(&*method, &exact(), &[2.0]);
        close(x[0], 0.5, 1e-10);
        close(y[0], 0.5, 1e-10);
    }
}

/// Steps beyond the curvature's limit are remarked on, long before anything overflows.
#[test]
fn a_linear_system_that_diverges_is_remarked_on() {
    let soba = Soba::new(Estimator::Plain, Schedule::Constant(2.5), 1e6);
    let method = Outer::new(soba, 32).report_every(16);
    let (reports, ..) = run(&method, &exact(), &[2.0]);
    let last = reports.last().unwrap();
    assert!(last.warnings[0].contains("take shorter steps"), "{last:?}");
    let grew = |w: &String| w.contains("direction of x grew");
    assert!(last.warnings.iter().any(grew) && !reports[0].warnings.iter().any(grew));
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

/// One step of BSA for each p that can be drawn: their mean is the K-term Neumann sum, exactly.
#[test]
fn the_mean_of_the_truncated_products_is_the_neumann_sum() {
    let (terms, alpha, x) = (6, 0.3_f64, 3.0);
    let bsa = Bsa {
        inner: 1,
        terms,
        y: 0.5.into(),
        v: alpha,
        x: 1.0.into(),
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

/// `x + s (y − 1)`, s being the sum of a series of K + 1 terms, or `K α (1 − α)^p` where it is cut.
fn implied(series: Series, [x, y]: [f64; 2], p: i32) -> f64 {
    let Series { terms, step, cut } = series;
    let sum: f64 = match cut {
        true => terms as f64 * (1.0 - step).powi(p),
        false => (0..=terms as i32).map(|q| (1.0 - step).powi(q)).sum(),
    };
    x + step * sum * (y - 1.0)
}

/// MRBO on whole objectives is descent along the hypergradient of its series: the estimates are exact
/// from the first step on. So is SUSTAIN of one term, which has nothing to cut.
#[test]
fn sustain_and_mrbo_are_exact_on_whole_objectives() {
    for (terms, cut) in [(4, false), (1, true)] {
        let series = Series {
            terms,
            step: 0.3,
            cut,
        };
        let rule = Sustain {
            series,
            weight: Schedule::Power { a: 0.5, q: 0.5 },
            y: 0.4.into(),
            x: 0.2.into(),
        };
        let [mut x, mut y] = [2.0, 0.0];
        for steps in 1..12 {
            let h = implied(series, [x, y], 0);
            y -= 0.4 * (y - x);
            x -= 0.2 * h;
            let method = Outer::new(rule, steps);
            let (reports, got, reached) = run(&method, &exact(), &[2.0]);
            close(got[0], x, 1e-13);
            close(reached[0], y, 1e-13);
            close(reports[steps - 1].hypergradient_norm, h.abs(), 1e-13);
        }
    }
}

/// On samples, the difference of the places is by the same batches and the same number of factors: the
/// ends have far less variance than those of a weight of 1, which keeps nothing.
#[test]
fn the_momentum_of_sustain_takes_variance_away() {
    let spread = |weight: f64, cut| {
        let rule = Sustain {
            series: Series {
                terms: 8,
                step: 0.5,
                cut,
            },
            weight: Schedule::Constant(weight),
            y: 0.05.into(),
            x: 0.05.into(),
        };
        let ends = (0..40).map(|seed| {
            let method = Outer::new(rule, 400).sampling(Sampling::new(seed));
            run(&method, &noisy(), &[0.5]).1[0]
        });
        let ends: Vec<f64> = ends.collect();
        let mean = ends.iter().sum::<f64>() / 40.0;
        close(mean, 0.5, 0.1);
        ends.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / 40.0
    };
    for cut in [true, false] {
        let (kept, none) = (spread(0.02, cut), spread(1.0, cut));
        assert!(kept < none, "{cut}: {kept:e} {none:e}");
    }
}

/// The loop of VRBO on whole objectives, written out: d is what it estimates at the place of the last
/// inner step, whose first has the difference by the step of x.
#[test]
fn vrbo_follows_its_listing() {
    let series = Series {
        terms: 3,
        step: 0.3,
        cut: false,
    };
    for period in [1, 4, 100] {
        let rule = Vrbo {
            period,
            inner: 3,
            series,
            y: 0.4.into(),
            x: 0.2.into(),
        };
        let ([mut x, mut y], mut d) = ([2.0, 0.0], 0.0);
        for steps in 1..12 {
            if (steps - 1) % period == 0 {
                d = implied(series, [x, y], 0);
            }
            x -= 0.2 * d;
            for _ in 0..3 {
                d = implied(series, [x, y], 0);
                y -= 0.4 * (y - x);
            }
            let (_, got, reached) = run(&Outer::new(rule, steps), &exact(), &[2.0]);
            close(got[0], x, 1e-13);
            close(reached[0], y, 1e-13);
        }
    }
}

/// On finite sums, batches without the full pass let the estimates wander; with it they do not.
#[test]
fn vrbo_goes_below_the_floor_of_stocbio() {
    let vrbo = Vrbo {
        period: 5,
        inner: 5,
        series: Series {
            terms: 40,
            step: 0.5,
            cut: false,
        },
        y: 0.2.into(),
        x: 0.1.into(),
    };
    let stocbio = StocBio {
        inner: 5,
        factors: 40,
        y: 0.2.into(),
        v: 0.5,
        x: 0.1.into(),
    };
    let error = |method: &dyn Method<f64>| (run(method, &noisy(), &[2.0]).1[0] - 0.5).abs();
    let sampling = Sampling::new(5);
    let reduced = error(&Outer::new(vrbo, 2000).sampling(sampling));
    let floor = error(&Outer::new(stocbio, 2000).sampling(sampling));
    assert!(reduced < 1e-6 && floor > 1e-3, "{reduced:e} {floor:e}");
}

/// The listings of TFBO, written out.
#[test]
fn tfbo_follows_its_listings() {
    let hypot = |a: f64, d: f64| (a * a + d * d).sqrt();
    for steps in 1..15 {
        let ([mut x, mut y, mut v], [mut alpha, mut beta, mut gamma]) = ([2.0, 0.0, 0.0], [0.1; 3]);
        for _ in 0..steps {
            let (d_y, d_v, d_x) = (y - x, v + y - 1.0, x - v);
            (alpha, beta, gamma) = (hypot(alpha, d_x), hypot(beta, d_y), hypot(gamma, d_v));
            let phi = beta.max(gamma);
            y -= d_y / beta;
            v -= d_v / phi;
            x -= d_x / (alpha * phi);
        }
        let (_, got, reached) = run(&Outer::new(tfbo(None), steps), &exact(), &[2.0]);
        close(got[0], x, 1e-13);
        close(reached[0], y, 1e-13);

        let ([mut x, mut y, mut v], [mut alpha, mut beta, mut gamma]) = ([2.0, 0.0, 0.0], [0.1; 3]);
        let inner = InnerLoops {
            limit: 4,
            tolerance: 0.3,
        };
        let (mut lower, mut hvps) = (0, 0);
        for _ in 0..steps {
            for _ in 0..inner.limit {
                lower += 1;
                if f64::abs(y - x) <= inner.tolerance {
                    break;
                }
                beta = hypot(beta, y - x);
                y -= (y - x) / beta;
            }
            for _ in 0..inner.limit {
                hvps += 1;
                let d_v = v + y - 1.0;
                if f64::abs(d_v) <= inner.tolerance {
                    break;
                }
                gamma = hypot(gamma, d_v);
                v -= d_v / gamma;
            }
            hvps += 1;
            alpha = hypot(alpha, x - v);
            x -= (x - v) / alpha;
        }
        let method = Outer::new(tfbo(Some(inner)), steps);
        let (reports, got, reached) = run(&method, &exact(), &[2.0]);
        close(got[0], x, 1e-13);
        close(reached[0], y, 1e-13);
        let oracles = reports[steps - 1].oracles;
        assert_eq!(oracles.hvps(), hvps);
        assert_eq!(oracles.lower.gradients, lower + hvps);
        assert_eq!(oracles.upper.gradients, steps);
    }
}
