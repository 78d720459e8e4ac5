//! The step of a loop in which a number that is not finite first arises.

use std::fmt;

use super::{Memory, Unrolled};
use crate::non_finite::NonFinite;
use crate::ranks;
use crate::real::Real;

/// Where in a loop a value or a derivative first was not finite.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NonFiniteStep {
    /// The step, counted from 0.
    pub step: usize,
    /// Whether it was on the way back, in a derivative.
    pub back: bool,
    /// The operation in it; in the function whose gradient the step takes, if it arose there.
    /// `None` if it is in the sum of finite parts.
    pub at: Option<NonFinite>,
}

impl fmt::Display for NonFiniteStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = if self.back { ", on the way back" } else { "" };
        write!(
            f,
            "in step {} of the loop (counted from 0){way}: ",
            self.step
        )?;
        match &self.at {
            Some(at) => write!(f, "{at}"),
            None => write!(f, "a sum of finite numbers overflows"),
        }
    }
}

/// What a driver that is told to look for trouble found.
#[derive(Default)]
pub(super) enum Watch {
    /// Not looking: no step is looked at.
    #[default]
    Off,
    On,
    Forward(usize, Option<NonFinite>),
    /// After this many steps back.
    Back(usize, Option<NonFinite>),
}

impl<T: Real> Unrolled<T> {
    /// Runs the loop and its reverse pass again, as [`forward`](Unrolled::forward) and
    /// [`reverse`](Unrolled::reverse), and looks after each step for what is not finite: for after
    /// a result that is not.
    ///
    /// # Panics
    /// As these two.
    #[track_caller]
    #[inline(never)]
    pub fn find_non_finite(
        &mut self,
        x: &[T],
        start: &[T],
        depth: usize,
        memory: Memory,
        cotangent: &[T],
    ) -> Option<NonFiniteStep> {
        self.driver.watch = Watch::On;
        // What of a step is not finite is seen where all of it was computed.
        ranks::alone(|| {
            self.forward(x, start, depth, memory);
            if matches!(self.driver.watch, Watch::On) {
                self.reverse(cotangent);
            }
        });
        match std::mem::take(&mut self.driver.watch) {
            Watch::Off | Watch::On => None,
            Watch::Forward(step, at) => Some(NonFiniteStep {
                step,
                back: false,
                at,
            }),
            Watch::Back(pulled, at) => Some(NonFiniteStep {
                step: self.depth() - 1 - pulled,
                back: true,
                at,
            }),
        }
    }
}
