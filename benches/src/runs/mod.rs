//! What the program runs: each function runs something and returns records.

pub mod check;
pub mod checkpoint;
pub mod compare;
pub mod curves;
pub mod demo;
pub mod flatness;
pub mod memory;
pub mod plan;
pub mod run_folder;
pub mod solve;
pub mod spread;
pub mod stability;
pub mod sweep;
pub mod table;
