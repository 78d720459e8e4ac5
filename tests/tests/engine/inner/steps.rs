//! Each kind of step under every memory policy, and against what it is by definition.

use autodiff::unroll::Memory;
use nalgebra::{DMatrix, DVector, dvector};
use solvers::{Constraint, InnerStep, Itd, RmsProp, Strategy};

use crate::inner::{beside, close, curved, kinds, point, quadratic, run, soft};

/// Steps of a fixed length: one found anew at each x would be part of the map.
fn unrolled(inner: InnerStep, depth: usize) -> Itd {
    match inner {
        // Its eps_root is found from the curvature too.
        InnerStep::Adam { rate } => Itd::reverse(depth).inner(InnerStep::AdamWith {
            rate,
            eps: 1e-8,
            eps_root: Some(0.01),
        }),
        // A rate of its own.
        InnerStep::Own(_) => Itd::reverse(depth).inner(inner),
        _ => Itd::reverse(depth).inner(inner).step(0.2),
    }
}

#[test]
fn every_memory_policy_gives_the_same_bits() {
    for (inner, part) in kinds() {
        for n in [1, 4] {
            let (problem, x) = (beside(curved(n), part), point(n));
            let itd = unrolled(inner.clone(), 9);
            let stored = run(&problem, &itd, &x);
            assert!(
                stored.hypergradient.iter().all(|v| v.is_finite()),
                "{inner}"
            );
            for memory in [
                Memory::Taped,
                Memory::Checkpointed { slots: 2 },
                Memory::Online { slots: 3 },
                Memory::Truncated { steps: 9 },
            ] {
                let other = run(&problem, &itd.clone().memory(memory), &x);
                assert_eq!(
                    other.hypergradient, stored.hypergradient,
                    "{inner} {part:?} {memory}"
                );
            }
        }
    }
}

#[test]
fn reverse_mode_is_forward_mode() {
    for (inner, part) in kinds() {
        for depth in [1, 2, 9] {
            let (problem, x) = (beside(curved(4), part), point(4));
            let itd = unrolled(inner.clone(), depth);
            let forward = run(&problem, &itd.clone().memory(Memory::Forward), &x);
            close(
                &run(&problem, &itd, &x).hypergradient,
                &forward.hypergradient,
                1e-12,
            );
        }
    }
}

#[test]
fn each_step_differentiates_its_own_map() {
    for (inner, part) in kinds() {
        let (problem, x) = (beside(curved(3), part), point(3));
        let itd = unrolled(inner.clone(), 6);
        let h = run(&problem, &itd, &x).hypergradient;
        let value = |x: &DVector<f64>| run(&problem, &itd, x).upper;
        for i in 0..3 {
            let mut e = DVector::zeros(3);
            e[i] = 1e-5;
            let slope = (value(&(&x + &e)) - value(&(&x - &e))) / 2e-5;
            assert!((h[i] - slope).abs() < 2e-8, "{inner}: {} and {slope}", h[i]);
        }
    }
}

#[test]
fn a_truncated_sweep_is_biased() {
    // Not a policy that keeps less for the same answer: the bits above are not so by accident.
    for (inner, part) in kinds() {
        let (problem, x) = (beside(curved(3), part), point(3));
        let itd = unrolled(inner.clone(), 9);
        let full = run(&problem, &itd, &x).hypergradient;
        let cut = run(&problem, &itd.memory(Memory::Truncated { steps: 2 }), &x).hypergradient;
        assert!((full - cut).norm() > 1e-6, "{inner}");
    }
}

#[test]
fn adam_moves_as_its_authors_say() {
    // g = ½a(y − x)², written out with the root of v̂ alone: a tiny eps_root is all that is between
    // them.
    let (a, x, c) = (2.0, 0.3, 1.0);
    let problem = quadratic(&DMatrix::from_element(1, 1, a), &[c]);
    let (mut y, mut m, mut v) = (0.0, 0.0, 0.0);
    for t in 1..=12 {
        let d: f64 = a * (y - x);
        m = 0.9 * m + 0.1 * d;
        v = 0.999 * v + 0.001 * d * d;
        let (first, second) = (m / (1.0 - 0.9f64.powi(t)), v / (1.0 - 0.999f64.powi(t)));
        y -= 0.05 * first / (second.sqrt() + 1e-8);
    }
    let plain = InnerStep::AdamWith {
        rate: 0.05,
        eps: 1e-8,
        eps_root: Some(1e-16),
    };
    let itd = Itd::reverse(12).inner(plain);
    let estimate = run(&problem, &itd, &dvector![x]);
    assert!(
        (estimate.y[0] - y).abs() < 1e-7,
        "{} and {y}",
        estimate.y[0]
    );
    assert_eq!(estimate.step, Some(0.05));
}

#[test]
fn rms_prop_divides_by_the_root_of_a_running_mean() {
    let (a, x, c) = (2.0, 0.3, 1.0);
    let problem = quadratic(&DMatrix::from_element(1, 1, a), &[c]);
    let after = |eps_root: f64| {
        // y and dy/dx, by hand.
        let (mut y, mut v, mut dy, mut dv) = (0.0f64, 0.0f64, 0.0f64, 0.0f64);
        for _ in 0..12 {
            let (d, dd) = (a * (y - x), a * (dy - 1.0));
            (v, dv) = (0.9 * v + 0.1 * d * d, 0.9 * dv + 0.2 * d * dd);
            let root = (v + eps_root).sqrt();
            y -= 0.05 * d / root;
            dy -= 0.05 * (dd / root - 0.5 * d * dv / root.powi(3));
        }
        (y, dy)
    };
    for eps_root in [1e-2, 1e-6] {
        let rule = RmsProp::new(0.05).decay(0.9).eps_root(eps_root);
        let itd = Itd::reverse(12).inner(InnerStep::own(rule));
        let estimate = run(&problem, &itd, &dvector![x]);
        let (y, dy) = after(eps_root);
        assert!((estimate.y[0] - y).abs() < 1e-13, "{estimate}");
        // F = ½‖y − c‖² + ½‖x‖².
        let want = x + (y - c) * dy;
        assert!(
            (estimate.hypergradient[0] - want).abs() < 1e-12,
            "{estimate}, by hand {want}"
        );
        assert_eq!(estimate.step, Some(0.05));
    }
}

#[test]
fn adam_is_finite_where_an_entry_never_moves() {
    use autodiff::{Var, objective};
    let lower = objective(|x: Var, y: Var| 0.5 * (y.at(0) - x).square() + 0.0 * y.at(1).square());
    let upper = objective(|_: Var, y: Var| (y - 1.0).norm_squared());
    let problem = solvers::Bilevel::new(upper, lower, 1, 2).expect("valid");
    for memory in [Memory::Stored, Memory::Taped, Memory::Forward] {
        let itd = Itd::reverse(20).inner(InnerStep::Adam { rate: 0.1 });
        let estimate = run(&problem, &itd.memory(memory), &dvector![1.0]);
        assert!(estimate.hypergradient[0].is_finite(), "{estimate}");
        assert_eq!(estimate.y[1], 0.0);
    }
}

/// Of F = ½‖y − 1‖² and g = ½c(y − x)², with one entry that starts at its solution: dy/dx is from 0
/// to 1 there as it is for one that moves, in every unit of g.
#[test]
fn adam_differentiates_well_through_zero_gradients() {
    use autodiff::{Var, objective};
    for c in [1e-8, 1.0, 1e8] {
        // A value that does not cancel at the solution.
        let lower = objective(move |x: Var, y: Var| c * (0.5 * (y - x).norm_squared() + 1.0));
        let upper = objective(|_: Var, y: Var| 0.5 * (y - 1.0).norm_squared());
        let problem = solvers::Bilevel::new(upper, lower, 2, 2).expect("valid");
        for rate in [0.01, 0.05, 0.5] {
            for depth in [2, 10, 50, 300] {
                let itd = Itd::reverse(depth).inner(InnerStep::Adam { rate });
                let h = run(&problem, &itd, &dvector![0.3, 0.0]).hypergradient;
                let at = format!("c = {c}, rate {rate}, {depth} steps: {h}");
                assert!((-2.0..=0.0).contains(&h[1]), "{at}");
                assert!(depth < 300 || (h[1] + 1.0).abs() < 1e-3, "{at}");
            }
        }
    }
}

/// g times a constant: the same loop.
#[test]
fn adam_scales_with_the_lower_level() {
    use autodiff::{Var, objective};
    let a = DMatrix::from_row_slice(2, 2, &[2.0, 0.3, 0.3, 0.5]);
    let x = dvector![0.3, -0.8];
    let of = |c: f64| {
        let a = a.clone();
        let lower = objective(move |x: Var, y: Var| {
            let d = y - x;
            (0.5 * d.dot(&a * d) + 1.0) * c
        });
        let upper = objective(|_: Var, y: Var| 0.5 * (y - 1.0).norm_squared());
        let problem = solvers::Bilevel::new(upper, lower, 2, 2).expect("valid");
        run(
            &problem,
            &Itd::reverse(15).inner(InnerStep::Adam { rate: 0.1 }),
            &x,
        )
    };
    let want = of(1.0);
    for c in [1e-10, 1e10] {
        close(&of(c).y, &want.y, 1e-6);
        close(&of(c).hypergradient, &want.hypergradient, 1e-6);
    }
}

#[test]
fn fista_keeps_its_rate() {
    // Φ(y_k) − Φ* ≤ 2‖y₀ − y*‖²/(s (k+1)²), where plain proximal steps are still far away.
    let n = 40;
    let a = DMatrix::from_fn(n, n, |i, j| match i.abs_diff(j) {
        0 => 0.5 + 1e-4,
        1 => -0.25,
        _ => 0.0,
    });
    let problem = beside(quadratic(&a, &vec![0.0; n]), Some(soft(1e-3)));
    let x = DVector::from_element(n, 1.0);
    let level = |y: &DVector<f64>| {
        let d = y - &x;
        0.5 * d.dot(&(&a * &d)) + 1e-3 * y.lp_norm(1)
    };
    let best = run(
        &problem,
        &Itd::reverse(20_000).inner(InnerStep::Fista).step(1.0),
        &x,
    )
    .y;
    let mut ahead = 0;
    for k in [1usize, 5, 20, 80, 200] {
        let after = |inner| level(&run(&problem, &Itd::reverse(k).inner(inner).step(1.0), &x).y);
        let (fast, slow) = (after(InnerStep::Fista), after(InnerStep::GradientDescent));
        let bound = 2.0 * best.norm_squared() / ((k + 1) * (k + 1)) as f64;
        assert!(fast - level(&best) <= bound, "{k}: {fast}");
        ahead += usize::from(fast < slow);
    }
    assert!(ahead >= 3, "{ahead}");
}

#[test]
fn the_first_fista_step_is_a_proximal_step() {
    for h in [soft(0.4), Constraint::Simplex.into()] {
        let (problem, x) = (beside(curved(3), Some(h)), point(3));
        let one = |inner| run(&problem, &unrolled(inner, 1), &x);
        let (a, b) = (one(InnerStep::Fista), one(InnerStep::GradientDescent));
        close(&a.y, &b.y, 0.0);
        close(&a.hypergradient, &b.hypergradient, 1e-15);
    }
}

#[test]
fn settings_are_refused_with_the_nearest_that_is_valid() {
    let adam = Itd::reverse(3).inner(InnerStep::Adam { rate: 0.1 });
    for (itd, part) in [
        (adam.clone().step(0.5), "expected the rate alone, adam:0.5"),
        (
            Itd::reverse(3).inner(InnerStep::Adam { rate: -1.0 }),
            "rate -1: expected a positive",
        ),
        (
            Itd::reverse(3).inner(InnerStep::Nesterov(1.0)),
            "momentum 1: expected a number in [0, 1)",
        ),
        (
            adam.memory(Memory::Reversible),
            "steps of adam:0.1 cannot be undone",
        ),
        (
            Itd::reverse(3).tolerance(0.0),
            "tolerance 0: expected a positive number",
        ),
        (
            Itd::reverse(3).tolerance(f64::NAN),
            "tolerance NaN: expected",
        ),
    ] {
        let error = Strategy::<f64>::validate(&itd).expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
    }
}
