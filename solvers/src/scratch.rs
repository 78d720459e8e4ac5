//! Room for vectors, given by the caller.

use autodiff::{Meter, Real};

/// Room that is handed down a computation: who needs vectors takes them from it and hands on what is
/// left. What a computation says it needs and what it uses cannot part, and nothing is allocated.
///
/// The entries hold whatever was there before.
#[derive(Debug)]
pub struct Scratch<'a, T: Real> {
    entries: &'a mut [T],
    meter: &'a Meter,
}

impl<'a, T: Real> Scratch<'a, T> {
    /// Room of these entries, which are counted by who owns them. `meter` is for what a computation
    /// has to allocate itself, such as a library's matrices.
    pub fn new(entries: &'a mut [T], meter: &'a Meter) -> Self {
        Scratch { entries, meter }
    }

    /// `N` vectors of `n` entries, for as long as they are held.
    ///
    /// # Panics
    /// If that is more than there is room for.
    #[track_caller]
    pub fn vectors<const N: usize>(&mut self, n: usize) -> [&mut [T]; N] {
        self.split(n).0
    }

    /// `N` vectors of `n` entries, and the room that is left beside them.
    ///
    /// # Panics
    /// If that is more than there is room for.
    #[track_caller]
    pub fn split<const N: usize>(&mut self, n: usize) -> ([&mut [T]; N], Scratch<'_, T>) {
        let (entries, meter) = (&mut *self.entries, self.meter);
        Scratch { entries, meter }.take(n)
    }

    /// [`split`](Scratch::split) for as long as the room itself.
    ///
    /// # Panics
    /// If that is more than there is room for.
    #[track_caller]
    pub fn take<const N: usize>(self, n: usize) -> ([&'a mut [T]; N], Scratch<'a, T>) {
        let room = self.entries.len();
        assert!(
            N * n <= room,
            "{N} vectors of {n} entries: there is room for {room} entries"
        );
        let (taken, entries) = self.entries.split_at_mut(N * n);
        let mut rest = taken;
        let vectors = std::array::from_fn(|_| {
            let (vector, more) = std::mem::take(&mut rest).split_at_mut(n);
            rest = more;
            vector
        });
        let meter = self.meter;
        (vectors, Scratch { entries, meter })
    }

    /// The meter of what a computation allocates beside this room.
    pub fn meter(&self) -> &Meter {
        self.meter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_do_not_overlap_and_the_rest_is_beside_them() {
        let (mut entries, meter) = ([0.0; 7], Meter::new());
        let mut scratch = Scratch::new(&mut entries, &meter);
        let ([a, b], mut rest) = scratch.split(2);
        let [c] = rest.vectors(3);
        for (k, vector) in [a, b, c].into_iter().enumerate() {
            vector.fill(k as f64 + 1.0);
        }
        assert_eq!(entries, [1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 3.0]);
    }

    #[test]
    #[should_panic(expected = "2 vectors of 4 entries: there is room for 7 entries")]
    fn more_than_there_is_room_for_is_refused() {
        let (mut entries, meter) = ([0.0; 7], Meter::new());
        Scratch::new(&mut entries, &meter).vectors::<2>(4);
    }
}
