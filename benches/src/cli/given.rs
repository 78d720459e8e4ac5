//! Settings as arguments: one for each line of the table of settings.

use std::marker::PhantomData;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use solvers::catalogue::{
    Kind, OuterRule, SETTINGS, Setting, Settings, Value, methods, strategies,
};

/// Which settings there are.
pub(super) trait Takers {
    /// The names that take settings, and which.
    fn takers() -> Vec<(&'static str, Vec<&'static str>)>;

    /// Whether a setting that is not given is what the table says, whatever the problem.
    const DEFAULTS: bool;
}

/// Those of methods.
#[derive(Clone, Copy, Debug)]
pub(super) struct Methods;
/// Those of strategies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strategies;
/// Those of unrolled loops.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loops;

impl Takers for Methods {
    fn takers() -> Vec<(&'static str, Vec<&'static str>)> {
        let methods = methods::<f64>().into_iter();
        methods.map(|m| (m.rows[0].name, m.accepts)).collect()
    }

    const DEFAULTS: bool = false;
}

impl Takers for Strategies {
    fn takers() -> Vec<(&'static str, Vec<&'static str>)> {
        let strategies = strategies::<f64>().into_iter();
        strategies.map(|s| (s.rows[0].name, s.accepts)).collect()
    }

    const DEFAULTS: bool = true;
}

impl Takers for Loops {
    fn takers() -> Vec<(&'static str, Vec<&'static str>)> {
        vec![("itd", vec!["step", "inner"])]
    }

    const DEFAULTS: bool = true;
}

/// The settings that were given.
#[derive(Clone, Debug)]
pub(super) struct Given<K> {
    pub(super) settings: Settings,
    of: PhantomData<K>,
}

/// A setting as it is written on the command line.
pub(super) fn dashed(setting: &Setting) -> String {
    format!("--{}", setting.flag())
}

/// The settings that somebody takes, each with what help says of it.
fn taken<K: Takers>() -> impl Iterator<Item = (&'static Setting, String)> {
    let takers = K::takers();
    SETTINGS.iter().filter_map(move |setting| {
        let takes = |keys: &[&str]| keys.contains(&setting.key);
        let names = |wanted: bool| -> Vec<String> {
            let of = takers.iter().filter(|(_, keys)| takes(keys) == wanted);
            of.map(|(name, _)| format!("`{name}`")).collect()
        };
        let (with, without) = (names(true), names(false));
        let mut help = setting.help.to_owned();
        if let (true, Some(value)) = (K::DEFAULTS, Settings::DEFAULT.get(setting.key)) {
            match value {
                Value::Count(n) => help += &format!(" [default: {n}]"),
                Value::Inner(step) => help += &format!(" [default: {step}]"),
                _ => {}
            }
        }
        match (with.len(), without.len()) {
            (0, _) => return None,
            (_, 0) => {}
            (n, m) if m < n => help += &format!(" (not of {})", without.join(", ")),
            _ => help += &format!(" (of {})", with.join(", ")),
        }
        Some((setting, help))
    })
}

impl<K: Takers> Args for Given<K> {
    fn augment_args(command: Command) -> Command {
        command.args(taken::<K>().map(|(setting, help)| {
            let arg = Arg::new(setting.key).long(setting.flag()).help(help);
            match setting.kind {
                Kind::Flag => arg.action(ArgAction::SetTrue),
                Kind::YesNo => arg
                    .value_name(setting.value)
                    .value_parser(["true", "false"]),
                Kind::Outer => arg
                    .value_name(setting.value)
                    .value_parser(PossibleValuesParser::new(OuterRule::ALL.map(|(n, _)| n))),
                kind => arg
                    .value_name(setting.value)
                    .value_parser(move |text: &str| kind.read(text))
                    .allow_negative_numbers(true),
            }
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<K: Takers> FromArgMatches for Given<K> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Given {
            settings: Settings::NONE,
            of: PhantomData,
        };
        given.update_from_arg_matches(matches)?;
        Ok(given)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for (setting, _) in taken::<K>() {
            let value = match setting.kind {
                Kind::Flag => matches.get_flag(setting.key).then_some(Value::YesNo(true)),
                Kind::YesNo | Kind::Outer => {
                    let text = matches.get_one::<String>(setting.key);
                    text.map(|text| setting.kind.read(text).expect("one of those that may be"))
                }
                _ => matches.get_one::<Value>(setting.key).cloned(),
            };
            if let Some(value) = value {
                self.settings.set(setting.key, value);
            }
        }
        Ok(())
    }
}
