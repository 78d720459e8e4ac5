//! What the pages of several commands have.

use study::Page;

use super::args::Common;

/// A page with nothing on it but how its numbers were made.
pub(super) fn page(title: impl Into<String>, common: &Common, embedded: bool) -> Page {
    Page {
        notices: notices(embedded),
        ..Page::new(title).subtitle(provenance(common))
    }
}

/// A line on how the numbers were made.
pub(super) fn provenance(common: &Common) -> String {
    format!(
        "bilevel {}, seed {}, {}, {} threads on {} {}",
        env!("CARGO_PKG_VERSION"),
        common.seed,
        common.dtype.name(),
        rayon::current_num_threads(),
        std::env::consts::ARCH,
        std::env::consts::OS,
    )
}

/// The notices of the embedded data, without their markup, if it was used.
pub(super) fn notices(embedded: bool) -> Vec<String> {
    if !embedded {
        return Vec::new();
    }
    let entries = models::data::DIGITS_NOTICE.lines();
    let entries = entries.filter_map(|line| line.strip_prefix("* "));
    entries.map(|entry| entry.replace('`', "")).collect()
}
