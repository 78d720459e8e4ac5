//! Stationary points that an iteration keeps by symmetry, though they are no minimisers.
//!
//! From weights that are all 0, or all the same, every hidden unit of a network gets the gradient of every
//! other, and that of the first layer may be exactly 0: no step, no Krylov space and no cotangent ever points
//! out of what the start has in common, however unstable it is. So it is looked for along directions of its
//! own, and only where y bears the marks of it.

use autodiff::bytes::{Buffer, Category};
use autodiff::kernels::norm;
use autodiff::{Inputs, Meter, Point, Real};

use crate::accuracy::size;
use crate::{Bilevel, Status};

/// The most entries that differ in a start that many share.
const FEW: usize = 4;
/// The most products with the Hessian that are spent.
const LOOKS: usize = 48;
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
        let same = |a: &T, b: &T| (*b - *a).f64() <= near * a.f64().abs();
        let runs = spare.chunk_by(same).filter(|run| run.len() > 1);
        let tied: usize = runs.map(<[T]>::len).sum();
        (2 * tied > y.len()).then_some(Trap::Tied)
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
        lower.differentiate(&[x, at[1]], Inputs::one(1));
        let before = norm(lower.gradient(1)).f64();
        trap.repels(lower, at, before, [&mut d, &mut moved])
    }

    /// That g has negative curvature which this trap hides, as a part of the largest met: by conjugate gradients
    /// from a right-hand side of its own, of at most [`LOOKS`] products, whose directions have negative curvature
    /// as soon as their Krylov space has one. What is above −√ε of the largest may be rounding. `before` is the
    /// gradient's norm at the start. The point is left linearised at y, or at another y.
    fn repels<T: Real>(
        self,
        lower: &mut Point<T>,
        [x, start, y]: [&[T]; 3],
        before: f64,
        [residual, p]: [&mut [T]; 2],
    ) -> Option<Status> {
        if self == Trap::Unmoved && Self::is_held(lower, [x, start, y], [residual, p]) {
            return None;
        }
        self.seed([start, y], None, residual);
        p.copy_from_slice(residual);
        let way = y.iter().zip(start).map(|(a, b)| (*a - *b).f64().powi(2));
        let met = before / way.sum::<f64>().sqrt();
        let mut scale = if met.is_finite() { met } else { 0.0 };
        let first = inner(residual, residual);
        let mut size = first;
        lower.linearise(&[x, y]);
        for _ in 0..LOOKS {
            lower.second_by(&[None, Some(p)], Inputs::one(1));
            let product = lower.product(1);
            let (length, bend) = (inner(p, p), inner(p, product));
            scale = scale.max((inner(product, product) / length).sqrt());
            let relative_curvature = bend / length / scale;
            if relative_curvature < -T::EPSILON.sqrt() {
                return Some(Status::NegativeCurvature { relative_curvature });
            }
            // Written so that a NaN ends it.
            if !(relative_curvature.abs() > T::EPSILON) {
                return None;
            }
            let step = T::of(size / bend);
            for (residual, product) in residual.iter_mut().zip(product) {
                *residual -= step * *product;
            }
            let next = inner(residual, residual);
            if !(next > T::EPSILON.powi(2) * first) {
                return None;
            }
            let turn = T::of(next / size);
            for (p, residual) in p.iter_mut().zip(&*residual) {
                *p = *residual + turn * *p;
            }
            size = next;
        }
        None
    }

    /// Whether each entry that has not moved is held by itself, as by a ridge: the gradient by it, which is
    /// 0 at y, has the sign of what it is moved by. That of entries which hold each other may have either;
    /// where they are few they are moved again, so that any two turn beside each other once.
    fn is_held<T: Real>(
        lower: &mut Point<T>,
        [x, start, y]: [&[T]; 3],
        [d, moved]: [&mut [T]; 2],
    ) -> bool {
        let size = Some(size(y, start)).filter(|size| *size > 0.0);
        let reach = T::EPSILON.cbrt() * size.unwrap_or(1.0);
        let count = y.iter().zip(start).filter(|(y, start)| y == start).count();
        let bits = if count > MANY { 0 } else { MANY.ilog2() };
        let mut turns = std::iter::once(None).chain((0..bits).map(Some));
        turns.all(|bit| {
            Trap::Unmoved.seed([start, y], bit, d);
            let step = T::of(reach / inner(d, d).sqrt());
            for (moved, (d, y)) in moved.iter_mut().zip(d.iter().zip(y)) {
                *moved = *y + step * *d;
            }
            lower.differentiate(&[x, moved], Inputs::one(1));
            let mut pairs = d.iter().zip(lower.gradient(1));
            pairs.all(|(d, g)| *d * *g >= T::zero())
        })
    }

    /// A direction of entries of either sign: where all are alike, a sum would cancel nothing. The sign of
    /// those is turned whose number among them has this `bit`.
    fn seed<T: Real>(self, [start, y]: [&[T]; 2], bit: Option<u32>, d: &mut [T]) {
        let mut number = 0u32;
        for (i, (d, (y, start))) in d.iter_mut().zip(y.iter().zip(start)).enumerate() {
            *d = T::zero();
            if self == Trap::Tied || y == start {
                let turned = bit.is_some_and(|bit| number >> bit & 1 == 1);
                let sign = if turned { -1.0 } else { 1.0 };
                *d = T::of(sign * (1.0 + i as f64 * 78.233).sin());
                number += 1;
            }
        }
    }
}

fn inner<T: Real>(a: &[T], b: &[T]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a.f64() * b.f64()).sum()
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
