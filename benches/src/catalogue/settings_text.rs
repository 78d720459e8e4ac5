//! TOML that people write: what is wrong with it, in one line.

use serde::de::DeserializeOwned;

use super::nearest;

/// Reads the text of a file.
///
/// # Errors
/// In one line: which line of the text it is, what it says, and what was expected.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|e| {
        let before = e.span().map_or("", |s| &text[..s.start]);
        let line = before.matches('\n').count() + 1;
        let quoted = text.lines().nth(line - 1).unwrap_or_default();
        let quoted: String = quoted.chars().take(60).collect();
        format!("line {line}, `{}`: {}", quoted.trim(), words(&e))
    })
}

/// What was expected, with the nearest key to an unknown one.
pub(crate) fn words(e: &toml::de::Error) -> String {
    let message = e.message().replace('\n', ": ");
    format!("{}{message}", slip(&message))
}

/// A question for the nearest known key, where a message names an unknown one and what it expects;
/// else nothing.
fn slip(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let near = match message.starts_with("unknown field") {
        true => quoted.next().and_then(|key| nearest(key, quoted)),
        false => None,
    };
    near.map_or(String::new(), |near| format!("did you mean `{near}`? "))
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
        let start = "line 2, `iteratons = 1`: did you mean `iterations`? unknown field";
        assert!(complaint("iteratons").starts_with(start));
        assert!(complaint("Warm-start").contains("did you mean `warm_start`? "));
        assert!(!complaint("zzzzzzzzzzzzz").contains("did you mean"));
    }
}
