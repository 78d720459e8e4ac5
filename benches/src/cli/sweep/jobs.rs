//! The runs of a sweep, in their order, and the parts that they are dealt into.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::runs::sweep::{Configuration, Sweep};

/// A run of a configuration with a seed.
pub(super) struct Job<'s> {
    pub(super) configuration: usize,
    pub(super) of: &'s Configuration,
    pub(super) seed: u64,
    pub(super) dir: PathBuf,
}

impl<'s> Job<'s> {
    /// All runs, seed by seed, so that every configuration has something to show early.
    pub(super) fn all(sweep: &'s Sweep, dir: &Path) -> Vec<Self> {
        let of_seed = |seed: &u64| {
            let seed = *seed;
            let configurations = sweep.configurations.iter().enumerate();
            configurations.map(move |(configuration, of)| Job {
                configuration,
                of,
                seed,
                dir: dir.join(&of.name).join(format!("seed-{seed}")),
            })
        };
        sweep.seeds.iter().flat_map(of_seed).collect()
    }

    /// Where its messages go.
    pub(super) fn messages(&self) -> PathBuf {
        self.dir.join("stderr.txt")
    }

    /// The folder of its configuration.
    pub(super) fn of_configuration(&self) -> &Path {
        self.dir
            .parent()
            .expect("a folder in that of a configuration")
    }
}

/// How a run came out.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    Done,
    /// A numerical failure, which its records report.
    Failed(String),
    /// It could not be run to its end.
    Refused(String),
    /// It is not at its end yet.
    Missing(String),
}

/// Every `of`-th run from number `k` on: a part of a sweep that needs to know of no other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::cli) struct Shard {
    pub(super) k: usize,
    pub(super) of: usize,
}

impl Shard {
    pub(super) fn has(self, run: usize) -> bool {
        run % self.of == self.k
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/');
        let parts = parts.and_then(|(k, of)| Some((k.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((k, of)) if k < of => Ok(Shard { k, of }),
            Some((_, of)) if of > 0 => Err(format!(
                "{text}: expected K/{of} with K from 0 to {}",
                of - 1
            )),
            _ => Err(format!("{text}: expected K/N, such as 0/16 to 15/16")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_share_all_runs_out() {
        let read = |text: &str| text.parse::<Shard>();
        for of in [1, 3, 16] {
            let shards = (0..of).map(|k| read(&format!("{k}/{of}")).expect("a shard"));
            let shards: Vec<Shard> = shards.collect();
            let owners = |run: usize| shards.iter().filter(|s| s.has(run)).count();
            assert!((0..40).all(|run| owners(run) == 1));
        }
        for text in ["4/4", "7/4", "0/0", "1", "a/4", "-1/4", "1/4/2", ""] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read("4/4").unwrap_err().contains("K from 0 to 3"));
    }
}
