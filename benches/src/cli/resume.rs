//! `bilevel solve --resume`: what the run in a folder is, and whether the arguments agree with it.

use std::path::{Path, PathBuf};

use autodiff::ranks;

use super::args::{Common, Dtype, ProblemArgs};
use super::failure::{Failure, input};
use super::out_folder::{same_folder, take};
use super::solve;
use crate::catalogue::methods;
use crate::catalogue::settings::{Given, SolveSettings};
use crate::runs::checkpoint::{Checkpoint, FileMark, Origin};
use crate::runs::run_folder::{CHECKPOINT, FolderError, RunFolder};

/// A run to be begun, or to go on.
pub(super) struct Task {
    pub(super) args: solve::Args,
    pub(super) common: Common,
    pub(super) settings: SolveSettings,
    /// Where it goes on; of several ranks the first has the folder.
    pub(super) from: Option<(Option<RunFolder>, Checkpoint)>,
}

/// What a run follows from.
pub(super) fn origin(
    args: &solve::Args,
    common: &Common,
    settings: &SolveSettings,
) -> Result<Origin, Failure> {
    Ok(Origin {
        problem: args.problem.problem.clone(),
        method: args.method.clone(),
        data: mark("data", args.problem.data.as_deref(), common)?,
        point: mark("point", args.problem.point.as_deref(), common)?,
        bias: args.problem.bias,
        large: args.problem.large,
        seed: common.seed,
        dtype: common.dtype.name().into(),
        settings: settings.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
    })
}

/// The mark of a file, or of the files of a pair or folder. A pipe can be read but once, so no run
/// that it is of could go on.
pub(super) fn mark(
    what: &str,
    file: Option<&Path>,
    common: &Common,
) -> Result<Option<FileMark>, Failure> {
    let Some(file) = file else {
        return Ok(None);
    };
    let unread = |e| Failure::Input(format!("{}: cannot be read: {e}", file.display()));
    let files = models::data::files(file).map_err(unread)?;
    if !files.iter().all(|file| file.is_file()) {
        let name = file.display();
        let reason = format!(
            "--{what} {name}: is no regular file, so that the run could not go on from --out: \
             expected a file, or no --out"
        );
        return match common.out {
            Some(_) => Err(Failure::Input(reason)),
            None => Ok(None),
        };
    }
    FileMark::of(file).map(Some).map_err(unread)
}

/// The run in a folder, which is to go on; `None`, and a word on it, if it is over.
pub(super) fn from_folder(
    dir: &Path,
    args: &solve::Args,
    common: &Common,
    given: Given,
) -> Result<Option<Task>, Failure> {
    if common.force {
        let reason = "--force: a run that goes on is not overwritten: expected --resume alone";
        return Err(Failure::Input(reason.into()));
    }
    if !dir.is_dir() {
        let dir = dir.display();
        let reason = format!("--resume {dir}: expected the folder of a run of `solve --out`");
        return Err(Failure::Input(reason));
    }
    let (folder, checkpoint) = read(dir)?;
    let origin = &checkpoint.origin;
    let refuse = |reason: String| Failure::Input(format!("--resume {}: {reason}", dir.display()));
    disagreement(args, common, &given, origin).map_or(Ok(()), |reason| Err(refuse(reason)))?;
    if let Some(out) = common.out.as_deref()
        && !same_folder(out, dir)
    {
        let reason = format!("--out {}: expected none, or this folder", out.display());
        return Err(refuse(reason));
    }
    let data = file("data", args.problem.data.as_deref(), &origin.data).map_err(refuse)?;
    let point = file("point", args.problem.point.as_deref(), &origin.point).map_err(refuse)?;
    let mut settings = origin.settings.clone();
    let (all, asked) = (settings.method.iterations(), given.settings.iterations);
    let longer = asked.filter(|asked| *asked > all);
    if let Some(end) = &checkpoint.finished
        && (longer.is_none() || end.iteration < all)
    {
        let (dir, made) = (dir.display(), end.iteration);
        match made < all {
            _ if ranks::rank() > 0 => {}
            true => eprintln!(
                "the run in {dir} is finished: it ended by itself after iteration {made} of {all}"
            ),
            false => eprintln!(
                "the run in {dir} is finished, after iteration {made}: a larger --iterations makes \
                 it longer"
            ),
        }
        return match &end.failure {
            None => Ok(None),
            Some(failure) => Err(Failure::Numerical(failure.clone())),
        };
    }
    if let Some(longer) = longer {
        let over = methods::find(&origin.method).and_then(|entry| entry.over_the_run);
        if let Some(key) = over.filter(|key| settings.method.get(key).is_none()) {
            return Err(refuse(format!(
                "--iterations {longer}: what follows from the number of iterations of `{}` was made \
                 for {all}: expected a run of its own, or one that was begun with --{}",
                origin.method,
                key.replace('_', "-")
            )));
        }
        settings.method.iterations = Some(longer);
    }
    let problem = ProblemArgs {
        problem: origin.problem.clone(),
        data,
        given: origin.settings.problem,
        point,
        bias: origin.bias,
        large: origin.large,
    };
    Ok(Some(Task {
        args: solve::Args {
            problem,
            method: origin.method.clone(),
            ..args.clone()
        },
        common: Common {
            seed: origin.seed,
            dtype: match origin.dtype.as_str() {
                "f32" => Dtype::F32,
                _ => Dtype::F64,
            },
            out: Some(dir.to_owned()),
            ..common.clone()
        },
        settings,
        from: Some((folder, checkpoint)),
    }))
}

/// A folder with its checkpoint, which the first of several ranks reads for all.
fn read(dir: &Path) -> Result<(Option<RunFolder>, Checkpoint), Failure> {
    let empty = || input(FolderError::Empty(dir.to_owned()));
    if ranks::rank() > 0 {
        let bytes = ranks::broadcast(Vec::new());
        return Ok((None, Checkpoint::from_bytes(&bytes).map_err(input)?));
    }
    // First without the lock, which is a file: a folder that holds no run is left as it is.
    if !dir.join(CHECKPOINT).exists() {
        return Err(empty());
    }
    let folder = take(dir)?;
    let checkpoint = folder.checkpoint().map_err(input)?.ok_or_else(empty)?;
    if ranks::size() > 1 {
        ranks::broadcast(checkpoint.to_bytes());
    }
    Ok((Some(folder), checkpoint))
}

/// The first thing on the command line that is not as in the run, in words.
fn disagreement(
    args: &solve::Args,
    common: &Common,
    given: &Given,
    origin: &Origin,
) -> Option<String> {
    let differ = |what: &str, here: &str, there: &str| {
        (here != there).then(|| format!("the run has {what} {there}, not {here}"))
    };
    let word = |what: &str, here: &str, there: &str| match here {
        "" => None,
        here => differ(what, here, there),
    };
    let given_here = |flag: &str| common.given.iter().any(|given| given == flag);
    let (seed, there) = (common.seed.to_string(), origin.seed.to_string());
    let dtype = common.dtype.name();
    word("version", env!("CARGO_PKG_VERSION"), &origin.version)
        .or(word("problem", &args.problem.problem, &origin.problem))
        .or(word("method", &args.method, &origin.method))
        .or(differ("seed", &seed, &there).filter(|_| given_here("seed")))
        .or(differ("dtype", dtype, &origin.dtype).filter(|_| given_here("dtype")))
        .or((args.problem.bias && !origin.bias).then(|| "the run has no --bias".into()))
        .or((args.problem.large && !origin.large).then(|| "the run has no --large".into()))
        .or_else(|| {
            let asked = given.settings.iterations;
            // It is made longer.
            let longer = asked.is_some_and(|asked| asked > origin.settings.method.iterations());
            let mut rest = given.clone();
            rest.settings.iterations = asked.filter(|_| !longer);
            let differs = differing_setting(&rest, origin)?;
            let less = differs.starts_with("iterations");
            let expected = if less { ": expected none, or more" } else { "" };
            Some(format!("the run has {differs}{expected}"))
        })
}

/// The first setting that is given and not as in the run, in words.
pub(super) fn differing_setting(given: &Given, origin: &Origin) -> Option<String> {
    let plain = "settings are plain data";
    let here = serde_json::to_value(given).expect(plain);
    let there = serde_json::to_value(&origin.settings).expect(plain);
    let here = here.as_object().expect("settings are a struct");
    here.iter()
        .filter(|(key, value)| !value.is_null() && **value != there[key.as_str()])
        .map(|(key, value)| format!("{key} {}, not {value}", there[key.as_str()]))
        .next()
}

/// Where a file of the run is: where the arguments say, or where it was; with the same contents.
fn file(
    what: &str,
    given: Option<&Path>,
    then: &Option<FileMark>,
) -> Result<Option<PathBuf>, String> {
    let Some(then) = then else {
        return match given {
            None => Ok(None),
            Some(file) => Err(format!("the run has no --{what}, not {}", file.display())),
        };
    };
    let path = given.unwrap_or(&then.path);
    let name = path.display();
    let now = FileMark::of(path).map_err(|e| format!("--{what} {name}: cannot be read: {e}"))?;
    match now.same_contents(then) {
        true => Ok(Some(path.to_owned())),
        false => Err(format!(
            "--{what} {name}: is not the file that the run has read, of {} bytes and CRC-32 {:08x}",
            then.bytes, then.crc32
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_what_is_in_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let [one, same, other] = ["one", "same", "other"].map(|name| dir.path().join(name));
        for (path, text) in [(&one, "1 2\n"), (&same, "1 2\n"), (&other, "1 3\n")] {
            std::fs::write(path, text).expect("a writable folder");
        }
        let then = Some(FileMark::of(&one).expect("readable"));
        assert_eq!(file("data", None, &then), Ok(Some(one.clone())));
        assert_eq!(file("data", Some(&same), &then), Ok(Some(same.clone())));
        let refused = file("data", Some(&other), &then).unwrap_err();
        assert!(refused.contains("is not the file"), "{refused}");
        assert!(file("data", Some(&one), &None).is_err());
        // Either file of a pair.
        let pair = |a: &Path, b: &Path| PathBuf::from(format!("{},{}", a.display(), b.display()));
        let both = Some(FileMark::of(&pair(&one, &other)).expect("readable"));
        assert!(file("data", Some(&pair(&same, &other)), &both).is_ok());
        for (a, b) in [(&other, &other), (&one, &one), (&other, &one)] {
            let refused = file("data", Some(&pair(a, b)), &both).unwrap_err();
            assert!(refused.contains("is not the file"), "{refused}");
        }
        assert_eq!(file("data", None, &None), Ok(None));
        std::fs::remove_file(&one).expect("a writable folder");
        let refused = file("data", None, &then).unwrap_err();
        assert!(refused.contains("cannot be read"), "{refused}");
    }
}
