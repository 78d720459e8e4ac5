//! RMSprop as a recorded step: a rule on the slot of users' own ones.

use autodiff::{Real, Var};

use crate::expect;

use super::InnerStep;
use super::names::StepEntry;
use super::rule::{Recorded, StepAt, StepRule};

/// RMSprop by name.
pub(super) const ENTRY: StepEntry = StepEntry {
    name: "rmsprop:RATE:DECAY:EPS_ROOT",
    about: "RMSprop; without RATE 0.01, DECAY 0.99, EPS_ROOT (RATE times the curvature)^2",
    make: |numbers| {
        let step = match *numbers {
            [] => RmsProp::new(0.01),
            [rate] => RmsProp::new(rate),
            [rate, decay] => RmsProp::new(rate).decay(decay),
            [rate, decay, root] => RmsProp::new(rate).decay(decay).eps_root(root),
            _ => return None,
        };
        Some(InnerStep::own(step))
    },
};

/// RMSprop: steps divided, entry by entry, by the root of a running mean of squared gradients.
///
/// `v ← βv + (1 − β)d²`, `y ← y − rate · d / √(v + eps_root)` of the state (y; v), from v = 0. An
/// [`InnerStep`] is [made](InnerStep::own) of it.
///
/// The divisor is the root of a sum, and not a root and a sum as in PyTorch: √v alone has no
/// derivative at 0, where an entry never moves. With eps_root = eps² both are eps there.
///
/// # Example
/// ```
/// use autodiff::{Var, objective};
/// use nalgebra::dvector;
/// use solvers::{Bilevel, InnerStep, Itd, RmsProp, Strategy};
///
/// let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
/// let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
/// let problem = Bilevel::new(upper, lower, 1, 1)?;
/// let itd = Itd::reverse(400).inner(InnerStep::own(RmsProp::new(0.1)));
/// let estimate = itd.hypergradient(&problem, &dvector![0.3], &mut problem.workspace())?;
/// assert!((estimate.hypergradient[0] + 0.4).abs() < 1e-6, "{estimate}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Reference
/// G. Hinton, N. Srivastava and K. Swersky, Neural networks for machine learning, lecture 6, 2012.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsProp {
    rate: f64,
    decay: f64,
    eps_root: Option<f64>,
}

impl RmsProp {
    /// Steps of this rate, with β = 0.99 and an eps_root that is rate² in units of the squared
    /// gradient: at rest a step is then the plain one of the length that was found.
    pub fn new(rate: f64) -> Self {
        RmsProp {
            rate,
            decay: 0.99,
            eps_root: None,
        }
    }

    /// The weight β of the past in the running mean, in [0, 1).
    #[must_use]
    pub fn decay(mut self, decay: f64) -> Self {
        self.decay = decay;
        self
    }

    /// What is added under the root, in units of the squared gradient.
    #[must_use]
    pub fn eps_root(mut self, eps_root: f64) -> Self {
        self.eps_root = Some(eps_root);
        self
    }
}

impl StepRule for RmsProp {
    fn name(&self) -> String {
        let RmsProp { rate, decay, .. } = self;
        let root = self.eps_root.map_or(String::new(), |n| format!(":{n}"));
        format!("rmsprop:{rate}:{decay}{root}")
    }

    fn parts(&self) -> usize {
        2
    }

    /// An entry moves by this and not by its gradient's size.
    fn rate(&self) -> Option<f64> {
        Some(self.rate)
    }

    fn uses_length(&self) -> bool {
        self.eps_root.is_none()
    }

    fn unsettled(&self) -> Option<String> {
        let name = self.name();
        Some(format!(
            "a step of {name} divides by what it has moved, which is 0 at its fixed point: expected \
             gd, or another step without adaptive lengths"
        ))
    }

    fn complaint(&self) -> Option<String> {
        let RmsProp { rate, decay, .. } = *self;
        let root = self.eps_root.unwrap_or(1.0);
        expect::positive("rate", rate)
            .and(expect::number(
                "decay",
                decay,
                (0.0..1.0).contains(&decay),
                "a number in [0, 1)",
            ))
            .and(expect::positive("eps_root", root))
            .err()
    }
}

impl<T: Real> Recorded<T> for RmsProp {
    fn next<'r>(&self, at: &StepAt<'r, '_, T>) -> Vec<Var<'r, T>> {
        let (y, v) = (at.part(0), at.part(1));
        let eps_root = self.eps_root.unwrap_or(self.rate * self.rate);
        let d = at.along(y);
        let v = v * T::of(self.decay) + d.square() * T::of(1.0 - self.decay);
        vec![y - d * T::of(self.rate) / (v + T::of(eps_root)).sqrt(), v]
    }
}
