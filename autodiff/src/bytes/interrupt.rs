//! Stopping what is being computed, from another thread.

use std::cell::RefCell;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// What a sweep unwinds with when its [`Interrupt`] is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted;

/// A flag that stops computations; cloning it shares the flag. Every [`Meter`](super::Meter) has one.
///
/// While it is set, a sweep that would begin does not: it unwinds with [`Interrupted`] as its payload,
/// without a message. So a loop stops at its next step, and whatever takes products at the next of them.
/// Strategies and runs make a status of it. What was being computed is lost, and what was there before
/// is not: inputs that are set again give what they always gave.
///
/// # Example
/// ```
/// use autodiff::bytes::{Interrupt, Interrupted};
/// use autodiff::unroll::{Memory, Step, Unrolled};
/// use autodiff::{Meter, Objective, Var, objective};
/// use std::panic::{AssertUnwindSafe, catch_unwind};
///
/// let g = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared()).record(1, 1);
/// let step = Step::new(1, 1, |x, y, _| y - 0.5 * Var::gradient(&g, 1, &[x, y]));
/// let interrupt = Interrupt::new();
/// let mut descent = interrupt.over(|| Unrolled::new(step, &Meter::new()));
/// let endless = || descent.forward_until(&[1.0], &[0.0], usize::MAX, Memory::Forward, |k, _| {
///     interrupt.set(k == 1000); // another thread might
///     false
/// }).len();
/// let payload = catch_unwind(AssertUnwindSafe(endless)).expect_err("interrupted");
/// assert!(payload.is::<Interrupted>());
/// interrupt.set(false);
/// assert_eq!(descent.forward(&[1.0], &[0.0], 3, Memory::Stored), [0.875]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

thread_local! {
    /// That of the meters that this thread makes.
    static COMMON: RefCell<Option<Interrupt>> = const { RefCell::new(None) };
}

impl Interrupt {
    /// A flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// That of a new meter.
    pub(super) fn of_a_meter() -> Self {
        COMMON.with(|common| common.borrow().clone().unwrap_or_default())
    }

    /// Stops what it is over, or lets it go on.
    pub fn set(&self, stop: bool) {
        self.0.store(stop, Relaxed);
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// Runs `f`, and is over every meter that this thread makes meanwhile.
    pub fn over<R>(&self, f: impl FnOnce() -> R) -> R {
        /// Puts back what was there before, also where `f` unwinds.
        struct Before(Option<Interrupt>);
        impl Drop for Before {
            fn drop(&mut self) {
                COMMON.with(|common| *common.borrow_mut() = self.0.take());
            }
        }
        let _before = Before(COMMON.with(|common| common.replace(Some(self.clone()))));
        f()
    }

    /// Unwinds if it is set.
    #[inline]
    pub(crate) fn look(&self) {
        if self.is_set() {
            // Not a panic: no hook is to print it.
            resume_unwind(Box::new(Interrupted));
        }
    }
}
