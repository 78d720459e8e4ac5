//! What is timed: by the criterion suite, and beside other systems by `benches/peers`.
//!
//! A [`Task`] is one thing to time, and tells its result, so that two programs can be held against
//! each other. Tasks come in [`GROUPS`] that share their data; there is no timing here. All inputs
//! are drawn from fixed seeds; [`write_inputs`] hands them to other programs.
//!
//! | group | function of x and y | tasks |
//! |---|---|---|
//! | `W1`, `W1-big` | mean logistic loss + ½ Σ e^{x_j} y_j², 2000×500 and 20000×1000 | gradient by y; HVP linearised once; HVP and cross product at a fresh point |
//! | `W2` | mean σ(x_i) CE_i + 0.001 ‖y‖², linear softmax, 2000×784×10 | gradient by y; HVP and cross product linearised once, and at a fresh point |
//! | `W3`, `W3-small` | networks with tanh, 784-128-10 and 32-64-64-1 | gradient; HVP at a fresh point, and linearised once |
//! | `W4` | upper level of W1, and of W2 at 500×100×10 | hypergradient through K steps of gradient descent |
//! | `W5` | upper level of W1 | implicit hypergradient, 20 steps of conjugate gradients |
//! | `Dense` | upper levels of W1, and of W2 at 500×100×10 | `exact` and `aid-direct`, the lower level solved too |
//! | `W7` | a chain of 1000 operations on vectors of 10 | gradient; HVP at a fresh point |

mod dense;
mod inputs;
mod sweep;
mod w1;
mod w2;
mod w3;
mod w4;
mod w5;
mod w7;

#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;

use autodiff::Real;

use inputs::Writer;

/// One thing to time.
pub trait Task: Send {
    /// Does it once.
    fn call(&mut self);

    /// What the last call computed, part by part: for a joint product the part of x, then that of
    /// y. Each in the order of the variable that it belongs to.
    fn result(&self) -> Vec<Vec<f64>>;
}

/// A task under its name.
pub type Named = (&'static str, Box<dyn Task>);

/// Groups of tasks, each with its tasks in order.
pub const GROUPS: [(&str, &[&str]); 9] = [
    ("W1", &["W1-gradient", "W1-hvp", "W1-joint"]),
    ("W1-big", &["W1-big-gradient", "W1-big-hvp", "W1-big-joint"]),
    ("W2", &["W2-gradient", "W2-joint-linearised", "W2-joint"]),
    ("W3", &["W3-gradient", "W3-hvp-fresh", "W3-hvp"]),
    (
        "W3-small",
        &["W3-small-gradient", "W3-small-hvp-fresh", "W3-small-hvp"],
    ),
    ("W4", &["W4-W1-K100", "W4-W1-K1000", "W4-softmax-K1000"]),
    ("W5", &["W5-cg20"]),
    ("W7", &["W7-gradient", "W7-hvp-fresh"]),
    (
        DENSE,
        &[
            "Dense-exact",
            "Dense-direct",
            "Dense-softmax-exact",
            "Dense-softmax-direct",
        ],
    ),
];

/// The group that `benches/peers/dense.py` times, and `compare.py` does not.
const DENSE: &str = "Dense";

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
        "W1" => w1::tasks::<T>(&w1::inputs()),
        "W1-big" => w1::tasks::<T>(&w1::big_inputs()),
        "W2" => w2::tasks::<T>(&w2::inputs()),
        "W3" => w3::tasks::<T>(&w3::inputs(), w3::classification),
        "W3-small" => w3::tasks::<T>(&w3::small_inputs(), w3::regression),
        "W4" => w4::tasks::<T>(),
        "W5" => w5::tasks::<T>(),
        DENSE => dense::tasks::<T>(),
        _ => w7::tasks::<T>(),
    };
    assert_eq!(tasks.len(), names.len(), "tasks of {group}");
    names.iter().copied().zip(tasks).collect()
}

/// Writes every input into `folder` as `GROUP.NAME.npy` of 64-bit floats, samples in rows, the
/// matrices of W2 with a class in each row, and the names of the tasks of `compare.py` as `tasks.json`.
///
/// The inputs of `W4-softmax` and the lower level's point of `W5` are under these names; W4 and W5
/// use those of W1 besides.
///
/// # Errors
/// If a file cannot be written.
pub fn write_inputs(folder: &Path) -> io::Result<()> {
    let to = Writer { folder };
    w1::inputs().write(&to, "W1")?;
    w1::big_inputs().write(&to, "W1-big")?;
    w2::inputs().write(&to, "W2")?;
    w3::inputs().write(&to, "W3")?;
    w3::small_inputs().write(&to, "W3-small")?;
    w4::softmax_inputs().write(&to, "W4-softmax")?;
    let lower = w5::lower_point(&w1::inputs());
    to.array("W5", "y", &[lower.len()], &lower)?;
    w7::write(&to)?;
    let others = GROUPS.iter().filter(|(group, _)| *group != DENSE);
    let tasks: Vec<&str> = others.flat_map(|(_, t)| *t).copied().collect();
    std::fs::write(folder.join("tasks.json"), serde_json::to_string(&tasks)?)
}
