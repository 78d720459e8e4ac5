//! Adam as a recorded step.

use autodiff::Real;
use autodiff::unroll::Step;

use super::direction::Direction;
use super::{InnerStep, StepLength};

const DECAYS: (f64, f64) = (0.9, 0.999);

/// The numbers of an Adam step.
#[derive(Clone, Copy)]
pub(super) struct Adam {
    pub(super) rate: f64,
    eps: f64,
    eps_root: Option<f64>,
}

impl Adam {
    /// Those of a step, if it is one of Adam.
    pub(super) fn of(step: InnerStep) -> Option<Self> {
        match step {
            InnerStep::Adam { rate } => Some(Adam {
                rate,
                // In units of ∇_y g, which a number of its own would not follow.
                eps: 0.0,
                eps_root: None,
            }),
            InnerStep::AdamWith {
                rate,
                eps,
                eps_root,
            } => Some(Adam {
                rate,
                eps,
                eps_root,
            }),
            _ => None,
        }
    }

    /// The length that the direction is multiplied by: Adam moves by `rate` whatever it is, so it
    /// only says what unit ε has.
    pub(super) fn length(self, given: StepLength) -> StepLength {
        match self.eps_root {
            None => given,
            Some(_) => StepLength::Fixed(1.0),
        }
    }

    /// Why these are no settings, beside what the strategy says of the length.
    pub(super) fn complaint(self, given: StepLength) -> Option<String> {
        let Adam { rate, eps, .. } = self;
        if !(rate.is_finite() && rate > 0.0) {
            return Some(format!("rate {rate}: expected a positive number"));
        }
        if !(eps.is_finite() && eps >= 0.0) {
            return Some(format!("eps {eps}: expected 0 or a positive number"));
        }
        if let Some(root) = self.eps_root.filter(|r| !(r.is_finite() && *r > 0.0)) {
            return Some(format!(
                "eps_root {root}: expected a positive number, as the root of v̂ alone has no \
                 derivative at 0"
            ));
        }
        match given {
            StepLength::Auto => None,
            StepLength::Fixed(s) => Some(format!(
                "step length {s} beside adam of rate {rate}: expected the rate alone, adam:{s}"
            )),
        }
    }
}

/// `m ← β₁m + (1 − β₁)d`, `v ← β₂v + (1 − β₂)d²`, `y ← y − rate · m̂ / (√(v̂ + eps_root) + eps)` of
/// the state (y; m; v), with `m̂ = m/(1 − β₁ᵏ)` and `v̂ = v/(1 − β₂ᵏ)`.
///
/// Where it was not given, eps_root is rate² for a d that is a plain step, length included: then
/// `rate · m̂ / √eps_root` is that plain step.
pub(super) fn record<T: Real>(direction: &Direction<'_, T>, adam: Adam) -> Step<T> {
    let (along, n, own) = (direction.along, direction.dim_y, direction.count);
    let (b1, b2) = DECAYS;
    let Adam { rate, eps, .. } = adam;
    let eps_root = adam.eps_root.unwrap_or(rate * rate);
    let eps = eps * direction.length;
    let correct = move |k: usize, c: &mut [T]| {
        let t = k as f64 + 1.0;
        c[0] = T::of(rate / (1.0 - b1.powf(t)));
        c[1] = T::of(1.0 / (1.0 - b2.powf(t)));
    };
    direction.step(3 * n, 2, correct, |x, state, c| {
        let (y, m, v) = (state.slice(0, n), state.slice(n, n), state.slice(2 * n, n));
        let d = along(x, y, c);
        let m = m * T::of(b1) + d * T::of(1.0 - b1);
        let v = v * T::of(b2) + d.square() * T::of(1.0 - b2);
        let root = (v * c.at(own + 1) + T::of(eps_root)).sqrt() + T::of(eps);
        (y - m * c.at(own) / root).concat(&[m, v])
    })
}
