//! What follows a gradient step on the lower level: nothing, or the problem's part.

use autodiff::kernels::norm;
use autodiff::{Inputs, Point, Real};

use super::PartPoint;
use crate::accuracy::solved;

/// The length of a step in units of y's rounding below which it is lost in y.
const ABSORBED: f64 = 1e3;

/// What follows a gradient step on the lower level, in numbers: the proximal map of the problem's
/// part, if it has one.
#[derive(Debug)]
pub(crate) struct After<'a, T: Real>(Option<&'a mut PartPoint<T>>);

/// How sharply the end of steps is seen.
pub(crate) struct Sight {
    /// The length of a step.
    pub(crate) length: f64,
    /// The residual where the steps began, by whose rounding an entry counts as something.
    pub(crate) scale: f64,
    /// How far y is from the solution, as a part of its size.
    pub(crate) distance: f64,
}

impl<'a, T: Real> After<'a, T> {
    /// Of a problem with this part, if it has one.
    pub(crate) fn of(part: Option<&'a mut PartPoint<T>>) -> Self {
        After(part)
    }

    /// The same for a while.
    pub(crate) fn again(&mut self) -> After<'_, T> {
        After(self.0.as_deref_mut())
    }

    /// Whether nothing follows, so that it is a zero of ∇_y g that solves the lower level.
    pub(crate) fn is_nothing(&self) -> bool {
        self.0.is_none()
    }

    /// Replaces `y` by `P_s(y − s · ∇_y f)` for a step of this length, the gradient being that of
    /// `point`'s latest sweep.
    pub(crate) fn descend(&mut self, point: &Point<T>, x: &[T], length: f64, y: &mut [T]) {
        let s = T::of(length);
        for (y, g) in y.iter_mut().zip(point.gradient(1)) {
            *y -= s * *g;
        }
        if let Some(part) = &mut self.0 {
            part.apply(x, y, length);
        }
    }

    /// How far `y` is from a solution: `‖y − P_s(y − s ∇_y g)‖ / s`, which is ‖∇_y g‖ where there is
    /// nothing but g. One gradient of g; `spare` has as many entries as y where something follows.
    pub(crate) fn residual(
        &mut self,
        point: &mut Point<T>,
        x: &[T],
        y: &[T],
        length: f64,
        spare: &mut [T],
    ) -> f64 {
        point.differentiate(&[x, y], Inputs::one(1));
        if self.is_nothing() {
            return norm(point.gradient(1)).f64();
        }
        let next = &mut spare[..y.len()];
        next.copy_from_slice(y);
        // A step so short that y absorbs it would be no residual at all.
        let slope = norm(point.gradient(1)).f64();
        let legible = ABSORBED * T::EPSILON * norm(y).f64() / slope;
        let length = if legible.is_finite() {
            length.max(legible)
        } else {
            length
        };
        self.descend(point, x, length, next);
        for (next, y) in next.iter_mut().zip(y) {
            *next -= *y;
        }
        norm(next).f64() / length
    }

    /// How near (x, y) is to another active set, if there are any, and in words if it is so near
    /// that the derivative may be either's. `gradient` is ∇_y g.
    pub(crate) fn settled(
        &mut self,
        at: [&[T]; 2],
        gradient: &[T],
        sight: Sight,
    ) -> (Option<f64>, Option<String>) {
        let Some(part) = &mut self.0 else {
            return (None, None);
        };
        // The rounding of what the gradients at the start were made of.
        let rounding = 16.0 * T::EPSILON * sight.length * sight.scale;
        let least = rounding / solved::<T>();
        let margin = part.margin(at, gradient, sight.length, least);
        // It is measured to a third, from a z that is known no better than y.
        let nothing = solved::<T>().max(sight.distance.min(1e-2));
        let near = margin.of_size <= 4.0 * nothing;
        let remark = near.then(|| {
            format!(
                "entry {} of y is within {:.1e} of another active set of the part beside g: the \
                 derivative of the solution jumps there, so what is answered may be one of its sides",
                margin.entry, margin.of_size
            )
        });
        (Some(margin.of_size), remark)
    }
}
