//! TOML that people write: what is wrong with it, in one line.

use serde::de::DeserializeOwned;

use super::nearest;

/// Reads the text of a file.
///
/// # Errors
/// In one line: which line of the text it is, what it says, and what was expected.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|e| {
        let at = e.span().map_or(0, |span| span.start);
        located(text, at, &words(e.message()))
    })
}

/// A complaint about the line of a text that this byte is in.
pub(crate) fn located(text: &str, at: usize, complaint: &str) -> String {
    let line = text[..at].matches('\n').count() + 1;
    let quoted = text.lines().nth(line - 1).unwrap_or_default();
    let quoted: String = quoted.trim().chars().take(60).collect();
    format!("line {line}, `{quoted}`: {complaint}")
}

/// What was found and what was expected, in the words of files.
fn words(message: &str) -> String {
    let message = message.replace('\n', ", ");
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let mut quoted = rest.split('`').step_by(2);
        let key = quoted.next().unwrap_or_default();
        let known: Vec<&str> = quoted.filter(|key| !key.is_empty()).collect();
        return unknown_key(key, &known);
    }
    if message.starts_with("string values must be quoted") {
        return "expected a number, true, false, or a text in quotes".into();
    }
    if message.starts_with("duplicate key") {
        return "a key that was there before: expected each once".into();
    }
    let message = message.replace(", expected nothing", ": expected a value such as 0.1");
    let typed = message.strip_prefix("invalid type: ");
    match typed.or(message.strip_prefix("invalid value: ")) {
        Some(rest) => match rest.split_once(", expected ") {
            Some((found, expected)) => format!("{}: expected {}", thing(found), kind(expected)),
            None => message,
        },
        None => message,
    }
}

/// A key that is none of those that are known.
pub(crate) fn unknown_key(key: &str, known: &[&str]) -> String {
    // Flags that stand in no file.
    if [
        "problem", "method", "data", "point", "seed", "threads", "dtype",
    ]
    .contains(&key)
    {
        return format!("unknown key `{key}`: expected on the command line, as --{key}");
    }
    match nearest(key, known.iter().copied()) {
        Some(near) => format!("unknown key `{key}`: did you mean `{near}`?"),
        None => format!("unknown key `{key}`: expected one of {}", known.join(", ")),
    }
}

/// What was found, without the name of its type.
fn thing(found: &str) -> String {
    let mut parts = found.split('`');
    match (parts.next(), parts.next()) {
        (Some(_), Some(value)) => value.to_owned(),
        _ => match found {
            "sequence" => "a list".to_owned(),
            "map" => "a table".to_owned(),
            found => found.strip_prefix("string ").unwrap_or(found).to_owned(),
        },
    }
}

/// A type in words.
fn kind(expected: &str) -> &str {
    match expected {
        "u64" | "usize" | "u8" => "a whole number from 0 on",
        "a sequence" => "a list",
        "a string" => "a text in quotes",
        "a map" => "a table",
        expected if expected.starts_with("struct ") => "a table",
        expected => expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::settings::Given;

    #[test]
    fn a_slip_has_a_nearest_key() {
        let complaint = |key: &str| {
            let text = format!("\n{key} = 1");
            parse::<Given>(&text).expect_err("no key")
        };
        let line = "line 2, `iteratons = 1`: unknown key `iteratons`: did you mean `iterations`?";
        assert_eq!(complaint("iteratons"), line);
        assert!(complaint("Warm-start").ends_with("did you mean `warm_start`?"));
        assert!(!complaint("zzzzzzzzzzzzz").contains("did you mean"));
    }
}
