//! What a strategy works in: the two objectives' points, the loop recorded last, and room for vectors.

use std::fmt;
use std::sync::Arc;

use autodiff::bytes::{Buffer, Bytes, Category, Meter};
use autodiff::{Point, Real};
use nalgebra::DVector;

use crate::constraints::ConstraintPoint;
use crate::loops::Loops;
use crate::lower::Working;
use crate::part::{PartPoint, ready};
use crate::{Bilevel, Ledger, Oracles};

/// Buffers for one problem, made once and used by any strategy. What a call depends on stands in its
/// [arguments](crate::At): a workspace changes no answer.
pub struct Workspace<T: Real> {
    pub(crate) upper: Point<T>,
    pub(crate) lower: Point<T>,
    pub(crate) part: Option<PartPoint<T>>,
    pub(crate) constraints: Option<ConstraintPoint<T>>,
    /// The start of the lower level as a function of x.
    pub(crate) start: Option<Point<T>>,
    pub(crate) loops: Loops<T>,
    /// Room for working sets, once they were used.
    pub(crate) working: Option<Working<T>>,
    /// Room for the vectors of a call; that of the call which took most.
    pub(crate) room: Buffer<T>,
    pub(crate) meter: Meter,
}

impl<T: Real> Workspace<T> {
    pub(crate) fn new(problem: &Bilevel<T>) -> Self {
        let meter = Meter::new();
        Workspace {
            upper: Point::new(problem.upper().clone(), &meter),
            lower: Point::new(problem.lower().clone(), &meter),
            part: problem
                .recorded_part()
                .map(|part| PartPoint::new(part, &meter)),
            constraints: problem
                .recorded_constraints()
                .map(|of| ConstraintPoint::new(of, &meter)),
            start: problem.start_of_x().map(|start| ready(start, &meter)),
            loops: Loops::new(&meter),
            working: None,
            room: Buffer::zeros(0, Category::Solver, &meter),
            meter,
        }
    }

    /// Makes room for this many entries.
    pub(crate) fn reserve(&mut self, entries: usize) {
        if self.room.len() < entries {
            self.room.resize(entries);
        }
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
        let mut total = Oracles {
            upper: self.upper.sweeps(),
            lower: self.lower.sweeps(),
        };
        total += self.loops.oracles([&self.upper, &self.lower]);
        total
    }

    /// What later measurements depend on. Loops are recorded again.
    pub(crate) fn visit(&mut self, ledger: &mut Ledger) {
        let here = self.oracles() - self.loops.past();
        let mut oracles = self.oracles();
        ledger.oracles(&mut oracles);
        self.loops.set_past(oracles.saturating_sub(here));
        ledger.room(&mut self.upper);
        ledger.room(&mut self.lower);
        ledger.peak(&self.meter);
    }

    /// Checks that this workspace is of `problem`, and x too.
    #[track_caller]
    pub(crate) fn check(&self, problem: &Bilevel<T>, x: &DVector<T>) {
        let same_part = match (&self.part, problem.recorded_part()) {
            (Some(mine), Some(of)) => Arc::ptr_eq(&mine.recorded, of),
            (mine, of) => mine.is_none() && of.is_none(),
        };
        let same_constraints = match (&self.constraints, problem.recorded_constraints()) {
            (Some(mine), Some(of)) => Arc::ptr_eq(&mine.recorded, of),
            (mine, of) => mine.is_none() && of.is_none(),
        };
        let same_start = match (&self.start, problem.start_of_x()) {
            (Some(mine), Some(of)) => Arc::ptr_eq(mine.program(), of),
            (mine, of) => mine.is_none() && of.is_none(),
        };
        assert!(
            Arc::ptr_eq(self.upper.program(), problem.upper())
                && Arc::ptr_eq(self.lower.program(), problem.lower())
                && same_part
                && same_constraints
                && same_start,
            "this workspace was made by another problem"
        );
        assert!(
            x.len() == problem.dim_x(),
            "x has {} entries: the problem's outer variable has {}",
            x.len(),
            problem.dim_x()
        );
    }
}

impl<T: Real> fmt::Debug for Workspace<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Workspace({} bytes)", self.bytes().live())
    }
}
