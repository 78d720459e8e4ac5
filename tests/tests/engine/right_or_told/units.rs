//! The units of g, F, x and y change the length of a step as theory says, and no status.

use autodiff::{Var, objective};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use solvers::{
    Aid, AidStep, Bda, Bilevel, Constraint, Estimate, FixedPart, InnerStep, Itd, StepLength,
    solve_lower,
};

use crate::right_or_told::run;

/// x = x̂ · `x`, y = ŷ · `y`, and what is computed is g · `g` and F · `f` of x̂ and ŷ.
#[derive(Clone, Copy, Debug)]
struct Units {
    g: f64,
    f: f64,
    x: f64,
    y: f64,
}

const ONE: Units = Units {
    g: 1.0,
    f: 1.0,
    x: 1.0,
    y: 1.0,
};

/// A convex lower level, curved between 1 and some 10, that is no quadratic.
#[derive(Clone, Debug)]
struct Level {
    a: DMatrix<f64>,
    x: DVector<f64>,
    start: DVector<f64>,
}

impl Level {
    fn problem(&self, units: Units, part: Option<FixedPart>) -> Bilevel<f64> {
        let n = self.x.len();
        let a = self.a.clone();
        let lower = objective(move |x: Var, y: Var| {
            let (x, y) = (x * units.x, y * units.y);
            let root = ((y - x).square() + 1.0).sqrt().sum();
            units.g * (0.5 * (&a * y - 1.0).norm_squared() + 0.5 * (y - x).norm_squared() + root)
        });
        let upper = objective(move |x: Var, y: Var| {
            let (x, y) = (x * units.x, y * units.y);
            units.f * (0.5 * (y - 0.7).norm_squared() + 0.1 * x.dot(y))
        });
        let problem = Bilevel::new(upper, lower, n, n).expect("a valid problem");
        let problem = problem.starting_from(&self.start / units.y);
        match part {
            Some(part) => problem.with_part(part.into()).expect("a valid part"),
            None => problem,
        }
    }

    fn estimate(&self, units: Units, strategy: &dyn solvers::Strategy<f64>) -> Estimate<f64> {
        self.beside(units, None, strategy)
    }

    /// Beside this part, in its units.
    fn beside(
        &self,
        units: Units,
        part: Option<FixedPart>,
        strategy: &dyn solvers::Strategy<f64>,
    ) -> Estimate<f64> {
        let x = &self.x / units.x;
        run(&self.problem(units, part), strategy, x.as_slice())
    }
}

fn level() -> impl Strategy<Value = Level> {
    (1..5usize).prop_flat_map(|n| {
        let entries = |many| prop::collection::vec(-1.0..1.0f64, many);
        (entries(n * n), entries(n), entries(n)).prop_map(move |(a, x, start)| Level {
            a: DMatrix::from_vec(n, n, a),
            x: DVector::from_vec(x),
            start: DVector::from_vec(start),
        })
    })
}

/// One unit alone, or all of them together.
fn units() -> impl Strategy<Value = Units> {
    let power = |most: f64| (-most..most).prop_map(|e| 10f64.powf(e));
    prop_oneof![
        power(12.0).prop_map(|g| Units { g, ..ONE }),
        power(12.0).prop_map(|f| Units { f, ..ONE }),
        power(6.0).prop_map(|x| Units { x, ..ONE }),
        power(6.0).prop_map(|y| Units { y, ..ONE }),
        (power(12.0), power(12.0), power(6.0), power(6.0)).prop_map(|(g, f, x, y)| Units {
            g,
            f,
            x,
            y
        }),
    ]
}

/// The same steps and parts in these units: bounds are in those of y, weights in those of g over y.
fn kinds(units: Units) -> Vec<(InnerStep, Option<FixedPart>)> {
    let cube = Constraint::Box {
        low: -0.2 / units.y,
        high: 0.4 / units.y,
    };
    let ball = Constraint::Ball {
        radius: 0.5 / units.y,
    };
    let l1 = FixedPart::L1 {
        weight: 0.3 * units.g * units.y,
    };
    vec![
        (InnerStep::GradientDescent, None),
        (InnerStep::Momentum(0.5), None),
        (InnerStep::Nesterov(0.5), None),
        (InnerStep::Fista, None),
        (InnerStep::GradientDescent, Some(cube.into())),
        (InnerStep::GradientDescent, Some(ball.into())),
        (InnerStep::GradientDescent, Some(l1)),
        (InnerStep::Fista, Some(cube.into())),
        (InnerStep::Fista, Some(l1)),
    ]
}

/// Whether two estimates are of one computation, in other units; h and y to a `part` of their size.
fn same(what: InnerStep, units: Units, base: &Estimate<f64>, other: &Estimate<f64>, part: f64) {
    let context = || format!("{units:?}, {what}\n{base}\n{other}");
    let success = |e: &Estimate<f64>| e.status.is_success();
    assert_eq!(success(base), success(other), "{}", context());
    if !success(base) {
        return;
    }
    assert_eq!(base.status.code(), other.status.code(), "{}", context());
    let warned = |e: &Estimate<f64>| !e.warnings.is_empty();
    assert_eq!(warned(base), warned(other), "{}", context());
    let h = &other.hypergradient / (units.f * units.x);
    let off = (&h - &base.hypergradient).norm();
    // It is a difference of parts of about size 1: where they cancel y is no nearer for that.
    let size = base.hypergradient.norm().max(1e-2);
    assert!(off <= part * size, "{off:e}: {}", context());
    let off = (&other.y * units.y - &base.y).norm();
    // Where y is next to 0 a distance is a part of less than that.
    let size = base.y.norm().max(1e-3);
    assert!(off <= part * size, "{off:e}: {}", context());
    if let (Some(length), Some(want)) = (other.step, base.step) {
        let length = length * units.g * units.y * units.y;
        assert!(
            (length - want).abs() <= 1e-6 * want,
            "{length:e}: {}",
            context()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn loops_do_not_know_the_units(level in level(), units in units(), depth in 1..60usize) {
        for ((inner, one), (_, other)) in kinds(ONE).into_iter().zip(kinds(units)) {
            let itd = Itd::reverse(depth).inner(inner.clone());
            let base = level.beside(ONE, one, &itd);
            same(inner.clone(), units, &base, &level.beside(units, other, &itd), 1e-6);
            if !matches!(one, Some(FixedPart::L1 { .. })) {
                let bda = Bda::new(depth).inner(inner.clone());
                let base = level.beside(ONE, one, &bda);
                same(inner, units, &base, &level.beside(units, other, &bda), 1e-6);
            }
        }
        let steps = Aid::cg().lower_steps(depth, StepLength::Auto);
        let base = level.estimate(ONE, &steps);
        same(InnerStep::GradientDescent, units, &base, &level.estimate(units, &steps), 1e-6);
    }

    #[test]
    fn solutions_do_not_know_the_units(level in level(), units in units()) {
        for ((inner, one), (_, other)) in kinds(ONE).into_iter().zip(kinds(units)) {
            let aid = AidStep::new(inner.clone());
            let base = level.beside(ONE, one, &aid);
            // Each ends within 1e-6 of the fixed point.
            same(inner, units, &base, &level.beside(units, other, &aid), 1e-5);
        }
        let solved = |units: Units| {
            solve_lower(&level.problem(units, None), &(&level.x / units.x), 1e-10)
        };
        let (base, other) = (solved(ONE), solved(units));
        prop_assert!(base.status.is_success() && other.status.is_success(), "{base:?}\n{other:?}");
        let off = (&other.y * units.y - &base.y).norm();
        prop_assert!(off <= 1e-6 * base.y.norm().max(1e-3), "{off:e} of {base:?}\n{other:?}");
    }
}

/// Accelerated steps bear less than 4/3 over the curvature, and it grows on the way to 0 here, from
/// about 1.4 to 2.
#[test]
fn accelerated_steps_settle_where_the_curvature_grows() {
    let level = |start: f64| Level {
        a: DMatrix::zeros(1, 1),
        x: DVector::zeros(1),
        start: DVector::from_element(1, start),
    };
    for start in [0.6, 0.8, 0.95, 1.1, 2.0] {
        for inner in [
            InnerStep::Fista,
            InnerStep::Nesterov(0.9),
            InnerStep::Momentum(0.9),
        ] {
            let estimate = level(start).estimate(ONE, &AidStep::new(inner.clone()));
            assert!(estimate.status.is_success(), "{start}, {inner}: {estimate}");
        }
    }
}

/// The length is that of the curvature, not of what rounding of values leaves.
#[test]
fn a_length_is_one_over_the_curvature() {
    let lower = objective(|x: Var, y: Var| 3.0 * (y - x).norm_squared());
    let problem =
        Bilevel::new(crate::right_or_told::to_one(), lower, 2, 2).expect("a valid problem");
    for x in [[0.7, -0.4], [0.0, 0.0], [1e9, 3.0]] {
        let length = run(&problem, &Itd::reverse(60), &x).step.expect("a length");
        assert!((0.9..=1.0).contains(&(length * 6.0)), "{length:e}");
    }
}
