//! ISGD: the floor of a fixed accuracy, its counts, and what it refuses.

use models::tv_denoising;
use nalgebra::DVector;
use solvers::sampling::{DrawRule, Sampling};
use solvers::{Isgd, Optimiser, Schedule};

use super::{exact, named, refusal, run};

/// The distance from the solution at the end, on the whole upper objective with steps that do not
/// fall: what is left is the bias of the accuracy.
fn left_over(accuracy: Schedule) -> f64 {
    let problem = named("quadratic");
    let known = problem.known.clone().expect("a closed form");
    let isgd = Isgd::new(800, 1.0)
        .step(Schedule::Constant(0.05))
        .accuracy(accuracy)
        .sampling(Sampling::whole());
    let start = DVector::from_element(5, 2.0);
    let (_, points) = run(&isgd, &problem.bilevel, &start);
    (points.last().expect("a point") - known.solution).norm()
}

#[test]
fn a_fixed_accuracy_leaves_a_floor_that_falls_with_it_and_a_schedule_none() {
    let floors = [1e-1, 1e-3, 1e-5].map(|e| left_over(Schedule::Constant(e)));
    for pair in floors.windows(2) {
        assert!(pair[1] < 0.1 * pair[0], "{floors:?}");
    }
    assert!(floors[2] > 1e-8, "{floors:?}");
    let none = left_over(Schedule::Geometric { a: 0.1, decay: 0.9 });
    assert!(none < 1e-3 * floors[2], "{none:e}, {floors:?}");
    // 0.1 · 800^−2 = 1.6e-7
    let power = left_over(Schedule::Power { a: 0.1, q: 2.0 });
    assert!(power < floors[2], "{power:e}, {floors:?}");
}

#[test]
fn images_are_denoised_better_batch_by_batch() {
    let problem = tv_denoising(3, 10, 0);
    let psnr = &problem.metrics[0];
    // Well above the best weight: e⁻¹ smooths too much.
    let start = DVector::from_vec(vec![-1.0, -3.0]);
    let before = exact(&problem.bilevel, &start);
    let plain = Optimiser::GradientDescent { rate: 0.3 };
    for optimiser in [plain, Optimiser::Adam { rate: 0.3 }] {
        let isgd = Isgd::new(60, 1.0)
            .step(Schedule::Power { a: 1.0, q: 0.6 })
            .optimiser(optimiser)
            .sampling(Sampling::new(3).rule(DrawRule::Epochs));
        let (reports, points) = run(&isgd, &problem.bilevel, &start);
        let end = points.last().expect("a point");
        let after = exact(&problem.bilevel, end);
        assert!(after.0 < 0.8 * before.0, "{} of {}", after.0, before.0);
        assert!((psnr.measure)(end, &after.2) > (psnr.measure)(&start, &before.2) + 1.0);
        for report in &reports {
            let certificate = report.certificate.expect("of the batch's own lower levels");
            let accuracy = report.accuracy.expect("known");
            assert!(certificate.lower_error <= accuracy * (1.0 + 1e-9));
            assert!(certificate.linear_residual <= accuracy * (1.0 + 1e-9));
        }
    }
}

#[test]
fn single_samples_cost_a_share_of_all_of_them() {
    let problem = tv_denoising(3, 8, 0);
    let count = |batch: usize| {
        let sampling = Sampling::new(0).batches(batch, 1).rule(DrawRule::Epochs);
        let isgd = Isgd::new(1, 1.0).sampling(sampling);
        let (reports, _) = run(&isgd, &problem.bilevel, &problem.x);
        reports[0].oracles.upper.gradients
    };
    assert_eq!((count(1), count(2), count(3)), (1, 2, 3));
}

#[test]
fn one_lower_level_for_all_samples_is_solved_as_a_whole() {
    let problem = named("logistic");
    let isgd = Isgd::new(30, 1.0).sampling(Sampling::new(1).batches(32, 1));
    let isgd = isgd.optimiser(Optimiser::Adam { rate: 0.1 });
    let (reports, points) = run(&isgd, &problem.bilevel, &problem.x);
    let end = exact(&problem.bilevel, points.last().expect("a point"));
    assert!(end.0 < exact(&problem.bilevel, &points[0]).0);
    // The constants of all samples say nothing of a batch.
    assert!(reports.iter().all(|r| r.certificate.is_none()));
}

#[test]
fn steps_that_lead_nowhere_are_refused() {
    let problem = named("scalar");
    let power = |q| Schedule::Power { a: 1.0, q };
    let log = |q| Schedule::PowerLog { a: 1.0, q };
    for (step, word) in [
        (power(0.5), "q in (0.5, 1]"),
        (power(1.1), "such as 1,"),
        (log(0.4), "such as 0.5"),
        (Schedule::InverseRoot { a: 1.0 }, "power-log:A:0.5"),
        (Schedule::Geometric { a: 1.0, decay: 0.9 }, "finite sum"),
    ] {
        let said = refusal(&Isgd::new(5, 1.0).step(step), &problem.bilevel);
        assert!(said.contains(word), "{said}");
    }
    let batch = Isgd::new(5, 1.0).sampling(Sampling::new(0).batches(2, 1));
    assert!(refusal(&batch, &problem.bilevel).contains("has 1 sample"));
    for step in [power(0.51), power(1.0), log(0.5), log(1.0)] {
        let isgd = Isgd::new(3, 1.0).step(step);
        let start = DVector::from_element(1, 0.3);
        assert_eq!(run(&isgd, &problem.bilevel, &start).0.len(), 3);
    }
}
