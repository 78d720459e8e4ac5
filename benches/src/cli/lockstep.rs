//! Ranks that go on together: after each record they hold their numbers against each other's, and they
//! stop together.

use autodiff::{Real, ranks};
use serde_json::Value;
use study::solve::Session;

use super::signals::{Caught, named};

/// Has ranks hold against each other what they were asked to do: sums of other data or settings would be
/// added up all the same. Threads are each one's own, and files may have other names.
pub(super) fn begin(header: &Value) {
    let mut asked = header["header"].clone();
    for own in ["threads", "data", "point"] {
        asked.as_object_mut().map(|fields| fields.remove(own));
    }
    for file in ["data", "point"] {
        let mark = asked["fingerprints"][file].as_object_mut();
        mark.map(|mark| mark.remove("path"));
    }
    ranks::witness(asked.to_string().as_bytes());
    ranks::meet();
}

/// The signal that some rank has caught, as signals reach them in different iterations.
///
/// Ranks that have come to different x or y end there, and are named: [`ranks::gather`].
pub(super) fn agree<T: Real>(session: &Session<'_, T>, caught: Option<Caught>) -> Option<Caught> {
    if ranks::size() == 1 {
        return caught;
    }
    for reached in session.reached() {
        ranks::witness(reached.as_slice());
    }
    let mut all = vec![0u8; ranks::size()];
    all[ranks::rank()] = caught.map_or(0, |(signal, _)| signal);
    ranks::gather(&vec![1; ranks::size()], &mut all);
    let signal = all.into_iter().max().unwrap_or(0);
    named(signal.into())
}
