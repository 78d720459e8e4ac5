//! Sweeps: many configurations of `solve`, each with several seeds, from one file.

mod summary;

pub use summary::{Summary, Traced, summarise};

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Deserialize;
use solvers::catalogue::Setting;
use toml::{Spanned, Table, Value};

use crate::catalogue::methods;
use crate::catalogue::settings::{self, Given, KEYS, SolveSettings, of_methods};
use crate::catalogue::settings_text;

/// More runs than that are a slip.
const MOST_RUNS: usize = 100_000;

/// What a file asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    /// The seeds that every configuration runs with.
    pub seeds: Vec<u64>,
    /// What every configuration has unless it says otherwise.
    pub base: Table,
    /// The configurations, in the file's order.
    pub configurations: Vec<Configuration>,
}

/// One configuration of `solve`.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// What tells it from the others, such as `method=itd,rate=0.1`: the name of its folder too.
    pub name: String,
    /// What it has beside the base or in its place, each key with its value as text.
    pub differs: Vec<(String, String)>,
    /// The problem's name.
    pub problem: String,
    /// The method's name.
    pub method: String,
    /// Its data file.
    pub data: Option<PathBuf>,
    /// Whether there is a bias for each class.
    pub bias: bool,
    /// Whether it is the larger setting.
    pub large: bool,
    /// The settings that are given.
    pub settings: Table,
}

/// The file as it stands.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    seeds: Option<Vec<u64>>,
    #[serde(default)]
    base: Placed,
    #[serde(default)]
    grid: Placed,
    #[serde(default, rename = "run")]
    runs: Vec<Placed>,
}

/// A table whose values know where they stand.
type Placed = BTreeMap<String, Spanned<Value>>;

/// The same without the places.
fn plain(table: &Placed) -> Table {
    let values = table.iter();
    values
        .map(|(key, value)| (key.clone(), value.get_ref().clone()))
        .collect()
}

impl File {
    /// Looks at every key and value by itself.
    fn check(&self, text: &str) -> Result<(), String> {
        let at = |value: &Spanned<Value>, reason: String| {
            settings_text::located(text, value.span().start, &reason)
        };
        for (key, value) in self.base.iter().chain(self.runs.iter().flatten()) {
            check(key, value.get_ref()).map_err(|reason| at(value, reason))?;
        }
        for (key, values) in &self.grid {
            let listed = match values.get_ref() {
                Value::Array(listed) if !listed.is_empty() => listed,
                _ => return Err(at(values, format!("grid.{key}: expected a list of values"))),
            };
            for value in listed {
                check(key, value).map_err(|reason| at(values, reason))?;
            }
        }
        Ok(())
    }
}

/// Looks whether a configuration may have this value for a key.
fn check(key: &str, value: &Value) -> Result<(), String> {
    match (key, value) {
        ("problem" | "method" | "data", Value::String(_)) => Ok(()),
        ("problem" | "method" | "data", _) => {
            Err(format!("{key} {value}: expected a text in quotes"))
        }
        ("bias" | "large", Value::Boolean(_)) => Ok(()),
        ("bias" | "large", _) => Err(format!("{key} {value}: expected true or false")),
        _ if KEYS.contains(&key) => settings::check(key, value),
        ("seed", _) => Err("unknown key `seed`: expected `seeds = [0, 1]` above all tables".into()),
        _ => {
            let known: Vec<&str> = NAMED.iter().chain(KEYS.iter()).copied().collect();
            Err(settings_text::unknown_key(key, &known))
        }
    }
}

/// Keys of a configuration that are no settings.
#[derive(Deserialize)]
struct Named {
    problem: Option<String>,
    method: Option<String>,
    data: Option<PathBuf>,
    #[serde(default)]
    bias: bool,
    #[serde(default)]
    large: bool,
}

const NAMED: [&str; 5] = ["problem", "method", "data", "bias", "large"];

impl Sweep {
    /// Reads the text of a file: `seeds`, a table `base` that every configuration has, a table
    /// `grid` of lists of which every combination is one, and tables `run` that are one each.
    ///
    /// # Errors
    /// In one line, with what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = settings_text::parse(text)?;
        file.check(text)?;
        let base = plain(&file.base);
        let seeds = file.seeds.unwrap_or_else(|| vec![0]);
        let distinct: BTreeSet<u64> = seeds.iter().copied().collect();
        if seeds.is_empty() || distinct.len() < seeds.len() {
            return Err("seeds: expected at least one, each once".into());
        }
        let mut overlays = if file.grid.is_empty() {
            Vec::new()
        } else {
            combinations(&plain(&file.grid))?
        };
        overlays.extend(file.runs.iter().map(plain));
        if overlays.is_empty() {
            overlays.push(Table::new());
        }
        if overlays.len().saturating_mul(seeds.len()) > MOST_RUNS {
            return Err(format!("more than {MOST_RUNS} runs: expected fewer"));
        }
        let mut names = BTreeSet::new();
        let mut configurations = Vec::new();
        for overlay in overlays {
            let name = name_of(&overlay);
            let configuration = configuration(&name, &base, overlay)
                .map_err(|reason| format!("configuration `{name}`: {reason}"))?;
            if !names.insert(name.clone()) {
                return Err(format!(
                    "configuration `{name}` stands twice: expected each once"
                ));
            }
            configurations.push(configuration);
        }
        for setting in of_methods().filter(|s| file.base.contains_key(s.key)) {
            let key = setting.key;
            if !configurations.iter().any(|c| c.settings.contains_key(key)) {
                return Err(format!(
                    "base.{key}: no method of a configuration has such a setting, or a use for it: \
                     expected none"
                ));
            }
        }
        Ok(Sweep {
            seeds,
            base,
            configurations,
        })
    }
}

/// Every combination of the lists of a grid, the last key's values next to each other.
fn combinations(grid: &Table) -> Result<Vec<Table>, String> {
    let mut all = vec![Table::new()];
    for (key, values) in grid {
        let values = match values {
            Value::Array(values) => values,
            _ => unreachable!("a list was looked for"),
        };
        if all.len().saturating_mul(values.len()) > MOST_RUNS {
            return Err(format!("grid: more than {MOST_RUNS} runs: expected fewer"));
        }
        let with = |table: &Table| -> Vec<Table> {
            let one = |value: &Value| {
                let mut table = table.clone();
                table.insert(key.clone(), value.clone());
                table
            };
            values.iter().map(one).collect()
        };
        all = all.iter().flat_map(with).collect();
    }
    Ok(all)
}

/// Every key of a table with its value as text.
pub fn texts(table: &Table) -> impl Iterator<Item = (String, String)> {
    table.iter().map(|(key, value)| match value {
        Value::String(text) => (key.clone(), text.clone()),
        value => (key.clone(), value.to_string()),
    })
}

/// What tells a configuration from the others, as the name of a folder.
fn name_of(overlay: &Table) -> String {
    let parts = texts(overlay).map(|(key, value)| format!("{key}={value}"));
    let name = parts.collect::<Vec<_>>().join(",");
    let kept = |c: char| match c {
        c if c.is_ascii_alphanumeric() || "=,.+-_:".contains(c) => c,
        _ => '_',
    };
    match name.chars().map(kept).collect::<String>() {
        name if name.is_empty() => "base".into(),
        name => name,
    }
}

fn configuration(name: &str, base: &Table, overlay: Table) -> Result<Configuration, String> {
    let mut settings = base.clone();
    settings.extend(overlay.clone());
    let mut named = Table::new();
    for key in NAMED {
        if let Some(value) = settings.remove(key) {
            named.insert(key.into(), value);
        }
    }
    let words = |e: toml::de::Error| e.message().to_owned();
    let named: Named = Value::Table(named).try_into().map_err(words)?;
    if let Some(method) = named.method.as_deref().and_then(methods::find) {
        // What is for all configurations is of use to those alone that take it.
        let of_base = |s: &&Setting| !overlay.contains_key(s.key);
        let foreign = of_methods().filter(|s| !method.accepts.contains(&s.key));
        foreign
            .filter(of_base)
            .for_each(|s| drop(settings.remove(s.key)));
        let given: Given = Value::Table(settings.clone()).try_into().map_err(words)?;
        let name = named.method.as_deref().unwrap_or_default();
        let key = |s: &Setting| s.key.to_owned();
        methods::refuse_foreign(name, &given.settings, key)?;
        let problem = named.problem.as_deref().unwrap_or_default();
        let all = SolveSettings::of(problem, name, given.settings.clone()).method;
        for idle in methods::idle(name, &all) {
            if overlay.contains_key(idle) {
                methods::refuse_idle(name, &given.settings.only(&[idle]), &all, key)?;
            }
            settings.remove(idle);
        }
    }
    let missing = |key: &str| format!("no `{key}`: expected one, here or in `base`");
    Ok(Configuration {
        name: name.to_owned(),
        differs: texts(&overlay).collect(),
        problem: named.problem.ok_or_else(|| missing("problem"))?,
        method: named.method.ok_or_else(|| missing("method"))?,
        data: named.data,
        bias: named.bias,
        large: named.large,
        settings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        seeds = [3, 1]
        [base]
        problem = "ridge"
        iterations = 5
        [grid]
        method = ["itd", "aid-cg"]
        rate = [0.1, 0.05]
        [[run]]
        method = "gda"
        iterations = 7
        data = "a b/c.npz"
    "#;

    #[test]
    fn a_grid_and_a_list_over_a_base() {
        let sweep = Sweep::parse(FILE).expect("a sweep");
        assert_eq!(sweep.seeds, [3, 1]);
        assert_eq!(sweep.base["iterations"].as_integer(), Some(5));
        let names: Vec<&str> = sweep.configurations.iter().map(|c| &*c.name).collect();
        assert_eq!(
            names,
            [
                "method=itd,rate=0.1",
                "method=itd,rate=0.05",
                "method=aid-cg,rate=0.1",
                "method=aid-cg,rate=0.05",
                "data=a_b_c.npz,iterations=7,method=gda",
            ]
        );
        let [first, .., last] = &sweep.configurations[..] else {
            panic!("five")
        };
        assert_eq!((&*first.problem, &*first.method), ("ridge", "itd"));
        let differs = [("method", "itd"), ("rate", "0.1")];
        assert_eq!(
            first.differs,
            differs.map(|(k, v)| (k.to_owned(), v.to_owned()))
        );
        assert_eq!(first.settings["rate"].as_float(), Some(0.1));
        assert_eq!(first.settings["iterations"].as_integer(), Some(5));
        assert_eq!(last.settings["iterations"].as_integer(), Some(7));
        assert_eq!(last.data.as_deref(), Some("a b/c.npz".as_ref()));
    }

    #[test]
    fn slips_are_answered_in_a_line() {
        let says = |text: &str, want: &str| {
            let complaint = Sweep::parse(text).expect_err(want);
            assert!(complaint.contains(want), "{complaint}");
            assert_eq!(complaint.lines().count(), 1);
        };
        says(
            "sedes = [1]",
            "line 1, `sedes = [1]`: unknown key `sedes`: did you mean `seeds`?",
        );
        says("seeds = []", "at least one");
        says("seeds = [1, 1]", "each once");
        says("[grid]\nrate = 0.1", "grid.rate: expected a list");
        says("[base]\nmethod = \"itd\"", "no `problem`");
        says(
            "[base]\nproblem = \"ridge\"\nmethod = \"itd\"\nrat = 1",
            "line 4, `rat = 1`: unknown key `rat`: did you mean `rate`?",
        );
        says(
            "[base]\nproblem = \"ridge\"\n[[run]]\nmethod = \"itd\"\n[[run]]\nmethod = \"itd\"",
            "stands twice",
        );
        let many = (1..=400)
            .map(|i| i.to_string())
            .collect::<Vec<_>>()
            .join(",");
        says(
            &format!("[grid]\nbatch = [{many}]\ndepth = [{many}]"),
            "more than 100000 runs",
        );
    }
}
