//! `bilevel demo`.

use std::path::{Path, PathBuf};

use autodiff::Real;
use study::Page;
use study::columns::{Column, table};
use study::compare;
use study::format::{dash, short};

use super::args::Common;
use super::demo_page::{self, RunOf, ends_of_runs};
use super::failure::Failure;
use super::out_folder;
use super::output::{bar, line, say, write_lines, write_page};
use crate::runs::demo::Demo;

pub(super) fn run<T: Real>(common: &Common) -> Result<(), Failure> {
    let dir = common.out.clone().unwrap_or_else(|| PathBuf::from("."));
    out_folder::for_pages(&dir, common)?;
    let progress = bar(crate::runs::demo::STAGES);
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
    let page = demo_page::page(&demo, common);
    if !common.json {
        say("");
        for claim in &page.claims {
            let mark = if claim.holds { "holds" } else { "FAILS" };
            say(&format!("[{mark}] {} ({})", claim.text, claim.value));
        }
    }
    finish(&demo, &page, &dir, common)
}

fn finish(demo: &Demo, page: &Page, dir: &Path, common: &Common) -> Result<(), Failure> {
    let path = write_page(page, dir)?;
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
        say(&compare::table(records));
    }
    say("\nA lower level with many solutions (bda-counterexample): the best has x = 1");
    say(&table("", &demo_page::ends(), &demo.counterexample));
    say(&format!(
        "\nHyper-cleaning: 900 digits, {:.0} % mislabelled, 60 clean ones to judge by; uncleaned {:.1} % right",
        100.0 * models::CORRUPTION,
        demo.uncleaned
    ));
    let loss = |r: &RunOf| {
        let ends = r.1.first().zip(r.1.last());
        ends.map_or(dash(), |(a, b)| {
            format!("{} → {}", short(a.upper), short(b.upper))
        })
    };
    let columns = ends_of_runs(Column::words("validation loss", loss));
    say(&table("", &columns, &demo.runs));
}
