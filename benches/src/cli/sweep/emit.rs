//! Scripts that make a sweep in parts, by what is on the machine: to be edited, and not read again.

use std::path::Path;

use autodiff::bytes::parse_bytes;
use clap::ValueEnum;

use super::Args;
use crate::cli::args::Common;
use crate::cli::failure::{Failure, input};
use crate::cli::output::prepare;

/// What starts the parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Batch {
    Slurm,
    Parallel,
    Hyperqueue,
}

/// As many tasks as SLURM takes in an array unless its `MaxArraySize` is raised.
const MOST_TASKS: usize = 1000;

/// The script. Messages of its tasks go to a folder beside the runs, which is made.
pub(super) fn script(
    batch: Batch,
    args: &Args,
    runs: usize,
    dir: &Path,
    common: &Common,
) -> Result<String, Failure> {
    let tasks = args.shards.unwrap_or(runs.min(MOST_TASKS));
    if batch == Batch::Slurm && tasks > MOST_TASKS {
        eprintln!(
            "warning: SLURM takes arrays of {MOST_TASKS} tasks unless its MaxArraySize is raised: \
             `scontrol show config` tells"
        );
    }
    let [program] = &common.itself[..] else {
        let reason =
            "--emit: the tasks start the program by its path: expected it to be called by that";
        return Err(Failure::Input(reason.into()));
    };
    let program = Path::new(program);
    let messages = dir.join("messages");
    prepare(&messages)?;
    let [program, file, out, messages] = [program, &args.file, dir, &messages].map(word);
    let (program, file, out, messages) = (program?, file?, out?, messages?);
    let (jobs, threads) = (args.jobs.unwrap_or(1), common.threads.unwrap_or(1));
    let mut settings = format!("--dtype {}", common.dtype.name());
    if threads > 1 {
        settings += &format!(" --threads {threads}");
    }
    let mut own = format!("--jobs {jobs}");
    let mut memory = String::new();
    if let Some(bytes) = &args.memory {
        own += &format!(" --memory {bytes}");
        let mib = parse_bytes(bytes).map_err(input)?.div_ceil(1 << 20);
        memory = format!("#SBATCH --mem={mib}M\n");
    }
    let arguments = format!("sweep {file} --out {out} {settings}");
    let sweep = format!("\"$bilevel\" {arguments}");
    let collect = format!("{program} {arguments} --collect");
    let (last, cores) = (tasks - 1, jobs * threads);
    let about = format!(
        "# {runs} runs in {tasks} tasks. Made again it goes on: what is over stays, what was begun \
         is resumed.\nbilevel={program}\n"
    );
    Ok(match batch {
        Batch::Slurm => format!(
            r#"#!/bin/bash
# Submit it with sbatch. Then, whatever came of its tasks, the summary and the page:
#   {collect}
# or as a job, after the number that sbatch says: sbatch --dependency=afterany:NUMBER --wrap=…
#SBATCH --job-name=bilevel-sweep
#SBATCH --array=0-{last}
#SBATCH --cpus-per-task={cores}
#SBATCH --time=01:00:00
{memory}#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output={pattern}/%a.out
{about}# How often a task is queued again: one that makes no way in its time would be for ever.
most=100
srun --ntasks=1 --cpus-per-task={cores} \
    {sweep} {own} --shard "$SLURM_ARRAY_TASK_ID/{tasks}"
code=$?
# 130, 143: stopped by a signal, with a checkpoint.
if [ $code = 143 ] || [ $code = 130 ]; then
    if [ "${{SLURM_RESTART_COUNT:-0}}" -lt $most ]; then
        scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID" && sleep 60
    fi
fi
exit $code
"#,
            pattern = messages.replace('%', "%%"),
        ),
        Batch::Parallel => format!(
            r#"#!/bin/bash
# On other machines too, with the same folders: add --sshloginfile HOSTS --workdir .
{about}# As many tasks at a time as there are cores for; quoted, since names may have spaces.
parallel --quote --jobs {percent}% --results {messages}/{{}} \
    {sweep} {own} --shard {{}}/{tasks} ::: $(seq 0 {last}) > {messages}/all
{sweep} --collect
"#,
            percent = (100 / cores).max(1),
        ),
        Batch::Hyperqueue => format!(
            r#"#!/bin/bash
# Needs `hq server start`, and `hq worker start` or `hq alloc add slurm`. A worker that comes to its
# end stops its tasks with checkpoints, and others go on with them.
{about}hq submit --name bilevel-sweep --array 0-{last} --cpus {cores} --crash-limit unlimited --wait \
    --stdout {messages}/'%{{TASK_ID}}.out' --stderr {messages}/'%{{TASK_ID}}.err' \
    bash -c {task}
{sweep} --collect
"#,
            task = quoted(&format!(
                "{program} {arguments} {own} --shard $HQ_TASK_ID/{tasks}"
            )),
        ),
    })
}

/// A path as a word of the shell.
fn word(path: &Path) -> Result<String, Failure> {
    match path.to_str() {
        Some(text) if !text.contains(char::is_control) => Ok(quoted(text)),
        _ => Err(Failure::Input(format!(
            "{}: does not fit into a script: expected a name of plain letters",
            path.display()
        ))),
    }
}

fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=,+:@%".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_of_the_shell() {
        assert_eq!(quoted("a/b-1.toml"), "a/b-1.toml");
        assert_eq!(quoted("my sweep"), "'my sweep'");
        assert_eq!(quoted("it's $1"), r"'it'\''s $1'");
        assert_eq!(quoted(""), "''");
        assert!(word(Path::new("two\nlines")).is_err());
    }
}
