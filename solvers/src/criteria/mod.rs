//! Upper objectives that choose hyperparameters: cross-validation over folds, Stein's unbiased risk
//! estimate, and the optimal value of the lower level itself.

mod folds;
mod sure;
mod value;

pub use folds::Folds;
pub use sure::Sure;
pub use value::Envelope;
