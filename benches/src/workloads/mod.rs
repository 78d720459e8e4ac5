//! What is timed: by the criterion suite, and beside other systems by `benches/peers`.
//!
//! A [`Task`] is one thing to time, and tells its result, so that two programs can be held against
//! each other. Tasks come in [`GROUPS`] that share their data; there is no timing here. All inputs
//! are drawn from fixed seeds; [`write_inputs`] hands them to other programs.
//!
//! | group | function of x and y | tasks |
//! |---|---|---|
//! | `W1`, `W1-big` | mean logistic loss + ½ Σ e^{x_j} y_j², 2000×500 and 20000×1000 | gradient by y; HVP linearised once, and a block of 16 of them; HVP and cross product at a fresh point |
//! | `W1-vars`, `W1-big-vars` | the same, written with `Var`s | the same |
//! | `W2` | mean σ(x_i) CE_i + 0.001 ‖y‖², linear softmax, 2000×784×10 | gradient by y; HVP and cross product linearised once, and at a fresh point |
//! | `W2-vars` | the same, written with `Var`s | the same |
//! | `W3`, `W3-small` | networks with tanh, 784-128-10 and 32-64-64-1 | gradient; HVP at a fresh point, and linearised once, one and 16 |
//! | `W4` | upper level of W1, and of W2 at 500×100×10 | hypergradient through K steps of gradient descent |
//! | `W5` | upper level of W1 | implicit hypergradient, 20 steps of conjugate gradients |
//! | `dense` | upper levels of W1, and of W2 at 500×100×10 | `exact` and `aid-direct`, the lower level solved too |
//! | `W6` | as W2 on 20000 images of 784 pixels in 8 bits | as W2 |
//! | `W7` | a chain of 1000 operations on vectors of 10 | gradient; HVP at a fresh point |
//! | `W8` | smoothed total variation of 32 images of 64×64, each with its own block of y | as W2 |
//! | `aid`, `itd` | W1 with its upper level | whole calls from y = 0, to a stated accuracy |
//! | `iteration-…` | logistic 20000×22, softmax 50000×54×7, 10000 quadratics of rank one, 50 and 100 variables | iterations of stochastic methods |
//!
//! Whole runs of a loop under each memory policy are in [`memory`].

mod calls;
mod cost;
mod dense;
mod inputs;
pub mod machine;
pub mod memory;
mod stochastic;
mod sweep;
mod vars;
mod w1;
mod w2;
mod w3;
mod w4;
mod w5;
mod w6;
mod w7;
mod w8;

#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;

use autodiff::Real;

pub use calls::in_single_precision;
pub use cost::{Cost, cost};
use inputs::Writer;

/// One thing to time.
pub trait Task: Send {
    /// Does it once.
    fn call(&mut self);

    /// What the last call computed, part by part: for a joint product the part of x, then that of
    /// y. Each in the order of the variable that it belongs to.
    fn result(&self) -> Vec<Vec<f64>>;

    /// How many iterations one call makes: its time is that of so many.
    fn iterations(&self) -> usize {
        1
    }

    /// The most bytes that the last call held at one time, where they are counted.
    fn bytes(&self) -> Option<usize> {
        None
    }
}

/// A task under its name.
pub type Named = (&'static str, Box<dyn Task>);

/// Groups of tasks, each with its tasks in order.
pub const GROUPS: [(&str, &[&str]); 19] = [
    ("W1", &["W1-gradient", "W1-hvp", "W1-joint", "W1-block16"]),
    ("W1-big", &["W1-big-gradient", "W1-big-hvp", "W1-big-joint"]),
    (
        "W1-vars",
        &[
            "W1-vars-gradient",
            "W1-vars-hvp",
            "W1-vars-joint",
            "W1-vars-block16",
        ],
    ),
    (
        "W1-big-vars",
        &[
            "W1-big-vars-gradient",
            "W1-big-vars-hvp",
            "W1-big-vars-joint",
        ],
    ),
    ("W2", &["W2-gradient", "W2-joint-linearised", "W2-joint"]),
    (
        "W2-vars",
        &[
            "W2-vars-gradient",
            "W2-vars-joint-linearised",
            "W2-vars-joint",
        ],
    ),
    (
        "W3",
        &["W3-gradient", "W3-hvp-fresh", "W3-hvp", "W3-block16"],
    ),
    (
        "W3-small",
        &[
            "W3-small-gradient",
            "W3-small-hvp-fresh",
            "W3-small-hvp",
            "W3-small-block16",
        ],
    ),
    ("W4", &["W4-W1-K100", "W4-W1-K1000", "W4-softmax-K1000"]),
    ("W5", &["W5-cg20"]),
    ("W6", &["W6-gradient", "W6-joint-linearised", "W6-joint"]),
    ("W7", &["W7-gradient", "W7-hvp-fresh"]),
    ("W8", &["W8-gradient", "W8-joint-linearised", "W8-joint"]),
    ("aid", &["aid-1e-3", "aid-1e-6", "aid-1e-10"]),
    ("itd", &["itd-1e-3", "itd-1e-6"]),
    (
        "dense",
        &[
            "dense-exact",
            "dense-direct",
            "dense-softmax-exact",
            "dense-softmax-direct",
        ],
    ),
    ("iteration-logistic", &stochastic::LOGISTIC),
    ("iteration-softmax", &stochastic::SOFTMAX),
    ("iteration-quadratics", &stochastic::QUADRATICS),
];

/// The group a task belongs to.
pub fn group_of(task: &str) -> Option<&'static str> {
    let holds = |(_, tasks): &&(&str, &[&str])| tasks.contains(&task);
    GROUPS.iter().find(holds).map(|(group, _)| *group)
}

/// The tasks of a group, in the order of [`GROUPS`].
///
/// # Panics
/// If there is no such group.
pub fn build<T: Real>(group: &str) -> Vec<Named> {
    let Some((_, names)) = GROUPS.iter().find(|(name, _)| *name == group) else {
        panic!("no group of workloads named `{group}`");
    };
    let tasks = match group {
        "W1" => w1::tasks::<T>(&w1::inputs(), w1::lower, true),
        "W1-big" => w1::tasks::<T>(&w1::big_inputs(), w1::lower, false),
        "W1-vars" => w1::tasks::<T>(&w1::inputs(), vars::logistic, true),
        "W1-big-vars" => w1::tasks::<T>(&w1::big_inputs(), vars::logistic, false),
        "W2" => w2::tasks::<T>(&w2::inputs(), w2::lower),
        "W2-vars" => w2::tasks::<T>(&w2::inputs(), vars::softmax),
        "W3" => w3::tasks::<T>(&w3::inputs(), w3::classification),
        "W3-small" => w3::tasks::<T>(&w3::small_inputs(), w3::regression),
        "W4" => w4::tasks::<T>(),
        "W5" => w5::tasks::<T>(),
        "W6" => w2::tasks::<T>(&w6::inputs(), w2::lower),
        "W7" => w7::tasks::<T>(),
        "W8" => w8::tasks::<T>(),
        "aid" => calls::aid::<T>(),
        "itd" => calls::itd::<T>(),
        "dense" => dense::tasks::<T>(),
        _ => stochastic::tasks::<T>(group),
    };
    let able = |task: &&str| T::NAME == "f64" || in_single_precision(task);
    let names = names.iter().copied().filter(able);
    names.zip(tasks).collect()
}

/// Writes the inputs of some groups into `folder` as `SET.NAME.npy` of 64-bit floats, samples in rows,
/// the matrices of W2 with a class in each row.
///
/// A set is a group's own, or one that several share: W4, W5, `aid`, `itd` and `dense` use those of
/// W1 besides `W4-softmax`, the lower level's point `W5`, and the exact hypergradient `calls`; what is written with
/// `Var`s has the inputs of the group that it is the same as.
///
/// # Errors
/// If a file cannot be written, or there is no such group.
pub fn write_inputs(folder: &Path, groups: &[String]) -> io::Result<()> {
    let mut sets: Vec<&str> = groups.iter().flat_map(|group| sets_of(group)).collect();
    sets.sort_unstable();
    sets.dedup();
    sets.into_iter().try_for_each(|set| write_set(folder, set))
}

/// The sets of inputs that a group has.
fn sets_of(group: &str) -> Vec<&str> {
    match group {
        "W4" => vec!["W1", "W4-softmax"],
        "W5" => vec!["W1", "W5"],
        "aid" | "itd" => vec!["W1", "calls"],
        "dense" => vec!["W1", "W4-softmax"],
        "memory" => vec!["W1", "memory-network"],
        own => vec![own.strip_suffix("-vars").unwrap_or(own)],
    }
}

fn write_set(folder: &Path, set: &str) -> io::Result<()> {
    let to = Writer { folder };
    match set {
        "W1" => w1::inputs().write(&to, set),
        "W1-big" => w1::big_inputs().write(&to, set),
        "W2" => w2::inputs().write(&to, set),
        "W3" => w3::inputs().write(&to, set),
        "W3-small" => w3::small_inputs().write(&to, set),
        "W4-softmax" => w4::softmax_inputs().write(&to, set),
        "W5" => {
            let lower = w5::lower_point(&w1::inputs());
            to.array(set, "y", &[lower.len()], &lower)
        }
        "W6" => w6::inputs().write(&to, set),
        "W7" => w7::write(&to),
        "W8" => w8::inputs().write(&to, set),
        "calls" => {
            let exact = calls::exact_hypergradient(&w1::inputs());
            to.array(set, "exact", &[exact.len()], &exact)
        }
        "memory-network" => memory::network().write(&to, set),
        _ if set.starts_with("iteration-") => stochastic::write(&to, set),
        _ => Err(io::Error::other(format!(
            "no group of workloads named `{set}`"
        ))),
    }
}
