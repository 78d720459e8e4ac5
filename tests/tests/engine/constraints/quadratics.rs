//! Random quadratic programs against an enumeration of their active sets.

use autodiff::{Var, objective};
use nalgebra::{DMatrix, DVector};
use solvers::{Bilevel, Constraints, Status};

use super::kkt;

/// min ½yᵀQy − (Bx)ᵀy under `A y ≤ c + Dx`, upper ½‖y − 1‖².
struct Program {
    q: DMatrix<f64>,
    b: DMatrix<f64>,
    a: DMatrix<f64>,
    c: DVector<f64>,
    d: DMatrix<f64>,
}

impl Program {
    fn new(seed: usize) -> Self {
        let (dim_x, n, m) = (2, 4, 6);
        let wave = |k: f64| {
            move |i: usize, j: usize| {
                ((1 + seed * 7) as f64 + k * (i * 11 + j * 3 + 1) as f64).sin()
            }
        };
        let root = DMatrix::from_fn(n, n, wave(1.7));
        Program {
            q: &root * root.transpose() + DMatrix::identity(n, n) * 0.2,
            b: DMatrix::from_fn(n, dim_x, wave(2.3)) * 2.0,
            a: DMatrix::from_fn(m, n, wave(0.9)),
            c: DVector::from_fn(m, |i, _| 0.1 + wave(1.1)(i, 2).abs() * 0.5),
            d: DMatrix::from_fn(m, dim_x, wave(3.1)) * 0.1,
        }
    }

    fn problem(&self) -> Bilevel<f64> {
        let (q, b, a) = (self.q.clone(), self.b.clone(), self.a.clone());
        let (c, d) = (self.c.clone(), self.d.clone());
        let upper = objective(|_: Var, y: Var| 0.5 * (y - 1.0).norm_squared());
        let lower = objective(move |x: Var, y: Var| 0.5 * y.dot(&q * y) - (&b * x).dot(y));
        let held = Constraints::new().at_most_zero(move |x: Var, y: Var| &a * y - &c - &d * x);
        Bilevel::new(upper, lower, 2, 4)
            .and_then(|p| p.with_constraints(held))
            .expect("a valid problem")
    }

    /// The solution, by trying every active set.
    fn solution(&self, x: &DVector<f64>) -> DVector<f64> {
        let (m, n) = self.a.shape();
        let (b, c) = (&self.b * x, &self.c + &self.d * x);
        for set in 0u32..1 << m {
            let rows: Vec<usize> = (0..m).filter(|i| set >> i & 1 == 1).collect();
            if rows.len() > n {
                continue;
            }
            let (k, a) = (rows.len(), self.a.select_rows(&rows));
            let mut system = DMatrix::zeros(n + k, n + k);
            system.view_mut((0, 0), (n, n)).copy_from(&self.q);
            system.view_mut((n, 0), (k, n)).copy_from(&a);
            system.view_mut((0, n), (n, k)).copy_from(&a.transpose());
            let mut right = DVector::zeros(n + k);
            right.rows_mut(0, n).copy_from(&b);
            right.rows_mut(n, k).copy_from(&c.select_rows(&rows));
            let Some(solved) = system.clone().lu().solve(&right) else {
                continue;
            };
            // A set whose gradients depend on each other has no solution.
            if (&system * &solved - &right).amax() > 1e-10 {
                continue;
            }
            let y = solved.rows(0, n).into_owned();
            let pressed = solved.rows(n, k).iter().all(|l| *l >= 0.0);
            if pressed && (&self.a * &y - &c).max() <= 1e-12 {
                return y;
            }
        }
        panic!("no active set");
    }
}

#[test]
fn hypergradients_are_differences_of_a_solution_by_enumeration() {
    let mut sizes = [0; 5];
    for seed in 0..40 {
        let program = Program::new(seed);
        let x = DVector::from_fn(2, |i, _| (seed as f64 + 3.0 * i as f64).cos());
        let estimate = kkt(&program.problem(), x.as_slice());
        assert_eq!(estimate.status, Status::Converged, "{seed}: {estimate}");
        let y = program.solution(&x);
        assert!(
            (&estimate.y - &y).norm() <= 1e-11 * (1.0 + y.norm()),
            "{seed}: {estimate}"
        );
        let active = estimate.multipliers.iter().filter(|l| **l > 0.0).count();
        sizes[active] += 1;
        if estimate.margin.expect("constraints") < 1e-4 {
            continue;
        }
        let phi = |x: &DVector<f64>| 0.5 * program.solution(x).add_scalar(-1.0).norm_squared();
        for i in 0..2 {
            let mut e = DVector::zeros(2);
            e[i] = 1e-6;
            let difference = (phi(&(&x + &e)) - phi(&(&x - &e))) / 2e-6;
            let h = estimate.hypergradient[i];
            assert!(
                (h - difference).abs() <= 1e-7 * (1.0 + h.abs()),
                "{seed}: {h} {difference}"
            );
        }
    }
    assert!(
        sizes.iter().filter(|count| **count > 0).count() >= 3,
        "{sizes:?}"
    );
}

#[test]
fn a_curved_level_under_curved_constraints_agrees_with_differences_of_itself() {
    let upper = objective(|x: Var, y: Var| 0.5 * (y - 0.5).norm_squared() + 0.1 * x.norm_squared());
    let lower = objective(|x: Var, y: Var| {
        (y - x.at(0)).exp().sum() + 0.5 * y.norm_squared() - 3.0 * y.sum()
    });
    let held = Constraints::new()
        .at_most_zero(|x: Var, y: Var| y.square().sum() - x.at(1).exp())
        .at_most_zero(|x: Var, y: Var| (y.at(0) - 2.0 * y.at(1)).exp() - 1.5 - x.at(0))
        .zero(|x: Var, y: Var| y.at(2) - x.at(0) * y.at(0));
    let problem = Bilevel::new(upper, lower, 2, 3)
        .and_then(|p| p.with_constraints(held))
        .expect("a valid problem");
    let x = [0.3, -0.4];
    let estimate = kkt(&problem, &x);
    assert_eq!(estimate.status, Status::Converged, "{estimate}");
    // The equality and the first inequality hold, the second does not.
    let zero = estimate.multipliers.iter().map(|l| *l == 0.0);
    assert_eq!(zero.collect::<Vec<_>>(), [false, false, true], "{estimate}");
    for i in 0..2 {
        let at = |by: f64| {
            let mut x = x;
            x[i] += by;
            kkt(&problem, &x).upper
        };
        let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
        let h = estimate.hypergradient[i];
        assert!((h - difference).abs() < 1e-8, "{h} {difference}");
    }
}
