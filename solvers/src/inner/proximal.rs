//! Proximal gradient steps: what follows a gradient step where the lower level is not smooth.

use autodiff::{Real, Var};

use super::names::StepEntry;
use super::rule::{Recorded, StepAt, StepRule};
use super::{Constraint, InnerStep};

/// The part h of a lower level `min_y g(x, y) + h(y)` that is not smooth, known by its proximal
/// map `P_s(z) = argmin_y s h(y) + ½‖y − z‖²`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Proximal {
    /// y in a set: P is the projection to it.
    Constraint(Constraint),
    /// `h = weight ‖y‖₁`: P shrinks every entry by `s · weight` towards 0, and to 0.
    ///
    /// The derivative keeps an entry that stays off 0 and loses one that does not; one that becomes
    /// 0 exactly is lost.
    ///
    /// Reference: A. Beck and M. Teboulle, A fast iterative shrinkage-thresholding algorithm for
    /// linear inverse problems, SIAM Journal on Imaging Sciences 2(1), 2009, (1.4).
    SoftThreshold {
        /// Factor of ‖y‖₁; not negative.
        weight: f64,
    },
}

impl From<Constraint> for Proximal {
    fn from(constraint: Constraint) -> Self {
        Proximal::Constraint(constraint)
    }
}

impl Proximal {
    /// Nothing: h = 0.
    pub(crate) const NONE: Proximal = Proximal::Constraint(Constraint::None);

    /// Replaces `z` by `P_length(z)`.
    pub(crate) fn apply<T: Real>(self, z: &mut [T], length: f64) {
        match self {
            Proximal::Constraint(constraint) => constraint.project(z),
            Proximal::SoftThreshold { weight } => {
                let t = T::of(length * weight);
                for z in z {
                    // Not `else 0`, so that NaN stays NaN.
                    *z = if *z > t {
                        *z - t
                    } else if *z < -t {
                        *z + t
                    } else {
                        *z * T::zero()
                    };
                }
            }
        }
    }

    /// `P_length(z)` as an operation.
    pub(super) fn record<T: Real>(self, z: Var<'_, T>, length: f64) -> Var<'_, T> {
        match self {
            Proximal::Constraint(constraint) => constraint.record(z),
            Proximal::SoftThreshold { weight } => {
                let t = T::of(length * weight);
                (z - t).relu() - (-z - t).relu()
            }
        }
    }

    pub(super) fn complaint(self) -> Option<String> {
        match self {
            Proximal::Constraint(constraint) => constraint.complaint(),
            Proximal::SoftThreshold { weight } if !(weight.is_finite() && weight >= 0.0) => {
                Some(format!("weight {weight}: expected 0 or a positive number"))
            }
            Proximal::SoftThreshold { .. } => None,
        }
    }
}

/// Plain gradient steps by name.
pub(super) const PLAIN: StepEntry = StepEntry {
    name: "gd",
    about: "gradient descent",
    make: |numbers| numbers.is_empty().then_some(InnerStep::GradientDescent),
};

/// Projections and thresholds by name.
pub(super) const BOX: StepEntry = StepEntry {
    name: "projected-box:LOW:HIGH",
    about: "gradient steps projected to a box; a bound may be inf",
    make: |numbers| match *numbers {
        [low, high] => Some(InnerStep::projected(Constraint::Box { low, high })),
        _ => None,
    },
};

/// See above.
pub(super) const SIMPLEX: StepEntry = StepEntry {
    name: "projected-simplex",
    about: "gradient steps projected to the probability simplex",
    make: |numbers| {
        let simplex = InnerStep::projected(Constraint::Simplex);
        numbers.is_empty().then_some(simplex)
    },
};

/// See above.
pub(super) const BALL: StepEntry = StepEntry {
    name: "projected-ball:RADIUS",
    about: "gradient steps projected to a ball about 0",
    make: |numbers| match *numbers {
        [radius] => Some(InnerStep::projected(Constraint::Ball { radius })),
        _ => None,
    },
};

/// See above.
pub(super) const SOFT_THRESHOLD: StepEntry = StepEntry {
    name: "soft-threshold:WEIGHT",
    about: "proximal gradient steps (ISTA) on g + WEIGHT·‖y‖₁",
    make: |numbers| match *numbers {
        [weight] => Some(InnerStep::soft_threshold(weight)),
        _ => None,
    },
};

/// `y ← P_s(y − d(y))`, of the state y: plain steps where nothing is projected.
impl StepRule for Proximal {
    fn name(&self) -> String {
        self.to_string()
    }

    fn proximal(&self) -> Proximal {
        *self
    }

    fn takes_part(&self) -> bool {
        *self == Proximal::NONE
    }

    fn is_plain(&self) -> bool {
        true
    }

    fn complaint(&self) -> Option<String> {
        (*self).complaint()
    }
}

impl<T: Real> Recorded<T> for Proximal {
    fn next<'r>(&self, at: &StepAt<'r, '_, T>) -> Vec<Var<'r, T>> {
        let y = at.part(0);
        vec![at.after(*self, y - at.along(y))]
    }
}
