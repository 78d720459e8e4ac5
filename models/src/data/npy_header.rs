//! The header of an array in the npy format.
//!
//! It may be corrupt: no header may cause a panic, deep recursion or a large allocation.

use std::io::Read;

use super::error::{DataError, Place, excerpt};

pub(super) struct Header {
    pub(super) dtype: Dtype,
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<usize>,
}

/// An element type such as `<f8`: byte order, kind, bytes.
pub(super) struct Dtype {
    pub(super) text: String,
    pub(super) big_endian: bool,
}

/// Reads up to the first byte of data.
pub(super) fn read_header(stream: &mut impl Read, at: Place) -> Result<Header, DataError> {
    // Headers of plain arrays have some 120 bytes; longer ones describe records.
    const LONGEST: u32 = 1 << 16;

    let cut = |_| at.malformed("its npy header is cut short");
    let mut start = [0; 8];
    stream.read_exact(&mut start).map_err(cut)?;
    if !start.starts_with(b"\x93NUMPY") {
        return Err(at.malformed("expected the npy format"));
    }
    let mut length = [0; 4];
    match start[6] {
        1 => stream.read_exact(&mut length[..2]),
        2 | 3 => stream.read_exact(&mut length),
        version => return Err(at.malformed(format!("npy version {version}, expected 1 to 3"))),
    }
    .map_err(cut)?;
    let length = u32::from_le_bytes(length);
    if length > LONGEST {
        return Err(at.malformed(format!(
            "npy header of {length} bytes, expected at most {LONGEST}"
        )));
    }
    let mut text = vec![0; length as usize];
    stream.read_exact(&mut text).map_err(cut)?;
    let text = str::from_utf8(&text).map_err(|_| at.malformed("its npy header is not text"))?;
    Cursor { rest: text, at }.header()
}

/// What is left to parse of a header: a Python dict of a string, a bool and a tuple.
struct Cursor<'a> {
    rest: &'a str,
    at: Place<'a>,
}

impl<'a> Cursor<'a> {
    fn header(mut self) -> Result<Header, DataError> {
        let (mut dtype, mut fortran_order, mut shape) = (None, None, None);
        self.expect('{')?;
        while !self.eat('}') {
            let key = self.quoted()?;
            self.expect(':')?;
            match key.as_str() {
                "descr" => dtype = Some(self.dtype()?),
                "fortran_order" => fortran_order = Some(self.boolean()?),
                "shape" => shape = Some(self.tuple()?),
                _ => return Err(self.unexpected("'descr', 'fortran_order' or 'shape'")),
            }
            if !self.eat(',') {
                self.expect('}')?;
                break;
            }
        }
        match (dtype, fortran_order, shape) {
            (Some(dtype), Some(fortran_order), Some(shape)) if self.rest.trim().is_empty() => {
                Ok(Header {
                    dtype,
                    fortran_order,
                    shape,
                })
            }
            _ => Err(self.unexpected("one dict of 'descr', 'fortran_order' and 'shape'")),
        }
    }

    fn unexpected(&self, expected: &str) -> DataError {
        let found = excerpt(self.rest.trim());
        self.at
            .malformed(format!("npy header: expected {expected} before `{found}`"))
    }

    fn eat(&mut self, token: char) -> bool {
        match self.rest.trim_start().strip_prefix(token) {
            Some(rest) => self.rest = rest,
            None => return false,
        }
        true
    }

    fn expect(&mut self, token: char) -> Result<(), DataError> {
        if self.eat(token) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{token}`")))
        }
    }

    fn quoted(&mut self) -> Result<String, DataError> {
        let quote = if self.eat('"') { '"' } else { '\'' };
        if quote == '\'' {
            self.expect(quote)?;
        }
        let (text, rest) = self
            .rest
            .split_once(quote)
            .ok_or_else(|| self.unexpected("a string"))?;
        self.rest = rest;
        Ok(text.into())
    }

    fn dtype(&mut self) -> Result<Dtype, DataError> {
        // A list describes the fields of a record.
        if self.eat('[') {
            let fields = self.rest.split(']').next().unwrap_or_default();
            return Err(self.at.unsupported(&format!("[{fields}]")));
        }
        let text = self.quoted()?;
        Ok(Dtype {
            big_endian: text.starts_with('>'),
            text,
        })
    }

    fn boolean(&mut self) -> Result<bool, DataError> {
        let (word, rest) = self.word();
        self.rest = match word {
            "True" | "False" => rest,
            _ => return Err(self.unexpected("True or False")),
        };
        Ok(word == "True")
    }

    /// The next word, and what follows it.
    fn word(&self) -> (&'a str, &'a str) {
        let text = self.rest.trim_start();
        text.split_at(
            text.find(|c: char| !c.is_ascii_alphanumeric())
                .unwrap_or(text.len()),
        )
    }

    fn tuple(&mut self) -> Result<Vec<usize>, DataError> {
        // NumPy's own bound on the rank.
        const HIGHEST_RANK: usize = 64;

        let mut shape = Vec::new();
        self.expect('(')?;
        while !self.eat(')') {
            let (word, rest) = self.word();
            shape.push(word.parse().map_err(|_| self.unexpected("a dimension"))?);
            self.rest = rest;
            if shape.len() > HIGHEST_RANK {
                return Err(self.unexpected(&format!("at most {HIGHEST_RANK} axes")));
            }
            if !self.eat(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(shape)
    }
}
