//! What is looked at around the fixed point of a map.

use autodiff::Real;
use autodiff::kernels::norm;
use autodiff::unroll::{Memory, Unrolled};

use crate::accuracy::size;
use crate::inner::InnerStep;
use crate::linear::system::along_all;

use super::aid_step::Linearised;

/// Pulls that tell how fast the map contracts.
const PULLS: usize = 24;
/// The rate from which on more of them are made.
const SLOW: f64 = 0.97;
/// The rate from which on steps lead away: transients of a slow map have somewhat more than 1.
pub(super) const EXPANDS: f64 = 1.001;
/// A derivative that changes by this part has jumped.
const JUMP: f64 = 1e-3;

/// By what factor a step lengthens a vector in the long run: the spectral radius of ∂_yΦ, by
/// powers of its transpose.
pub(super) fn growth<T: Real>(of: &mut Linearised<'_, T>, p: &mut [T], next: &mut [T]) -> f64 {
    along_all(p);
    let first = pulls(of, p, next, PULLS);
    // Faster parts of a slow map take longer to be gone.
    match first > SLOW {
        true => pulls(of, p, next, 8 * PULLS),
        false => first,
    }
}

/// The mean factor over the second half of so many pulls.
fn pulls<T: Real>(of: &mut Linearised<'_, T>, p: &mut [T], next: &mut [T], count: usize) -> f64 {
    let (mut log, half) = (0.0, count / 2);
    for k in 0..count {
        let size = norm(p);
        if size == T::zero() {
            return 0.0;
        }
        p.iter_mut().for_each(|p| *p /= size);
        of.pull(p, next);
        p.copy_from_slice(next);
        if k >= half {
            log += norm(p).f64().ln();
        }
    }
    (log / (count - half) as f64).exp()
}

/// That the derivative of the map jumps within reach of y, which is this part of its size from the
/// solution. A smooth one changes by no more than some parts of how far it is looked at.
pub(super) fn kink<T: Real>(
    steps: &mut Unrolled<T>,
    (memory, [x, y, start]): (Memory, [&[T]; 3]),
    distance: f64,
    [cotangent, here, there, moved]: [&mut [T]; 4],
) -> Option<String> {
    let by = (100.0 * distance).max(1e4 * T::EPSILON).min(1e-2);
    let step = T::of(by * size(y, start) / (y.len() as f64).sqrt());
    let mut pulled = |sign: f64, turn: f64, out: &mut [T]| {
        for (i, (moved, y)) in moved.iter_mut().zip(y).enumerate() {
            *moved = *y + step * T::of(sign * (turn * i as f64 + 1.0).sin());
        }
        steps.forward(x, moved, 1, memory);
        along_all(moved);
        let mut linearised = Linearised {
            steps,
            inner: &InnerStep::GradientDescent,
            cotangent,
        };
        linearised.pull(moved, out);
    };
    pulled(0.0, 0.0, here);
    let mut most = 0.0f64;
    for (sign, turn) in [(1.0, 0.1), (-1.0, 0.1), (1.0, 37.719), (-1.0, 37.719)] {
        pulled(sign, turn, there);
        let squares = here
            .iter()
            .zip(&*there)
            .map(|(a, b)| (*a - *b).f64().powi(2));
        let off = squares.sum::<f64>().sqrt();
        let part = if off == 0.0 {
            0.0
        } else {
            off / norm(here).f64().max(norm(there).f64())
        };
        // Written so that a NaN is kept.
        if !(part <= most) {
            most = part;
        }
    }
    // Written so that a NaN is a jump.
    (!(most <= JUMP + 10.0 * by)).then(|| {
        format!(
            "the derivative of the map changes by {most:.1e} within {by:.1e} of y's size: y is at a \
             kink, and what is answered is one of several"
        )
    })
}

/// What a loop of a map without a derivative by its start does not tell of itself: by what factor a step
/// lengthens a vector at y, by as many pulls as the loop had steps, if they are more than a few.
pub(super) fn rate<T: Real>(
    steps: &mut Unrolled<T>,
    [x, y]: [&[T]; 2],
    depth: usize,
    [cotangent, a, b]: [&mut [T]; 3],
) -> f64 {
    a.copy_from_slice(y);
    steps.forward(x, a, 1, Memory::Stored);
    let mut linearised = Linearised {
        steps,
        inner: &InnerStep::GradientDescent,
        cotangent,
    };
    along_all(a);
    pulls(&mut linearised, a, b, depth.max(8 * PULLS))
}
