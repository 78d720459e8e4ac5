//! Parts beside g: hypergradients against formulas on the active set, and against differences of a
//! solution by a solver of its own.

mod alone;
mod bad_input;
mod columns;
mod faces;
mod kinds;
mod starts;
mod working;

use autodiff::{Var, objective};
use nalgebra::{DMatrix, DVector};
use solvers::{Bilevel, Estimate, Part, Strategy};

/// Entries of x and of y.
pub(crate) const DIMS: (usize, usize) = (3, 7);

/// Lower level ½(y − Bx)ᵀQ(y − Bx) with this part, upper ½‖y − c‖² + ½‖x‖².
pub(crate) struct Quadratic {
    pub(crate) q: DMatrix<f64>,
    pub(crate) b: DMatrix<f64>,
    pub(crate) c: DVector<f64>,
}

impl Quadratic {
    pub(crate) fn new(seed: f64) -> Self {
        let (dim_x, n) = DIMS;
        let wave =
            |k: f64| move |i: usize, j: usize| (seed + k * (i * 11 + j * 3 + 1) as f64).sin();
        let m = DMatrix::from_fn(n, n, wave(1.7));
        Quadratic {
            q: &m * m.transpose() / n as f64 + DMatrix::identity(n, n) * 0.3,
            b: DMatrix::from_fn(n, dim_x, wave(2.3)) * 1.5,
            c: DVector::from_fn(n, |i, _| wave(0.9)(i, 5)),
        }
    }

    pub(crate) fn problem(&self, part: Part<f64>) -> Bilevel<f64> {
        let (q, b, c) = (self.q.clone(), self.b.clone(), self.c.clone());
        let lower = objective(move |x: Var, y: Var| {
            let d = y - &b * x;
            0.5 * d.dot(&q * d)
        });
        let upper =
            objective(move |x: Var, y: Var| 0.5 * (y - &c).norm_squared() + 0.5 * x.norm_squared());
        let problem = Bilevel::new(upper, lower, DIMS.0, DIMS.1).expect("a valid problem");
        problem.with_part(part).expect("a part of this y")
    }

    pub(crate) fn upper(&self, x: &DVector<f64>, y: &DVector<f64>) -> f64 {
        0.5 * (y - &self.c).norm_squared() + 0.5 * x.norm_squared()
    }
}

#[track_caller]
pub(crate) fn run(
    problem: &Bilevel<f64>,
    strategy: &dyn Strategy<f64>,
    x: &DVector<f64>,
) -> Estimate<f64> {
    let estimate = strategy
        .hypergradient(problem, x, &mut problem.workspace())
        .expect("valid settings");
    let predicted = strategy.predicted_peak_bytes(problem);
    assert_eq!(estimate.bytes.peak, predicted, "{}", estimate.strategy);
    estimate
}

#[track_caller]
pub(crate) fn close(got: &DVector<f64>, want: &DVector<f64>, tolerance: f64, of: &str) {
    let error = (got - want).amax();
    assert!(
        error <= tolerance,
        "{of}: off by {error:.1e}: got {:?}, expected {:?}",
        got.as_slice(),
        want.as_slice()
    );
}

#[test]
fn the_catalogue_s_problems_with_parts_agree_with_their_closed_forms() {
    use models::catalogue::{Source, named};
    use solvers::{Aid, AidStep, Exact, InnerStep};
    for name in ["lasso", "elastic-net", "weighted-lasso", "group-lasso"] {
        for seed in [0, 5] {
            let source = Source {
                seed,
                ..Source::default()
            };
            let task = named(name).and_then(|entry| entry.task::<f64>(&source));
            let task = task.expect("it brings its own numbers");
            let known = task.known.as_ref().expect("a closed form");
            let mut near = known.solution.clone();
            near.iter_mut().for_each(|x| *x += 0.05);
            for x in [&task.x, &near] {
                let want = (known.hypergradient)(x);
                let step = AidStep::new(InnerStep::GradientDescent).tolerance(1e-12);
                for strategy in [&Exact as &dyn Strategy<f64>, &Aid::cg(), &step] {
                    let estimate = run(&task.bilevel, strategy, x);
                    let of = format!("{name} of seed {seed}");
                    assert!(estimate.status.is_success(), "{of}: {estimate}");
                    close(&estimate.hypergradient, &want, 1e-9, &of);
                }
            }
            let at_solution = (known.hypergradient)(&known.solution);
            assert!(at_solution.amax() < 1e-9, "{name}: {at_solution}");
        }
    }
}

/// On the support of what is found, `Xᵀ(curvatures) X` and the sign of y give the hypergradient; what is
/// found satisfies the conditions of optimality in plain numbers.
#[test]
fn sparse_logistic_regression_is_right_by_its_conditions_and_on_its_support() {
    use models::{data, sparse_logistic};
    use solvers::Exact;
    let splits = data::digits_parity(0);
    let task = sparse_logistic::<f64>(splits.clone()).expect("two classes");
    let exact = run(&task.bilevel, &Exact, &task.x);
    assert!(exact.status.is_success(), "{exact}");
    let (y, weight) = (&exact.y, task.x[0].exp());
    let derivatives = |of: &data::Samples| {
        let n = of.len() as f64;
        let margins = of.features.dense().tr_mul(y);
        let sigma = |i: usize| 1.0 / (1.0 + (of.labels[i] * margins[i]).exp());
        let slopes = DVector::from_fn(of.len(), |i, _| -of.labels[i] * sigma(i) / n);
        let bends = DVector::from_fn(of.len(), |i, _| sigma(i) * (1.0 - sigma(i)) / n);
        (of.features.dense() * slopes, bends)
    };
    let (gradient, bends) = derivatives(&splits.train);
    let (by_y, _) = derivatives(&splits.valid);
    let support: Vec<usize> = (0..y.len()).filter(|j| y[*j] != 0.0).collect();
    assert!(support.len() > 3 && support.len() < y.len(), "{support:?}");
    for j in 0..y.len() {
        match support.contains(&j) {
            true => assert!((gradient[j] + weight * y[j].signum()).abs() < 1e-9, "{j}"),
            false => assert!(gradient[j].abs() < weight, "{j}"),
        }
    }
    let rows = splits.train.features.dense().select_rows(&support);
    let h = &rows * DMatrix::from_diagonal(&bends) * rows.transpose();
    let b = DVector::from_fn(support.len(), |k, _| by_y[support[k]]);
    let v = h.lu().solve(&b).expect("positive definite");
    let pulls = support
        .iter()
        .zip(v.iter())
        .map(|(j, v)| -weight * y[*j].signum() * v);
    let want = DVector::from_element(1, pulls.sum());
    close(&exact.hypergradient, &want, 1e-9, "sparse logistic");
}
