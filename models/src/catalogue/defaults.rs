//! The settings of methods that suit a problem.

use solvers::catalogue::{OuterRule, SMALL_STEP};

/// The settings of methods that suit a problem, unless they are given; the usual ones where `None`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Defaults {
    /// How x moves.
    pub optimiser: Option<OuterRule>,
    /// The step length of x.
    pub rate: Option<f64>,
    /// The step length of x in methods of small steps, where `rate` is too long for them: where all
    /// variables move at once, x has to be slower than y.
    pub small_rate: Option<f64>,
    /// The step length of x in methods that ascend on a penalty.
    pub ascent_rate: Option<f64>,
    /// Outer iterations.
    pub iterations: Option<usize>,
    /// Steps that are unrolled.
    pub depth: Option<usize>,
    /// The step length of the lower level of methods that descend along hypergradients.
    pub lower_step: Option<f64>,
    /// The step length of y and of the linear system of methods of small steps: short enough for
    /// small batches.
    pub inner_step: f64,
}

impl Defaults {
    /// The usual settings.
    pub const NONE: Defaults = Defaults {
        optimiser: None,
        rate: None,
        small_rate: None,
        ascent_rate: None,
        iterations: None,
        depth: None,
        lower_step: None,
        inner_step: SMALL_STEP,
    };

    /// Steps of x of length `rate`, and of `ascent_rate` where a method ascends on a penalty.
    pub(crate) const fn steps(rate: f64, ascent_rate: f64) -> Self {
        Defaults {
            rate: Some(rate),
            ascent_rate: Some(ascent_rate),
            ..Self::NONE
        }
    }

    /// Steps of Adam.
    pub(crate) const fn adam(rate: f64, ascent_rate: f64) -> Self {
        Defaults {
            optimiser: Some(OuterRule::Adam),
            ..Self::steps(rate, ascent_rate)
        }
    }

    /// Sets the step length of x in methods of small steps.
    pub(crate) const fn small_rate(self, rate: f64) -> Self {
        Defaults {
            small_rate: Some(rate),
            ..self
        }
    }

    /// Sets the outer iterations.
    pub(crate) const fn iterations(self, iterations: usize) -> Self {
        Defaults {
            iterations: Some(iterations),
            ..self
        }
    }

    /// Sets the steps that are unrolled.
    pub(crate) const fn depth(self, depth: usize) -> Self {
        Defaults {
            depth: Some(depth),
            ..self
        }
    }

    /// Sets the step length of the lower level in methods that descend.
    pub(crate) const fn lower_step(self, lower_step: f64) -> Self {
        Defaults {
            lower_step: Some(lower_step),
            ..self
        }
    }

    /// Sets the step length of y in methods of small steps.
    pub(crate) const fn inner_step(self, inner_step: f64) -> Self {
        Defaults { inner_step, ..self }
    }
}
