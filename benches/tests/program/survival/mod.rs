//! Runs that stop and go on: in memory, in folders, and as processes that are killed.

mod folders;
#[cfg(unix)]
mod kills;
mod longer;
mod methods;
mod sweeps;
#[cfg(unix)]
mod trouble;
mod worth;
