//! First-order optimisers.

use std::fmt::Debug;

use autodiff::bytes::{Buffer, Category};
use autodiff::{Meter, Real};

use crate::expect;
use crate::ledger::Ledger;

/// How a gradient moves a variable: a value of one slot. Those of [`Optimiser`] are some.
///
/// # Example
/// Steps along the signs of the hypergradients, each shorter than the one before. Their count is
/// saved with the run.
/// ```
/// use autodiff::{Meter, Var, objective};
/// use nalgebra::dvector;
/// use solvers::{Aid, Bilevel, Descent, Ledger, Method, Moving, Optimise};
///
/// #[derive(Clone, Debug)]
/// struct Signs {
///     rate: f64,
/// }
///
/// struct Counted {
///     rate: f64,
///     made: usize,
/// }
///
/// impl Optimise<f64> for Signs {
///     fn begin(&self, _: usize, _: &Meter) -> Result<Box<dyn Moving<f64>>, String> {
///         Ok(Box::new(Counted { rate: self.rate, made: 0 }))
///     }
/// }
///
/// impl Moving<f64> for Counted {
///     fn step(&mut self, x: &mut [f64], direction: &[f64], factor: f64) {
///         let length = factor * self.rate * 0.8f64.powi(self.made as i32);
///         self.made += 1;
///         x.iter_mut().zip(direction).for_each(|(x, d)| *x -= length * d.signum());
///     }
///
///     fn visit(&mut self, ledger: &mut Ledger) {
///         ledger.count("steps made", &mut self.made);
///     }
/// }
///
/// let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
/// let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
/// let problem = Bilevel::new(upper, lower, 1, 1)?;
/// let descent = Descent::new(Aid::cg(), Signs { rate: 0.3 }, 60);
/// let mut run = descent.begin(&problem, dvector![0.0])?;
/// assert!(run.finish().is_success());
/// assert!((run.x()[0] - 0.5).abs() < 1e-2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Optimise<T: Real>: Debug + Send + Sync {
    /// Checks the settings, and gives the optimiser of a variable of `dim` entries. What it keeps is
    /// counted on `meter`.
    ///
    /// # Errors
    /// With the reason in one line, and what was expected.
    fn begin(&self, dim: usize, meter: &Meter) -> Result<Box<dyn Moving<T>>, String>;
}

/// An optimiser on its way, with what it keeps from one step to the next.
pub trait Moving<T: Real> {
    /// Moves `x` against `direction`, which has as many entries, its rate multiplied by `factor`.
    fn step(&mut self, x: &mut [T], direction: &[T], factor: f64);

    /// Names to the ledger what later steps depend on.
    fn visit(&mut self, ledger: &mut Ledger);
}

/// The optimisers that come with the crate.
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

    pub(crate) fn check(self) -> Result<(), String> {
        expect::positive("rate", self.rate())?;
        match self {
            Optimiser::Momentum { momentum: m, .. } => {
                let fits = (0.0..1.0).contains(&m);
                expect::number("momentum", m, fits, "a number in [0, 1)")
            }
            Optimiser::AdamW { decay, .. } => expect::from_0("decay", decay),
            Optimiser::AdamWith {
                decay,
                eps,
                eps_root,
                ..
            } => {
                expect::from_0("decay", decay)?;
                expect::from_0("eps", eps)?;
                expect::from_0("eps_root", eps_root)?;
                match eps + eps_root == 0.0 {
                    true => Err("eps 0 beside eps_root 0: expected one to be positive".into()),
                    false => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// On its way with settings that were checked, or found and whatever they are.
    pub(crate) fn unchecked<T: Real>(self, dim: usize, meter: &Meter) -> Box<dyn Moving<T>> {
        let (first, second) = self.keeps();
        let kept = |kept: bool| Buffer::zeros(if kept { dim } else { 0 }, Category::Solver, meter);
        Box::new(Moments {
            optimiser: self,
            first: kept(first),
            second: kept(second),
            count: 0,
        })
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

impl<T: Real> Optimise<T> for Optimiser {
    fn begin(&self, dim: usize, meter: &Meter) -> Result<Box<dyn Moving<T>>, String> {
        self.check()?;
        Ok(self.unchecked(dim, meter))
    }
}

/// One of them on its way.
struct Moments<T: Real> {
    optimiser: Optimiser,
    first: Buffer<T>,
    second: Buffer<T>,
    count: usize,
}

impl<T: Real> Moments<T> {
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

impl<T: Real> Moving<T> for Moments<T> {
    fn step(&mut self, x: &mut [T], direction: &[T], factor: f64) {
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

    fn visit(&mut self, ledger: &mut Ledger) {
        ledger.entries("the mean of directions", &mut self.first);
        ledger.entries("the mean of their squares", &mut self.second);
        ledger.count("steps of the optimiser", &mut self.count);
    }
}
