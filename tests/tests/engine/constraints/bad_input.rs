//! Constraints that are none, levels without an answer, and strategies that know none.

use autodiff::{Var, objective};
use nalgebra::dvector;
use solvers::{
    Aid, AidStep, Bda, Bilevel, Constraints, Descent, Gda, Hoag, InnerStep, Isgd, Itd, Kkt, Maid,
    Method, Optimiser, Part, Status, Strategy, solve_lower,
};

use super::{kkt, nearest};

fn plain() -> Bilevel<f64> {
    let upper = objective(|_: Var, y: Var| y.norm_squared());
    let lower = objective(|x: Var, y: Var| (y - x.at(0)).norm_squared());
    Bilevel::new(upper, lower, 1, 2).expect("a valid problem")
}

#[test]
fn constraints_that_are_none_are_refused_in_a_line() {
    let cases: [(Constraints<f64>, &str); 3] = [
        (
            Constraints::new(),
            "the constraints: there are none: expected at least 1",
        ),
        (
            Constraints::new()
                .at_most_zero(|_: Var, y: Var| y)
                .at_most_zero(|x: Var, _: Var| x),
            "the constraints: inequality 1 does not depend on y",
        ),
        (
            Constraints::new().zero(|x: Var, _: Var| x),
            "the constraints: equality 0 does not depend on y",
        ),
    ];
    for (constraints, want) in cases {
        let error = plain().with_constraints(constraints).expect_err(want);
        assert_eq!(error.to_string(), want);
    }
    let held = || Constraints::new().at_most_zero(|_: Var, y: Var| y);
    let both = plain()
        .with_part(Part::l1(|x: Var| x.exp()))
        .and_then(|p| p.with_constraints(held()));
    let error = both.expect_err("a part").to_string();
    assert!(
        error.contains("expected none beside constraints"),
        "{error}"
    );
    let both = plain()
        .with_constraints(held())
        .and_then(|p| p.with_part(Part::l1(|x: Var| x.exp())));
    let error = both.expect_err("constraints").to_string();
    assert!(
        error.contains("has constraints: expected none beside a part"),
        "{error}"
    );
}

#[test]
fn every_other_strategy_says_what_does() {
    let held = Constraints::new().at_most_zero(|_: Var, y: Var| y);
    let problem = plain().with_constraints(held).expect("constraints of y");
    let strategies: [&dyn Strategy<f64>; 6] = [
        &Aid::cg(),
        &Aid::direct(),
        &Itd::reverse(3),
        &AidStep::new(InnerStep::GradientDescent),
        &Bda::new(3),
        &Bda::new(3).one_stage(),
    ];
    for strategy in strategies {
        let refused = strategy.hypergradient(&problem, &dvector![1.0], &mut problem.workspace());
        let reason = refused.expect_err("it knows none").to_string();
        assert!(reason.contains("expected kkt or exact"), "{reason}");
    }
    let free = Kkt::new().hypergradient(&plain(), &dvector![1.0], &mut plain().workspace());
    let reason = free.expect_err("no constraints").to_string();
    assert!(reason.contains("aid-direct in its place"), "{reason}");
}

#[test]
fn no_y_at_this_x_is_told_with_the_distance_that_is_left() {
    // y ≤ x and y ≥ 1.
    let held = Constraints::new()
        .at_most_zero(|x: Var, y: Var| y - x)
        .at_most_zero(|_: Var, y: Var| 1.0 - y);
    let problem = nearest(|x: Var| x * 0.0, held, (1, 1));
    let estimate = kkt(&problem, &[0.6]);
    match estimate.status {
        // Each by 0.2: the norm of both.
        Status::Infeasible { violation } => {
            assert!((violation - 0.08f64.sqrt()).abs() < 1e-4, "{estimate}");
        }
        _ => panic!("{estimate}"),
    }
    let alone = solve_lower(&problem, &dvector![0.6], 1e-10);
    assert!(
        matches!(alone.status, Status::Infeasible { .. }),
        "{alone:?}"
    );
    // A point alone is left at x = 1, and room beyond.
    assert!(!kkt(&problem, &[1.0]).status.is_success());
    assert_eq!(kkt(&problem, &[1.2]).status, Status::Converged);
}

#[test]
fn gradients_that_depend_on_each_other_are_told() {
    let twice = Constraints::new()
        .at_most_zero(|x: Var, y: Var| y.sum() - x.at(0))
        .at_most_zero(|x: Var, y: Var| (y.sum() - x.at(0)) * 3.0);
    let estimate = kkt(
        &nearest(|x: Var| x.vector(&[1.0, 1.0]), twice, (1, 2)),
        &[0.5],
    );
    let told = matches!(estimate.status, Status::DependentConstraints { .. });
    assert!(told, "{estimate}");
    // An equality as two inequalities has no inside.
    let both = Constraints::new()
        .at_most_zero(|x: Var, y: Var| y.sum() - x.at(0))
        .at_most_zero(|x: Var, y: Var| x.at(0) - y.sum());
    let estimate = kkt(
        &nearest(|x: Var| x.vector(&[1.0, 1.0]), both, (1, 2)),
        &[0.5],
    );
    assert!(!estimate.status.is_success(), "{estimate}");
    // y² ≤ 0 has no gradient where it holds.
    let point = Constraints::new().at_most_zero(|_: Var, y: Var| y.norm_squared());
    let estimate = kkt(
        &nearest(|x: Var| x.vector(&[1.0, 1.0]), point, (1, 2)),
        &[0.5],
    );
    assert!(!estimate.status.is_success(), "{estimate}");
    // As an equality twice.
    let twice = Constraints::new()
        .zero(|x: Var, y: Var| y.sum() - x.at(0))
        .zero(|x: Var, y: Var| y.sum() - x.at(0));
    let estimate = kkt(
        &nearest(|x: Var| x.vector(&[1.0, 1.0]), twice, (1, 2)),
        &[0.5],
    );
    let told = matches!(estimate.status, Status::DependentConstraints { .. });
    assert!(told, "{estimate}");
}

#[test]
fn a_constraint_that_holds_with_nothing_to_spare_is_told() {
    let held = || Constraints::new().at_most_zero(|x: Var, y: Var| y - x);
    let problem = nearest(|x: Var| x * 0.0 + 1.0, held(), (1, 1));
    for x in [1.0, 1.0 + 1e-9, 1.0 - 1e-9] {
        let estimate = kkt(&problem, &[x]);
        assert!(estimate.status.is_success(), "{estimate}");
        let told = estimate
            .warnings
            .iter()
            .any(|w| w.contains("inequality 0 holds"));
        assert!(told, "{estimate}");
        assert!(estimate.margin.is_some_and(|m| m < 1e-8), "{estimate}");
    }
    for x in [1.0 + 1e-4, 1.0 - 1e-4] {
        let estimate = kkt(&problem, &[x]);
        assert!(estimate.warnings.is_empty(), "{estimate}");
    }
}

#[test]
fn levels_that_are_not_convex_unbounded_or_not_finite_are_told() {
    let upper = || objective(|_: Var, y: Var| 0.5 * (y - 1.0).norm_squared());
    // A saddle on the line that is held.
    let lower = objective(|_: Var, y: Var| y.at(0) * y.at(1));
    let line = Constraints::new().zero(|x: Var, y: Var| y.at(0) + y.at(1) - x.at(0) * 2.0);
    let problem = Bilevel::new(upper(), lower, 1, 2).and_then(|p| p.with_constraints(line));
    let estimate = kkt(&problem.expect("a valid problem"), &[1.0]);
    let told = matches!(estimate.status, Status::NegativeCurvature { .. });
    assert!(told, "{estimate}");
    // Down for ever along y₀.
    let lower = objective(|_: Var, y: Var| y.at(0) + y.at(1).square());
    let above = Constraints::new().at_most_zero(|x: Var, y: Var| y.at(0) - x.at(0));
    let problem = Bilevel::new(upper(), lower, 1, 2).and_then(|p| p.with_constraints(above));
    let estimate = kkt(&problem.expect("a valid problem"), &[1.0]);
    assert!(!estimate.status.is_success(), "{estimate}");
    // ln of what is not positive.
    let lower = objective(|_: Var, y: Var| (y.at(0) - 2.0).ln() + y.norm_squared());
    let above = Constraints::new().at_most_zero(|x: Var, y: Var| y.at(0) - x.at(0));
    let problem = Bilevel::new(upper(), lower, 1, 2).and_then(|p| p.with_constraints(above));
    let estimate = kkt(&problem.expect("a valid problem"), &[1.0]);
    assert!(
        matches!(estimate.status, Status::NonFinite { .. }),
        "{estimate}"
    );
    // A quartic is flat at its solution alone.
    let lower = objective(|x: Var, y: Var| (y.at(0) - x.at(0)).powi(4) + y.at(1).square());
    let above = Constraints::new().at_most_zero(|_: Var, y: Var| y.at(1) - 3.0);
    let problem = Bilevel::new(upper(), lower, 1, 2).and_then(|p| p.with_constraints(above));
    let estimate = kkt(&problem.expect("a valid problem"), &[0.5]);
    assert!(!estimate.status.is_success(), "{estimate}");
}

#[test]
fn a_barrier_of_equalities_panics_at_the_callers_line() {
    let line = Constraints::new().zero(|_: Var, y: Var| y);
    let record = || {
        let lower = objective(|x: Var, y: Var| y.norm_squared() + line.barrier(x, y, 1.0));
        Bilevel::new(objective(|_: Var, y: Var| y.sum()), lower, 1, 1).is_ok()
    };
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(record));
    let text = panic
        .expect_err("equalities")
        .downcast::<String>()
        .expect("a message");
    assert!(
        text.contains("1 equalities and 0 inequalities: expected inequalities alone"),
        "{text}"
    );
}

#[test]
fn methods_descend_by_it_or_say_what_does() {
    let held = Constraints::new().at_most_zero(|x: Var, y: Var| y - x);
    let problem = nearest(|x: Var| x * 0.0 + 1.0, held, (1, 1));
    let rate = Optimiser::GradientDescent { rate: 0.5 };
    let descent = Descent::new(Kkt::new(), rate, 200);
    let mut run = descent.begin(&problem, dvector![0.9]).expect("it suits");
    assert!(run.finish().is_success());
    assert!((run.x()[0] - 1.0 / 3.0).abs() < 1e-9);
    let (aid, gda) = (Descent::new(Aid::cg(), rate, 1), Gda::new(1, rate));
    let methods: [&dyn Method<f64>; 5] =
        [&aid, &gda, &Hoag::new(1), &Maid::new(1), &Isgd::new(1, 0.1)];
    for method in methods {
        let refused = method.begin(&problem, dvector![0.9]);
        let reason = refused.err().expect("it knows none").to_string();
        assert!(reason.contains("expected kkt or exact"), "{reason}");
    }
}
