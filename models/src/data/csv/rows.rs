//! Lines of text as rows of fields.

use std::io::{self, BufRead, Chain};

use csv::{ByteRecord, Reader, ReaderBuilder, Terminator};

use super::super::error::is_decimal_comma;

/// Lines by which the delimiter is told.
const LINES: usize = 50;

/// What stands between fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delimiter {
    Byte(u8),
    /// Any number of spaces and tabs.
    Blanks,
}

impl Delimiter {
    /// The one that makes the most numbers of the first lines; the earlier one of two that make as
    /// many.
    pub(super) fn of(sample: &[u8]) -> Self {
        let lines = || sample.split(|byte| *byte == b'\n').take(LINES);
        let numbers = |delimiter: Delimiter| {
            let of_line = |line| {
                let fields: Vec<&[u8]> = delimiter.split(line);
                let numeric = |field: &&&[u8]| delimiter.is_number(field);
                match fields.len() {
                    1 => 0,
                    _ => fields.iter().filter(numeric).count(),
                }
            };
            lines().map(of_line).sum::<usize>()
        };
        let known = [
            Delimiter::Byte(b','),
            Delimiter::Byte(b';'),
            Delimiter::Byte(b'\t'),
            Delimiter::Byte(b'|'),
            Delimiter::Blanks,
        ];
        let most = known.map(numbers).into_iter().max().unwrap_or(0);
        let first = known.into_iter().find(|d| numbers(*d) == most);
        first.expect("one of them has the most")
    }

    /// In words.
    pub(super) fn name(self) -> &'static str {
        match self {
            Delimiter::Byte(b';') => "csv with semicolons",
            Delimiter::Byte(b'\t') => "csv with tabs",
            Delimiter::Byte(b'|') => "csv with bars",
            Delimiter::Byte(_) => "csv",
            Delimiter::Blanks => "csv with blanks",
        }
    }

    /// The fields of a line, roughly: quotes keep delimiters, but lines end with them.
    fn split(self, line: &[u8]) -> Vec<&[u8]> {
        let mut quoted = false;
        let between = |byte: &u8| {
            quoted ^= *byte == b'"';
            let ends = match self {
                Delimiter::Byte(delimiter) => *byte == delimiter,
                Delimiter::Blanks => byte.is_ascii_whitespace(),
            };
            ends && !quoted
        };
        let fields = line.split(between);
        match self {
            Delimiter::Byte(_) => fields.collect(),
            Delimiter::Blanks => fields.filter(|field| !field.is_empty()).collect(),
        }
    }

    /// Whether a field is a number, perhaps quoted. Beside other delimiters a comma may stand before
    /// decimals: such a number is refused later, in words.
    fn is_number(self, field: &[u8]) -> bool {
        let field = unquoted(field.trim_ascii());
        let comma = self != Delimiter::Byte(b',') && is_decimal_comma(field);
        number(field).is_some() || comma
    }
}

/// The number that a field is.
pub(super) fn number(field: &[u8]) -> Option<f64> {
    str::from_utf8(field).ok()?.trim().parse().ok()
}

/// The rows of a text, without blank lines and those that begin with `#`.
pub(super) enum Rows<R: BufRead> {
    Delimited(Box<Reader<Chain<R, &'static [u8]>>>),
    Blanks { text: R, line: Vec<u8>, number: u64 },
}

impl<R: BufRead> Rows<R> {
    pub(super) fn new(text: R, delimiter: Delimiter) -> Self {
        match delimiter {
            // Every line ends in a newline, so that after a record the reader stands on the next
            // line.
            Delimiter::Byte(delimiter) => Rows::Delimited(Box::new(
                ReaderBuilder::new()
                    .has_headers(false)
                    .flexible(true)
                    .delimiter(delimiter)
                    .comment(Some(b'#'))
                    .terminator(Terminator::Any(b'\n'))
                    .from_reader(text.chain(&b"\n"[..])),
            )),
            Delimiter::Blanks => Rows::Blanks {
                text,
                line: Vec::new(),
                number: 0,
            },
        }
    }

    /// Reads the next row; its line, from 1, or `None` at the end.
    pub(super) fn next(&mut self, row: &mut ByteRecord) -> io::Result<Option<u64>> {
        match self {
            Rows::Delimited(reader) => {
                while reader.read_byte_record(row)? {
                    if row.len() > 1 || !row[0].trim_ascii().is_empty() {
                        return Ok(Some(reader.position().line().saturating_sub(1)));
                    }
                }
                Ok(None)
            }
            Rows::Blanks { text, line, number } => loop {
                line.clear();
                if text.read_until(b'\n', line)? == 0 {
                    return Ok(None);
                }
                *number += 1;
                row.clear();
                let fields = Delimiter::Blanks.split(line).into_iter();
                fields.for_each(|field| row.push_field(unquoted(field)));
                if row.get(0).is_some_and(|field| !field.starts_with(b"#")) {
                    return Ok(Some(*number));
                }
            },
        }
    }
}

fn unquoted(field: &[u8]) -> &[u8] {
    let inside = field
        .strip_prefix(b"\"")
        .and_then(|field| field.strip_suffix(b"\""));
    inside.unwrap_or(field)
}
