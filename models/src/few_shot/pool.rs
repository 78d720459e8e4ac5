//! Samples that tasks draw from, and settings that fit them.

use super::FewShot;
use crate::data::{DataError, Samples, Splits};

/// What tasks to train on and tasks kept apart draw from.
pub(super) fn pools(splits: &Splits, settings: FewShot) -> Result<(Pool, Pool), DataError> {
    let (splits, classes) = splits.in_classes()?;
    let none = || splits.valid.subset(&[]);
    let test = splits.test.clone().unwrap_or_else(none);
    let train = splits.train.and(&splits.valid);
    Ok((
        Pool::of(train, classes, settings),
        Pool::of(test, classes, settings),
    ))
}

/// The settings as far as the samples allow.
pub(super) fn fitting(usual: FewShot, train: &Pool, test: &Pool) -> FewShot {
    // Fewer than two are refused.
    let ways = usual.ways.min(train.classes.len()).max(2);
    let enough = test.classes.len() >= ways;
    FewShot {
        ways,
        held_out: if enough { usual.held_out } else { 0 },
        ..usual
    }
}

/// What the tasks of a user's data are.
pub(super) fn said(settings: FewShot, train: &Pool, test: &Pool, classes: usize) -> String {
    let FewShot {
        ways,
        shots,
        queries,
        tasks,
        held_out,
        ..
    } = settings;
    let mut said = format!(
        "{tasks} tasks of {ways} ways, {shots} of each to fit and {queries} to judge by, and \
         {held_out} kept apart"
    );
    for (pool, samples) in [(train, "to train on"), (test, "to test")] {
        let found = pool.classes.len();
        if found < classes {
            let each = shots + queries;
            said += &format!(", {found} of {classes} classes have {each} samples {samples}");
        }
    }
    said
}

/// Samples that tasks draw from.
pub(super) struct Pool {
    pub(super) samples: Samples,
    /// The samples of each class that has as many as a task draws of it.
    pub(super) classes: Vec<Vec<usize>>,
}

impl Pool {
    pub(super) fn of(samples: Samples, classes: usize, settings: FewShot) -> Self {
        let mut of_class = vec![Vec::new(); classes];
        for (i, label) in samples.labels.iter().enumerate() {
            of_class[*label as usize].push(i);
        }
        of_class.retain(|of| of.len() >= settings.shots + settings.queries);
        Pool {
            samples,
            classes: of_class,
        }
    }

    /// Refuses settings that the samples are too few for.
    pub(super) fn serves(&self, settings: FewShot, file: &str) -> Result<(), DataError> {
        let (found, ways) = (self.classes.len(), settings.ways);
        if found >= ways {
            return Ok(());
        }
        let each = settings.shots + settings.queries;
        Err(DataError::Malformed {
            file: file.into(),
            place: "the classes".into(),
            found: format!("{found} of them with at least {each} samples to train on"),
            expected: format!(
                "at least {ways}: a task draws {each} samples of each of its classes"
            ),
        })
    }
}
