//! Whether a hypergradient has settled: a y that is near the solution by its own measure may still be
//! far off for what is made of it.

use autodiff::Real;
use autodiff::kernels::norm;

use crate::Status;
use crate::accuracy::{TOLD, solved};

/// The loosest tolerance that is taken at its word, as a part of y's size and of the hypergradient's.
pub(crate) const LOOSE: f64 = 1e-3;

/// The part of a distance that counts as nearer.
const NEARER: f64 = 0.7;

/// How a hypergradient changes while y is brought nearer to the solution.
///
/// Where no tolerance is given, y within 1e-7 of its size (3e-4 in `f32`) is enough. With one it may be as
/// far off as that, and the hypergradient is compared with the one at a nearer y: what that changes is
/// what the farther y had cost, and at least what the nearer one does.
#[derive(Debug)]
pub(crate) struct Settling<'a, T> {
    tolerance: Option<f64>,
    last: &'a mut [T],
    seen: bool,
    change: Option<f64>,
    /// Of y at the look before.
    distance: f64,
    enough: bool,
}

impl<'a, T: Real> Settling<'a, T> {
    /// Entries of scratch that it takes.
    pub(crate) fn entries(tolerance: Option<f64>, dim_x: usize) -> usize {
        tolerance.map_or(0, |_| dim_x)
    }

    /// Of a solver with this tolerance, if one is given.
    pub(crate) fn new(tolerance: Option<f64>, last: &'a mut [T]) -> Self {
        Settling {
            tolerance,
            last,
            seen: false,
            change: None,
            distance: f64::INFINITY,
            enough: false,
        }
    }

    /// The relative distance of y, and change of the hypergradient, that will do.
    pub(crate) fn allowed(tolerance: Option<f64>) -> f64 {
        let near = solved::<T>();
        tolerance.map_or(near, |t| t.min(LOOSE).max(near))
    }

    /// The hypergradient at another y, and ∇_xF there.
    pub(crate) fn look(&mut self, hypergradient: &[T], by_x: &[T]) {
        if self.tolerance.is_none() {
            return;
        }
        if self.seen {
            let length = |a: &[T], b: &[T]| {
                let squares = a.iter().zip(b).map(|(a, b)| (*a - *b).f64().powi(2));
                squares.sum::<f64>().sqrt()
            };
            // Beside its parts, which may cancel.
            let size = norm(hypergradient).f64().max(norm(by_x).f64());
            let size = size.max(length(hypergradient, by_x));
            let moved = length(hypergradient, self.last);
            self.change = Some(if moved == 0.0 { 0.0 } else { moved / size });
        }
        self.last.copy_from_slice(hypergradient);
        self.seen = true;
    }

    /// What y, at this relative `distance`, is still to be brought nearer by: the part of the distance
    /// that is to be left, at most 1. `None` if it is near enough. At an `edge` another active set may
    /// be that of the solution.
    pub(crate) fn wanted(&mut self, distance: f64, edge: bool) -> Option<f64> {
        let (near, allowed) = (solved::<T>(), Self::allowed(self.tolerance));
        // A y that was hardly moved changes nothing, however far it is.
        let nearer = distance <= NEARER * self.distance;
        self.distance = distance;
        let settled = nearer && self.change.is_some_and(|change| change <= allowed);
        self.enough = distance <= near || settled && distance <= allowed && !edge;
        let goal = if edge { near } else { allowed };
        (!self.enough).then(|| (goal / distance).min(1.0))
    }

    /// Whether y was near enough.
    pub(crate) fn is_enough(&self) -> bool {
        self.enough
    }

    /// How much the hypergradient changed when y was brought nearer last.
    pub(crate) fn change(&self) -> Option<f64> {
        self.change
    }

    /// What is said of a hypergradient that has not settled.
    pub(crate) fn complaint(&self) -> Option<Status> {
        let allowed = Self::allowed(self.tolerance).max(TOLD);
        let change = self.change.filter(|change| !(*change <= allowed))?;
        (!self.enough).then_some(Status::Unsettled { change, allowed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hypergradient_has_settled_when_a_nearer_y_leaves_it() {
        let mut last = [0.0; 2];
        let mut settling = Settling::<f64>::new(Some(1e-4), &mut last);
        settling.look(&[1.0, 0.0], &[0.0, 0.0]);
        assert_eq!(settling.wanted(1e-5, false), Some(1.0));
        assert_eq!((settling.change(), settling.complaint()), (None, None));
        settling.look(&[1.0, 1e-2], &[0.0, 0.0]);
        assert_eq!(settling.wanted(1e-6, false), Some(1.0));
        let code = settling.complaint().map(|status| status.code());
        assert_eq!(code, Some("unsettled"));
        settling.look(&[1.0, 1.001e-2], &[0.0, 0.0]);
        assert!(settling.wanted(5e-7, true).is_some_and(|part| part < 0.21));
        assert_eq!(
            settling.wanted(4e-7, false),
            Some(1.0),
            "it was hardly moved"
        );
        assert_eq!(settling.wanted(2e-7, false), None);
        assert!(settling.is_enough() && settling.complaint().is_none());
    }

    #[test]
    fn a_change_is_a_part_of_the_larger_term_where_the_two_cancel() {
        let mut last = [0.0];
        let mut settling = Settling::<f64>::new(Some(1e-4), &mut last);
        settling.look(&[2e-6], &[1.0]);
        settling.look(&[1e-6], &[1.0]);
        assert!(settling.change().is_some_and(|change| change < 1.1e-6));
        settling.look(&[1e-6], &[1.0]);
        assert_eq!(settling.change(), Some(0.0));
    }

    #[test]
    fn a_near_y_is_enough_and_a_loose_tolerance_is_not_taken_at_its_word() {
        let mut none = Settling::<f64>::new(None, &mut []);
        none.look(&[1.0], &[0.0]);
        assert_eq!(none.wanted(0.9e-7, true), None);
        assert!(
            none.wanted(2e-7, false)
                .is_some_and(|part| (part - 0.5).abs() < 1e-12)
        );
        assert_eq!(Settling::<f64>::allowed(Some(0.5)), LOOSE);
        assert_eq!(Settling::<f32>::allowed(Some(1e-12)), solved::<f32>());
    }
}
