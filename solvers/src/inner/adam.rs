//! Adam as a recorded step.

use autodiff::{Real, Var};

use super::InnerStep;
use super::names::StepEntry;
use super::rule::{Numbers, Recorded, StepAt, StepRule};

const DECAYS: (f64, f64) = (0.9, 0.999);

/// Adam by name.
pub(super) const ENTRY: StepEntry = StepEntry {
    name: "adam:RATE:EPS:EPS_ROOT",
    about: "Adam; without RATE 0.1, EPS 0, EPS_ROOT (RATE times the curvature)^2",
    make: |numbers| {
        let with = |rate, eps, eps_root| {
            Some(InnerStep::AdamWith {
                rate,
                eps,
                eps_root,
            })
        };
        match *numbers {
            [] => Some(InnerStep::Adam { rate: 0.1 }),
            [rate] => Some(InnerStep::Adam { rate }),
            [rate, eps] => with(rate, eps, None),
            [rate, eps, root] => with(rate, eps, Some(root)),
            _ => None,
        }
    },
};

/// `m ← β₁m + (1 − β₁)d`, `v ← β₂v + (1 − β₂)d²`, `y ← y − rate · m̂ / (√(v̂ + eps_root) + eps)` of
/// the state (y; m; v), with `m̂ = m/(1 − β₁ᵏ)` and `v̂ = v/(1 − β₂ᵏ)`.
///
/// Where it was not given, eps_root is rate² for a d that is a plain step, length included: then
/// `rate · m̂ / √eps_root` is that plain step.
#[derive(Debug)]
pub(super) struct Adam {
    pub(super) rate: f64,
    /// In units of ∇_y g, which a number of its own would not follow: 0 unless given.
    pub(super) eps: Option<f64>,
    pub(super) eps_root: Option<f64>,
}

impl StepRule for Adam {
    fn name(&self) -> String {
        let number = |n: Option<f64>| n.map_or(String::new(), |n| format!(":{n}"));
        let (eps, root) = (number(self.eps), number(self.eps_root));
        format!("adam:{}{eps}{root}", self.rate)
    }

    fn parts(&self) -> usize {
        3
    }

    fn numbers(&self) -> (usize, Numbers) {
        let (rate, (b1, b2)) = (self.rate, DECAYS);
        let correct = move |k: usize, c: &mut [f64]| {
            let t = k as f64 + 1.0;
            c[0] = rate / (1.0 - b1.powf(t));
            c[1] = 1.0 / (1.0 - b2.powf(t));
        };
        (2, Box::new(correct))
    }

    /// Adam moves by this whatever the direction's length: that only says what unit ε has.
    fn rate(&self) -> Option<f64> {
        Some(self.rate)
    }

    fn uses_length(&self) -> bool {
        self.eps_root.is_none()
    }

    fn unsettled(&self) -> Option<String> {
        Some(format!(
            "a step of {} divides by what it has moved, which is 0 at its fixed point: expected gd, \
             or another step without adaptive lengths",
            self.name()
        ))
    }

    fn complaint(&self) -> Option<String> {
        let (rate, eps) = (self.rate, self.eps.unwrap_or(0.0));
        if !(rate.is_finite() && rate > 0.0) {
            return Some(format!("rate {rate}: expected a positive number"));
        }
        if !(eps.is_finite() && eps >= 0.0) {
            return Some(format!("eps {eps}: expected 0 or a positive number"));
        }
        let root = self.eps_root.filter(|r| !(r.is_finite() && *r > 0.0));
        root.map(|root| {
            format!(
                "eps_root {root}: expected a positive number, as the root of v̂ alone has no \
                 derivative at 0"
            )
        })
    }
}

impl<T: Real> Recorded<T> for Adam {
    fn next<'r>(&self, at: &StepAt<'r, '_, T>) -> Vec<Var<'r, T>> {
        let (y, m, v) = (at.part(0), at.part(1), at.part(2));
        let (b1, b2) = DECAYS;
        let eps_root = self.eps_root.unwrap_or(self.rate * self.rate);
        let eps = self.eps.unwrap_or(0.0) * at.length();
        let d = at.along(y);
        let m = m * T::of(b1) + d * T::of(1.0 - b1);
        let v = v * T::of(b2) + d.square() * T::of(1.0 - b2);
        let root = (v * at.number(1) + T::of(eps_root)).sqrt() + T::of(eps);
        vec![y - m * at.number(0) / root, m, v]
    }
}
