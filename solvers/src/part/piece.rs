//! What a certificate asks of a part: the smooth piece around a y, and how far that goes.

use autodiff::kernels::norm;
use autodiff::{Inputs, Point, Real};

use super::PartPoint;

/// Of an h that is a sum over entries, at z = y − s ∇_y g: entries are *free* where h is smooth around
/// P_s(z), and *fixed* at a bound of x, or at 0, elsewhere. v is a solution of the linear system on the
/// free ones, with V = diag(v_i) of the squares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    /// ‖y − P_s(z)‖.
    pub(crate) step: f64,
    /// ‖(∇_y g + ∇_y h)‖ on the free entries.
    pub(crate) free: f64,
    /// ‖y − P_s(z)‖ on the fixed entries.
    pub(crate) fixed: f64,
    /// How far any entry of z may move before it is another piece.
    pub(crate) clear: f64,
    /// The least v_i: h is convex with it.
    pub(crate) square: f64,
    /// ‖(H + V)v − ∇_yF‖, ‖∇_yF‖ and ‖v‖ on the free entries.
    pub(crate) linear_residual: f64,
    pub(crate) upper_gradient: f64,
    pub(crate) solution: f64,
    /// ‖∇²_xy h‖ on the free entries, or more.
    pub(crate) cross: f64,
    /// The Lipschitz constant of ∇²_xy h in y: the largest norm of ∂v_i/∂x.
    pub(crate) cross_lipschitz: f64,
    /// The norm of the derivative by x of the bounds that are met, or more.
    pub(crate) bounds: f64,
}

/// Where P_s(z) is: free, at a bound, or at 0.
const FREE: f64 = 0.0;
const LOW: f64 = 1.0;
const HIGH: f64 = 2.0;
const ZERO: f64 = 3.0;

impl<T: Real> PartPoint<T> {
    /// The piece at (x, y), where g was linearised, for a solution v = D u of the linear system, with
    /// `upper` for ∇_yF; `None` if the part is no sum over entries. Leaves the product with v in the
    /// point.
    ///
    /// One product, and two pullbacks of the part's parameters for each entry of y.
    pub(crate) fn piece(
        &mut self,
        [x, y]: [&[T]; 2],
        (u, s): (&[T], f64),
        upper: &[T],
        lower: &mut Point<T>,
    ) -> Option<Piece> {
        let entrywise = self.recorded.map().entrywise()?;
        let n = y.len();
        let (h, _, [v, .., kinds]) = self.with_entries(x)?;
        let (mut step, mut free, mut fixed) = (0.0, 0.0, 0.0);
        let (mut clear, mut square) = (f64::INFINITY, f64::INFINITY);
        for i in 0..n {
            let h = h.at(i);
            let z = y[i] - T::of(s) * lower.gradient(1)[i];
            let next = h.prox(z, T::of(1.0 / s));
            let off = (y[i] - next).f64().powi(2);
            let slope = 1.0 + s * h.curvature().f64();
            step += off;
            let kind = match h.is_free(next) {
                true => FREE,
                false if next == h.low => LOW,
                false if next == h.high => HIGH,
                false => ZERO,
            };
            kinds[i] = T::of(kind);
            if kind == FREE {
                free += off * (slope / s).powi(2);
                v[i] = u[i] / T::of(slope);
            } else {
                fixed += off;
                v[i] = T::zero();
            }
            // Written so that a NaN leaves no room.
            let off_bends = h.off_bends(z.f64(), s);
            if !(off_bends >= clear) {
                clear = off_bends.max(0.0);
            }
            square = square.min(h.curvature().f64());
        }
        lower.second_by(&[None, Some(v)], Inputs::one(1));
        let (mut residual, mut b) = (0.0, 0.0);
        for i in (0..n).filter(|i| kinds[*i].f64() == FREE) {
            let product = lower.product(1)[i] + h.at(i).curvature() * v[i];
            residual += (product - upper[i]).f64().powi(2);
            b += upper[i].f64().powi(2);
        }
        let solution = norm(v).f64();
        let (needs, point, cotangent, kinds) = self.parameters(x)?;
        let mut by_x = |i: usize, what: &[(Option<usize>, T)]| {
            cotangent.fill(T::zero());
            for (k, times) in what {
                let Some(k) = k else { continue };
                let place = needs.place(*k);
                cotangent[place.start + if place.len() == 1 { 0 } else { i }] += *times;
            }
            point.pull_back(cotangent, Inputs::one(0));
            norm(point.gradient(0)).f64()
        };
        let (mut cross, mut cross_lipschitz, mut bounds) = (0.0, 0.0f64, 0.0);
        for i in 0..n {
            let kind = kinds[i].f64();
            if kind == FREE {
                let sign = if y[i] < T::zero() {
                    -T::one()
                } else {
                    T::one()
                };
                cross += by_x(i, &[(entrywise.weight, sign), (entrywise.square, y[i])]).powi(2);
                let squares = by_x(i, &[(entrywise.square, T::one())]);
                cross_lipschitz = cross_lipschitz.max(squares);
            } else if kind != ZERO {
                let bound = if kind == LOW {
                    entrywise.low
                } else {
                    entrywise.high
                };
                bounds += by_x(i, &[(bound, T::one())]).powi(2);
            }
        }
        Some(Piece {
            step: step.sqrt(),
            free: free.sqrt(),
            fixed: fixed.sqrt(),
            clear,
            square,
            linear_residual: residual.sqrt(),
            upper_gradient: b.sqrt(),
            solution,
            cross: cross.sqrt(),
            cross_lipschitz,
            bounds: bounds.sqrt(),
        })
    }
}
