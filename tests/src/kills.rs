//! Runs of `bilevel solve` that are killed at random moments and go on, against runs that were left
//! alone.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tempfile::TempDir;

/// What is solved, the quickest first: methods of every kind, on problems with samples, constants
/// and none, in both precisions.
const RUNS: [&str; 10] = [
    "--problem logistic --method aid-cg --iterations 40 --warm-start true --dtype f32",
    "--problem tv-denoising --method isgd --iterations 30 --optimiser momentum",
    "--problem ridge --method maid --iterations 60 --accuracy 1",
    "--problem quadratic --method itd --iterations 400 --optimiser adam --warm-start true",
    "--problem ridge-prior --method bsa --iterations 4000 --report-every 20",
    "--problem ridge-prior --method saba --iterations 20000 --report-every 50 --dtype f32",
    "--problem least-squares --method hoag --iterations 200 --dtype f32",
    "--problem quadratic --method gda --iterations 8000 --stage-iterations 2000 --report-every 40",
    "--problem random-quadratics --method soba --iterations 3000 --report-every 20",
    "--problem scalar --method bda --iterations 400 --dtype f32 --seed 7",
];

/// A campaign: the program, the number of kills, and the seed of their moments.
#[derive(Clone, Debug)]
pub struct Kills {
    /// The program.
    pub program: PathBuf,
    /// Kills in all.
    pub kills: usize,
    /// The seed of their moments; the processes' speed has a say in what they meet.
    pub seed: u64,
    /// The number of different runs, from the first on.
    pub kinds: usize,
}

/// What a campaign met.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Processes killed before they had ended.
    pub kills: usize,
    /// Runs that came to their end.
    pub runs: usize,
    /// Kills that no checkpoint was there at, so that the run began anew.
    pub before_first: usize,
    /// Kills while the next checkpoint was being written.
    pub torn: usize,
    /// Kills in the middle of a line of the trace.
    pub torn_lines: usize,
    /// What was not as in the run that was left alone, or was no clean end.
    pub differences: Vec<String>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "kills       {}", self.kills)?;
        writeln!(f, "  before the first checkpoint   {}", self.before_first)?;
        writeln!(f, "  while one was being written   {}", self.torn)?;
        writeln!(f, "  within a line of the trace    {}", self.torn_lines)?;
        writeln!(f, "runs        {}", self.runs)?;
        writeln!(f, "differences {}", self.differences.len())?;
        self.differences.iter().try_for_each(|d| writeln!(f, "{d}"))
    }
}

impl Kills {
    /// A campaign of all kinds of runs.
    pub fn new(program: impl Into<PathBuf>, kills: usize, seed: u64) -> Self {
        Kills {
            program: program.into(),
            kills,
            seed,
            kinds: RUNS.len(),
        }
    }

    /// Kills until there were enough kills, then lets the last run come to its end. `each` is told
    /// the kills so far.
    ///
    /// # Errors
    /// If the program cannot be started, or its folders not be read.
    pub fn run(&self, mut each: impl FnMut(usize)) -> io::Result<Summary> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut summary = Summary::default();
        let mut alone: Vec<Option<(Lines, Duration)>> = vec![None; self.kinds];
        for kind in (0..self.kinds).cycle() {
            let words = RUNS[kind];
            if alone[kind].is_none() {
                alone[kind] = Some(self.left_alone(words)?);
            }
            let (want, time) = alone[kind].as_ref().expect("made above");
            let found = self.survive(words, *time, &mut rng, &mut summary, &mut each)?;
            summary.runs += 1;
            match found {
                Err(complaint) => summary.differences.push(format!("{words}: {complaint}")),
                Ok(found) if found != *want => {
                    let place = (0..).find(|i| found.get(*i) != want.get(*i));
                    let place = place.unwrap_or_default();
                    let line = found.get(place);
                    summary
                        .differences
                        .push(format!("{words}: line {place} of the trace: {line:?}"));
                }
                Ok(_) => {}
            }
            if summary.kills >= self.kills {
                break;
            }
        }
        Ok(summary)
    }

    /// The trace of a run that nobody kills, and how long it takes.
    fn left_alone(&self, words: &str) -> io::Result<(Lines, Duration)> {
        let folder = TempDir::new()?;
        let started = Instant::now();
        let status = self.solve(words, folder.path())?.wait()?;
        let time = started.elapsed();
        // An iteration that failed is a result like another.
        assert!(
            matches!(status.code(), Some(0 | 1)),
            "{words} ended with {status}"
        );
        Ok((lines(folder.path())?, time))
    }

    /// Kills a run some times, until it comes to its end: its trace, or a complaint.
    fn survive(
        &self,
        words: &str,
        time: Duration,
        rng: &mut ChaCha8Rng,
        summary: &mut Summary,
        each: &mut impl FnMut(usize),
    ) -> io::Result<Result<Lines, String>> {
        let folder = TempDir::new()?;
        let dir = folder.path();
        let mut resume = false;
        for attempt in 0.. {
            let mut child = match resume {
                true => self.start("", "--resume", dir)?,
                false => self.solve(words, dir)?,
            };
            // Some moments shortly after the start; the last attempts are left alone.
            let share = rng.random_range(0.0..1.0f64);
            let share = if rng.random_bool(0.3) {
                0.1 * share
            } else {
                share
            };
            if attempt < 8 && summary.kills < self.kills {
                std::thread::sleep(time.mul_f64(share));
                child.kill()?;
            }
            let status = child.wait()?;
            if !was_killed(status) {
                return Ok(match status.code() {
                    Some(0 | 1) => Ok(lines(dir)?),
                    _ => Err(format!("attempt {attempt} ended with {status}")),
                });
            }
            summary.kills += 1;
            each(summary.kills);
            resume = dir.join("checkpoint").exists();
            summary.before_first += usize::from(!resume);
            summary.torn += usize::from(dir.join("checkpoint.tmp").exists());
            let trace = std::fs::read(dir.join("trace.jsonl")).unwrap_or_default();
            summary.torn_lines += usize::from(trace.last().is_some_and(|b| *b != b'\n'));
        }
        unreachable!("the last attempts are left alone")
    }

    fn solve(&self, words: &str, dir: &Path) -> io::Result<Child> {
        self.start(words, "--out", dir)
    }

    fn start(&self, words: &str, folder: &str, dir: &Path) -> io::Result<Child> {
        let mut command = Command::new(&self.program);
        command.arg("solve").args(words.split_whitespace());
        // So many checkpoints that kills meet some of them half written.
        command.args(["--checkpoint-every", "1", "--threads", "1", folder]);
        command.arg(dir).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn()
    }
}

/// Whether a process was ended by a signal.
fn was_killed(status: ExitStatus) -> bool {
    status.code().is_none()
}

/// A trace without its times, and the solution.
type Lines = Vec<Value>;

fn lines(dir: &Path) -> io::Result<Lines> {
    let text = std::fs::read_to_string(dir.join("trace.jsonl"))?;
    let timeless = |line: &str| {
        let mut value: Value = serde_json::from_str(line)?;
        if let Some(record) = value.as_object_mut() {
            record.remove("seconds");
        }
        Ok(value)
    };
    let mut lines = text.lines().map(timeless).collect::<io::Result<Lines>>()?;
    let solution = models::data::read_point(&dir.join("solution.npz"));
    let solution = solution.map_err(io::Error::other)?;
    lines.push(serde_json::json!({ "x": solution.x, "y": solution.y }));
    Ok(lines)
}
