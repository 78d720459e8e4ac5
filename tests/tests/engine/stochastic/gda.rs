//! GDA: its batches, what rotates, and optimisers inside of it.

use autodiff::{Var, objective, sampled};
use solvers::sampling::Sampling;
use solvers::{Bilevel, Gda, Optimiser, Schedule};

use super::{close, exact, run};

/// From u = y, one batch of g for both gradients makes their difference vanish exactly.
#[test]
fn gda_draws_one_batch_of_g_for_both_gradients() {
    let upper = objective(|x: Var, y: Var| 0.0 * (x - y).norm_squared());
    let shift = [0.0, 3.0, -7.0, 11.0];
    let lower = sampled(4, move |x: Var, y: Var, batch: &[usize]| {
        0.5 * (y - x - shift[batch[0]]).norm_squared()
    });
    let problem = Bilevel::sampled(upper, lower, 1, 1).unwrap();
    let gda = Gda::new(50, Optimiser::GradientDescent { rate: 0.1 })
        .penalty(1.0, 1.0)
        .steps(0.1, 0.1)
        .sampling(Sampling::new(3));
    let (_, x, y) = run(&gda, &problem, &[0.25]);
    assert_eq!(x, [0.25], "the penalty's gradient in x is 0 throughout");
    assert!(y[0].abs() > 0.1, "while y moved to {y:?}");
}

/// F = xy, g = −xy from (4, 4): at α = 1, x and u rotate about the saddle point and their norm grows
/// by √(1 + lr²) a step.
#[test]
fn rotation_is_reported() {
    let upper = objective(|x: Var, y: Var| x.dot(y));
    let lower = objective(|x: Var, y: Var| -x.dot(y));
    let problem = Bilevel::new(upper, lower, 1, 1)
        .unwrap()
        .starting_from(nalgebra::dvector![4.0]);
    let (rate, steps) = (0.1_f64, 100);
    let gda = Gda::new(steps, Optimiser::GradientDescent { rate })
        .penalty(1.0, 1.0)
        .steps(rate, rate);
    let (reports, x, y) = run(&gda, &problem, &[4.0]);
    assert_eq!(y, [4.0], "∇_y(F + g) = 0");
    // u turns with x: their common norm is √32 (1 + lr²)^{steps/2}.
    let norm = 32_f64.sqrt() * (1.0 + rate * rate).powf(0.5 * steps as f64);
    assert!(x[0].abs() <= norm * (1.0 + 1e-12));
    let warning = &reports.last().unwrap().warnings;
    assert_eq!(warning.len(), 1, "{warning:?}");
    assert!(warning[0].contains("do not settle") && warning[0].contains("rotate"));

    let settled = Gda::new(4000, Optimiser::GradientDescent { rate: 0.1 })
        .penalty(1.0, 1.0)
        .steps(0.3, 0.3);
    let reports = run(&settled, &exact(), &[2.0]).0;
    assert!(reports.iter().all(|r| r.warnings.is_empty()));
}

/// Each optimiser of u, y and x, under each schedule, ends at the penalty's solution; what they keep
/// goes on from stage to stage.
#[test]
fn optimisers_and_schedules_of_gda() {
    let of = |rate| {
        [
            Optimiser::GradientDescent { rate },
            Optimiser::Momentum {
                rate: 0.2 * rate,
                momentum: 0.8,
            },
            Optimiser::Adagrad { rate },
            Optimiser::Adam { rate: 0.1 * rate },
            Optimiser::AdamW {
                rate: 0.1 * rate,
                decay: 0.0,
            },
        ]
    };
    let schedules = [
        Schedule::Constant(1.0),
        Schedule::Cosine {
            a: 1.0,
            period: 2000,
        },
        Schedule::Geometric {
            a: 1.0,
            decay: 0.998,
        },
    ];
    // x is the slower one: with Adam at one rate for all three it does not arrive in these steps.
    for (optimiser, outer) in of(0.2).into_iter().zip(of(0.04)) {
        for schedule in schedules {
            let gda = Gda::new(6000, outer)
                .stage_iterations(2000)
                .penalty(0.5, 2.0)
                .optimisers(optimiser, optimiser)
                .schedule(schedule)
                .report_every(6000);
            let (_, x, _) = run(&gda, &exact(), &[0.0]);
            // α = 4 in the last stage.
            let error = (x[0] - 4.0 / 9.0).abs();
            assert!(error < 1e-2, "{optimiser:?}, {schedule}: {x:?}");
        }
    }
}

/// Two steps of Adagrad and AdamW, written out.
#[test]
fn adagrad_and_adamw_by_hand() {
    // The direction of x is 3 throughout.
    let upper = objective(|x: Var, y: Var| 3.0 * x.sum() + 0.0 * y.sum());
    let lower = objective(|_: Var, y: Var| 0.5 * y.norm_squared());
    let problem = Bilevel::new(upper, lower, 1, 1).unwrap();
    let end = |optimiser| {
        let gda = Gda::new(2, optimiser).penalty(1.0, 1.0).steps(0.1, 0.1);
        run(&gda, &problem, &[1.0]).1[0]
    };
    let adagrad = end(Optimiser::Adagrad { rate: 0.1 });
    close(adagrad, 1.0 - 0.1 - 0.1 / 2_f64.sqrt(), 1e-9);
    let (rate, decay) = (0.1, 0.5);
    let adamw = end(Optimiser::AdamW { rate, decay });
    let keep = 1.0 - rate * decay;
    close(adamw, (keep - rate) * keep - rate, 1e-8);
}
