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

/// One move on the way to a state. Slots are numbered from 0 in the order of their states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// Take the state of this slot.
    Restore { slot: usize },
    /// Run the steps `from..to`.
    Advance { from: usize, to: usize },
    /// Keep the state in this slot.
    Hold { slot: usize },
}

/// The states held, and from them the moves that lead to any earlier one.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// Steps before which a state is held, rising; the first is 0.
    held: Vec<usize>,
    slots: usize,
}

impl Schedule {
    /// Starts with the first state held in slot 0.
    pub(super) fn start(&mut self, slots: usize) {
        assert!(slots > 0, "checkpointed with 0 slots: expected at least 1");
        self.slots = slots;
        self.held.clear();
        self.held.reserve_exact(slots);
        self.held.push(0);
    }

    /// Makes the moves that lead to the state before the last of the steps `0..end`.
    ///
    /// States at `end` and beyond are let go: call it with an `end` that falls.
    pub(super) fn reach(&mut self, end: usize, mut make: impl FnMut(Move)) {
        debug_assert!(end > 0, "there is a state before the first step alone");
        while self.held.len() > 1 && self.held[self.held.len() - 1] >= end {
            self.held.pop();
        }
        let slot = self.held.len() - 1;
        let mut at = self.held[slot];
        make(Move::Restore { slot });
        while at + 1 < end {
            // The slot of the state held last counts as free: it is behind all that follow.
            let free = self.slots - self.held.len() + 1;
            let to = at + stride(end - at, free);
            make(Move::Advance { from: at, to });
            at = to;
            // A single step is reversed from where we stand.
            if at + 1 < end {
                let slot = self.held.len();
                make(Move::Hold { slot });
                self.held.push(at);
            }
        }
    }
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
    assert!(slots > 0, "checkpointed with 0 slots: expected at least 1");
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
#[path = "schedule_tests.rs"]
mod tests;
