//! Every operation: its value against the definition, and its derivatives against each other.

mod algebra;
mod convolution;
mod elementwise;
mod harness;
mod kinks;
mod layout;
mod mistakes;
mod names;
mod reductions;
mod smooth;
mod sparse;
mod structure;
