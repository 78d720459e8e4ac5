//! Models, closed-form problems and data for bilevel optimisation.

pub mod data;
