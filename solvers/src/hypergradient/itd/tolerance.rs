//! Loops that end at a tolerance: how long they have to be, and what they came to.

use autodiff::Real;

use crate::Status;
use crate::settling::Settling;

use super::super::unrolled::{OWED, Seen};
use super::Itd;

impl Itd {
    /// The relative distance to the solution that a tolerance asks for.
    fn allowed<T: Real>(tolerance: f64) -> f64 {
        Settling::<T>::allowed(Some(tolerance))
    }

    /// How many steps a loop needs where what was seen of one is not enough, or `None` if it is, or
    /// has all the steps that there may be.
    pub(super) fn longer<T: Real>(&self, seen: &Seen) -> Option<usize> {
        let (tolerance, depth) = (self.tolerance?, seen.depth);
        let allowed = Self::allowed::<T>(tolerance);
        let truncated = self.memory.differentiated_steps(depth) < depth;
        let left = if truncated { 0.0 } else { seen.left };
        let (near, distance) = (left <= tolerance, seen.distance());
        let owes = !truncated && seen.owed > OWED;
        let enough = near && distance <= allowed && !owes;
        if enough || depth >= self.depth || !left.is_finite() {
            return None;
        }
        // The share falls as qᴷ; half as many steps again where that is no guide.
        let factor = (tolerance.ln() / left.ln()).clamp(1.1, 64.0);
        let factor = if left < 0.5 { factor } else { 2.0 };
        let steps = if near {
            depth
        } else {
            (depth as f64 * factor).ceil() as usize
        };
        let more = if distance <= allowed {
            0.0
        } else {
            (seen.halving * (distance / allowed).log2()).clamp(0.1 * depth as f64, 1e15)
        };
        let more = if owes { more.max(depth as f64) } else { more };
        let steps = steps.max(depth + more.ceil() as usize) + 1;
        Some(steps.min(self.depth))
    }

    /// The status of a loop that was to come to a tolerance, where `status` is that of its steps.
    pub(super) fn to_tolerance<T: Real>(tolerance: f64, seen: &Seen, status: Status) -> Status {
        let (distance, allowed) = (seen.distance(), Self::allowed::<T>(tolerance));
        match status {
            Status::Unrolled if seen.after > tolerance && !(distance <= tolerance) => {
                Status::LowerNotConverged {
                    residual: seen.after,
                    tolerance,
                }
            }
            Status::Unrolled if !(distance <= allowed) => {
                Status::LowerInaccurate { distance, allowed }
            }
            Status::Unrolled if !(seen.left <= tolerance) => Status::LinearNotConverged {
                residual: seen.left,
                tolerance,
            },
            Status::Unrolled if seen.owed > OWED => Status::LinearNotConverged {
                residual: seen.owed,
                tolerance: OWED,
            },
            Status::Unrolled => Status::Converged,
            other => other,
        }
    }
}
