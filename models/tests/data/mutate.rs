//! Damage to files: bits, bytes, cuts, splices, and numbers at the edge of their type.

use crate::common::*;

const WORDS: [&str; 16] = [
    "0",
    "-1",
    "1e999",
    "nan",
    "inf",
    "4294967295",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "1152921504606846976",
    "0x10",
    "1e-400",
    ",",
    ":",
    "\n",
    "# ",
];

const EDGES: [u64; 10] = [
    0,
    1,
    0x7f,
    0xff,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 32,
    1 << 60,
    i64::MAX as u64,
    u64::MAX,
];

/// Damages `bytes` one to four times; `others` are what is spliced in.
pub(crate) fn mutate(bytes: &mut Vec<u8>, others: &[&[u8]], rng: &mut ChaCha8Rng) {
    for _ in 0..rng.random_range(1..5) {
        once(bytes, others, rng);
    }
}

fn once(bytes: &mut Vec<u8>, others: &[&[u8]], rng: &mut ChaCha8Rng) {
    let at = rng.random_range(0..bytes.len() + 1);
    let width = [1, 2, 4, 8][rng.random_range(0..4)];
    let end = bytes.len().min(at + rng.random_range(0..40));
    match rng.random_range(0..9) {
        0 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
        1 if at < bytes.len() => bytes[at] = rng.random(),
        2 => bytes.truncate(at),
        3 => bytes.insert(at, rng.random()),
        4 => drop(bytes.drain(at..end)),
        5 => {
            let again = bytes[at..end].to_vec();
            drop(bytes.splice(at..at, again));
        }
        6 => {
            let other = others[rng.random_range(0..others.len())];
            let from = rng.random_range(0..other.len());
            let to = other.len().min(from + rng.random_range(1..60));
            let end = if rng.random() { end } else { at };
            drop(bytes.splice(at..end, other[from..to].iter().copied()));
        }
        // A number of a header, in either byte order.
        7 if at + width <= bytes.len() => {
            let edge = EDGES[rng.random_range(0..EDGES.len())];
            let edge = match rng.random() {
                true => edge.to_be_bytes()[8 - width..].to_vec(),
                false => edge.to_le_bytes()[..width].to_vec(),
            };
            bytes[at..at + width].copy_from_slice(&edge);
        }
        // A number in a text.
        _ => {
            let digit = |byte: &u8| byte.is_ascii_digit();
            let start = bytes.iter().skip(at).position(digit).map_or(at, |k| at + k);
            let length = bytes[start..].iter().take_while(|byte| digit(byte)).count();
            let word = WORDS[rng.random_range(0..WORDS.len())];
            drop(bytes.splice(start..start + length, word.bytes()));
        }
    }
}

/// Makes the checksums of a PNG file sound, so that damage gets past them.
pub(crate) fn repair(png: &mut [u8]) {
    let mut at = 8;
    while at + 12 <= png.len() {
        let length = u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize;
        let Some(end) = at
            .checked_add(8 + length)
            .filter(|end| end + 4 <= png.len())
        else {
            return;
        };
        let mut sum = flate2::Crc::new();
        sum.update(&png[at + 4..end]);
        png[end..end + 4].copy_from_slice(&sum.sum().to_be_bytes());
        at = end + 4;
    }
}
