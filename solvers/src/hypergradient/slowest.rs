//! A look at the end of a loop, by products of its own.

use autodiff::kernels::{dot_f64, norm};
use autodiff::{Inputs, Point, Real};

use crate::accuracy::{Curvature, Flat, PROBED};
use crate::linear::{Cg, Hessian, LinearSolver, Scratch};

/// What a loop's own passes do not see: how flat g is along the way that is left, where steps have a
/// memory or follow the upper level as well; where F looks, in forward mode, which pulls no cotangent
/// back; and on small problems slow directions that the cotangent hardly points in.
pub(super) struct Slowest<'a, T: Real> {
    rhs: &'a mut [T],
    v: &'a mut [T],
    scratch: Scratch<'a, T>,
}

/// The most products that are spent on it, and the steps of the loop that one of them is worth.
const LOOKS: usize = 12;
const WORTH: usize = 8;

impl<'a, T: Real> Slowest<'a, T> {
    /// In scratch of as many entries as [`scratch`](Slowest::scratch) says.
    pub(super) fn new(dim_y: usize, scratch: Scratch<'a, T>) -> Self {
        let ([rhs, v], scratch) = scratch.take(dim_y);
        Slowest { rhs, v, scratch }
    }

    pub(super) fn scratch(dim_y: usize) -> usize {
        2 * dim_y + LinearSolver::<T>::scratch(&Cg::new(), dim_y)
    }

    /// Solves for `rhs` with the Hessian of g at the point's linearisation, as far as suits a loop of
    /// `depth` steps. The smallest curvature met, and whether it is a solution.
    fn solve(&mut self, lower: &mut Point<T>, depth: usize) -> (Curvature, bool) {
        self.v.fill(T::zero());
        let n = self.v.len();
        if self.rhs.iter().all(|v| *v == T::zero()) {
            // Nothing to solve; the room of a product is made all the same, as bytes are predicted.
            lower.second_by(&[None, Some(self.v)], Inputs::one(1));
        }
        let system = if n <= PROBED {
            let most = 4 * n + 10;
            Cg::new().tolerance(64.0 * T::EPSILON).max_iterations(most)
        } else {
            let looks = depth.div_ceil(WORTH).min(LOOKS);
            Cg::new().tolerance(1e-3).max_iterations(looks)
        };
        let mut h = Hessian::of(lower);
        let report = system.solve(&mut h, self.rhs, self.v, &mut self.scratch);
        (h.curvature(), report.outcome.flaw().is_none())
    }

    /// The smallest curvature of g at (x, y) that a system with ∇_yF on its right-hand side meets.
    pub(super) fn curvature(
        &mut self,
        lower: &mut Point<T>,
        at: [&[T]; 2],
        by_y: &[T],
        depth: usize,
    ) -> Curvature {
        self.rhs.copy_from_slice(by_y);
        lower.linearise(&at);
        self.solve(lower, depth).0
    }

    /// How far the lower level's solution is from y, whose gradient, or proximal step as the residual
    /// left it in `spare` where it is not `smooth`, has this norm.
    pub(super) fn distance(
        &mut self,
        lower: &mut Point<T>,
        smooth: bool,
        at: [&[T]; 2],
        residual: f64,
        spare: &[T],
        depth: usize,
    ) -> f64 {
        lower.linearise(&at);
        if smooth {
            self.rhs.copy_from_slice(lower.gradient(1));
        } else {
            self.rhs.copy_from_slice(&spare[..at[1].len()]);
        }
        let seen = self.solve(lower, depth).0;
        if seen.is_noise::<T>(residual, norm(at[1]).f64()) {
            return 0.0;
        }
        seen.distance(residual)
    }

    /// On small problems, the same distance of the latest [`distance`](Slowest::distance) by the norm
    /// of g's own curvature, as a part of y by it: what g is flat in has no size then. 0 elsewhere.
    pub(super) fn energy(&mut self, lower: &mut Point<T>, [start, y]: [&[T]; 2]) -> f64 {
        if y.len() > PROBED {
            return 0.0;
        }
        let off = dot_f64(self.v, self.rhs).abs();
        let mut of = |v: &[T]| {
            lower.second_by(&[None, Some(v)], Inputs::one(1));
            dot_f64(v, lower.product(1)).abs()
        };
        let size = of(y).max(1e-12 * of(start));
        if off == 0.0 { 0.0 } else { (off / size).sqrt() }
    }

    /// Whether the latest solution points where g has curvature by rounding alone, or one that changes
    /// over the `distance` to the solution. After [`apart`](Slowest::apart), whose product it starts
    /// from.
    pub(super) fn is_flat(
        &mut self,
        lower: &mut Point<T>,
        at: [&[T]; 2],
        (size, distance): (f64, f64),
    ) -> bool {
        let far = (size, distance / size);
        Flat::beside(lower, at, self.v, far, self.rhs).is_some()
    }

    /// On small problems, how far a hypergradient is from the implicit one at the same (x, y), as a
    /// part of the largest of it and its two parts: infinite where g has no curvature in a direction
    /// that F depends on, and 0 where nothing can be told. After [`distance`](Slowest::distance), at
    /// its linearisation.
    pub(super) fn apart(
        &mut self,
        lower: &mut Point<T>,
        [by_x, by_y]: [&[T]; 2],
        hypergradient: &[T],
        depth: usize,
    ) -> f64 {
        if by_y.len() > PROBED {
            return 0.0;
        }
        self.rhs.copy_from_slice(by_y);
        let (_, solved) = self.solve(lower, depth);
        lower.second(&[None, Some(self.v)]);
        let (mut off, mut inner, mut residual) = (0.0, 0.0, 0.0);
        for ((h, f), j) in hypergradient.iter().zip(by_x).zip(lower.product(0)) {
            off += (h.f64() - (f.f64() - j.f64())).powi(2);
            inner += (h.f64() - f.f64()).powi(2);
        }
        for (b, hv) in by_y.iter().zip(lower.product(1)) {
            residual += (b.f64() - hv.f64()).powi(2);
        }
        let residual = residual.sqrt() / norm(by_y).f64();
        if !solved && residual > 1e3 * T::EPSILON {
            // g is flat, or goes down, where F looks.
            return f64::INFINITY;
        }
        // Where it is not solved it is no judge.
        if !(residual <= 1e-6_f64.max(1e3 * T::EPSILON)) {
            return 0.0;
        }
        let size = norm(hypergradient)
            .f64()
            .max(norm(by_x).f64())
            .max(inner.sqrt());
        if off == 0.0 { 0.0 } else { off.sqrt() / size }
    }
}
