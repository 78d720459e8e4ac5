//! Parameters that are none at this x, parts of another y, and strategies that solve another problem.

use autodiff::{Var, objective};
use nalgebra::{DMatrix, DVector, dvector};
use solvers::{
    Aid, AidStep, Bilevel, Constraint, Descent, Estimator, Exact, FixedPart, Gda, Hoag, InnerStep,
    Itd, Method, Optimiser, Outer, Part, Schedule, Soba, Strategy,
};

use super::{DIMS, Quadratic};

fn cube(low: f64, high: f64) -> Part<f64> {
    Constraint::Box { low, high }.into()
}

#[test]
fn parameters_that_make_no_part_are_a_status_with_the_value() {
    let quadratic = Quadratic::new(1.0);
    let x = dvector![-0.5, 0.3, -0.9];
    let weighted = || Part::l1(|x: Var| x.gather(&[1, 1, 1, 1, 1, 2, 1]));
    for (part, want) in [
        (
            Part::l1(|x: Var| x.at(0)),
            "l1: weight of |y| = -0.5: expected 0 or a positive number",
        ),
        (weighted(), "weight of |y| 5 = -0.9"),
        (
            Part::between(|x: Var| x.at(1), |x: Var| x.at(0)),
            "box: high − low = -0.8: expected the lower bound first",
        ),
        (
            Part::ball(|x: Var| x.at(0)),
            "ball: radius = -0.5: expected a positive number",
        ),
        (
            Part::simplex(|x: Var| x.at(0) * 0.0),
            "simplex: sum = 0: expected a positive number",
        ),
        (
            Part::blocks(vec![(1..4, Part::l1_ball(|x: Var| x.at(2)))]),
            "radius = -0.9: expected a positive number",
        ),
        (
            Part::half_space(DVector::repeat(7, 1.0), |x: Var| x.at(0).ln()),
            "b = NaN",
        ),
    ] {
        let problem = quadratic.problem(part);
        let gd = InnerStep::GradientDescent;
        let strategies: [&dyn Strategy<f64>; 4] =
            [&Exact, &Aid::cg(), &AidStep::new(gd), &Itd::reverse(10)];
        for strategy in strategies {
            let mut work = problem.workspace();
            let estimate = strategy
                .hypergradient(&problem, &x, &mut work)
                .expect("it suits");
            assert_eq!(estimate.status.code(), "undefined", "{estimate}");
            assert!(estimate.status.to_string().contains(want), "{estimate}");
            assert!(
                estimate.hypergradient.iter().all(|v| v.is_nan()),
                "{estimate}"
            );
        }
    }
}

#[test]
fn parts_of_another_y_are_refused_with_what_was_expected() {
    let problem = || {
        let g = || objective(|x: Var, y: Var| 0.5 * (y - x.sum()).norm_squared());
        Bilevel::<f64>::new(g(), g(), DIMS.0, DIMS.1).expect("a valid problem")
    };
    // A function item: a closure bound by `let` has one lifetime.
    fn first<'r>(x: Var<'r>) -> Var<'r> {
        x.at(0)
    }
    for (part, want) in [
        (
            Part::l1(|x: Var| x),
            "the part l1: weight of |y| of 3 entries: expected 1 or 7",
        ),
        (
            Part::group_lasso(vec![], first),
            "0 groups: expected at least 1",
        ),
        (
            Part::group_lasso(vec![vec![0], vec![]], first),
            "group 1 is empty",
        ),
        (
            Part::group_lasso(vec![vec![0, 7]], first),
            "group 0 has entry 7: expected below 7",
        ),
        (
            Part::group_lasso(vec![vec![0, 3], vec![1, 3]], first),
            "entry 3 is in groups 0 and 1: expected one",
        ),
        (
            Part::half_space(DVector::zeros(7), first),
            "‖a‖ = 0: expected a positive number",
        ),
        (
            Part::half_space(DVector::zeros(3), first),
            "a of 3 entries: expected 7",
        ),
        (
            Part::affine(DMatrix::zeros(2, 7), |x: Var| x.slice(0, 2)),
            "expected independent ones",
        ),
        (
            Part::affine(DMatrix::identity(7, 7), first),
            "b of 1 entries: expected 7",
        ),
        // Numbers are looked at before there is an x.
        (
            FixedPart::L1 { weight: -1.0 }.into(),
            "weight of |y| = -1: expected 0 or a positive number",
        ),
        (
            Constraint::Ball { radius: f64::NAN }.into(),
            "radius = NaN: expected a positive number",
        ),
        (
            cube(1.0, 0.0),
            "high − low = -1: expected the lower bound first",
        ),
        (cube(f64::NAN, 0.0), "low = NaN: expected a number"),
        (
            cube(f64::INFINITY, f64::INFINITY),
            "expected the lower bound first",
        ),
        (
            cube(-f64::INFINITY, -f64::INFINITY),
            "expected the lower bound first",
        ),
        (Part::blocks(vec![]), "0 blocks: expected at least 1"),
        (
            Part::blocks(vec![(2..5, Part::ball(first)), (4..6, Part::ball(first))]),
            "block 4..6 after 5: expected ascending ranges below 7",
        ),
    ] {
        let error = problem().with_part(part).expect_err(want).to_string();
        assert!(error.contains(want) && !error.contains('\n'), "{error}");
    }
}

#[test]
fn what_solves_another_problem_is_refused_in_a_line_that_names_what_does() {
    let problem = Quadratic::new(1.0).problem(Part::l1(|x: Var| x.at(0).exp()));
    let x = dvector![-0.5, 0.3, -0.9];
    let mut work = problem.workspace();
    let mut refused = |strategy: &dyn Strategy<f64>| {
        let error = strategy.hypergradient(&problem, &x, &mut work);
        let error = error.expect_err("another lower level").to_string();
        assert!(!error.contains('\n'), "{error}");
        error
    };
    let adam = InnerStep::Adam { rate: 0.1 };
    for inner in [adam, InnerStep::Momentum(0.5)] {
        for strategy in [
            &Itd::reverse(3).inner(inner.clone()) as &dyn Strategy<f64>,
            &AidStep::new(inner.clone()),
        ] {
            let error = refused(strategy);
            assert!(
                error.contains("expected gd or fista") || error.contains("adam"),
                "{error}"
            );
        }
    }
    let rate = Optimiser::GradientDescent { rate: 0.1 };
    let soba = Outer::new(Soba::new(Estimator::Plain, Schedule::Constant(0.1), 1.0), 3);
    let gda = Gda::new(3, rate);
    let hoag = Hoag::new(3);
    for error in [
        soba.begin(&problem, x.clone()).err(),
        gda.begin(&problem, x.clone()).err(),
        hoag.begin(&problem, x.clone()).err(),
    ] {
        let error = error.expect("refused").to_string();
        let named = error.contains("part beside g (l1)") && error.contains("aid-step");
        assert!(named, "{error}");
    }
    // Descent takes the strategies that do.
    let descent = Descent::new(Aid::cg(), rate, 5);
    assert!(descent.begin(&problem, x.clone()).is_ok());
}

#[test]
fn what_holds_with_nothing_to_spare_is_told_and_what_does_not_is_not() {
    let problem = |part: Part<f64>| {
        let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
        let upper = objective(|_: Var, y: Var| 0.5 * (y - 2.0).norm_squared());
        let problem = Bilevel::new(upper, lower, 1, 1).expect("a valid problem");
        problem.with_part(part).expect("a part of this y")
    };
    let cases: [(Part<f64>, f64, f64); 4] = [
        // At the edge, and off it: y = max(x, 0), the threshold 1 of x, |x| ≤ 1, ‖y‖ ≤ 1.
        (Part::above(|x: Var| x.scalar(0.0)), 0.0, -0.3),
        (Part::l1(|x: Var| x.scalar(1.0)), 1.0, 0.7),
        (Part::linf_ball(|x: Var| x.scalar(1.0)), -1.0, -1.2),
        (Part::ball(|x: Var| x.scalar(1.0)), 1.0, 1.2),
    ];
    let gd = InnerStep::GradientDescent;
    let strategies: [&dyn Strategy<f64>; 4] =
        [&Exact, &Aid::cg(), &AidStep::new(gd), &Itd::reverse(100)];
    for (part, edge, off) in cases {
        let problem = problem(part);
        for strategy in strategies {
            for start in [0.0, 5.0, edge] {
                let problem = problem.clone().starting_from(dvector![start]);
                let mut work = problem.workspace();
                let mut told = |x: f64| {
                    let estimate = strategy.hypergradient(&problem, &dvector![x], &mut work);
                    let estimate = estimate.expect("it suits");
                    assert!(estimate.status.is_success(), "{estimate}");
                    let margin = estimate.margin.expect("measured");
                    let told = estimate
                        .warnings
                        .iter()
                        .any(|w| w.contains("another active set"));
                    assert_eq!(told, margin <= 4.01e-7, "{estimate}");
                    told
                };
                assert!(told(edge) && !told(off), "{} from {start}", strategy.name());
            }
        }
    }
}
