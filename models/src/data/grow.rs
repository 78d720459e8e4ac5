//! Numbers of a length that a header claims.

use std::io::{self, Read};

/// Bytes that are unpacked at a time.
const CHUNK: usize = 1 << 16;

/// What a stream of `count` numbers came to.
pub(super) struct Taken {
    /// The numbers, at most as many as were claimed.
    pub(super) values: Vec<f64>,
    /// Bytes that were there; one more than claimed stands for any larger number.
    pub(super) bytes: usize,
}

/// Reads `count` numbers of `size` bytes each. The memory doubles with what has been read and ends
/// at what was claimed, so a false claim cannot ask for more than twice what is there.
///
/// # Errors
/// As the stream.
pub(super) fn numbers(
    stream: impl Read,
    count: usize,
    size: usize,
    decode: impl Fn(&[u8], &mut Vec<f64>),
) -> io::Result<Taken> {
    let claimed = count.saturating_mul(size);
    let mut stream = stream.take((claimed as u64).saturating_add(1));
    let step = CHUNK / size * size;
    let mut chunk = vec![0; step.min(claimed.saturating_add(1))];
    let (mut values, mut bytes, mut held) = (Vec::new(), 0, 0);
    loop {
        let read = match stream.read(&mut chunk[held..]) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        bytes += read;
        held += read;
        let whole = (held / size).min(count - values.len());
        if held == chunk.len() || read == 0 {
            let missing = (values.len() + whole).saturating_sub(values.capacity());
            if missing > 0 {
                let left = count - values.len();
                values.reserve_exact(whole.max(values.len()).min(left));
            }
            decode(&chunk[..whole * size], &mut values);
            chunk.copy_within(whole * size..held, 0);
            held -= whole * size;
        }
        if read == 0 || bytes > claimed {
            return Ok(Taken { values, bytes });
        }
    }
}
