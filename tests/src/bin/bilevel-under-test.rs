//! The `bilevel` program again, built with this package so that its tests always run the current
//! one.

fn main() -> std::process::ExitCode {
    bilevel_benches::cli::main()
}
