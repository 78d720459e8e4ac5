//! The `bilevel` program on several ranks: `mpirun -n 4 bilevel-ranks solve …`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(bilevel_ranks::run(|world| world, bilevel_ranks::program))
}
