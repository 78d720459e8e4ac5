//! PBGD-Free.

use autodiff::kernels::axpy;
use autodiff::{Inputs, Real};

use crate::expect;
use crate::hypergradient::ConfigError;
use crate::method::{Batches, Begun, MethodEntry, Motion, Rule, State, keeping};
use crate::problem::Bilevel;

use super::{Named, lasting_penalty, outward, plain, whole};

/// PBGD-Free: the penalty without the value function, and so without a loop below.
///
/// Each step moves y by one gradient step on `(γ g + F)/(γ + 1)`, then x along `∇_xF(x, y)`. The
/// gradient of the penalised objective has `γ (∇_x g(x, y) − ∇_x g(x, y*(x)))` beside that, which is left
/// out: no second vector stands for y\*(x).
///
/// # Bias
/// A fixed point has `∇_xF(x, y) = 0` and `∇_yF(x, y) + γ ∇_y g(x, y) = 0`. What is left out tends to
/// `−∇²_xy g [∇²_yy g]⁻¹ ∇_yF`, the part of the hypergradient that comes of how y\* answers x, whatever γ
/// is: a larger γ does not help. So the end is a stationary point of φ where `∇_yF` vanishes at the lower
/// solutions (what is best below is best above too), near one where F is flat in y there, and to O(1/γ)
/// one where the lower solutions do not answer x; elsewhere it is that of two players who do not look
/// ahead. With F = ½(y − 1)² + ½x² and g = ½(y − x)² it is x = 0 for every γ, and φ is least at ½.
///
/// # Requirements on the problem
/// F and g once differentiable, and F a function of x too: where it is none, as in most searches for
/// hyperparameters, x would stay where it began, and the problem is refused.
///
/// # Cost in oracle calls
/// Two gradients of F and one of g per step; no Hessian-vector product.
///
/// # Reference
/// L. Jiang, Q. Xiao, L. Chen and T. Chen, Beyond value functions: single-loop bilevel optimization under
/// flatness conditions, NeurIPS 2025 (arXiv 2507.20400).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PbgdFree {
    /// γ.
    pub penalty: f64,
    /// How y moves.
    pub y: Motion,
    /// How x moves.
    pub x: Motion,
}

impl<T: Real> Rule<T> for PbgdFree {
    const NAME: &'static str = "pbgd-free";

    fn suits(&self, problem: &Bilevel<T>) -> Result<(), ConfigError> {
        let name = <Self as Rule<T>>::NAME;
        problem.expect_smooth(name)?;
        if problem.upper().reads(0) {
            return Ok(());
        }
        Err(ConfigError::Problem {
            of: name.to_owned(),
            reason:
                "F is no function of x, along whose gradient alone x would move: expected one that \
                     is, or `pbgd`"
                    .to_owned(),
        })
    }

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        expect::positive("penalty", self.penalty)?;
        let (penalty, batches) = (self.penalty, Batches::new(s)?);
        let (dim_x, dim_y) = (s.x.len(), s.y.len());
        let movers = [
            self.y.begin("y", dim_y, &batches.meter)?,
            self.x.begin("x", dim_x, &batches.meter)?,
        ];
        let mut along = batches.buffer(dim_y);
        let (of_g, of_f) = (penalty / (1.0 + penalty), 1.0 / (1.0 + penalty));
        Ok(keeping(batches, movers, move |s, b, [y, x]| {
            let t = s.iteration();
            let at = [s.x.as_slice(), s.y.as_slice()];
            let (upper, lower) = (b.upper.draw(), b.lower.draw());
            upper.gradient_at(&at, Inputs::one(1));
            lower.gradient_at(&at, Inputs::one(1));
            along.fill(T::zero());
            axpy(&mut along, T::of(of_g), lower.gradient(1));
            axpy(&mut along, T::of(of_f), upper.gradient(1));
            y.step(t, s.y.as_mut_slice(), &along);
            let upper = b.upper.draw();
            upper.gradient_at(&[s.x.as_slice(), s.y.as_slice()], Inputs::one(0));
            b.direction.copy_from_slice(upper.gradient(0));
            x.step(t, s.x.as_mut_slice(), &b.direction);
        }))
    }
}

/// The name `pbgd-free`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let about = "a step on the penalty below, then one on F alone: right where F is flat in y";
    Named::new("pbgd-free", about)
        .taking(&["penalty"])
        .drawing(whole)
        .entry(|call| {
            let settings = call.settings;
            Ok(PbgdFree {
                penalty: lasting_penalty(settings),
                y: plain(settings),
                x: outward(settings),
            })
        })
}
