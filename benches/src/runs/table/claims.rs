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
    /// Whether the mean of the differences is two standard errors above 0.
    pub holds: bool,
}

/// That each method is more accurate than each baseline; none where accuracies were not measured, or with
/// a single seed.
pub fn claims(records: &[Record]) -> Vec<Claimed> {
    let names = |kind| {
        let mut names: Vec<&str> = Vec::new();
        for record in records.iter().filter(|r| r.kind == kind) {
            if !names.contains(&&*record.method) {
                names.push(&record.method);
            }
        }
        names
    };
    let mut all = Vec::new();
    for method in names(Kind::Method) {
        for baseline in names(Kind::Baseline) {
            all.extend(claim(records, method, baseline));
        }
    }
    all
}

fn claim(records: &[Record], method: &str, baseline: &str) -> Option<Claimed> {
    let of = |name: &str, seed: u64| {
        let mut own = records
            .iter()
            .filter(|r| r.method == name && r.seed == seed);
        own.find(|r| r.success)?.values.get(ACCURACY)?.as_f64()
    };
    let seeds = records
        .iter()
        .filter(|r| r.method == method)
        .map(|r| r.seed);
    let gains = seeds.filter_map(|seed| Some(of(method, seed)? - of(baseline, seed)?));
    let gains: Vec<f64> = gains.collect();
    if gains.len() < 2 {
        return None;
    }
    let Spread { mean, error, .. } = Spread::of(&gains);
    let better = gains.iter().filter(|gain| **gain > 0.0).count();
    Some(Claimed {
        text: format!("{method} is right more often than {baseline} on test samples"),
        value: format!(
            "by {mean:.2} ± {error:.2} points (standard error), on {better} of {} seeds",
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
        let made = claims(&records);
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
        assert!(claims(&records[..4]).is_empty());
    }
}
