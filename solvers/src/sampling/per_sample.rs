//! Problems with one lower level for each sample.

use std::sync::Arc;

use autodiff::{Real, Sampled, Var, Weighted};

use crate::{Bilevel, ProblemError};

/// Two objectives whose sample i reads block i of y alone, as functions of their own blocks: for a
/// batch, y holds one block for each of its samples, in its order.
#[derive(Clone)]
pub(crate) struct PerSample<T: Real> {
    pub(crate) upper: Arc<dyn Sampled<T>>,
    pub(crate) lower: Arc<dyn Sampled<T>>,
    /// Entries of a block.
    pub(crate) block: usize,
}

/// Such an objective as a function of all blocks.
struct OfAllBlocks<T: Real> {
    own: Arc<dyn Sampled<T>>,
    block: usize,
}

impl<T: Real> Sampled<T> for OfAllBlocks<T> {
    fn samples(&self) -> usize {
        self.own.samples()
    }

    fn record<'r>(&self, x: Var<'r, T>, y: Var<'r, T>, batch: &[usize]) -> Var<'r, T> {
        let samples = self.own.samples();
        if batch.iter().copied().eq(0..samples) {
            return self.record_all(x, y);
        }
        let blocks = batch.iter().map(|i| y.slice(i * self.block, self.block));
        let blocks: Vec<Var<'r, T>> = blocks.collect();
        self.own.record(x, blocks[0].concat(&blocks[1..]), batch)
    }
}

/// At most this many leaves, whatever the machine.
const LEAVES: usize = 64;

impl<T: Real> OfAllBlocks<T> {
    /// The mean over all samples as a sum of leaves of consecutive samples, which depend on their number
    /// alone.
    fn record_all<'r>(&self, x: Var<'r, T>, y: Var<'r, T>) -> Var<'r, T> {
        let (samples, block) = (self.own.samples(), self.block);
        let all: Vec<usize> = (0..samples).collect();
        let leaves = all.chunks(samples.div_ceil(LEAVES)).map(|batch| {
            let entries = batch.len() * block;
            let leaf = self.own.program(x.len(), entries, batch);
            let weight = T::of(batch.len() as f64 / samples as f64);
            (leaf, weight, vec![x, y.slice(batch[0] * block, entries)])
        });
        let leaves: Vec<_> = leaves.collect();
        // What is no objective is told by who records it.
        let are = |(of, ..): &Weighted<'r, T>| of.output_shape().is_scalar() && !of.has_gradients();
        match samples > 1 && leaves.iter().all(are) {
            true => Var::sum_of_leaves(&leaves),
            false => self.own.record(x, y, &all),
        }
    }
}

impl<T: Real> Bilevel<T> {
    /// The problem of n samples with a lower level each:
    /// `F = mean f_i(x, y_i)`, `g = mean g_i(x, y_i)`, y = (y_0, …, y_{n−1}) with blocks of `block`
    /// entries.
    ///
    /// The objectives are recorded for a batch with y holding one block for each of its samples, in
    /// its order. [`Isgd`](crate::Isgd) then works on the blocks of a batch alone; everything else
    /// runs on it as on any [`sampled`](Bilevel::sampled) problem with y of `n · block` entries.
    ///
    /// # Errors
    /// See [`ProblemError`].
    pub fn per_sample(
        upper: impl Sampled<T> + 'static,
        lower: impl Sampled<T> + 'static,
        dim_x: usize,
        block: usize,
    ) -> Result<Self, ProblemError> {
        let (n, m) = (upper.samples(), lower.samples());
        if n != m {
            return Err(ProblemError::SamplesDiffer { upper: n, lower: m });
        }
        let own = PerSample {
            upper: Arc::new(upper),
            lower: Arc::new(lower),
            block,
        };
        let all = |own: &Arc<dyn Sampled<T>>| OfAllBlocks {
            own: own.clone(),
            block,
        };
        // Without samples or entries, the error says so before y is made.
        let dim_y = if n == 0 { block } else { n * block };
        let mut problem = Self::sampled(all(&own.upper), all(&own.lower), dim_x, dim_y)?;
        problem.samples.own = Some(own);
        Ok(problem)
    }

    /// The number of lower levels that y is made of, in blocks of equal length; 1 unless the problem
    /// was made [`per_sample`](Bilevel::per_sample).
    pub fn blocks(&self) -> usize {
        self.samples.own.as_ref().map_or(1, |_| self.samples().0)
    }
}
