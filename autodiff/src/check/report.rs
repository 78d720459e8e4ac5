//! What a check found, as a value and as a table.

use std::fmt;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::trial::{PERTURBATION, Rung, Trial, Verdict};

/// Mismatches that a table shows one by one.
const SHOWN: usize = 12;

/// What a check found: every comparison, a verdict, and a table for reading.
///
/// See [`Check`](super::Check) for how one is made.
#[derive(Clone, Debug)]
#[must_use = "a report says whether the derivatives are right"]
pub struct Report {
    pub(super) subject: String,
    pub(super) seed: u64,
    pub(super) trials: Vec<Trial>,
    /// Whether nothing was meant to be decided.
    pub(super) excused: bool,
}

/// The checks that are of a derivative itself.
const DERIVATIVES: [&str; 2] = ["gradient", "product"];

impl Report {
    /// What was checked.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The seed of the directions and of the sample of entries.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The same report under another name.
    pub fn named(self, subject: impl Into<String>) -> Self {
        Report {
            subject: subject.into(),
            ..self
        }
    }

    /// The same report, what is unchecked being so for this reason: it neither passes nor is
    /// undecided.
    pub fn because(mut self, reason: &str) -> Self {
        for trial in &mut self.trials {
            if let Verdict::Unchecked(why) = &mut trial.verdict {
                reason.clone_into(why);
            }
        }
        self.excused()
    }

    /// The same report, no failure where it decides nothing: it is not
    /// [undecided](Report::is_undecided) then, and has not passed either.
    pub fn excused(self) -> Self {
        Report {
            excused: true,
            ..self
        }
    }

    /// Every comparison, the tightest rung first.
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// Whether something of each derivative was decided and there is no mismatch.
    pub fn passed(&self) -> bool {
        let some = self.trials.iter().any(|t| t.verdict == Verdict::Pass);
        some && self.undecided().is_empty() && self.mismatches().next().is_none()
    }

    /// The derivatives of which no comparison told right from wrong: at a kink, where rounding
    /// hides what is looked for, or where the function is not finite. Another point may tell.
    ///
    /// ```
    /// use autodiff::check::Check;
    ///
    /// let at = |x: f64| Check::new().gradient(|x| x[0].abs(), |x| vec![x[0].signum()], &[x]);
    /// assert!(at(0.5).passed());
    /// let report = at(0.0);
    /// assert!(!report.passed() && report.mismatches().next().is_none());
    /// assert_eq!(report.undecided(), ["gradient"]);
    /// ```
    pub fn undecided(&self) -> Vec<&'static str> {
        let open = |check: &&str| {
            let mut own = self.trials.iter().filter(|t| t.check == *check).peekable();
            own.peek().is_some() && !own.any(|t| t.verdict.is_decided())
        };
        DERIVATIVES.into_iter().filter(open).collect()
    }

    /// Whether the report neither passed nor found a mismatch, though it was meant to decide.
    pub fn is_undecided(&self) -> bool {
        !self.excused && !self.passed() && self.mismatches().next().is_none()
    }

    /// The comparisons that failed.
    pub fn mismatches(&self) -> impl Iterator<Item = &Trial> {
        let failed = |t: &&Trial| t.verdict == Verdict::Mismatch;
        self.trials.iter().filter(failed)
    }

    /// The share of the comparisons that say nothing, from 0 to 1.
    pub fn unchecked_share(&self) -> f64 {
        let unchecked = |t: &&Trial| !t.verdict.is_decided();
        self.trials.iter().filter(unchecked).count() as f64 / self.trials.len().max(1) as f64
    }

    /// The comparisons in groups of one check, rung and verdict, each with the one that stands for
    /// it: the nearest to a mismatch, and every mismatch by itself.
    pub fn rows(&self) -> Vec<Row<'_>> {
        let mut rows: Vec<Row<'_>> = Vec::new();
        for trial in &self.trials {
            let alike = |row: &&mut Row<'_>| {
                let (a, b) = (row.trial, trial);
                (a.check, a.rung) == (b.check, b.rung)
                    && a.verdict != Verdict::Mismatch
                    && a.verdict.name() == b.verdict.name()
            };
            match rows.iter_mut().find(alike) {
                Some(row) => {
                    row.count += 1;
                    if trial.ratio() > row.trial.ratio() {
                        row.trial = trial;
                    }
                }
                None => rows.push(Row { trial, count: 1 }),
            }
        }
        rows
    }

    /// The negative control: the comparisons of one entry of each derivative, drawn by the seed,
    /// with that entry off by a relative [`PERTURBATION`]. They must fail.
    ///
    /// Only comparisons entry by entry can be held to it; a report without any has no power.
    pub fn control(&self) -> Control {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut checks: Vec<&'static str> = Vec::new();
        for trial in &self.trials {
            if !checks.contains(&trial.check) {
                checks.push(trial.check);
            }
        }
        let mut trials = Vec::new();
        for check in checks {
            let can = |t: &&Trial| t.check == check && t.place.entry.is_some() && t.got != 0.0;
            let places: Vec<&Trial> = self.trials.iter().filter(can).collect();
            if places.is_empty() {
                continue;
            }
            let drawn = places[rng.random_range(0..places.len())];
            let (at, sign) = (&drawn.place, if rng.random() { 1.0 } else { -1.0 });
            let there = places
                .iter()
                .filter(|t| (t.place.entry, t.place.direction) == (at.entry, at.direction));
            trials.extend(there.map(|t| t.perturbed(sign * PERTURBATION)));
        }
        Control { trials }
    }
}

/// Comparisons of one check, rung and verdict.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The one that stands for them.
    pub trial: &'a Trial,
    /// How many there are.
    pub count: usize,
}

/// A check against derivatives that are wrong on purpose; see [`Report::control`].
#[derive(Clone, Debug)]
#[must_use = "a control says whether the check could have failed"]
pub struct Control {
    trials: Vec<Trial>,
}

impl Control {
    /// The comparisons with the perturbed derivatives.
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// Whether every perturbed derivative was found out by at least one rung.
    pub fn has_power(&self) -> bool {
        !self.trials.is_empty() && self.powerless().is_empty()
    }

    /// The checks whose perturbed entry nobody found wrong.
    pub fn powerless(&self) -> Vec<&'static str> {
        let mut checks: Vec<&'static str> = self.trials.iter().map(|t| t.check).collect();
        checks.dedup();
        let found = |check: &str| {
            let failed = |t: &Trial| t.check == check && t.verdict == Verdict::Mismatch;
            self.trials.iter().any(failed)
        };
        checks.retain(|check| !found(check));
        checks
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.trials.is_empty() {
            return write!(f, "control: no entry to perturb: the check has no power");
        }
        for (i, t) in self.trials.iter().enumerate() {
            let says = match &t.verdict {
                Verdict::Mismatch => "found out".to_owned(),
                Verdict::Pass => "no power there".to_owned(),
                Verdict::Kink(reason) | Verdict::Unchecked(reason) => {
                    format!("no power there: {reason}")
                }
            };
            let newline = if i == 0 { "" } else { "\n" };
            write!(
                f,
                "{newline}control: {} by {} off by {PERTURBATION:e} at {}: {says}",
                t.check, t.rung, t.place
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = [
            "check", "mode", "verdict", "number", "expected", "got", "ratio", "where",
        ];
        let (mut lines, mut shown, mut hidden) = (vec![head.map(str::to_owned)], 0, 0);
        for Row { trial: t, count } in self.rows() {
            if t.verdict == Verdict::Mismatch {
                shown += 1;
                if shown > SHOWN {
                    hidden += 1;
                    continue;
                }
            }
            let place = match t.verdict.reason() {
                Some(reason) => format!("{}: {reason}", t.place),
                None => t.place.to_string(),
            };
            let size = |v: f64| format!("{v:.3e}");
            let exact = |v: f64| {
                if t.rung == Rung::Taylor {
                    format!("{v:.2}")
                } else if t.verdict == Verdict::Mismatch {
                    format!("{v:.12e}")
                } else {
                    size(v)
                }
            };
            lines.push([
                t.check.to_owned(),
                t.rung.to_string(),
                t.verdict.name().to_owned(),
                count.to_string(),
                exact(t.expected),
                exact(t.got),
                format!("{:.2e}", t.ratio()),
                place.trim_start_matches(": ").to_owned(),
            ]);
        }
        writeln!(f, "{} (seed {})", self.subject, self.seed)?;
        let width = |k: usize| {
            lines
                .iter()
                .map(|l| l[k].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        for line in &lines {
            let mut text = String::from(" ");
            for (k, cell) in line.iter().enumerate() {
                let w = widths[k];
                text += &match k {
                    3..=6 => format!(" {cell:>w$} "),
                    _ => format!(" {cell:<w$} "),
                };
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        if hidden > 0 {
            writeln!(f, "  and {hidden} more mismatches")?;
        }
        let mismatches = self.mismatches().count();
        write!(
            f,
            "  {}: {} comparisons, {mismatches} mismatches, {:.0} % unchecked",
            if mismatches > 0 {
                "mismatch"
            } else if self.passed() {
                "pass"
            } else if self.is_undecided() {
                "undecided"
            } else {
                "unchecked"
            },
            self.trials.len(),
            100.0 * self.unchecked_share()
        )?;
        if self.is_undecided() && !self.undecided().is_empty() {
            let which = self.undecided().join(" and the ");
            let kink = |t: &Trial| matches!(t.verdict, Verdict::Kink(_));
            let remedy = match self.trials.iter().any(kink) {
                true => "take another point",
                false => "take another point, or more digits",
            };
            write!(
                f,
                "\n  nothing tells a right {which} from a wrong one here: {remedy}"
            )?;
        }
        Ok(())
    }
}
