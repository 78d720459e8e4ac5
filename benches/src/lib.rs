//! The `bilevel` program: its command line, plots and report.

pub mod report;
