//! Descent aggregation with its last step differentiated by differences.

use autodiff::bytes::{Buffer, Category};
use autodiff::kernels::{axpy, norm};
use autodiff::unroll::{Memory, Step};
use autodiff::{Inputs, Real};
use nalgebra::DVector;

use crate::inner::InnerStep;
use crate::{Bilevel, Estimate, Workspace};

use super::super::footprint::{loop_bytes, workspace_bytes};
use super::super::session::{Session, blank, counted};
use super::super::slowest::Slowest;
use super::super::unrolled::Seen;
use super::super::{ConfigError, Strategy};
use super::Bda;

/// [`Bda`], with the last of its steps alone differentiated:
/// `∇_xF(x, y_K) − [∇_xψ(x, y_{K−1} + εv) − ∇_xψ(x, y_{K−1} − εv)] / (2ε)` with
/// `ψ = α s_u F + (1 − α) s_l g`, `v = ∇_yF(x, y_K)`, `ε = 0.01/‖v‖`.
///
/// It is `bda-truncated:1` up to O(ε²), and exactly where ψ is quadratic in y: as biased, and right
/// only where one step from y_{K−1} is what x decides.
///
/// # Requirements on the problem
/// F and g once differentiable. Plain gradient steps.
///
/// # Cost in oracle calls
/// Per step one gradient of each level, and at the end two more of each; no Hessian-vector product
/// but one of g for every 8 steps, at most 12 and one that checks them, which look at how far y has come;
/// memory independent of K. Those two give the share of the cotangent that the last step leaves
/// as well, and with it the [`left`](crate::Estimate::left) that all steps before it are owed.
///
/// # Reference
/// H. Liu, K. Simonyan and Y. Yang, DARTS: differentiable architecture search, ICLR 2019, (7) and (8).
#[derive(Clone, Debug, PartialEq)]
pub struct OneStage {
    bda: Bda,
}

/// No step of the loop is differentiated.
const NOTHING: Memory = Memory::Truncated { steps: 0 };

/// ε‖v‖.
const DISTANCE: f64 = 0.01;

impl OneStage {
    pub(super) fn of(bda: Bda) -> Self {
        OneStage { bda }
    }

    /// The most bytes that the estimate's workspace holds, without running anything; see
    /// [`Itd::predicted_peak_bytes`](crate::Itd::predicted_peak_bytes).
    ///
    /// # Panics
    /// If the settings are not valid.
    #[track_caller]
    pub fn predicted_peak_bytes<T: Real>(&self, problem: &Bilevel<T>) -> usize {
        let (dim_x, dim_y) = (problem.dim_x(), problem.dim_y());
        let step: Step<T> = self.bda.record(problem, [0.5, 0.5], 0);
        // The start, y_{K−1}, y_K, the point moved to, the cotangent before the last step, and the
        // hypergradient.
        let vectors = 5 * dim_y + self.bda.spare(problem) + dim_x;
        workspace_bytes(problem, self.bda.second(), Some(&step))
            + vectors * size_of::<T>()
            + Slowest::<T>::bytes(dim_y)
            + loop_bytes(&step, self.bda.depth - 1, NOTHING)
    }
}

impl<T: Real> Strategy<T> for OneStage {
    fn name(&self) -> String {
        "bda-one-stage".into()
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let plain = self.bda.inner == InnerStep::GradientDescent;
        let reason = self.bda.complaint().or_else(|| {
            let (inner, memory) = (self.bda.inner, self.bda.memory);
            match memory {
                _ if !plain => Some(format!("its last step is {inner}: expected gd")),
                Memory::Stored => None,
                _ => Some(format!(
                    "it keeps no steps: expected no memory policy {memory}"
                )),
            }
        });
        match reason {
            Some(reason) => Err(ConfigError {
                strategy: Strategy::<T>::name(self),
                reason,
            }),
            None => Ok(()),
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
        let (bda, t) = (&self.bda, work.iteration());
        let (x, dim_y, meter) = (x.as_slice(), problem.dim_y(), work.meter().clone());
        let buffer = |len: usize| Buffer::zeros(len, Category::Solver, &meter);
        let mut first = bda.inner.first_state(work.start.as_slice(), &meter);
        let (mut last, mut moved, mut pulled) = (buffer(dim_y), buffer(dim_y), buffer(dim_y));
        let mut spare = buffer(bda.spare(problem));
        let mut slowest = Slowest::new(dim_y, &meter);
        let lengths = bda.lengths(work, x, &first, &mut spare);
        let proximal = bda.inner.proximal();
        let before = proximal.residual(&mut work.lower, x, &first, lengths[1], &mut spare);

        let key = format!("one-stage {bda:?} {lengths:?} {t}");
        let mut steps = work.take(&key, || bda.record(problem, lengths, t));
        last.copy_from_slice(steps.forward(x, &first, bda.depth - 1, NOTHING));
        work.put(key.clone(), steps);
        let alpha = bda.alpha(bda.depth - 1, t);
        let [upper, lower] = [alpha * lengths[0], (1.0 - alpha) * lengths[1]].map(T::of);
        work.upper.differentiate(&[x, &last], Inputs::one(1));
        work.lower.differentiate(&[x, &last], Inputs::one(1));
        moved.copy_from_slice(&last);
        axpy(&mut moved, -upper, work.upper.gradient(1));
        axpy(&mut moved, -lower, work.lower.gradient(1));
        let (y, _y_bytes) = counted(&moved, &meter);

        let at = y.as_slice();
        let after = proximal.residual(&mut work.lower, x, at, lengths[1], &mut spare);
        let lower_point = &mut work.lower;
        let off = slowest.distance(lower_point, proximal, [x, at], after, &spare, bda.depth);
        let value = work.upper.differentiate(&[x, at], Inputs::ALL);
        let (mut hypergradient, _bytes) = counted(work.upper.gradient(0), &meter);
        let v = &mut first;
        v.copy_from_slice(work.upper.gradient(1));
        pulled.copy_from_slice(v);
        let size = norm(v);
        // At a stationary point of F there is nothing to follow.
        if size > T::zero() {
            let epsilon = T::of(DISTANCE) / size;
            let half = T::of(0.5) / epsilon;
            for sign in [T::one(), -T::one()] {
                moved.copy_from_slice(&last);
                axpy(&mut moved, sign * epsilon, v);
                work.upper.differentiate(&[x, &moved], Inputs::ALL);
                work.lower.differentiate(&[x, &moved], Inputs::ALL);
                let out = hypergradient.as_mut_slice();
                axpy(out, -sign * half * upper, work.upper.gradient(0));
                axpy(out, -sign * half * lower, work.lower.gradient(0));
                axpy(&mut pulled, -sign * half * upper, work.upper.gradient(1));
                axpy(&mut pulled, -sign * half * lower, work.lower.gradient(1));
            }
        }

        let mut estimate = blank(Strategy::<T>::name(self), y);
        estimate.hypergradient = hypergradient;
        estimate.upper = value.f64();
        let left = (size > T::zero()).then(|| (norm(&pulled) / size).f64());
        let ends = [work.start.as_slice(), estimate.y.as_slice()];
        let seen = Seen {
            strays: true,
            off,
            ..Seen::of_one_step(bda.depth, ends, &last, [before, after], left)
        };
        estimate.status = seen.status();
        seen.tell(&mut estimate);
        if estimate.status.is_success() {
            estimate.warnings.extend(seen.warning());
        }
        estimate.linear_iterations = 1;
        estimate.step = Some(lengths[1]);
        estimate.warnings.extend(bda.warnings());
        Ok(session.finish(work, estimate, x, |work| {
            first.copy_from_slice(work.start.as_slice());
            let mut steps = work.take(&key, || bda.record(problem, lengths, t));
            let nothing = vec![T::zero(); dim_y];
            let found = steps.find_non_finite(x, &first, bda.depth - 1, NOTHING, &nothing);
            work.put(key, steps);
            found
        }))
    }
}
