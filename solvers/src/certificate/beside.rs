//! The bound beside a part that is a sum over the entries of y.

use autodiff::kernels::norm;
use autodiff::{Point, Real};

use super::{Certificate, Constants, Parts};
use crate::Bilevel;
use crate::part::{OnPiece, PartPoint, Piece};

impl Constants {
    /// The distance of y from the solution, beside a part of which this is the piece at y for steps s;
    /// `None` where the solution may lie on another piece.
    ///
    /// With e = y − P_s(y − s ∇_y g), `e/s − ∇_y g(y)` is a subgradient of h at y − e and `−∇_y g(y*)` one
    /// at y*. As these are monotone, `(μ + v)‖y − y*‖ ≤ (L + 1/s + 2v)‖e‖` with the convexity v of h
    /// (J.-S. Pang, A posteriori error bounds for the linearly-constrained variational inequality
    /// problem, 1987, for v = 0). Then z = y − s ∇_y g is `max(1, sL − 1)‖y − y*‖` from that of y*. If
    /// that is less than any entry of z has to its next bend, y and y* lie on one piece, where y* is a
    /// zero of a strongly monotone map, which gives a nearer bound.
    fn distance(&self, piece: &Piece, s: f64) -> Option<f64> {
        let mu = self.strong_convexity + piece.square;
        if !(mu > 0.0 && mu.is_finite()) {
            return None;
        }
        let anywhere = (self.smoothness + 1.0 / s + 2.0 * piece.square) / mu * piece.step;
        // Written so that a NaN is no bound.
        if !(anywhere * (s * self.smoothness - 1.0).max(1.0) < piece.clear) {
            return None;
        }
        let on_piece = (piece.free + self.smoothness * piece.fixed) / mu + piece.fixed;
        Some(anywhere.min(on_piece))
    }

    /// The constants of the lower level on the piece, as a problem in its free entries: the others are
    /// bounds c(x), so that `∇²_xy` becomes `∇²_xy(g + h) + c'ᵀ ∇²_yy g` and ∇_xF becomes `∇_xF + c'ᵀ ∇_yF`.
    fn on(&self, square: f64, piece: &OnPiece) -> Self {
        Constants {
            strong_convexity: self.strong_convexity + square,
            smoothness: self.smoothness,
            hessian_lipschitz: self.hessian_lipschitz,
            cross_norm: self.cross_norm + piece.cross + piece.bounds * self.smoothness,
            cross_lipschitz: self.cross_lipschitz
                + piece.cross_lipschitz
                + piece.bounds * self.hessian_lipschitz,
            upper_smoothness: self.upper_smoothness,
            upper_cross: self.upper_cross + piece.bounds * self.upper_smoothness,
        }
    }
}

impl Certificate {
    /// The bound for a hypergradient of size `size` that was made on a face of `part` for steps s with
    /// the solution u of the [face's](crate::part::Face) system; F was differentiated at (x, y) and g
    /// linearised. `None` where the problem states no constants, where no bound is known, or where
    /// another piece of the part may be that of the solution.
    pub(crate) fn beside<T: Real>(
        constants: &Constants,
        part: &mut PartPoint<T>,
        [x, y]: [&[T]; 2],
        (u, s): (&[T], f64),
        size: f64,
        (upper, lower): (&Point<T>, &mut Point<T>),
    ) -> Option<Self> {
        if !(constants.strong_convexity > 0.0 || part.has_square()) {
            return None;
        }
        let found = part.piece([x, y], lower.gradient(1), s)?;
        // Before what costs sweeps.
        let lower_error = constants.distance(&found, s)?;
        let piece = part.on_piece([x, y], (u, s), upper.gradient(1), lower)?;
        let on = constants.on(found.square, &piece);
        if !on.are_usable() {
            return None;
        }
        let parts = Parts {
            lower_error,
            linear_residual: piece.linear_residual,
            upper_gradient: piece.upper_gradient,
        };
        // What the derivative of the proximal map by x, which is taken at y − e, makes of the residual.
        let by_residual = s * piece.cross * piece.linear_residual;
        let by_step = piece.cross_lipschitz * found.step * piece.solution;
        let whole = Parts {
            upper_gradient: norm(upper.gradient(1)).f64(),
            ..parts
        };
        let bound = on.bound(parts) + by_residual + by_step;
        bound.is_finite().then_some(Certificate {
            bound,
            certified: true,
            lower_error: parts.lower_error,
            linear_residual: parts.linear_residual,
            upper_error: on.upper_bound(whole),
            descent: bound < size,
        })
    }

    /// As [`beside`](Certificate::beside), by the constants that `problem` states.
    pub(crate) fn stated_beside<T: Real>(
        problem: &Bilevel<T>,
        part: &mut PartPoint<T>,
        [x, y]: [&[T]; 2],
        (u, s): (&[T], f64),
        size: f64,
        points: (&Point<T>, &mut Point<T>),
    ) -> Option<Self> {
        // Of the whole problem: samples are not looked at one by one.
        if problem.blocks() > 1 || problem.own_step().is_some() {
            return None;
        }
        let constants = problem.constants(x, y)?;
        Self::beside(&constants, part, [x, y], (u, s), size, points)
    }
}
