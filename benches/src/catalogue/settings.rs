//! The settings of runs: in files as they are given, in records as they are used.

use std::fmt;
use std::sync::LazyLock;

use clap::ValueEnum;
use models::catalogue::{Defaults, find};
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use solvers::catalogue::{Family, Kind, SETTINGS, Setting, Settings, Value};

use super::reading::{DataFormat, GivenProblem, YesNo};
use super::{methods, settings_text};

/// Settings as they are given, by arguments or a file: of the problem, and of the method.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// The problem's.
    pub problem: GivenProblem,
    /// The method's.
    pub settings: Settings,
}

impl Given {
    /// These settings where given, else those of `other`.
    #[must_use]
    pub fn or(self, other: Given) -> Given {
        Given {
            problem: self.problem.or(other.problem),
            settings: self.settings.or(other.settings),
        }
    }
}

/// The settings of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct SolveSettings {
    /// The problem's.
    pub problem: GivenProblem,
    /// The method's, with those that are not given.
    pub method: Settings,
    /// Seed of the mini-batches.
    pub seed: u64,
}

impl SolveSettings {
    /// The settings for a problem and a method, where not given otherwise; from seed 0, and data
    /// that is read as it seems.
    pub fn of(problem: &str, method: &str, given: Settings) -> Self {
        let family = methods::find(method).map(|entry| entry.family);
        let own = find(problem).map_or(Defaults::NONE, |entry| entry.defaults);
        let family = family.unwrap_or_default();
        let default = for_family(own, family)
            .or(family.defaults())
            .or(Settings::DEFAULT);
        // Those of strategies alone stand in no file.
        let keys: Vec<&str> = of_methods().map(|s| s.key).collect();
        SolveSettings {
            problem: GivenProblem::default(),
            method: given.or(default).only(&keys),
            seed: 0,
        }
    }
}

/// The defaults of a problem for methods of a family.
fn for_family(own: Defaults, family: Family) -> Settings {
    Settings {
        // Its rates are for hypergradients.
        optimiser: own.optimiser.filter(|_| family != Family::SmallSteps),
        rate: match family {
            Family::Ascent => own.ascent_rate,
            Family::Descent => own.rate,
            Family::SmallSteps => own.small_rate.or(own.rate),
        },
        iterations: own.iterations.filter(|_| family == Family::Descent),
        depth: own.depth,
        step: match family {
            Family::Descent => own.lower_step,
            // Short enough for small batches.
            Family::SmallSteps => Some(own.inner_step),
            Family::Ascent => None,
        },
        ..Settings::NONE
    }
}

/// The settings that some method takes, in the order of files.
pub fn of_methods() -> impl Iterator<Item = &'static Setting> {
    let methods = solvers::catalogue::methods::<f64>();
    let taken = move |s: &&Setting| methods.iter().any(|m| m.accepts.contains(&s.key));
    SETTINGS.iter().filter(taken)
}

/// The keys of a file of settings.
pub(crate) static KEYS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let keys = GivenProblem::KEYS.into_iter();
    keys.chain(of_methods().map(|s| s.key)).collect()
});

/// Keys and values, as in files.
struct Pairs<'a>(&'a Settings);

impl Serialize for SolveSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct All<'a> {
            #[serde(flatten)]
            problem: GivenProblem,
            #[serde(flatten)]
            method: Pairs<'a>,
            seed: u64,
        }
        let all = All {
            problem: self.problem,
            method: Pairs(&self.method),
            seed: self.seed,
        };
        all.serialize(serializer)
    }
}

impl Serialize for Given {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct All<'a> {
            #[serde(flatten)]
            problem: GivenProblem,
            #[serde(flatten)]
            method: Pairs<'a>,
        }
        let all = All {
            problem: self.problem,
            method: Pairs(&self.settings),
        };
        all.serialize(serializer)
    }
}

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for setting in of_methods() {
            match self.0.get(setting.key) {
                None => map.serialize_entry(setting.key, &None::<()>)?,
                Some(Value::Count(n)) => map.serialize_entry(setting.key, &n)?,
                Some(Value::Number(v)) => map.serialize_entry(setting.key, &v)?,
                Some(Value::YesNo(b)) => map.serialize_entry(setting.key, &b)?,
                Some(Value::Outer(rule)) => map.serialize_entry(setting.key, rule.name())?,
                Some(Value::Inner(step)) => map.serialize_entry(setting.key, &step.to_string())?,
                Some(Value::Lower(rule)) => map.serialize_entry(setting.key, rule.name())?,
                Some(Value::Curvature(kind)) => {
                    map.serialize_entry(setting.key, &kind.to_string())?;
                }
            }
        }
        map.end()
    }
}

/// What a run was begun with: whatever is no longer a setting is passed over.
impl<'de> Deserialize<'de> for SolveSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let all = serde_json::Map::deserialize(deserializer)?;
        let mut method = Settings::NONE;
        for setting in SETTINGS {
            let value = all.get(setting.key).cloned().unwrap_or_default();
            let scalar = Option::<Scalar>::deserialize(value);
            if let Some(scalar) = scalar.map_err(Error::custom)? {
                let value = of_setting(setting, &scalar).map_err(Error::custom)?;
                method.set(setting.key, value);
            }
        }
        let seed = all.get("seed").and_then(serde_json::Value::as_u64);
        let problem = GivenProblem::deserialize(serde_json::Value::Object(all));
        Ok(SolveSettings {
            problem: problem.map_err(Error::custom)?,
            method,
            seed: seed.ok_or_else(|| Error::missing_field("seed"))?,
        })
    }
}

/// A file.
impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct File;

        impl<'de> Visitor<'de> for File {
            type Value = Given;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("settings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Given, A::Error> {
                let mut given = Given::default();
                while let Some(key) = map.next_key_seed(Key)? {
                    let given = &mut given;
                    map.next_value_seed(OfKey { given, key })?;
                }
                Ok(given)
            }
        }

        deserializer.deserialize_map(File)
    }
}

/// A key of a file.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'static str, D::Error> {
        let text = String::deserialize(deserializer)?;
        let known = KEYS.iter().find(|key| **key == text).copied();
        known.ok_or_else(|| Error::custom(settings_text::unknown_key(&text, &KEYS)))
    }
}

/// The value of a key of a file: read here, a complaint knows its line.
struct OfKey<'g> {
    given: &'g mut Given,
    key: &'static str,
}

impl<'de> DeserializeSeed<'de> for OfKey<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match Option::<Scalar>::deserialize(deserializer)? {
            Some(scalar) => self.given.set(self.key, &scalar).map_err(Error::custom),
            None => Ok(()),
        }
    }
}

/// The value of a setting, as it stands in a file.
#[derive(Clone, Debug, PartialEq)]
enum Scalar {
    YesNo(bool),
    /// A number as text: a whole one, or the shortest that is read as this one.
    Number(String),
    Text(String),
    /// What is no setting's value, in words.
    Other(&'static str),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::YesNo(b) => write!(f, "{b}"),
            Scalar::Number(number) => f.write_str(number),
            Scalar::Text(text) => write!(f, "{text:?}"),
            Scalar::Other(what) => f.write_str(what),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_bool<E>(self, b: bool) -> Result<Scalar, E> {
                Ok(Scalar::YesNo(b))
            }

            fn visit_i64<E>(self, n: i64) -> Result<Scalar, E> {
                Ok(Scalar::Number(n.to_string()))
            }

            fn visit_u64<E>(self, n: u64) -> Result<Scalar, E> {
                Ok(Scalar::Number(n.to_string()))
            }

            fn visit_f64<E>(self, v: f64) -> Result<Scalar, E> {
                Ok(Scalar::Number(v.to_string()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other("a list"))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Scalar, A::Error> {
                while table.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other("a table, or a date"))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

/// The value of a setting.
///
/// # Errors
/// With its key, what was found and what was expected.
fn of_setting(setting: &Setting, scalar: &Scalar) -> Result<Value, String> {
    let Setting { key, kind, .. } = setting;
    let read = match (kind, scalar) {
        // As many digits as are needed, whatever the text.
        (Kind::Outer | Kind::Inner | Kind::Lower | Kind::Curvature, Scalar::Text(text)) => {
            kind.read(text)
        }
        // Quotes are shown: without them it may well be right.
        (_, scalar) => kind.read(&scalar.to_string()),
    };
    read.map_err(|reason| format!("{key} {reason}"))
}

impl Given {
    /// Gives the setting of this key a value.
    ///
    /// # Errors
    /// With its key, what was found and what was expected.
    fn set(&mut self, key: &str, scalar: &Scalar) -> Result<(), String> {
        if let Some(setting) = SETTINGS.iter().find(|s| s.key == key) {
            self.settings.set(key, of_setting(setting, scalar)?);
            return Ok(());
        }
        let problem = &mut self.problem;
        let wrong = |expected: &str| format!("{key} {scalar}: expected {expected}");
        let yes_no = || match scalar {
            Scalar::YesNo(b) => Ok(Some(*b)),
            _ => Err(wrong("true or false")),
        };
        match (key, scalar) {
            ("header", Scalar::Text(text)) if text == "yes" => problem.header = Some(YesNo::Yes),
            ("header", Scalar::Text(text)) if text == "no" => problem.header = Some(YesNo::No),
            ("header", _) => return Err(wrong("\"yes\" or \"no\"")),
            ("first_index", Scalar::Number(text)) => {
                let index = text.parse().map_err(|_| wrong("0 or 1"))?;
                problem.first_index = Some(index);
            }
            ("first_index", _) => return Err(wrong("0 or 1")),
            ("format", Scalar::Text(text)) => {
                let format = DataFormat::from_str(text, false);
                problem.format = Some(format.map_err(|_| wrong(FORMATS))?);
            }
            ("format", _) => return Err(wrong(FORMATS)),
            ("keep_index", _) => problem.keep_index = yes_no()?,
            ("standardise", _) => problem.standardise = yes_no()?,
            ("part", Scalar::Text(text)) => {
                let part = text.parse().map_err(|reason| format!("{key} {reason}"))?;
                problem.part = Some(part);
            }
            ("part", _) => return Err(wrong("a name in quotes, such as \"box:0:1\"")),
            (key, _) => return Err(settings_text::unknown_key(key, &KEYS)),
        }
        Ok(())
    }
}

/// The formats of data as they are written in files.
const FORMATS: &str = "\"npz\", \"csv\" or \"libsvm\"";

/// Looks whether a key of a file of settings may have this value.
///
/// # Errors
/// With the key, what was found and what was expected.
pub(crate) fn check(key: &str, value: &toml::Value) -> Result<(), String> {
    let scalar = Scalar::deserialize(value.clone()).map_err(|e| e.message().to_owned())?;
    Given::default().set(key, &scalar)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a run is made with is in its record.
    #[test]
    fn lengths_that_a_problem_has_for_a_family_are_settings() {
        let of = |problem: &str, method: &str| {
            let all = SolveSettings::of(problem, method, Settings::NONE).method;
            (all.rate, all.step)
        };
        assert_eq!(of("quadratic", "soba"), (Some(0.005), Some(0.1)));
        assert_eq!(of("quadratic", "aid-cg"), (Some(0.1), None));
        assert_eq!(of("quadratic", "gda").1, None);
        assert_eq!(of("hyper-cleaning", "soba"), (Some(0.2), Some(0.05)));
    }
}
