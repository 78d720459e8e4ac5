//! Studies of a bilevel problem: each makes records, and [`report`] lays out a page of them.
//!
//! A [`Subject`] is a problem under a name, at a point. [`compare`] runs strategies there,
//! [`memory`] the policies of unrolled loops, [`plan`] finds schedules for a budget, [`check`] holds
//! derivatives against differences, and [`solve`] follows a method.

pub mod check;
pub mod compare;
pub mod curves;
pub mod memory;
pub mod plan;
pub mod report;
pub mod solve;
mod subject;

pub use subject::Subject;

#[cfg(test)]
mod tests {
    use autodiff::{Var, objective};
    use solvers::Bilevel;

    /// F = ½‖y − 1‖² + ½‖x‖², g = ½‖y − x‖², of `n` entries each.
    pub(crate) fn distance(n: usize) -> Bilevel<f64> {
        let upper =
            objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
        let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
        Bilevel::new(upper, lower, n, n).expect("a problem")
    }
}
