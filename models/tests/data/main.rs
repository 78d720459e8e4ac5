//! Data files: what is read, what is refused with which message, and what must never panic.

mod common;
mod csv;
mod damaged;
mod decided;
mod digits;
mod formats;
mod heap;
mod jpeg;
mod libsvm;
mod mutate;
mod pairs;
mod png;
mod points;
mod problems;
mod refused;
mod sparse;
