//! What a table claims, and whether it held: each method against each baseline, seed by seed.

use super::{Kind, Record};
use crate::runs::spread::Spread;

/// What is compared.
const ACCURACY: &str = "test_accuracy";

/// A claim with what was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// The claim.
    pub text: String,
    /// What was measured of it.
    pub value: String,
    /// Whether it held; of differences over seeds, whether their mean is two standard errors above 0.
    pub holds: bool,
}

/// A column of a row, which is a case and a method, over the seeds that ended well.
pub(super) fn over_seeds(
    records: &[Record],
    (case, method): (&str, &str),
    column: &str,
) -> Vec<(u64, f64)> {
    let of_row = |r: &&Record| r.case == case && r.method == method && r.success;
    let value = |r: &Record| Some((r.seed, r.values.get(column)?.as_f64()?));
    records.iter().filter(of_row).filter_map(value).collect()
}

/// A method's column less another's, seed by seed.
pub(super) fn differences(
    records: &[Record],
    case: &str,
    [method, other]: [&str; 2],
    column: &str,
) -> Vec<f64> {
    let others = over_seeds(records, (case, other), column);
    let of_seed = |seed| others.iter().find(|o| o.0 == seed);
    let own = over_seeds(records, (case, method), column).into_iter();
    own.filter_map(|(seed, value)| Some(value - of_seed(seed)?.1))
        .collect()
}

/// The names of the rows of a kind, in their order.
pub(super) fn methods(records: &[Record], kind: Kind) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for record in records.iter().filter(|r| r.kind == kind) {
        if !names.contains(&&*record.method) {
            names.push(&record.method);
        }
    }
    names
}

/// The cases, in their order.
pub(super) fn cases(records: &[Record]) -> Vec<&str> {
    let mut cases: Vec<&str> = Vec::new();
    for record in records {
        if !cases.contains(&&*record.case) {
            cases.push(&record.case);
        }
    }
    cases
}

/// That each method is more accurate than each baseline; none where accuracies were not measured, or with
/// a single seed.
pub(super) fn of_accuracy(records: &[Record]) -> Vec<Claimed> {
    let mut all = Vec::new();
    for method in methods(records, Kind::Method) {
        for baseline in methods(records, Kind::Baseline) {
            let gains = differences(records, "", [method, baseline], ACCURACY);
            all.extend(above_0(
                format!("{method} is right more often than {baseline} on test samples"),
                &gains,
                "points",
            ));
        }
    }
    all
}

/// A claim that gains, seed by seed, are above 0 in their mean; none with a single seed.
pub(super) fn above_0(text: String, gains: &[f64], unit: &str) -> Option<Claimed> {
    if gains.len() < 2 {
        return None;
    }
    let Spread { mean, error, .. } = Spread::of(gains);
    let better = gains.iter().filter(|gain| **gain > 0.0).count();
    // Two digits of the error.
    let digits = (1.0 - error.log10().floor()).clamp(0.0, 9.0) as usize;
    Some(Claimed {
        text,
        value: format!(
            "by {mean:.digits$} ± {error:.digits$} {unit} (standard error), on {better} of {} seeds",
            gains.len()
        ),
        holds: mean > 2.0 * error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::table::values;

    fn record(method: &str, kind: Kind, seed: u64, accuracy: f64) -> Record {
        Record {
            task: "t",
            case: String::new(),
            method: method.into(),
            kind,
            values: values([(ACCURACY, accuracy)]),
            seed,
            status: "measured".into(),
            message: String::new(),
            success: true,
        }
    }

    #[test]
    fn a_claim_holds_where_the_differences_are_beyond_their_error() {
        let mut records = Vec::new();
        for seed in 0..4 {
            // Seeds differ by more than methods do.
            let level = 70.0 + 5.0 * seed as f64;
            records.push(record("b", Kind::Baseline, seed, level));
            records.push(record("best", Kind::Bound, seed, 100.0));
            let odd = if seed % 2 == 0 { 0.5 } else { -0.5 };
            records.push(record("better", Kind::Method, seed, level + 2.0 + odd));
            records.push(record("level", Kind::Method, seed, level + odd));
        }
        let made = of_accuracy(&records);
        let of = |k: usize| (&*made[k].text, made[k].holds);
        assert_eq!(made.len(), 2);
        assert_eq!(
            of(0),
            ("better is right more often than b on test samples", true)
        );
        assert_eq!(
            of(1),
            ("level is right more often than b on test samples", false)
        );
        assert_eq!(
            made[0].value,
            "by 2.00 ± 0.29 points (standard error), on 4 of 4 seeds"
        );
        assert!(of_accuracy(&records[..4]).is_empty());
    }
}
