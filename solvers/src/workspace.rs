//! What a strategy works in: the two objectives' points and the loops recorded so far.

use std::sync::Arc;

use autodiff::bytes::{Buffer, Bytes, Category, Claim, Meter};
use autodiff::unroll::{Step, Unrolled};
use autodiff::{Point, Real, Sweeps};
use nalgebra::DVector;

use crate::{Bilevel, Ledger, Oracles};

/// Buffers for one problem, made once and used by any strategy.
///
/// It also remembers where the lower level starts, so that a caller can start it warm, and for
/// implicit strategies that are asked to the last solution of the linear system.
pub struct Workspace<T: Real> {
    pub(crate) upper: Point<T>,
    pub(crate) lower: Point<T>,
    pub(crate) start: DVector<T>,
    /// The last solution of the linear system, if the next one starts from it.
    pub(crate) linear: Option<Buffer<T>>,
    pub(crate) warm_linear: bool,
    iteration: usize,
    unrolled: Option<(String, Unrolled<T>)>,
    /// Sweeps inside loops that were dropped since.
    past: Oracles,
    meter: Meter,
    _start_bytes: Claim,
}

impl<T: Real> Workspace<T> {
    pub(crate) fn new(problem: &Bilevel<T>) -> Self {
        let meter = Meter::new();
        Workspace {
            upper: Point::new(problem.upper().clone(), &meter),
            lower: Point::new(problem.lower().clone(), &meter),
            start: problem.start().clone(),
            linear: None,
            warm_linear: false,
            iteration: 0,
            unrolled: None,
            past: Oracles::default(),
            _start_bytes: Claim::new(Self::start_bytes(problem), Category::Solver, &meter),
            meter,
        }
    }

    /// Bytes of a workspace for `problem` beside its two points.
    pub(crate) fn start_bytes(problem: &Bilevel<T>) -> usize {
        problem.dim_y() * size_of::<T>()
    }

    /// Starts the lower level of later calls from `y`.
    ///
    /// # Panics
    /// If `y` does not have `dim_y` entries.
    #[track_caller]
    pub fn start_from(&mut self, y: &DVector<T>) {
        assert_eq!(y.len(), self.start.len(), "start of the lower level");
        self.start.copy_from(y);
    }

    /// Whether the linear systems of implicit strategies start from the last solution here, whatever
    /// the strategy says; see [`Aid::warm_linear`](crate::Aid::warm_linear). One that was kept is
    /// forgotten.
    pub fn warm_linear(&mut self, warm: bool) {
        self.warm_linear = warm;
        self.linear = None;
    }

    /// Where the lower level starts.
    pub fn start(&self) -> &DVector<T> {
        &self.start
    }

    /// Says which outer iteration later calls belong to, counted from 0: for what a strategy
    /// schedules over them ([`Bda::outer_schedule`](crate::Bda::outer_schedule)).
    pub fn set_iteration(&mut self, iteration: usize) {
        self.iteration = iteration;
    }

    /// The outer iteration, 0 unless it was set.
    pub fn iteration(&self) -> usize {
        self.iteration
    }

    /// Bytes held, live and at the peak.
    pub fn bytes(&self) -> Bytes {
        self.meter.read()
    }

    /// The meter that counts this workspace's buffers.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Sweeps of both objectives since the workspace was made.
    pub fn oracles(&self) -> Oracles {
        let mut total = self.past;
        total += Oracles {
            upper: self.upper.sweeps(),
            lower: self.lower.sweeps(),
        };
        if let Some((_, unrolled)) = &self.unrolled {
            total += self.inside(unrolled);
        }
        total
    }

    /// Takes the loop called `key`, recorded at its first use; to be [`put`](Workspace::put) back.
    pub(crate) fn take(&mut self, key: &str, record: impl FnOnce() -> Step<T>) -> Unrolled<T> {
        match self.unrolled.take() {
            Some((k, unrolled)) if k == key => unrolled,
            other => {
                if let Some((_, old)) = other {
                    let inside = self.inside(&old);
                    self.past += inside;
                }
                Unrolled::new(record(), &self.meter)
            }
        }
    }

    /// Keeps a loop for the next call that asks for `key`.
    pub(crate) fn put(&mut self, key: String, unrolled: Unrolled<T>) {
        self.unrolled = Some((key, unrolled));
    }

    /// What later calls depend on. Loops are recorded anew.
    pub(crate) fn visit(&mut self, ledger: &mut Ledger) {
        ledger.entries("the lower level's start", self.start.as_mut_slice());
        let mut warm = self.linear.is_some();
        ledger.flag("a solution of the linear system", &mut warm);
        if ledger.is_restoring() && ledger.fits() {
            let len = self.start.len();
            self.linear = warm.then(|| Buffer::zeros(len, Category::Solver, &self.meter));
        }
        if let Some(solution) = &mut self.linear {
            ledger.entries("the solution of the linear system", solution);
        }
        let mut oracles = self.oracles();
        let here = oracles - self.past;
        ledger.oracles(&mut oracles);
        self.past = oracles.saturating_sub(here);
        ledger.room(&mut self.upper);
        ledger.room(&mut self.lower);
        ledger.peak(&self.meter);
    }

    /// Checks that this workspace is of `problem`.
    #[track_caller]
    pub(crate) fn check(&self, problem: &Bilevel<T>, x: &DVector<T>) {
        assert!(
            Arc::ptr_eq(self.upper.program(), problem.upper())
                && Arc::ptr_eq(self.lower.program(), problem.lower()),
            "this workspace was made by another problem"
        );
        assert!(
            x.len() == problem.dim_x(),
            "x has {} entries: the problem's outer variable has {}",
            x.len(),
            problem.dim_x()
        );
    }

    fn inside(&self, unrolled: &Unrolled<T>) -> Oracles {
        let of = |p: &Point<T>| -> Sweeps { unrolled.sweeps_of(p.program()) };
        Oracles {
            upper: of(&self.upper),
            lower: of(&self.lower),
        }
    }
}
