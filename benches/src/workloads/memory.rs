//! Unrolled loops under each memory policy: what `benches/peers/memory.py` asks for.
//!
//! A task is named `memory-PROBLEM-POLICY-KDEPTH`, as `memory-W1-checkpointed:10-K1000`. The problem is
//! `W1`, by steps of length 1, or `network`: 64-32-10 on 500 samples, the weights of each layer with a
//! penalty of its own, by steps of length 1/2.

use std::io;

use autodiff::unroll::Memory;
use autodiff::{Real, Var, objective};
use nalgebra::DVector;
use solvers::{Bilevel, Itd, Strategy};

use super::inputs::Writer;
use super::sweep::cast;
use super::w3::{self, Network};
use super::w4::Hypergradient;
use super::{Task, w1};

const WIDTHS: &[usize] = &[64, 32, 10];
const SAMPLES: usize = 500;
/// ln of the penalty of each layer.
const PENALTIES: [f64; 2] = [-6.0, -7.0];

/// The problem `network`.
pub(super) struct Networks {
    train: Network,
    valid: Network,
}

pub(super) fn network() -> Networks {
    Networks {
        train: w3::draw(WIDTHS, SAMPLES, 10),
        valid: w3::draw(WIDTHS, SAMPLES, 11),
    }
}

impl Networks {
    pub(super) fn write(&self, to: &Writer<'_>, set: &str) -> io::Result<()> {
        self.train.write(to, set)?;
        self.valid.write(to, &format!("{set}-valid"))?;
        to.array(set, "x", &[PENALTIES.len()], &PENALTIES)
    }

    /// lower = mean cross-entropy + ½ Σ_l e^{x_l} ‖y_l‖², y_l with the biases; upper = the mean
    /// cross-entropy on the validation samples. y starts from the network's parameters.
    fn problem<T: Real>(self) -> Bilevel<T> {
        let start = DVector::from_vec(cast(&self.train.y));
        let dim_y = start.len();
        let first = (WIDTHS[0] + 1) * WIDTHS[1];
        let Networks { train, valid } = self;
        let upper =
            objective(move |_: Var<'_, T>, y: Var<'_, T>| valid.loss(y, w3::classification));
        let lower = objective(move |x: Var<'_, T>, y: Var<'_, T>| {
            let layers = [y.slice(0, first), y.slice(first, dim_y - first)];
            let squares = layers.map(Var::norm_squared);
            let penalty = x.at(0).exp() * squares[0] + x.at(1).exp() * squares[1];
            train.loss(y, w3::classification) + penalty * T::of(0.5)
        });
        let problem = Bilevel::new(upper, lower, PENALTIES.len(), dim_y);
        problem.expect("a bilevel problem").starting_from(start)
    }
}

/// A loop under a policy, and its peak of bytes as it is predicted.
#[expect(missing_debug_implementations, reason = "a task has nothing to show")]
pub struct Unrolled<T: Real> {
    problem: Bilevel<T>,
    x: Vec<f64>,
    itd: Itd,
}

impl<T: Real> Unrolled<T> {
    /// The loop of a name; `None` if it is no name of one.
    pub fn named(name: &str) -> Option<Self> {
        let (name, depth) = name.strip_prefix("memory-")?.rsplit_once("-K")?;
        let (problem, policy) = name.split_once('-')?;
        let (memory, depth): (Memory, usize) = (policy.parse().ok()?, depth.parse().ok()?);
        let (problem, x, step) = match problem {
            "W1" => {
                let data = w1::inputs();
                (w1::problem(&data), data.x, 1.0)
            }
            "network" => (network().problem(), PENALTIES.to_vec(), 0.5),
            _ => return None,
        };
        let itd = Itd::reverse(depth).step(step).memory(memory);
        Some(Unrolled { problem, x, itd })
    }

    /// The bytes that a call will hold at most.
    pub fn predicted_bytes(&self) -> usize {
        self.itd.predicted_peak_bytes(&self.problem)
    }

    /// The loop as a task.
    pub fn into_task(self) -> Box<dyn Task> {
        Box::new(Hypergradient::new(self.problem, self.itd, &self.x))
    }
}
