//! The program: as a process, and what its library adds to the engine.

mod browser;
mod check;
mod command_line;
mod common;
mod faults;
mod guide;
mod method_failures;
mod own_problem;
mod pages;
mod race;
mod stability;
mod survival;
mod tables;
mod user_data;
