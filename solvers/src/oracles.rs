//! What was called.

use autodiff::Sweeps;

/// How often each objective was swept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Oracles {
    /// Sweeps of F.
    pub upper: Sweeps,
    /// Sweeps of g.
    pub lower: Sweeps,
}

impl Oracles {
    /// Gradients of both levels.
    pub fn gradients(&self) -> usize {
        self.upper.gradients + self.lower.gradients
    }

    /// Hessian-vector products of both levels, each with its cross product.
    pub fn hvps(&self) -> usize {
        self.upper.hvps + self.lower.hvps
    }

    /// Gradients and Hessian-vector products together.
    pub fn total(&self) -> usize {
        self.gradients() + self.hvps()
    }
}

impl Oracles {
    pub(crate) fn saturating_sub(self, other: Self) -> Self {
        Oracles {
            upper: self.upper.saturating_sub(other.upper),
            lower: self.lower.saturating_sub(other.lower),
        }
    }
}

impl std::ops::Sub for Oracles {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Oracles {
            upper: self.upper - other.upper,
            lower: self.lower - other.lower,
        }
    }
}

impl std::ops::AddAssign for Oracles {
    fn add_assign(&mut self, other: Self) {
        self.upper += other.upper;
        self.lower += other.lower;
    }
}
