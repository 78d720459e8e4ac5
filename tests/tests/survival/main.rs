//! Runs that stop and go on: in memory, in folders, and as processes that are killed.

mod methods;
