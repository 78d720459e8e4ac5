//! What a computation would keep, against what the machine has: an allocation that fails ends the process.

use bilevel_benches::cli::memory;
use pyo3::PyResult;
use solvers::{Bilevel, Strategy};

use crate::arrays::Scalar;
use crate::errors::config;

/// Whether a strategy has room.
pub(crate) fn fits<T: Scalar>(
    name: &str,
    strategy: &(impl Strategy<T> + ?Sized),
    problem: &Bilevel<T>,
) -> PyResult<()> {
    let dim_y = problem.dim_y();
    let room = strategy.room(dim_y).check(name, dim_y, memory());
    room.map_err(config)
}
