//! Settings as files: read by `--config`, printed by `--show-config`.

use std::path::Path;

use clap::{Args, Command};

use super::failure::Failure;
use crate::catalogue::reading::GivenReading;
use crate::catalogue::settings::{GivenSettings, SolveSettings};
use crate::catalogue::settings_text;

/// Reads a file of settings.
pub(super) fn read_config(file: &Path) -> Result<GivenSettings, Failure> {
    let name = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|e| Failure::Input(format!("{name}: cannot be read: {e}")))?;
    settings_text::parse(&text).map_err(|e| Failure::Input(format!("{name}: {e}")))
}

/// The keys of a file of settings, with what they mean.
fn keys() -> Vec<(String, String)> {
    let command = GivenSettings::augment_args(Command::new("settings"));
    let command = GivenReading::augment_args(command);
    let arguments = command.get_arguments().map(|argument| {
        let help = argument.get_help().map(ToString::to_string);
        (argument.get_id().to_string(), help.unwrap_or_default())
    });
    arguments.collect()
}

/// A file that gives all settings what they are, those that are absent in comments.
pub(super) fn config_text(problem: &str, method: &str, settings: &SolveSettings) -> String {
    let table = toml::Table::try_from(settings).expect("settings are plain data");
    let mut text = format!("# Settings of `bilevel solve --problem {problem} --method {method}`\n");
    for (key, help) in keys() {
        let help = help.replace('\n', " ");
        text.push_str(&format!("\n# {help}\n"));
        match table.get(&key) {
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
    fn what_is_shown_is_what_is_read() {
        for (problem, method) in [("hyper-cleaning", "itd"), ("scalar", "isgd")] {
            let settings = SolveSettings::of(problem, method, GivenSettings::default());
            let text = config_text(problem, method, &settings);
            let given: GivenSettings = toml::from_str(&text).expect("a file of settings");
            assert_eq!(SolveSettings::of("sine-product", "bda", given), settings);
            // Every setting is there, given or not, but the seed, which is no key of a file.
            let all = serde_json::to_value(settings).expect("plain data");
            for key in all.as_object().expect("an object").keys() {
                assert_eq!(text.contains(&format!("{key} = ")), key != "seed", "{key}");
            }
        }
    }
}
