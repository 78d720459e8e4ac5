//! One name, and what is read of it.

use std::fmt;
use std::sync::Arc;

use autodiff::unroll::Memory;

use crate::method::Constraint;
use crate::sampling::{DrawRule, Sampling};

use super::Settings;

/// A name with one line on what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The name; what is to be put in its place is in capitals.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
}

/// What methods have in common where a problem has defaults for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// Steps of x along hypergradients.
    #[default]
    Descent,
    /// Descent in x and ascent on the lower level's penalty.
    Ascent,
    /// Many small steps of all variables.
    SmallSteps,
}

impl Family {
    /// What settings of its methods are unless given, where that is not what they are for all.
    pub fn defaults(self) -> Settings {
        match self {
            Family::Descent => Settings::NONE,
            Family::Ascent | Family::SmallSteps => Settings {
                iterations: Some(5000),
                report_every: Some(100),
                ..Settings::NONE
            },
        }
    }
}

/// What a method is to be made for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// Samples of the upper and the lower level, where they are means over samples.
    pub samples: Option<(usize, usize)>,
    /// Whether each sample has a lower level of its own.
    pub per_sample: bool,
    /// Where x may be.
    pub constraint: Constraint,
    /// The seed of what is drawn.
    pub seed: u64,
}

impl Place {
    /// Batches as the settings say, or of this size; whole objectives if neither is.
    pub fn sampling(&self, settings: &Settings, otherwise: Option<usize>) -> Sampling {
        let sampling = match settings.batch.or(otherwise) {
            Some(batch) => Sampling::new(self.seed).batches(batch, batch),
            None => Sampling::whole().seeded(self.seed),
        };
        match settings.blocks() {
            true => sampling.rule(DrawRule::Blocks),
            false => sampling,
        }
    }
}

/// A name as it was given, with the settings.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The whole name.
    pub name: &'a str,
    /// What was given in the place of the pattern's capitals.
    pub rest: &'a str,
    /// The settings.
    pub settings: &'a Settings,
    /// What a method is made for.
    pub place: &'a Place,
}

/// Makes what a name stands for, or says in one line why it cannot.
pub type Make<S> = dyn Fn(&Call<'_>) -> Result<Arc<S>, String>;

/// A method that descends along hypergradients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descent {
    /// What it is.
    pub about: &'static str,
    /// The keys of the settings that its hypergradients take.
    pub accepts: Vec<&'static str>,
}

/// What a name stands for: a [`LinearSolver`](crate::linear::LinearSolver), a
/// [`Strategy`](crate::Strategy), ….
pub struct Entry<S: ?Sized> {
    /// The name: `itd`, `bda-constant:ALPHA` with capitals for what is to be given, or
    /// `aid-neumann[:K]` where it may be left out.
    pub pattern: &'static str,
    /// What lists show of it.
    pub rows: Vec<Row>,
    /// The keys of the settings it takes.
    pub accepts: Vec<&'static str>,
    /// The method of the same name that descends along its hypergradients, where there is one.
    pub descent: Option<Descent>,
    /// Of a method, what it has in common with others.
    pub family: Family,
    /// The key of the setting that follows from the number of iterations unless it is given: such a
    /// run is the beginning of no longer one.
    pub over_the_run: Option<&'static str>,
    /// How it is made.
    pub make: Box<Make<S>>,
}

impl<S: ?Sized> fmt::Debug for Entry<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("pattern", &self.pattern)
            .field("accepts", &self.accepts)
            .finish_non_exhaustive()
    }
}

impl<S: ?Sized> Entry<S> {
    /// An entry of one row, which takes these settings.
    pub fn new(
        pattern: &'static str,
        about: &'static str,
        accepts: &[&'static str],
        make: impl Fn(&Call<'_>) -> Result<Arc<S>, String> + 'static,
    ) -> Self {
        let name = pattern.split('[').next().unwrap_or_default();
        Entry {
            pattern,
            rows: vec![Row { name, about }],
            accepts: accepts.to_vec(),
            descent: None,
            family: Family::default(),
            over_the_run: None,
            make: Box::new(make),
        }
    }

    /// Lists the entry as these names.
    #[must_use]
    pub fn shown(mut self, rows: &[Row]) -> Self {
        self.rows = rows.to_vec();
        self
    }

    /// Puts the entry into this family.
    #[must_use]
    pub fn of(mut self, family: Family) -> Self {
        self.family = family;
        self
    }

    /// Says that the setting of this key follows from the number of iterations unless it is given.
    #[must_use]
    pub fn over_the_run(mut self, key: &'static str) -> Self {
        self.over_the_run = Some(key);
        self
    }

    /// Adds a method of this name, whose hypergradients take the same settings.
    #[must_use]
    pub fn descent(self, about: &'static str) -> Self {
        let accepts = self.accepts.clone();
        self.descent_with(about, &accepts)
    }

    /// Adds a method of this name, whose hypergradients take these settings.
    #[must_use]
    pub fn descent_with(mut self, about: &'static str, accepts: &[&'static str]) -> Self {
        let accepts = accepts.to_vec();
        self.descent = Some(Descent { about, accepts });
        self
    }

    /// What `name` gives in the place of the pattern's capitals, if it is of this pattern.
    pub fn rest<'n>(&self, name: &'n str) -> Option<&'n str> {
        if let Some((stem, _)) = self.pattern.split_once('[') {
            let rest = name.strip_prefix(stem)?;
            return match rest.is_empty() {
                true => Some(rest),
                false => rest.strip_prefix(':').filter(|rest| !rest.is_empty()),
            };
        }
        match self.pattern.find(char::is_uppercase) {
            Some(at) => name.strip_prefix(&self.pattern[..at]),
            None => (name == self.pattern).then_some(""),
        }
    }

    /// What it stands for under `name`, which gives `rest` in the place of capitals; of those
    /// settings that it takes.
    ///
    /// # Errors
    /// If what is given fits nothing: one line.
    pub fn make(
        &self,
        name: &str,
        rest: &str,
        settings: &Settings,
        place: &Place,
    ) -> Result<Arc<S>, String> {
        let defaults = self.family.defaults();
        let settings = &settings.clone().or(defaults).only(&self.accepts);
        (self.make)(&Call {
            name,
            rest,
            settings,
            place,
        })
    }

    /// What stands for `name` among `entries`, and what it gives in the place of capitals.
    pub fn find(entries: Vec<Self>, name: &str) -> Option<(Self, &str)> {
        let mut entries = entries.into_iter();
        entries.find_map(|entry| {
            let rest = entry.rest(name)?;
            Some((entry, rest))
        })
    }

    /// What is called `name` among `entries`, made of those settings that it takes.
    ///
    /// # Errors
    /// If there is none, or what is given fits nothing: one line.
    pub(super) fn named(
        kind: &str,
        entries: impl Fn() -> Vec<Self>,
        name: &str,
        settings: &Settings,
        place: &Place,
    ) -> Result<Arc<S>, String> {
        match Self::find(entries(), name) {
            Some((entry, rest)) => entry.make(name, rest, settings, place),
            None => {
                let rows: Vec<Row> = entries().into_iter().flat_map(|e| e.rows).collect();
                Err(unknown(kind, name, &rows))
            }
        }
    }
}

impl Call<'_> {
    /// The whole number in the place of capitals, if it is there.
    ///
    /// # Errors
    /// If what is there is none: one line.
    pub fn count(&self) -> Result<Option<usize>, String> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let stem = self.name.split(':').next().unwrap_or_default();
        self.rest.parse().map(Some).map_err(|_| {
            let name = self.name;
            format!("strategy `{name}`: expected a whole number after the colon, as in {stem}:10")
        })
    }

    /// The numbers in the place of the capitals of `pattern`.
    ///
    /// # Errors
    /// If there are others: one line.
    pub fn numbers<const N: usize>(&self, pattern: &str) -> Result<[f64; N], String> {
        let numbers: Option<Vec<f64>> = self.rest.split(':').map(|n| n.parse().ok()).collect();
        let numbers = numbers.and_then(|n| n.try_into().ok());
        numbers.ok_or_else(|| {
            let name = self.name;
            format!("strategy `{name}`: expected {pattern} with a number for each word in capitals")
        })
    }
}

/// The kinds of memory policy.
const MEMORY: [&str; 8] = [
    "taped",
    "stored",
    "checkpointed",
    "online",
    "disk",
    "truncated",
    "reversible",
    "forward",
];

impl Call<'_> {
    /// The memory policy in the place of capitals.
    ///
    /// # Errors
    /// If what is there is none: one line.
    pub fn memory(&self) -> Result<Memory, String> {
        self.rest.parse().map_err(|e| {
            let kind = self.rest.split(':').next().unwrap_or_default();
            let hint = nearest(kind, MEMORY.iter().copied()).filter(|near| *near != kind);
            let hint = hint.map_or(String::new(), |near| format!(", did you mean `{near}`?"));
            format!("strategy `{}`: {e}{hint}", self.name)
        })
    }
}

/// The candidate that a name is a slip of, in either case, if there is one.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let near = known
        .map(|candidate| (strsim::damerau_levenshtein(&name, candidate), candidate))
        .min()?;
    (near.0 <= near.1.len().div_ceil(3).max(2)).then_some(near.1)
}

/// The message for a name that no list has, with the nearest one that it has.
pub fn unknown(kind: &str, name: &str, known: &[Row]) -> String {
    let names: Vec<&str> = known.iter().map(|row| row.name).collect();
    let hint = match nearest(name, names.iter().copied()) {
        Some(candidate) => format!("did you mean `{candidate}`? "),
        None => String::new(),
    };
    format!(
        "unknown {kind} `{name}`: {hint}expected one of {}",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(pattern: &'static str) -> Entry<str> {
        Entry::new(pattern, "", &[], |_| Ok("".into()))
    }

    #[test]
    fn a_pattern_is_read() {
        let rest = |pattern, name| entry(pattern).rest(name);
        assert_eq!(rest("itd", "itd"), Some(""));
        assert_eq!(rest("itd", "itd-taped"), None);
        assert_eq!(rest("itd-MEMORY", "itd-taped"), Some("taped"));
        assert_eq!(
            rest("bda-geometric:A:DECAY", "bda-geometric:1:2"),
            Some("1:2")
        );
        assert_eq!(rest("aid-neumann[:K]", "aid-neumann"), Some(""));
        assert_eq!(rest("aid-neumann[:K]", "aid-neumann:3"), Some("3"));
        assert_eq!(rest("aid-neumann[:K]", "aid-neumann:"), None);
        assert_eq!(rest("aid-neumann[:K]", "aid-neumannn"), None);
        assert_eq!(entry("aid-neumann[:K]").rows[0].name, "aid-neumann");
    }

    #[test]
    fn a_slip_is_answered_with_the_nearest_name() {
        let known = ["logistic", "ridge"].map(|name| Row { name, about: "" });
        for name in ["logistc", "LOGISTIC"] {
            assert!(unknown("problem", name, &known).contains("did you mean `logistic`?"));
        }
        assert!(!unknown("problem", "zzzzzzzzzzz", &known).contains("did you mean"));
    }
}
