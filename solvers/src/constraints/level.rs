//! A constrained lower level at some x, in numbers of double precision.

use autodiff::{Inputs, Point, Real};
use nalgebra::{DMatrix, DVector};

use super::ConstraintPoint;
use crate::linear::dense::BLOCK;

/// `L(y, λ) = g(y) + λᵀc(y)` and the constraints c.
pub(crate) struct First {
    /// ∇_yL.
    pub(crate) gradient: DVector<f64>,
    /// c.
    pub(crate) c: DVector<f64>,
}

/// [`First`] with its derivatives.
pub(crate) struct Second {
    /// ∇_yL.
    pub(crate) gradient: DVector<f64>,
    /// c.
    pub(crate) c: DVector<f64>,
    /// ∇²_yy L.
    pub(crate) hessian: DMatrix<f64>,
    /// A, the derivative of c by y: a row for each constraint.
    pub(crate) jacobian: DMatrix<f64>,
}

impl Second {
    /// Whether every number is finite.
    pub(crate) fn is_finite(&self) -> bool {
        let entries = self.gradient.iter().chain(self.c.iter());
        let entries = entries.chain(self.hessian.iter());
        entries.chain(self.jacobian.iter()).all(|v| v.is_finite())
    }
}

/// What a solver asks of a constrained level.
pub(crate) trait Model {
    /// How many constraints are equal to 0; they come first.
    fn equal(&self) -> usize;

    /// How many constraints there are.
    fn count(&self) -> usize;

    /// The precision of its numbers.
    fn epsilon(&self) -> f64;

    /// At (y, λ).
    fn first(&mut self, y: &DVector<f64>, multipliers: &DVector<f64>) -> First;

    /// At (y, λ), by `dim_y` products of g and as many of c.
    fn second(&mut self, y: &DVector<f64>, multipliers: &DVector<f64>) -> Second;
}

/// The level of a problem.
pub(crate) struct Level<'a, T: Real> {
    pub(crate) x: &'a [T],
    pub(crate) lower: &'a mut Point<T>,
    pub(crate) constraints: &'a mut ConstraintPoint<T>,
}

impl<T: Real> Level<'_, T> {
    fn first_of(&self) -> First {
        let (g, c) = (&*self.lower, &self.constraints.point);
        let sum = g.gradient(1).iter().zip(c.gradient(1));
        let gradient = sum.map(|(g, c)| g.f64() + c.f64());
        First {
            gradient: DVector::from_iterator(g.gradient(1).len(), gradient),
            c: DVector::from_iterator(c.gradient(2).len(), c.gradient(2).iter().map(|c| c.f64())),
        }
    }
}

/// In the problem's precision.
pub(crate) fn narrow<T: Real>(of: &DVector<f64>) -> Vec<T> {
    of.iter().map(|v| T::of(*v)).collect()
}

impl<T: Real> Model for Level<'_, T> {
    fn equal(&self) -> usize {
        self.constraints.recorded.equal
    }

    fn count(&self) -> usize {
        self.constraints.recorded.count()
    }

    fn epsilon(&self) -> f64 {
        T::EPSILON
    }

    fn first(&mut self, y: &DVector<f64>, multipliers: &DVector<f64>) -> First {
        let (y, multipliers) = (narrow::<T>(y), narrow::<T>(multipliers));
        self.lower.differentiate(&[self.x, &y], Inputs::one(1));
        let all = [self.x, &y, &multipliers];
        self.constraints.point.differentiate(&all, Inputs::ALL);
        self.first_of()
    }

    fn second(&mut self, y: &DVector<f64>, multipliers: &DVector<f64>) -> Second {
        let (n, m) = (y.len(), self.count());
        let (y, multipliers) = (narrow::<T>(y), narrow::<T>(multipliers));
        self.lower.linearise(&[self.x, &y]);
        let point = &mut self.constraints.point;
        point.linearise(&[self.x, &y, &multipliers]);
        let First { gradient, c } = self.first_of();
        let point = &mut self.constraints.point;
        let mut hessian = DMatrix::zeros(n, n);
        let mut jacobian = DMatrix::zeros(m, n);
        let mut units = vec![T::zero(); n * n.min(BLOCK)];
        for first in (0..n).step_by(BLOCK) {
            let width = BLOCK.min(n - first);
            let units = &mut units[..n * width];
            (0..width).for_each(|k| units[k * n + first + k] = T::one());
            let by_y = Inputs::one(1);
            self.lower.second_block(width, &[None, Some(units)], by_y);
            point.second_block(width, &[None, Some(units), None], Inputs::ALL);
            let products = self.lower.product(1).iter().zip(point.product(1));
            let columns = &mut hessian.as_mut_slice()[first * n..];
            for (h, (g, c)) in columns.iter_mut().zip(products) {
                *h = g.f64() + c.f64();
            }
            let columns = &mut jacobian.as_mut_slice()[first * m..];
            for (a, c) in columns.iter_mut().zip(point.product(2)) {
                *a = c.f64();
            }
            (0..width).for_each(|k| units[k * n + first + k] = T::zero());
        }
        // Products of rounded sweeps are symmetric up to rounding only.
        let hessian = (&hessian + hessian.transpose()) * 0.5;
        Second {
            gradient,
            c,
            hessian,
            jacobian,
        }
    }
}
