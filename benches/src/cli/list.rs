//! `bilevel list`.

use models::PROBLEMS;
use models::catalogue::{Data, find};
use serde::Serialize;
use solvers::catalogue::{Numbered, Row, methods, strategies};
use solvers::{FixedPart, InnerStep};

use super::args::Common;
use super::failure::Failure;
use super::output::{line, say};

#[derive(Serialize)]
struct Record {
    kind: &'static str,
    name: &'static str,
    about: &'static str,
    /// Which data a problem takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
}

pub(super) fn run(common: &Common) -> Result<(), Failure> {
    let strategies: Vec<Row> = strategies::<f64>()
        .into_iter()
        .flat_map(|e| e.rows)
        .collect();
    let steps: Vec<Row> = InnerStep::ALL.iter().map(Numbered::row).collect();
    let parts: Vec<Row> = FixedPart::ALL.iter().map(Numbered::row).collect();
    let methods: Vec<Row> = methods::<f64>().into_iter().flat_map(|m| m.rows).collect();
    let problems: Vec<Row> = PROBLEMS.iter().map(|entry| entry.row).collect();
    let data = |name: &str| match find(name).map(|entry| entry.data) {
        Some(kind) if kind != Data::Own => Some(kind.to_string()),
        _ => None,
    };
    let kinds: [(&str, &str, &[Row]); 5] = [
        ("problem", "Problems (--problem)", &problems),
        ("part", "\nParts of the lower level (--part)", &parts),
        ("strategy", "\nStrategies (compare --strategy)", &strategies),
        ("inner", "\nSteps of the lower level (--inner)", &steps),
        ("method", "\nMethods (solve --method)", &methods),
    ];
    for (kind, title, rows) in kinds {
        if !common.json {
            say(title);
        }
        for Row { name, about } in rows {
            let data = data(name).filter(|_| kind == "problem");
            if common.json {
                say(&line(&Record {
                    kind,
                    name,
                    about,
                    data,
                }));
            } else {
                let data = data.map_or(String::new(), |kind| format!("; --data: {kind}"));
                say(&format!("  {name:<27} {about}{data}"));
            }
        }
    }
    Ok(())
}
