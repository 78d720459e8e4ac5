//! Step lengths: given, or found from the curvature.

use autodiff::{Inputs, Point, Real};

use super::Proximal;
use crate::linear::largest_magnitude;

/// The length of a gradient step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum StepLength {
    /// Found anew at each call: one over the largest curvature at the start (power iteration),
    /// halved while the first steps from there do not decrease the objective enough. It is a
    /// constant to every derivative, and is reported with the estimate.
    #[default]
    Auto,
    /// This length.
    Fixed(f64),
}

const TRIAL_STEPS: usize = 20;

impl StepLength {
    /// The length for `y ↦ f(x, y)` started from `y`. `spare` is overwritten: as many entries as
    /// [`spare`](StepLength::spare) says, or more.
    pub(crate) fn resolve<T: Real>(
        self,
        point: &mut Point<T>,
        x: &[T],
        y: &[T],
        spare: &mut [T],
    ) -> f64 {
        self.resolve_proximal(Proximal::NONE, point, x, y, spare)
    }

    /// [`resolve`](StepLength::resolve) for steps that a proximal map follows: no other point is
    /// looked at than one that they could reach.
    pub(crate) fn resolve_proximal<T: Real>(
        self,
        proximal: Proximal,
        point: &mut Point<T>,
        x: &[T],
        y: &[T],
        spare: &mut [T],
    ) -> f64 {
        match self {
            StepLength::Fixed(length) => length,
            StepLength::Auto => {
                let curvature = largest_curvature(point, x, y, spare);
                // An objective without curvature at the start gives no scale.
                let length = if curvature > 0.0 {
                    1.0 / curvature
                } else {
                    1.0
                };
                trial(proximal, point, x, y, length, spare)
            }
        }
    }

    /// Entries that finding the length for y of `dim_y` entries needs.
    pub(crate) fn spare(self, dim_y: usize) -> usize {
        match self {
            StepLength::Fixed(_) => 0,
            StepLength::Auto => 2 * dim_y,
        }
    }

    /// Whether it is found from the curvature, by second sweeps.
    pub(crate) fn is_found(self) -> bool {
        self == StepLength::Auto
    }

    /// The reason why this is no step length, if it is none.
    pub(crate) fn complaint(self) -> Option<String> {
        match self {
            StepLength::Fixed(s) if !(s.is_finite() && s > 0.0) => {
                Some(format!("step length {s}: expected a positive number"))
            }
            _ => None,
        }
    }
}

/// An upper estimate of ‖∇²_yy f‖ at (x, y).
fn largest_curvature<T: Real>(point: &mut Point<T>, x: &[T], y: &[T], spare: &mut [T]) -> f64 {
    point.linearise(&[x, y]);
    let (v, rest) = spare.split_at_mut(y.len());
    let mut product = |p: &[T], out: &mut [T]| {
        point.second_by(&[None, Some(p)], Inputs::one(1));
        out.copy_from_slice(point.product(1));
    };
    largest_magnitude(&mut product, v, &mut rest[..y.len()])
}

/// Halves `length` until steps of it decrease the objective as a quadratic of that curvature would.
///
/// A length s is short enough where a step d of it has `f(y + d) ≤ f(y) + ∇fᵀd + ¾‖d‖²/s`, for a gradient step
/// `f(y) − ¼ s‖∇f‖²` (Beck and Teboulle 2009, section 4, with ¾ for ½ against rounding).
fn trial<T: Real>(
    proximal: Proximal,
    point: &mut Point<T>,
    x: &[T],
    start: &[T],
    mut length: f64,
    spare: &mut [T],
) -> f64 {
    let (y, rest) = spare.split_at_mut(start.len());
    let next = &mut rest[..start.len()];
    y.copy_from_slice(start);
    let mut value = point.differentiate(&[x, y], Inputs::one(1)).f64();
    for _ in 0..TRIAL_STEPS {
        let rounding = 8.0 * T::EPSILON * value.abs();
        let mut settled = false;
        loop {
            next.copy_from_slice(y);
            proximal.descend(point, length, next);
            let (mut slope, mut squared) = (0.0, 0.0);
            for ((next, y), g) in next.iter().zip(&*y).zip(point.gradient(1)) {
                let d = (*next - *y).f64();
                slope += g.f64() * d;
                squared += d * d;
            }
            if squared <= 16.0 * rounding * length {
                settled = true;
                break;
            }
            let reached = point.value(&[x, next]).f64();
            let bound = value + slope + 0.75 * squared / length;
            if reached <= bound + rounding || length < 1e-18 {
                break;
            }
            length *= 0.5;
            // The value there has taken the place of the gradient here.
            point.differentiate(&[x, y], Inputs::one(1));
        }
        if settled {
            break;
        }
        y.copy_from_slice(next);
        value = point.differentiate(&[x, y], Inputs::one(1)).f64();
    }
    length
}
