//! `bilevel demo`.

use std::path::{Path, PathBuf};

use autodiff::Real;

use super::args::Common;
use super::compare::terminal_table;
use super::failure::Failure;
use super::output::{bar, line, prepare, say, short, table, time, write_lines};
use super::{demo_page, provenance};
use crate::catalogue::problems::CORRUPTION;
use crate::report;
use crate::study::demo::{Demo, FAMILIES};

pub(super) fn run<T: Real>(common: &Common) -> Result<(), Failure> {
    let dir = common.out.clone().unwrap_or_else(|| PathBuf::from("."));
    prepare(&dir)?;
    let progress = bar(crate::study::demo::STAGES);
    let demo = Demo::measure::<T>(common.seed, |stage| {
        progress.set_message(stage);
        progress.inc(1);
    });
    progress.finish_and_clear();
    if common.json {
        demo.records().for_each(|record| say(&line(&record)));
    } else {
        print(&demo);
    }
    let page = demo_page::page(&demo, provenance(common));
    if !common.json {
        say("");
        for claim in &page.claims {
            let mark = if claim.holds { "holds" } else { "FAILS" };
            say(&format!("[{mark}] {} ({})", claim.text, claim.value));
        }
    }
    finish(&demo, &page, &dir, common)
}

fn finish(demo: &Demo, page: &report::Report, dir: &Path, common: &Common) -> Result<(), Failure> {
    let path = report::write(page, dir)
        .map_err(|e| Failure::Input(format!("--out {}: {e}", dir.display())))?;
    // Records go beside the page only where a folder was asked for.
    if common.out.is_some() {
        let records: Vec<_> = demo.records().collect();
        write_lines(dir, "demo.jsonl", &records)?;
    }
    eprintln!("wrote {}", path.display());
    let broken: Vec<&str> = page
        .claims
        .iter()
        .filter(|c| !c.holds)
        .map(|c| &*c.text)
        .collect();
    if broken.is_empty() {
        Ok(())
    } else {
        Err(Failure::Numerical(format!(
            "a claim does not hold: {}",
            broken.join("; ")
        )))
    }
}

fn print(demo: &Demo) {
    for (title, records) in &demo.comparisons {
        say(&format!("\n{title}"));
        say(&terminal_table(records));
    }
    say("\nA lower level with many solutions (bda-counterexample): the best has x = 1");
    let rows: Vec<Vec<String>> = demo
        .counterexample
        .iter()
        .map(|end| vec![end.method.clone(), short(end.x), end.status.clone()])
        .collect();
    say(&table(&["method", "x reached", "status"], &rows));
    say(&format!(
        "\nHyper-cleaning: 900 digits, {:.0} % mislabelled, 60 clean ones to judge by; uncleaned {:.1} % right",
        100.0 * CORRUPTION,
        demo.uncleaned
    ));
    let rows: Vec<Vec<String>> = demo
        .runs
        .iter()
        .filter_map(|(name, records)| {
            let (first, last) = (records.first()?, records.last()?);
            let metric = |key: &str| short(last.metric(key).unwrap_or(f64::NAN));
            Some(vec![
                name.clone(),
                format!("{} → {}", short(first.upper), short(last.upper)),
                metric("test_accuracy"),
                metric("cleaner_f1"),
                last.gradients.to_string(),
                last.hvps.to_string(),
                time(last.seconds),
                autodiff::bytes::human_bytes(last.peak_bytes),
            ])
        })
        .collect();
    debug_assert_eq!(rows.len(), FAMILIES.len());
    let columns = [
        "method",
        "validation loss",
        "test accuracy %",
        "cleaner F1",
        "gradients",
        "HVPs",
        "time",
        "peak",
    ];
    say(&table(&columns, &rows));
}
