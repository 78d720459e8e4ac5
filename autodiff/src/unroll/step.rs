//! One iteration of a loop.

use std::fmt;
use std::sync::Arc;

use crate::{Program, Real, Shape, Var};

type Coefficients<T> = Arc<dyn Fn(usize, &mut [T]) + Send + Sync>;

/// One iteration `s ↦ Φ(x, s; c)` of a loop, recorded once.
///
/// `c` are coefficients that change from iteration to iteration (a step size on a schedule) and
/// are constants to every derivative.
#[derive(Clone)]
pub struct Step<T: Real> {
    pub(crate) program: Arc<Program<T>>,
    pub(crate) coefficients: Coefficients<T>,
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
        }
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
