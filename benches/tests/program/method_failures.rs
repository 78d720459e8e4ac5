//! No method calls a run a success whose values or iterates are no numbers, or have left all measure.

use autodiff::{Objective, Var, objective};
use bilevel_benches::catalogue::methods::method;
use bilevel_benches::catalogue::settings::SolveSettings;
use models::Task;
use nalgebra::dvector;
use solvers::catalogue::{OuterRule, Settings, methods};
use solvers::{Bilevel, Constants, Finish};

/// F of y and x, on the lower level ½c(y − x)² from y = 1.
fn task(upper: impl Objective<f64>, c: f64, x: f64) -> Task<f64> {
    let lower = objective(move |x: Var, y: Var| 0.5 * c * (y - x).norm_squared());
    let problem = Bilevel::new(upper, lower, 1, 1).expect("a valid problem");
    // Of the lower level; those of F are as good as a guess.
    let stated = Constants {
        strong_convexity: c,
        smoothness: c,
        hessian_lipschitz: 0.0,
        cross_norm: c,
        cross_lipschitz: 0.0,
        upper_smoothness: 1.0,
        upper_cross: 0.0,
    };
    let problem = problem.starting_from(dvector![1.0]);
    Task::new(
        "failing",
        problem.with_constants(move |_, _| stated),
        dvector![x],
    )
}

/// How every method that suits the task ends, whether its reports are true, and F where it ended.
fn ends(problem: Task<f64>, rate: f64) -> Vec<(&'static str, Finish, f64)> {
    let mut ends = Vec::new();
    for entry in methods::<f64>() {
        let name = entry.rows[0].name;
        // The one's lower level has constraints, the other's F is a function of x.
        if ["kkt", "pbgd-free"].contains(&name) {
            continue;
        }
        let given = Settings {
            iterations: entry
                .family
                .defaults()
                .iterations
                .map_or(Some(60), |_| Some(1200)),
            report_every: entry.family.defaults().report_every.map(|_| 20),
            optimiser: Some(OuterRule::Gd),
            rate: Some(rate),
            stage_iterations: Some(600),
            step: name.starts_with("aid").then_some(0.5),
            ..Settings::NONE
        };
        let settings = SolveSettings::of("scalar", name, given);
        let method = method::<f64>(name, &problem, &settings).expect("valid settings");
        let mut run = method
            .begin(&problem.bilevel, problem.x.clone())
            .expect("a problem that suits");
        let finish = run.finish();
        let at = [run.x().as_slice(), run.y().as_slice()];
        ends.push((name, finish, problem.bilevel.upper().point().value(&at)));
    }
    ends
}

/// Those that say they succeeded; their values have to be numbers.
#[track_caller]
fn successes(ends: &[(&'static str, Finish, f64)]) -> Vec<&'static str> {
    let mut names = Vec::new();
    for (name, finish, value) in ends.iter().filter(|e| e.1.is_success()) {
        let last = finish.last.as_ref().expect("an iteration");
        assert!(last.upper.is_finite(), "{name}: {finish}");
        assert!(value.is_finite(), "{name} ended at {value}: {finish}");
        names.push(*name);
    }
    names
}

/// Those that judge a step by its value take one back that leads out of the domain.
const JUDGES: [&str; 2] = ["hoag", "maid"];

#[test]
fn a_value_out_of_its_domain_is_no_success() {
    // Of ln y the way down leads to y = 0 and beyond.
    let upper = objective(|_: Var, y: Var| y.ln().sum());
    let ends = ends(task(upper, 1.0, 1.0), 0.4);
    let good = successes(&ends);
    for name in ["itd", "aid-cg", "aid-direct", "bda", "isgd"] {
        assert!(!good.contains(&name), "{name}");
    }
    // F is the logarithm: where it is the reason, the place says so.
    let located = ends.iter().filter(|e| e.1.to_string().contains("`ln`"));
    assert!(located.count() > 5);
}

#[test]
fn a_value_that_begins_as_no_number_is_no_success() {
    // √(y − 2) is none at the lower level's start of 1, and none at its solution x.
    for x in [1.5, f64::NAN] {
        let upper = objective(|_: Var, y: Var| (y - 2.0).sqrt().sum());
        let ends = ends(task(upper, 1.0, x), 0.1);
        assert!(successes(&ends).is_empty(), "{:?}", successes(&ends));
    }
}

#[test]
fn overflow_is_no_success() {
    // F grows like the exponential of x², uphill of a minimum at none.
    let upper = objective(|_: Var, y: Var| -(y.square() * 40.0).exp().sum());
    let ends = ends(task(upper, 1.0, 2.0), 0.1);
    let good = successes(&ends);
    // GDA stays where F is finite and says that it does not settle.
    let told = |n: &str| {
        let of = |e: &&(&str, Finish, f64)| e.0 == n && !e.1.warnings.is_empty();
        n == "gda" && ends.iter().any(|e| of(&e))
    };
    // The lengths of S-TFBO fall with the size of what it meets: x stays where F is finite.
    let stays = |n: &str| n == "s-tfbo";
    assert!(
        good.iter()
            .all(|n| JUDGES.contains(n) || stays(n) || told(n)),
        "{good:?}"
    );
}

/// F = −½cy², times a constant, or with other units: x grows from step to step, and is finite.
#[test]
fn iterates_that_leave_all_measure_are_no_success() {
    for scale in [1.0, 1e12, 1e-12] {
        let upper = objective(move |_: Var, y: Var| -0.5 * scale * y.norm_squared());
        let ends = ends(task(upper, scale, 1.0), 1.0 / scale);
        let mut far = 0;
        for (name, finish, value) in &ends {
            if !(value.abs() < 1e20 * scale) {
                far += 1;
                assert!(!finish.is_success(), "{name} at {value}: {finish}");
            }
        }
        // Steps on y are as short as g is small: few go far there.
        assert!(far > 3 || scale < 1.0, "{far} with F times {scale}");
    }
}

/// Neither is a sign of it that F, g or both are large, or that a run starts at 0.
#[test]
fn scales_are_no_reason() {
    for scale in [1e-12, 1.0, 1e12] {
        let upper = objective(move |_: Var, y: Var| 0.5 * scale * (y - 3.0).norm_squared());
        let rate = 0.1 / scale;
        for (name, finish, _) in ends(task(upper, 1.0, 0.0), rate) {
            // Steps on penalised or aggregated values are as long as F is large, which only some can bear.
            let penalised = ["gda", "pbgd", "f2sa", "f2ba", "accf2ba", "bome", "sl-bamm"];
            let bears = !penalised.contains(&name) || scale == 1.0;
            assert!(!bears || finish.is_success(), "{name} {scale}: {finish}");
        }
    }
}
