//! Lower levels of the samples of a batch, shared out among ranks: each solves those of its share, and
//! all exchange what came of it.

use autodiff::{Real, Sweeps, ranks};

use crate::Status;
use crate::certificate::Certificate;
use crate::method::State;

use super::{Inexact, Met};

/// Numbers beside vectors: whether the solves ended as they should, whether there is a certificate, its
/// four numbers, and the sweeps of both levels.
const HEAD: usize = 12;

/// What ranks found of the samples of a batch.
pub(super) struct Shared {
    all: Vec<f64>,
    /// Numbers of each sample.
    len: usize,
    /// How the solves of this rank's samples ended, with their warnings.
    mine: Vec<(Met, Vec<String>)>,
    first: usize,
}

/// Whether ranks share the samples of a batch out: those that come twice are solved one after the other.
pub(super) fn are_shared(batch: &[usize]) -> bool {
    let once = batch.windows(2).all(|pair| pair[0] != pair[1]);
    once && (2..=batch.len()).contains(&ranks::size())
}

fn sweeps(of: &[f64]) -> Sweeps {
    let mut sweeps = Sweeps::default();
    [sweeps.values, sweeps.gradients, sweeps.hvps] = [0, 1, 2].map(|k| of[k] as usize);
    sweeps
}

impl<T: Real> Inexact<T> {
    fn sweeps(&self) -> [Sweeps; 2] {
        [&self.batches.upper, &self.batches.lower].map(|level| level.sweeps())
    }

    /// Solves this rank's share of the batch drawn last, and exchanges it.
    pub(super) fn share(&mut self, s: &mut State<'_, T>, certified: bool) -> Shared {
        let batch = self.batches.upper.batch().to_vec();
        let (block, dim_x) = (self.implicit.q.len(), s.x.len());
        let len = HEAD + 2 * block + dim_x;
        let mine = ranks::share(batch.len(), ranks::rank(), ranks::size());
        let (mut all, mut ends) = (vec![0.0; batch.len() * len], Vec::new());
        for i in mine.clone() {
            let (before, told) = (self.sweeps(), s.warnings.len());
            let met = ranks::alone(|| self.sample(s, Some(batch[i]), certified));
            let warnings = s.warnings.split_off(told);
            let (head, vectors) = all[i * len..][..len].split_at_mut(HEAD);
            let plain = matches!(met.0, Status::Converged) && warnings.is_empty();
            head[0] = f64::from(u8::from(plain));
            if let Some(c) = &met.1 {
                head[1] = 1.0;
                head[2..6].copy_from_slice(&c.parts());
            }
            let made = self.sweeps();
            for (head, (made, before)) in head[6..].chunks_mut(3).zip(made.iter().zip(before)) {
                let new = *made - before;
                head.copy_from_slice(&[new.values, new.gradients, new.hvps].map(|n| n as f64));
            }
            let place = batch[i] * block..(batch[i] + 1) * block;
            let parts = [
                &s.y.as_slice()[place.clone()],
                &self.batches.v[place],
                &self.implicit.z,
            ];
            let numbers = parts.into_iter().flatten();
            vectors
                .iter_mut()
                .zip(numbers)
                .for_each(|(to, v)| *to = v.f64());
            ends.push((met, warnings));
        }
        let counts = (0..ranks::size()).map(|rank| ranks::share(batch.len(), rank, ranks::size()));
        let counts: Vec<usize> = counts.map(|of| of.len() * len).collect();
        Shared {
            all: ranks::exchange(&counts, all),
            len,
            mine: ends,
            first: mine.start,
        }
    }

    /// Puts what was found of sample `i` of the batch where [`sample`](Inexact::sample) leaves it. What did
    /// not end as it should, every rank sees for itself.
    pub(super) fn take(
        &mut self,
        shared: &mut Shared,
        s: &mut State<'_, T>,
        i: usize,
        certified: bool,
    ) -> Met {
        let sample = self.batches.upper.batch()[i];
        let (head, vectors) = shared.all[i * shared.len..][..shared.len].split_at(HEAD);
        let own = i
            .checked_sub(shared.first)
            .and_then(|k| shared.mine.get_mut(k));
        if own.is_none() && head[0] == 0.0 {
            return ranks::alone(|| self.sample(s, Some(sample), certified));
        }
        let block = self.implicit.q.len();
        let place = sample * block..(sample + 1) * block;
        let (y, rest) = vectors.split_at(block);
        let (q, z) = rest.split_at(block);
        let copy = |to: &mut [T], from: &[f64]| {
            to.iter_mut().zip(from).for_each(|(to, v)| *to = T::of(*v));
        };
        copy(&mut s.y.as_mut_slice()[place.clone()], y);
        copy(&mut self.batches.v[place], q);
        copy(&mut self.implicit.z, z);
        if let Some((met, warnings)) = own {
            s.warnings.append(warnings);
            return met.clone();
        }
        self.batches.upper.add_sweeps(sweeps(&head[6..]));
        self.batches.lower.add_sweeps(sweeps(&head[9..]));
        let certificate =
            (head[1] > 0.0).then(|| Certificate::of_parts([head[2], head[3], head[4], head[5]]));
        (Status::Converged, certificate)
    }
}
