//! Iterative differentiation.

mod entry;
mod tolerance;

use autodiff::bytes::{Buffer, Category};
use autodiff::kernels::add;
use autodiff::unroll::{Memory, Step};
use autodiff::{Inputs, Real};
use nalgebra::DVector;

use crate::accuracy::PROBED;
use crate::inner::{InnerStep, StepLength, Stop, Weak};
use crate::{Bilevel, Estimate, Status, Workspace};

use super::session::{Session, blank, counted};
use super::slowest::Slowest;
use super::unrolled::{Seen, halving, left};
use super::{ConfigError, Room, Strategy};
pub(super) use entry::entries;

/// Differentiates `F(x, y_K(x))` through the K steps that made `y_K`.
///
/// # Requirements on the problem
/// g twice differentiable in y. The result is the exact derivative of the K-step map; it tends to
/// the hypergradient as the steps converge, with error O(K qᴷ). Where the problem
/// [brings its own steps](Bilevel::with_step), it is through these, which need not converge. Under a constraint or a soft
/// threshold ([`InnerStep::Proximal`]) it is a derivative where the map has one, and so for almost
/// every x; the limit is right where no active entry could as well be free.
///
/// # Cost in oracle calls
/// K gradients of g on the way forward; on the way back K gradients and K Hessian-vector products,
/// each with its cross product from the same sweep. `K · dim_y` scalars are kept. Other
/// [`Memory`] policies keep more or less, and make more or fewer calls. Where steps have a memory,
/// in forward mode (twice), and where `dim_y ≤ 20`, a Hessian-vector product for every 8 steps, at most
/// 12 and one that checks them, looks at how far y has come.
///
/// # Reference
/// L. Franceschi et al., Forward and reverse gradient-based hyperparameter optimization, 2017.
#[derive(Clone, Debug, PartialEq)]
pub struct Itd {
    pub(super) depth: usize,
    pub(super) inner: InnerStep,
    pub(super) length: StepLength,
    pub(super) memory: Memory,
    tolerance: Option<f64>,
}

impl Itd {
    /// Reverse mode through `depth` gradient steps of automatic length, all states stored.
    pub fn reverse(depth: usize) -> Self {
        Itd {
            depth,
            inner: InnerStep::default(),
            length: StepLength::default(),
            memory: Memory::Stored,
            tolerance: None,
        }
    }

    /// Ends the loop where the lower level and its derivative have come to `tolerance`, or else
    /// after [`depth`](Itd::reverse) steps: its depth is then
    /// [`lower_iterations`](Estimate::lower_iterations). [`Memory::Online`] is made for it; the
    /// other policies make room for all `depth` steps.
    ///
    /// The tolerance is on [`lower_residual`](Estimate::lower_residual), and on the share of the
    /// cotangent that is left at the start of the loop,
    /// [`linear_residual`](Estimate::linear_residual): from a warm start y is soon at the solution,
    /// and its derivative is not. Where too much is left, a longer loop is run anew, as long as the
    /// rate so far says it must be. Forward mode and truncated loops are made longer
    /// for y alone.
    ///
    /// Steps with a memory of their own (momentum, Adam, FISTA) cost one more gradient each to see
    /// the residual.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = Some(tolerance);
        self
    }

    /// What the loop keeps for the way back.
    #[must_use]
    pub fn memory(mut self, memory: Memory) -> Self {
        self.memory = memory;
        self
    }

    /// The kind of step.
    #[must_use]
    pub fn inner(mut self, inner: InnerStep) -> Self {
        self.inner = inner;
        self
    }

    /// A fixed step length.
    #[must_use]
    pub fn step(mut self, length: f64) -> Self {
        self.length = StepLength::Fixed(length);
        self
    }

    /// The step that is unrolled: the problem's own, or one of `inner` of this length.
    pub(super) fn recorded<T: Real>(&self, problem: &Bilevel<T>, length: f64) -> Step<T> {
        match problem.step() {
            Some(step) => step.clone(),
            None => self.inner.record(problem.lower(), length),
        }
    }

    /// Bytes of the vectors that [`hypergradient`](Strategy::hypergradient) makes: one end of the
    /// loop, what finding the step length and stopping need, y and the hypergradient.
    pub(super) fn vector_bytes<T: Real>(&self, problem: &Bilevel<T>, dim_state: usize) -> usize {
        let (dim_x, dim_y) = (problem.dim_x(), problem.dim_y());
        let spare =
            self.inner.spare(dim_y, self.inner.length(self.length)) + self.previous::<T>(dim_y);
        (dim_state + spare + dim_y + dim_x) * size_of::<T>()
    }

    /// Entries of what is compared with each state, if the loop stops at a tolerance.
    fn previous<T: Real>(&self, dim_y: usize) -> usize {
        let stops = self.tolerance.is_some();
        if stops {
            Stop::<T>::previous(self.inner, dim_y)
        } else {
            0
        }
    }

    /// Whether the end of a loop is looked at by products of its own: on small problems always.
    pub(super) fn looks(&self, memory: Memory, dim_y: usize) -> bool {
        memory == Memory::Forward || !self.inner.is_memoryless() || dim_y <= PROBED
    }
}

impl<T: Real> Strategy<T> for Itd {
    fn name(&self) -> String {
        match self.memory {
            Memory::Stored => "itd".into(),
            memory => format!("itd-{memory}"),
        }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let reason = if self.depth == 0 {
            Some("depth 0: expected at least 1 step".to_owned())
        } else if self.memory == (Memory::Truncated { steps: 0 }) {
            Some("truncated to 0 steps: expected at least 1".to_owned())
        } else if let Some(t) = self.tolerance.filter(|t| !(t.is_finite() && *t > 0.0)) {
            Some(format!("tolerance {t}: expected a positive number"))
        } else {
            let complaint = self.inner.complaint(self.length);
            complaint.or(self.inner.memory_complaint::<T>(self.memory))
        };
        match reason {
            Some(reason) => Err(ConfigError {
                strategy: Strategy::<T>::name(self),
                reason,
            }),
            None => Ok(()),
        }
    }

    fn room(&self, dim_y: usize) -> Room {
        Room::of_loop::<T>(self.memory, self.depth, dim_y, "itd-checkpointed")
    }

    fn suits(&self, problem: &Bilevel<T>) -> Result<(), ConfigError> {
        let given = if self.inner != InnerStep::default() {
            format!("steps of {}", self.inner)
        } else if let StepLength::Fixed(length) = self.length {
            format!("step length {length}")
        } else if let Some(tolerance) = self.tolerance {
            format!("tolerance {tolerance}")
        } else {
            return Ok(());
        };
        match problem.step() {
            None => Ok(()),
            Some(_) => Err(ConfigError {
                strategy: Strategy::<T>::name(self),
                reason: format!("{given}: expected none, as the problem has steps of its own"),
            }),
        }
    }

    fn hypergradient(
        &self,
        problem: &Bilevel<T>,
        x: &DVector<T>,
        work: &mut Workspace<T>,
    ) -> Result<Estimate<T>, ConfigError> {
        Strategy::<T>::validate(self)?;
        self.suits(problem)?;
        work.check(problem, x);
        let session = Session::begin(work);
        let (x, dim_y, meter) = (x.as_slice(), problem.dim_y(), work.meter().clone());
        // The first state, and on the way back the cotangent of the last one.
        let mut end = self.inner.first_state(work.start.as_slice(), &meter);
        let proximal = self.inner.proximal();
        let buffer = |len: usize| Buffer::zeros(len, Category::Solver, &meter);
        let mut spare = buffer(self.inner.spare(dim_y, self.inner.length(self.length)));
        let mut previous = buffer(self.previous::<T>(dim_y));
        let forward = self.memory == Memory::Forward;
        let mut slowest = (self.looks(self.memory, dim_y) && problem.step().is_none())
            .then(|| Slowest::new(dim_y, &meter));
        let given = self.inner.length(self.length);
        let y = &end[..dim_y];
        let length = match problem.step() {
            Some(_) => 1.0,
            None => given.resolve_proximal(proximal, &mut work.lower, x, y, &mut spare),
        };
        let before = proximal.residual(&mut work.lower, x, y, length, &mut spare);

        let key = format!("itd {:?} {length:e}", self.inner);
        let mut steps = work.take(&key, || self.recorded(problem, length));
        let (mut hypergradient, _bytes) = counted(x, &meter);
        let mut least = 1;
        let (y, _y_bytes, upper, seen, weak) = loop {
            let last = match self.tolerance {
                None => steps.forward(x, &end, self.depth, self.memory),
                Some(tolerance) => {
                    let mut stop = Stop {
                        inner: self.inner,
                        length,
                        tolerance,
                        least,
                        lower: &mut work.lower,
                        x,
                        previous: &mut previous,
                        spare: &mut spare,
                        latest: f64::INFINITY,
                        rate: 0.0,
                    };
                    let stop = |made: usize, state: &[T]| stop.reached(made, state);
                    steps.forward_until(x, &end, self.depth, self.memory, stop)
                }
            };
            let (y, y_bytes) = counted(&last[..dim_y], &meter);
            let at = y.as_slice();
            let after = proximal.residual(&mut work.lower, x, at, length, &mut spare);
            let upper = work.upper.differentiate(&[x, at], Inputs::ALL).f64();
            end.fill(T::zero());
            end[..dim_y].copy_from_slice(work.upper.gradient(1));
            let (by_x, by_start) = steps.reverse(&end);
            hypergradient
                .as_mut_slice()
                .copy_from_slice(work.upper.gradient(0));
            add(hypergradient.as_mut_slice(), by_x);
            let left = left(self.inner, by_start, &mut end, dim_y);
            let ends = [work.start.as_slice(), at];
            let own = problem.step().is_some();
            let mut seen = Seen {
                own,
                ..Seen::of(&steps, ends, [before, after], left)
            };
            if self.inner.is_memoryless() && !own {
                seen.next = length * after;
            }
            let weak = Weak {
                start: work.start.as_slice(),
                scale: before,
                residual: after,
                length,
                blur: seen.distance().min(1e-2),
            };
            let weak = weak.entry(proximal, at, work.lower.gradient(1));
            if let Some(slowest) = &mut slowest {
                let (lower, depth) = (&mut work.lower, seen.depth);
                if self.inner.is_proximal() {
                    proximal.residual(lower, x, at, length, &mut spare);
                }
                if !self.inner.is_memoryless() && seen.halving.is_infinite() {
                    // The cotangent of what steps keep comes and goes: its fall over all of them
                    // says how fast, and the look at y how far.
                    seen.halving = halving(depth, seen.left);
                }
                seen.off = slowest.distance(lower, proximal, [x, at], after, &spare, depth);
                let (by_x, by_y) = (work.upper.gradient(0), work.upper.gradient(1));
                if !self.inner.is_proximal() {
                    seen.part = slowest.energy(lower, ends);
                    let h = hypergradient.as_slice();
                    let apart = slowest.apart(lower, [by_x, by_y], h, depth);
                    seen.owed = seen.owed.max(apart);
                    if slowest.is_degenerate(lower, [x, at], seen.size) {
                        seen.owed = f64::INFINITY;
                    }
                }
                if forward {
                    let curvature = slowest.curvature(lower, [x, at], by_y, depth);
                    // With momentum a step may be worth ten.
                    if curvature.least() * length * (10 * depth) as f64 <= 1.0 {
                        seen.left = 1.0;
                    }
                }
            }
            match self.longer::<T>(&seen) {
                None => break (y, y_bytes, upper, seen, weak),
                Some(steps) => least = steps,
            }
            self.inner.start(work.start.as_slice(), &mut end);
        };
        let (recomputed, irreversible) = (steps.recomputed_steps(), steps.irreversible());
        work.put(key.clone(), steps);

        let mut estimate = blank(Strategy::<T>::name(self), y);
        estimate.hypergradient = hypergradient;
        estimate.recomputed_steps = recomputed;
        estimate.upper = upper;
        estimate.status = match irreversible {
            Some(reason) => Status::Irreversible(reason),
            None => seen.status(),
        };
        seen.tell(&mut estimate);
        estimate.warnings.extend(weak);
        match self.tolerance {
            None if estimate.status.is_success() => estimate.warnings.extend(seen.warning()),
            None => {}
            Some(tolerance) => {
                estimate.status = Self::to_tolerance::<T>(tolerance, &seen, estimate.status);
                // Of the system (I − ∂_yΦ)ᵀ p = ∇_yF, which the reverse pass sums up.
                estimate.linear_residual = Some(seen.left);
            }
        }
        let depth = seen.depth;
        estimate.linear_iterations = self.memory.differentiated_steps(depth);
        estimate.step = problem.step().is_none().then(|| self.inner.shown(length));
        Ok(session.finish(work, estimate, x, |work| {
            let start = self.inner.first_state(work.start.as_slice(), &meter);
            let mut steps = work.take(&key, || self.recorded(problem, length));
            end.fill(T::zero());
            end[..dim_y].copy_from_slice(work.upper.gradient(1));
            let found = steps.find_non_finite(x, &start, depth, self.memory, &end);
            work.put(key, steps);
            found
        }))
    }
}
