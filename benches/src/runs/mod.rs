//! What the program runs: each function runs something and returns records.

pub mod checkpoint;
pub mod demo;
pub mod flatness;
pub mod primitives;
pub mod race;
pub mod run_folder;
pub mod spread;
pub mod stability;
pub mod sweep;
pub mod table;
