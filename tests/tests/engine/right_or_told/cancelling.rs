//! Objectives that are 0 at their solution because their terms cancel: the length of a step and the
//! accuracy have to come from gradients.

use autodiff::{Objective, Var, objective};
use nalgebra::dvector;
use solvers::{
    Aid, AidStep, Bda, Bilevel, Descent, InnerStep, Itd, Method, Optimiser, StepLength, solve_lower,
};

use crate::right_or_told::{right, run, succeeds_within, to_one};

/// ½y² − xy + ½x², √(1 + r²) − 1 of r = y − x, and cosh r − 1: y* = x in each.
fn lower_levels() -> [(&'static str, Bilevel<f64>); 3] {
    let square =
        objective(|x: Var, y: Var| 0.5 * y.norm_squared() - x.dot(y) + 0.5 * x.norm_squared());
    let root = objective(|x: Var, y: Var| (((y - x).square() + 1.0).sqrt() - 1.0).sum());
    let cosh = objective(|x: Var, y: Var| (0.5 * ((y - x).exp() + (x - y).exp()) - 1.0).sum());
    fn of(g: impl Objective<f64> + 'static) -> Bilevel<f64> {
        Bilevel::new(to_one(), g, 2, 2).expect("a valid problem")
    }
    [
        ("square", of(square)),
        ("root", of(root)),
        ("cosh", of(cosh)),
    ]
}

const X: [f64; 2] = [0.7, -0.4];
const WANT: [f64; 2] = [-0.3, -1.4];

#[test]
fn loops_of_automatic_length_come_to_the_solution() {
    for (_, problem) in &lower_levels() {
        for inner in ["gd", "momentum:0.5", "nesterov:0.5", "fista"] {
            let inner: InnerStep = inner.parse().expect("a step");
            right(
                &run(problem, &Itd::reverse(1000).inner(inner.clone()), &X),
                &WANT,
            );
            right(&run(problem, &AidStep::new(inner), &X), &WANT);
        }
        right(&run(problem, &Itd::reverse(1000).step(0.5), &X), &WANT);
        let steps = Aid::cg().lower_steps(1000, StepLength::Auto);
        right(&run(problem, &steps, &X), &WANT);
        succeeds_within(5e-2, &run(problem, &Bda::new(1000), &X), &WANT);
    }
}

/// The gradient of KL(softmax x ‖ softmax y) is in differences alone, so g is flat along 1.
#[test]
fn a_divergence_of_two_distributions_is_unrolled() {
    let upper = objective(|_x: Var, y: Var| y.at(0) - y.at(1));
    let lower = objective(|x: Var, y: Var| x.softmax().dot(x.log_softmax() - y.log_softmax()));
    let problem = Bilevel::new(upper, lower, 2, 2).expect("a valid problem");
    for x in [[0.7, -0.1], [0.0, 1.2], [2.0, 1.0]] {
        let estimate = run(&problem, &Itd::reverse(1000), &x);
        succeeds_within(1e-2, &estimate, &[1.0, -1.0]);
    }
}

#[test]
fn the_lower_level_alone_is_solved() {
    for (name, problem) in &lower_levels() {
        let solution = solve_lower(problem, &dvector![0.7, -0.4], 1e-10);
        assert!(solution.status.is_success(), "{name}: {}", solution.status);
        let off = (&solution.y - dvector![0.7, -0.4]).norm();
        assert!(off < 1e-6, "{name}: {off:e}, {:e}", solution.distance);
        assert!(
            solution.iterations < 1000,
            "{name}: {}",
            solution.iterations
        );
    }
}

#[test]
fn a_descent_over_them_comes_to_its_end() {
    for (name, problem) in &lower_levels() {
        let rate = Optimiser::GradientDescent { rate: 0.5 };
        let descent = Descent::new(Itd::reverse(200), rate, 50);
        let mut run = descent.begin(problem, dvector![0.3, -0.5]).expect("valid");
        let finish = run.finish();
        assert!(finish.is_success(), "{name}: {finish}");
        let off = (run.x() - dvector![1.0, 1.0]).norm();
        assert!(off < 1e-2, "{name}: x is {}", run.x());
    }
}
