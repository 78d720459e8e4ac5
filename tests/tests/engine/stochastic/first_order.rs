//! First-order methods on the closed forms.

use autodiff::{Var, objective};
use models::closed_form;
use solvers::sampling::Sampling;
use solvers::{
    Acceleration, Bilevel, Bome, F2sa, Gda, Method, Optimiser, Outer, Pbgd, Pzobo, Schedule,
};

use super::without_value_function::pbgd_free;
use super::{close, exact, noisy, run};

fn pbgd(penalty: f64) -> Pbgd {
    Pbgd {
        first: penalty,
        last: penalty,
        ramp: 0,
        inner: 3,
        u: 0.5.into(),
        y: 0.5.into(),
        x: 0.5.into(),
    }
}

fn f2sa(penalty: f64) -> F2sa {
    F2sa {
        order: 1,
        penalty,
        growth: 0.0,
        inner: 20,
        y: 0.8.into(),
        x: 0.2.into(),
        acceleration: None,
    }
}

/// A penalty α ends at α/(1 + 2α), and y at (1 + αx)/(1 + α).
#[test]
fn penalties_are_biased_as_their_size_says() {
    for (alpha, want) in [
        (1.0, 1.0 / 3.0),
        (2.0, 2.0 / 5.0),
        (4.0, 4.0 / 9.0),
        (8.0, 8.0 / 17.0),
    ] {
        let methods: [&dyn Method<f64>; 2] = [
            &Outer::new(pbgd(alpha), 4000),
            &Outer::new(f2sa(alpha), 400),
        ];
        for method in methods {
            let problem = closed_form::penalty_bias().bilevel;
            let (_, x, y) = run(method, &problem, &[0.0]);
            close(x[0], want, 1e-9);
            close(y[0], (1.0 + alpha * want) / (1.0 + alpha), 1e-9);
        }
    }
}

/// λ times the bias of F2SA tends to ¼: it is λ/(2(1 + 2λ)).
#[test]
fn the_bias_of_f2sa_is_one_over_the_penalty() {
    let biases: Vec<f64> = [4.0, 16.0, 64.0]
        .iter()
        .map(|lambda| {
            let method = Outer::new(f2sa(*lambda), 400);
            let (_, x, _) = run(&method, &exact(), &[0.0]);
            let scaled = lambda * (0.5 - x[0]);
            close(scaled, lambda / (2.0 * (1.0 + 2.0 * lambda)), 1e-7);
            scaled
        })
        .collect();
    assert!(biases.is_sorted() && biases[2] < 0.25 && biases[2] > 0.248);
}

/// A penalty that grows takes the bias with it.
#[test]
fn growing_penalties_approach_the_solution() {
    let ramped = Pbgd {
        last: 200.0,
        ramp: 5000,
        ..pbgd(1.0)
    };
    let grown = F2sa {
        growth: 1.0,
        ..f2sa(1.0)
    };
    let methods: [(&dyn Method<f64>, f64); 2] = [
        (&Outer::new(ramped, 8000), 200.0),
        (&Outer::new(grown, 200), 200.0),
    ];
    for (method, penalty) in methods {
        let (_, x, _) = run(method, &exact(), &[0.0]);
        close(x[0], penalty / (1.0 + 2.0 * penalty), 1e-4);
    }
}

/// Closed forms 1 and 2, whose lower level has many solutions.
#[test]
fn many_lower_solutions() {
    for alpha in [0.5, 1.0, 4.0] {
        // The counter-example has x = y = 1 at every penalty.
        let problem = closed_form::bda_counterexample(1).bilevel;
        let methods: [&dyn Method<f64>; 2] = [
            &Outer::new(pbgd(alpha), 8000),
            &Outer::new(f2sa(alpha), 2000),
        ];
        for method in methods {
            let (_, x, y) = run(method, &problem, &[0.0]);
            close(x[0], 1.0, 1e-7);
            close(y[0], 1.0, 1e-7);
            close(y[1], 1.0, 1e-7);
        }
        // With ½x² in F the penalised optimum is that of the scalar problem: α/(1 + 2α).
        let problem = closed_form::bda_discriminating(1).bilevel;
        let (_, x, y) = run(&Outer::new(pbgd(alpha), 8000), &problem, &[0.0]);
        let want = alpha / (1.0 + 2.0 * alpha);
        close(x[0], want, 1e-7);
        close(y[0], (1.0 + alpha * want) / (1.0 + alpha), 1e-7);
        close(y[1], want, 1e-7);
    }
}

#[test]
fn bome_converges_on_closed_forms() {
    let bome = Bome {
        inner: 10,
        inner_step: 0.5,
        fall: 0.05,
        y: 0.05.into(),
        x: 0.05.into(),
    };
    for (problem, want) in [
        (closed_form::penalty_bias().bilevel, 0.5),
        (closed_form::bda_counterexample(1).bilevel, 1.0),
        (closed_form::bda_discriminating(1).bilevel, 0.5),
    ] {
        let (reports, x, y) = run(&Outer::new(bome, 1800), &problem, &[0.0]);
        assert!((x[0] - want).abs() < 1e-3, "{x:?} {y:?}, expected {want}");
        let last = reports.last().unwrap();
        assert!(last.lower_residual < 1e-3, "{}", last.lower_residual);
    }
}

#[test]
fn oracles_per_step() {
    let count = |method: &dyn Method<f64>| {
        let oracles = run(method, &noisy(), &[0.5]).0.pop().unwrap().oracles;
        assert_eq!(oracles.hvps(), 0);
        (oracles.upper.gradients, oracles.lower.gradients)
    };
    let sampling = Sampling::new(1).batches(2, 3);
    let bome = Bome {
        inner: 4,
        inner_step: 0.5,
        fall: 0.5,
        y: 0.1.into(),
        x: 0.1.into(),
    };
    assert_eq!(
        count(&Outer::new(pbgd(1.0), 7).sampling(sampling)),
        (7, 7 * 5)
    );
    assert_eq!(
        count(&Outer::new(pbgd_free(1.0), 7).sampling(sampling)),
        (7 * 2, 7)
    );
    assert_eq!(
        count(&Outer::new(f2sa(1.0), 7).sampling(sampling)),
        (7 * 21, 7 * 42)
    );
    assert_eq!(count(&Outer::new(bome, 7).sampling(sampling)), (7, 7 * 5));
    // Of order 3 at −1, 0, 1 and 2, of order 2 at ±1.
    for (order, upper, lower) in [(3, 3, 4), (2, 2, 2), (10, 10, 10)] {
        let f2sa = F2sa {
            order,
            ..f2sa(100.0)
        };
        assert_eq!(
            count(&Outer::new(f2sa, 7).sampling(sampling)),
            (7 * 21 * upper, 7 * 21 * lower)
        );
    }
    assert_eq!(
        count(&Outer::new(pzobo(3, 5), 7).sampling(sampling)),
        (7, 7 * 6 * 3)
    );
    let gda = Gda::new(7, Optimiser::GradientDescent { rate: 0.1 })
        .steps(0.1, 0.1)
        .sampling(sampling);
    assert_eq!(count(&gda), (7, 7 * 2));
}

/// The direction of F2SA of this order and penalty on the scalar problem with g = (y − x)², at
/// x = 0.3, where the hypergradient is −0.4.
fn direction(order: usize, penalty: f64) -> f64 {
    let rule = F2sa {
        order,
        penalty,
        growth: 0.0,
        inner: 400,
        y: 0.45.into(),
        x: 1.0.into(),
        acceleration: None,
    };
    let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
    let lower = objective(|x: Var, y: Var| (y - x).norm_squared());
    let problem = Bilevel::new(upper, lower, 1, 1).expect("a valid problem");
    let (reports, x, _) = run(&Outer::new(rule, 1), &problem, &[0.3]);
    close(reports[0].hypergradient_norm, (0.3 - x[0]).abs(), 1e-14);
    0.3 - x[0]
}

/// x + a (x − 1)/(a + ν) of order 1, and x + a² (x − 1)/(a² − ν²) of order 2.
#[test]
fn directions_of_orders_1_and_2_are_those_of_the_closed_form() {
    for nu in [0.1, 0.05, 0.4] {
        let (a, x) = (2.0, 0.3);
        let want = x + a * (x - 1.0) / (a + nu);
        close(direction(1, 1.0 / nu), want, 1e-13);
        let want = x + a * a * (x - 1.0) / (a * a - nu * nu);
        close(direction(2, 1.0 / nu), want, 1e-13);
    }
    close(direction(1, 10.0), -0.366_666_666_666_666_7, 1e-13);
    close(direction(2, 10.0), -0.401_754_385_964_912_3, 1e-13);
}

/// Half of ν divides the bias by 2^p.
#[test]
fn the_bias_of_f2sa_is_of_its_order() {
    for order in [1, 2, 3, 4, 5, 8, 10] {
        let bias = |nu: f64| direction(order, 1.0 / nu) + 0.4;
        let (one, half) = (bias(0.1), bias(0.05));
        let slope = (one / half).log2();
        assert!(
            (slope - order as f64).abs() < 0.2,
            "{order}: {one:e} {half:e}, slope {slope}"
        );
        assert!(one.abs() < 0.04 * 0.2_f64.powi(order as i32 - 1));
    }
}

/// At penalty 0.4, g − 2.5 F has no minimiser: y_−1 goes to where nothing is.
#[test]
fn a_penalty_too_small_for_its_order_is_a_failure() {
    let method = |order| {
        let rule = F2sa { order, ..f2sa(0.4) };
        Outer::new(rule, 400)
    };
    let problem = exact();
    let finish = |order| {
        let run = method(order).begin(&problem, nalgebra::dvector![0.0]);
        run.expect("valid settings").finish()
    };
    assert!(finish(1).is_success());
    for order in [2, 3, 8] {
        assert!(!finish(order).is_success(), "{order}");
    }
    let refused = Method::<f64>::begin(&method(11), &problem, nalgebra::dvector![0.0]);
    let refused = refused.err().expect("refused").to_string();
    assert_eq!(refused, "f2ba:11: order 11: expected 1 to 10");
}

/// Short steps of x: momentum is faster, without it F2BA is as it was, and a small radius restarts it.
#[test]
fn acceleration_is_faster_and_restarts() {
    let rule = F2sa {
        x: 0.005.into(),
        ..f2sa(50.0)
    };
    let end = 50.0 / 101.0;
    let error = |acceleration| {
        let rule = F2sa {
            acceleration,
            ..rule
        };
        let (_, x, _) = run(&Outer::new(rule, 150), &exact(), &[2.0]);
        (x[0] - end).abs()
    };
    let with = |theta, radius| {
        Some(Acceleration {
            theta,
            radius,
            least: 1e-9,
            ..Acceleration::default()
        })
    };
    let plain = error(None);
    assert_eq!(error(with(1.0, 10.0)), plain);
    let accelerated = error(with(0.2, 10.0));
    assert!(accelerated < 0.1 * plain, "{accelerated:e} {plain:e}");
    // A radius that every step leaves: no momentum is left.
    assert_eq!(error(with(0.2, 1e-9)), plain);
}

fn pzobo(inner: usize, directions: usize) -> Pzobo {
    Pzobo {
        inner,
        directions,
        smoothing: 0.1,
        y: Schedule::Constant(0.5),
        x: 0.2.into(),
    }
}

/// y_K is linear in x, so that the mean of the estimates is its derivative, whatever the smoothing:
/// over seeds within five deviations, and no direction is left out.
#[test]
fn directions_of_pzobo_have_the_hypergradient_of_their_steps_as_their_mean() {
    let (steps, q, x) = (3, 4, 2.0);
    let reach = 1.0 - 0.5_f64.powi(steps);
    let y = reach * x;
    // Times Q / (Q + dim_x + 1).
    let want = (x + reach * (y - 1.0)) * q as f64 / (q + 2) as f64;
    for smoothing in [0.1, 1e-4] {
        let rule = Pzobo {
            smoothing,
            ..pzobo(steps as usize, q)
        };
        let moved: Vec<f64> = (0..4000)
            .map(|seed| {
                let method = Outer::new(rule, 1).sampling(Sampling::whole().seeded(seed));
                let (_, end, reached) = run(&method, &exact(), &[x]);
                close(reached[0], y, 1e-14);
                (x - end[0]) / 0.2
            })
            .collect();
        let n = moved.len() as f64;
        let mean = moved.iter().sum::<f64>() / n;
        let square = moved.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / n;
        let deviation = (square / n).sqrt();
        assert!((mean - want).abs() < 5.0 * deviation, "{mean} {want}");
        // ⟨δ, ∇F⟩u is reach (y − 1) u², of variance 2 (reach (y − 1))².
        let spread = reach * (y - 1.0) * q as f64 / (q + 2) as f64 * (2.0 / q as f64).sqrt();
        close(square.sqrt(), spread, 0.1 * spread);
    }
    let (_, end, _) = run(&Outer::new(pzobo(20, 200), 400), &exact(), &[2.0]);
    close(end[0], 0.5, 0.05);
}
