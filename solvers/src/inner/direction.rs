//! What a step descends along.

use std::sync::Arc;

use autodiff::unroll::Step;
use autodiff::{Program, Real, Var};

use crate::Part;

pub(crate) type Coefficients<T> = Arc<dyn Fn(usize, &mut [T]) + Send + Sync>;

/// d of (x, y, c).
type Along<'a, T> = dyn for<'r> Fn(Var<'r, T>, Var<'r, T>, Var<'r, T>) -> Var<'r, T> + 'a;

/// The direction d(x, y; c) that a step descends along, its length included.
///
/// A kind of step knows nothing else of the levels, so each serves iterative differentiation
/// (d = s ∇_y g) and descent aggregation (d of both levels) alike.
pub(crate) struct Direction<'a, T: Real> {
    pub(crate) dim_x: usize,
    pub(crate) dim_y: usize,
    /// How many coefficients c the direction reads.
    pub(crate) count: usize,
    pub(crate) coefficients: Coefficients<T>,
    pub(crate) along: &'a Along<'a, T>,
    /// The length s, for what follows the descent: a proximal map.
    pub(crate) length: f64,
    /// The part of the lower level whose proximal map that is.
    pub(crate) part: Option<&'a Part<T>>,
}

impl<T: Real> Direction<'_, T> {
    /// The step of a state of `dim_state` entries with `more` coefficients of its own, which stand
    /// behind the direction's.
    #[track_caller]
    pub(super) fn step<F>(
        &self,
        dim_state: usize,
        more: usize,
        own: impl Fn(usize, &mut [T]) + Send + Sync + 'static,
        f: F,
    ) -> Step<T>
    where
        F: for<'r> FnOnce(Var<'r, T>, Var<'r, T>, Var<'r, T>) -> Var<'r, T>,
    {
        let (count, coefficients) = (self.count, self.coefficients.clone());
        let all = move |k: usize, c: &mut [T]| {
            coefficients(k, &mut c[..count]);
            own(k, &mut c[count..]);
        };
        Step::scheduled(self.dim_x, dim_state, count + more, all, f)
    }

    /// The direction `length · ∇_y g`, handed to `f`.
    pub(super) fn of_gradient<R>(
        lower: &Arc<Program<T>>,
        part: Option<&Part<T>>,
        length: f64,
        f: impl FnOnce(&Direction<'_, T>) -> R,
    ) -> R {
        let s = T::of(length);
        f(&Direction {
            dim_x: lower.input_shape(0).len(),
            dim_y: lower.input_shape(1).len(),
            count: 0,
            coefficients: Arc::new(|_, _| {}),
            along: &|x, y, _| Var::gradient(lower, 1, &[x, y]) * s,
            length,
            part,
        })
    }
}
