//! What a certificate asks of a part: the smooth piece around a y, and how far that goes.

use autodiff::kernels::norm;
use autodiff::{Inputs, Point, Real};

use super::PartPoint;

/// Of an h that is a sum over entries, at z = y − s ∇_y g: entries are *free* where h is smooth around
/// P_s(z), and *fixed* at a bound of x, or at 0, elsewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    /// ‖y − P_s(z)‖.
    pub(crate) step: f64,
    /// ‖∇_y g + ∇_y h‖ on the free entries.
    pub(crate) free: f64,
    /// ‖y − P_s(z)‖ on the fixed entries.
    pub(crate) fixed: f64,
    /// How far any entry of z may move before it is another piece.
    pub(crate) clear: f64,
    /// The least v_i: h is convex with it.
    pub(crate) square: f64,
}

/// The linear system on a [`Piece`], whose solution is v on the free entries, with V = diag(v_i) of the
/// squares; and what h adds to the constants there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnPiece {
    /// ‖(H + V)v − ∇_yF‖, ‖∇_yF‖ and ‖v‖ on the free entries.
    pub(crate) linear_residual: f64,
    pub(crate) upper_gradient: f64,
    pub(crate) solution: f64,
    /// ‖∇²_xy h‖ on the free entries, or more.
    pub(crate) cross: f64,
    /// The Lipschitz constant of ∇²_xy h in y, or more: the largest norm of ∂v_i/∂x.
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
    /// The piece at (x, y) for steps s, with `gradient` for ∇_y g; `None` if the part is no sum over
    /// entries.
    pub(crate) fn piece(&mut self, [x, y]: [&[T]; 2], gradient: &[T], s: f64) -> Option<Piece> {
        let (h, _, [.., kinds]) = self.with_entries(x)?;
        let (mut step, mut free, mut fixed) = (0.0, 0.0, 0.0);
        let (mut clear, mut square) = (f64::INFINITY, f64::INFINITY);
        for i in 0..y.len() {
            let h = h.at(i);
            let z = y[i] - T::of(s) * gradient[i];
            let next = h.prox(z, T::of(1.0 / s));
            let off = (y[i] - next).f64().powi(2);
            let kind = match h.is_free(next) {
                true => FREE,
                false if next == h.low => LOW,
                false if next == h.high => HIGH,
                false => ZERO,
            };
            kinds[i] = T::of(kind);
            step += off;
            match kind == FREE {
                true => free += off * (1.0 / s + h.curvature().f64()).powi(2),
                false => fixed += off,
            }
            // Written so that a NaN leaves no room.
            let off_bends = h.off_bends(z.f64(), s);
            if !(off_bends >= clear) {
                clear = off_bends.max(0.0);
            }
            square = square.min(h.curvature().f64());
        }
        Some(Piece {
            step: step.sqrt(),
            free: free.sqrt(),
            fixed: fixed.sqrt(),
            clear,
            square,
        })
    }

    /// The linear system on the latest [`piece`](PartPoint::piece), where g was linearised, for a solution
    /// u of the [face's](super::Face), with `upper` for ∇_yF. Leaves the product with v = D u in the point.
    ///
    /// One product, and a pullback of each parameter of one entry, and of each entry of the others.
    pub(crate) fn on_piece(
        &mut self,
        [x, y]: [&[T]; 2],
        (u, s): (&[T], f64),
        upper: &[T],
        lower: &mut Point<T>,
    ) -> Option<OnPiece> {
        let entrywise = self.recorded.map().entrywise()?;
        let n = y.len();
        let (h, _, [v, .., kinds]) = self.with_entries(x)?;
        for i in 0..n {
            v[i] = match kinds[i].f64() == FREE {
                true => u[i] / (T::one() + T::of(s) * h.at(i).curvature()),
                false => T::zero(),
            };
        }
        lower.second_by(&[None, Some(v)], Inputs::one(1));
        let (mut residual, mut b, mut size) = (0.0, 0.0, 0.0);
        for i in (0..n).filter(|i| kinds[*i].f64() == FREE) {
            let product = lower.product(1)[i] + h.at(i).curvature() * v[i];
            residual += (product - upper[i]).f64().powi(2);
            b += upper[i].f64().powi(2);
            size += y[i].f64().powi(2);
        }
        let solution = norm(v).f64();
        let weight = self.moves(x, entrywise.weight, FREE)?;
        let square = self.moves(x, entrywise.square, FREE)?;
        let low = self.moves(x, entrywise.low, LOW)?;
        let high = self.moves(x, entrywise.high, HIGH)?;
        Some(OnPiece {
            linear_residual: residual.sqrt(),
            upper_gradient: b.sqrt(),
            solution,
            // Of σ_i ∂w_i/∂x + y_i ∂v_i/∂x.
            cross: weight.together + square.most * size.sqrt(),
            cross_lipschitz: square.most,
            bounds: low.together.hypot(high.together),
        })
    }

    /// How much a parameter moves with x in the entries of this kind.
    fn moves(&mut self, x: &[T], which: Option<usize>, kind: f64) -> Option<Moves> {
        let none = Moves {
            together: 0.0,
            most: 0.0,
        };
        let Some(which) = which else {
            return Some(none);
        };
        let (needs, point, cotangent, kinds) = self.parameters(x)?;
        let place = needs.place(which);
        let mut by_x = |at: usize| {
            cotangent.fill(T::zero());
            cotangent[at] = T::one();
            point.pull_back(cotangent, Inputs::one(0));
            norm(point.gradient(0)).f64()
        };
        let of = kinds.iter().enumerate().filter(|(_, k)| k.f64() == kind);
        if place.len() == 1 {
            let count = of.count() as f64;
            let most = if count > 0.0 { by_x(place.start) } else { 0.0 };
            return Some(Moves {
                together: most * count.sqrt(),
                most,
            });
        }
        Some(of.fold(none, |all, (i, _)| {
            let one = by_x(place.start + i);
            Moves {
                together: all.together.hypot(one),
                most: all.most.max(one),
            }
        }))
    }
}

/// Norms of the derivatives by x of some entries of a parameter.
#[derive(Clone, Copy, Debug)]
struct Moves {
    /// Of all of them as a matrix, or more.
    together: f64,
    /// The largest of one.
    most: f64,
}
