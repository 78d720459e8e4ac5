//! IAPTT-GM: loops that end at their worst y, and starts that move.

use std::f64::consts::PI;

use autodiff::unroll::Memory;
use autodiff::{Var, objective};
use models::{Task, closed_form, sine_product};
use nalgebra::{DVector, dvector};
use solvers::{
    Bilevel, Constraint, Descent, Estimate, Iaptt, InnerStep, Itd, Method, Optimiser, Outer,
    Status, Strategy,
};

use super::close;

/// F = ½(y − 1)² + ½x², g = ½a(y − x)² with a = 2, from y = z.
fn quadratic(z: f64) -> Bilevel<f64> {
    closed_form::scalar::<f64>()
        .bilevel
        .starting_from(dvector![z])
}

fn estimate(itd: &Itd, problem: &Bilevel<f64>, x: f64) -> Estimate<f64> {
    itd.hypergradient(problem, &dvector![x], &mut problem.workspace())
        .expect("settings that suit")
}

fn plain(rate: f64) -> Optimiser {
    Optimiser::GradientDescent { rate }
}

/// An iteration of plain steps of x and z of these lengths on loops of `depth` steps, and the state of the
/// run after so many of them.
fn after(
    problem: &Bilevel<f64>,
    itd: Itd,
    rates: (f64, f64),
    x: &[f64],
    iterations: usize,
) -> (DVector<f64>, DVector<f64>) {
    let method = Iaptt::new(itd, plain(rates.0), plain(rates.1), iterations);
    let mut run = method
        .begin(problem, DVector::from_column_slice(x))
        .expect("settings that suit");
    let finish = run.finish();
    assert!(finish.is_success(), "{finish}");
    (run.x().clone(), run.y().clone())
}

/// With r = 1 − sa, y_k = x + rᵏ(z − x): F falls towards y = 1 or rises away from it, so the first or the
/// last step is the worst, and ∂F/∂z = rᵏ (y_k − 1), ∂F/∂x = x + (1 − rᵏ)(y_k − 1).
#[test]
fn the_start_moves_by_the_cotangent_that_arrives_there() {
    let (depth, s, x): (usize, f64, f64) = (6, 0.15, 0.3);
    let r: f64 = 1.0 - 2.0 * s;
    for (z, end) in [(-1.0, 1), (0.9, depth)] {
        let q = r.powi(end as i32);
        let y = x + q * (z - x);
        let found = estimate(&Itd::reverse(depth).step(s).pessimistic(), &quadratic(z), x);
        assert_eq!(
            (found.lower_iterations, &found.status),
            (end, &Status::Unrolled)
        );
        close(found.y[0], y, 1e-15);
        close(found.hypergradient[0], x + (1.0 - q) * (y - 1.0), 1e-15);

        let (rate, start_rate) = (1e-3, 2e-3);
        let itd = Itd::reverse(depth).step(s);
        let (_, second) = after(&quadratic(z), itd, (rate, start_rate), &[x], 2);
        let moved = x - rate * (x + (1.0 - q) * (y - 1.0));
        let start = z - start_rate * q * (y - 1.0);
        close(second[0], moved + q * (start - moved), 1e-15);
    }
}

/// F = y on y_k = (−½)ᵏ: the second of the steps is the worst, neither the first nor the last.
fn alternating() -> Bilevel<f64> {
    let upper = objective(|x: Var, y: Var| y.sum() + x.sum());
    let lower = objective(|_: Var, y: Var| 0.5 * y.norm_squared());
    let problem = Bilevel::new(upper, lower, 1, 1).expect("a valid problem");
    problem.starting_from(dvector![1.0])
}

#[test]
fn the_worst_of_the_steps_is_the_end_whatever_is_kept() {
    let want = estimate(&Itd::reverse(2).step(1.5), &alternating(), 0.3);
    let itd = Itd::reverse(7).step(1.5).pessimistic();
    for memory in [
        Memory::Stored,
        Memory::Taped,
        Memory::Checkpointed { slots: 2 },
        Memory::Online { slots: 2 },
        Memory::Disk { slots: 2 },
    ] {
        let found = estimate(&itd.clone().memory(memory), &alternating(), 0.3);
        assert_eq!(found.lower_iterations, 2, "{memory}");
        assert_eq!(found.linear_iterations, 2, "{memory}");
        assert_eq!(found.y[0], 0.25, "{memory}");
        assert_eq!(found.hypergradient, want.hypergradient, "{memory}");
    }
    let itd = |depth| {
        Itd::reverse(depth)
            .step(1.5)
            .inner(InnerStep::Momentum(0.3))
    };
    let value = |depth| estimate(&itd(depth), &alternating(), 0.3).upper;
    let values: Vec<f64> = (1..=7).map(value).collect();
    let found = estimate(&itd(7).pessimistic(), &alternating(), 0.3);
    let worst = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    assert_eq!(found.upper, worst);
}

/// Sweeps of (F, g): values beside those of gradients, gradients, products.
fn sweeps(found: &Estimate<f64>) -> [[usize; 3]; 2] {
    let of_each = [found.oracles.upper, found.oracles.lower];
    of_each.map(|s| [s.values - s.gradients, s.gradients, s.hvps])
}

#[test]
fn it_takes_what_the_page_says() {
    let depth = 7;
    let itd = Itd::reverse(depth).step(1.5).pessimistic();
    // Both ends, the loop, the steps to the worst again, and the way back.
    let found = estimate(&itd, &alternating(), 0.3);
    assert_eq!(sweeps(&found), [[depth, 1, 0], [0, 2 + depth + 2 + 2, 2]]);
    // The last is the worst: nothing is run again.
    let itd = Itd::reverse(depth).step(0.15).pessimistic();
    let found = estimate(&itd, &quadratic(0.9), 0.3);
    assert_eq!(
        sweeps(&found),
        [[depth, 1, 0], [0, 2 + depth + depth, depth]]
    );
    let peak = Strategy::<f64>::predicted_peak_bytes(&itd, &quadratic(0.9));
    assert_eq!(found.bytes.peak, peak);
    // Of the method, iteration by iteration.
    let method = Iaptt::new(Itd::reverse(depth).step(0.15), plain(1e-3), plain(1e-3), 3);
    let problem = quadratic(0.9);
    let mut run = method.begin(&problem, dvector![0.3]).expect("it suits");
    let last = run.finish().last.expect("an iteration").oracles;
    assert_eq!(last.upper.gradients, 3);
    assert_eq!(
        (last.lower.gradients, last.lower.hvps),
        (3 * (2 + 2 * depth), 3 * depth)
    );
}

/// F = x + xy, g = −sin(xy) from x = 1, y = 2, with x in [1, 10] and y in [−2, 2].
fn follower(x: f64, y: f64) -> Task<f64> {
    let task = sine_product::<f64>();
    let (low, high) = (-2.0, 2.0);
    let inside = Constraint::Box { low, high };
    let bilevel = task.bilevel.with_part(inside.into()).expect("a valid part");
    Task {
        bilevel: bilevel.starting_from(dvector![y]),
        x: dvector![x],
        ..task
    }
}

/// Where a run ends, and whether every iteration was a success.
fn ended(method: &dyn Method<f64>, task: &Task<f64>) -> (f64, f64, bool) {
    let mut run = method
        .begin(&task.bilevel, task.x.clone())
        .expect("it suits");
    let good = run.finish().is_success();
    (run.x()[0], run.y()[0], good)
}

/// The example of the paper, whose solution is x = 11π/4, y = −2: loops of forty short steps come to it
/// from starts on other branches, where plain unrolling stays at a bound of x.
#[test]
fn the_solution_of_a_follower_that_is_not_convex() {
    let (itd, rate) = (Itd::reverse(40).step(5e-4), plain(0.01));
    for (x, y) in [(1.0, 2.0), (3.0, 1.0), (8.0, 0.0)] {
        let task = follower(x, y);
        let moving = Iaptt::new(itd.clone(), rate, rate, 4000).bounds(1.0, 10.0);
        let (x, y, good) = ended(&moving, &task);
        assert!(good);
        close(x, 2.75 * PI, 0.05);
        close(y, -2.0, 0.02);
        let descent = Descent::new(itd.clone(), rate, 4000).bounds(1.0, 10.0);
        let (x, y, _) = ended(&descent, &task);
        close(x, 1.0, 1e-12);
        assert!(x + x * y > 0.9, "{x} {y}");
    }
}

#[test]
fn the_best_of_many_lower_solutions() {
    let problem = closed_form::bda_counterexample::<f64>(2).bilevel;
    let itd = Itd::reverse(30).step(0.5);
    let (x, y) = after(&problem, itd, (0.5, 0.5), &[0.0, 3.0], 300);
    for entry in x.iter().chain(&y) {
        close(*entry, 1.0, 1e-6);
    }
}

/// A start outside of the set would have no derivative; it is projected, and moves from there.
#[test]
fn the_start_stays_in_the_set_of_y() {
    let upper = objective(|x: Var, y: Var| 0.5 * (y + 2.0).norm_squared() + x.norm_squared());
    let lower = objective(|_: Var, y: Var| 0.0 * y.norm_squared());
    let problem = Bilevel::new(upper, lower, 1, 1).expect("a valid problem");
    let inside = Constraint::Box {
        low: -1.0,
        high: 1.0,
    };
    let problem = problem.with_part(inside.into()).expect("a valid part");
    let problem = problem.starting_from(dvector![7.0]);
    let itd = Itd::reverse(3).step(0.1);
    let (_, y) = after(&problem, itd.clone(), (0.1, 0.1), &[0.5], 2);
    assert_eq!(y[0], 1.0);
    let (_, y) = after(&problem, itd, (0.1, 0.1), &[0.5], 80);
    assert_eq!(y[0], -1.0);
}

#[test]
fn an_f_that_is_no_number_on_the_way_is_told() {
    let upper = objective(|x: Var, y: Var| y.ln().sum() + x.sum());
    let lower = objective(|_: Var, y: Var| 0.5 * y.norm_squared());
    let problem = Bilevel::new(upper, lower, 1, 1).expect("a valid problem");
    let problem = problem.starting_from(dvector![1.0]);
    // y is −½, ¼, …: F is none after the first step alone.
    let found = estimate(&Itd::reverse(2).step(1.5).pessimistic(), &problem, 0.3);
    let Status::NonFinite { place } = &found.status else {
        panic!("{}", found.status);
    };
    assert!(place.contains("`ln`"), "{place}");
}

/// From where g is curved downwards both its gradient and the cotangent grow on the way down, and nothing
/// is wrong; where g itself grows the steps are too long.
#[test]
fn a_way_down_from_a_maximum_is_no_divergence() {
    let upper = objective(|x: Var, y: Var| y.sum() + x.sum());
    let lower = objective(|_: Var, y: Var| -y.cos().sum());
    let problem = Bilevel::new(upper, lower, 1, 1).expect("a valid problem");
    let problem = problem.starting_from(dvector![PI + 0.1]);
    let found = estimate(&Itd::reverse(5).step(0.3).pessimistic(), &problem, 0.0);
    assert_eq!(found.lower_iterations, 5);
    assert_eq!(found.status, Status::Unrolled);
    let warned = found
        .warnings
        .iter()
        .any(|w| w.contains("F is largest after 5"));
    assert!(warned, "{:?}", found.warnings);
    let away = estimate(
        &Itd::reverse(6).step(1.5).pessimistic(),
        &quadratic(3.0),
        0.3,
    );
    assert!(
        matches!(away.status, Status::LowerDiverged { .. }),
        "{away}"
    );
}

/// Why a method is not begun.
fn refused(method: &dyn Method<f64>, problem: &Bilevel<f64>) -> String {
    let begun = method.begin(problem, dvector![0.3]).map(|_| ());
    begun.expect_err("it is refused").to_string()
}

#[test]
fn what_has_no_start_to_move_is_refused() {
    let of = |itd: Itd| -> Outer<Iaptt> { Iaptt::new(itd, plain(0.1), plain(0.1), 5) };
    let learned = closed_form::scalar::<f64>().bilevel.starting_at(|x: Var| x);
    let upper = || objective(|x: Var, y: Var| y.sum() + x.sum());
    let map = Bilevel::fixed_point(upper(), |x: Var, y: Var| 0.5 * y + x, 1, 1);
    let map = map.expect("a valid problem");
    for (itd, problem, words) in [
        (Itd::reverse(5), &learned, "starts from a function of x"),
        (Itd::reverse(5), &map, "equation of a map"),
        (Itd::reverse(0), &quadratic(0.0), "depth 0"),
        (
            Itd::reverse(5).tolerance(0.1),
            &quadratic(0.0),
            "tolerance 0.1: expected none",
        ),
        (
            Itd::reverse(5).memory(Memory::Forward),
            &quadratic(0.0),
            "memory forward: expected one that is pulled back",
        ),
        (
            Itd::reverse(5).memory(Memory::Truncated { steps: 2 }),
            &quadratic(0.0),
            "memory truncated:2: expected one that is pulled back",
        ),
    ] {
        let line = refused(&of(itd), problem);
        assert!(
            line.starts_with("iaptt: ") && line.contains(words),
            "{line}"
        );
    }
    let start = Iaptt::new(Itd::reverse(5), plain(0.1), plain(-1.0), 5);
    let line = refused(&start, &quadratic(0.0));
    assert!(line.contains("the start: rate -1: expected"), "{line}");
}
