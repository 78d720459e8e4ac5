//! Systems with a known spectrum.

use autodiff::{Meter, Real};
use nalgebra::{DMatrix, DVector};
use proptest::collection::vec;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use solvers::linear::{LinearSolver, Report, solve};

/// `H = QΛQᵀ` and a right-hand side.
#[derive(Clone, Debug)]
pub(crate) struct System {
    pub(crate) h: DMatrix<f64>,
    pub(crate) b: DVector<f64>,
    values: Vec<f64>,
    q: DMatrix<f64>,
}

/// What a solver made of a system.
#[derive(Clone, Debug)]
pub(crate) struct Solved {
    pub(crate) v: DVector<f64>,
    pub(crate) report: Report,
    /// Products with H.
    pub(crate) products: usize,
}

impl System {
    /// The matrix with these eigenvalues in a random basis, and a random right-hand side.
    pub(crate) fn new(values: &[f64], seed: u64) -> Self {
        let n = values.len();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let q = DMatrix::from_fn(n, n, |_, _| rng.random_range(-1.0..1.0))
            .qr()
            .q();
        let lambda = DMatrix::from_diagonal(&DVector::from_column_slice(values));
        let h = &q * lambda * q.transpose();
        System {
            h: (&h + h.transpose()) * 0.5,
            b: DVector::from_fn(n, |_, _| rng.random_range(-1.0..1.0)),
            values: values.to_vec(),
            q,
        }
    }

    pub(crate) fn diagonal(values: &[f64], b: &[f64]) -> Self {
        let n = values.len();
        System {
            h: DMatrix::from_diagonal(&DVector::from_column_slice(values)),
            b: DVector::from_column_slice(b),
            values: values.to_vec(),
            q: DMatrix::identity(n, n),
        }
    }

    /// The same with another right-hand side.
    pub(crate) fn with(&self, b: DVector<f64>) -> Self {
        System { b, ..self.clone() }
    }

    /// The same with a multiple of H.
    pub(crate) fn scaled(&self, scale: f64) -> Self {
        System {
            h: &self.h * scale,
            values: self.values.iter().map(|v| v * scale).collect(),
            ..self.clone()
        }
    }

    pub(crate) fn dim(&self) -> usize {
        self.b.len()
    }

    pub(crate) fn largest(&self) -> f64 {
        self.values.iter().fold(0.0, |m, v| v.abs().max(m))
    }

    pub(crate) fn condition(&self) -> f64 {
        let least = self
            .values
            .iter()
            .fold(f64::INFINITY, |m, v| v.abs().min(m));
        self.largest() / least
    }

    /// `Q f(Λ) Qᵀ b`.
    pub(crate) fn function(&self, f: impl Fn(f64) -> f64) -> DVector<f64> {
        let mut coordinates = self.q.tr_mul(&self.b);
        for (c, l) in coordinates.iter_mut().zip(&self.values) {
            *c *= f(*l);
        }
        &self.q * coordinates
    }

    /// `H⁺b`.
    pub(crate) fn solution(&self) -> DVector<f64> {
        self.function(|l| if l == 0.0 { 0.0 } else { 1.0 / l })
    }

    /// ‖b − Hv‖ / ‖b‖.
    pub(crate) fn residual(&self, v: &DVector<f64>) -> f64 {
        (&self.b - &self.h * v).norm() / self.b.norm()
    }

    pub(crate) fn solve<T: Real>(&self, solver: &dyn LinearSolver<T>) -> Solved {
        self.solve_from(solver, &DVector::zeros(self.dim()))
    }

    pub(crate) fn solve_from<T: Real>(
        &self,
        solver: &dyn LinearSolver<T>,
        start: &DVector<f64>,
    ) -> Solved {
        assert_eq!(solver.complaint(), None, "{solver:?}");
        let n = self.dim();
        let h = self.h.map(T::of);
        let (b, mut v) = (self.b.map(T::of), start.map(T::of));
        let mut products = 0;
        let mut product = |p: &[T], out: &mut [T]| {
            let width = p.len() / n;
            assert!(width <= solver.block(n), "{solver:?}: {width} at once");
            products += width;
            out.copy_from_slice((&h * DMatrix::from_column_slice(n, width, p)).as_slice());
        };
        let meter = Meter::new();
        let report = solve(solver, &mut product, b.as_slice(), v.as_mut_slice(), &meter);
        let bytes = meter.read();
        assert_eq!(bytes.peak, solver.bytes(n), "{solver:?}");
        assert_eq!(bytes.live(), 0, "{solver:?}");
        Solved {
            v: v.map(|v| v.f64()),
            report,
            products,
        }
    }
}

/// Positive definite systems of up to twelve unknowns and condition `10^decades`.
pub(crate) fn definite(decades: f64) -> impl Strategy<Value = System> {
    let exponents = vec(-decades..=0.0, 1..=12usize);
    (exponents, any::<u64>()).prop_map(|(exponents, seed)| {
        let values: Vec<f64> = exponents.iter().map(|e| 10f64.powf(*e)).collect();
        System::new(&values, seed)
    })
}

/// The distance in units of the second vector's norm.
pub(crate) fn relative(a: &DVector<f64>, b: &DVector<f64>) -> f64 {
    (a - b).norm() / b.norm()
}
