//! What a method of small steps keeps from one step to the next.

use autodiff::Real;

use super::{Advance, Batches, Ground, State, Update};
use crate::ledger::Ledger;

/// What is kept from one step to the next, and saved with a run.
pub trait Keep {
    /// Names to the ledger all that later steps depend on.
    fn visit(&mut self, ledger: &mut Ledger);
}

impl Keep for () {
    fn visit(&mut self, _: &mut Ledger) {}
}

impl<A: Keep, B: Keep> Keep for (A, B) {
    fn visit(&mut self, ledger: &mut Ledger) {
        self.0.visit(ledger);
        self.1.visit(ledger);
    }
}

impl<K: Keep, const N: usize> Keep for [K; N] {
    fn visit(&mut self, ledger: &mut Ledger) {
        self.iter_mut().for_each(|kept| kept.visit(ledger));
    }
}

impl<K: Keep> Keep for Vec<K> {
    fn visit(&mut self, ledger: &mut Ledger) {
        self.iter_mut().for_each(|kept| kept.visit(ledger));
    }
}

impl<K: Keep> Keep for Option<K> {
    fn visit(&mut self, ledger: &mut Ledger) {
        self.iter_mut().for_each(|kept| kept.visit(ledger));
    }
}

/// An update made of [measured](Batches::measured) steps that reads and changes what is `kept`.
/// Whatever else the closure owns is overwritten before it is read.
pub fn keeping<'p, T: Real, K: Keep + 'p>(
    batches: Batches<T>,
    kept: K,
    step: impl FnMut(&mut State<'_, T>, &mut Batches<T>, &mut K) + 'p,
) -> Box<dyn Update<T> + 'p> {
    struct Keeping<T: Real, K, F>(Batches<T>, K, F);

    impl<T: Real, K: Keep, F: FnMut(&mut State<'_, T>, &mut Batches<T>, &mut K)> Update<T>
        for Keeping<T, K, F>
    {
        fn step(&mut self, s: &mut State<'_, T>) -> Advance {
            let Keeping(batches, kept, step) = self;
            batches.measured(s, |s, b| step(s, b, kept))
        }

        fn ground(&mut self) -> &mut dyn Ground<T> {
            &mut self.0
        }

        fn visit(&mut self, ledger: &mut Ledger) {
            self.1.visit(ledger);
        }
    }

    Box::new(Keeping(batches, kept, step))
}
