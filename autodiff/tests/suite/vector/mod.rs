//! The vector kernels: errors against a reference of higher precision, special arguments, and the
//! same bits on every path.

mod accuracy;
mod double;
mod edges;
