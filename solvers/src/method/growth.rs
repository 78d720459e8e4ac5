//! Iterates that are finite, and have left all measure.

use autodiff::Real;
use autodiff::kernels::norm;

use crate::Status;
use crate::ledger::Ledger;

/// The first steps are this far from the end of a run that went nowhere: by plain steps that settle
/// a run moves no farther than its number of steps times its first.
const ITERATES: f64 = 1e8;
/// The factor that counts where values, direction and iterates grow together.
const TOGETHER: f64 = 1e6;
/// A direction of x this many times the first ones is remarked on.
const DIRECTION: f64 = 1e5;
/// √F, ‖∇_y g‖ and the direction of x that are all this many times those of the start are remarked on: where
/// bounds keep iterates from going farther, they go to and fro.
const WORSE: f64 = 10.0;

/// What grows where a run diverges: F, ‖∇_y g‖, the norm of the direction of x, and that of all that
/// moves.
type Sizes = [f64; 4];

/// Watches the sizes of a run, all relative to those it began with: multiples of F, g or the
/// variables change nothing.
#[derive(Debug, Default)]
pub(super) struct Growth {
    /// Whether the first steps say nothing of how far a run goes, as where their length adapts.
    adaptive: bool,
    looks: usize,
    /// Those of the start, before any step: the first step may go across the bounds.
    start: Sizes,
    /// The largest of the first two looks: a method may begin with a direction of 0.
    first: Sizes,
    last: Sizes,
}

impl Growth {
    /// Of a run whose steps find their length: only what grows together counts.
    pub(super) fn adaptive() -> Self {
        Growth {
            adaptive: true,
            ..Growth::default()
        }
    }

    /// Compares with the first two looks; the failure, if the run has left all measure and goes on.
    pub(super) fn look(&mut self, now: Sizes, iteration: usize) -> Option<Status> {
        let [upper, others @ ..] = now;
        // F is a square where the others are not.
        let parts = [upper.abs().sqrt(), others[0], others[1], others[2]];
        for (start, part) in self.start.iter_mut().zip(parts) {
            // A size that began as 0 has no scale before this.
            if *start == 0.0 {
                *start = part;
            }
        }
        if self.looks < 2 {
            self.looks += 1;
            self.last = parts;
            for (first, part) in self.first.iter_mut().zip(parts) {
                *first = first.max(part);
            }
            return None;
        }
        for (first, part) in self.first.iter_mut().zip(parts) {
            if *first == 0.0 {
                *first = part;
            }
        }
        let (first, last) = (self.first, std::mem::replace(&mut self.last, parts));
        let grown = |i: usize, factor: f64| parts[i] > factor * first[i] && parts[i] >= last[i];
        let together = [0, 2, 3].iter().all(|i| grown(*i, TOGETHER));
        if !together && (self.adaptive || !grown(3, ITERATES)) {
            return None;
        }
        Some(match grown(1, TOGETHER) {
            true => Status::LowerDiverged {
                before: first[1],
                after: parts[1],
            },
            false => Status::NonFinite {
                place: format!(
                    "what the iterates tend to, whose norm went from {:.1e} to {:.1e} in \
                     {iteration} iterations",
                    first[3], parts[3]
                ),
            },
        })
    }

    /// A remark on a run that is worse off than where it began: in all that is measured, or in its
    /// direction, where its length says something.
    pub(super) fn warning(&self) -> Option<String> {
        let (start, first, now) = (self.start, self.first, self.last);
        let worse = |i: usize, factor: f64, than: Sizes| now[i] > factor * than[i] && than[i] > 0.0;
        // Where F and ‖∇_y g‖ have both fallen, the first direction was one of hardly any length.
        let fallen = (0..2).all(|i| now[i] <= start[i]);
        if worse(2, DIRECTION, first) && !fallen && !self.adaptive {
            return Some(format!(
                "the direction of x grew from {:.1e} to {:.1e}: the linear system, the lower level or x \
                 diverges; take shorter steps",
                first[2], now[2]
            ));
        }
        (0..3).all(|i| worse(i, WORSE, start)).then(|| {
            format!(
                "F, ‖∇_y g‖ and the direction of x are more than they began with, the last two {:.1e} \
                 and {:.1e} after {:.1e} and {:.1e}: the run goes to and fro; take shorter steps",
                now[1], now[2], start[1], start[2]
            )
        })
    }

    pub(super) fn visit(&mut self, ledger: &mut Ledger) {
        ledger.count("looks at sizes", &mut self.looks);
        let [start, first, last] = [&mut self.start, &mut self.first, &mut self.last];
        for part in start.iter_mut().chain(first).chain(last) {
            ledger.number("a size", part);
        }
    }
}

/// The norm of all of these together.
pub(super) fn joint_norm<T: Real>(vectors: &[&[T]]) -> f64 {
    let norms = vectors.iter().map(|v| norm(v).f64());
    norms.fold(0.0, f64::hypot)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said after looks at F, ‖∇_y g‖, the direction and the iterates.
    fn said(looks: &[Sizes]) -> Option<String> {
        let mut growth = Growth::default();
        for (i, sizes) in looks.iter().enumerate() {
            assert_eq!(growth.look(*sizes, i + 1), None);
        }
        growth.warning()
    }

    /// The first step goes from one bound to the other: what follows is no larger than the second look.
    #[test]
    fn a_first_step_across_the_bounds_is_told_by_the_start() {
        let far = [9000.0, 140.0, 90.0, 100.0];
        let warning = said(&[[2.5, 2.0, 2.0, 2.8], far, far, far]).expect("a remark");
        assert!(warning.contains("to and fro"), "{warning}");
        // Each of the three has to be worse than at the start.
        for (i, size) in far.into_iter().enumerate().take(3) {
            let mut start = [2.5, 2.0, 2.0, 2.8];
            start[i] = size;
            assert_eq!(said(&[start, far, far, far]), None);
        }
    }

    #[test]
    fn a_direction_that_began_as_nothing_is_no_divergence_where_all_has_fallen() {
        let start = [0.5, 1.0, 2e-8, 1.0];
        assert_eq!(said(&[start, start, [0.2, 0.06, 3e-3, 1.0]]), None);
        let warning = said(&[start, start, [0.6, 0.06, 3e-3, 1.0]]).expect("a remark");
        assert!(warning.contains("direction of x grew"), "{warning}");
    }
}
