//! Byte counts in words: written for people, read from them.

/// A byte count for people: `"512 B"`, `"3.9 KiB"`, `"64.0 MiB"`.
pub fn human_bytes(bytes: usize) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", units[unit])
}

/// A text that is no number of bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?}: expected a number of bytes such as 64MiB, 1.5GB, 500KB or 4096")]
pub struct ParseBytesError {
    text: String,
}

const UNITS: [(&str, u64); 10] = [
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

/// Reads a number of bytes: `64MiB` (powers of 1024), `1GB` (powers of 1000), `4096`. Units may
/// be written in either case; parts of a byte are cut off.
///
/// # Errors
/// If it is none, or more than memory could ever hold.
pub fn parse_bytes(text: &str) -> Result<usize, ParseBytesError> {
    let error = || ParseBytesError {
        text: text.to_owned(),
    };
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim().to_ascii_lowercase();
    let (_, scale) = UNITS.iter().find(|u| u.0 == unit).ok_or_else(error)?;
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    // Digits on both sides of a point, and one point at most.
    if part.is_empty() || !part.bytes().all(|c| c.is_ascii_digit()) {
        return Err(error());
    }
    let whole: u64 = whole.parse().map_err(|_| error())?;
    let part: f64 = format!("0.{part}").parse().map_err(|_| error())?;
    whole
        .checked_mul(*scale)
        .and_then(|bytes| bytes.checked_add((part * *scale as f64) as u64))
        .and_then(|bytes| usize::try_from(bytes).ok())
        .ok_or_else(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_read_well() {
        assert_eq!(human_bytes(1023), "1023 B");
        assert_eq!(human_bytes(64 << 20), "64.0 MiB");
    }

    #[test]
    fn bytes_are_read() {
        for (text, bytes) in [
            ("4096", 4096),
            ("0", 0),
            ("12B", 12),
            ("64MiB", 64 << 20),
            ("64 mib", 64 << 20),
            ("1GB", 1_000_000_000),
            ("500KB", 500_000),
            ("1.5KiB", 1536),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_of_bytes_is_one_line() {
        for text in [
            "",
            "MiB",
            "-1",
            "+1",
            "1e6",
            "1.",
            ".5",
            "1.2.3",
            "3 MiBs",
            "inf",
            "1\n2",
            "99999999999999999999",
            "99999999TiB",
        ] {
            let message = parse_bytes(text).unwrap_err().to_string();
            assert!(
                message.contains("expected") && !message.contains('\n'),
                "{message}"
            );
        }
    }
}
