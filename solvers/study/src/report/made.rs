//! How a page was made.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// The name under which a page shows the command.
pub(super) const COMMAND: &str = "Command";

/// The command, the date, the version and the machine of a page. Nothing of it names a person or a
/// host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The command line, as a shell takes it, by the program's name alone.
    pub command: String,
    /// The day and the time in UTC.
    pub date: String,
    /// The version of these crates.
    pub version: String,
    /// Processor, cores, instruction set, system.
    pub machine: String,
}

impl Made {
    /// By this process, now and here. The time is that of `SOURCE_DATE_EPOCH`, in seconds since 1970,
    /// if the environment has it: then a page can be made again to the byte.
    pub fn here() -> Self {
        let fixed = std::env::var("SOURCE_DATE_EPOCH").ok();
        let fixed = fixed.and_then(|seconds| seconds.parse().ok());
        let at = fixed.map_or_else(SystemTime::now, |seconds| {
            SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
        });
        Made {
            command: command(std::env::args_os().map(|a| a.to_string_lossy().into_owned())),
            date: date(at),
            version: format!("bilevel {}", env!("CARGO_PKG_VERSION")),
            machine: machine(),
        }
    }

    /// Each part with its name.
    pub(super) fn facts(&self) -> [(&str, &str); 4] {
        [
            (COMMAND, &self.command),
            ("Made", &self.date),
            ("Version", &self.version),
            ("Machine", &self.machine),
        ]
    }
}

/// The words of a command line, quoted where a shell would read them otherwise.
fn command(mut words: impl Iterator<Item = String>) -> String {
    let program = words.next().unwrap_or_default();
    let name = std::path::Path::new(&program).file_stem();
    let name = name.map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let plain = |c: char| c.is_alphanumeric() || "-_=./,:+%@".contains(c);
    let quoted = |word: String| match !word.is_empty() && word.chars().all(plain) {
        true => word,
        false => format!("'{}'", word.replace('\'', "'\\''")),
    };
    let words = std::iter::once(name).chain(words);
    words.map(quoted).collect::<Vec<_>>().join(" ")
}

/// A time as `2026-01-31 23:59 UTC`.
fn date(at: SystemTime) -> String {
    let whole = humantime::format_rfc3339_seconds(at).to_string();
    match (whole.get(..10), whole.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute} UTC"),
        _ => whole,
    }
}

/// Processor, cores, instruction set, system, as far as they can be told.
fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| Some(line.split_once(':')?.1.trim()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut parts: Vec<String> = model.map(str::to_owned).into_iter().collect();
    parts.push(match cores {
        1 => "1 core".into(),
        n => format!("{n} cores"),
    });
    let mut set = std::env::consts::ARCH.to_owned();
    for name in vectors() {
        set = format!("{set} {name}");
    }
    parts.push(set);
    parts.push(std::env::consts::OS.into());
    parts.join(", ")
}

/// The vector instructions that this processor has and that the kernels may use.
fn vectors() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    let found = [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let found = [("neon", cfg!(target_feature = "neon"))];
    let found = found.into_iter().filter(|(_, has)| *has);
    found.map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        let words = [
            "/some/where/bilevel",
            "solve",
            "--data",
            "a b/it's.csv",
            "--rate=1e-3",
            "",
        ];
        assert_eq!(
            command(words.into_iter().map(str::to_owned)),
            "bilevel solve --data 'a b/it'\\''s.csv' --rate=1e-3 ''"
        );
    }

    #[test]
    fn dates_are_read_at_a_glance() {
        let at = |seconds| date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01 00:00 UTC");
        assert_eq!(at(1_709_208_060), "2024-02-29 12:01 UTC");
    }

    #[test]
    fn all_that_is_told_of_here_is_there() {
        for (name, text) in Made::here().facts() {
            assert!(!text.trim().is_empty(), "{name}");
        }
        assert!(machine().contains("core") && machine().contains(std::env::consts::ARCH));
    }
}
