//! The loops that a workspace keeps between calls.

use autodiff::unroll::{Step, Unrolled};
use autodiff::{Meter, Point, Real, Sweeps};

use crate::inner::InnerStep;
use crate::{Oracles, Schedule};

/// What a recorded loop depends on beside its problem.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Key {
    /// Steps of the problem's own.
    Own,
    /// Steps of a kind along ∇_y g, of this length.
    Gradient(InnerStep, f64),
    /// Steps of a kind along both levels, of these lengths, in this outer iteration if it matters.
    Joint(InnerStep, Schedule, [f64; 2], Option<usize>),
}

/// The loop recorded last, and the sweeps inside those before it.
#[derive(Debug)]
pub(crate) struct Loops<T: Real> {
    latest: Option<(Key, Unrolled<T>)>,
    past: Oracles,
    meter: Meter,
}

impl<T: Real> Loops<T> {
    pub(crate) fn new(meter: &Meter) -> Self {
        Loops {
            latest: None,
            past: Oracles::default(),
            meter: meter.clone(),
        }
    }

    /// Takes the loop of this key, recorded unless it is the last one; to be
    /// [`put`](Loops::put) back. The points are those of both levels.
    pub(crate) fn take(
        &mut self,
        key: &Key,
        levels: [&Point<T>; 2],
        record: impl FnOnce() -> Step<T>,
    ) -> Unrolled<T> {
        match self.latest.take() {
            Some((k, unrolled)) if k == *key => unrolled,
            other => {
                if let Some((_, old)) = other {
                    self.past += inside(&old, levels);
                }
                Unrolled::new(record(), &self.meter)
            }
        }
    }

    /// Keeps a loop for the next call that asks for `key`.
    pub(crate) fn put(&mut self, key: Key, unrolled: Unrolled<T>) {
        self.latest = Some((key, unrolled));
    }

    /// The loop that was put back last.
    pub(crate) fn latest(&mut self) -> Option<&mut Unrolled<T>> {
        self.latest.as_mut().map(|(_, unrolled)| unrolled)
    }

    /// Sweeps of both levels inside all loops.
    pub(crate) fn oracles(&self, levels: [&Point<T>; 2]) -> Oracles {
        let mut total = self.past;
        if let Some((_, unrolled)) = &self.latest {
            total += inside(unrolled, levels);
        }
        total
    }

    pub(crate) fn past(&self) -> Oracles {
        self.past
    }

    pub(crate) fn set_past(&mut self, past: Oracles) {
        self.past = past;
    }
}

fn inside<T: Real>(unrolled: &Unrolled<T>, [upper, lower]: [&Point<T>; 2]) -> Oracles {
    let of = |p: &Point<T>| -> Sweeps { unrolled.sweeps_of(p.program()) };
    Oracles {
        upper: of(upper),
        lower: of(lower),
    }
}
