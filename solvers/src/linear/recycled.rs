//! Conjugate gradients that keep a small space from one system for the next.

use std::sync::Arc;

use autodiff::Real;
use autodiff::kernels::norm;

use crate::hypergradient::Room;

use super::cg::{Preconditioned, iterate};
use super::ritz::{Ritz, WINDOW};
use super::{LinearEntry, LinearSolver, Operator, Report, Scratch, Until, ends, scaled_residual};

/// Conjugate gradients, deflated by a space W that the last system left: recycled between the outer
/// steps of a run, along which systems change slowly.
///
/// W is spanned by Ritz vectors of H: those whose removal leaves the least spread among the others, be
/// they of the smallest or of the largest eigenvalues. H is another one in the next system, so HW is made
/// anew. Then the solution's part in W is found at once, and the residual is preconditioned by
/// `PᵀP + τ W E⁻¹ Wᵀ` with `P = I − HWE⁻¹Wᵀ` and `E = WᵀHW`. In exact arithmetic that is deflated CG, whose
/// search directions are conjugate to W; but rounding does not come back multiplied by ‖HW‖ ‖E⁻¹‖. While it
/// searches it collects new Ritz vectors from the products that are made anyway.
///
/// What is kept is the caller's, as a first guess is: [`At::kept`](crate::At::kept), or a run of
/// [`Descent`](crate::Descent), which saves it. It changes how many iterations a system takes, and no
/// solution. W need not fit the H it meets: what became dependent is left out, and any space of
/// positive curvature will do. A solve that met a flaw keeps nothing; neither does one that took no more
/// iterations than W would cost. Where W did not pay, as many systems are solved without it as after the
/// last such attempt, and as many again.
///
/// # Requirements on the problem
/// As [`Cg`](super::Cg). Negative or no curvature in W is reported as along a search direction; the
/// answer is then that of plain CG.
///
/// # Cost in oracle calls
/// As many Hessian-vector products as the rank, where there is a W and the first guess does not do;
/// then those of [`Cg`](super::Cg). `8 dim_y · rank` operations an iteration, and some
/// `16 dim_y · rank` for the Ritz vectors; seven times `dim_y · rank` scalars.
///
/// It pays where a few eigenvalues stand apart from the others and a system takes several times as many
/// iterations as the rank. Where eigenvalues are spread evenly, or are few with many eigenvectors each, it
/// saves less than W costs.
///
/// # Reference
/// Y. Saad, M. Yeung, J. Erhel and F. Guyomarc'h, A deflated version of the conjugate gradient algorithm,
/// SIAM Journal on Scientific Computing 21(5), 2000; the window of Ritz vectors after A. Stathopoulos and
/// K. Orginos, Computing and deflating eigenvalues while solving multiple right-hand side linear systems,
/// SIAM Journal on Scientific Computing 32(1), 2010; the symmetric form is the limited memory
/// preconditioner of S. Gratton, A. Sartenaer and J. Tshimanga, SIAM Journal on Optimization 21(3), 2011.
///
/// # Example
/// The second of two systems with six small eigenvalues:
/// ```
/// use autodiff::Meter;
/// use solvers::linear::{LinearSolver, Recycled, Scratch};
///
/// let solver = Recycled::new(6);
/// let meter = Meter::new();
/// let n = 200;
/// let mut kept = vec![0.0; LinearSolver::<f64>::kept(&solver, n)];
/// let mut room = vec![0.0; LinearSolver::<f64>::scratch(&solver, n)];
/// let mut iterations = Vec::new();
/// for system in 0..2 {
///     let mut h = |v: &[f64], out: &mut [f64]| {
///         for (k, (v, out)) in v.iter().zip(out).enumerate() {
///             let (i, one) = (k % n, 1.0 + (k % n) as f64 / n as f64);
///             let apart = if i < 6 { 10f64.powf(-5.0 + i as f64 / 2.0) } else { one };
///             *out = (apart + 1e-9 * system as f64) * v;
///         }
///     };
///     let (b, mut v) = (vec![1.0; n], vec![0.0; n]);
///     let scratch = &mut Scratch::new(&mut room, &meter);
///     let report = solver.solve_keeping(&mut h, &b, &mut v, &mut kept, scratch);
///     iterations.push(report.iterations);
/// }
/// assert!(2 * iterations[1] < iterations[0], "{iterations:?}");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recycled {
    rank: usize,
    until: Until,
}

impl Recycled {
    /// Keeps this many vectors, or `dim_y` if that is less. Relative residual 1e-10 (1e-5 in `f32`) and
    /// at most `4 dim_y + 100` iterations.
    pub fn new(rank: usize) -> Self {
        Recycled {
            rank,
            until: Until::default(),
        }
    }

    /// Vectors that are kept: fewer than four unknowns need none.
    fn vectors(&self, n: usize) -> usize {
        if n < 4 { 0 } else { self.rank.min(n) }
    }
}

ends!(Recycled);

/// What is kept beside the vectors: whether they paid.
const NOTES: usize = 3;

/// The longest pause between two systems that W is tried on, in systems.
const LONGEST: f64 = 64.0;

/// Whether W pays, as it is kept: in three numbers.
struct Notes<'k, T>(&'k mut [T]);

impl<T: Real> Notes<'_, T> {
    /// Whether W is to be used.
    fn are_good(&self) -> bool {
        self.0.first().is_none_or(|wait| !(wait.f64() > 0.0))
    }

    /// What a system took with a W of this many vectors. One that took as much as the last one without W is
    /// followed by a pause, which doubles each time.
    fn take(&mut self, iterations: usize, vectors: usize) {
        let [wait, pause, without] = &mut *self.0 else {
            return;
        };
        let cost = (iterations + vectors) as f64;
        if vectors == 0 {
            *without = T::of(cost);
            *wait = T::of((wait.f64() - 1.0).max(0.0));
        } else if cost < without.f64() {
            *pause = T::zero();
        } else {
            *pause = T::of((2.0 * pause.f64()).clamp(1.0, LONGEST));
            *wait = *pause;
        }
    }
}

impl<T: Real> LinearSolver<T> for Recycled {
    fn name(&self) -> &'static str {
        "recycled-cg"
    }

    fn tolerance(&self) -> f64 {
        self.until.tolerance::<T>()
    }

    fn complaint(&self) -> Option<String> {
        let none = (self.rank == 0).then(|| "rank 0: expected at least 1".to_owned());
        none.or_else(|| super::positive("tolerance", LinearSolver::<T>::tolerance(self)))
    }

    fn scratch(&self, n: usize) -> usize {
        5 * n + Ritz::<T>::entries(n, (1 + WINDOW) * self.vectors(n))
    }

    fn kept(&self, n: usize) -> usize {
        match self.vectors(n) {
            0 => 0,
            vectors => n * vectors + NOTES,
        }
    }

    fn room(&self, n: usize) -> Room {
        let kept = LinearSolver::<T>::kept(self, n) * size_of::<T>();
        Room {
            bytes: LinearSolver::<T>::bytes(self, n) + kept,
            less: "a smaller rank, or aid-cg",
            ..Room::default()
        }
    }

    /// Plain [`Cg`](super::Cg): nothing was kept.
    fn solve(
        &self,
        h: &mut dyn Operator<T>,
        b: &[T],
        v: &mut [T],
        scratch: &mut Scratch<'_, T>,
    ) -> Report {
        self.solve_keeping(h, b, v, &mut [], scratch)
    }

    #[inline(never)]
    fn solve_keeping(
        &self,
        h: &mut dyn Operator<T>,
        b: &[T],
        v: &mut [T],
        kept: &mut [T],
        scratch: &mut Scratch<'_, T>,
    ) -> Report {
        let n = b.len();
        let until = self.until.of::<T>(n);
        let ([r, z, p, hp, best], rest) = scratch.split(n);
        let Some(scale) = scaled_residual(h, b, v, r) else {
            return Report::OF_ZERO;
        };
        let vectors = if kept.is_empty() { 0 } else { self.vectors(n) };
        let (kept, notes) = kept.split_at_mut(n * vectors);
        let mut notes = Notes(notes);
        let mut ritz = Ritz::new(n, vectors, rest);
        let mut flaw = None;
        if notes.are_good() && norm(r).f64() > until.0 {
            flaw = ritz.recall(h, kept);
        }
        let (mut space, mut window) = ritz.split();
        space.take_from(r, v);
        let is_there = space.count > 0;
        let mut inverse = |r: &[T], z: &mut [T]| space.precondition(r, z);
        let preconditioned = is_there.then_some(Preconditioned {
            inverse: &mut inverse,
            z,
        });
        let mut collecting = |p: &[T], hp: &mut [T]| {
            h.apply(p, hp);
            window.see(p, hp);
        };
        let vectors = [r, p, hp, best];
        let report = iterate(&mut collecting, v, vectors, until, preconditioned);
        v.iter_mut().for_each(|v| *v *= scale);
        let (count, used) = (window.count, space.count);
        if count > 0 {
            notes.take(report.iterations, used);
        }
        let outcome = flaw.unwrap_or_else(|| ritz.left(count, report, kept));
        if outcome.flaw().is_some() {
            kept.fill(T::zero());
            notes.0.fill(T::zero());
        }
        Report { outcome, ..report }
    }
}

/// The rank of `aid-recycled-cg` unless it is given.
const RANK: usize = 8;

/// The name `aid-recycled-cg`.
pub(super) fn entry<T: Real>() -> LinearEntry<T> {
    let about = "aid-cg, deflated by 8 vectors that the last system left; aid-recycled-cg:RANK";
    LinearEntry::new("aid-recycled-cg[:RANK]", about, &["tolerance"], |call| {
        Ok(Arc::new(Recycled {
            rank: call.count()?.unwrap_or(RANK),
            until: Until::to(call.settings.tolerance),
        }))
    })
    .descent("aid-cg, deflated by what the last steps left; aid-recycled-cg:RANK vectors")
}
