//! Settings as files: read by `--config`, printed by `--show-config`.

use std::path::Path;

use clap::{Args, Command};
use study::format::dash;
use study::report::{Section, Table};

use super::failure::Failure;
use super::given::{Given, Methods};
use crate::catalogue::methods;
use crate::catalogue::reading::GivenProblem;
use crate::catalogue::settings::{self, SolveSettings};
use crate::catalogue::settings_text;

/// Reads a file of settings.
pub(super) fn read_config(file: &Path) -> Result<settings::Given, Failure> {
    let name = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|e| Failure::Input(format!("{name}: cannot be read: {e}")))?;
    settings_text::parse(&text).map_err(|e| Failure::Input(format!("{name}: {e}")))
}

/// The keys of a file of settings for a method, with what they mean.
fn keys(method: &str) -> Vec<(String, String)> {
    let command = GivenProblem::augment_args(Command::new("settings"));
    let command = Given::<Methods>::augment_args(command);
    let taken = methods::find(method).map_or(Vec::new(), |m| m.accepts);
    let taken = |key: &str| GivenProblem::KEYS.contains(&key) || taken.contains(&key);
    let arguments = command.get_arguments();
    let arguments = arguments.filter(|argument| taken(argument.get_id().as_str()));
    let keys = arguments.map(|argument| {
        let help = argument.get_help().map(ToString::to_string);
        (argument.get_id().to_string(), help.unwrap_or_default())
    });
    keys.collect()
}

/// The settings of a method as a section of a page.
pub(super) fn settings_section(method: &str, settings: &SolveSettings) -> Section {
    let table = toml::Table::try_from(settings).expect("settings are plain data");
    let value = |key: &str| match table.get(key) {
        Some(toml::Value::String(text)) => Some(text.clone()),
        value => value.map(ToString::to_string),
    };
    // What is of the problem says nothing where it was not asked for.
    let said = |key: &&str| value(key).is_some() || !GivenProblem::KEYS.contains(key);
    let keys = keys(method);
    let keys = keys.iter().map(|(key, _)| key.as_str()).filter(said);
    let row = |key: &str| vec![key.into(), value(key).unwrap_or_else(dash).into()];
    Section {
        title: "Settings".into(),
        text: "A dash stands for what was not given: the method finds it, or does without.".into(),
        tables: vec![Table {
            caption: format!("Settings of {method}"),
            columns: vec!["setting".into(), "value".into()],
            rows: keys.map(row).collect(),
            ..Table::default()
        }],
        plots: Vec::new(),
    }
}

/// A file that gives the settings of a method what they are, those that are absent in comments.
pub(super) fn config_text(problem: &str, method: &str, settings: &SolveSettings) -> String {
    let table = toml::Table::try_from(settings).expect("settings are plain data");
    let mut text = format!("# Settings of `bilevel solve --problem {problem} --method {method}`\n");
    let idle = methods::idle(method, &settings.method);
    for (key, help) in keys(method) {
        let help = help.replace('\n', " ");
        text.push_str(&format!("\n# {help}\n"));
        match table.get(&key).filter(|_| !idle.contains(&&*key)) {
            Some(value) => text.push_str(&format!("{key} = {value}\n")),
            None => text.push_str(&format!("# {key} = (not given)\n")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_what_is_read_and_what_the_method_takes() {
        for method in solvers::catalogue::methods::<f64>() {
            let name = method.rows[0].name;
            let settings = SolveSettings::of("hyper-cleaning", name, Default::default());
            let text = config_text("hyper-cleaning", name, &settings);
            let given: settings::Given = toml::from_str(&text).expect("a file of settings");
            let idle = methods::idle(name, &settings.method);
            let mut taken = method.accepts.clone();
            taken.retain(|key| !idle.contains(key));
            assert_eq!(given.settings, settings.method.only(&taken), "{name}");
            let shown = |key: &str| text.contains(&format!("\n{key} = "));
            let absent = |key: &str| text.contains(&format!("\n# {key} = (not given)"));
            for setting in settings::of_methods() {
                let there = shown(setting.key) || absent(setting.key);
                assert_eq!(
                    there,
                    method.accepts.contains(&setting.key),
                    "{name}: {text}"
                );
            }
        }
    }
}
