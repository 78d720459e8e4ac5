//! A walk along recorded steps of the lower level.

use autodiff::unroll::{Step, Unrolled};
use autodiff::{Point, Real};

use crate::inner::{InnerStep, StepLength};
use crate::loops::{Key, Loops};
use crate::{Bilevel, Proximal};

/// Steps of a kind and a length: what a loop on the lower level is made of, unless the problem
/// brings its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Steps {
    pub(crate) inner: InnerStep,
    pub(crate) length: StepLength,
}

impl Steps {
    /// The length as the kind of step takes it.
    fn given(&self) -> StepLength {
        self.inner.length(self.length)
    }

    /// Whether the length is found from the curvature, by second sweeps.
    pub(crate) fn is_found(&self) -> bool {
        self.given().is_found()
    }

    /// The step that is unrolled: the problem's own, or one of this kind and of `length`.
    pub(crate) fn recorded<T: Real>(&self, problem: &Bilevel<T>, length: f64) -> Step<T> {
        match problem.step() {
            Some(step) => step.clone(),
            None => self.inner.record(problem.lower(), length),
        }
    }

    /// Entries of a state.
    pub(crate) fn dim_state<T: Real>(&self, problem: &Bilevel<T>) -> usize {
        let own = problem.step().map(Step::dim_state);
        own.unwrap_or(self.inner.dim_state(problem.dim_y()))
    }

    /// Entries that finding the length and the residual need.
    pub(crate) fn spare(&self, dim_y: usize) -> usize {
        self.inner.spare(dim_y, self.given())
    }

    pub(crate) fn complaint(&self) -> Option<String> {
        self.inner.complaint(self.length)
    }
}

/// A loop of steps under way, from where it starts.
pub(crate) struct Walk<T: Real> {
    pub(crate) steps: Unrolled<T>,
    /// The length that was found or given.
    pub(crate) length: f64,
    /// The residual where it starts.
    pub(crate) before: f64,
    proximal: Proximal,
    key: Key,
}

impl<T: Real> Walk<T> {
    /// Overwrites `state` with the first one from `start`, finds the length there, and takes the
    /// loop. `spare` has as many entries as [`Steps::spare`] says, and holds what
    /// [`residual`](Walk::residual) leaves.
    pub(crate) fn begin(
        steps: &Steps,
        problem: &Bilevel<T>,
        [upper, lower]: [&mut Point<T>; 2],
        [x, start]: [&[T]; 2],
        state: &mut [T],
        spare: &mut [T],
        loops: &mut Loops<T>,
    ) -> Self {
        let (inner, proximal) = (&steps.inner, steps.inner.proximal());
        inner.start(start, state);
        let (key, length) = match problem.step() {
            Some(_) => (Key::Own, 1.0),
            None => {
                let given = steps.given();
                let length = given.resolve_proximal(proximal, lower, x, start, spare);
                (Key::Gradient(inner.clone(), length), length)
            }
        };
        let before = proximal.residual(lower, x, start, length, spare);
        let record = || steps.recorded(problem, length);
        let steps = loops.take(&key, [upper, lower], record);
        Walk {
            steps,
            length,
            before,
            proximal,
            key,
        }
    }

    /// How far `y` is from a solution; see [`Proximal::residual`].
    pub(crate) fn residual(&self, lower: &mut Point<T>, x: &[T], y: &[T], spare: &mut [T]) -> f64 {
        self.proximal.residual(lower, x, y, self.length, spare)
    }

    /// Gives the loop back.
    pub(crate) fn end(self, loops: &mut Loops<T>) {
        loops.put(self.key, self.steps);
    }
}
