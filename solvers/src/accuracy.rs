//! How far an inner variable is from the solution of its lower level: the one measure of accuracy.
//!
//! A residual ‖∇_y g‖ is small where y is near the solution, and also where g is small or flat. So
//! what counts is the distance to the solution, `‖∇_y g‖ / λ` with λ the smallest curvature that was
//! met, as a part of y's own size: it does not change when g, F, x or y are measured in other units.

use autodiff::kernels::{dot_f64, norm};
use autodiff::{Inputs, Point, Real};

use crate::{Status, default_tolerance};

/// The relative distance that counts as solved unless told otherwise: 1e-7 in `f64`, 3e-4 in `f32`.
pub(crate) fn solved<T: Real>() -> f64 {
    default_tolerance::<T>().powf(0.7)
}

/// The relative distance above which a success has a warning.
pub(crate) const TOLD: f64 = 3e-4;

/// The most entries of y for which directions are looked for that the right-hand side hides.
pub(crate) const PROBED: usize = 20;

/// The relative distance from which on y is no approximation of the solution.
pub(crate) const LOST: f64 = 0.1;

/// What distances of y are a part of: its norm, or a millionth of that of its start, where y is 0 except
/// for rounding.
pub(crate) fn size<T: Real>(y: &[T], start: &[T]) -> f64 {
    norm(y).f64().max(1e-6 * norm(start).f64())
}

/// A distance as a part of the size of y; all of it where y is 0 and began there, as then the solution
/// is as large as it is far.
pub(crate) fn part<T: Real>(distance: f64, y: &[T], start: &[T]) -> f64 {
    if distance == 0.0 {
        return 0.0;
    }
    let size = size(y, start);
    if size == 0.0 && distance.is_finite() {
        return 1.0;
    }
    distance / size
}

/// The smallest curvature that the products of a Hessian were seen to have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Curvature {
    least: f64,
    largest: f64,
}

impl Curvature {
    /// None seen yet.
    pub(crate) fn new() -> Self {
        Curvature {
            least: f64::INFINITY,
            largest: 0.0,
        }
    }

    /// A curvature that was found otherwise.
    pub(crate) fn met(curvature: f64) -> Self {
        Curvature {
            least: curvature,
            largest: curvature,
        }
    }

    /// The product `hp` of H and `p`, or of several vectors one after the other.
    pub(crate) fn see<T: Real>(&mut self, n: usize, p: &[T], hp: &[T]) {
        for (p, hp) in p.chunks_exact(n).zip(hp.chunks_exact(n)) {
            let squares = dot_f64(p, p);
            if squares > 0.0 {
                let curvature = (dot_f64(p, hp) / squares).abs();
                self.least = self.least.min(curvature);
                self.largest = self.largest.max(curvature);
            }
        }
    }

    /// How far a point with the gradient's norm `residual` is from one without: 0 for none, infinite
    /// where no curvature was met.
    pub(crate) fn distance(&self, residual: f64) -> f64 {
        if residual == 0.0 {
            0.0
        } else if self.least.is_finite() {
            residual / self.least
        } else {
            f64::INFINITY
        }
    }

    /// Whether a residual at a y of this size is rounding, in a direction that is flat except
    /// for rounding too: then it tells of no distance.
    pub(crate) fn is_noise<T: Real>(&self, residual: f64, size: f64) -> bool {
        let rounding = 16.0 * T::EPSILON * self.largest;
        self.least <= rounding && residual <= rounding * size
    }

    /// The smallest that was met; infinite if none was.
    pub(crate) fn least(&self) -> f64 {
        self.least
    }

    /// The smaller of both.
    pub(crate) fn and(self, other: Self) -> Self {
        Curvature {
            least: self.least.min(other.least),
            largest: self.largest.max(other.largest),
        }
    }
}

/// What the curvature beside y says of the curvature there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Flat {
    /// It is next to none beside that a ten-thousandth of the size of y away (a thousandth in `f32`):
    /// y is a zero of ∇_y g of higher order, as of a quartic or at the inflection of a cubic, and the
    /// smallness of H is rounding. The ratio of the two.
    Singular(f64),
    /// It changes by a third over the distance that y is thought to be from the solution, as it does at
    /// any distance from such a zero: so that one step of Newton's does not lead to a solution, and the
    /// distance, which the curvature gave, says nothing.
    Unsteady,
}

impl Flat {
    /// On small problems, looks beside y along `v`, by at most two gradients and two products.
    ///
    /// The point's latest product is that along `v` at (x, y); the point is left linearised elsewhere.
    /// `size` stands for a y of 0, and `distance` is what y is thought to be from the solution, as a
    /// part of its size.
    pub(crate) fn beside<T: Real>(
        lower: &mut Point<T>,
        [x, y]: [&[T]; 2],
        v: &[T],
        (size, distance): (f64, f64),
        spare: &mut [T],
    ) -> Option<Flat> {
        let length = norm(v).f64();
        if y.len() > PROBED || !(length > 0.0 && length.is_finite()) {
            return None;
        }
        let here = dot_f64(v, lower.product(1)).abs();
        // Of y itself where it is not 0: the start may be far off.
        let own = norm(y).f64();
        let size = if own > 0.0 { own } else { size };
        let mut at = |part: f64| {
            let step = T::of(part * size / length);
            for ((moved, y), v) in spare.iter_mut().zip(y).zip(v) {
                *moved = *y + step * *v;
            }
            lower.linearise(&[x, spare]);
            lower.second_by(&[None, Some(v)], Inputs::one(1));
            dot_f64(v, lower.product(1)).abs()
        };
        let far = (1e4 * T::EPSILON).max(1e-4);
        let there = at(far);
        if 1e3 * here < there {
            return Some(Flat::Singular(here / there));
        }
        // Nearer than that the first look sees it.
        let tells = distance > 1e-4 * far && distance < LOST;
        let unsteady = tells && (at(distance) / here - 1.0).abs() > 0.3;
        unsteady.then_some(Flat::Unsteady)
    }

    /// What it makes of a success where y was to be this near.
    pub(crate) fn status(self, allowed: f64) -> Status {
        let distance = f64::INFINITY;
        match self {
            Flat::Singular(relative_curvature) => Status::SingularHessian { relative_curvature },
            Flat::Unsteady => Status::LowerInaccurate { distance, allowed },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_flattest_direction_seen() {
        let mut seen = Curvature::new();
        assert_eq!(
            (seen.distance(0.0), seen.distance(1.0)),
            (0.0, f64::INFINITY)
        );
        seen.see(2, &[1e-120, 0.0, 0.0, 2.0], &[4e-120, 0.0, 0.0, 1.0]);
        assert_eq!(seen.distance(1e-3), 2e-3);
        assert_eq!(part(2e-3, &[0.3, 0.4], &[0.0, 0.0]), 4e-3);
        assert_eq!(part(0.0, &[0.0], &[0.0]), 0.0);
        assert_eq!(part(1.0, &[0.0], &[2.0]), 5e5);
        assert_eq!(part(1e-20, &[0.0], &[0.0]), 1.0);
        assert_eq!(part(f64::INFINITY, &[0.0], &[0.0]), f64::INFINITY);
    }

    #[test]
    fn a_second_derivative_by_rounding_alone_is_told_from_a_small_one() {
        use autodiff::{Objective, Var, objective};
        let look = |g: &dyn Fn() -> std::sync::Arc<autodiff::Program<f64>>, y: f64, distance| {
            let mut point = g().point();
            point.linearise(&[&[0.0], &[y]]);
            point.second_by(&[None, Some(&[2.0])], Inputs::one(1));
            Flat::beside(
                &mut point,
                [&[0.0], &[y]],
                &[2.0],
                (y.abs(), distance),
                &mut [0.0],
            )
        };
        let at = |g, y| matches!(look(g, y, 0.0), Some(Flat::Singular(_)));
        let cubic = || objective(|_x: Var, y: Var| (y - 0.3).powi(3).sum()).record(1, 1);
        assert!(at(&cubic, 0.3 + 1e-12) && at(&cubic, 0.3 - 1e-12) && !at(&cubic, 0.4));
        let quartic = || objective(|_x: Var, y: Var| y.powi(4).sum()).record(1, 1);
        assert!(!at(&quartic, 1e-9), "far from 0 for its size");
        // Small, and no smaller there than beside it.
        let tail = || objective(|_x: Var, y: Var| (-y).exp().sum()).record(1, 1);
        let small = || objective(|_x: Var, y: Var| 1e-20 * y.norm_squared()).record(1, 1);
        assert!(!at(&tail, 25.0) && !at(&small, 1.0));
        // At any distance from the zero, in either direction: half of it, by the curvature there.
        for off in [1e-2, -1e-3, 1e-4, -1e-5, 1e-6, -2e-7] {
            let y = 0.3 * (1.0 + off);
            assert_eq!(
                look(&cubic, y, 0.5 * f64::abs(off)),
                Some(Flat::Unsteady),
                "{off}"
            );
        }
        let curved = || objective(|_x: Var, y: Var| (y - 0.3).powi(2).exp().sum()).record(1, 1);
        assert_eq!(look(&curved, 0.3 * (1.0 + 1e-2), 1e-2), None);
    }
}
