//! The settings of runs: in files as they are given, in records as they are used.

use std::fmt;
use std::sync::LazyLock;

use models::catalogue::{Defaults, find};
use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use solvers::catalogue::{Family, Kind, SETTINGS, Setting, Settings, Value};

use super::methods;
use super::reading::GivenReading;

/// Settings as they are given, by arguments or a file: of the data, and of the method.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// How the data is read.
    pub reading: GivenReading,
    /// The method's.
    pub settings: Settings,
}

impl Given {
    /// These settings where given, else those of `other`.
    #[must_use]
    pub fn or(self, other: Given) -> Given {
        Given {
            reading: self.reading.or(other.reading),
            settings: self.settings.or(other.settings),
        }
    }
}

/// The settings of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct SolveSettings {
    /// How the data is read.
    pub reading: GivenReading,
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
            reading: GivenReading::default(),
            method: given.or(default).only(&keys),
            seed: 0,
        }
    }
}

/// The defaults of a problem for methods of a family.
fn for_family(own: Defaults, family: Family) -> Settings {
    Settings {
        optimiser: own.optimiser,
        rate: match family {
            Family::Ascent => own.ascent_rate,
            Family::Descent | Family::SmallSteps => own.rate,
        },
        iterations: own.iterations.filter(|_| family == Family::Descent),
        depth: own.depth,
        step: own.lower_step.filter(|_| family == Family::Descent),
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
static KEYS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let keys = GivenReading::KEYS.into_iter();
    keys.chain(of_methods().map(|s| s.key)).collect()
});

/// Keys and values, as in files.
struct Pairs<'a>(&'a Settings);

impl Serialize for SolveSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct All<'a> {
            #[serde(flatten)]
            reading: GivenReading,
            #[serde(flatten)]
            method: Pairs<'a>,
            seed: u64,
        }
        let all = All {
            reading: self.reading,
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
            reading: GivenReading,
            #[serde(flatten)]
            method: Pairs<'a>,
        }
        let all = All {
            reading: self.reading,
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
            let value = OfSetting(setting).deserialize(value);
            if let Some(value) = value.map_err(Error::custom)? {
                method.set(setting.key, value);
            }
        }
        let seed = all.get("seed").and_then(serde_json::Value::as_u64);
        let reading = GivenReading::deserialize(serde_json::Value::Object(all));
        Ok(SolveSettings {
            reading: reading.map_err(Error::custom)?,
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
                let reading = &mut given.reading;
                while let Some(key) = map.next_key_seed(Key)? {
                    match key {
                        "header" => reading.header = map.next_value()?,
                        "first_index" => reading.first_index = map.next_value()?,
                        "format" => reading.format = map.next_value()?,
                        "keep_index" => reading.keep_index = map.next_value()?,
                        "standardise" => reading.standardise = map.next_value()?,
                        key => {
                            let setting = SETTINGS.iter().find(|s| s.key == key);
                            let setting = setting.expect("a key of a file");
                            if let Some(value) = map.next_value_seed(OfSetting(setting))? {
                                given.settings.set(key, value);
                            }
                        }
                    }
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
        known.ok_or_else(|| Error::unknown_field(&text, &KEYS))
    }
}

/// The value of a setting.
struct OfSetting(&'static Setting);

impl<'de> DeserializeSeed<'de> for OfSetting {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let Setting { key, kind, .. } = self.0;
        let wrong = |reason: String| Error::custom(format!("{key} {reason}"));
        let value = match kind {
            Kind::Count => Option::deserialize(deserializer)?.map(Value::Count),
            Kind::Positive | Kind::FromZero => {
                Option::deserialize(deserializer)?.map(Value::Number)
            }
            Kind::YesNo | Kind::Flag => Option::deserialize(deserializer)?.map(Value::YesNo),
            Kind::Outer | Kind::Inner => {
                let text: Option<String> = Option::deserialize(deserializer)?;
                text.map(|text| kind.read(&text))
                    .transpose()
                    .map_err(wrong)?
            }
        };
        value.map(|v| kind.check(v)).transpose().map_err(wrong)
    }
}
