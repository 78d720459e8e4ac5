//! Binomial checkpointing: which states to hold so that the fewest steps are run again.
//!
//! With β(c, r) = (c+r)!/(c! r!), `c` slots reverse up to β(c, r) steps when no step is run more
//! than r times. The least number of forward steps that reverse l steps,
//! `t(l, c) = min over m of m + t(l − m, c − 1) + t(m, c)`, is convex in l, with slope r between
//! β(c, r−1) and β(c, r); hence the best m in closed form, without a table.
//!
//! # Reference
//! A. Griewank and A. Walther, Algorithm 799: revolve, ACM Transactions on Mathematical Software
//! 26(1), 2000.

/// One move on the way to a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// Take the state of this slot.
    Restore { slot: usize },
    /// Run the steps `from..to`.
    Advance { from: usize, to: usize },
    /// Keep the state in this slot.
    Hold { slot: usize },
}

/// A state that is held.
#[derive(Clone, Copy, Debug)]
struct Held {
    /// The step it is before.
    step: usize,
    slot: usize,
    /// How long it is worth holding while the depth is unknown.
    level: usize,
}

/// The states held, and from them the moves that lead to any earlier one.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    slots: usize,
    /// In the order of their steps; the first is before step 0.
    held: Vec<Held>,
    free: Vec<usize>,
    /// The level of the state at hand, while the depth is unknown.
    level: usize,
}

impl Schedule {
    /// A schedule of this many slots, before its start.
    pub(super) fn make_room(&mut self, slots: usize) {
        if self.slots != slots {
            // The old lists go before the new ones come.
            *self = Schedule::default();
            self.slots = slots;
            self.held.reserve_exact(slots);
            self.free.reserve_exact(slots);
        }
    }

    /// Bytes of the lists of this many slots.
    pub(super) fn bytes(slots: usize) -> usize {
        slots.saturating_mul(size_of::<Held>() + size_of::<usize>())
    }

    /// Starts with the first state held in slot 0.
    pub(super) fn start(&mut self) {
        assert!(self.slots > 0, "0 slots: expected at least 1");
        self.held.clear();
        self.free.clear();
        self.free.extend((0..self.slots).rev());
        self.level = 0;
        self.hold(0, usize::MAX);
    }

    /// The next step whose state is to be held on the way to the last of the steps `0..end`.
    pub(super) fn next(&self, end: usize) -> Option<usize> {
        let at = self.held[self.held.len() - 1].step;
        // The slot of the state held last counts as free: it is behind all that follow.
        let slots = self.free.len() + 1;
        (at + 1 < end)
            .then(|| at + stride(end - at, slots))
            // A single step is reversed from the state at hand.
            .filter(|step| step + 1 < end)
    }

    /// Holds the state before `step` and returns its slot.
    pub(super) fn take(&mut self, step: usize) -> usize {
        self.hold(step, 0)
    }

    /// Whether to hold the state before `step`, and where, when nobody knows how many steps will
    /// follow. To be asked for every step from 1 on.
    ///
    /// A held state may go when a later one has a higher level; where none may, the state at hand
    /// is passed over, and the next one is a level higher. Up to β(slots, r) steps are then
    /// reversed with none run more than r times, as with a known depth.
    ///
    /// Reference: Q. Wang, P. Moin and G. Iaccarino, Minimal repetition dynamic checkpointing
    /// algorithm for unsteady adjoint calculation, SIAM Journal on Scientific Computing 31(4), 2009.
    pub(super) fn offer(&mut self, step: usize) -> Option<usize> {
        if self.free.is_empty() {
            let mut highest = self.level;
            let dispensable = self.held.iter().rposition(|h| {
                let lower = h.level < highest;
                highest = highest.max(h.level);
                lower
            });
            match dispensable {
                Some(i) => {
                    let gone = self.held.remove(i);
                    self.free.push(gone.slot);
                }
                None => {
                    self.level += 1;
                    return None;
                }
            }
        }
        let level = std::mem::take(&mut self.level);
        Some(self.hold(step, level))
    }

    /// Makes the moves that lead to the state before the last of the steps `0..end`.
    ///
    /// States at `end` and beyond are let go: call it with an `end` that falls.
    pub(super) fn reach(&mut self, end: usize, mut make: impl FnMut(Move)) {
        debug_assert!(end > 0, "there is no state before the first");
        while let Some(gone) = self.held.pop_if(|h| h.step >= end) {
            self.free.push(gone.slot);
        }
        let Held { step, slot, .. } = self.held[self.held.len() - 1];
        make(Move::Restore { slot });
        let mut from = step;
        while let Some(to) = self.next(end) {
            make(Move::Advance { from, to });
            make(Move::Hold {
                slot: self.take(to),
            });
            from = to;
        }
        if from + 1 < end {
            make(Move::Advance { from, to: end - 1 });
        }
    }

    fn hold(&mut self, step: usize, level: usize) -> usize {
        let slot = self.free.pop().expect("a state is held in a free slot");
        self.held.push(Held { step, slot, level });
        slot
    }
}

/// The steps run again on the way back through `depth` > 0 steps that nobody knew the number of.
pub(super) fn online_recomputed(depth: usize, slots: usize) -> usize {
    let mut schedule = Schedule::default();
    schedule.make_room(slots);
    schedule.start();
    for step in 1..depth {
        schedule.offer(step);
    }
    let mut steps = 0;
    for end in 1..depth {
        schedule.reach(depth - end, |made| {
            if let Move::Advance { from, to } = made {
                steps += to - from;
            }
        });
    }
    steps
}

/// How many of `steps` > 1 steps to run from a held state before the next one is held.
fn stride(steps: usize, slots: usize) -> usize {
    if slots == 1 {
        return steps - 1;
    }
    // Every m is best with β(c, r−2) ≤ m ≤ β(c, r−1) and β(c−1, r−1) ≤ l − m ≤ β(c−1, r): there the
    // slopes of both parts meet. This is the largest.
    let r = repetitions(steps, slots);
    let most = steps as u128 - beta(slots - 1, r - 1);
    beta(slots, r - 1).min(most) as usize
}

/// The least number of forward steps that reverse `steps` > 0 steps with `slots` states held,
/// `t(l, c) = r l − β(c+1, r−1)`; the largest number there is if it is larger.
pub(super) fn forward_steps(steps: usize, slots: usize) -> usize {
    assert!(slots > 0, "0 slots: expected at least 1");
    let count = match repetitions(steps, slots) {
        0 => 0,
        r => r as u128 * steps as u128 - beta(slots.saturating_add(1), r - 1),
    };
    count.try_into().unwrap_or(usize::MAX)
}

/// The smallest r with `steps ≤ β(slots, r)`, in O(log² steps).
fn repetitions(steps: usize, slots: usize) -> usize {
    let enough = |r: usize| beta(slots, r) >= steps as u128;
    if enough(0) {
        return 0;
    }
    // Not enough at `low`, enough at `high`.
    let (mut low, mut high) = (0, 1);
    while !enough(high) {
        (low, high) = (high, high * 2);
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if enough(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

/// The binomial coefficient `(c+r)!/(c! r!)`, or the largest number there is if it is larger.
fn beta(c: usize, r: usize) -> u128 {
    let (few, many) = (c.min(r) as u128, c.max(r) as u128);
    let mut product: u128 = 1;
    for i in 1..=few {
        match product.checked_mul(many + i) {
            // Exact: the product of i consecutive numbers is a multiple of i!.
            Some(multiple) => product = multiple / i,
            None => return u128::MAX,
        }
    }
    product
}

#[cfg(test)]
#[path = "binomial_tests.rs"]
mod tests;
