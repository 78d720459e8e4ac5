//! The words of the messages.

use std::io;

use super::DataError;

/// The file and the array that messages name.
#[derive(Clone, Copy)]
pub(in crate::data) struct Place<'a> {
    pub(in crate::data) file: &'a str,
    pub(in crate::data) array: &'a str,
}

impl Place<'_> {
    pub(in crate::data) fn malformed(&self, reason: impl ToString) -> DataError {
        DataError::MalformedArray {
            file: self.file.into(),
            array: self.array.into(),
            reason: reason.to_string(),
        }
    }

    pub(in crate::data) fn unsupported(&self, dtype: &str) -> DataError {
        DataError::UnsupportedDtype {
            file: self.file.into(),
            array: self.array.into(),
            dtype: excerpt(dtype),
        }
    }

    /// In words, an entry of the array.
    pub(in crate::data) fn entry(&self, index: usize) -> String {
        format!("array `{}`, entry {index},", self.array)
    }
}

/// Text from a file, cut and escaped so that a message stays one short line.
pub(in crate::data) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 40;
    let mut shown = String::new();
    for (position, character) in text.chars().enumerate() {
        match character {
            _ if position == LONGEST => {
                shown.push('…');
                break;
            }
            '\'' | '"' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    shown
}

pub(super) fn listed(names: &[String]) -> String {
    const MOST: usize = 20;
    if names.is_empty() {
        return "no arrays".into();
    }
    let shown: Vec<_> = names
        .iter()
        .take(MOST)
        .map(|name| format!("`{}`", excerpt(name)))
        .collect();
    let rest = if names.len() > MOST { ", …" } else { "" };
    format!("{}{rest}", shown.join(", "))
}

/// Whether a cell stands for a value that is not there.
pub(in crate::data) fn is_missing(cell: &str) -> bool {
    let marks = ["", "na", "n/a", "nan", "null", "none", "?", "-", "."];
    marks.iter().any(|mark| cell.eq_ignore_ascii_case(mark))
}

/// What can be done about a cell that is no number.
pub(in crate::data) fn way_out(cell: &str, label: bool) -> &'static str {
    let word = cell.starts_with(char::is_alphabetic) && cell.parse::<f64>().is_err();
    if is_missing(cell) {
        ": fill the cell in, for one with its column's mean, or leave the line out"
    } else if is_decimal_comma(cell.as_bytes()) {
        ": write a point before decimals"
    } else if word && label {
        ": a label that is a word is for problems of classes, and then all are words"
    } else if word {
        ": make a column of 0 and 1 of each word, or leave the column out"
    } else {
        ""
    }
}

/// Whether a cell is a number with a comma before its decimals.
pub(in crate::data) fn is_decimal_comma(cell: &[u8]) -> bool {
    let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let cell = cell.strip_prefix(b"-").unwrap_or(cell);
    let mut parts = cell.split(|byte| *byte == b',');
    let [before, after] = [parts.next(), parts.next()].map(Option::unwrap_or_default);
    digits(before) && digits(after) && parts.next().is_none()
}

pub(in crate::data) fn place(index: &[usize]) -> String {
    match index {
        [] => "its only entry".into(),
        [row, column] => format!("row {row}, column {column}"),
        [entry] => format!("entry {entry}"),
        _ => format!("entry {index:?}"),
    }
}

/// What a library says, as one line of bounded length.
pub(in crate::data) fn one_line(message: impl ToString) -> String {
    const LONGEST: usize = 160;
    let message = message.to_string();
    let words = message.split(|c: char| c.is_whitespace() || c.is_control());
    let mut line = String::new();
    for word in words.filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// For `map_err` on what the operating system refuses.
pub(in crate::data) fn unreadable(file: &str) -> impl Fn(io::Error) -> DataError + Copy {
    move |reason| DataError::Unreadable {
        file: file.into(),
        reason,
    }
}
