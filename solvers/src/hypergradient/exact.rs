//! The exact answer, as far as the precision goes.

use std::sync::Arc;

use autodiff::Real;

use crate::Bilevel;
use crate::linear::Direct;

use super::aid::Aid;
use super::{Answer, Call, Footprint, Kkt, Room, Strategy, StrategyEntry};

/// The hypergradient at the lower level's solution, found to rounding by Newton's method, through
/// the dense Hessian: what the other strategies are measured against. With
/// [constraints](Bilevel::with_constraints) between the levels it is [`Kkt`].
///
/// # Requirements on the problem
/// As [`Aid`], and `dim_y` small enough for a dense matrix.
///
/// # Cost in oracle calls
/// Newton's, then those of [`Direct`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exact;

impl Exact {
    /// The lower level goes on until no step helps.
    fn aid() -> Aid<Direct> {
        Aid::with(Direct).until_rounding()
    }
}

impl<T: Real> Strategy<T> for Exact {
    fn name(&self) -> String {
        "exact".into()
    }

    #[inline(never)]
    fn misfit(&self, problem: &Bilevel<T>) -> Option<String> {
        match problem.constraints() {
            Some(_) => None,
            None => Self::aid().misfit(problem),
        }
    }

    fn scratch(&self, problem: &Bilevel<T>) -> usize {
        match problem.constraints() {
            Some(_) => Kkt::new().scratch(problem),
            None => Self::aid().scratch(problem),
        }
    }

    #[inline(never)]
    fn footprint(&self, problem: &Bilevel<T>) -> Footprint<T> {
        match problem.constraints() {
            Some(_) => Kkt::new().footprint(problem),
            None => Self::aid().footprint(problem),
        }
    }

    fn room(&self, dim_y: usize) -> Room {
        Strategy::<T>::room(&Self::aid(), dim_y)
    }

    #[inline(never)]
    fn differentiate(&self, call: &mut Call<'_, T>) -> Answer {
        match call.problem.constraints() {
            Some(_) => Kkt::new().differentiate(call),
            None => Self::aid().differentiate(call),
        }
    }
}

/// The name `exact`.
pub(super) fn entry<T: Real>() -> StrategyEntry<T> {
    let about = "lower level to rounding, dense Hessian: what the others are measured against";
    StrategyEntry::new("exact", about, &[], |_| Ok(Arc::new(Exact)))
}
