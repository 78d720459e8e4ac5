//! Hypergradients by the formula on the active set, to 1e-9.

use autodiff::{Var, objective};
use nalgebra::{DMatrix, DVector, dvector};
use solvers::{Aid, Bilevel, Exact, Part};

use super::{DIMS, Quadratic, close, run};

/// The entries of y that are not 0.
fn support(y: &DVector<f64>) -> Vec<usize> {
    (0..y.len()).filter(|i| y[*i] != 0.0).collect()
}

/// `∇_xF − Σ_S v_S (…)`: with `Q_SS v = (∇_yF)_S`, for parameters that pull S by `pull` times dx, and
/// more curvature `more` on S.
fn on_support(
    quadratic: &Quadratic,
    x: &DVector<f64>,
    s: &[usize],
    y: &DVector<f64>,
    more: &DMatrix<f64>,
    pull: &DMatrix<f64>,
) -> DVector<f64> {
    let (q, m) = (&quadratic.q, s.len());
    let h = DMatrix::from_fn(m, m, |i, j| q[(s[i], s[j])] + more[(i, j)]);
    let b = DVector::from_fn(m, |i, _| y[s[i]] - quadratic.c[s[i]]);
    let v = h.lu().solve(&b).expect("positive definite");
    let qb = q * &quadratic.b;
    let cross = DMatrix::from_fn(m, DIMS.0, |i, k| qb[(s[i], k)] - pull[(i, k)]);
    x + cross.transpose() * v
}

#[test]
fn lasso_and_elastic_net_by_the_formula_on_the_support() {
    let quadratic = Quadratic::new(1.0);
    let x: DVector<f64> = dvector![0.3, 0.4, -0.9];
    let (w, v) = (x[0].exp(), x[1].exp());

    let problem = quadratic.problem(Part::l1(|x: Var| x.at(0).exp()));
    for exact in [run(&problem, &Exact, &x), run(&problem, &Aid::cg(), &x)] {
        let s = support(&exact.y);
        assert!(s.len() > 1 && s.len() < DIMS.1, "{s:?}");
        let pull = DMatrix::from_fn(s.len(), DIMS.0, |i, k| match k {
            0 => w * exact.y[s[i]].signum(),
            _ => 0.0,
        });
        let none = DMatrix::zeros(s.len(), s.len());
        let want = on_support(&quadratic, &x, &s, &exact.y, &none, &pull);
        close(&exact.hypergradient, &want, 1e-9, "lasso");
    }

    let net = Part::elastic_net(|x: Var| x.at(0).exp(), |x: Var| x.at(1).exp());
    let problem = quadratic.problem(net);
    let exact = run(&problem, &Exact, &x);
    let s = support(&exact.y);
    assert!(s.len() > 1 && s.len() < DIMS.1, "{s:?}");
    let pull = DMatrix::from_fn(s.len(), DIMS.0, |i, k| match k {
        0 => w * exact.y[s[i]].signum(),
        1 => v * exact.y[s[i]],
        _ => 0.0,
    });
    let more = DMatrix::identity(s.len(), s.len()) * v;
    let want = on_support(&quadratic, &x, &s, &exact.y, &more, &pull);
    close(&exact.hypergradient, &want, 1e-9, "elastic net");
}

#[test]
fn group_lasso_by_the_formula_on_the_groups_that_are_kept() {
    let quadratic = Quadratic::new(2.0);
    let groups = vec![vec![0, 4], vec![2, 1, 6], vec![3, 5]];
    let x: DVector<f64> = dvector![0.9, -0.6, 0.6];
    let part = Part::group_lasso(groups.clone(), |x: Var| x.exp());
    let exact = run(&quadratic.problem(part), &Exact, &x);
    let kept: Vec<usize> = (0..3).filter(|g| exact.y[groups[*g][0]] != 0.0).collect();
    assert!(!kept.is_empty() && kept.len() < 3, "{kept:?}");
    let s: Vec<usize> = kept.iter().flat_map(|g| groups[*g].clone()).collect();
    let of: Vec<usize> = kept
        .iter()
        .flat_map(|g| vec![*g; groups[*g].len()])
        .collect();
    let norm = |g: usize| {
        groups[g]
            .iter()
            .map(|i| exact.y[*i].powi(2))
            .sum::<f64>()
            .sqrt()
    };
    // The second derivative of w‖y_g‖: w (I − y yᵀ/‖y‖²)/‖y‖.
    let more = DMatrix::from_fn(s.len(), s.len(), |i, j| {
        let (g, size) = (of[i], norm(of[i]));
        let unit = if i == j { 1.0 } else { 0.0 };
        match g == of[j] {
            true => x[g].exp() / size * (unit - exact.y[s[i]] * exact.y[s[j]] / (size * size)),
            false => 0.0,
        }
    });
    let pull = DMatrix::from_fn(s.len(), 3, |i, k| match k == of[i] {
        true => x[k].exp() * exact.y[s[i]] / norm(k),
        false => 0.0,
    });
    let want = on_support(&quadratic, &x, &s, &exact.y, &more, &pull);
    close(&exact.hypergradient, &want, 1e-9, "group lasso");
}

/// The dual of a support vector machine: ½aᵀKa − 1ᵀa over 0 ≤ a ≤ C, C = eˣ. With the entries at C held
/// there, `K_SS da_S = −K_SB 1 dC`.
#[test]
fn the_dual_of_a_support_vector_machine_by_the_formula_on_its_margin() {
    let n = 12;
    let points = DMatrix::from_fn(n, 3, |i, j| {
        ((i * 3 + j) as f64 * 1.9).sin() + (i % 2) as f64
    });
    let signs = DVector::from_fn(n, |i, _| if i % 2 == 0 { 1.0 } else { -1.0 });
    let gram = &points * points.transpose();
    let k = DMatrix::from_fn(n, n, |i, j| {
        let away = if i == j { 0.1 } else { 0.0 };
        signs[i] * signs[j] * gram[(i, j)] + away
    });
    let c = DVector::from_fn(n, |i, _| 0.1 * (i as f64).cos());
    let lower = {
        let k = k.clone();
        objective(move |_: Var, a: Var| 0.5 * a.dot(&k * a) - a.sum())
    };
    let upper = {
        let c = c.clone();
        objective(move |_: Var, a: Var| 0.5 * (a - &c).norm_squared())
    };
    let bounds = Part::between(|x: Var| x.scalar(0.0), |x: Var| x.exp());
    let problem = Bilevel::new(upper, lower, 1, n)
        .and_then(|problem| problem.with_part(bounds))
        .expect("a valid problem");
    let x: DVector<f64> = dvector![-0.7];
    let exact = run(&problem, &Exact, &x);
    let high = x[0].exp();
    let held: Vec<usize> = (0..n).filter(|i| exact.y[*i] == high).collect();
    let free: Vec<usize> = (0..n)
        .filter(|i| exact.y[*i] > 0.0 && exact.y[*i] < high)
        .collect();
    assert!(
        held.len() > 1 && free.len() > 1 && held.len() + free.len() < n,
        "{held:?} {free:?}"
    );
    let k_ss = DMatrix::from_fn(free.len(), free.len(), |i, j| k[(free[i], free[j])]);
    let k_sb = DVector::from_fn(free.len(), |i, _| {
        held.iter().map(|j| k[(free[i], *j)]).sum()
    });
    let moved = -k_ss.lu().solve(&k_sb).expect("positive definite");
    let by_y = &exact.y - &c;
    let on_margin: f64 = free
        .iter()
        .zip(moved.iter())
        .map(|(i, m)| by_y[*i] * m)
        .sum();
    let at_bound: f64 = held.iter().map(|i| by_y[*i]).sum();
    let want = dvector![high * (on_margin + at_bound)];
    close(&exact.hypergradient, &want, 1e-9, "support vector machine");
    close(
        &run(&problem, &Aid::cg(), &x).hypergradient,
        &want,
        1e-9,
        "by cg",
    );
}

#[test]
fn a_group_lasso_of_a_users_features_has_groups_of_neighbours() {
    use models::data::{Samples, Splits};
    let samples = |n: usize, phase: f64| Samples {
        features: DMatrix::from_fn(5, n, |j, i| (phase + (7 * j + 3 * i) as f64).sin()).into(),
        labels: (0..n).map(|i| (phase + 0.6 * i as f64).cos()).collect(),
    };
    let splits = Splits {
        train: samples(30, 0.4),
        valid: samples(20, 1.7),
        test: None,
        source: "a test".into(),
    };
    let task = models::group_lasso_on::<f64>(splits);
    // Three features and two.
    assert_eq!((task.x.len(), task.bilevel.dim_y()), (2, 5));
    let at = |x: &DVector<f64>| run(&task.bilevel, &Aid::cg(), x);
    let estimate = at(&task.x);
    assert!(
        estimate.status.is_success() && estimate.hypergradient.norm() > 1e-6,
        "{estimate}"
    );
    for g in 0..2 {
        let beside = |by: f64| {
            let mut x = task.x.clone();
            x[g] += by;
            at(&x).upper
        };
        let slope = (beside(1e-5) - beside(-1e-5)) / 2e-5;
        assert!(
            (slope - estimate.hypergradient[g]).abs() < 1e-8,
            "{g}: {slope} {estimate}"
        );
    }
    // All of the first group, or none.
    let mut x = task.x.clone();
    x[0] += 20.0;
    assert_eq!(support(&at(&x).y), vec![3, 4]);
}
