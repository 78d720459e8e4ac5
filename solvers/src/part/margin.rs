//! How far a solution is from where a part's proximal map has no derivative.

use autodiff::Real;
use autodiff::kernels::norm;

use super::PartPoint;
use crate::linear::system::along_all;

/// How far a point may move, as a part of its size, before what is active there is another set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Margin {
    /// That part; at most 0.1.
    pub(crate) of_size: f64,
    /// The entry of y that changes first.
    pub(crate) entry: usize,
}

/// What is looked at first, and by how much farther each time.
const NEAREST: f64 = 1e-13;
const FARTHER: f64 = 100.0;
/// The farthest that is looked at.
const FARTHEST: f64 = 0.1;
/// A derivative that changes by this much along a vector of entries about 1 has jumped.
const JUMP: f64 = 0.05;

impl<T: Real> PartPoint<T> {
    /// The margin of strict complementarity at (x, y): how far `z = y − s ∇_y g` may move, by some
    /// directions up and down, until the derivative of the proximal map jumps there. For the ℓ₁ norm
    /// that is the least of `|y_i|` on the support and of `s (w − |∂_i g|)` off it, as a part of the
    /// largest entry of y and s ∇_y g, or of `least`, which tells what is no more than rounding.
    pub(crate) fn margin(
        &mut self,
        [x, y]: [&[T]; 2],
        gradient: &[T],
        s: f64,
        least: f64,
    ) -> Margin {
        let (_, [z, ..]) = self.split();
        let mut scale = if least.is_finite() { least } else { 0.0 };
        for i in 0..z.len() {
            let step = T::of(s) * gradient[i];
            z[i] = y[i] - step;
            scale = scale.max(y[i].f64().abs()).max(step.f64().abs());
        }
        if scale == 0.0 {
            // Nothing has a size: any way off is one.
            scale = 1.0;
        }
        if let Some(margin) = self.margin_of_entries(x, scale, s) {
            return margin;
        }
        let (prox, [z, moved, probe, here, ..]) = self.split();
        // Along z too, which turns the derivative of what a norm of y holds.
        along_all(probe);
        let size = norm(z).f64();
        if size > 0.0 {
            let along = T::of(0.7 * (z.len() as f64).sqrt() / size);
            for (probe, z) in probe.iter_mut().zip(&*z) {
                *probe += along * *z;
            }
        }
        prox.linearise(x, z, s);
        here.copy_from_slice(prox.tangent(probe));
        let mut jumps = |by: f64| -> Option<usize> {
            for (along, sign) in [(false, 1.0), (false, -1.0), (true, 1.0), (true, -1.0)] {
                let by = sign * by;
                for (i, (moved, z)) in moved.iter_mut().zip(&*z).enumerate() {
                    let way = match along {
                        true => z.f64(),
                        false => scale * (1.0 + 0.5 * (i as f64 * 37.719).sin()),
                    };
                    *moved = T::of(z.f64() + by * way);
                }
                prox.linearise(x, moved, s);
                let (mut squares, mut most, mut entry) = (0.0, 0.0, 0);
                for (i, (there, here)) in prox.tangent(probe).iter().zip(&*here).enumerate() {
                    let change = (*there - *here).f64().powi(2);
                    squares += change;
                    if change > most {
                        (most, entry) = (change, i);
                    }
                }
                // Written so that a NaN is a jump.
                if !(squares.sqrt() <= JUMP) {
                    return Some(entry);
                }
            }
            None
        };
        let (mut clear, mut by) = (0.0, NEAREST.max(4.0 * T::EPSILON));
        let mut found = loop {
            if let Some(entry) = jumps(by) {
                break Margin { of_size: by, entry };
            }
            clear = by;
            if by >= FARTHEST {
                return Margin {
                    of_size: FARTHEST,
                    entry: 0,
                };
            }
            by = (by * FARTHER).min(FARTHEST);
        };
        // To a third.
        for _ in 0..3 {
            let middle = (clear.max(0.01 * found.of_size) * found.of_size).sqrt();
            match jumps(middle) {
                Some(entry) => {
                    found = Margin {
                        of_size: middle,
                        entry,
                    };
                }
                None => clear = middle,
            }
        }
        found
    }

    /// The margin of a part of entries, whose bends are known, at the z of the first vector of room.
    fn margin_of_entries(&mut self, x: &[T], scale: f64, s: f64) -> Option<Margin> {
        let (h, _, [z, ..]) = self.with_entries(x)?;
        let mut margin = Margin {
            of_size: FARTHEST,
            entry: 0,
        };
        for (entry, z) in z.iter().enumerate() {
            let of_size = h.at(entry).off_bends(z.f64(), s) / scale;
            // Written so that a NaN is near.
            if !(of_size >= margin.of_size) {
                margin = Margin { of_size, entry };
            }
        }
        margin.of_size = margin.of_size.max(0.0);
        Some(margin)
    }
}
