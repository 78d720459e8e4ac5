//! What an unrolled loop was seen to do, and whether that makes its derivative one of a solution.

use autodiff::kernels::{add, norm};
use autodiff::unroll::Unrolled;
use autodiff::{Point, Real};

use crate::Status;
use crate::accuracy::{TOLD, size};
use crate::inner::InnerStep;

use super::frame::Answer;

/// Two ends of a loop and what its passes measured, at no sweep of their own; `off`, `part` and some of
/// `owed` come from a [look](super::slowest::Slowest) at its end.
pub(super) struct Seen {
    /// Steps made.
    pub(super) depth: usize,
    /// The residual of the lower level at the first and at the last state.
    pub(super) before: f64,
    pub(super) after: f64,
    /// How far the last step moved y, and how far all of them together.
    pub(super) moved: f64,
    pub(super) path: f64,
    /// How far the next step would move it, if that is known.
    pub(super) next: f64,
    /// How far the lower level's solution is by the curvature at the last y, 0 where that was not
    /// looked at.
    pub(super) off: f64,
    /// The distance in the norm of g's own curvature, as a part of y in that norm.
    pub(super) part: f64,
    /// The size of y.
    pub(super) size: f64,
    /// Steps that halve the cotangent.
    pub(super) halving: f64,
    /// The share of the cotangent that is left at the first state.
    pub(super) left: f64,
    /// What steps before the first would have added to the hypergradient, as a part of what all have
    /// given.
    pub(super) owed: f64,
    /// Whether the steps follow the upper level as well, which pulls y off the lower one's solution.
    pub(super) strays: bool,
    /// Whether y is defined by these steps, wherever they lead.
    pub(super) own: bool,
    /// The part of y's size that a step of rounding alone may be.
    pub(super) rounding: f64,
}

/// A residual or a cotangent that is still this share of what it was has not fallen.
const STANDS: f64 = 0.99;
/// The part of the hypergradient that may be owed to steps before the first.
pub(super) const OWED: f64 = 1e-2;
/// The share of the cotangent above which a success has a warning.
const LEFT: f64 = 1e-3;
/// A cotangent that is this share of what it was has grown.
const GROWN: f64 = 1.01;
/// What a derivative in forward mode lacks may come to this much where only ∂²g/∂x∂y grows.
const CROSS: f64 = 4.0;

impl Seen {
    /// Of `steps` after a forward and a reverse pass, from `start` to `y`, with the residuals there.
    /// `left` is the share of the cotangent at the start, if it was pulled back and is not 0 at the
    /// end.
    pub(super) fn of<T: Real>(
        steps: &Unrolled<T>,
        [start, y]: [&[T]; 2],
        [before, after]: [f64; 2],
        left: Option<f64>,
    ) -> Self {
        let depth = steps.depth();
        // A derivative that moves by the same part in each step lacks that part times their number.
        // Somewhat more is no growth of its steps: what they add grows where ∂²g/∂x∂y does.
        let derivative = steps.derivative_moved().map(|moved| moved * depth as f64);
        let derivative = derivative.map(|lacks| if lacks < CROSS { lacks.min(1.0) } else { lacks });
        Seen {
            depth,
            before,
            after,
            moved: steps.moved(),
            path: apart(y, start),
            next: 0.0,
            off: 0.0,
            part: 0.0,
            size: size(y, start),
            halving: match (left, derivative) {
                (Some(_), _) => steps.halving(),
                (None, Some(left)) => halving(depth, left),
                (None, None) => halving(depth, after / before),
            },
            left: left.or(derivative).unwrap_or(0.0),
            owed: owed(steps.share_of_first(), steps.halving(), depth),
            strays: false,
            own: false,
            rounding: 8.0 * T::EPSILON,
        }
    }

    /// Of a loop of which the last step alone was differentiated, from `last` to y.
    pub(super) fn of_one_step<T: Real>(
        depth: usize,
        [start, y]: [&[T]; 2],
        last: &[T],
        [before, after]: [f64; 2],
        left: Option<f64>,
    ) -> Self {
        let left = left.unwrap_or(0.0);
        Seen {
            depth,
            before,
            after,
            moved: apart(y, last),
            path: apart(y, start),
            next: 0.0,
            off: 0.0,
            part: 0.0,
            size: size(y, start),
            halving: halving(1, left),
            left,
            owed: 0.0,
            strays: false,
            own: false,
            rounding: 8.0 * T::EPSILON,
        }
    }

    /// The answer of a loop of `steps`, whose derivative this tells the worth of.
    pub(super) fn answer<T: Real>(&self, steps: &Unrolled<T>, upper: f64) -> Answer {
        let status = match (steps.irreversible(), steps.disk_failure()) {
            (Some(reason), _) => Status::Irreversible(reason),
            (_, Some(reason)) => Status::Disk(reason.clone()),
            _ => self.status(),
        };
        Answer {
            recomputed_steps: steps.recomputed_steps(),
            ..self.told(status, upper)
        }
    }

    /// An answer of this status with what was measured.
    pub(super) fn told(&self, status: Status, upper: f64) -> Answer {
        Answer {
            distance: (!self.own).then_some(self.distance()),
            moving: Some(self.moving()),
            left: Some(self.left),
            lower_iterations: self.depth,
            ..Answer::new(status, upper, self.after)
        }
    }

    /// The last step as a part of the whole way.
    pub(super) fn moving(&self) -> f64 {
        if self.moved == 0.0 {
            0.0
        } else {
            self.moved / self.path
        }
    }

    /// The way that is left, as a part of y's size: that of a geometric series of steps, which fall
    /// as the cotangent does, or as the last two of them did if that is slower.
    pub(super) fn distance(&self) -> f64 {
        let size = match self.strays {
            // Where g is flat y may be of any size: what counts is the way.
            true => self.path.min(self.size).max(1e-6 * self.size),
            false => self.size,
        };
        let off = self.off / size;
        let moved = self.moved.max(self.next);
        if moved == 0.0 || moved <= self.rounding * size {
            return if self.off == 0.0 { 0.0 } else { off }.max(self.part);
        }
        // Rates are seen as far as rounding of y lets the two steps be told apart.
        let blur = 2.0 * self.rounding * size / moved;
        let slowest = (1.0 - self.next / self.moved).max(blur);
        let steps = (self.halving / std::f64::consts::LN_2).max(1.0 / slowest);
        (moved * steps / size).max(off).max(self.part)
    }

    /// What the derivative of the loop is worth.
    pub(super) fn status(&self) -> Status {
        let Seen {
            before,
            after,
            left,
            ..
        } = *self;
        let distance = self.distance();
        let away = !(after <= before * 1.000_001);
        let grown = left > GROWN || left.is_nan();
        if self.own {
            return if away && grown {
                Status::LowerDiverged { before, after }
            } else {
                Status::Unrolled
            };
        }
        let lost = !(distance <= if self.strays { 1.0 } else { TOLD });
        if away && lost || !after.is_finite() {
            Status::LowerDiverged { before, after }
        } else if grown {
            Status::CotangentGrew { growth: left }
        } else if left >= STANDS && after >= STANDS * before && after > 0.0 {
            Status::LowerStuck {
                before,
                after,
                left,
            }
        } else {
            Status::Unrolled
        }
    }

    /// What the user should know of a loop whose derivative is not yet that of the solution.
    pub(super) fn warning(&self) -> Option<String> {
        let (distance, left) = (self.distance(), self.left);
        if self.own || distance <= TOLD && left <= LEFT && self.owed <= OWED {
            return None;
        }
        let owed = if self.owed > OWED {
            format!(
                ", and {:.1e} of the hypergradient to more of them",
                self.owed
            )
        } else {
            String::new()
        };
        // A y without a digit: the slow variables have hardly begun.
        let scales = if distance > 1.0 {
            "; where the variables differ in scale, measure them in units of like curvature, as \
             standardised features are"
        } else {
            ""
        };
        Some(format!(
            "{} steps leave y some {distance:.1e} of its size from where they lead, {left:.1e} of the \
             cotangent at their start{owed}: this is the derivative of these steps, and not yet that of \
             a solution; take more steps or longer ones{scales}",
            self.depth
        ))
    }
}

/// What is owed to the steps before the first: a geometric series, or as many steps again.
fn owed(share: f64, halving: f64, depth: usize) -> f64 {
    let steps = (halving / std::f64::consts::LN_2).max(depth as f64);
    if share == 0.0 { 0.0 } else { share * steps }
}

/// Steps that halve what `depth` of them reduced to this share; infinite where it did not fall.
pub(super) fn halving(depth: usize, share: f64) -> f64 {
    match share {
        share if share >= 1.0 || share.is_nan() => f64::INFINITY,
        share if share > 0.0 => depth as f64 / -share.log2(),
        _ => 0.0,
    }
}

/// ‖a − b‖.
fn apart<T: Real>(a: &[T], b: &[T]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| (*a - *b).f64().powi(2));
    squares.sum::<f64>().sqrt()
}

/// Pulls ∇_yF back through the loop and overwrites `hypergradient`. The share of the cotangent that is
/// left at the start of the loop; `None` where nothing was pulled back, or there is nothing to pull.
/// `pulled`, as long as y, is overwritten with the derivative by the start.
pub(super) fn pull_back<T: Real>(
    steps: &mut Unrolled<T>,
    inner: &InnerStep,
    upper: &Point<T>,
    pulled: &mut [T],
    hypergradient: &mut [T],
) -> Option<f64> {
    let scale = norm(upper.gradient(1));
    let (by_x, by_start) = steps.reverse(upper.gradient(1));
    hypergradient.copy_from_slice(upper.gradient(0));
    add(hypergradient, by_x);
    if by_start.is_empty() || scale == T::zero() {
        return None;
    }
    inner.pull_start(by_start, pulled);
    Some(norm(pulled).f64() / scale.f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gradient steps of length s on ½h(y − 1)² from 0.
    fn descent(sh: f64, depth: i32) -> Seen {
        let q = 1.0 - sh;
        let (last, before) = (q.powi(depth), q.powi(depth - 1));
        Seen {
            depth: depth as usize,
            before: 1.0,
            after: last.abs(),
            moved: (last - before).abs(),
            path: (1.0 - last).abs(),
            next: 0.0,
            off: 0.0,
            part: 0.0,
            size: (1.0 - last).abs(),
            halving: halving(1, q.abs()),
            left: last.abs(),
            owed: 0.0,
            strays: false,
            own: false,
            rounding: 8.0 * f64::EPSILON,
        }
    }

    #[test]
    fn the_way_that_is_left_is_that_of_the_steps() {
        for (sh, depth) in [(0.5, 10), (0.01, 1000), (1e-3, 500), (0.9, 3)] {
            let seen = descent(sh, depth);
            let want = (1.0f64 - sh).powi(depth) / seen.size;
            let found = seen.distance() / want;
            assert!(found > 0.9 && found < 20.0, "{sh}, {depth}: {found}");
        }
        assert_eq!(descent(0.5, 60).status(), Status::Unrolled);
        assert!(descent(0.5, 60).warning().is_none());
        assert!(descent(0.5, 3).warning().is_some());
    }

    #[test]
    fn steps_that_hardly_shrink_count_though_the_cotangent_is_gone() {
        let mut slow = descent(0.5, 60);
        (slow.halving, slow.size, slow.moved) = (1.0, 1.0, 1e-6);
        slow.next = slow.moved * (1.0 - 1e-4);
        assert!(
            (slow.distance() / 1e-2 - 1.0).abs() < 1e-6,
            "{}",
            slow.distance()
        );
        assert!(slow.warning().is_some());
        // Two steps alike, rounding aside: as far as the precision lets them be told apart.
        slow.next = slow.moved;
        let blurred = slow.moved * slow.moved / (16.0 * f64::EPSILON);
        assert!(
            (slow.distance() / blurred - 1.0).abs() < 1e-6,
            "{}",
            slow.distance()
        );
        slow.moved = 4.0 * f64::EPSILON;
        slow.next = slow.moved;
        assert_eq!(slow.distance(), 0.0);
    }

    #[test]
    fn what_is_owed_is_a_series_as_slow_as_the_cotangent() {
        assert_eq!(owed(1e-3, 0.0, 100), 0.1);
        let slow = owed(1e-6, 1e5, 100);
        assert!((slow - 0.1 / std::f64::consts::LN_2).abs() < 1e-12);
        assert_eq!(owed(1e-6, f64::INFINITY, 100), f64::INFINITY);
        assert_eq!(owed(0.0, f64::INFINITY, 100), 0.0);
    }

    #[test]
    fn what_stands_still_goes_away_or_grows_is_no_success() {
        assert!(matches!(
            descent(1e-8, 100).status(),
            Status::LowerStuck { .. }
        ));
        let away = descent(2.5, 20);
        assert!(matches!(away.status(), Status::LowerDiverged { .. }));
        let mut maximum = descent(0.5, 20);
        (maximum.before, maximum.after, maximum.moved, maximum.path) = (0.0, 0.0, 0.0, 0.0);
        (maximum.left, maximum.halving) = (1e9, f64::INFINITY);
        assert!(matches!(maximum.status(), Status::CotangentGrew { .. }));
        // Steps of the problem's own need not converge, but what they blow up is no result.
        maximum.own = true;
        assert_eq!(maximum.status(), Status::Unrolled);
        assert!(matches!(
            Seen { own: true, ..away }.status(),
            Status::LowerDiverged { .. }
        ));
    }
}
