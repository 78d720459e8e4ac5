//! Races: the methods of a file of [`sweep`](crate::runs::sweep) on one problem.

mod kept;

use serde::Deserialize;
use toml::Value;

use crate::catalogue::methods;
use crate::catalogue::settings::{Given, SolveSettings};
use crate::runs::sweep::{Configuration, Sweep};

pub use kept::{KEPT, Kept, KeptError, Origin};

/// The races that are at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Track {
    /// Simulated quadratics at the sizes of the bilevel benchmark.
    Quadratics,
    /// A weight decay for each feature of logistic regression.
    Regularisation,
    /// Weights of samples with wrong labels.
    Cleaning,
}

impl Track {
    /// Its file.
    pub fn text(self) -> &'static str {
        match self {
            Track::Quadratics => include_str!("quadratics.toml"),
            Track::Regularisation => include_str!("regularisation.toml"),
            Track::Cleaning => include_str!("cleaning.toml"),
        }
    }
}

/// What a file of methods asks for: one problem, and who races on it.
#[derive(Clone, Debug)]
pub struct Race {
    /// The seeds.
    pub seeds: Vec<u64>,
    /// The methods, with their settings.
    pub entrants: Vec<Entrant>,
}

/// A method in a race.
#[derive(Clone, Debug)]
pub struct Entrant {
    /// Its name in records: the method's, or that of its configuration where a method races twice.
    pub name: String,
    /// Problem, method and settings.
    pub of: Configuration,
    /// The settings that were given.
    pub given: Given,
}

impl Race {
    /// Reads the text of a file, which has the form of a [`Sweep`].
    ///
    /// # Errors
    /// In one line: what [`Sweep::parse`] complains of, or that not all is on one problem.
    pub fn parse(text: &str) -> Result<Self, String> {
        let sweep = Sweep::parse(text)?;
        let first = &sweep.configurations[0];
        let track = |c: &Configuration| (c.problem.clone(), c.data.clone(), c.bias, c.large);
        let mut entrants = Vec::new();
        for of in &sweep.configurations {
            let name = &of.name;
            if track(of) != track(first) {
                return Err(format!(
                    "configuration `{name}`: a race is on one problem: expected `problem`, `data`, `bias` \
                     and `large` in `base` alone"
                ));
            }
            let given = Given::deserialize(Value::Table(of.settings.clone()));
            let given = given.map_err(|e| e.message().to_owned())?;
            let entry = methods::find(&of.method);
            let over = entry.and_then(|entry| entry.over_the_run);
            let missing = |key: &&str| {
                given.settings.get(key).is_none() && given.settings.iterations.is_none()
            };
            if let Some(key) = over.filter(missing) {
                return Err(format!(
                    "configuration `{name}`: `{key}` follows from the number of iterations, which a race \
                     does not know: expected `{key}` or `iterations`"
                ));
            }
            let same = sweep
                .configurations
                .iter()
                .filter(|c| c.method == of.method);
            entrants.push(Entrant {
                name: match same.count() {
                    1 => of.method.clone(),
                    _ => name.clone(),
                },
                of: of.clone(),
                given,
            });
        }
        let problem = entrants[0].given.problem;
        if let Some(other) = entrants.iter().find(|e| e.given.problem != problem) {
            let name = &other.of.name;
            return Err(format!(
                "configuration `{name}`: a race is on one problem: expected how data is read, and a part, in `base` alone"
            ));
        }
        Ok(Race {
            seeds: sweep.seeds,
            entrants,
        })
    }

    /// What the runs follow from, as far as the file says it: the problem, the seeds, the methods and the
    /// settings of each.
    pub fn origin(&self) -> Origin {
        let of = &self.entrants[0].of;
        let names: Vec<&str> = self.entrants.iter().map(|e| &*e.name).collect();
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        let mut origin = vec![
            ("problem".to_owned(), of.problem.clone()),
            ("bias".into(), of.bias.to_string()),
            ("large".into(), of.large.to_string()),
            ("seeds".into(), seeds.join(", ")),
            ("methods".into(), names.join(", ")),
        ];
        for entrant in &self.entrants {
            let Entrant { name, of, .. } = entrant;
            let settings = Value::Table(of.settings.clone());
            let settings = format!("`{}` {settings}", of.method);
            origin.push((format!("`{name}` as"), settings.replace('\n', " ")));
        }
        origin
    }
}

impl Entrant {
    /// All its settings for a run with this seed, which makes at most `iterations` unless the file says
    /// otherwise.
    pub fn settings(&self, seed: u64, iterations: usize, report_every: usize) -> SolveSettings {
        let mut given = self.given.settings.clone();
        given.iterations.get_or_insert(iterations);
        given.report_every.get_or_insert(report_every);
        SolveSettings {
            problem: self.given.problem,
            seed,
            ..SolveSettings::of(&self.of.problem, &self.of.method, given)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_track_is_a_race() {
        for track in Track::value_variants() {
            let race = Race::parse(track.text()).unwrap_or_else(|e| panic!("{track:?}: {e}"));
            assert!(
                race.seeds.len() >= 5 && race.entrants.len() >= 8,
                "{track:?}"
            );
        }
    }

    #[test]
    fn slips_are_answered_in_a_line() {
        let says = |text: &str, want: &str| {
            let complaint = Race::parse(text).expect_err(want);
            assert!(complaint.contains(want), "{complaint}");
            assert_eq!(complaint.lines().count(), 1);
        };
        says(
            "[base]\nmethod = \"saba\"\n[grid]\nproblem = [\"ridge\", \"logistic\"]",
            "a race is on one problem",
        );
        says(
            "[base]\nproblem = \"ridge\"\n[grid]\nmethod = [\"saba\", \"pbgd\"]",
            "expected `ramp` or `iterations`",
        );
        says(
            "[base]\nproblem = \"ridge\"\nrat = 1",
            "did you mean `rate`?",
        );
    }

    #[test]
    fn a_method_that_races_twice_has_the_names_of_its_configurations() {
        let race = Race::parse(
            "[base]\nproblem = \"ridge\"\n[grid]\nmethod = [\"saba\"]\nstep = [0.1, 0.2]\n\
             [[run]]\nmethod = \"soba\"",
        )
        .expect("a race");
        let names: Vec<&str> = race.entrants.iter().map(|e| &*e.name).collect();
        assert_eq!(
            names,
            ["method=saba,step=0.1", "method=saba,step=0.2", "soba"]
        );
        let settings = race.entrants[0].settings(3, 1000, 7).method;
        assert_eq!((settings.step, settings.iterations()), (Some(0.1), 1000));
        assert_eq!(settings.report_every(), 7);
    }
}
