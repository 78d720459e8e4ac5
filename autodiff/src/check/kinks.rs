//! What comparisons say at a kink, where a derivative is a convention.

use super::trial::{Operation, Rung, Trial, Verdict};
use crate::kinks::Kink;

const CONVENTION: &str = "both ways take a convention there";

/// Whether a comparison is of two ways through the program, which go by conventions at a kink: one
/// that agrees tells nothing, nor does a complex step that goes by another.
fn is_conventional(trial: &Trial) -> bool {
    match trial.rung {
        Rung::CrossMode => trial.verdict == Verdict::Pass,
        Rung::ComplexStep => trial.verdict.is_decided(),
        Rung::Identities | Rung::Differences | Rung::Taylor => false,
    }
}

/// Takes back what was decided of the entries that differences found at a kink.
pub(super) fn settle(trials: &mut [Trial]) {
    let found = trials
        .iter()
        .filter(|t| matches!(t.verdict, Verdict::Kink(_)));
    let kinks: Vec<_> = found
        .map(|t| (t.check, t.place.entry, t.place.direction))
        .collect();
    for trial in trials.iter_mut().filter(|t| is_conventional(t)) {
        let at = |(check, entry, direction): &(&str, Option<(usize, usize)>, Option<usize>)| {
            // Where the first derivative jumps, the second is a convention, too.
            let same = *check == trial.check && *direction == trial.place.direction;
            entry.is_some() && *entry == trial.place.entry && (same || *check == "gradient")
        };
        if kinks.iter().any(at) {
            trial.verdict = Verdict::Kink(CONVENTION.into());
        }
    }
}

/// Names the operation behind what is at a kink. Without `differences` nothing tells which entries
/// are: then none of the derivatives that the program's kinks may be part of is decided.
pub(super) fn name(trials: &mut [Trial], kinks: &[Kink], differences: bool) {
    for (check, order) in [("gradient", 1), ("product", 2)] {
        let Some(kink) = kinks.iter().find(|k| k.order <= order) else {
            continue;
        };
        for trial in trials.iter_mut().filter(|t| t.check == check) {
            if !differences && is_conventional(trial) {
                trial.verdict = Verdict::Kink(CONVENTION.into());
            }
            if matches!(trial.verdict, Verdict::Kink(_)) {
                trial.place.operation = Some(Operation {
                    name: kink.operation.clone(),
                    position: kink.position,
                    site: kink.site.clone(),
                });
            }
        }
    }
}
