//! Stationary points that an iteration keeps by symmetry, though they are no minimisers.
//!
//! From weights that are all 0, or all the same, every hidden unit of a network gets the gradient of every
//! other, and that of the first layer may be exactly 0: no step, no Krylov space and no cotangent ever points
//! out of what the start has in common, however unstable it is. So it is looked for along a direction of its
//! own, and only where y bears the marks of it.

use autodiff::kernels::norm;
use autodiff::{Inputs, Point, Real};

use crate::Status;
use crate::accuracy::size;

/// The most entries that differ in a start that many share.
const FEW: usize = 4;
/// The most differences of gradients that are spent, and from how many entries on one of them may tell that
/// there is nothing.
const LOOKS: usize = 24;
const MANY: usize = 8;

/// The mark of a start that y was kept by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trap {
    /// Entries have not moved, and the gradient by them is exactly 0.
    Unmoved,
    /// Most entries are the same as another still.
    Tied,
}

impl Trap {
    /// What the way from `start` to `y`, where the lower level has this gradient, looks like, if it is a
    /// trap. `spare` is as long as y and overwritten.
    pub(crate) fn of<T: Real>(
        [start, y]: [&[T]; 2],
        gradient: &[T],
        spare: &mut [T],
    ) -> Option<Trap> {
        if y.iter().any(|y| !y.is_finite()) {
            return None;
        }
        let mut ways = y.iter().zip(start).zip(gradient);
        if ways.any(|((y, start), g)| y == start && *g == T::zero()) {
            return Some(Trap::Unmoved);
        }
        if !shares(start) || y.len() < 2 {
            return None;
        }
        spare.copy_from_slice(y);
        spare.sort_unstable_by(|a, b| a.partial_cmp(b).expect("finite"));
        let near = T::EPSILON.powf(0.8);
        let pairs = spare.windows(2).filter(|pair| {
            let [a, b] = [pair[0].f64(), pair[1].f64()];
            b - a <= near * a.abs()
        });
        (2 * pairs.count() > y.len()).then_some(Trap::Tied)
    }

    /// The status of an answer at y, which is none where it is kept in a trap.
    pub(crate) fn judge<T: Real>(
        trap: Option<Trap>,
        status: Status,
        lower: &mut Point<T>,
        at: [&[T]; 3],
        before: f64,
        room: [&mut [T]; 2],
    ) -> Status {
        match trap {
            Some(trap) if status.is_success() => {
                trap.repels(lower, at, before, room).unwrap_or(status)
            }
            _ => status,
        }
    }

    /// That g has negative curvature which this trap hides, as a part of the largest met, by central
    /// differences of gradients: at most two for each of [`LOOKS`] directions, and one where the first says
    /// that each entry is held by itself. `before` is the gradient's norm at the start. The point is left at
    /// another y.
    fn repels<T: Real>(
        self,
        lower: &mut Point<T>,
        [x, start, y]: [&[T]; 3],
        before: f64,
        [d, moved]: [&mut [T]; 2],
    ) -> Option<Status> {
        let mut count = 0;
        for (i, (d, (y, start))) in d.iter_mut().zip(y.iter().zip(start)).enumerate() {
            let along = self == Trap::Tied || y == start;
            count += usize::from(along);
            // Of either sign: where all are alike, a sum would cancel nothing.
            let value = (1.0 + i as f64 * 78.233).sin();
            *d = T::of(if along { value } else { 0.0 });
        }
        let noise = T::EPSILON.cbrt();
        let reach = T::of(noise * Some(size(y, start)).filter(|s| *s > 0.0).unwrap_or(1.0));
        let way = y.iter().zip(start).map(|(a, b)| (*a - *b).f64().powi(2));
        let met = before / way.sum::<f64>().sqrt();
        let (mut scale, mut largest) = (if met.is_finite() { met } else { 0.0 }, 0.0f64);
        for look in 0..LOOKS {
            let length = norm(d);
            if length == T::zero() {
                return None;
            }
            for (moved, (d, y)) in moved.iter_mut().zip(d.iter_mut().zip(y)) {
                *d /= length;
                *moved = *y + reach * *d;
            }
            lower.differentiate(&[x, moved], Inputs::one(1));
            let gradient = lower.gradient(1);
            let alone = d.iter().zip(gradient).all(|(d, g)| *d * *g >= T::zero());
            if self == Trap::Unmoved && look == 0 && count > MANY && alone {
                return None;
            }
            // d makes way for its product; it is what y was moved by.
            for ((d, moved), (g, y)) in d.iter_mut().zip(&mut *moved).zip(gradient.iter().zip(y)) {
                *d = -*g;
                *moved = *y + *y - *moved;
            }
            lower.differentiate(&[x, moved], Inputs::one(1));
            let (mut along, mut squares) = (0.0, 0.0);
            for ((d, moved), (g, y)) in d
                .iter_mut()
                .zip(&*moved)
                .zip(lower.gradient(1).iter().zip(y))
            {
                *d = (*d + *g) / (reach + reach);
                along -= ((*y - *moved) / reach * *d).f64();
                squares += (*d * *d).f64();
            }
            largest = largest.max(squares.sqrt());
            scale = scale.max(largest);
            if along < -noise * scale {
                let relative_curvature = along / scale;
                return Some(Status::NegativeCurvature { relative_curvature });
            }
            let is_vector = along * along >= (1.0 - 1e-6) * squares;
            if look == 0 && is_vector || !(squares > 0.0) {
                return None;
            }
            // Towards the least curvature.
            let by = T::of(1.0 / largest);
            for ((d, moved), y) in d.iter_mut().zip(&*moved).zip(y) {
                *d = (*y - *moved) / reach + by * *d;
            }
        }
        None
    }
}

/// Whether a start is made of few numbers, as 0 alone.
fn shares<T: Real>(start: &[T]) -> bool {
    let mut met = [T::zero(); FEW];
    let mut count = 0;
    for value in start {
        if !met[..count].contains(value) {
            if count == FEW {
                return false;
            }
            met[count] = *value;
            count += 1;
        }
    }
    true
}
