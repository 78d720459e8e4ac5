//! The `bilevel` program.

fn main() -> std::process::ExitCode {
    bilevel_benches::cli::main()
}
