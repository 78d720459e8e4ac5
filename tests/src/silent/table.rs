//! The table of a campaign: family × strategy.

use std::collections::BTreeMap;
use std::fmt;

use solvers::arbitrary::unkind::{Family, Verdict};

use super::{Look, Outcome};

/// How many estimates came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Right, and nothing says otherwise.
    pub right: u64,
    /// A failure or a warning in its place.
    pub told: u64,
    /// A failure or a warning beside a right estimate.
    pub false_alarms: u64,
    /// Wrong, under a success without a warning.
    pub silent: u64,
    /// No estimate at all.
    pub panics: u64,
}

impl Count {
    fn add(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Judged(Verdict::Right) => &mut self.right,
            Outcome::Judged(Verdict::Told) => &mut self.told,
            Outcome::Judged(Verdict::FalseAlarm) => &mut self.false_alarms,
            Outcome::Judged(Verdict::Silent) => &mut self.silent,
            Outcome::Panic => &mut self.panics,
        } += 1;
    }

    /// All of them.
    pub fn all(&self) -> u64 {
        self.right + self.told + self.false_alarms + self.silent + self.panics
    }
}

/// A kind of outcome: family, form, strategy and what the estimate said.
type Kind = (&'static str, &'static str, &'static str, String);

/// What a campaign saw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// By family and kind of strategy.
    pub counts: BTreeMap<(Family, &'static str), Count>,
    /// All together.
    pub total: Count,
    /// The silent ones and the panics, in their order.
    pub bad: Vec<Look>,
    /// How often each kind of silent estimate occurred, and the first of it.
    pub silent: BTreeMap<Kind, (u64, u64)>,
    /// How often each kind of false alarm did, and the first of it.
    pub false_alarms: BTreeMap<Kind, (u64, u64)>,
}

/// The most false alarms, as a part of all estimates.
const FALSE_ALARMS: f64 = 0.02;

impl Table {
    /// Counts one estimate more.
    pub fn add(&mut self, seen: Look) {
        let place = (seen.family, seen.kind);
        self.counts.entry(place).or_default().add(seen.outcome);
        self.total.add(seen.outcome);
        let kind = (seen.family.name(), seen.form, seen.kind, seen.said.clone());
        let kinds = match seen.outcome {
            Outcome::Judged(Verdict::FalseAlarm) => Some(&mut self.false_alarms),
            Outcome::Judged(Verdict::Silent) => Some(&mut self.silent),
            _ => None,
        };
        if let Some(kinds) = kinds {
            kinds.entry(kind).or_insert((0, seen.number)).0 += 1;
        }
        if seen.is_bad() {
            self.bad.push(seen);
        }
    }

    /// Whether nothing was silent, nothing panicked, and false alarms are few.
    pub fn holds(&self) -> bool {
        let few = self.total.false_alarms as f64 <= FALSE_ALARMS * self.total.all() as f64;
        self.total.silent == 0 && self.total.panics == 0 && few
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<12}{:<18}{:>9}{:>9}{:>13}{:>9}{:>8}",
            "family", "strategy", "right", "told", "false alarm", "silent", "panic"
        )?;
        for ((family, strategy), count) in &self.counts {
            row(f, family.name(), strategy, count)?;
        }
        row(f, "all", "", &self.total)?;
        kinds(f, "false alarms", &self.false_alarms)?;
        kinds(f, "silent", &self.silent)?;
        if !self.bad.is_empty() {
            writeln!(f, "\nsilent or without an estimate, the smallest first")?;
        }
        let mut bad: Vec<&Look> = self.bad.iter().collect();
        bad.sort_by_key(|look| (look.size, look.number));
        for look in bad {
            write!(f, "{look}")?;
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, family: &str, strategy: &str, c: &Count) -> fmt::Result {
    writeln!(
        f,
        "{family:<12}{strategy:<18}{:>9}{:>9}{:>13}{:>9}{:>8}",
        c.right, c.told, c.false_alarms, c.silent, c.panics
    )
}

/// The kinds, the most frequent first.
fn kinds(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    kinds: &BTreeMap<Kind, (u64, u64)>,
) -> fmt::Result {
    if kinds.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{title} by kind: count, first number, kind")?;
    let mut sorted: Vec<_> = kinds.iter().collect();
    sorted.sort_by_key(|(_, (count, first))| (u64::MAX - count, *first));
    for ((family, form, strategy, said), (count, first)) in sorted {
        writeln!(
            f,
            "{count:>8} {first:>8}  {family}, {form}, {strategy}: {said}"
        )?;
    }
    Ok(())
}
