//! Linear solvers for `H v = b` with an H that is known by its products, symmetric unless a solver
//! says otherwise.

pub(crate) mod approximate;
mod block;
mod cg;
mod common;
pub(crate) mod dense;
mod direct;
mod fixed_point;
mod gmres;
mod jacobi;
mod low_rank;
mod minres;
mod neumann;
mod nystrom;
mod one_step;
mod outcome;
mod pcg;
mod recycled;
mod ritz;
mod small;
mod stationary;
pub(crate) mod system;
mod until;

pub use cg::Cg;
pub(crate) use common::largest_magnitude;
use common::{flat, least_ritz, lift, positive, relative, scaled_residual};
pub use direct::Direct;
pub use fixed_point::FixedPoint;
pub use gmres::Gmres;
pub use jacobi::Diagonal;
pub use minres::Minres;
pub use neumann::Neumann;
pub use nystrom::{Nystrom, Sketch};
pub use one_step::OneStep;
pub use outcome::{Outcome, Report};
pub use pcg::{Pcg, Preconditioner, Sketched};
pub use recycled::Recycled;
pub use system::Solved;
use until::{Until, ends};

use std::fmt::Debug;
use std::sync::Arc;

use autodiff::bytes::{Buffer, Category};
use autodiff::{Meter, Real};

pub use crate::hessian::{Hessian, Operator};
pub use crate::lower_curvature::Curved;
pub use crate::scratch::Scratch;

use crate::catalogue::Entry;
use crate::default_tolerance;
use crate::hypergradient::Room;

/// The name of a linear solver.
pub(crate) type LinearEntry<T> = Entry<dyn LinearSolver<T>>;

/// Every linear solver by the name of its implicit strategy.
pub(crate) fn entries<T: Real>() -> Vec<LinearEntry<T>> {
    vec![
        cg::entry(),
        direct::entry(),
        minres::entry(),
        neumann::entry(),
        fixed_point::entry(),
        gmres::entry(),
        nystrom::entry(),
        jacobi::entry(),
        pcg::entry(),
        recycled::entry(),
        one_step::entry(),
    ]
}

/// A solver of `H v = b`, a value of one slot of [`Aid`](crate::Aid).
///
/// # Example
/// Of your own, with one vector of scratch, which is counted with the estimate:
/// ```
/// use autodiff::{Real, Var, objective};
/// use nalgebra::dvector;
/// use solvers::linear::{LinearSolver, Operator, Outcome, Report, Scratch};
/// use solvers::{Aid, Bilevel, Strategy};
///
/// /// `v ← v + s (b − H v)`, twenty times.
/// #[derive(Debug)]
/// struct Richardson(f64);
///
/// impl<T: Real> LinearSolver<T> for Richardson {
///     fn name(&self) -> &'static str {
///         "richardson"
///     }
///
///     fn scratch(&self, n: usize) -> usize {
///         n
///     }
///
///     fn solve(
///         &self,
///         h: &mut dyn Operator<T>,
///         b: &[T],
///         v: &mut [T],
///         scratch: &mut Scratch<'_, T>,
///     ) -> Report {
///         let [hv] = scratch.vectors(b.len());
///         for _ in 0..20 {
///             h.apply(v, hv);
///             for i in 0..b.len() {
///                 v[i] += T::of(self.0) * (b[i] - hv[i]);
///             }
///         }
///         Report { outcome: Outcome::Approximate, iterations: 20 }
///     }
/// }
///
/// let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
/// let lower = objective(|x: Var, y: Var| (y - x).norm_squared());
/// let problem = Bilevel::new(upper, lower, 1, 1)?;
/// let aid = Aid::with(Richardson(0.4));
/// let estimate = aid.hypergradient(&problem, &dvector![0.3], &mut problem.workspace())?;
/// assert!((estimate.hypergradient[0] + 0.4).abs() < 1e-9);
/// // What it came to is measured, whatever it says itself.
/// assert!(estimate.linear_residual.is_some_and(|r| r > 0.0 && r < 1e-9));
/// assert_eq!(estimate.bytes.peak, aid.predicted_peak_bytes(&problem));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait LinearSolver<T: Real>: Debug + Send + Sync {
    /// The solver's name in records.
    fn name(&self) -> &'static str;

    /// The relative residual asked for.
    fn tolerance(&self) -> f64 {
        default_tolerance::<T>()
    }

    /// The reason why these settings fit no system, if they do not.
    fn complaint(&self) -> Option<String> {
        positive("tolerance", self.tolerance())
    }

    /// Whether an H that is not definite is solved like any other, negative curvature being a remark.
    fn solves_indefinite(&self) -> bool {
        false
    }

    /// Entries of [`Scratch`] that [`solve`](LinearSolver::solve) takes, for `n` unknowns.
    fn scratch(&self, n: usize) -> usize {
        let _ = n;
        0
    }

    /// The most bytes that [`solve`](LinearSolver::solve) holds for `n` unknowns: its scratch, and
    /// what it counts on the meter beside it.
    fn bytes(&self, n: usize) -> usize {
        self.scratch(n) * size_of::<T>()
    }

    /// What it holds beyond a few vectors, for `n` unknowns.
    fn room(&self, n: usize) -> Room {
        Room {
            bytes: self.bytes(n),
            less: "aid-cg",
            ..Room::default()
        }
    }

    /// Entries that [`solve_keeping`](LinearSolver::solve_keeping) keeps from one system for the next, for
    /// `n` unknowns: none, or whole vectors of `n`.
    fn kept(&self, n: usize) -> usize {
        let _ = n;
        0
    }

    /// The most vectors that [`solve`](LinearSolver::solve) hands to its product at once.
    fn block(&self, n: usize) -> usize {
        let _ = n;
        1
    }

    /// Replaces `v`, the first guess, by the best solution found.
    ///
    /// # Panics
    /// If `b` and `v` differ in length.
    fn solve(
        &self,
        h: &mut dyn Operator<T>,
        b: &[T],
        v: &mut [T],
        scratch: &mut Scratch<'_, T>,
    ) -> Report;

    /// [`solve`](LinearSolver::solve) with what the last system left in `kept`, to be overwritten with
    /// what this one leaves: [`kept`](LinearSolver::kept) entries, zeros before the first system, or none
    /// to begin anew. They may be changed to any others in between; what is solved for does not depend on
    /// them.
    ///
    /// # Panics
    /// As [`solve`](LinearSolver::solve).
    fn solve_keeping(
        &self,
        h: &mut dyn Operator<T>,
        b: &[T],
        v: &mut [T],
        kept: &mut [T],
        scratch: &mut Scratch<'_, T>,
    ) -> Report {
        let _ = kept;
        self.solve(h, b, v, scratch)
    }

    /// Entries of [`Scratch`] that [`solve_block`](LinearSolver::solve_block) takes, for `count` right-hand
    /// sides of `n` unknowns.
    fn block_scratch(&self, n: usize, count: usize) -> usize {
        let _ = count;
        self.scratch(n)
    }

    /// [`solve`](LinearSolver::solve) for as many right-hand sides as there are `reports`, one after the
    /// other in `b`, as the first guesses are in `v`. Unless a solver says otherwise it solves them so;
    /// [`Cg`] searches for all at once, and [`Direct`] factors H once.
    ///
    /// # Panics
    /// If `b` and `v` differ in length, or are not made of vectors of equal length.
    #[inline(never)]
    fn solve_block(
        &self,
        h: &mut dyn Operator<T>,
        b: &[T],
        v: &mut [T],
        reports: &mut [Report],
        scratch: &mut Scratch<'_, T>,
    ) {
        let n = unknowns(b, v, reports);
        let systems = b.chunks_exact(n).zip(v.chunks_exact_mut(n));
        for ((b, v), report) in systems.zip(reports) {
            *report = self.solve(h, b, v, scratch);
        }
    }
}

/// Unknowns of each of several systems.
#[track_caller]
fn unknowns<T>(b: &[T], v: &[T], reports: &[Report]) -> usize {
    let count = reports.len();
    assert!(
        b.len() == v.len() && count > 0 && b.len().is_multiple_of(count) && b.len() >= count,
        "right-hand sides of {} and solutions of {} entries for {count} reports",
        b.len(),
        v.len()
    );
    b.len() / count
}

/// [`LinearSolver::solve_block`] with scratch of its own, which `meter` counts: `count` systems, whose
/// right-hand sides stand one after the other in `b`, as the first guesses and then the solutions do in
/// `v`.
///
/// # Panics
/// If `b` and `v` differ in length, or are not made of `count` vectors.
///
/// # Example
/// Two right-hand sides and their sum take as many iterations as one, with a block of two:
/// ```
/// use autodiff::Meter;
/// use solvers::linear::{Cg, Outcome, solve_block};
///
/// let mut h = |v: &[f64], out: &mut [f64]| {
///     for (k, (v, out)) in v.iter().zip(out).enumerate() {
///         *out = [1.0, 2.0, 4.0][k % 3] * v;
///     }
/// };
/// let b = [1.0, 0.0, 4.0, 0.0, 2.0, 4.0, 1.0, 2.0, 8.0];
/// let mut v = [0.0; 9];
/// let reports = solve_block(&Cg::new(), &mut h, &b, &mut v, 3, &Meter::new());
/// assert!(reports.iter().all(|r| r.outcome == Outcome::Converged && r.iterations <= 2));
/// let want = [1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 2.0];
/// assert!(v.iter().zip(want).all(|(v, want)| (v - want).abs() < 1e-9));
/// ```
#[track_caller]
pub fn solve_block<T: Real>(
    solver: &dyn LinearSolver<T>,
    h: &mut dyn Operator<T>,
    b: &[T],
    v: &mut [T],
    count: usize,
    meter: &Meter,
) -> Vec<Report> {
    let mut reports = vec![Report::BEGUN; count];
    let n = unknowns(b, v, &reports);
    let room = solver.block_scratch(n, count);
    let mut entries = Buffer::zeros(room, Category::Solver, meter);
    let scratch = &mut Scratch::new(&mut entries, meter);
    solver.solve_block(h, b, v, &mut reports, scratch);
    reports
}

/// [`LinearSolver::solve`] with scratch of its own, which `meter` counts.
///
/// # Panics
/// If `b` and `v` differ in length.
pub fn solve<T: Real>(
    solver: &dyn LinearSolver<T>,
    h: &mut dyn Operator<T>,
    b: &[T],
    v: &mut [T],
    meter: &Meter,
) -> Report {
    let mut entries = Buffer::zeros(solver.scratch(b.len()), Category::Solver, meter);
    solver.solve(h, b, v, &mut Scratch::new(&mut entries, meter))
}

/// A linear solver chosen at run time.
impl<T: Real, S: LinearSolver<T> + ?Sized> LinearSolver<T> for Arc<S> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn tolerance(&self) -> f64 {
        (**self).tolerance()
    }

    fn complaint(&self) -> Option<String> {
        (**self).complaint()
    }

    fn solves_indefinite(&self) -> bool {
        (**self).solves_indefinite()
    }

    fn scratch(&self, n: usize) -> usize {
        (**self).scratch(n)
    }

    fn bytes(&self, n: usize) -> usize {
        (**self).bytes(n)
    }

    fn room(&self, n: usize) -> Room {
        (**self).room(n)
    }

    fn kept(&self, n: usize) -> usize {
        (**self).kept(n)
    }

    fn block(&self, n: usize) -> usize {
        (**self).block(n)
    }

    fn solve(
        &self,
        h: &mut dyn Operator<T>,
        b: &[T],
        v: &mut [T],
        scratch: &mut Scratch<'_, T>,
    ) -> Report {
        (**self).solve(h, b, v, scratch)
    }

    fn solve_keeping(
        &self,
        h: &mut dyn Operator<T>,
        b: &[T],
        v: &mut [T],
        kept: &mut [T],
        scratch: &mut Scratch<'_, T>,
    ) -> Report {
        (**self).solve_keeping(h, b, v, kept, scratch)
    }

    fn block_scratch(&self, n: usize, count: usize) -> usize {
        (**self).block_scratch(n, count)
    }

    fn solve_block(
        &self,
        h: &mut dyn Operator<T>,
        b: &[T],
        v: &mut [T],
        reports: &mut [Report],
        scratch: &mut Scratch<'_, T>,
    ) {
        (**self).solve_block(h, b, v, reports, scratch);
    }
}
