//! Half-spaces and affine sets.

use std::sync::Arc;

use autodiff::{Real, Var};
use nalgebra::{DMatrix, DVector};

use super::{Need, OfX, Parameter, Part, ProximalMap};

impl<T: Real> Part<T> {
    /// The half-space `aᵀy ≤ b`.
    pub fn half_space<B>(a: DVector<T>, b: B) -> Self
    where
        B: for<'r> Fn(Var<'r, T>) -> Var<'r, T> + Send + Sync + 'static,
    {
        Part(Arc::new(HalfSpace { a, b: Arc::new(b) }))
    }

    /// `A y = b`, for an A of full row rank.
    pub fn affine<B>(a: DMatrix<T>, b: B) -> Self
    where
        B: for<'r> Fn(Var<'r, T>) -> Var<'r, T> + Send + Sync + 'static,
    {
        // Aᵀ(AAᵀ)⁻¹, from the factor of a matrix that is as well conditioned as it can be.
        let rows = a.nrows();
        let svd = a.clone().svd(true, true);
        let (largest, least) = (svd.singular_values.max(), svd.singular_values.min());
        let full = rows <= a.ncols() && least > T::of(1e3 * T::EPSILON) * largest;
        let inverse = match full {
            true => svd.pseudo_inverse(T::zero()).ok(),
            false => None,
        };
        let b = Arc::new(b);
        Part(Arc::new(Affine { a, inverse, b }))
    }
}

struct HalfSpace<T: Real> {
    a: DVector<T>,
    b: OfX<T>,
}

impl<T: Real> ProximalMap<T> for HalfSpace<T> {
    fn name(&self) -> String {
        "half-space".into()
    }

    fn prox<'r>(&self, x: Var<'r, T>, z: Var<'r, T>, _: Var<'r, T>) -> Var<'r, T> {
        let a = z.vector(self.a.as_slice());
        let beyond = (a.dot(z) - (self.b)(x)).relu();
        z - a * (beyond / self.a.norm_squared())
    }

    fn value<'r>(&self, _: Var<'r, T>, y: Var<'r, T>) -> Var<'r, T> {
        y.scalar(T::zero())
    }

    fn is_set(&self) -> bool {
        true
    }

    fn parameters<'r>(&self, x: Var<'r, T>, _: usize) -> Vec<Parameter<'r, T>> {
        vec![Parameter::new("b", (self.b)(x), Need::Number, &[1])]
    }

    fn complaint(&self, dim_y: usize) -> Option<String> {
        let (len, size) = (self.a.len(), self.a.norm().f64());
        if len != dim_y {
            Some(format!("a of {len} entries: expected {dim_y}"))
        } else if !(size > 0.0 && size.is_finite()) {
            Some(format!("‖a‖ = {size}: expected a positive number"))
        } else {
            None
        }
    }
}

struct Affine<T: Real> {
    a: DMatrix<T>,
    inverse: Option<DMatrix<T>>,
    b: OfX<T>,
}

impl<T: Real> ProximalMap<T> for Affine<T> {
    fn name(&self) -> String {
        "affine set".into()
    }

    fn prox<'r>(&self, x: Var<'r, T>, z: Var<'r, T>, _: Var<'r, T>) -> Var<'r, T> {
        let inverse = self.inverse.as_ref().expect("looked at before");
        z - inverse * (&self.a * z - (self.b)(x))
    }

    fn value<'r>(&self, _: Var<'r, T>, y: Var<'r, T>) -> Var<'r, T> {
        y.scalar(T::zero())
    }

    fn is_set(&self) -> bool {
        true
    }

    fn parameters<'r>(&self, x: Var<'r, T>, _: usize) -> Vec<Parameter<'r, T>> {
        let b = (self.b)(x);
        vec![Parameter::new("b", b, Need::Number, &[self.a.nrows()])]
    }

    fn complaint(&self, dim_y: usize) -> Option<String> {
        let (rows, columns) = self.a.shape();
        if columns != dim_y {
            Some(format!("A of {columns} columns: expected {dim_y}"))
        } else if self.inverse.is_none() {
            Some(format!("A of {rows} rows: expected independent ones"))
        } else {
            None
        }
    }
}
