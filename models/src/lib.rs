//! Models, closed-form problems and data for bilevel optimisation.
//!
//! Objectives are written on [`autodiff::Var`]s; a [`Task`] holds a [`solvers::Bilevel`] with what is
//! known about it. Losses over data are hand-fused [`autodiff::Primitive`]s that take one
//! pass over the samples.
//!
//! ```
//! use autodiff::{Objective, Var, objective};
//! use models::{Dataset, data};
//!
//! let splits = data::digits_parity(0);
//! let train = Dataset::<f64>::binary(&splits.train);
//! let lower = objective(|x: Var, y: Var| {
//!     train.logistic_loss(y) + 0.5 * x.exp().dot(y.square())
//! });
//! let value = lower.record(64, 64).point().value(&[&[0.0; 64], &[0.0; 64]]);
//! assert!((value - 2f64.ln()).abs() < 1e-12);
//! ```

pub mod closed_form;
mod curvatures;
pub mod data;
mod dataset;
mod few_shot;
mod gaussian;
mod held_out;
mod hyper_cleaning;
mod imaging;
mod learning_rates;
mod least_squares;
mod logistic;
mod logistic_loss;
mod mlp;
mod mlp_loss;
mod mlp_tasks;
mod nonconvex;
mod pass;
mod random_quadratics;
mod softmax;
mod softmax_loss;
pub mod stability;
mod task;

pub use dataset::Dataset;
pub use few_shot::{FewShot, few_shot};
pub use held_out::HeldOut;
pub use hyper_cleaning::{HyperCleaning, hyper_cleaning};
pub use imaging::{
    Convex, Filters, Photographs, foe_denoising, icnn_denoising, tv_deblurring, tv_denoising,
    tv_denoising_of, tv_denoising_on,
};
pub use learning_rates::{Stages, learning_rates};
pub use least_squares::{least_squares, ridge, ridge_hypergradient};
pub use logistic::logistic;
pub use mlp::{Activation, Mlp};
pub use mlp_tasks::{mlp, mlp_cleaning};
pub use nonconvex::{shifted_sines, sine_product};
pub use random_quadratics::random_quadratics;
pub use softmax::softmax;
pub use task::{Known, Metric, Task};
