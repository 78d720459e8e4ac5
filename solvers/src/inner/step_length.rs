//! Step lengths: given, or found from the curvature.

use autodiff::kernels::{axpy, dot, norm};
use autodiff::{Inputs, Point, Real};

use crate::Bilevel;
use crate::hessian::Hessian;
use crate::linear::largest_magnitude;
use crate::part::After;

/// The length of a gradient step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum StepLength {
    /// Found again at each call: one over the largest curvature at the start (power iteration),
    /// halved while the gradient turns too much along the first steps from there, as far as a
    /// curvature met on them explains it. It is a constant to every derivative, and is reported
    /// with the estimate.
    ///
    /// Values play no part, so that an objective whose value cancels, or carries a large constant,
    /// has the length of any other. With g multiplied by a constant the length is divided by it.
    #[default]
    Auto,
    /// This length.
    Fixed(f64),
}

const TRIAL_STEPS: usize = 20;
/// How often [`unscaled`] looks eight times as far.
const FARTHER: i32 = 20;

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
        self.resolve_after(After::of(None), point, x, y, spare)
    }

    /// [`resolve`](StepLength::resolve) for steps that something follows: no other point is
    /// looked at than one that they could reach.
    pub(crate) fn resolve_after<T: Real>(
        self,
        after: After<'_, T>,
        point: &mut Point<T>,
        x: &[T],
        y: &[T],
        spare: &mut [T],
    ) -> f64 {
        match self {
            StepLength::Fixed(length) => length,
            StepLength::Auto => {
                let length = 1.0 / largest_curvature(point, x, y, spare);
                let length = if length.is_finite() && length > 0.0 {
                    length
                } else {
                    unscaled(point, x, y, spare)
                };
                trial(after, point, x, y, length, spare)
            }
        }
    }

    /// Entries that finding the length for y of `dim_y` entries needs.
    pub(crate) fn spare(self, dim_y: usize) -> usize {
        match self {
            StepLength::Fixed(_) => 0,
            StepLength::Auto => 3 * dim_y,
        }
    }

    /// Entries that finding it on `problem`, and the residual there, needs.
    pub(crate) fn spare_on<T: Real>(self, problem: &Bilevel<T>) -> usize {
        let dim_y = problem.dim_y();
        let residual = if problem.part().is_some() { dim_y } else { 0 };
        self.spare(dim_y).max(residual)
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
    largest_magnitude(&mut Hessian::of(point), v, &mut rest[..y.len()])
}

/// A first length where there is no curvature at `y`: by how much the gradient turns on the way
/// against it, as far as y is large (1 for y = 0), and eight times as far where it does not.
fn unscaled<T: Real>(point: &mut Point<T>, x: &[T], y: &[T], spare: &mut [T]) -> f64 {
    point.differentiate(&[x, y], Inputs::one(1));
    let (gradient, rest) = spare.split_at_mut(y.len());
    let moved = &mut rest[..y.len()];
    gradient.copy_from_slice(point.gradient(1));
    let (size, own) = (norm(gradient).f64(), norm(y).f64());
    let first = if own > 0.0 { own } else { 1.0 };
    if !(size > 0.0 && size.is_finite()) {
        return 1.0;
    }
    for far in 0..FARTHER {
        let distance = first * 8f64.powi(far);
        moved.copy_from_slice(y);
        axpy(moved, T::of(-distance / size), gradient);
        point.differentiate(&[x, moved], Inputs::one(1));
        let along = dot(point.gradient(1), gradient).f64() / size;
        let curvature = (size - along) / distance;
        if curvature * distance > 1e-3 * size {
            return 1.0 / curvature;
        }
    }
    first / size
}

/// Halves `length` until the gradient turns along steps of it as that of a quadratic would whose
/// curvature the length is short enough for.
///
/// Along a step d of length s the slope may change by `(∇f(y + d) − ∇f(y))ᵀd ≤ 5/4 ‖d‖²/s`, and along
/// each half of a step that is longer than those before by half of it. For a quadratic this is
/// `f(y + d) ≤ f(y) + ∇fᵀd + ⅝‖d‖²/s` (Beck and Teboulle 2009, section 4, with ⅝ for ½), but nothing
/// cancels. The margin is below 4/3, the curvature over the length that steps with Nesterov's momentum
/// bear. A turn that no curvature explains is a kink, or the rounding of the gradient: no step is
/// short enough for it, and the length stays.
fn trial<T: Real>(
    mut after: After<'_, T>,
    point: &mut Point<T>,
    x: &[T],
    start: &[T],
    mut length: f64,
    spare: &mut [T],
) -> f64 {
    let (y, rest) = spare.split_at_mut(start.len());
    let (next, rest) = rest.split_at_mut(start.len());
    let mid = &mut rest[..start.len()];
    y.copy_from_slice(start);
    point.differentiate(&[x, y], Inputs::one(1));
    let mut longest = 0.0;
    for _ in 0..TRIAL_STEPS {
        loop {
            next.copy_from_slice(y);
            after.descend(point, x, length, next);
            let from = slope(point, y, next);
            let squared = squared_distance(y, next);
            // Written so that a NaN settles it. Steps that are next to nothing beside those before have
            // turned all they will, and a gradient of large terms is rounded as y is not.
            let settled = squared < T::EPSILON * longest;
            if settled || !(squared.sqrt() > 32.0 * T::EPSILON * norm(y).f64()) {
                return length;
            }
            let allowed = 1.25 * squared / length;
            let mut half = None;
            if squared > longest {
                part_way(y, next, 0.5, mid);
                point.differentiate(&[x, mid], Inputs::one(1));
                half = Some(slope(point, y, next));
            }
            point.differentiate(&[x, next], Inputs::one(1));
            let to = slope(point, y, next);
            let halves = |half: f64| half - from <= 0.5 * allowed && to - half <= 0.5 * allowed;
            if half.is_none_or(halves) && to - from <= allowed {
                longest = squared.max(longest);
                break;
            }
            let curvature = turning(point, x, [y, next, mid], from, to);
            // Half of the length may be what the curvature asks for, or twice that.
            if !(curvature * length > 0.5) {
                return length;
            }
            length *= 0.5;
            longest = 0.0;
            point.differentiate(&[x, y], Inputs::one(1));
        }
        y.copy_from_slice(next);
    }
    length
}

/// The curvature of f along the way from `y` to `next`, where its slope turns most: 0 where it is a
/// kink or noise, infinite where f is not finite. `from` and `to` are the slopes at the two ends;
/// `next` and `mid` are overwritten.
///
/// The half in which the slope changes more is halved again until both halves change alike, as
/// those of a smooth function do; a kink is in one of them for ever. What is found so is compared
/// with the second derivative there, which has no noise.
fn turning<T: Real>(
    point: &mut Point<T>,
    x: &[T],
    [y, next, mid]: [&mut [T]; 3],
    mut from: f64,
    mut to: f64,
) -> f64 {
    if !to.is_finite() {
        return f64::INFINITY;
    }
    let squared = squared_distance(y, next);
    let size = norm(y).f64().max(norm(next).f64());
    let rounding = 4.0 * T::EPSILON * size / squared.sqrt();
    let (mut first, mut last, mut alike) = (0.0, 1.0, 0);
    while alike < 2 {
        // Written so that a NaN ends it.
        if !(last - first > rounding.max(T::EPSILON)) {
            return 0.0;
        }
        let middle = 0.5 * (first + last);
        part_way(y, next, middle, mid);
        point.differentiate(&[x, mid], Inputs::one(1));
        let here = slope(point, y, next);
        if !here.is_finite() {
            return f64::INFINITY;
        }
        let (before, after) = (here - from, to - here);
        let larger = before.max(after);
        alike = if larger <= 0.6 * (to - from) {
            alike + 1
        } else {
            0
        };
        if before > after {
            (last, to) = (middle, here);
        } else {
            (first, from) = (middle, here);
        }
    }
    let found = (to - from) / ((last - first) * squared);
    part_way(y, next, 0.5 * (first + last), mid);
    point.linearise(&[x, mid]);
    for (next, y) in next.iter_mut().zip(&*y) {
        *next -= *y;
    }
    let curvature = dot(next, Hessian::of(point).times(next)).f64() / squared;
    if curvature > found / 3.0 {
        curvature
    } else {
        0.0
    }
}

/// The slope of f at the point's latest sweep along the way from `y` to `next`.
fn slope<T: Real>(point: &Point<T>, y: &[T], next: &[T]) -> f64 {
    let way = next.iter().zip(y).map(|(next, y)| (*next - *y).f64());
    way.zip(point.gradient(1)).map(|(d, g)| g.f64() * d).sum()
}

fn squared_distance<T: Real>(y: &[T], next: &[T]) -> f64 {
    let way = next.iter().zip(y).map(|(next, y)| (*next - *y).f64());
    way.map(|d| d * d).sum()
}

/// Overwrites `mid` with what lies a `part` of the way from `y` to `next`.
fn part_way<T: Real>(y: &[T], next: &[T], part: f64, mid: &mut [T]) {
    for ((mid, y), next) in mid.iter_mut().zip(y).zip(next) {
        *mid = *y + T::of(part) * (*next - *y);
    }
}

#[cfg(test)]
mod tests {
    use autodiff::{Objective, Var, objective};

    use super::*;

    fn found(g: impl Objective<f64>, start: f64) -> f64 {
        let mut point = g.record(1, 1).point();
        StepLength::Auto.resolve(&mut point, &[0.7], &[start], &mut [0.0; 3])
    }

    #[test]
    fn a_step_over_what_turns_the_gradient_is_too_long() {
        // Next to no curvature at the start, or none, and ¼ on the way.
        let tail = || objective(|_x: Var, y: Var| y.softplus().sum());
        for start in [12.0, 20.0, 30.0, 80.0, 300.0] {
            let length = found(tail(), start);
            // About the way to where it turns, and not one over the curvature, e^start.
            assert!((1.0..4.0 * start).contains(&length), "{start}: {length:e}");
        }
    }

    #[test]
    fn rounding_and_kinks_shorten_no_step() {
        // The gradient comes in units of 1e-7.
        let coarse = || objective(|x: Var, y: Var| 0.5 * ((y + 1e9) - (x + 1e9)).norm_squared());
        // Its value does.
        let large = || objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared() + 1e12);
        // The minimum is at a kink, beside a curvature of 1.
        let kink =
            || objective(|x: Var, y: Var| (y - x).abs().sum() + 0.5 * (y - x).norm_squared());
        for start in [0.0, 0.6999999, 3.1, -70.0] {
            let one = 1.0 / 1.05;
            assert_eq!(found(coarse(), start), one, "{start}");
            assert_eq!(found(large(), start), one, "{start}");
            assert_eq!(found(kink(), start), one, "{start}");
        }
        // Where the gradient is nothing but its rounding, which may look like any curvature.
        for i in 0..500 {
            let start = 0.7 + 3e-6 * f64::from(i).sin();
            assert_eq!(found(coarse(), start), 1.0 / 1.05, "{start}");
        }
    }

    /// The solution is near 0, where the terms of the gradient are not.
    #[test]
    fn steps_that_have_come_to_nothing_shorten_no_step() {
        let (a, x, y) = (
            0.43024714179628026,
            -0.2297476008067728,
            0.40019710125398145,
        );
        let curvature = a * a + 1.0 + f64::powf((y - x) * (y - x) + 1.0, -1.5);
        for unit in [1.0, 289.06569574534143, 0.37, 1e-3, 4e5] {
            let g = objective(move |_x: Var, y: Var| {
                let y = y * unit;
                let root = ((y - x).square() + 1.0).sqrt().sum();
                0.5 * (a * y - 1.0).norm_squared() + 0.5 * (y - x).norm_squared() + root
            });
            let length = found(g, y / unit) * unit * unit;
            assert!(
                (length * curvature * 1.05 - 1.0).abs() < 1e-9,
                "{unit}: {length}"
            );
        }
    }

    /// ½‖Ay − b‖² with b next to orthogonal to the range of A and large: near the solution the gradient
    /// is the rounding of Aᵀb, whatever y is.
    #[test]
    fn the_rounding_of_large_terms_shortens_no_step() {
        use nalgebra::{DMatrix, DVector};
        let entry = |i: usize, j: usize| ((i * 5 + j) as f64 * 12.9898).sin();
        let a = DMatrix::from_fn(8, 3, entry);
        let inverse = (a.transpose() * &a).try_inverse().expect("full rank");
        let onto = &a * &inverse * a.transpose();
        let large = DVector::from_fn(8, |i, _| 1e8 * (i as f64 * 78.233).cos());
        let b = &large - onto * &large;
        let g = objective(move |_x: Var, y: Var| 0.5 * (&a * y - &b).norm_squared());
        let mut point = g.record(1, 3).point();
        let mut length =
            |start: &[f64; 3]| StepLength::Auto.resolve(&mut point, &[0.0], start, &mut [0.0; 9]);
        let want = length(&[3.0, -2.0, 1.0]);
        for i in 0..2000 {
            let near = |j: usize| 3e-8 * ((3 * i + j) as f64).sin();
            let found = length(&[near(0), near(1), near(2)]);
            assert!((found / want - 1.0).abs() < 1e-6, "{i}: {found} {want}");
        }
    }
}
