//! How often a run is saved, as an argument.

use std::str::FromStr;

/// How often a run is saved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum CheckpointEvery {
    Iterations(usize),
    Seconds(f64),
}

impl FromStr for CheckpointEvery {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected =
            || "expected a number of iterations from 1 on, or seconds as in `30s`".into();
        match text.strip_suffix('s') {
            Some(seconds) => match seconds.parse::<f64>() {
                Ok(s) if s.is_finite() && s >= 0.0 => Ok(CheckpointEvery::Seconds(s)),
                _ => Err(expected()),
            },
            None => match text.parse::<usize>() {
                Ok(n) if n > 0 => Ok(CheckpointEvery::Iterations(n)),
                _ => Err(expected()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iterations_and_seconds_are_told_apart() {
        let read = |text: &str| text.parse::<CheckpointEvery>();
        assert_eq!(read("20"), Ok(CheckpointEvery::Iterations(20)));
        assert_eq!(read("0.5s"), Ok(CheckpointEvery::Seconds(0.5)));
        assert_eq!(read("0s"), Ok(CheckpointEvery::Seconds(0.0)));
        assert!(
            ["0", "", "s", "1m", "-1s", "infs"]
                .iter()
                .all(|t| read(t).is_err())
        );
    }
}
