//! Bounds and thresholds that hold with nothing to spare.

use autodiff::Real;
use autodiff::kernels::norm;

use super::{Constraint, Proximal};
use crate::accuracy::{self, solved};

/// What tells whether an entry of y may as well be free as held.
pub(crate) struct Weak<'a, T> {
    /// Where the steps began.
    pub(crate) start: &'a [T],
    /// The size of the gradient there, by which a gradient counts.
    pub(crate) scale: f64,
    /// The residual at the end: no gradient of a free entry is known to be less.
    pub(crate) residual: f64,
    /// The length of a step.
    pub(crate) length: f64,
    /// How well y is known, as a part of its size, if that is worse than 1e-7 (3e-4 in `f32`).
    pub(crate) blur: f64,
}

impl<T: Real> Weak<'_, T> {
    /// A solution is known no better than this part of its size.
    pub(crate) fn nothing(&self) -> f64 {
        solved::<T>().max(self.blur)
    }

    /// The first entry that is at its bound and that nothing presses there, in words: the derivative
    /// of the solution jumps at such a y. `gradient` is ∇_y g.
    pub(crate) fn entry(&self, proximal: Proximal, y: &[T], gradient: &[T]) -> Option<String> {
        if proximal == Proximal::NONE {
            return None;
        }
        let size = norm(y).f64();
        let reference = accuracy::size(y, self.start);
        // A gradient may be down to what rounding of y makes of it.
        let nothing = self.nothing();
        let near =
            |a: f64, b: f64| b.is_finite() && (a - b).abs() <= nothing * reference.max(b.abs());
        let rounding = 8.0 * T::EPSILON * size / self.length;
        let rests = |g: f64| g.abs() <= (nothing * self.scale).max(rounding).max(self.residual);
        // Beside a bound a step is off it by the rounding of what it descends by.
        let lands = |y: f64, b: f64, g: f64| {
            let rounding = 8.0 * T::EPSILON * self.length * g.abs();
            near(y, b) || (y - b).abs() <= rounding
        };
        let entries = || y.iter().zip(gradient).map(|(y, g)| (y.f64(), g.f64()));
        let named = |what: &str, i: usize| {
            format!(
                "entry {i} of y is at {what} with nothing that holds it there, so the derivative of the \
             solution jumps: what is answered is one of its sides, or between them"
            )
        };
        match proximal {
            Proximal::Constraint(Constraint::None) => None,
            Proximal::Constraint(Constraint::Box { low, high }) => entries()
                .position(|(y, g)| (lands(y, low, g) || lands(y, high, g)) && rests(g))
                .map(|i| named("its bound", i)),
            Proximal::Constraint(Constraint::Simplex) => {
                // The multiplier of the sum: the gradient of the entries that are free.
                let level: f64 = entries().map(|(y, g)| y * g).sum();
                entries()
                    .position(|(y, g)| lands(y, 0.0, g) && rests(g - level))
                    .map(|i| named("0", i))
            }
            Proximal::Constraint(Constraint::Ball { radius }) => {
                let free = near(size, radius) && rests(norm(gradient).f64());
                free.then(|| {
                    "y is on the sphere with nothing that holds it there, so the derivative of the \
                 solution jumps: what is answered is one of its sides, or between them"
                        .to_owned()
                })
            }
            Proximal::SoftThreshold { weight } => entries()
                .position(|(y, g)| {
                    let spare = (g.abs() - weight).abs();
                    lands(y, 0.0, g) && spare <= (nothing * weight).max(rounding)
                })
                .map(|i| named("0", i)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOX: Proximal = Proximal::Constraint(Constraint::Box {
        low: 0.0,
        high: 2.0,
    });

    fn found(proximal: Proximal, y: &[f64], gradient: &[f64]) -> Option<String> {
        let weak = Weak {
            start: &[0.0],
            scale: 1.0,
            residual: 0.0,
            length: 0.5,
            blur: 0.0,
        };
        weak.entry(proximal, y, gradient)
    }

    #[test]
    fn an_entry_at_its_bound_that_nothing_presses_is_named() {
        let weak = found(BOX, &[1.0, 0.0, 0.0], &[0.0, 0.3, 1e-9]).expect("entry 2");
        assert!(weak.contains("entry 2 of y is at its bound"), "{weak}");
        assert!(found(BOX, &[1.0, 2.0], &[0.0, -1e-10]).is_some());
        assert_eq!(found(BOX, &[1.0, 0.0, 2.0], &[0.0, 0.3, -0.2]), None);
        assert_eq!(found(Proximal::NONE, &[0.0], &[0.0]), None);
        // A gradient of the residual's size may be none.
        let weak = |residual: f64| Weak {
            start: &[0.0],
            scale: 1.0,
            residual,
            length: 0.5,
            blur: 0.0,
        };
        assert!(weak(1e-3).entry(BOX, &[1.0, 0.0], &[0.0, 5e-4]).is_some());
        assert_eq!(weak(1e-4).entry(BOX, &[1.0, 0.0], &[0.0, 5e-4]), None);
    }

    #[test]
    fn the_other_sets_and_the_threshold_have_their_own_multipliers() {
        let simplex = Proximal::Constraint(Constraint::Simplex);
        assert!(found(simplex, &[0.4, 0.6, 0.0], &[0.2, 0.2, 0.2]).is_some());
        assert_eq!(found(simplex, &[0.4, 0.6, 0.0], &[0.2, 0.2, 0.7]), None);
        let ball = Proximal::Constraint(Constraint::Ball { radius: 1.0 });
        assert!(found(ball, &[0.6, 0.8], &[0.0, 0.0]).is_some());
        assert_eq!(found(ball, &[0.6, 0.8], &[-0.6, -0.8]), None);
        assert_eq!(found(ball, &[0.3, 0.4], &[0.0, 0.0]), None);
        let soft = Proximal::SoftThreshold { weight: 0.1 };
        assert!(found(soft, &[0.5, 0.0], &[-0.1, 0.1]).is_some());
        assert_eq!(found(soft, &[0.5, 0.0], &[-0.1, 0.05]), None);
        // Off 0 by the rounding of a step, where nothing else gives y a size.
        let off = 2.0 * f64::EPSILON * 0.5 * 0.1;
        assert!(found(soft, &[off], &[-0.1]).is_some());
        assert_eq!(found(soft, &[1e-9], &[-0.1]), None);
    }
}
