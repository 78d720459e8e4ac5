//! Descent aggregation with its last step differentiated by differences.

use autodiff::kernels::{axpy, norm};
use autodiff::unroll::Memory;
use autodiff::{Inputs, Real};

use crate::Bilevel;
use crate::inner::InnerStep;
use crate::lower::NOTHING;
use crate::part::After;
use crate::trap::Trap;

use super::super::Strategy;
use super::super::footprint::{Footprint, loop_bytes};
use super::super::frame::{Answer, Call, Walked};
use super::super::slowest::Slowest;
use super::super::unrolled::Seen;
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

/// ε‖v‖.
const DISTANCE: f64 = 0.01;

impl OneStage {
    pub(super) fn of(bda: Bda) -> Self {
        OneStage { bda }
    }
}

impl<T: Real> Strategy<T> for OneStage {
    fn name(&self) -> String {
        "bda-one-stage".into()
    }

    fn complaint(&self) -> Option<String> {
        let (inner, memory) = (&self.bda.inner, self.bda.memory);
        self.bda.reason().or_else(|| match memory {
            _ if *inner != InnerStep::GradientDescent => {
                Some(format!("its last step is {inner}: expected gd"))
            }
            Memory::Stored => None,
            _ => Some(format!(
                "it keeps no steps: expected no memory policy {memory}"
            )),
        })
    }

    #[inline(never)]
    fn misfit(&self, problem: &Bilevel<T>) -> Option<String> {
        let start = problem.start_of_x().map(|_| {
            "the lower level starts from a function of x, and the last step alone is differentiated: \
             expected bda"
                .to_owned()
        });
        problem.not_smooth().or(start)
    }

    /// y_{K−1}, the point moved to, ∇_yF, the cotangent before the last step, what finding the lengths
    /// needs, and a look at the end.
    fn follows_upper(&self) -> bool {
        true
    }

    fn scratch(&self, problem: &Bilevel<T>) -> usize {
        let n = problem.dim_y();
        4 * n + self.bda.spare(problem) + Slowest::<T>::scratch(n)
    }

    #[track_caller]
    #[inline(never)]
    fn footprint(&self, problem: &Bilevel<T>) -> Footprint<T> {
        let step = self.bda.record(problem, [0.5, 0.5], 0);
        self.bda
            .footprint_of(&step)
            .beside(loop_bytes(&step, self.bda.depth - 1, NOTHING))
    }

    #[inline(never)]
    fn differentiate(&self, call: &mut Call<'_, T>) -> Answer {
        let (bda, t) = (&self.bda, call.iteration);
        let spares = bda.spare(call.problem);
        let Call {
            problem,
            x,
            start,
            upper,
            lower,
            loops,
            y,
            hypergradient,
            ..
        } = call;
        let (x, start, dim_y) = (*x, *start, y.len());
        let ([last, moved, v, pulled], mut rest) = call.scratch.split(dim_y);
        let ([spare], rest) = rest.split(spares);
        let mut slowest = Slowest::new(dim_y, rest);

        let mut plain = After::of(None);
        let levels = [&mut **upper, &mut **lower];
        let mut joint = bda.begin(problem, levels, [x, start], t, &mut plain, spare, loops);
        let (lengths, residual) = (joint.lengths, joint.before);
        last.copy_from_slice(joint.steps.forward(x, start, bda.depth - 1, NOTHING));
        loops.put(joint.key, joint.steps);
        let alpha = bda.alpha(bda.depth - 1, t);
        let [by_upper, by_lower] = [alpha * lengths[0], (1.0 - alpha) * lengths[1]].map(T::of);
        upper.differentiate(&[x, last], Inputs::one(1));
        lower.differentiate(&[x, last], Inputs::one(1));
        y.copy_from_slice(last);
        axpy(y, -by_upper, upper.gradient(1));
        axpy(y, -by_lower, lower.gradient(1));

        let after = plain.residual(lower, x, y, lengths[1], spare);
        let trap = Trap::of([start, y], lower.gradient(1), pulled);
        let off = slowest.distance(lower, true, [x, y], after, spare, bda.depth);
        let value = upper.differentiate(&[x, y], Inputs::ALL).f64();
        hypergradient.copy_from_slice(upper.gradient(0));
        v.copy_from_slice(upper.gradient(1));
        pulled.copy_from_slice(v);
        let size = norm(v);
        // At a stationary point of F there is nothing to follow.
        if size > T::zero() {
            let epsilon = T::of(DISTANCE) / size;
            let half = T::of(0.5) / epsilon;
            for sign in [T::one(), -T::one()] {
                moved.copy_from_slice(last);
                axpy(moved, sign * epsilon, v);
                for (level, by) in [(&mut **upper, by_upper), (&mut **lower, by_lower)] {
                    level.differentiate(&[x, moved], Inputs::ALL);
                    axpy(hypergradient, -sign * half * by, level.gradient(0));
                    axpy(pulled, -sign * half * by, level.gradient(1));
                }
            }
        }
        let left = (size > T::zero()).then(|| (norm(pulled) / size).f64());
        let seen = Seen {
            strays: true,
            off,
            ..Seen::of_one_step(bda.depth, [start, y], last, [residual, after], left)
        };
        let mut answer = seen.told(seen.status(), value);
        if answer.status.is_success() {
            answer.warnings.extend(seen.warning());
        }
        answer.linear_iterations = 1;
        answer.step = Some(lengths[1]);
        answer.walked = Some(Walked {
            depth: bda.depth - 1,
            memory: NOTHING,
            inner: bda.inner.clone(),
        });
        answer.warnings.extend(bda.warnings());
        let at = [x, start, y];
        answer.status = Trap::judge(trap, answer.status, lower, at, residual, [moved, pulled]);
        answer
    }
}
