//! `bilevel list`.

use serde::Serialize;
use solvers::catalogue::{STEPS, strategies};

use super::args::Common;
use super::failure::Failure;
use super::output::{line, say};
use crate::catalogue::{Entry, methods, problems};

#[derive(Serialize)]
struct Record {
    kind: &'static str,
    name: &'static str,
    about: &'static str,
}

pub(super) fn run(common: &Common) -> Result<(), Failure> {
    let strategies: Vec<Entry> = strategies::<f64>()
        .into_iter()
        .flat_map(|e| e.rows)
        .collect();
    let kinds: [(&str, &[Entry]); 4] = [
        ("problem", problems::ALL),
        ("strategy", &strategies),
        ("inner", STEPS),
        ("method", methods::ALL),
    ];
    for (kind, entries) in kinds {
        if !common.json {
            say(match kind {
                "problem" => "Problems (--problem)",
                "strategy" => "\nStrategies (compare --strategy)",
                "inner" => "\nSteps of the lower level (--inner)",
                _ => "\nMethods (solve --method)",
            });
        }
        for Entry { name, about } in entries {
            if common.json {
                say(&line(&Record { kind, name, about }));
            } else {
                say(&format!("  {name:<27} {about}"));
            }
        }
    }
    Ok(())
}
