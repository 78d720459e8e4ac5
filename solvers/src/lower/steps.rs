//! A walk along recorded steps of the lower level.

use autodiff::unroll::{Step, Unrolled};
use autodiff::{Point, Real};

use crate::Bilevel;
use crate::inner::{InnerStep, StepLength};
use crate::loops::{Key, Loops};
use crate::part::After;

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
            None => self.inner.record(problem.lower(), problem.part(), length),
        }
    }

    /// Entries of a state.
    pub(crate) fn dim_state<T: Real>(&self, problem: &Bilevel<T>) -> usize {
        let own = problem.step().map(Step::dim_state);
        own.unwrap_or(self.inner.dim_state(problem.dim_y()))
    }

    /// Entries that finding the length and the residual need.
    pub(crate) fn spare<T: Real>(&self, problem: &Bilevel<T>) -> usize {
        self.given().spare_on(problem)
    }

    /// The reason why they cannot be given beside a problem's own steps, if they were.
    pub(crate) fn beside_own(&self) -> Option<String> {
        let given = if self.inner != InnerStep::default() {
            format!("steps of {}", self.inner)
        } else if let StepLength::Fixed(length) = self.length {
            format!("step length {length}")
        } else {
            return None;
        };
        Some(format!(
            "{given}: expected none, as the problem has steps of its own"
        ))
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
    key: Key,
}

impl<T: Real> Walk<T> {
    /// Overwrites `state` with the first one from `start`, finds the length there, and takes the
    /// loop of steps that `after` follows. `spare` has as many entries as [`Steps::spare`] says, and holds what
    /// [`After::residual`] leaves.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn begin(
        steps: &Steps,
        after: &mut After<'_, T>,
        problem: &Bilevel<T>,
        [upper, lower]: [&mut Point<T>; 2],
        [x, start]: [&[T]; 2],
        state: &mut [T],
        spare: &mut [T],
        loops: &mut Loops<T>,
    ) -> Self {
        let inner = &steps.inner;
        inner.start(start, state);
        let (key, length) = match problem.step() {
            Some(_) => (Key::Own, 1.0),
            None => {
                let given = steps.given();
                let length = given.resolve_after(after.again(), lower, x, start, spare);
                (Key::Gradient(inner.clone(), length), length)
            }
        };
        let before = after.residual(lower, x, start, length, spare);
        let record = || steps.recorded(problem, length);
        let steps = loops.take(&key, [upper, lower], record);
        Walk {
            steps,
            length,
            before,
            key,
        }
    }

    /// Gives the loop back.
    pub(crate) fn end(self, loops: &mut Loops<T>) {
        loops.put(self.key, self.steps);
    }
}
