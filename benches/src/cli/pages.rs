//! What the pages of several commands have.

use autodiff::Real;
use models::Task;
use study::Page;

use super::args::Common;

/// A page with nothing on it but how its numbers were made.
pub(super) fn page(title: impl Into<String>, common: &Common, embedded: bool) -> Page {
    let (dtype, threads) = (common.dtype.name(), rayon::current_num_threads());
    let threads = match threads {
        1 => "1 thread".into(),
        n => format!("{n} threads"),
    };
    Page {
        notices: notices(embedded),
        ..Page::new(title).subtitle(format!("seed {}, {dtype}, {threads}", common.seed))
    }
}

/// The part that the problem was given, and how the user's data was read, as lines of a page.
pub(super) fn data<T: Real>(page: Page, task: &Task<T>) -> Page {
    let page = match task.part {
        Some(part) => page.fact("Beside g", part.to_string()),
        None => page,
    };
    match &task.read {
        Some(read) => page.fact("Data", read.to_string()),
        None => page,
    }
}

/// The notices of the embedded data, without their markup, if it was used.
fn notices(embedded: bool) -> Vec<String> {
    if !embedded {
        return Vec::new();
    }
    let entries = models::data::DIGITS_NOTICE.lines();
    let entries = entries.filter_map(|line| line.strip_prefix("* "));
    entries.map(|entry| entry.replace('`', "")).collect()
}
