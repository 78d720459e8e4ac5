//! A space that is kept from one system for the next.

use autodiff::{Meter, Real, Var, objective};
use models::closed_form;
use nalgebra::{DMatrix, DVector, dvector};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use solvers::linear::{Cg, LinearSolver, Outcome, Recycled, Report, Scratch};
use solvers::{Aid, At, Bilevel, Descent, LowerSolve, Method, Optimiser, Part, Strategy};

use crate::linear::system::{System, definite, relative};

/// A solve with what was kept: the report, the solution and the products.
fn keeping<T: Real>(
    system: &System,
    solver: &Recycled,
    kept: &mut [T],
) -> (Report, DVector<f64>, usize) {
    let n = system.dim();
    let of = |m: &DMatrix<f64>| m.map(T::of);
    let (h, b) = (of(&system.h), system.b.map(T::of));
    let mut products = 0;
    let mut product = |v: &[T], out: &mut [T]| {
        for (v, out) in v.chunks(n).zip(out.chunks_mut(n)) {
            products += 1;
            let v = DVector::from_column_slice(v);
            out.copy_from_slice((&h * v).as_slice());
        }
    };
    let mut room = vec![T::of(f64::NAN); LinearSolver::<T>::scratch(solver, n)];
    let (mut v, meter) = (vec![T::zero(); n], Meter::new());
    let scratch = &mut Scratch::new(&mut room, &meter);
    let report = solver.solve_keeping(&mut product, b.as_slice(), &mut v, kept, scratch);
    let v = DVector::from_iterator(n, v.iter().map(|v| v.f64()));
    (report, v, products)
}

fn room<T: Real>(solver: &Recycled, n: usize) -> Vec<T> {
    vec![T::zero(); LinearSolver::<T>::kept(solver, n)]
}

/// Six eigenvalues far below the others, and as many above; a spectrum that is moved by `drift`.
fn apart(n: usize, drift: f64) -> Vec<f64> {
    let at = |i: usize| match i {
        0..3 => 10f64.powi(-4 + i as i32),
        3..6 => 10f64.powi(i as i32),
        _ => 1.0 + i as f64 / n as f64,
    };
    (0..n)
        .map(|i| at(i) * (1.0 + drift * (i as f64).sin()))
        .collect()
}

#[test]
fn a_kept_space_of_the_extreme_eigenvectors_leaves_the_condition_of_the_rest() {
    let n = 120;
    let solver = Recycled::new(6);
    let mut kept = room::<f64>(&solver, n);
    let mut iterations = Vec::new();
    for k in 0..6 {
        let system = System::new(&apart(n, 1e-3 * f64::from(k)), 3);
        let (report, v, products) = keeping(&system, &solver, &mut kept);
        assert_eq!(report.outcome, Outcome::Converged);
        assert!(relative(&v, &system.solution()) < 1e-6);
        let of_space = if k == 0 { 0 } else { 6 };
        assert_eq!(products, report.iterations + of_space);
        iterations.push(report.iterations);
    }
    // To κ = 2 belong some 14 iterations to 1e-10, were the vectors exact.
    assert!(iterations[0] > 60, "{iterations:?}");
    assert!(
        iterations[2..].iter().all(|i| 2 * i < iterations[0]),
        "{iterations:?}"
    );
}

/// Two eigenvalues, each of many eigenvectors: the search takes two iterations whatever is kept, and
/// what is kept is tried after 1, 2, 4, 8, … systems.
#[test]
fn what_does_not_pay_is_tried_ever_less_often() {
    let n = 60;
    let values: Vec<f64> = (0..n).map(|i| 1.0 + (i % 6) as f64).collect();
    let solver = Recycled::new(4);
    let mut kept = room::<f64>(&solver, n);
    let (mut tried, mut seed) = (Vec::new(), 0);
    for k in 0..40 {
        seed += 1;
        let other = System::new(&vec![1.0; n], seed).b;
        let system = System::new(&values, 3).with(other);
        let (report, v, products) = keeping(&system, &solver, &mut kept);
        assert_eq!(report.outcome, Outcome::Converged);
        assert!(relative(&v, &system.solution()) < 1e-9);
        if products > report.iterations {
            tried.push(k);
        }
    }
    assert_eq!(tried, [1, 3, 6, 11, 20, 37]);
}

#[test]
fn without_anything_kept_it_is_conjugate_gradients_to_the_bit() {
    let system = System::new(&apart(60, 0.0), 1);
    let plain = system.solve::<f64>(&Cg::new());
    let solver = Recycled::new(5);
    assert_eq!(system.solve::<f64>(&solver).v, plain.v);
    let (report, v, _) = keeping(&system, &solver, &mut room::<f64>(&solver, 60));
    assert_eq!((report, v), (plain.report, plain.v));
}

#[test]
fn an_easy_system_leaves_nothing() {
    let solver = Recycled::new(5);
    let mut kept = room::<f64>(&solver, 30);
    let system = System::new(&[2.0; 30], 1);
    assert_eq!(keeping(&system, &solver, &mut kept).0.iterations, 1);
    assert_eq!(kept[..150], vec![0.0; 150]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever was kept: of another system, in part dependent, or zeros.
    #[test]
    fn what_was_kept_moves_no_solution(
        system in definite(2.0),
        seed in any::<u64>(),
        rank in 1..7usize,
        size in -30..30i32,
        twice in any::<bool>(),
    ) {
        let n = system.dim();
        let solver = Recycled::new(rank).tolerance(1e-12);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut kept = room::<f64>(&solver, n);
        let vectors = n * rank.min(n);
        if n > 3 {
            kept[..vectors].fill_with(|| 10f64.powi(size) * rng.random_range(-1.0..1.0));
        }
        if twice && n > 3 && rank > 1 {
            let (first, rest) = kept.split_at_mut(n);
            rest[..n].copy_from_slice(first);
        }
        for _ in 0..3 {
            let (report, v, _) = keeping(&system, &solver, &mut kept);
            prop_assert_eq!(report.outcome, Outcome::Converged);
            let error = relative(&v, &system.solution());
            prop_assert!(error < 1e-9, "{error:e}");
        }
    }

    #[test]
    fn powers_of_two_scale_system_and_solution(
        system in definite(2.0),
        of_h in -40..40i32,
        of_b in -40..40i32,
    ) {
        let (of_h, of_b) = (2f64.powi(of_h), 2f64.powi(of_b));
        let scaled = system.scaled(of_h).with(&system.b * of_b);
        let solver = Recycled::new(3);
        let n = system.dim();
        let (mut one, mut other) = (room::<f64>(&solver, n), room::<f64>(&solver, n));
        for _ in 0..3 {
            let (report, v, _) = keeping(&system, &solver, &mut one);
            let (again, of_scaled, _) = keeping(&scaled, &solver, &mut other);
            prop_assert_eq!(report, again);
            prop_assert_eq!(v * (of_b / of_h), of_scaled);
            prop_assert_eq!(&one, &other);
        }
    }
}

#[test]
fn single_precision_keeps_a_space_too() {
    let n = 80;
    let solver = Recycled::new(4);
    let mut kept = room::<f32>(&solver, n);
    let at = |i: i32| match i {
        0..4 => 1e-3 * 2f64.powi(i),
        _ => 1.0 + f64::from(i) / 80.0,
    };
    let system = System::new(&(0..80).map(at).collect::<Vec<_>>(), 7);
    let mut iterations = Vec::new();
    for _ in 0..4 {
        let (report, ..) = keeping(&system, &solver, &mut kept);
        assert_eq!(report.outcome, Outcome::Converged);
        iterations.push(report.iterations);
    }
    let saves = iterations[1..].iter().all(|i| i + 4 < iterations[0]);
    assert!(saves, "{iterations:?}");
}

#[test]
fn a_kept_direction_without_curvature_or_with_negative_is_told_and_forgotten() {
    let n = 40;
    let mut values: Vec<f64> = (0..n).map(|i| 1.0 + i as f64).collect();
    let solver = Recycled::new(2);
    for (value, is_negative) in [(-0.5, true), (0.0, false)] {
        values[0] = value;
        let unit = |i: usize| DVector::from_fn(n, |k, _| f64::from(u8::from(k == i)));
        // What plain conjugate gradients never meet: b has no part along it.
        let b = DVector::from_fn(n, |i, _| if i == 0 { 0.0 } else { 1.0 });
        let system = System::diagonal(&values, b.as_slice());
        let plain = system.solve::<f64>(&Cg::new());
        assert_eq!(plain.report.outcome, Outcome::Converged);
        let mut kept = [unit(0).as_slice(), unit(n - 1).as_slice(), &[0.0; 3]].concat();
        let (report, v, _) = keeping(&system, &solver, &mut kept);
        match report.outcome {
            Outcome::Negative { relative_curvature } if is_negative => {
                assert!((relative_curvature + 0.5 / 40.0).abs() < 1e-12);
            }
            Outcome::Singular { .. } if !is_negative => {}
            other => panic!("{value}: {other:?}"),
        }
        assert_eq!(
            v, plain.v,
            "the answer is that of plain conjugate gradients"
        );
        assert!(kept.iter().all(|v| *v == 0.0));
    }
}

/// The flat direction alone was kept: nothing beside it tells what flat is, but the search does.
#[test]
fn a_flat_direction_that_was_kept_alone_is_held_against_what_the_search_meets() {
    let n = 30;
    let mut values = vec![1.0; n];
    (1..n).for_each(|i| values[i] += i as f64);
    values[0] = 1e-17;
    let system = System::diagonal(&values, &[1.0; 30]);
    let solver = Recycled::new(1);
    let mut kept = room::<f64>(&solver, n);
    kept[0] = 1.0;
    let (report, ..) = keeping(&system, &solver, &mut kept);
    assert!(
        matches!(report.outcome, Outcome::Singular { .. }),
        "{report:?}"
    );
}

#[test]
fn products_that_are_not_finite_are_told_and_nothing_is_kept_of_them() {
    let mut system = System::new(&apart(20, 0.0), 2);
    let solver = Recycled::new(3);
    let mut kept = room::<f64>(&solver, 20);
    keeping(&system, &solver, &mut kept);
    assert!(kept.iter().any(|v| *v != 0.0));
    system.h[(1, 2)] = f64::NAN;
    let (report, ..) = keeping(&system, &solver, &mut kept);
    assert_eq!(report.outcome, Outcome::NonFinite);
    assert!(kept.iter().all(|v| *v == 0.0));
}

/// Products with H that the linear systems of twenty steps of descent take, each started from the last
/// solution, and where they lead.
fn products(problem: &Bilevel<f64>, linear: impl LinearSolver<f64>) -> (usize, DVector<f64>) {
    let aid = Aid::with(linear).lower(LowerSolve::Start);
    let mut work = problem.workspace();
    let mut x = DVector::from_element(problem.dim_x(), 0.1);
    let mut guess = DVector::zeros(problem.dim_y());
    let mut kept = vec![0.0; aid.kept(problem)];
    let mut products = 0;
    for _ in 0..20 {
        let y = Aid::direct()
            .hypergradient(problem, &x, &mut work)
            .expect("valid")
            .y;
        let at = At::new(&x).start(&y).linear(&mut guess).kept(&mut kept);
        let found = aid.hypergradient_at(problem, at, &mut work).expect("valid");
        assert!(found.linear_residual.is_some_and(|r| r <= 1e-10), "{found}");
        products += found.oracles.lower.hvps;
        x -= 0.05 * found.hypergradient.normalize();
    }
    (products, x)
}

/// ½ yᵀ(C + e^{x} I)y − bᵀy with four eigenvalues of C far above the others and four far below.
fn ridge() -> Bilevel<f64> {
    let values: Vec<f64> = (0..100i32)
        .map(|i| match i {
            0..4 => 1e-3 * 5f64.powi(i),
            4..8 => 1e3 * f64::from(i),
            _ => 1.0 + f64::from(i) / 20.0,
        })
        .collect();
    let system = System::new(&values, 4);
    let (c, b) = (system.h, system.b);
    let target = DVector::from_element(100, 1.0);
    let upper = objective(move |x: Var, y: Var| {
        (y - y.vector(target.as_slice())).norm_squared() + 0.5 * x.norm_squared()
    });
    let lower = objective(move |x: Var, y: Var| {
        let c = y.matrix(&c);
        0.5 * (y.dot(c.matmul(y)) + (x - 5.0).exp() * y.norm_squared())
            - y.dot(y.vector(b.as_slice()))
    });
    Bilevel::new(upper, lower, 1, 100).expect("a valid problem")
}

#[test]
fn a_run_takes_fewer_products_and_goes_where_plain_conjugate_gradients_go() {
    let problem = ridge();
    let (plain, x) = products(&problem, Cg::new());
    let (recycled, again) = products(&problem, Recycled::new(8));
    assert!((x - again).norm() < 1e-8);
    assert!(3 * recycled < 2 * plain, "{recycled} and {plain}");
}

#[test]
fn a_face_that_changed_takes_what_was_kept_of_another_one() {
    // A Lasso in an orthogonal design of columns of unlike size: y is 0 where the weight x is more.
    let n = 40;
    let scale = DVector::from_fn(n, |i, _| 10f64.powf(-2.0 * i as f64 / n as f64));
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let q = DMatrix::<f64>::from_fn(n, n, |_, _| rng.random_range(-1.0..1.0))
        .qr()
        .q();
    let h = &q * DMatrix::from_diagonal(&scale) * q.transpose();
    let b = DVector::from_fn(n, |i, _| (i as f64).sin());
    let upper = objective(|_: Var, y: Var| (y - 0.3).norm_squared());
    let lower = objective(move |_: Var, y: Var| {
        0.5 * y.dot(y.matrix(&h).matmul(y)) - y.dot(y.vector(b.as_slice()))
    });
    let problem = Bilevel::new(upper, lower, 1, n)
        .and_then(|problem| problem.with_part(Part::l1(|x: Var| x.exp())))
        .expect("a valid problem");
    let (plain, aid) = (Aid::cg(), Aid::with(Recycled::new(4)));
    let mut kept = vec![0.0; aid.kept(&problem)];
    let mut work = problem.workspace();
    let mut supports = Vec::new();
    for x in [-4.0, -2.0, -1.0, -0.5, -3.0] {
        let x = dvector![x];
        let at = At::new(&x).kept(&mut kept);
        let found = aid
            .hypergradient_at(&problem, at, &mut work)
            .expect("valid");
        let want = plain
            .hypergradient(&problem, &x, &mut problem.workspace())
            .expect("valid");
        assert!(
            found.status.is_success() && want.status.is_success(),
            "{found}"
        );
        assert!(found.linear_residual.is_some_and(|r| r <= 1e-10), "{found}");
        let error = (found.hypergradient[0] - want.hypergradient[0]).abs();
        assert!(error < 1e-7 * want.hypergradient[0].abs(), "{error:e}");
        supports.push(found.y.iter().filter(|y| **y != 0.0).count());
    }
    supports.dedup();
    assert!(supports.len() == 5, "{supports:?}");
}

#[test]
fn a_run_that_is_saved_goes_on_with_what_was_kept() {
    let problem: Bilevel<f64> = closed_form::quadratic(3, 60, 4).bilevel;
    let optimiser = Optimiser::GradientDescent { rate: 0.05 };
    let descent = Descent::new(Aid::with(Recycled::new(4)), optimiser, 12)
        .warm_start(true)
        .warm_linear(true);
    let begin = || {
        descent
            .begin(&problem, DVector::zeros(3))
            .expect("valid settings")
    };
    let mut whole = begin();
    let mut saved = None;
    let mut reports = Vec::new();
    while let Some(progress) = whole.step() {
        if progress.iteration == 6 {
            saved = Some(whole.save());
        }
        reports.push((
            progress.iteration,
            progress.oracles,
            progress.upper.to_bits(),
        ));
    }
    let mut resumed = begin();
    resumed
        .restore(&saved.expect("six steps"))
        .expect("the same run");
    let mut rest = Vec::new();
    while let Some(progress) = resumed.step() {
        rest.push((
            progress.iteration,
            progress.oracles,
            progress.upper.to_bits(),
        ));
    }
    let after: Vec<_> = reports.into_iter().filter(|r| r.0 > 6).collect();
    assert_eq!(rest, after);
    assert_eq!(resumed.x(), whole.x());
}

#[test]
#[should_panic(expected = "what was kept has 3 entries: aid-recycled-cg keeps 19 on this problem")]
fn a_space_of_another_problem_is_refused() {
    let lower = objective(|x: Var, y: Var| (y - x).norm_squared());
    let upper = objective(|_: Var, y: Var| y.sum());
    let problem = Bilevel::new(upper, lower, 4, 4).expect("a valid problem");
    let (x, mut kept) = (DVector::zeros(4), vec![0.0; 3]);
    let at = At::new(&x).kept(&mut kept);
    let aid = Aid::with(Recycled::new(9));
    drop(aid.hypergradient_at(&problem, at, &mut problem.workspace()));
}
