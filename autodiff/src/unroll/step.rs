//! One iteration of a loop.

use std::fmt;
use std::sync::Arc;

use crate::program::Program;
use crate::real::Real;
use crate::shape::Shape;
use crate::var::Var;

use super::{Decay, Memory};

type Coefficients<T> = Arc<dyn Fn(usize, &mut [T]) + Send + Sync>;

/// One iteration `s ↦ Φ(x, s; c)` of a loop, recorded once.
///
/// `c` are coefficients that change from iteration to iteration (a step size on a schedule) and
/// are constants to every derivative.
#[derive(Clone)]
pub struct Step<T: Real> {
    pub(crate) program: Arc<Program<T>>,
    pub(crate) coefficients: Coefficients<T>,
    /// The decay of a momentum step, which can be undone.
    momentum: Option<f64>,
    /// Entries of the state that are the iterate.
    pub(super) leading: usize,
}

impl<T: Real> Step<T> {
    /// Records a step of `x` and a state, of these many entries, that has no coefficients; the
    /// third argument of `f` is then empty.
    ///
    /// # Panics
    /// If `f` returns a value that is not of the state's length.
    #[track_caller]
    pub fn new<F>(dim_x: usize, dim_state: usize, f: F) -> Self
    where
        F: for<'r> FnOnce(Var<'r, T>, Var<'r, T>, Var<'r, T>) -> Var<'r, T>,
    {
        Self::scheduled(dim_x, dim_state, 0, |_, _| {}, f)
    }

    /// Records a step with `count` coefficients; `coefficients(k, c)` sets those of iteration `k`,
    /// counted from 0.
    ///
    /// # Panics
    /// If `f` returns a value that is not of the state's length.
    #[track_caller]
    pub fn scheduled<F>(
        dim_x: usize,
        dim_state: usize,
        count: usize,
        coefficients: impl Fn(usize, &mut [T]) + Send + Sync + 'static,
        f: F,
    ) -> Self
    where
        F: for<'r> FnOnce(Var<'r, T>, Var<'r, T>, Var<'r, T>) -> Var<'r, T>,
    {
        let shapes = [dim_x, dim_state, count].map(Shape::vector);
        let program = Program::record(&shapes, |v| f(v[0], v[1], v[2].stop_gradient()));
        assert!(
            program.output_shape().len() == dim_state,
            "a step from vector({dim_state}) gave {}",
            program.output_shape()
        );
        Step {
            program,
            coefficients: Arc::new(coefficients),
            momentum: None,
            leading: dim_state,
        }
    }

    /// The same step, the first `entries` of whose state are the iterate, and the others what the
    /// step remembers: [`Unrolled::moved`](super::Unrolled::moved) and
    /// [`Unrolled::halving`](super::Unrolled::halving) look at the iterate alone. All of them unless
    /// given; those of a [momentum](Step::momentum) step are y.
    ///
    /// # Panics
    /// If the state has fewer entries.
    #[must_use]
    #[track_caller]
    pub fn leading(mut self, entries: usize) -> Self {
        let state = self.dim_state();
        assert!(
            entries <= state,
            "an iterate of {entries} entries in a state of {state}"
        );
        self.leading = entries;
        self
    }

    /// Records a step of momentum `v ← decay · v + u(x, y)`, `y ← y + v`, of the state `(y; v)`:
    /// `f` gives the force u, of `dim_y` entries, and its third argument is empty.
    ///
    /// It can be undone, so it runs under [`Memory::Reversible`] too.
    ///
    /// # Panics
    /// If `f` returns a value that is not of `dim_y` entries.
    ///
    /// # Example
    /// The heavy ball on g(x, y) = ½(y − x)²:
    /// ```
    /// use autodiff::unroll::{Memory, Step, Unrolled};
    /// use autodiff::{Meter, Objective, Var, objective};
    ///
    /// let g = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared()).record(1, 1);
    /// let step = Step::momentum(1, 1, 0.5, |x, y, _| -0.25 * Var::gradient(&g, 1, &[x, y]));
    /// let mut ball = Unrolled::new(step, &Meter::new());
    /// ball.forward(&[1.0], &[0.0, 0.0], 2, Memory::Reversible);
    /// assert_eq!(ball.state(), [0.5625, 0.3125]);
    /// assert_eq!(ball.reverse(&[1.0, 0.0]).0, [0.5625]);
    /// ```
    #[track_caller]
    pub fn momentum<F>(dim_x: usize, dim_y: usize, decay: f64, f: F) -> Self
    where
        F: for<'r> FnOnce(Var<'r, T>, Var<'r, T>, Var<'r, T>) -> Var<'r, T>,
    {
        Self::momentum_scheduled(dim_x, dim_y, decay, 0, |_, _| {}, f)
    }

    /// [`momentum`](Step::momentum) whose force has `count` coefficients, as in
    /// [`scheduled`](Step::scheduled).
    ///
    /// # Panics
    /// If `f` returns a value that is not of `dim_y` entries.
    #[track_caller]
    pub fn momentum_scheduled<F>(
        dim_x: usize,
        dim_y: usize,
        decay: f64,
        count: usize,
        coefficients: impl Fn(usize, &mut [T]) + Send + Sync + 'static,
        f: F,
    ) -> Self
    where
        F: for<'r> FnOnce(Var<'r, T>, Var<'r, T>, Var<'r, T>) -> Var<'r, T>,
    {
        let step = Self::scheduled(dim_x, 2 * dim_y, count, coefficients, |x, state, c| {
            let (y, v) = (state.slice(0, dim_y), state.slice(dim_y, dim_y));
            let v = v * T::of(decay) + f(x, y, c);
            (y + v).concat(&[v])
        });
        Step {
            momentum: Some(decay),
            leading: dim_y,
            ..step
        }
    }

    /// The decay that a step under [`Memory::Reversible`] is undone with.
    ///
    /// # Errors
    /// If it cannot be undone, with the reason and what can.
    pub(super) fn decay(&self) -> Result<Decay, String> {
        match self.momentum {
            Some(decay) => Decay::of::<T>(decay).map_err(|e| e.to_string()),
            None => Err(
                "the step cannot be undone: expected one of Step::momentum, or checkpointed:SLOTS"
                    .to_owned(),
            ),
        }
    }

    /// Why these steps cannot be run under `memory`, in words, or `None`.
    pub fn complaint(&self, memory: Memory) -> Option<String> {
        memory.complaint().or_else(|| match memory {
            Memory::Reversible => self.decay().err(),
            _ => None,
        })
    }

    /// The recording.
    pub fn program(&self) -> &Program<T> {
        &self.program
    }

    /// Number of entries of `x`.
    pub fn dim_x(&self) -> usize {
        self.program.input_shape(0).len()
    }

    /// Number of entries of the state.
    pub fn dim_state(&self) -> usize {
        self.program.input_shape(1).len()
    }
}

impl<T: Real> fmt::Debug for Step<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Step({:?})", self.program)
    }
}
