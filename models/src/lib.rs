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

mod among;
pub mod catalogue;
pub mod closed_form;
#[cfg(not(test))]
mod compiled;
mod constrained;
mod constrained_svm;
mod curvatures;
pub mod data;
mod data_selection;
mod dataset;
mod deep_equilibrium;
mod design;
mod few_shot;
mod gaussian;
mod gaussian_process;
mod group_ridge;
mod held;
mod held_out;
mod hyper_cleaning;
mod imaging;
mod kalman;
mod learning_rates;
mod least_squares;
mod logistic;
mod logistic_loss;
mod maml;
mod mlp;
mod mlp_loss;
mod mlp_tasks;
mod nonconvex;
mod pass;
mod random_quadratics;
mod softmax;
mod softmax_loss;
mod sparse;
pub mod stability;
mod store;
mod svm;
mod task;

use catalogue::Entry;
use closed_form::{BDA_COUNTEREXAMPLE, BDA_DISCRIMINATING, PENALTY_BIAS, QUADRATIC, SCALAR};
use stability::{ORTHOGONAL_MAP, RIDGE_PRIOR};

pub use constrained::{CONSTRAINED, constrained};
pub use constrained_svm::{CONSTRAINED_SVM, constrained_svm};
pub use data_selection::{MOST_SELECTING, data_selection};
pub use dataset::Dataset;
pub use deep_equilibrium::{DEEP_EQUILIBRIUM, deep_equilibrium};
pub use few_shot::{FEW_SHOT, FewShot, few_shot, few_shot_on};
pub use gaussian_process::{
    Evidence, GAUSSIAN_PROCESS, GAUSSIAN_PROCESS_LIKELIHOOD, gaussian_process,
};
pub use group_ridge::{GROUP_RIDGE, group_ridge};
pub use held::RankedDataset;
pub use held_out::HeldOut;
pub use hyper_cleaning::{CORRUPTION, HYPER_CLEANING, HyperCleaning, hyper_cleaning};
pub use imaging::{
    Convex, FOE_DENOISING, Filters, ICNN_DENOISING, Images, Photographs, TV_DEBLURRING,
    TV_DENOISING, foe_denoising, icnn_denoising, tv_deblurring, tv_denoising, tv_denoising_on,
};
pub use kalman::{KALMAN, kalman};
pub use learning_rates::{LEARNING_RATES, Stages, learning_rates};
pub use least_squares::{
    LEAST_SQUARES, RIDGE, least_squares, ridge, ridge_hypergradient, ridge_on,
};
pub use logistic::{LOGISTIC, logistic};
pub use maml::{MAML, Sines, maml};
pub use mlp::{Activation, Mlp};
pub use mlp_tasks::{MLP, MLP_CLEANING, mlp, mlp_cleaning};
pub use nonconvex::{SHIFTED_SINES, SINE_PRODUCT, shifted_sines, sine_product};
pub use random_quadratics::{RANDOM_QUADRATICS, random_quadratics};
pub use softmax::{SOFTMAX, softmax};
pub use sparse::{
    ELASTIC_NET, ELASTIC_NET_CV, GROUP_LASSO, LASSO, LASSO_CV, LASSO_SURE, SPARSE_LOGISTIC,
    WEIGHTED_LASSO, elastic_net, elastic_net_cv, elastic_net_on, group_lasso, group_lasso_on,
    lasso, lasso_cv, lasso_on, lasso_sure, sparse_logistic, weighted_lasso, weighted_lasso_on,
};
pub use svm::{SVM, svm};
pub use task::{Known, Metric, Task};

/// Every problem, in the order of lists.
pub static PROBLEMS: &[&Entry] = &[
    &LOGISTIC,
    &SOFTMAX,
    &HYPER_CLEANING,
    &MLP,
    &MLP_CLEANING,
    &LEARNING_RATES,
    &FEW_SHOT,
    &MAML,
    &DEEP_EQUILIBRIUM,
    &BDA_COUNTEREXAMPLE,
    &BDA_DISCRIMINATING,
    &PENALTY_BIAS,
    &SCALAR,
    &QUADRATIC,
    &CONSTRAINED,
    &RIDGE,
    &LEAST_SQUARES,
    &RANDOM_QUADRATICS,
    &SHIFTED_SINES,
    &SINE_PRODUCT,
    &GROUP_RIDGE,
    &GAUSSIAN_PROCESS,
    &GAUSSIAN_PROCESS_LIKELIHOOD,
    &KALMAN,
    &LASSO,
    &LASSO_CV,
    &LASSO_SURE,
    &ELASTIC_NET,
    &ELASTIC_NET_CV,
    &WEIGHTED_LASSO,
    &GROUP_LASSO,
    &SPARSE_LOGISTIC,
    &SVM,
    &CONSTRAINED_SVM,
    &TV_DENOISING,
    &TV_DEBLURRING,
    &FOE_DENOISING,
    &ICNN_DENOISING,
    &RIDGE_PRIOR,
    &ORTHOGONAL_MAP,
];
