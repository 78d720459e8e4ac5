//! Races on problems whose φ is known.

use autodiff::{Var, objective, sampled};
use nalgebra::dvector;
use solvers::sampling::Sampling;
use solvers::{Aid, Bilevel, Descent, Estimator, Gda, Optimiser, Outer, Schedule, Soba};

use super::*;
use crate::Page;
use crate::tests::distance;

/// Means over five and over seven samples: φ(x) = ½ mean (x − b)² + ½x², since y* = x.
fn means() -> Bilevel<f64> {
    let b = [0.5, 1.0, 1.5, 0.0, 2.0];
    let upper = sampled(5, move |x: Var, y: Var, batch: &[usize]| {
        let terms = batch.iter().map(|i| 0.5 * (y - b[*i]).norm_squared());
        Var::sum_of(terms) / batch.len() as f64 + 0.5 * x.norm_squared()
    });
    let lower = sampled(7, move |x: Var, y: Var, _: &[usize]| {
        0.5 * (y - x).norm_squared()
    });
    Bilevel::sampled(upper, lower, 1, 1).expect("a problem")
}

fn soba(estimator: Estimator, every: usize) -> Outer<Soba> {
    let rule = Soba::new(estimator, Schedule::Constant(0.1), 1.0);
    let drawn = Sampling::new(3).batches(2, 3);
    Outer::new(rule, 1_000_000)
        .sampling(drawn)
        .report_every(every)
}

const COURSE: Course = Course {
    samples: 4000,
    records: 8,
};

#[test]
fn what_counts_is_measured_at_x_whatever_y_the_method_has() {
    let problem = distance(1);
    let subject = Subject::new("own", &problem, dvector![3.0]);
    let descent = Descent::new(Aid::cg(), Optimiser::GradientDescent { rate: 0.1 }, 40);
    // Its y is half way to that of the upper level.
    let ascent = Gda::new(40, Optimiser::GradientDescent { rate: 0.05 });
    for method in [&descent as &dyn Method<f64>, &ascent] {
        let run = run(
            &subject,
            "m",
            method,
            0,
            Course {
                samples: 1000,
                records: 1000,
            },
        );
        let records = run.expect("it suits").records;
        assert_eq!((records[0].iteration, &*records[0].status), (0, "start"));
        assert!(records.len() > 20);
        // φ = ½(x − 1)² + ½x², so that φ = ½(∇φ² + 1)/2 with ∇φ = 2x − 1.
        for r in &records {
            let (value, squared) = (r.value.unwrap(), r.gradient_squared.unwrap());
            assert!(
                (value - 0.25 * (squared + 1.0)).abs() < 1e-9 * (1.0 + value),
                "{r:?}"
            );
        }
        assert!((records[0].gradient_squared.unwrap() - 25.0).abs() < 1e-9);
        let falls = |w: &[Record]| w[1].gradient_squared < w[0].gradient_squared;
        assert!(records.windows(2).take(5).all(falls));
    }
}

#[test]
fn samples_are_counted_by_their_batches() {
    let problem = means();
    let subject = Subject::new("means", &problem, dvector![0.0]);
    // In an iteration a gradient of F over 2, a gradient and a product of g over 3 samples.
    let method = soba(Estimator::Plain, 10);
    let plain = run(&subject, "soba", &method, 3, COURSE).expect("it suits");
    let last = plain.records.last().unwrap();
    for r in &plain.records {
        assert_eq!(r.samples, r.iteration * (2 + 3 + 3));
    }
    assert_eq!((last.samples, plain.records.len()), (4000, 9));
    // All samples once in ten iterations, else batches at the new and at the old point.
    let method = soba(Estimator::Sarah { period: 10 }, 10);
    let sarah = run(&subject, "srba", &method, 3, COURSE).expect("it suits");
    let period = (5 + 7 + 7) + 9 * 2 * (2 + 3 + 3);
    for r in &sarah.records {
        assert_eq!(r.samples, r.iteration / 10 * period, "{r:?}");
    }
    // Its noise is gone, that of plain batches is not.
    let end = |r: &Run| r.records.last().unwrap().gradient_squared.unwrap();
    assert!(
        end(&sarah) < 1e-8 && end(&plain) > 1e-6,
        "{} {}",
        end(&sarah),
        end(&plain)
    );
}

#[test]
fn reports_are_as_often_as_the_course_has_parts() {
    let problem = means();
    let subject = Subject::new("means", &problem, dvector![0.0]);
    let make = |every| -> Arc<dyn Method<f64>> { Arc::new(soba(Estimator::Plain, every)) };
    // 500 samples a part, 8 an iteration.
    assert_eq!(report_every(&subject, &make, COURSE), Ok(62));
    let coarse = Course {
        samples: 8,
        records: 8,
    };
    assert_eq!(report_every(&subject, &make, coarse), Ok(1));
}

#[test]
fn a_race_sums_up_over_seeds_and_says_when_a_method_was_there() {
    let problem = means();
    let subject = Subject::new("means", &problem, dvector![4.0]);
    let mut runs = Vec::new();
    for (name, length) in [("slow", 1e-4), ("fast", 0.1)] {
        for seed in 0..3 {
            let rule = Soba::new(Estimator::Saga, Schedule::Constant(length), 1.0);
            let drawn = Sampling::new(seed).batches(1, 1);
            let method = Outer::new(rule, 1_000_000).sampling(drawn).report_every(20);
            runs.push(run(&subject, name, &method, seed, COURSE).expect("it suits"));
        }
    }
    let summaries = summarise(&runs);
    let [slow, fast] = &summaries[..] else {
        panic!("two methods")
    };
    assert_eq!(
        (slow.seeds, &slow.failed[..], slow.unmeasured),
        (3, &[][..], 0)
    );
    assert!(slow.passes_to_accuracy.low.is_infinite());
    assert!(fast.passes_to_accuracy.high <= 4000.0 / 12.0);
    assert!(fast.end.gradient_squared.high < 1e-12);
    // The first place is the start of every seed.
    let start = fast.places[0].gradient_squared;
    assert!((start.low - 49.0).abs() < 1e-9 && start.low == start.high);
    let text = table(&runs).to_string();
    assert!(text.contains("never"), "{text}");
    let page = Page::default().race(&runs);
    let plot = &page.sections[0].plots[0];
    assert_eq!((plot.series.len(), plot.series[1].across.len()), (2, 2));
    assert_eq!(plot.series[1].points.len(), fast.places.len());
}

#[test]
fn where_the_lower_level_has_no_solution_there_is_no_value() {
    // g = −½(y − x)²: Newton's method stays at a maximum, which is none.
    let upper = objective(|x: Var, y: Var| 0.5 * y.norm_squared() + 0.5 * x.norm_squared());
    let lower = objective(|x: Var, y: Var| -0.5 * (y - x).norm_squared());
    let problem = Bilevel::new(upper, lower, 1, 1).expect("a problem");
    let subject = Subject::new("concave", &problem, dvector![0.5]);
    let method = Outer::new(
        Soba::new(Estimator::Plain, Schedule::Constant(0.1), 1.0),
        10,
    );
    let run = run(&subject, "soba", &method, 0, COURSE).expect("it suits");
    assert!(
        run.records
            .iter()
            .all(|r| r.value.is_none() && r.gradient_squared.is_none())
    );
    assert_eq!(
        summarise(std::slice::from_ref(&run))[0].unmeasured,
        run.records.len()
    );
    assert!(
        table(&[run])
            .columns
            .iter()
            .any(|c| c == "records without φ")
    );
}
