//! STORM, SARAH and PAGE: estimates that follow the iterates.

use autodiff::Real;
use autodiff::bytes::Buffer;
use autodiff::kernels::axpy;

use crate::ledger::Ledger;
use crate::method::{Batches, Keep, State};
use crate::schedule::Schedule;

use super::choices::Choices;
use super::directions::Directions;

/// Estimates `d ← D(z; ξ) + (1 − η)(d − D(z⁻; ξ))`, ξ being a batch of each level, z = (x, y, v), and
/// z⁻ what z was when d was last estimated; or `d ← D(z)` on all samples.
pub(super) struct Recursive<T: Real> {
    anew: Anew,
    /// η of x, y and v.
    weights: [Schedule; 3],
    choices: Choices,
    /// z⁻.
    last: [Buffer<T>; 3],
    then: Directions<T>,
    now: Directions<T>,
}

/// When all samples are looked at.
#[derive(Clone, Copy)]
pub(super) enum Anew {
    /// Never: what comes first is one batch.
    Never,
    /// In the first step of this many.
    Every(usize),
    /// In the first step, and with this chance.
    Chance(f64),
}

impl<T: Real> Recursive<T> {
    pub(super) fn new(
        s: &State<'_, T>,
        b: &Batches<T>,
        anew: Anew,
        weights: [Schedule; 3],
    ) -> Self {
        Recursive {
            anew,
            weights,
            choices: Choices::new(s),
            last: [s.x.len(), s.y.len(), s.y.len()].map(|n| b.buffer(n)),
            then: Directions::new(s, b),
            now: Directions::new(s, b),
        }
    }

    /// The estimates at the state, from those that are in `into` at the last.
    pub(super) fn draw(&mut self, s: &State<'_, T>, b: &mut Batches<T>, into: &mut Directions<T>) {
        let t = s.iteration();
        let whole = match self.anew {
            Anew::Never => false,
            Anew::Every(period) => t.is_multiple_of(period),
            // A coin for each step.
            Anew::Chance(chance) => self.choices.coin(chance) || t == 0,
        };
        if whole {
            into.whole(s, b);
        } else {
            let at = [s.x.as_slice(), s.y.as_slice(), &b.v];
            let (upper, lower) = (b.upper.draw(), b.lower.draw());
            if t == 0 {
                // There is no place before: the memory begins with the first batch, not with 0.
                into.at(upper, lower, at);
            } else {
                let [x, y, v] = &self.last;
                self.then.at(upper, lower, [x, y, v]);
                self.now.at(upper, lower, at);
                let [in_x, in_y, in_v] = self.weights.map(|w| w.at(t).min(1.0));
                follow(&mut into.x, in_x, &self.now.x, &self.then.x);
                follow(&mut into.y, in_y, &self.now.y, &self.then.y);
                follow(&mut into.v, in_v, &self.now.v, &self.then.v);
            }
        }
        let [x, y, v] = &mut self.last;
        x.copy_from_slice(s.x.as_slice());
        y.copy_from_slice(s.y.as_slice());
        v.copy_from_slice(&b.v);
    }
}

/// `d ← now + (1 − weight)(d − then)`.
pub(super) fn follow<T: Real>(d: &mut [T], weight: f64, now: &[T], then: &[T]) {
    axpy(d, -T::one(), then);
    let keep = T::of(1.0 - weight);
    for (d, now) in d.iter_mut().zip(now) {
        *d = *now + keep * *d;
    }
}

impl<T: Real> Keep for Recursive<T> {
    fn visit(&mut self, ledger: &mut Ledger) {
        self.choices.visit(ledger);
        self.last.visit(ledger);
    }
}
