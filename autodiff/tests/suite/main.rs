//! The engine from outside.

mod operations;
mod programs;
mod unroll;
mod vector;
