//! Stationary points that an iteration keeps by symmetry, though they are no minimisers.
//!
//! From weights that are all 0, or all the same, every hidden unit of a network gets the gradient of every
//! other, and that of the first layer may be exactly 0: no step, no Krylov space and no cotangent ever points
//! out of what the start has in common, however unstable it is. So it is looked for along a direction of its
//! own, and only where y bears the marks of it.

use autodiff::bytes::{Buffer, Category};
use autodiff::kernels::norm;
use autodiff::{Inputs, Meter, Point, Real};

use crate::accuracy::size;
use crate::{Bilevel, Status};

/// The most entries that differ in a start that many share.
const FEW: usize = 4;
/// The most differences of gradients that are spent.
const LOOKS: usize = 24;
/// So many entries that hold each other do not look as if each did by itself.
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

    /// The failure of a run that has come to (x, y), where its start has kept y in a trap.
    pub(crate) fn at_end<T: Real>(
        problem: &Bilevel<T>,
        [x, y]: [&[T]; 2],
        lower: &mut Point<T>,
        meter: &Meter,
    ) -> Option<Status> {
        if problem.not_smooth().is_some() || problem.constraints().is_some() {
            return None;
        }
        let start = problem.start_at(x);
        let at = [x, start.as_slice(), y];
        let room = || Buffer::zeros(y.len(), Category::Solver, meter);
        let (mut d, mut moved) = (room(), room());
        lower.differentiate(&[x, y], Inputs::one(1));
        let trap = Trap::of([at[1], y], lower.gradient(1), &mut d)?;
        trap.repels(lower, at, f64::NAN, [&mut d, &mut moved])
    }

    /// That g has negative curvature which this trap hides, as a part of the largest met, by central
    /// differences of gradients along at most [`LOOKS`] directions. `before` is the gradient's norm at the
    /// start, or NaN. The point is left at another y.
    fn repels<T: Real>(
        self,
        lower: &mut Point<T>,
        [x, start, y]: [&[T]; 3],
        before: f64,
        [d, moved]: [&mut [T]; 2],
    ) -> Option<Status> {
        let noise = T::EPSILON.cbrt();
        let size = Some(size(y, start)).filter(|size| *size > 0.0);
        let reach = T::of(noise * size.unwrap_or(1.0));
        if self == Trap::Unmoved && Self::is_held(lower, [x, start, y], reach, [d, moved]) {
            return None;
        }
        self.seed([start, y], 1.0, d);
        let way = y.iter().zip(start).map(|(a, b)| (*a - *b).f64().powi(2));
        let met = before / way.sum::<f64>().sqrt();
        let (mut scale, mut largest) = (if met.is_finite() { met } else { 0.0 }, 0.0f64);
        for look in 0..LOOKS {
            if !along(d, y, reach, moved) {
                return None;
            }
            lower.differentiate(&[x, moved], Inputs::one(1));
            // d makes way for its product; it is what y was moved by.
            for ((d, moved), (g, y)) in
                (d.iter_mut().zip(&mut *moved)).zip(lower.gradient(1).iter().zip(y))
            {
                *d = -*g;
                *moved = *y + *y - *moved;
            }
            lower.differentiate(&[x, moved], Inputs::one(1));
            let (mut product, mut squares) = (0.0, 0.0);
            for ((d, moved), (g, y)) in
                (d.iter_mut().zip(&*moved)).zip(lower.gradient(1).iter().zip(y))
            {
                *d = (*d + *g) / (reach + reach);
                product -= ((*y - *moved) / reach * *d).f64();
                squares += (*d * *d).f64();
            }
            largest = largest.max(squares.sqrt());
            scale = scale.max(largest);
            if product < -noise * scale {
                let relative_curvature = product / scale;
                return Some(Status::NegativeCurvature { relative_curvature });
            }
            let is_vector = product * product >= (1.0 - 1e-6) * squares;
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

    /// Whether each entry that has not moved is held by itself, as by a ridge: the gradient by it, which is
    /// 0 at y, has the sign of what it is moved by. That of entries which hold each other may have either,
    /// so few of them are moved twice.
    fn is_held<T: Real>(
        lower: &mut Point<T>,
        [x, start, y]: [&[T]; 3],
        reach: T,
        [d, moved]: [&mut [T]; 2],
    ) -> bool {
        let count = y.iter().zip(start).filter(|(y, start)| y == start).count();
        let turns = if count > MANY {
            &[1.0][..]
        } else {
            &[1.0, -1.0]
        };
        turns.iter().all(|turn| {
            Trap::Unmoved.seed([start, y], *turn, d);
            along(d, y, reach, moved);
            lower.differentiate(&[x, moved], Inputs::one(1));
            let mut pairs = d.iter().zip(lower.gradient(1));
            pairs.all(|(d, g)| *d * *g >= T::zero())
        })
    }

    /// A direction of entries of either sign: where all are alike, a sum would cancel nothing. `turn` of −1
    /// turns the sign of every other one.
    fn seed<T: Real>(self, [start, y]: [&[T]; 2], turn: f64, d: &mut [T]) {
        let mut sign = 1.0;
        for (i, (d, (y, start))) in d.iter_mut().zip(y.iter().zip(start)).enumerate() {
            *d = T::zero();
            if self == Trap::Tied || y == start {
                *d = T::of(sign * (1.0 + i as f64 * 78.233).sin());
                sign *= turn;
            }
        }
    }
}

/// Brings d to length 1 and y + `reach` d to `moved`, unless d is 0.
fn along<T: Real>(d: &mut [T], y: &[T], reach: T, moved: &mut [T]) -> bool {
    let length = norm(d);
    for (moved, (d, y)) in moved.iter_mut().zip(d.iter_mut().zip(y)) {
        *d /= length;
        *moved = *y + reach * *d;
    }
    length > T::zero()
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
