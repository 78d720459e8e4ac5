//! Random bilevel problems for [`proptest`](mod@proptest), with the feature `proptest`: strongly
//! convex quadratics and smooth perturbations of them, with known constants.
//!
//! # Example
//! A strategy of your own, on problems of any conditioning:
//! ```
//! use proptest::test_runner::TestRunner;
//! use solvers::arbitrary::problem;
//! use solvers::{Aid, Strategy};
//!
//! let outcome = TestRunner::deterministic().run(&problem(), |mut drawn| {
//!     drawn.bend = 0.0; // a quadratic: its answer is known
//!     let (bilevel, x) = (drawn.bilevel::<f64>(), drawn.x());
//!     let estimate = Aid::direct()
//!         .hypergradient(&bilevel, &x, &mut bilevel.workspace())
//!         .expect("valid settings");
//!     let want = drawn.hypergradient(&x).expect("known for a quadratic");
//!     assert!((estimate.hypergradient - &want).norm() <= 1e-7 * (1.0 + want.norm()));
//!     Ok(())
//! });
//! outcome.unwrap();
//! ```
//!
//! [`unkind`] has lower levels that are less kind, with known answers all the same.

mod statuses;
pub mod unkind;

pub use statuses::statuses;

use autodiff::arbitrary::{Simplify, Simplifying, number, simpler_numbers, simplifying};
use autodiff::{Real, Var, objective};
use nalgebra::{DMatrix, DVector};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::Bilevel;

/// A random bilevel problem, as plain data.
///
/// With A symmetric positive definite, `m` samples, and logistic weights σ(t_jᵀx) of them,
/// * g(x, y) = ½ (y − Cx)ᵀA(y − Cx) + (bend/m) Σⱼ σ(t_jᵀx) ln cosh(a_jᵀy − b_j), with ‖a_j‖ = 1;
/// * F(x, y) = ½‖y − ŷ‖² + ½ yᵀPx + ¼‖x − x̂‖².
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Entries of x.
    pub dim_x: usize,
    /// Entries of y.
    pub dim_y: usize,
    /// The eigenvalues of A are spread evenly in their logarithms from 10^−decades to 1.
    pub decades: f64,
    /// Size of the perturbation; without one (0) the lower level is a quadratic.
    pub bend: f64,
    /// Number of samples m.
    pub samples: usize,
    /// What vectors and matrices are made of, over and over.
    pub numbers: Vec<f64>,
}

/// Bounds that hold at every x and y.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constants {
    /// The least eigenvalue of ∇²_yy g is at least this.
    pub strong_convexity: f64,
    /// The largest one is at most this.
    pub smoothness: f64,
    /// Lipschitz constant of ∇²_yy g in y, by the spectral norm.
    pub hessian_lipschitz: f64,
}

/// The largest |d/du sech²u|, 4/(3√3).
const SECH2_SLOPE: f64 = 0.769_800_358_919_501;

impl Problem {
    /// Constants of the lower level.
    pub fn constants(&self) -> Constants {
        Constants {
            strong_convexity: 10f64.powf(-self.decades),
            smoothness: 1.0 + self.bend,
            hessian_lipschitz: SECH2_SLOPE * self.bend,
        }
    }

    /// A matrix of the drawn numbers; each `which` is another one.
    fn matrix(&self, which: usize, rows: usize, cols: usize) -> DMatrix<f64> {
        let numbers = self.numbers.iter().cycle().skip(17 * which);
        DMatrix::from_iterator(rows, cols, numbers.copied().take(rows * cols))
    }

    fn vector(&self, which: usize, len: usize) -> DVector<f64> {
        self.matrix(which, len, 1).column(0).into_owned()
    }

    /// The matrix A: two reflections of a diagonal.
    pub fn hessian(&self) -> DMatrix<f64> {
        let n = self.dim_y;
        let exponent = |i: usize| match n {
            1 => 0.0,
            _ => -self.decades * i as f64 / (n - 1) as f64,
        };
        let mut a = DMatrix::from_diagonal(&DVector::from_fn(n, |i, _| 10f64.powf(exponent(i))));
        for which in [0, 1] {
            let v = self.vector(which, n);
            let size = v.norm_squared();
            if size > 1e-6 {
                let reflection = DMatrix::identity(n, n) - &v * v.transpose() * (2.0 / size);
                a = &reflection * a * &reflection;
            }
        }
        (&a + a.transpose()) * 0.5
    }

    /// A point x.
    pub fn x(&self) -> DVector<f64> {
        self.vector(2, self.dim_x)
    }

    /// A point y.
    pub fn y(&self) -> DVector<f64> {
        self.vector(3, self.dim_y)
    }

    /// The matrix C, at most of order one.
    fn coupling(&self) -> DMatrix<f64> {
        self.matrix(4, self.dim_y, self.dim_x) / (self.dim_x as f64).sqrt()
    }

    fn cross(&self) -> DMatrix<f64> {
        self.matrix(5, self.dim_y, self.dim_x) / (self.dim_x as f64).sqrt()
    }

    /// The lower level's solution, for a quadratic one.
    pub fn solution(&self, x: &DVector<f64>) -> Option<DVector<f64>> {
        (self.bend == 0.0).then(|| self.coupling() * x)
    }

    /// The exact hypergradient ∇_xF + Cᵀ∇_yF at y* = Cx, for a quadratic lower level.
    pub fn hypergradient(&self, x: &DVector<f64>) -> Option<DVector<f64>> {
        let (y, p) = (self.solution(x)?, self.cross());
        let by_y = &y - self.vector(6, self.dim_y) + &p * x * 0.5;
        let by_x = p.tr_mul(&y) * 0.5 + (x - self.vector(7, self.dim_x)) * 0.5;
        Some(by_x + self.coupling().tr_mul(&by_y))
    }

    /// The problem, with its data rounded to this precision, started from y = 0.
    pub fn bilevel<T: Real>(&self) -> Bilevel<T> {
        self.bilevel_in(&Coordinates::identity(self))
    }

    /// Writes the problem in other coordinates, with its samples in another order.
    ///
    /// # Panics
    /// If the coordinates are not of this problem's dimensions.
    pub fn bilevel_in<T: Real>(&self, coordinates: &Coordinates) -> Bilevel<T> {
        let (n, d, m) = (self.dim_x, self.dim_y, self.samples);
        let of = |m: DMatrix<f64>| m.map(T::of);
        let column = |m: DVector<f64>| m.map(T::of);
        let (to_x, to_y) = (of(coordinates.x.clone()), of(coordinates.y.clone()));
        let (c, p) = (of(self.coupling()), of(self.cross()));
        let a = of(self.hessian());
        let (wanted_y, wanted_x) = (column(self.vector(6, d)), column(self.vector(7, n)));
        let half = T::of(0.5);
        let mut rows = self.matrix(8, m, d);
        for mut row in rows.row_iter_mut() {
            let size = row.norm();
            match size > 1e-3 {
                true => row /= size,
                // Without a direction of its own, along the first axis.
                false => row.copy_from(&DVector::from_fn(d, |i, _| f64::from(i == 0)).transpose()),
            }
        }
        let order = &coordinates.samples;
        let rows = of(rows.select_rows(order));
        let offsets = column(self.vector(9, m).select_rows(order));
        let weights = of(self.matrix(10, m, n).select_rows(order));
        let bend = T::of(self.bend);

        let lower = objective(|x: Var<'_, T>, y: Var<'_, T>| {
            let (x, y) = (&to_x * x, &to_y * y);
            let r = y - &c * x;
            let quadratic = (&a * r).dot(r) * half;
            if self.bend == 0.0 {
                return quadratic;
            }
            let losses = (&rows * y - &offsets).log_cosh();
            quadratic + ((&weights * x).sigmoid() * losses).mean() * bend
        });
        let upper = objective(|x: Var<'_, T>, y: Var<'_, T>| {
            let (x, y) = (&to_x * x, &to_y * y);
            let own = (x - &wanted_x).norm_squared() * T::of(0.25);
            (y - &wanted_y).norm_squared() * half + y.dot(&p * x) * half + own
        });
        Bilevel::new(upper, lower, n, d).expect("a valid problem")
    }
}

/// Other coordinates x = X x′ and y = Y y′ of a problem, and another order of its samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Coordinates {
    /// The matrix X, of `dim_x × dim_x`.
    pub x: DMatrix<f64>,
    /// The matrix Y, of `dim_y × dim_y`.
    pub y: DMatrix<f64>,
    /// Which sample stands where.
    pub samples: Vec<usize>,
}

impl Coordinates {
    /// The problem's own.
    pub fn identity(problem: &Problem) -> Self {
        Coordinates {
            x: DMatrix::identity(problem.dim_x, problem.dim_x),
            y: DMatrix::identity(problem.dim_y, problem.dim_y),
            samples: (0..problem.samples).collect(),
        }
    }
}

impl Simplify for Problem {
    fn simpler(&self) -> Vec<Self> {
        let mut problems = Vec::new();
        let mut push = |change: &dyn Fn(&mut Problem)| {
            let mut problem = self.clone();
            change(&mut problem);
            if problem != *self {
                problems.push(problem);
            }
        };
        push(&|p| p.bend = 0.0);
        push(&|p| p.samples = 1);
        push(&|p| p.dim_x = 1);
        push(&|p| p.dim_y = 1);
        push(&|p| p.samples = (p.samples - 1).max(1));
        push(&|p| p.dim_x = (p.dim_x - 1).max(1));
        push(&|p| p.dim_y = (p.dim_y - 1).max(1));
        push(&|p| p.decades = 0.0);
        for numbers in simpler_numbers(&self.numbers) {
            push(&|p| p.numbers = numbers.clone());
        }
        problems
    }
}

/// A problem with up to 5 entries of x, 7 of y and 9 samples, and a condition number up to 1000;
/// every other one is a quadratic.
pub fn problem() -> Simplifying<impl Strategy<Value = Problem>> {
    let sizes = (1usize..=5, 1usize..=7, 1usize..=9);
    let shape = (0f64..3.0, prop_oneof![Just(0.0), 0.1f64..1.0]);
    let drawn = (sizes, shape, vec(number(), 101));
    simplifying(drawn.prop_map(|(sizes, (decades, bend), numbers)| {
        let (dim_x, dim_y, samples) = sizes;
        Problem {
            dim_x,
            dim_y,
            decades,
            bend,
            samples,
            numbers,
        }
    }))
}
