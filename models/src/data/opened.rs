//! A file as a stream of bytes, unpacked where it is packed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;

use super::error::{DataError, unreadable};

/// Bytes of a file by which its format is told.
const SAMPLE: u64 = 1 << 16;
/// KiB that a packed file may ask for to be unpacked: more than `xz -9` takes.
const XZ_LIMIT: u32 = 96 << 10;
/// What UTF-8 text may begin with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A file that has been opened, with its beginning.
pub(super) struct Opened {
    /// The first bytes, unpacked and without a byte-order mark: all of a short file.
    pub(super) sample: Vec<u8>,
    /// What the file was packed by.
    pub(super) packing: Option<&'static str>,
    rest: Box<dyn Read>,
}

impl Opened {
    /// Opens a file, once, so that a pipe can be read too. What it is packed by is told by its
    /// first bytes.
    pub(super) fn open(path: &Path, file: &str) -> Result<Self, DataError> {
        Self::of(path).map_err(unreadable(file))
    }

    fn of(path: &Path) -> io::Result<Self> {
        let (raw, rest) = sampled(Box::new(File::open(path)?))?;
        let packed = |raw, rest| BufReader::new(Cursor::new(raw).chain(rest));
        let (packing, stream): (_, Box<dyn Read>) = match &raw[..] {
            [0x1f, 0x8b, ..] => ("gzip", Box::new(MultiGzDecoder::new(packed(raw, rest)))),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => {
                ("bzip2", Box::new(MultiBzDecoder::new(packed(raw, rest))))
            }
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
                let reader = XzReader::new_mem_limit(packed(raw, rest), true, XZ_LIMIT);
                ("xz", Box::new(reader))
            }
            _ => {
                return Ok(Opened {
                    sample: unmarked(raw),
                    packing: None,
                    rest,
                });
            }
        };
        let (sample, rest) = sampled(stream)?;
        Ok(Opened {
            sample: unmarked(sample),
            packing: Some(packing),
            rest,
        })
    }

    /// All bytes.
    pub(super) fn stream(self) -> impl BufRead {
        BufReader::new(Cursor::new(self.sample).chain(self.rest))
    }
}

fn sampled(mut stream: Box<dyn Read>) -> io::Result<(Vec<u8>, Box<dyn Read>)> {
    let mut sample = Vec::new();
    (&mut stream).take(SAMPLE).read_to_end(&mut sample)?;
    Ok((sample, stream))
}

fn unmarked(mut sample: Vec<u8>) -> Vec<u8> {
    if sample.starts_with(BYTE_ORDER_MARK) {
        sample.drain(..BYTE_ORDER_MARK.len());
    }
    sample
}
