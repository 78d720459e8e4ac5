//! What is known of a lower level.

use nalgebra::{DMatrix, DVector};

/// A solution of the lower level, and how it moves with x.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// The solution y*, of `dim_y` entries.
    pub y: DVector<f64>,
    /// Its derivative dy*/dx, of `dim_y × dim_x`.
    pub slope: DMatrix<f64>,
}

/// Whether naming a danger is right where the estimate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Danger {
    /// There is none: a failure or a warning beside a right estimate is a false alarm.
    None,
    /// There is one, such as a kink or a direction in which the lower level is flat: an alarm is in
    /// its place, and silence too where the estimate is right.
    Real,
    /// The derivative is one of several: even a right one has to come with a warning.
    Ambiguous,
}

/// The solutions of a lower level.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// Any of these is right; without one, there is nothing to be right about.
    pub solutions: Vec<Solution>,
    /// The orthogonal projection to what of y the lower level determines; `None` if it determines
    /// all. F looks at nothing else.
    pub determined: Option<DMatrix<f64>>,
    /// The solution that is best for F, where there are many and F looks at what they differ in:
    /// what a strategy that chooses among them is right with.
    pub best: Option<Solution>,
    /// What an alarm is worth.
    pub danger: Danger,
}

impl Truth {
    /// A lower level without a solution.
    pub(super) fn nowhere() -> Self {
        Truth {
            solutions: Vec::new(),
            determined: None,
            best: None,
            danger: Danger::Real,
        }
    }

    /// One solution, and no danger.
    pub(super) fn at(y: DVector<f64>, slope: DMatrix<f64>) -> Self {
        Truth {
            solutions: vec![Solution { y, slope }],
            determined: None,
            best: None,
            danger: Danger::None,
        }
    }

    /// Adds a danger.
    pub(super) fn with(mut self, danger: Danger) -> Self {
        self.danger = danger;
        self
    }
}
