//! One step of a method, as a value that can be saved.

use autodiff::Real;

use super::State;
use crate::Ledger;

/// One step of a method, with what it keeps from one to the next.
pub trait Update<T: Real> {
    /// Makes the step after `made` others.
    fn step(&mut self, state: &mut State<T>, made: usize);

    /// Names to the ledger what later steps depend on beside the [`State`].
    fn visit(&mut self, ledger: &mut Ledger);
}

/// A step that keeps nothing: whatever the closure owns is overwritten before it is read.
pub fn memoryless<T: Real>(step: impl FnMut(&mut State<T>, usize) + 'static) -> Box<dyn Update<T>> {
    struct Memoryless<F>(F);

    impl<T: Real, F: FnMut(&mut State<T>, usize)> Update<T> for Memoryless<F> {
        fn step(&mut self, state: &mut State<T>, made: usize) {
            (self.0)(state, made);
        }

        fn visit(&mut self, _: &mut Ledger) {}
    }

    Box::new(Memoryless(step))
}
