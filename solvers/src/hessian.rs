//! Linear maps known by their products, and the Hessian of a level as one.

use autodiff::{Inputs, Point, Real};

use crate::accuracy::Curvature;

/// A square matrix A that is known by its products alone.
///
/// Every closure `|v, out|` is one:
/// ```
/// use autodiff::Meter;
/// use solvers::linear::{Cg, solve};
///
/// let mut twice = |v: &[f64], out: &mut [f64]| {
///     for (out, v) in out.iter_mut().zip(v) {
///         *out = 2.0 * v;
///     }
/// };
/// let mut v = [0.0];
/// solve(&Cg::new(), &mut twice, &[3.0], &mut v, &Meter::new());
/// assert_eq!(v, [1.5]);
/// ```
pub trait Operator<T: Real> {
    /// Overwrites `out` with A times `v`, which is a vector or a block of several, one after the
    /// other. A block counts as that many products and costs less.
    fn apply(&mut self, v: &[T], out: &mut [T]);
}

impl<T: Real, F: FnMut(&[T], &mut [T])> Operator<T> for F {
    fn apply(&mut self, v: &[T], out: &mut [T]) {
        self(v, out);
    }
}

/// `v ↦ ∇²_yy f · v` of a level f(x, y) at the point's linearisation.
///
/// # Cost in oracle calls
/// One Hessian-vector product for each vector.
///
/// # Example
/// ```
/// use autodiff::{Objective, Var, objective};
/// use solvers::linear::{Hessian, Operator};
///
/// let g = objective(|x: Var, y: Var| 1.5 * (y - x).norm_squared());
/// let mut point = g.record(2, 2).point();
/// point.linearise(&[&[0.0, 0.0], &[1.0, 2.0]]);
/// let mut product = [0.0; 2];
/// Hessian::of(&mut point).apply(&[1.0, -1.0], &mut product);
/// assert_eq!(product, [3.0, -3.0]);
/// ```
#[derive(Debug)]
pub struct Hessian<'a, T: Real> {
    point: &'a mut Point<T>,
    dim_y: usize,
    curvature: Curvature,
}

impl<'a, T: Real> Hessian<'a, T> {
    /// Of the level that `point` is a point of.
    ///
    /// # Panics
    /// Products panic if the point was not linearised.
    pub fn of(point: &'a mut Point<T>) -> Self {
        Hessian {
            dim_y: point.program().input_shape(1).len(),
            point,
            curvature: Curvature::new(),
        }
    }

    /// The product with one vector, which stands in the point as well.
    pub fn times(&mut self, v: &[T]) -> &[T] {
        self.point.second_by(&[None, Some(v)], Inputs::one(1));
        let product = self.point.product(1);
        self.curvature.see(self.dim_y, v, product);
        product
    }

    /// The smallest curvature that the products so far have met.
    pub(crate) fn curvature(&self) -> Curvature {
        self.curvature
    }
}

impl<T: Real> Operator<T> for Hessian<'_, T> {
    fn apply(&mut self, v: &[T], out: &mut [T]) {
        let width = (v.len() / self.dim_y.max(1)).max(1);
        self.point
            .second_block(width, &[None, Some(v)], Inputs::one(1));
        out.copy_from_slice(self.point.product(1));
        self.curvature.see(self.dim_y, v, out);
    }
}
