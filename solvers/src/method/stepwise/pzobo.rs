//! PZOBO.

use autodiff::kernels::{axpy, dot};
use autodiff::{Inputs, Real};

use crate::expect;
use crate::method::{Batches, Begun, MethodEntry, Motion, Rule, State, keeping};
use crate::schedule::Schedule;

use super::choices::Choices;
use super::{Named, drawn, length, outward};

/// PZOBO: what y's steps make of a change of x, by differences along random directions.
///
/// y_K(x) is where `inner` plain steps on g lead from the y of the step before. With u_1 … u_Q standard
/// normal and `δ_j = (y_K(x + μ u_j) − y_K(x)) / μ`, all from the same start by the same batches, x moves
/// along `∇_xF + (1/Q) Σ_j ⟨δ_j, ∇_yF⟩ u_j` at y_K(x), times Q / (Q + dim_x + 1): of the multiples of an
/// estimate by Q random directions it is the one nearest to the truth in the mean square.
///
/// # Requirements on the problem
/// F and g once differentiable, g also at x + μ u_j, be it beyond the set that x is held to. The
/// estimate is that of K steps, smoothed over μ.
///
/// # Cost in oracle calls
/// (Q + 1) K gradients of g and one of F per step; no Hessian-vector product. Room for Q vectors of
/// `2 dim_x + dim_y` numbers.
///
/// # Reference
/// D. Sow, K. Ji and Y. Liang, On the convergence theory for Hessian-free bilevel algorithms, NeurIPS
/// 2022, without its factor Q / (Q + dim_x + 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pzobo {
    /// K.
    pub inner: usize,
    /// Q.
    pub directions: usize,
    /// μ.
    pub smoothing: f64,
    /// Lengths of the steps on y.
    pub y: Schedule,
    /// How x moves.
    pub x: Motion,
}

impl<T: Real> Rule<T> for Pzobo {
    const NAME: &'static str = "pzobo";

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        expect::at_least_1("steps on y", self.inner)?;
        expect::at_least_1("directions", self.directions)?;
        expect::positive("smoothing", self.smoothing)?;
        self.y.check("step of y")?;
        let (rule, batches) = (*self, Batches::new(s)?);
        let (dim_x, dim_y, q) = (s.x.len(), s.y.len(), self.directions);
        let mut normal = batches.buffer(q * dim_x);
        let mut moved = batches.buffer(q * dim_x);
        let mut ends = batches.buffer(q * dim_y);
        let (mut in_x, mut in_y) = (batches.buffer(dim_x), batches.buffer(dim_y));
        let kept = (Choices::new(s), self.x.begin("x", dim_x, &batches.meter)?);
        Ok(keeping(batches, kept, move |s, b, (choices, x)| {
            let t = s.iteration();
            normal.iter_mut().for_each(|u| *u = T::of(choices.normal()));
            for (moved, u) in moved.chunks_mut(dim_x).zip(normal.chunks(dim_x)) {
                moved.copy_from_slice(s.x.as_slice());
                axpy(moved, T::of(rule.smoothing), u);
            }
            for end in ends.chunks_mut(dim_y) {
                end.copy_from_slice(s.y.as_slice());
            }
            let step = T::of(-rule.y.at(t));
            for _ in 0..rule.inner {
                let lower = b.lower.draw();
                for (moved, end) in moved.chunks(dim_x).zip(ends.chunks_mut(dim_y)) {
                    lower.gradient_at(&[moved, end], Inputs::one(1));
                    axpy(end, step, lower.gradient(1));
                }
                lower.gradient_at(&[s.x.as_slice(), s.y.as_slice()], Inputs::one(1));
                axpy(s.y.as_mut_slice(), step, lower.gradient(1));
            }
            b.upper_gradients(s, &mut in_x, &mut in_y);
            b.direction.copy_from_slice(&in_x);
            let along_y = dot(&in_y, s.y.as_slice());
            for (u, end) in normal.chunks(dim_x).zip(ends.chunks(dim_y)) {
                let change = dot(&in_y, end) - along_y;
                let share = change / T::of(rule.smoothing * q as f64);
                axpy(&mut b.direction, share, u);
            }
            let nearest = T::of(q as f64 / (q + dim_x + 1) as f64);
            b.direction.iter_mut().for_each(|d| *d *= nearest);
            x.step(t, s.x.as_mut_slice(), &b.direction);
        }))
    }
}

/// The name `pzobo`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let about = "steps on y from x and beside it, in random directions; first-order only";
    Named::new("pzobo", about)
        .taking(&["inner_steps"])
        .drawing(drawn)
        .entry(|call| {
            Ok(Pzobo {
                inner: call.settings.inner_steps(),
                directions: 10,
                smoothing: 0.01,
                y: Schedule::Constant(length(call.settings)),
                x: outward(call.settings),
            })
        })
}
