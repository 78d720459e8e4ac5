//! sl-BAMM.

use autodiff::kernels::{axpy, dot};
use autodiff::{Point, Real};

use crate::expect;
use crate::method::{Batches, Begun, MethodEntry, Motion, Rule, State, keeping};
use crate::schedule::Schedule;

use super::{Named, outward, plain, whole};

/// sl-BAMM: one loop on the aggregate `ψ = (1 − α_k) g + α_k F` of both levels, the implicit counterpart
/// of [`Bda`](crate::Bda).
///
/// Each step moves y along `∇_yψ`, v along the residual `r = ∇²_yyψ · v + ∇_yF` by the length
/// `‖r‖²/rᵀ∇²_yyψ r` of steepest descent, and x along `∇_xF + ∇²_xyψ · v`, all at the point before the
/// step. As α_k falls to 0, y tends to the lower solution that is best for F; at α the solution is biased
/// by O(α).
///
/// # Requirements on the problem
/// F and g twice differentiable, and ψ strongly convex in y for every α_k in (0, 1], as where F is and g
/// is convex: the lower level need not have a single solution.
///
/// # Cost in oracle calls
/// Two gradients and two Hessian-vector products of each level per step: the second pair finds the
/// length.
///
/// # Reference
/// R. Liu, Y. Liu, W. Yao, S. Zeng and J. Zhang, Averaged method of multipliers for bi-level optimization
/// without lower-level strong convexity, ICML 2023, and its code.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlBamm {
    /// α_k.
    pub aggregation: Schedule,
    /// How y moves.
    pub y: Motion,
    /// How x moves.
    pub x: Motion,
}

impl<T: Real> Rule<T> for SlBamm {
    const NAME: &'static str = "sl-bamm";

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        self.aggregation.check("aggregation")?;
        let largest = self.aggregation.largest();
        expect::number(
            "α_0",
            largest,
            largest > 0.0 && largest <= 1.0,
            "α_k in (0, 1]",
        )?;
        let (rule, batches) = (*self, Batches::new(s)?);
        let (mut along_y, mut residual) = (batches.buffer(s.y.len()), batches.buffer(s.y.len()));
        let movers = [
            self.y.begin("y", s.y.len(), &batches.meter)?,
            self.x.begin("x", s.x.len(), &batches.meter)?,
        ];
        Ok(keeping(batches, movers, move |s, b, [y, x]| {
            let t = s.iteration();
            let alpha = rule.aggregation.at(t);
            let shares = [T::of(alpha), T::of(1.0 - alpha)];
            let (upper, lower) = (b.upper.draw(), b.lower.draw());
            let at = [s.x.as_slice(), s.y.as_slice()];
            along_y.fill(T::zero());
            residual.fill(T::zero());
            b.direction.fill(T::zero());
            for (point, share) in [&mut *upper, &mut *lower].into_iter().zip(shares) {
                point.gradient_along(&at, &[None, Some(&b.v)]);
                axpy(&mut along_y, share, point.gradient(1));
                axpy(&mut residual, share, point.product(1));
                axpy(&mut b.direction, share, point.product(0));
            }
            axpy(&mut residual, T::one(), upper.gradient(1));
            axpy(&mut b.direction, T::one(), upper.gradient(0));
            let curved = [&mut *upper, &mut *lower].into_iter().zip(shares);
            let curved: T = curved
                .map(|(point, share)| share * curvature(point, &at, &residual))
                .fold(T::zero(), |sum, term| sum + term);
            let square = dot(&residual, &residual);
            if square > T::zero() {
                // Where ψ is not convex v leaves all measure, which is told.
                axpy(&mut b.v, -square / curved.abs(), &residual);
            }
            y.step(t, s.y.as_mut_slice(), &along_y);
            x.step(t, s.x.as_mut_slice(), &b.direction);
        }))
    }
}

/// dᵀ∇²_yy d of an objective.
fn curvature<T: Real>(point: &mut Point<T>, at: &[&[T]; 2], d: &[T]) -> T {
    point.gradient_along(at, &[None, Some(d)]);
    dot(d, point.product(1))
}

/// The name `sl-bamm`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let about = "one loop on both levels aggregated: bda by an implicit hypergradient";
    Named::new("sl-bamm", about).drawing(whole).entry(|call| {
        Ok(SlBamm {
            aggregation: Schedule::InverseRoot { a: 0.5 },
            y: plain(call.settings),
            x: outward(call.settings),
        })
    })
}
