//! Lower levels with constraints or a soft threshold, whose hypergradient is known.

use nalgebra::{DMatrix, DVector, dmatrix, dvector};
use solvers::{Aid, AidStep, Constraint, Exact, FixedPart, InnerStep, Itd, StepSystem, Strategy};

use crate::inner::{beside, close, cube, quadratic, run, soft};

/// Every way to the derivative of the solution agrees with `want`.
#[track_caller]
fn all_agree(a: &DMatrix<f64>, c: &[f64], x: &DVector<f64>, h: FixedPart, want: &DVector<f64>) {
    let problem = beside(quadratic(a, c), Some(h));
    let step = AidStep::new(InnerStep::GradientDescent).tolerance(1e-12);
    let gmres = StepSystem::Gmres { restart: 20 };
    let strategies: [&dyn Strategy<f64>; 8] = [
        &step,
        &step.clone().system(gmres),
        &AidStep::new(InnerStep::Fista).tolerance(1e-12),
        &Itd::reverse(400),
        &Itd::reverse(5000).tolerance(1e-12),
        &Aid::cg(),
        &Aid::direct(),
        &Exact,
    ];
    for strategy in strategies {
        let estimate = run(&problem, strategy, x);
        assert!(estimate.status.is_success(), "{estimate}");
        assert!(estimate.lower_residual < 1e-10, "{estimate}");
        close(&estimate.hypergradient, want, 1e-9);
    }
}

#[test]
fn a_box_holds_one_entry_and_the_other_follows() {
    // y₂ = 1 by its bound; 2(y₁ − x₁) + (1 − x₂) = 0.
    let (a, x, c) = (
        dmatrix![2.0, 1.0; 1.0, 2.0],
        dvector![0.3, 2.0],
        [2.0, -1.0],
    );
    let y = x[0] + 0.5 * (x[1] - 1.0);
    let want = (y - c[0]) * dvector![1.0, 0.5] + &x;
    all_agree(&a, &c, &x, cube(0.0, 1.0).into(), &want);
    // Both free: y = x. Both held: F's own derivative by x.
    let inside = dvector![0.3, 0.6];
    let want = &inside * 2.0 - DVector::from_row_slice(&c);
    all_agree(&a, &c, &inside, cube(0.0, 1.0).into(), &want);
    let outside = dvector![3.0, 3.0];
    all_agree(&a, &c, &outside, cube(0.0, 1.0).into(), &outside);
    // A half-line is a box.
    let want = dvector![0.0, -2.0 + 2.0 * 0.5];
    let (a, c) = (DMatrix::identity(2, 2), [0.0, 2.0]);
    let half = dvector![0.0 - 1.0, 0.5];
    let want = want + dvector![-1.0, 0.0];
    all_agree(&a, &c, &half, cube(0.0, f64::INFINITY).into(), &want);
}

#[test]
fn a_lasso_is_affine_on_its_support() {
    // A_SS (y − x)_S = A_SZ x_Z − wσ, the support S and signs σ found by the steps and checked.
    let a = dmatrix![2.0, 0.5, 0.3; 0.5, 1.5, 0.2; 0.3, 0.2, 1.0];
    let (x, c, w) = (dvector![1.5, 0.2, -2.0], [0.4, 1.0, -0.5], 0.6);
    let (s, z) = ([0usize, 2], 1usize);
    let a_ss = DMatrix::from_fn(2, 2, |i, j| a[(s[i], s[j])]);
    let a_sz = DVector::from_fn(2, |i, _| a[(s[i], z)]);
    let inverse = a_ss.try_inverse().expect("positive definite");
    let sigma = dvector![1.0, -1.0];
    let y_s = dvector![x[0], x[2]] + &inverse * (&a_sz * x[z] - sigma.clone() * w);
    assert!(y_s[0] > 0.0 && y_s[1] < 0.0);
    let y = dvector![y_s[0], 0.0, y_s[1]];
    let slack: DVector<f64> = &a * (&y - &x);
    assert!(slack[z].abs() < w, "the middle entry stays 0");
    // ∂y_S/∂x_S = I, ∂y_S/∂x_Z = A_SS⁻¹ A_SZ.
    let f_y = dvector![y[0] - c[0], y[2] - c[2]];
    let mut want = x.clone();
    want[0] += f_y[0];
    want[2] += f_y[1];
    want[z] += (&inverse * &a_sz).dot(&f_y);
    all_agree(&a, &c, &x, soft(w), &want);
    let estimate = run(
        &beside(quadratic(&a, &c), Some(soft(w))),
        &AidStep::new(InnerStep::GradientDescent),
        &x,
    );
    close(&estimate.y, &y, 1e-9);
    assert_eq!(estimate.y[z], 0.0);
}

#[test]
fn a_projection_to_a_ball_has_its_jacobian() {
    // g = ½‖y − x‖² over ‖y‖ ≤ r: y = r x/‖x‖, with Jacobian r/‖x‖ (I − x xᵀ/‖x‖²).
    let (x, c, r) = (dvector![1.2, -0.7, 0.4], [0.3, 0.2, -0.1], 0.8);
    let size = x.norm();
    let f_y = &x * (r / size) - DVector::from_row_slice(&c);
    let want = (&f_y - &x * (x.dot(&f_y) / (size * size))) * (r / size) + &x;
    let a = DMatrix::identity(3, 3);
    all_agree(&a, &c, &x, Constraint::Ball { radius: r }.into(), &want);
    let inside = &x * 0.1;
    let want = &inside * 2.0 - DVector::from_row_slice(&c);
    all_agree(
        &a,
        &c,
        &inside,
        Constraint::Ball { radius: r }.into(),
        &want,
    );
    // At the centre the norm has no derivative; the projection has.
    let centre = DVector::zeros(3);
    let want = -DVector::from_row_slice(&c);
    all_agree(
        &a,
        &c,
        &centre,
        Constraint::Ball { radius: r }.into(),
        &want,
    );
}

/// argmin ½(y − x)ᵀA(y − x) over the simplex, by trying every face.
fn on_simplex(a: &DMatrix<f64>, x: &DVector<f64>) -> DVector<f64> {
    let n = x.len();
    let ax = a * x;
    for mask in 1..1usize << n {
        let s: Vec<usize> = (0..n).filter(|i| mask >> i & 1 == 1).collect();
        let m = s.len();
        // A_SS y_S + λ1 = (Ax)_S, Σ y_S = 1.
        let matrix = DMatrix::from_fn(m + 1, m + 1, |i, j| match (i < m, j < m) {
            (true, true) => a[(s[i], s[j])],
            (false, false) => 0.0,
            _ => 1.0,
        });
        let right = DVector::from_fn(m + 1, |i, _| if i < m { ax[s[i]] } else { 1.0 });
        let solved = matrix.lu().solve(&right).expect("regular");
        let mut y = DVector::zeros(n);
        (0..m).for_each(|i| y[s[i]] = solved[i]);
        let slack = a * &y - &ax;
        let held = |i: usize| s.contains(&i) || slack[i] >= -solved[m];
        if y.iter().all(|v| *v >= 0.0) && (0..n).all(held) {
            return y;
        }
    }
    panic!("one face holds the solution")
}

#[test]
fn a_simplex_agrees_with_differences_of_the_exact_solution() {
    let a =
        dmatrix![2.0, 0.3, -0.2, 0.1; 0.3, 1.5, 0.4, 0.0; -0.2, 0.4, 1.0, 0.2; 0.1, 0.0, 0.2, 0.8];
    let c = [0.9, -0.3, 0.2, 0.4];
    let mut supports = std::collections::BTreeSet::new();
    for x in [
        dvector![0.4, 0.3, 0.2, 0.5],
        dvector![1.1, 0.3, -0.6, 0.2],
        dvector![-0.2, 2.0, 0.1, 0.0],
    ] {
        let y = on_simplex(&a, &x);
        supports.insert(y.iter().filter(|v| **v > 0.0).count());
        let value = |x: &DVector<f64>| {
            let y = on_simplex(&a, x);
            0.5 * (y - DVector::from_row_slice(&c)).norm_squared() + 0.5 * x.norm_squared()
        };
        // F is quadratic on a face, so central differences are exact but for rounding.
        let want = DVector::from_fn(4, |i, _| {
            let mut e = DVector::zeros(4);
            e[i] = 1e-4;
            (value(&(&x + &e)) - value(&(&x - &e))) / 2e-4
        });
        all_agree(&a, &c, &x, Constraint::Simplex.into(), &want);
    }
    assert!(
        supports.len() > 1,
        "faces of several dimensions: {supports:?}"
    );
}

#[test]
fn without_a_constraint_it_is_implicit_differentiation() {
    // Momentum and Nesterov too are differentiated as the first of them is: a gradient step.
    let problem = crate::inner::curved(4);
    let x = crate::inner::point(4);
    let exact = run(&problem, &solvers::Exact, &x);
    for inner in [
        InnerStep::GradientDescent,
        InnerStep::Momentum(0.5),
        InnerStep::Nesterov(0.5),
        InnerStep::Fista,
    ] {
        for system in [StepSystem::Iteration, StepSystem::Gmres { restart: 3 }] {
            let aid = AidStep::new(inner.clone()).system(system);
            let estimate = run(&problem, &aid, &x);
            assert!(estimate.status.is_success(), "{inner}: {estimate}");
            close(&estimate.hypergradient, &exact.hypergradient, 1e-8);
        }
    }
}

#[test]
fn gmres_ends_in_as_many_iterations_as_there_are_unknowns() {
    let a = DMatrix::from_diagonal(&dvector![0.01, 0.1, 1.0, 2.0]);
    let (c, x) = ([1.0, -1.0, 2.0, 0.5], dvector![0.1, 0.2, 0.3, 0.4]);
    let problem = beside(quadratic(&a, &c), Some(cube(-9.0, 9.0).into()));
    let aid = AidStep::new(InnerStep::GradientDescent).tolerance(1e-9);
    let slow = run(&problem, &aid, &x);
    let aid = aid.system(StepSystem::Gmres { restart: 10 });
    let fast = run(&problem, &aid, &x);
    assert!(slow.linear_iterations > 100, "{slow}");
    assert!(fast.linear_iterations <= 4, "{fast}");
    for estimate in [slow, fast] {
        assert!(estimate.linear_residual.expect("a system") <= 1e-9);
        close(
            &estimate.hypergradient,
            &(&x * 2.0 - DVector::from_row_slice(&c)),
            1e-6,
        );
    }
}

#[test]
fn single_precision_is_near_double_precision() {
    use autodiff::{Var, objective};
    let lower = objective(|x: Var<f32>, y: Var<f32>| (y - x).norm_squared() * 0.5);
    let upper = objective(|_: Var<f32>, y: Var<f32>| (y - 0.5).norm_squared() * 0.5);
    let problem = solvers::Bilevel::new(upper, lower, 2, 2).expect("valid");
    let problem = problem.with_part(cube(0.0, 1.0).into()).expect("a part");
    for system in [StepSystem::Iteration, StepSystem::Gmres { restart: 4 }] {
        let aid = AidStep::new(InnerStep::GradientDescent).system(system);
        let x = DVector::from_row_slice(&[0.25f32, 3.0]);
        let estimate = aid.hypergradient(&problem, &x, &mut problem.workspace());
        let estimate = estimate.expect("valid");
        assert!(estimate.status.is_success(), "{estimate}");
        assert!((estimate.hypergradient[0] + 0.25).abs() < 1e-5);
        assert_eq!(estimate.hypergradient[1], 0.0);
    }
}
