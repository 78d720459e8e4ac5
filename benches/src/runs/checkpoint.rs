//! A run between two iterations as one file.
//!
//! Its bytes: a line that says what it is, a line of JSON with what the run is and how far it came,
//! the state as words of 64 bits (least byte first, so that every number keeps its bits), and the
//! CRC-32 of all that.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use autodiff::ranks;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use study::solve::SoFar;

use crate::catalogue::settings::SolveSettings;

/// The first line; the number is that of the format, and another one where the same settings would make
/// another run.
const MAGIC: &[u8] = b"bilevel checkpoint 4\n";

/// Everything that a run follows from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The problem's name.
    pub problem: String,
    /// The method's name.
    pub method: String,
    /// The data file, if there is one.
    pub data: Option<FileMark>,
    /// The file of the point, if there is one.
    pub point: Option<FileMark>,
    /// Whether there is a bias for each class.
    pub bias: bool,
    /// Whether it is the larger setting.
    pub large: bool,
    /// The seed.
    pub seed: u64,
    /// The scalar type.
    pub dtype: String,
    /// The method's settings.
    pub settings: SolveSettings,
    /// The program's version.
    pub version: String,
}

impl Origin {
    /// The first line of the run's trace: what it is of, where its files are, how they were read, which
    /// metrics are parts of a hundred, and on how many threads.
    pub fn header(
        &self,
        [data, point]: [Option<&Path>; 2],
        read: Option<&Value>,
        percent: &[String],
        threads: usize,
    ) -> Value {
        json!({
            "header": {
                "problem": self.problem,
                "method": self.method,
                "data": data,
                "read": read,
                "point": point,
                "bias": self.bias,
                "large": self.large,
                "fingerprints": { "data": self.data, "point": self.point },
                "seed": self.seed,
                "dtype": self.dtype,
                "threads": threads,
                "ranks": autodiff::ranks::size(),
                "version": self.version,
                "machine": format!("{} {}", std::env::consts::ARCH, std::env::consts::OS),
                "settings": self.settings,
                "percent": percent,
            }
        })
    }
}

/// What tells the data of a run from others: a file, the two of a pair, or those of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileMark {
    /// Where it was, from the root.
    pub path: PathBuf,
    /// Its length in bytes; of several files, that of all together.
    pub bytes: u64,
    /// The CRC-32 of all bytes, one file after the other.
    pub crc32: u32,
}

impl FileMark {
    /// The mark of what [`models::data::files`] finds.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn of(path: &Path) -> io::Result<Self> {
        let (mut hasher, mut bytes) = (crc32fast::Hasher::new(), 0);
        let files = models::data::files(path)?;
        for file in &files {
            let of_file = hashed(file)?;
            bytes += of_file.1;
            hasher.combine(&of_file.0);
        }
        // Both names of a pair may be relative.
        let absolute = |path: &Path| std::path::absolute(path).map(PathBuf::into_os_string);
        let path = match &files[..] {
            [features, labels] if !path.exists() => {
                let mut pair = absolute(features)?;
                pair.push(",");
                pair.push(absolute(labels)?);
                pair
            }
            _ => absolute(path)?,
        };
        Ok(FileMark {
            path: path.into(),
            bytes,
            crc32: hasher.finalize(),
        })
    }

    /// Whether the contents are the same, wherever they are.
    pub fn same_contents(&self, other: &FileMark) -> bool {
        (self.bytes, self.crc32) == (other.bytes, other.crc32)
    }
}

/// The hash of a file and its length. Ranks that see the same file hash a share of it each, so that it is
/// read once; copies on several machines are read by everyone, as they may differ.
fn hashed(path: &Path) -> io::Result<(crc32fast::Hasher, u64)> {
    let mut file = File::open(path)?;
    let (rank, size) = (ranks::rank(), ranks::size());
    let mut seen = vec![[0; 3]; size];
    seen[rank] = identity(&file)?;
    ranks::gather(&vec![1; size], &mut seen);
    let len = file.metadata()?.len();
    if size == 1 || seen.iter().any(|of| *of != seen[0]) {
        return part(&mut file, 0..u64::MAX);
    }
    let share = |rank| ranks::share(len as usize, rank, size);
    let mine = share(rank);
    let (hasher, _) = part(&mut file, mine.start as u64..mine.end as u64)?;
    let mut parts = vec![0; size];
    parts[rank] = hasher.finalize();
    ranks::gather(&vec![1; size], &mut parts);
    let mut whole = crc32fast::Hasher::new();
    for (rank, crc32) in parts.into_iter().enumerate() {
        let len = share(rank).len() as u64;
        whole.combine(&crc32fast::Hasher::new_with_initial_len(crc32, len));
    }
    Ok((whole, len))
}

/// The hash of a range of bytes, or of those up to the file's end, and how many there were.
fn part(file: &mut File, range: Range<u64>) -> io::Result<(crc32fast::Hasher, u64)> {
    let mut hasher = crc32fast::Hasher::new();
    let (mut block, mut bytes) = (vec![0; 1 << 16], 0);
    if range.start > 0 {
        file.seek(SeekFrom::Start(range.start))?;
    }
    let mut stream = file.take(range.end - range.start);
    loop {
        match stream.read(&mut block)? {
            0 => return Ok((hasher, bytes)),
            n => {
                hasher.update(&block[..n]);
                bytes += n as u64;
            }
        }
    }
}

/// What tells a file from its copies: inode, length and when it was written.
fn identity(file: &File) -> io::Result<[u64; 3]> {
    let of = file.metadata()?;
    let written = of.modified()?.duration_since(SystemTime::UNIX_EPOCH);
    let written = written.map_or(0, |since| since.as_nanos() as u64);
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&of);
    #[cfg(not(unix))]
    let inode = ranks::rank() as u64;
    Ok([inode, of.len(), written])
}

/// How much of the trace belongs to a checkpoint: its header, and so many bytes after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceMark {
    /// Bytes after the header.
    pub bytes: u64,
    /// The CRC-32 of all that, the number of iterations in the header left out.
    pub crc32: u32,
}

/// A run between two iterations. The last one that is made is that before the last record: a run
/// that is made longer makes this record anew, which then is not the last.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// What the run is.
    pub origin: Origin,
    /// How far it came.
    pub so_far: SoFar,
    /// How far it came in the end, if it is over, with all its files.
    pub finished: Option<SoFar>,
    /// The trace up to here.
    pub trace: TraceMark,
    /// The state of the method's run.
    pub state: Vec<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    origin: Origin,
    so_far: SoFar,
    finished: Option<SoFar>,
    trace: TraceMark,
    words: usize,
}

/// Why bytes are no checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It begins in another way.
    #[error("is no checkpoint of this program")]
    Foreign,
    /// A format that this program does not know.
    #[error("is a checkpoint of format {0}: expected 4")]
    Format(String),
    /// It ends too early, or its checksum is another.
    #[error("is damaged: {0}")]
    Damaged(String),
}

impl Checkpoint {
    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let header = Header {
            origin: self.origin.clone(),
            so_far: self.so_far.clone(),
            finished: self.finished.clone(),
            trace: self.trace,
            words: self.state.len(),
        };
        let mut bytes = MAGIC.to_vec();
        serde_json::to_writer(&mut bytes, &header).expect("a header is plain data");
        bytes.push(b'\n');
        bytes.extend(self.state.iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// With what is wrong with them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        use CheckpointError::{Damaged, Foreign, Format};
        let line = |bytes: &[u8]| bytes.iter().position(|b| *b == b'\n').map(|end| end + 1);
        let cut = || Damaged("it ends too early".into());
        let name = &MAGIC[..MAGIC.len() - 2];
        if !bytes.starts_with(name) {
            let torn = !bytes.is_empty() && MAGIC.starts_with(bytes);
            return Err(if torn { cut() } else { Foreign });
        }
        let first = line(&bytes[..bytes.len().min(64)]).ok_or_else(cut)?;
        if &bytes[..first] != MAGIC {
            let format = String::from_utf8_lossy(&bytes[name.len()..first - 1]);
            return Err(Format(format.into_owned()));
        }
        let (body, sum) = bytes.split_last_chunk::<4>().ok_or_else(cut)?;
        let text = body.get(first..).ok_or_else(cut)?;
        let second = line(text).ok_or_else(cut)?;
        if crc32fast::hash(body) != u32::from_le_bytes(*sum) {
            return Err(Damaged("its checksum does not fit".into()));
        }
        let unread = |e: serde_json::Error| Damaged(format!("its header cannot be read: {e}"));
        let header: Header = serde_json::from_slice(&text[..second]).map_err(unread)?;
        let (words, rest) = text[second..].as_chunks::<8>();
        if words.len() != header.words || !rest.is_empty() {
            return Err(Damaged(format!(
                "it holds {} words, its header says {}",
                words.len(),
                header.words
            )));
        }
        Ok(Checkpoint {
            origin: header.origin,
            so_far: header.so_far,
            finished: header.finished,
            trace: header.trace,
            state: words.iter().map(|w| u64::from_le_bytes(*w)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use solvers::catalogue::Settings;

    use super::*;

    fn sample() -> Checkpoint {
        let given = Settings {
            rate: Some(0.1 + 0.2),
            ..Settings::NONE
        };
        Checkpoint {
            origin: Origin {
                problem: "scalar".into(),
                method: "itd".into(),
                data: Some(FileMark {
                    path: "/data\n.npz".into(),
                    bytes: 7,
                    crc32: u32::MAX,
                }),
                point: None,
                bias: true,
                large: false,
                seed: u64::MAX,
                dtype: "f64".into(),
                settings: SolveSettings::of("scalar", "itd", given),
                version: "0".into(),
            },
            so_far: SoFar {
                iteration: 3,
                seconds: 0.1 + 0.7,
                warnings: vec!["a \"word\"".into()],
                failure: None,
            },
            finished: Some(SoFar {
                iteration: 4,
                failure: Some("iteration 4: \n".into()),
                ..SoFar::default()
            }),
            trace: TraceMark { bytes: 9, crc32: 1 },
            state: vec![
                0,
                10,
                f64::NAN.to_bits(),
                f64::NEG_INFINITY.to_bits(),
                u64::MAX,
            ],
        }
    }

    #[test]
    fn a_checkpoint_comes_back_as_it_was() {
        let checkpoint = sample();
        assert_eq!(
            Checkpoint::from_bytes(&checkpoint.to_bytes()),
            Ok(checkpoint)
        );
    }

    #[test]
    fn a_damaged_checkpoint_is_refused_wherever_it_is_damaged() {
        let bytes = sample().to_bytes();
        for cut in 0..bytes.len() {
            assert!(
                Checkpoint::from_bytes(&bytes[..cut]).is_err(),
                "{cut} bytes"
            );
        }
        for place in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[place] ^= 0x10;
            assert!(Checkpoint::from_bytes(&bytes).is_err(), "byte {place}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(Checkpoint::from_bytes(&longer).is_err());
    }

    #[test]
    fn what_is_no_checkpoint_is_told_from_another_format() {
        let refusal = |bytes: &[u8]| Checkpoint::from_bytes(bytes).unwrap_err().to_string();
        assert_eq!(refusal(b""), "is no checkpoint of this program");
        assert_eq!(refusal(b"PK\x03\x04"), "is no checkpoint of this program");
        assert_eq!(
            refusal(b"bilevel checkpoint 20\n{}"),
            "is a checkpoint of format 20: expected 4"
        );
        assert_eq!(refusal(b"bilevel check"), "is damaged: it ends too early");
    }
}
