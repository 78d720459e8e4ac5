//! The memory policies as values: their names, and what each costs.

use std::fmt;
use std::str::FromStr;

use super::binomial;

/// What an unrolled loop of K steps keeps for its derivative.
///
/// | policy | kept | steps run again |
/// |---|---|---|
/// | [`Taped`](Memory::Taped) | K linearised steps | 0 |
/// | [`Stored`](Memory::Stored) | K states | 0 (each is linearised on the way back) |
/// | [`Checkpointed`](Memory::Checkpointed) | at most `slots` states | [`recomputed_steps`](Memory::recomputed_steps) |
/// | [`Online`](Memory::Online) | at most `slots` states | [`recomputed_steps`](Memory::recomputed_steps) |
/// | [`Truncated`](Memory::Truncated) | `steps` states | 0 |
/// | [`Reversible`](Memory::Reversible) | the bits that the decay loses | 0 |
/// | [`Forward`](Memory::Forward) | the derivative of the state by x | 0 |
/// | [`Disk`](Memory::Disk) | `slots` states, and every `slots`-th on disk | [`recomputed_steps`](Memory::recomputed_steps), less than K |
///
/// The first four and the last give the same derivatives bit for bit.
///
/// Each has a name, which [`Display`](fmt::Display) writes and [`FromStr`] reads:
/// ```
/// use autodiff::unroll::Memory;
///
/// let memory: Memory = "checkpointed:10".parse()?;
/// assert_eq!(memory, Memory::Checkpointed { slots: 10 });
/// assert_eq!(memory.to_string(), "checkpointed:10");
/// # Ok::<(), autodiff::unroll::ParseMemoryError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Memory {
    /// Every step as it was linearised on the way forward; the way back evaluates nothing again.
    Taped,
    /// The state before each step; each step is linearised again on the way back.
    #[default]
    Stored,
    /// Binomial checkpointing: at most this many states, the first one among them, held where the
    /// fewest steps have to be run again.
    ///
    /// # Reference
    /// A. Griewank and A. Walther, Algorithm 799: revolve, ACM Transactions on Mathematical
    /// Software 26(1), 2000.
    Checkpointed {
        /// States held at one time; at least 1.
        slots: usize,
    },
    /// Online checkpointing, for loops that stop on a tolerance: at most this many states, the first
    /// one among them, held so that at every depth no step is run more often than it must be.
    ///
    /// # Reference
    /// Q. Wang, P. Moin and G. Iaccarino, Minimal repetition dynamic checkpointing algorithm for
    /// unsteady adjoint calculation, SIAM Journal on Scientific Computing 31(4), 2009.
    Online {
        /// States held at one time; at least 1.
        slots: usize,
    },
    /// The states before the last this many steps; derivatives by earlier ones are left out, so the
    /// result is biased. With as many steps as the loop has, it is [`Memory::Stored`].
    Truncated {
        /// Steps that are differentiated.
        steps: usize,
    },
    /// Momentum run backwards: the loop computes in whole numbers, so that each step can be undone
    /// from the next state and the bits its decay γ lost, log₂(1/γ) for each entry and step. For
    /// steps of [`Step::momentum`](super::Step::momentum) whose decay is a ratio
    /// ([`Decay`](super::Decay)).
    ///
    /// The states on the way back are those on the way forward, bit for bit. They are not those of
    /// the other policies: each entry of y and v is on a [`Grid`](super::Grid), the first state and
    /// each force are rounded to it, and the product with γ = n/d is right to n of its units. The
    /// derivative is that of the step at these states, nothing else being rounded. A loop that
    /// leaves the grid's range ends there, gives NaN, and says so:
    /// [`Unrolled::irreversible`](super::Unrolled::irreversible).
    ///
    /// # Reference
    /// D. Maclaurin, D. Duvenaud and R. Adams, Gradient-based hyperparameter optimization through
    /// reversible learning, ICML 2015, section 3.
    Reversible,
    /// Forward mode: the derivative of the state by x goes along with the state, so that nothing
    /// grows with K. The way back is one product with it, and gives no derivative by the first
    /// state.
    Forward,
    /// Every `slots`-th state on disk, all of them in memory between: less than two sweeps forward,
    /// whatever the depth. Loops of at most `slots` steps write nothing.
    ///
    /// The states go to an unlinked temporary file in [`std::env::temp_dir`]: where that is a file
    /// system in memory, `TMPDIR` has to name another one. A disk that is full, or fails, ends the
    /// loop: it gives NaN and says so, [`Unrolled::disk_failure`](super::Unrolled::disk_failure).
    ///
    /// # Reference
    /// G. Aupy and J. Herrmann, Periodicity in optimal hierarchical checkpointing schedules for
    /// adjoint computations, Optimization Methods and Software 32(3), 2017.
    Disk {
        /// States held in memory at one time; at least 1.
        slots: usize,
    },
}

impl Memory {
    /// Of a loop of `depth` steps, how many are differentiated.
    pub fn differentiated_steps(self, depth: usize) -> usize {
        match self {
            Memory::Truncated { steps } => steps.min(depth),
            _ => depth,
        }
    }

    /// How many states a loop of `depth` steps keeps in memory.
    pub fn states(self, depth: usize) -> usize {
        match self {
            Memory::Taped | Memory::Reversible | Memory::Forward => 0,
            Memory::Stored | Memory::Truncated { .. } => self.differentiated_steps(depth),
            // The state before the last step stands in the workspace when the way back begins.
            Memory::Checkpointed { slots } | Memory::Online { slots } => {
                slots.min(depth.saturating_sub(1)).max(1).min(depth)
            }
            Memory::Disk { slots } => slots.min(depth),
        }
    }

    /// The bytes a loop of `depth` steps holds in
    /// [`Category::Checkpoints`](crate::bytes::Category::Checkpoints), for states of `dim_state`
    /// scalars of `scalar` bytes. Under [`Memory::Reversible`] these are no states, and depend on
    /// the decay: [`Step::kept_bytes`](super::Step::kept_bytes) knows them, here they are 0.
    pub fn checkpoint_bytes(self, depth: usize, dim_state: usize, scalar: usize) -> usize {
        let state = dim_state.saturating_mul(scalar);
        self.states(depth).saturating_mul(state)
    }

    /// The bytes a loop of `depth` steps has on disk at its end, for states of `dim_state` scalars
    /// of `scalar` bytes: 0 but for [`Memory::Disk`].
    ///
    /// # Panics
    /// If there are no slots.
    pub fn disk_bytes(self, depth: usize, dim_state: usize, scalar: usize) -> usize {
        match self {
            Memory::Disk { slots } if depth > slots => {
                let state = dim_state.saturating_mul(scalar);
                depth.div_ceil(slots).saturating_mul(state)
            }
            _ => 0,
        }
    }

    /// How many steps the reverse pass after a forward pass of `depth` steps runs again: calls of
    /// the step for its value alone, beyond the `depth` of the forward pass. Linearising a step on
    /// the way back, once each under every policy but [`Memory::Taped`], is not counted.
    ///
    /// For [`Memory::Checkpointed`] it is the optimum of Griewank and Walther. Their count of
    /// forward steps, for l steps and c checkpoints with the first state among them, is
    /// `t(l, c) = r l − β(c+1, r−1)` where `β(c, r−1) < l ≤ β(c, r)` and `β(c, r) = (c+r)!/(c! r!)`.
    /// It holds the first traverse up to the state before the last step, l − 1 steps, but not
    /// the last step, which they evaluate as they reverse it. So this number is
    /// `t(depth, slots) − (depth − 1)`, and 0 for depths up to slots + 1. For [`Memory::Online`] it
    /// is found by playing the schedule, in O(depth · slots). For [`Memory::Disk`] it is every step
    /// but the last of each segment, and none of the last segment.
    ///
    /// # Panics
    /// If there are no slots.
    pub fn recomputed_steps(self, depth: usize) -> usize {
        match self {
            Memory::Checkpointed { slots } if depth > 0 => {
                binomial::forward_steps(depth, slots) - (depth - 1)
            }
            Memory::Online { slots } if depth > 0 => binomial::online_recomputed(depth, slots),
            Memory::Disk { slots } if depth > 0 => {
                (depth.div_ceil(slots) - 1).saturating_mul(slots - 1)
            }
            _ => 0,
        }
    }

    /// What a forward and a reverse pass of `depth` steps cost: evaluations of the step with or
    /// without its linearisation, and products with its derivative, which for a gradient step are
    /// gradients and Hessian-vector products. The largest number there is if it is larger.
    ///
    /// # Panics
    /// If there are no slots.
    pub fn sweeps(self, depth: usize, dim_x: usize) -> usize {
        let back = match self {
            Memory::Taped => depth,
            Memory::Forward => depth.saturating_mul(dim_x),
            _ => self
                .differentiated_steps(depth)
                .saturating_mul(2)
                .saturating_add(self.recomputed_steps(depth)),
        };
        depth.saturating_add(back)
    }

    /// What is wrong with the policy's numbers, in words, or `None`.
    pub fn complaint(self) -> Option<String> {
        match self {
            Memory::Checkpointed { slots: 0 }
            | Memory::Online { slots: 0 }
            | Memory::Disk { slots: 0 } => Some("0 slots: expected at least 1".to_owned()),
            _ => None,
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Memory::Taped => f.pad("taped"),
            Memory::Stored => f.pad("stored"),
            Memory::Checkpointed { slots } => f.pad(&format!("checkpointed:{slots}")),
            Memory::Online { slots } => f.pad(&format!("online:{slots}")),
            Memory::Truncated { steps } => f.pad(&format!("truncated:{steps}")),
            Memory::Reversible => f.pad("reversible"),
            Memory::Forward => f.pad("forward"),
            Memory::Disk { slots } => f.pad(&format!("disk:{slots}")),
        }
    }
}

/// A name that is no memory policy's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("memory policy {name:?}: expected {expected}")]
pub struct ParseMemoryError {
    name: String,
    expected: &'static str,
}

impl FromStr for Memory {
    type Err = ParseMemoryError;

    fn from_str(name: &str) -> Result<Self, ParseMemoryError> {
        let expected = |expected| ParseMemoryError {
            name: name.to_owned(),
            expected,
        };
        let (kind, number) = match name.split_once(':') {
            Some((kind, number)) => (kind, Some(number)),
            None => (name, None),
        };
        // `parse` alone would take a leading plus.
        let number = number.map(|n| n.parse().ok().filter(|_: &usize| !n.starts_with('+')));
        match (kind, number) {
            ("taped", None) => Ok(Memory::Taped),
            ("stored", None) => Ok(Memory::Stored),
            ("reversible", None) => Ok(Memory::Reversible),
            ("forward", None) => Ok(Memory::Forward),
            ("checkpointed", Some(Some(slots))) if slots > 0 => Ok(Memory::Checkpointed { slots }),
            ("checkpointed", _) => Err(expected("checkpointed:SLOTS with SLOTS at least 1")),
            ("online", Some(Some(slots))) if slots > 0 => Ok(Memory::Online { slots }),
            ("online", _) => Err(expected("online:SLOTS with SLOTS at least 1")),
            ("disk", Some(Some(slots))) if slots > 0 => Ok(Memory::Disk { slots }),
            ("disk", _) => Err(expected("disk:SLOTS with SLOTS at least 1")),
            ("truncated", Some(Some(steps))) => Ok(Memory::Truncated { steps }),
            ("truncated", _) => Err(expected("truncated:STEPS with a number of STEPS")),
            ("taped" | "stored" | "reversible" | "forward", Some(_)) => Err(expected(
                "taped, stored, reversible and forward without a number",
            )),
            _ => Err(expected(
                "taped, stored, checkpointed:SLOTS, online:SLOTS, disk:SLOTS, truncated:STEPS, \
                 reversible or forward",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for memory in [
            Memory::Taped,
            Memory::Stored,
            Memory::Checkpointed { slots: 1 },
            Memory::Checkpointed { slots: 64 },
            Memory::Online { slots: 7 },
            Memory::Truncated { steps: 0 },
            Memory::Truncated { steps: 20 },
            Memory::Reversible,
            Memory::Forward,
            Memory::Disk { slots: 100 },
        ] {
            assert_eq!(memory.to_string().parse(), Ok(memory));
        }
        assert_eq!(format!("[{:>8}]", Memory::Taped), "[   taped]");
    }

    #[test]
    fn mistakes_say_what_was_expected_in_one_line() {
        let message = |name: &str| name.parse::<Memory>().unwrap_err().to_string();
        assert_eq!(
            message("revolve"),
            "memory policy \"revolve\": expected taped, stored, checkpointed:SLOTS, \
             online:SLOTS, disk:SLOTS, truncated:STEPS, reversible or forward"
        );
        for bad in [
            "checkpointed",
            "checkpointed:",
            "checkpointed:0",
            "checkpointed:+3",
        ] {
            let want =
                format!("memory policy {bad:?}: expected checkpointed:SLOTS with SLOTS at least 1");
            assert_eq!(message(bad), want);
        }
        for (bad, expected) in [
            ("online", "online:SLOTS with SLOTS at least 1"),
            ("online:0", "online:SLOTS with SLOTS at least 1"),
            ("disk", "disk:SLOTS with SLOTS at least 1"),
            ("disk:0", "disk:SLOTS with SLOTS at least 1"),
            ("truncated", "truncated:STEPS with a number of STEPS"),
            ("truncated:-1", "truncated:STEPS with a number of STEPS"),
            ("truncated:1e3", "truncated:STEPS with a number of STEPS"),
            (
                "stored:3",
                "taped, stored, reversible and forward without a number",
            ),
            (
                "reversible:9",
                "taped, stored, reversible and forward without a number",
            ),
        ] {
            let want = format!("memory policy {bad:?}: expected {expected}");
            assert_eq!(message(bad), want);
        }
        for bad in ["", "Taped", "a\nb"] {
            let message = message(bad);
            assert!(
                message.contains("expected") && !message.contains('\n'),
                "{message}"
            );
        }
    }

    #[test]
    fn sweeps_are_counted_by_policy() {
        let of = |memory: Memory| [0, 1, 10].map(|depth| memory.sweeps(depth, 3));
        assert_eq!(of(Memory::Taped), [0, 2, 20]);
        assert_eq!(of(Memory::Stored), [0, 3, 30]);
        assert_eq!(of(Memory::Forward), [0, 4, 40]);
        assert_eq!(of(Memory::Truncated { steps: 2 }), [0, 3, 14]);
        // With one slot step k of the way back goes k steps again, except for the last, which stands.
        assert_eq!(of(Memory::Checkpointed { slots: 1 }), [0, 3, 30 + 36]);
        assert_eq!(of(Memory::Online { slots: 1 })[..2], [0, 3]);
        // Ten steps in segments of four: three steps of each of the first two go again.
        assert_eq!(of(Memory::Disk { slots: 4 }), [0, 3, 30 + 6]);
        assert_eq!(of(Memory::Disk { slots: 1 }), of(Memory::Stored));
    }

    #[test]
    fn states_are_those_the_depth_asks_for() {
        let states = |slots, depth| Memory::Checkpointed { slots }.states(depth);
        assert_eq!(
            [0, 1, 2, 3, 9].map(|depth| states(4, depth)),
            [0, 1, 1, 2, 4]
        );
        assert_eq!(
            Memory::Truncated { steps: 5 }.checkpoint_bytes(3, 10, 4),
            120
        );
        let disk = Memory::Disk { slots: 4 };
        assert_eq!([0, 3, 9].map(|depth| disk.states(depth)), [0, 3, 4]);
        let on_disk = [0, 4, 5, 8, 9].map(|depth| disk.disk_bytes(depth, 10, 8));
        assert_eq!(on_disk, [0, 0, 160, 160, 240]);
        assert_eq!(Memory::Stored.disk_bytes(9, 10, 8), 0);
        assert_eq!(
            Memory::Stored.checkpoint_bytes(usize::MAX, 10, 8),
            usize::MAX
        );
    }
}
