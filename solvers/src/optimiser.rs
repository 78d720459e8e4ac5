//! First-order optimisers of the outer variable.

use autodiff::Real;
use nalgebra::DVector;

/// How a gradient moves a variable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimiser {
    /// `x ← x − rate · d`.
    GradientDescent {
        /// Step length.
        rate: f64,
    },
    /// `v ← momentum · v + d`, `x ← x − rate · v`.
    Momentum {
        /// Step length.
        rate: f64,
        /// Share of the last direction that is kept.
        momentum: f64,
    },
    /// Adam with β = (0.9, 0.999) and ε = 1e-8.
    ///
    /// Reference: D. Kingma and J. Ba, Adam: a method for stochastic optimization, 2015.
    Adam {
        /// Step length.
        rate: f64,
    },
}

impl Optimiser {
    /// The step length.
    pub fn rate(self) -> f64 {
        match self {
            Optimiser::GradientDescent { rate }
            | Optimiser::Momentum { rate, .. }
            | Optimiser::Adam { rate } => rate,
        }
    }

    pub(crate) fn complaint(self) -> Option<String> {
        let rate = self.rate();
        let bad_rate = !(rate.is_finite() && rate > 0.0);
        match self {
            _ if bad_rate => Some(format!("rate {rate}: expected a positive number")),
            Optimiser::Momentum { momentum, .. } if !(0.0..1.0).contains(&momentum) => {
                Some(format!("momentum {momentum}: expected a number in [0, 1)"))
            }
            _ => None,
        }
    }
}

/// An optimiser on its way.
#[derive(Clone, Debug)]
pub(crate) struct Moments<T: Real> {
    optimiser: Optimiser,
    first: DVector<T>,
    second: DVector<T>,
    count: i32,
}

impl<T: Real> Moments<T> {
    pub(crate) fn new(optimiser: Optimiser, dim: usize) -> Self {
        Moments {
            optimiser,
            first: DVector::zeros(dim),
            second: DVector::zeros(dim),
            count: 0,
        }
    }

    /// Moves `x` against `direction`, the rate multiplied by `factor`.
    pub(crate) fn step(&mut self, x: &mut [T], direction: &[T], factor: f64) {
        self.count += 1;
        let rate = T::of(self.optimiser.rate() * factor);
        match self.optimiser {
            Optimiser::GradientDescent { .. } => {
                for i in 0..x.len() {
                    x[i] -= rate * direction[i];
                }
            }
            Optimiser::Momentum { momentum, .. } => {
                let keep = T::of(momentum);
                for i in 0..x.len() {
                    self.first[i] = keep * self.first[i] + direction[i];
                    x[i] -= rate * self.first[i];
                }
            }
            Optimiser::Adam { .. } => {
                let (b1, b2) = (0.9, 0.999);
                let c1 = T::of(1.0 / (1.0 - f64::powi(b1, self.count)));
                let c2 = T::of(1.0 / (1.0 - f64::powi(b2, self.count)));
                let (k1, k2) = (T::of(b1), T::of(b2));
                for i in 0..x.len() {
                    let d = direction[i];
                    self.first[i] = k1 * self.first[i] + (T::one() - k1) * d;
                    self.second[i] = k2 * self.second[i] + (T::one() - k2) * d * d;
                    let scale = (self.second[i] * c2).sqrt() + T::of(1e-8);
                    x[i] -= rate * self.first[i] * c1 / scale;
                }
            }
        }
    }
}
