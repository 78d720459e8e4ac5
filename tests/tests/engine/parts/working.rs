//! Fused losses beside an h of entries, solved by working sets, against steps and against formulas.

use autodiff::{Var, objective};
use models::data::{Features, Samples};
use models::{Dataset, Task};
use nalgebra::{DMatrix, DVector, dvector};
use solvers::{
    Aid, At, Bilevel, Entrywise, Exact, LowerSolve, Need, Parameter, Part, ProximalMap, Strategy,
    solve_lower, solve_lower_from,
};

/// Samples of some features, a tenth of them telling, with targets or signs.
fn samples(n: usize, d: usize, sparse: bool, signs: bool) -> Samples {
    let wave = |k: usize| (k as f64 * 12.9898).sin() * 43758.5453;
    let noise = |k: usize| 2.0 * (wave(k) - wave(k).floor()) - 1.0;
    let dense = DMatrix::from_fn(d, n, |j, i| {
        let v = noise(j * n + i + 1);
        if sparse && v.abs() < 0.8 { 0.0 } else { v }
    });
    let labels = dense.column_iter().enumerate().map(|(i, a)| {
        let told: f64 = a
            .iter()
            .step_by(10)
            .enumerate()
            .map(|(k, v)| v * noise(k + 7))
            .sum();
        let target = told + 0.1 * noise(i + 31);
        if signs { target.signum() } else { target }
    });
    let labels = labels.collect();
    let features: Features = match sparse {
        true => autodiff::Sparse::of_dense(&dense.transpose()).into(),
        false => dense.into(),
    };
    Samples { features, labels }
}

fn problem(sparse: bool, signs: bool, part: Part<f64>, dim_x: usize) -> Bilevel<f64> {
    let (n, d) = (60, 150);
    let (train, valid) = (
        samples(n, d, sparse, signs),
        samples(n + 9, d, sparse, signs),
    );
    let dataset = |of: &Samples| match signs {
        true => Dataset::binary(of),
        false => Dataset::targets(of),
    };
    let (train, valid) = (dataset(&train), dataset(&valid));
    let loss = move |of: Dataset<f64>| {
        objective(move |_: Var, y: Var| match signs {
            true => of.logistic_loss(y),
            false => of.squared_loss(y),
        })
    };
    let problem = Bilevel::new(loss(valid), loss(train), dim_x, d).expect("a valid problem");
    problem.with_part(part).expect("a part of this y")
}

type Kind = (&'static str, fn() -> Part<f64>, DVector<f64>);

fn kinds() -> [Kind; 4] {
    [
        ("l1", || Part::l1(|x: Var| x.at(0).exp()), dvector![-3.5]),
        (
            "weighted l1",
            || {
                Part::l1(|x: Var| {
                    let each: Vec<f64> = (0..150).map(|j| f64::from(j % 3)).collect();
                    x.at(0).exp() * (x.vector(&each) * 0.3 + 0.7)
                })
            },
            dvector![-3.6],
        ),
        (
            "elastic net",
            || Part::elastic_net(|x: Var| x.at(0).exp(), |x: Var| x.at(1).exp()),
            dvector![-3.5, -2.0],
        ),
        (
            "box",
            || Part::between(|x: Var| -x.at(0).exp(), |x: Var| x.at(0).exp() * 0.5),
            dvector![-4.0],
        ),
    ]
}

/// The solution is unique where few entries are free.
#[test]
fn working_sets_and_steps_have_the_same_hypergradient() {
    let steps = LowerSolve::Accelerated {
        tolerance: Some(1e-12),
        limit: Some(200_000),
    };
    for (sparse, signs) in [(false, false), (true, false), (false, true), (true, true)] {
        for (name, part, x) in kinds() {
            let of = format!("{name}, sparse {sparse}, signs {signs}");
            let problem = problem(sparse, signs, part(), x.len());
            let mut work = problem.workspace();
            let by_sets = Aid::cg().lower_tolerance(1e-12);
            let found = by_sets
                .hypergradient(&problem, &x, &mut work)
                .expect("valid settings");
            let by_steps = Aid::cg().lower(steps.clone());
            let wanted = by_steps
                .hypergradient(&problem, &x, &mut problem.workspace())
                .expect("valid settings");
            assert!(found.status.is_success(), "{of}: {found}");
            let predicted = by_sets.predicted_peak_bytes(&problem);
            assert_eq!(found.bytes.peak, predicted, "{of}");
            assert!(found.lower_iterations < 30, "{of}: {found}");
            // By the factor of the block at y, refined once.
            assert_eq!(found.linear_iterations, 0, "{of}: {found}");
            assert!(
                found.linear_residual.is_some_and(|r| r <= 1e-10),
                "{of}: {found}"
            );
            // A loose tolerance is met by the same steps, and not by two looks; where g bends the last
            // of them may leave more than a tenth.
            let loose = Aid::cg().lower_tolerance(1e-4);
            let loose = loose
                .hypergradient(&problem, &x, &mut work)
                .expect("valid settings");
            assert!(loose.status.is_success(), "{of}: {loose}");
            let looks = loose.oracles.upper.gradients;
            assert!(looks <= if signs { 2 } else { 1 }, "{of}: {loose}");
            let off = (&loose.y - &found.y).amax() / found.y.amax();
            assert!(off < 1e-7, "{of}: {off:e}\n{loose}");
            if !wanted.status.is_success() {
                continue;
            }
            let apart = (&found.y - &wanted.y).amax() / wanted.y.amax();
            assert!(apart < 1e-7, "{of}: {apart:e}\n{found}\n{wanted}");
            let off = (&found.hypergradient - &wanted.hypergradient).amax();
            let size = wanted.hypergradient.amax();
            assert!(off <= 1e-6 * size, "{of}: {off:e} of {size:e}");
            let again = by_sets.hypergradient_at(&problem, At::new(&x), &mut work);
            let again = again.expect("valid settings");
            assert_eq!(
                found.hypergradient, again.hypergradient,
                "{of}: another answer"
            );
        }
    }
}

/// The ℓ₁ norm with the weight x, which says that its weight is twice that.
struct Mistaken;

impl ProximalMap<f64> for Mistaken {
    fn name(&self) -> String {
        "mistaken".into()
    }
    fn prox<'r>(&self, x: Var<'r>, z: Var<'r>, s: Var<'r>) -> Var<'r> {
        (z - s * x).relu() - (-z - s * x).relu()
    }
    fn value<'r>(&self, x: Var<'r>, y: Var<'r>) -> Var<'r> {
        (x * y.abs()).sum()
    }
    fn parameters<'r>(&self, x: Var<'r>, _: usize) -> Vec<Parameter<'r, f64>> {
        vec![Parameter::new("weight", 2.0 * x, Need::Weight, &[1])]
    }
    fn entrywise(&self) -> Option<Entrywise> {
        Some(Entrywise {
            weight: Some(0),
            ..Entrywise::default()
        })
    }
    fn couples(&self) -> bool {
        false
    }
}

#[test]
fn entries_that_are_not_those_of_the_map_are_not_believed() {
    let x = dvector![0.05];
    let run = |part: Part<f64>| {
        let problem = problem(false, false, part, 1);
        Aid::cg()
            .hypergradient(&problem, &x, &mut problem.workspace())
            .expect("valid settings")
    };
    let (found, wanted) = (run(Part::own(Mistaken)), run(Part::l1(|x: Var| x)));
    assert!(wanted.status.is_success(), "{wanted}");
    assert!(
        (&found.y - &wanted.y).amax() < 1e-6 * wanted.y.amax(),
        "{found}"
    );
}

#[test]
fn the_catalogue_is_solved_by_working_sets() {
    let tasks: [Task<f64>; 3] = [
        models::lasso(40, 0),
        models::elastic_net(40, 0),
        models::weighted_lasso(40, 0),
    ];
    for task in tasks {
        assert!(task.bilevel.lower().knows_hessian(1));
        let known = task.known.as_ref().expect("a closed form");
        let aid = Aid::cg();
        let mut work = task.bilevel.workspace();
        let found = aid
            .hypergradient(&task.bilevel, &task.x, &mut work)
            .expect("valid settings");
        let apart = (&found.hypergradient - (known.hypergradient)(&task.x)).amax();
        assert!(found.status.is_success() && apart < 1e-12, "{found}");
        assert!(found.lower_iterations <= 6, "{found}");
    }
}

/// From any start, and in a workspace that was used, a solution is that of a start from 0; so much nearer
/// that a path of them is short.
#[test]
fn a_path_of_solutions_in_a_workspace_is_that_of_each_alone() {
    for (sparse, signs) in [(false, false), (true, true)] {
        let problem = problem(sparse, signs, Part::l1(|x: Var| x.at(0).exp()), 1);
        let (mut work, mut y) = (problem.workspace(), DVector::zeros(150));
        let (mut steps, mut cold) = (0, 0);
        for k in 0..12 {
            let x = dvector![-2.5 - 0.15 * f64::from(k)];
            let found = solve_lower_from(&problem, &x, &y, 1e-11, &mut work);
            let wanted = solve_lower(&problem, &x, 1e-11);
            assert!(found.status.is_success() && wanted.status.is_success());
            let apart = (&found.y - &wanted.y).amax();
            assert!(apart <= 1e-7 * wanted.y.amax(), "{k}: {apart:e}");
            let again = solve_lower_from(&problem, &x, &y, 1e-11, &mut work);
            assert_eq!(found, again, "a workspace changes no answer");
            steps += found.iterations;
            cold += wanted.iterations;
            y = found.y;
        }
        assert!(steps < cold, "{steps} iterations, {cold} from 0");
    }
}

#[test]
#[should_panic(expected = "the start has 3 entries: the problem's inner variable has 150")]
fn a_start_of_another_size_is_refused() {
    let problem = problem(false, false, Part::l1(|x: Var| x.at(0).exp()), 1);
    let start = DVector::zeros(3);
    let _ = solve_lower_from(
        &problem,
        &dvector![0.0],
        &start,
        1e-8,
        &mut problem.workspace(),
    );
}

/// What scales each entry by itself according to its `entrywise`, and turns the first two.
struct Turning;

impl ProximalMap<f64> for Turning {
    fn name(&self) -> String {
        "turning".into()
    }
    fn prox<'r>(&self, x: Var<'r>, z: Var<'r>, s: Var<'r>) -> Var<'r> {
        let turned = (z.at(1) * 0.3).concat(&[z.at(0) * -0.3, z.slice(2, 148) * 0.0]);
        (z - s * x).relu() - (-z - s * x).relu() + turned
    }
    fn value<'r>(&self, x: Var<'r>, y: Var<'r>) -> Var<'r> {
        (x * y.abs()).sum()
    }
    fn parameters<'r>(&self, x: Var<'r>, _: usize) -> Vec<Parameter<'r, f64>> {
        vec![Parameter::new("weight", x, Need::Weight, &[1])]
    }
    fn entrywise(&self) -> Option<Entrywise> {
        Some(Entrywise {
            weight: Some(0),
            ..Entrywise::default()
        })
    }
    fn couples(&self) -> bool {
        false
    }
}

#[test]
fn a_derivative_that_turns_entries_is_told_though_the_map_says_it_scales_them() {
    let problem = problem(false, false, Part::own(Turning), 1);
    let found = Aid::cg()
        .hypergradient(&problem, &dvector![0.05], &mut problem.workspace())
        .expect("valid settings");
    assert!(!found.status.is_success(), "{found}");
}

/// A simplex of more entries than what it loses was looked for among: ½‖y − Bx‖² on it, whose system is
/// the projection to the support and to sum 0.
#[test]
fn large_sets_that_couple_entries_have_a_dense_system_too() {
    let n = 300;
    let b = DVector::from_fn(n, |i, _| (i as f64 * 0.37).sin());
    let c = DVector::from_fn(n, |i, _| (i as f64 * 1.13).cos());
    let (of_b, of_c) = (b.clone(), c.clone());
    let lower =
        objective(move |x: Var, y: Var| 0.5 * (y - x * x.vector(of_b.as_slice())).norm_squared());
    let upper = objective(move |_: Var, y: Var| y.dot(y.vector(of_c.as_slice())));
    let problem = Bilevel::new(upper, lower, 1, n).expect("a valid problem");
    for (name, part) in [
        ("simplex", Part::simplex(|x: Var| x.scalar(1.0))),
        ("l1 ball", Part::l1_ball(|x: Var| x.scalar(1.0))),
        ("ball", Part::ball(|x: Var| x.scalar(1.0))),
    ] {
        let problem = problem.clone().with_part(part).expect("a part of this y");
        let x = dvector![0.7];
        let run = |strategy: &dyn Strategy<f64>| {
            strategy
                .hypergradient(&problem, &x, &mut problem.workspace())
                .expect("valid settings")
        };
        let wanted = run(&Aid::cg());
        assert!(wanted.status.is_success(), "{name}: {wanted}");
        for found in [run(&Aid::direct()), run(&Exact)] {
            assert!(found.status.is_success(), "{name}: {found}");
            let off = (found.hypergradient[0] - wanted.hypergradient[0]).abs();
            assert!(
                off < 1e-9 * wanted.hypergradient[0].abs().max(1e-3),
                "{name}: {found}\n{wanted}"
            );
        }
    }
}

/// The mean squared error of a network with a hidden layer of five.
fn net<'r>(y: Var<'r>, a: &DMatrix<f64>, t: &DVector<f64>) -> Var<'r> {
    let (w, v) = (y.slice(0, 10).reshape(2, 5), y.slice(10, 5));
    ((a * w).tanh().matmul(v) - t).norm_squared() / 20.0
}

/// A network of a hidden layer with a little decay: L-BFGS comes to a minimiser, from which conjugate
/// gradients meet positive curvature alone, and the hypergradient by the decay is that of differences.
#[test]
fn a_small_network_is_brought_to_a_minimiser_by_l_bfgs() {
    let a = DMatrix::from_fn(20, 2, |i, j| ((i * 7 + j * 3) as f64).sin());
    let t = DVector::from_fn(20, |i, _| (a[(i, 0)] * 2.0).sin() + 0.3 * a[(i, 1)]);
    let (of_a, of_t) = (a.clone(), t.clone());
    let lower = objective(move |x: Var<'_>, y: Var<'_>| {
        net(y, &of_a, &of_t) + 0.5 * x.exp() * y.norm_squared()
    });
    let upper = objective(move |_: Var<'_>, y: Var<'_>| net(y, &(&a * 0.8), &(&t * 0.7)));
    let start = DVector::from_fn(15, |i, _| 0.5 * (i as f64 * 1.7).sin());
    let problem = Bilevel::new(upper, lower, 1, 15).expect("a valid problem");
    let problem = problem.starting_from(start);
    let aid = Aid::cg().lower(LowerSolve::Lbfgs {
        tolerance: None,
        limit: None,
    });
    let run = |x: f64, near: Option<&DVector<f64>>| {
        let x = dvector![x];
        let at = match near {
            Some(near) => At::new(&x).start(near),
            None => At::new(&x),
        };
        let found = aid.hypergradient_at(&problem, at, &mut problem.workspace());
        found.expect("valid settings")
    };
    let found = run(-4.0, None);
    assert!(found.status.is_success(), "{found}");
    let value = |x: f64| run(x, Some(&found.y)).upper;
    let wanted = (value(-4.0 + 1e-3) - value(-4.0 - 1e-3)) / 2e-3;
    let off = (found.hypergradient[0] - wanted).abs();
    assert!(off < 1e-4 * wanted.abs(), "{off:e} of {wanted:e}: {found}");
    // It is for what is smooth.
    let held = problem
        .clone()
        .with_part(Part::above(|x: Var| x))
        .expect("a part");
    let said = aid.suits(&held).expect_err("a part").to_string();
    assert!(
        said.contains("L-BFGS") && said.contains("expected Newton"),
        "{said}"
    );
}

/// With A of two diagonals and `t = Ay + n w A⁻ᵀ1` every entry of y stays positive at the weight w, and
/// dy/dw = −n A⁻¹A⁻ᵀ1.
#[test]
fn more_free_entries_than_a_working_set_holds_are_solved_in_blocks() {
    let d = 1300;
    let scale = |i: usize| 10f64.powi(-((i % 3) as i32));
    let at = |i: usize, j: usize| match i.wrapping_sub(j) {
        0 => scale(i),
        1 => 0.3 * scale(i),
        _ => 0.0,
    };
    let (n, weight) = (d as f64, 1e-5);
    let y = DVector::from_fn(d, |i, _| 1.0 + 0.5 * (i as f64).sin());
    let mut z = DVector::from_element(d, 1.0);
    for j in (0..d).rev() {
        let below = if j + 1 < d {
            at(j + 1, j) * z[j + 1]
        } else {
            0.0
        };
        z[j] = (1.0 - below) / at(j, j);
    }
    let mut slope = DVector::zeros(d);
    for i in 0..d {
        let before = if i > 0 {
            at(i, i - 1) * slope[i - 1]
        } else {
            0.0
        };
        slope[i] = (-n * z[i] - before) / at(i, i);
    }
    let target = |i: usize| {
        let before = if i > 0 { at(i, i - 1) * y[i - 1] } else { 0.0 };
        at(i, i) * y[i] + before + n * weight * z[i]
    };
    let rows = |i: usize| (i.saturating_sub(1)..=i).map(move |j| (i, j));
    let mut dense = DMatrix::zeros(d, d);
    for (i, j) in (0..d).flat_map(rows) {
        dense[(i, j)] = at(i, j);
    }
    let samples = Samples {
        features: autodiff::Sparse::of_dense(&dense).into(),
        labels: (0..d).map(target).collect(),
    };
    let data = Dataset::<f64>::targets(&samples);
    let lower = objective(move |_: Var, y: Var| data.squared_loss(y));
    let upper = objective(|_: Var, y: Var| 0.5 * y.norm_squared());
    let problem = Bilevel::new(upper, lower, 1, d).expect("a valid problem");
    let problem = problem
        .with_part(Part::l1(|x: Var| x.exp()))
        .expect("a part");
    let x = dvector![f64::ln(weight)];
    let aid = Aid::cg();
    let found = aid
        .hypergradient(&problem, &x, &mut problem.workspace())
        .expect("valid settings");
    assert!(found.status.is_success(), "{found}");
    assert!((&found.y - &y).norm() < 1e-6 * y.norm(), "{found}");
    let want = weight * y.dot(&slope);
    assert!(
        (found.hypergradient[0] / want - 1.0).abs() < 1e-5,
        "{want} {found}"
    );
    assert_eq!(found.bytes.peak, aid.predicted_peak_bytes(&problem));
    // One iteration would do were there room; steps take hundreds.
    assert!(found.lower_iterations < 60, "{found}");
}
