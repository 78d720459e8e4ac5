//! Every operation: its value against the definition, and its derivatives against each other.

mod convolution;
mod elementwise;
mod harness;
mod layout;
mod mistakes;
mod names;
mod reductions;
mod structure;
