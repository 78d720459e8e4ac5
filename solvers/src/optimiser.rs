//! First-order optimisers.

use autodiff::bytes::{Buffer, Category};
use autodiff::{Meter, Real};

use crate::Ledger;

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
    /// `s ← s + d²`, `x ← x − rate · d / (√s + 1e-10)`, entry by entry.
    ///
    /// Reference: J. Duchi, E. Hazan and Y. Singer, Adaptive subgradient methods for online learning
    /// and stochastic optimization, 2011.
    Adagrad {
        /// Step length.
        rate: f64,
    },
    /// Adam with β = (0.9, 0.999): `x ← x − rate · m̂ / (√(v̂ + eps_root) + eps)`, with eps = 1e-8
    /// and eps_root = 0.
    ///
    /// Reference: D. Kingma and J. Ba, Adam: a method for stochastic optimization, 2015.
    Adam {
        /// Step length.
        rate: f64,
    },
    /// Adam, and `x ← x − rate · decay · x` with each step.
    ///
    /// Reference: I. Loshchilov and F. Hutter, Decoupled weight decay regularization, 2019.
    AdamW {
        /// Step length.
        rate: f64,
        /// Weight decay.
        decay: f64,
    },
    /// [`AdamW`](Optimiser::AdamW), or with a decay of 0 [`Adam`](Optimiser::Adam), with these
    /// numbers beside the root and under it.
    AdamWith {
        /// Step length.
        rate: f64,
        /// Weight decay; from 0 on.
        decay: f64,
        /// Added to the root, in units of the direction; from 0 on.
        eps: f64,
        /// Added under the root, in units of the direction squared; from 0 on. One of the two has to
        /// be positive.
        eps_root: f64,
    },
}

/// ε beside the root unless given.
const EPS: f64 = 1e-8;

impl Optimiser {
    /// The step length.
    pub fn rate(self) -> f64 {
        match self {
            Optimiser::GradientDescent { rate }
            | Optimiser::Momentum { rate, .. }
            | Optimiser::Adagrad { rate }
            | Optimiser::Adam { rate }
            | Optimiser::AdamW { rate, .. }
            | Optimiser::AdamWith { rate, .. } => rate,
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
            Optimiser::AdamW { decay, .. } => from_0("decay", decay),
            Optimiser::AdamWith {
                decay,
                eps,
                eps_root,
                ..
            } => from_0("decay", decay)
                .or(from_0("eps", eps))
                .or(from_0("eps_root", eps_root))
                .or((eps + eps_root == 0.0)
                    .then(|| "eps 0 beside eps_root 0: expected one to be positive".into())),
            _ => None,
        }
    }

    /// Whether running means of directions, and of their squares, are kept.
    fn keeps(self) -> (bool, bool) {
        match self {
            Optimiser::GradientDescent { .. } => (false, false),
            Optimiser::Momentum { .. } => (true, false),
            Optimiser::Adagrad { .. } => (false, true),
            Optimiser::Adam { .. } | Optimiser::AdamW { .. } | Optimiser::AdamWith { .. } => {
                (true, true)
            }
        }
    }
}

/// Why this is no number from 0 on, if it is none.
fn from_0(what: &str, v: f64) -> Option<String> {
    let bad = !(v.is_finite() && v >= 0.0);
    bad.then(|| format!("{what} {v}: expected a number from 0 on"))
}

/// An optimiser on its way.
#[derive(Debug)]
pub(crate) struct Moments<T: Real> {
    optimiser: Optimiser,
    first: Buffer<T>,
    second: Buffer<T>,
    count: usize,
}

impl<T: Real> Moments<T> {
    pub(crate) fn new(optimiser: Optimiser, dim: usize, meter: &Meter) -> Self {
        let (first, second) = optimiser.keeps();
        let kept = |kept: bool| Buffer::zeros(if kept { dim } else { 0 }, Category::Solver, meter);
        Moments {
            optimiser,
            first: kept(first),
            second: kept(second),
            count: 0,
        }
    }

    pub(crate) fn visit(&mut self, ledger: &mut Ledger) {
        ledger.entries("the mean of directions", &mut self.first);
        ledger.entries("the mean of their squares", &mut self.second);
        ledger.count("steps of the optimiser", &mut self.count);
    }

    /// Moves `x` against `direction`, the rate multiplied by `factor`.
    pub(crate) fn step(&mut self, x: &mut [T], direction: &[T], factor: f64) {
        self.count = self.count.saturating_add(1);
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
            Optimiser::Adagrad { .. } => {
                for i in 0..x.len() {
                    let d = direction[i];
                    self.second[i] += d * d;
                    x[i] -= rate * d / (self.second[i].sqrt() + T::of(1e-10));
                }
            }
            Optimiser::Adam { .. } => self.adam(x, direction, rate, (0.0, EPS, 0.0)),
            Optimiser::AdamW { decay, .. } => self.adam(x, direction, rate, (decay, EPS, 0.0)),
            Optimiser::AdamWith {
                decay,
                eps,
                eps_root,
                ..
            } => self.adam(x, direction, rate, (decay, eps, eps_root)),
        }
    }

    fn adam(
        &mut self,
        x: &mut [T],
        direction: &[T],
        rate: T,
        (decay, eps, eps_root): (f64, f64, f64),
    ) {
        if decay > 0.0 {
            let keep = T::one() - rate * T::of(decay);
            x.iter_mut().for_each(|x| *x *= keep);
        }
        let (eps, eps_root) = (T::of(eps), T::of(eps_root));
        let (b1, b2) = (0.9, 0.999);
        let count = i32::try_from(self.count).unwrap_or(i32::MAX);
        let c1 = T::of(1.0 / (1.0 - f64::powi(b1, count)));
        let c2 = T::of(1.0 / (1.0 - f64::powi(b2, count)));
        let (k1, k2) = (T::of(b1), T::of(b2));
        for i in 0..x.len() {
            let d = direction[i];
            self.first[i] = k1 * self.first[i] + (T::one() - k1) * d;
            self.second[i] = k2 * self.second[i] + (T::one() - k2) * d * d;
            let scale = (self.second[i] * c2 + eps_root).sqrt() + eps;
            x[i] -= rate * self.first[i] * c1 / scale;
        }
    }
}
