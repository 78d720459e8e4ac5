//! What the parser of arguments has to say, in one line as all others.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use crate::catalogue::nearest;

/// What is wrong with arguments, and where help is.
pub(super) fn line(error: &clap::Error, program: &Command, arguments: &[OsString]) -> String {
    let slip = Slip {
        error,
        program,
        arguments,
    };
    let name = slip.command().map_or("", Command::get_name);
    let space = if name.is_empty() { "" } else { " " };
    format!("{} (see bilevel{space}{name} --help)", slip.words())
}

/// An error with what it is of.
struct Slip<'a> {
    error: &'a clap::Error,
    program: &'a Command,
    arguments: &'a [OsString],
}

impl Slip<'_> {
    /// The subcommand that was called, as its usage says.
    fn command(&self) -> Option<&Command> {
        let usage = self.text(ContextKind::Usage);
        let of_usage = usage.split_whitespace().nth(2).map(str::to_owned);
        let words = self.arguments.iter().skip(1);
        let mut words = words.filter_map(|word| word.to_str().map(str::to_owned));
        // Where no usage is shown, the first word that is a command's name.
        let find = |name: String| self.program.find_subcommand(name);
        of_usage.and_then(find).or_else(|| words.find_map(find))
    }

    fn words(&self) -> String {
        let (flag, value) = (
            flag(&self.text(ContextKind::InvalidArg)),
            self.text(ContextKind::InvalidValue),
        );
        match self.error.kind() {
            ErrorKind::UnknownArgument if flag.starts_with('-') && flag != "-" => {
                self.unknown_flag(&flag)
            }
            ErrorKind::UnknownArgument => self.one_too_many(&flag),
            ErrorKind::InvalidSubcommand => {
                let name = self.text(ContextKind::InvalidSubcommand);
                let known = self.program.get_subcommands().map(Command::get_name);
                let expected = expected(&name, &known.collect::<Vec<_>>());
                format!("unknown command `{name}`: {expected}")
            }
            ErrorKind::InvalidValue if value.is_empty() => {
                format!("{flag}: expected a value{}", self.wanted(&flag))
            }
            ErrorKind::InvalidValue => {
                let known = self.list(ContextKind::ValidValue);
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                format!("{flag} {value}: {}", expected(&value, &known))
            }
            ErrorKind::ValueValidation if !flag.is_empty() => {
                let reason = std::error::Error::source(self.error);
                let reason = reason.map(ToString::to_string).unwrap_or_default();
                // Most reasons begin with the value.
                match reason.get(..value.len()) {
                    Some(read) if read.eq_ignore_ascii_case(&value) => {
                        format!("{flag} {value}{}", &reason[value.len()..])
                    }
                    _ => format!("{flag} {value}: {reason}"),
                }
            }
            ErrorKind::TooManyValues => {
                format!("{flag} {value}: expected no value")
            }
            ErrorKind::ArgumentConflict => {
                let other = self.list(ContextKind::PriorArg);
                let other: Vec<String> = other.iter().map(|other| self::flag(other)).collect();
                match other[..] == [flag.clone()] {
                    true => format!("{flag}: given twice: expected once"),
                    false => format!("{flag}: not together with {}", other.join(", ")),
                }
            }
            ErrorKind::MissingRequiredArgument => {
                let missing = self.list(ContextKind::InvalidArg);
                let missing: Vec<String> = missing.iter().map(|m| plain(m)).collect();
                let name = self.command().map_or("bilevel", Command::get_name);
                format!("{name}: expected {}", missing.join(" and "))
            }
            _ => {
                let text = self.error.to_string();
                let first = text.lines().next().unwrap_or_default();
                first.strip_prefix("error: ").unwrap_or(first).to_owned()
            }
        }
    }

    /// A flag that the command has not: perhaps that of another, or a slip.
    fn unknown_flag(&self, given: &str) -> String {
        let command = self.command().unwrap_or(self.program);
        let flags = |command: &Command| -> Vec<String> {
            let of_all = self.program.get_arguments().filter(|a| a.is_global_set());
            let all = command.get_arguments().chain(of_all);
            let mut flags: Vec<String> = Vec::new();
            for flag in all.filter_map(long).chain(["--help".to_owned()]) {
                if !flags.contains(&flag) {
                    flags.push(flag);
                }
            }
            flags
        };
        let own = flags(command);
        let what = match command.get_name() == self.program.get_name() {
            true => format!("unknown flag {given}"),
            false => format!("unknown flag {given} of `{}`", command.get_name()),
        };
        let others = self.program.get_subcommands();
        let others = others.filter(|c| flags(c).iter().any(|flag| flag == given));
        let others: Vec<String> = others.map(|c| format!("`{}`", c.get_name())).collect();
        match others.is_empty() {
            false => format!("{what}: it is one of {}", others.join(", ")),
            true => match nearest(given, own.iter().map(String::as_str)) {
                Some(near) => format!("{what}: did you mean {near}?"),
                None => format!("{what}: expected one of {}", own.join(", ")),
            },
        }
    }

    /// A word that stands where none is looked for.
    fn one_too_many(&self, word: &str) -> String {
        let command = self.command().unwrap_or(self.program);
        let before = self.arguments.windows(2).find(|pair| pair[1] == *word);
        let before = before.map(|pair| pair[0].to_string_lossy().into_owned());
        let glued = before.and_then(|before| {
            let arg = self.find(&before)?;
            arg.is_require_equals_set().then_some(before)
        });
        if let Some(flag) = glued {
            return format!("{flag} {word}: expected {flag}={word}, the value after `=`");
        }
        let names = command.get_positionals().flat_map(Arg::get_value_names);
        let names: Vec<String> = names.flatten().map(ToString::to_string).collect();
        let expected = match &names[..] {
            [] => "flags alone, each with its dashes".to_owned(),
            names => format!("{} alone beside flags", names.join(", ")),
        };
        format!("`{word}`: one argument too many: expected {expected}")
    }

    /// What a flag's value is, as far as its parser says.
    fn wanted(&self, flag: &str) -> String {
        let known = self.list(ContextKind::ValidValue);
        if !known.is_empty() {
            return format!(": {}", known.join(", "));
        }
        let names = self.find(flag).and_then(Arg::get_value_names);
        names.map_or(String::new(), |names| format!(", {}", names.join(" ")))
    }

    /// The argument of a flag.
    fn find(&self, flag: &str) -> Option<&Arg> {
        let of_command = self.command().into_iter().flat_map(Command::get_arguments);
        let mut all = of_command.chain(self.program.get_arguments());
        all.find(|arg| long(arg).as_deref() == Some(flag))
    }

    fn text(&self, kind: ContextKind) -> String {
        match self.error.get(kind) {
            Some(ContextValue::String(text)) => text.clone(),
            Some(ContextValue::StyledStr(text)) => text.to_string(),
            Some(ContextValue::Strings(texts)) => texts.concat(),
            _ => String::new(),
        }
    }

    fn list(&self, kind: ContextKind) -> Vec<String> {
        match self.error.get(kind) {
            Some(ContextValue::String(text)) => vec![text.clone()],
            Some(ContextValue::Strings(texts)) => texts.clone(),
            _ => Vec::new(),
        }
    }
}

/// What was expected, or the nearest of it.
fn expected(given: &str, known: &[&str]) -> String {
    let all = format!("expected one of {}", known.join(", "));
    match nearest(given, known.iter().copied()) {
        Some(near) if known.len() > 3 => format!("did you mean `{near}`? {all}"),
        _ => all,
    }
}

/// A flag without what stands for its value.
fn flag(shown: &str) -> String {
    let end = shown.find([' ', '=', '[']).unwrap_or(shown.len());
    match shown.starts_with('-') {
        true => shown[..end].to_owned(),
        false => plain(shown),
    }
}

/// An argument as it is shown, without brackets.
fn plain(shown: &str) -> String {
    shown.replace(['<', '>'], "")
}

fn long(arg: &Arg) -> Option<String> {
    arg.get_long().map(|long| format!("--{long}"))
}
