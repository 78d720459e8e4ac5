//! The settings of methods that suit a problem.

use solvers::catalogue::{OuterRule, Settings};

/// The settings of methods that suit a problem, unless they are given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Defaults {
    /// Those of every method.
    pub settings: Settings,
    /// The step length of x of methods that ascend on a penalty, in place of `rate`.
    pub ascent_rate: Option<f64>,
    /// The step length of the lower level of methods that descend along hypergradients.
    pub lower_step: Option<f64>,
    /// The step length of y and of the linear system of methods of small steps: short enough for
    /// small batches.
    pub inner_step: f64,
}

impl Defaults {
    /// The usual settings.
    pub const NONE: Defaults = Defaults {
        settings: Settings::NONE,
        ascent_rate: None,
        lower_step: None,
        inner_step: 0.3,
    };

    /// Steps of x of length `rate`, and of `ascent_rate` where a method ascends on a penalty.
    pub(crate) const fn steps(rate: f64, ascent_rate: f64) -> Self {
        Defaults {
            settings: Settings {
                rate: Some(rate),
                ..Settings::NONE
            },
            ascent_rate: Some(ascent_rate),
            ..Self::NONE
        }
    }

    /// The same by Adam.
    pub(crate) const fn adam(rate: f64, ascent_rate: f64) -> Self {
        let steps = Self::steps(rate, ascent_rate);
        Defaults {
            settings: Settings {
                optimiser: Some(OuterRule::Adam),
                ..steps.settings
            },
            ..steps
        }
    }

    /// The same for this many outer iterations.
    pub(crate) const fn iterations(self, iterations: usize) -> Self {
        Defaults {
            settings: Settings {
                iterations: Some(iterations),
                ..self.settings
            },
            ..self
        }
    }

    /// The same with this many steps unrolled.
    pub(crate) const fn depth(self, depth: usize) -> Self {
        Defaults {
            settings: Settings {
                depth: Some(depth),
                ..self.settings
            },
            ..self
        }
    }
}
