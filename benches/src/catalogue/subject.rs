//! A task of the catalogue as what is studied.

use autodiff::Real;
use models::Task;
use study::Subject;

/// The problem of a task at its start, with all that the task knows about it.
pub fn subject<T: Real>(task: &Task<T>) -> Subject<'_, T> {
    let mut subject = Subject::new(task.name, &task.bilevel, task.x.clone());
    if let Some(known) = &task.known {
        subject = subject.with_closed_form((known.hypergradient)(&task.x));
    }
    if let Some(bounds) = task.bounds {
        subject = subject.with_bounds(bounds);
    }
    for name in task.percent() {
        subject = subject.with_percent(name);
    }
    subject.with_metrics(|x, y| {
        let measured = task.measure(x, y).into_iter();
        measured.map(|(name, v)| (name.to_owned(), v)).collect()
    })
}
