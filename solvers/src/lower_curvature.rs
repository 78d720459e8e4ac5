//! What implicit strategies take for the curvature of the lower level: the Hessian, or something that is
//! definite where it is not.

use std::fmt;
use std::str::FromStr;

use autodiff::kernels::{axpy, dot, norm};
use autodiff::{Inputs, Point, Real};

use crate::Bilevel;
use crate::accuracy::Curvature;
use crate::catalogue::{Numbered, ParseNameError};
use crate::hessian::Operator;

/// The matrix of the linear system of an implicit strategy: `H = ∇²_yy g`, or Ĥ in its place.
///
/// A lower level that is not solved to the end, as that of a network, has directions in which H is flat
/// or negative, so that `H v = ∇_yF` leads nowhere. Ĥ is positive definite, and what is answered is
/// then biased: by no less than the residual ‖Hv − ∇_yF‖ that is left, which is measured with H itself
/// and told in the status [`CurvatureApproximate`](crate::Status::CurvatureApproximate). Such an answer
/// is never `converged`.
///
/// It has a name, which [`Display`](std::fmt::Display) writes and [`FromStr`](std::str::FromStr) reads:
/// ```
/// use solvers::LowerCurvature;
///
/// let curvature: LowerCurvature = "gauss-newton:0.001".parse()?;
/// assert_eq!(curvature, LowerCurvature::GaussNewton { damping: 1e-3 });
/// assert_eq!("damped:0.1".parse(), Ok(LowerCurvature::Damped(0.1)));
/// assert!("damped:-1".parse::<LowerCurvature>().is_err());
/// # Ok::<(), solvers::catalogue::ParseNameError>(())
/// ```
///
/// # Example
/// g = ½ (y² − x)² at y = 0, a maximum of g for x = 1, where H = −2x and Gauss–Newton's is 0:
/// ```
/// use autodiff::{Objective, Var, objective};
/// use solvers::LowerCurvature;
/// use solvers::linear::Operator;
///
/// let g = objective(|x: Var, y: Var| 0.5 * (y.square().outputs() - x).square().sum());
/// let mut point = g.record(1, 1).point();
/// point.linearise(&[&[1.0], &[0.0]]);
/// let mut product = |curvature: LowerCurvature| {
///     let mut out = [0.0];
///     curvature.of(&mut point).apply(&[1.0], &mut out);
///     out[0]
/// };
/// assert_eq!(product(LowerCurvature::Exact), -2.0);
/// assert_eq!(product(LowerCurvature::Damped(3.0)), 1.0);
/// assert_eq!(product(LowerCurvature::GaussNewton { damping: 0.5 }), 0.5);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum LowerCurvature {
    /// H.
    #[default]
    Exact,
    /// `H + δI`, with δ > 0 in units of the curvature of g. The bias falls as δ does, until H + δI is not
    /// definite.
    Damped(f64),
    /// The generalised Gauss–Newton matrix and damping, `G + δI`: H without the second derivatives of what
    /// the [`outputs`](autodiff::Var::outputs) are computed from that g marks. It is positive semidefinite
    /// where g is convex in them, and H itself where they are linear in y or g is stationary in them.
    ///
    /// # Reference
    /// N. Schraudolph, Fast curvature matrix-vector products for second-order gradient descent, Neural
    /// Computation 14(7), 2002; J. Martens, Deep learning via Hessian-free optimization, ICML 2010.
    GaussNewton {
        /// δ, from 0 on.
        damping: f64,
    },
}

impl LowerCurvature {
    /// All of them by name.
    pub const ALL: &[Numbered<LowerCurvature>] = &[
        Numbered {
            name: "exact",
            about: "the Hessian H of the lower level",
            make: |numbers| numbers.is_empty().then_some(LowerCurvature::Exact),
        },
        Numbered {
            name: "damped:DELTA",
            about: "H + DELTA I",
            make: |numbers| match *numbers {
                [damping] => Some(LowerCurvature::Damped(damping)),
                _ => None,
            },
        },
        Numbered {
            name: "gauss-newton:DELTA",
            about: "Gauss-Newton's matrix of the outputs that are marked, + DELTA I; without DELTA 0",
            make: |numbers| match *numbers {
                [] => Some(LowerCurvature::GaussNewton { damping: 0.0 }),
                [damping] => Some(LowerCurvature::GaussNewton { damping }),
                _ => None,
            },
        },
    ];

    /// `v ↦ Ĥv` of the level that `point` is a point of, at its linearisation.
    ///
    /// # Cost in oracle calls
    /// A Hessian-vector product for each vector.
    ///
    /// # Panics
    /// Products panic if the point was not linearised, or its program marks no outputs that
    /// Gauss–Newton's would be of.
    pub fn of<T: Real>(self, point: &mut Point<T>) -> Curved<'_, T> {
        Curved {
            kind: self,
            dim_y: point.program().input_shape(1).len(),
            point,
            seen: Curvature::new(),
            negative: 0.0,
        }
    }

    pub(crate) fn is_exact(self) -> bool {
        self == LowerCurvature::Exact
    }

    /// δ.
    pub(crate) fn damping(self) -> f64 {
        match self {
            LowerCurvature::Exact => 0.0,
            LowerCurvature::Damped(damping) | LowerCurvature::GaussNewton { damping } => damping,
        }
    }

    /// The reason why it is none, if it is not.
    pub(crate) fn complaint(&self) -> Option<String> {
        let (damping, from) = match *self {
            LowerCurvature::Exact => return None,
            LowerCurvature::Damped(damping) => (damping, "a positive number"),
            LowerCurvature::GaussNewton { damping } => (damping, "a number from 0 on"),
        };
        let strict = matches!(self, LowerCurvature::Damped(_));
        let good = damping.is_finite()
            && if strict {
                damping > 0.0
            } else {
                damping >= 0.0
            };
        (!good).then(|| format!("damping {damping}: expected {from}"))
    }

    /// The reason why a problem has no such curvature, if it has not.
    pub(crate) fn misfit<T: Real>(self, problem: &Bilevel<T>) -> Option<String> {
        if self.is_exact() {
            return None;
        }
        if let Some(part) = problem.part() {
            let name = part.name();
            return Some(format!(
                "curvature {self} is of a smooth lower level, and this one has a part beside g ({name}): \
                 expected `exact`"
            ));
        }
        let marked = matches!(self, LowerCurvature::Damped(_)) || problem.lower().has_outputs();
        (!marked).then(|| {
            format!(
                "curvature {self}: the lower level marks no outputs: expected `damped:DELTA`, or \
                 `outputs()` called on what its loss compares with the data"
            )
        })
    }
}

impl fmt::Display for LowerCurvature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LowerCurvature::Exact => write!(f, "exact"),
            LowerCurvature::Damped(damping) => write!(f, "damped:{damping}"),
            LowerCurvature::GaussNewton { damping } if *damping == 0.0 => write!(f, "gauss-newton"),
            LowerCurvature::GaussNewton { damping } => write!(f, "gauss-newton:{damping}"),
        }
    }
}

impl FromStr for LowerCurvature {
    type Err = ParseNameError;

    fn from_str(name: &str) -> Result<Self, ParseNameError> {
        Numbered::parse(Self::ALL, name, Self::complaint)
    }
}

/// `v ↦ Ĥv` of a [`LowerCurvature`].
#[derive(Debug)]
pub struct Curved<'a, T: Real> {
    point: &'a mut Point<T>,
    dim_y: usize,
    kind: LowerCurvature,
    seen: Curvature,
    negative: f64,
}

impl<T: Real> Curved<'_, T> {
    /// The smallest curvature of H itself that products have met: of Gauss–Newton's none is.
    pub(crate) fn seen(&self) -> Curvature {
        self.seen
    }

    /// The most negative curvature of H itself that products have met, as [`along`] has it; else 0.
    pub(crate) fn negative(&self) -> f64 {
        self.negative
    }
}

impl<T: Real> Operator<T> for Curved<'_, T> {
    fn apply(&mut self, v: &[T], out: &mut [T]) {
        let n = self.dim_y.max(1);
        let width = (v.len() / n).max(1);
        let (along_y, by_y) = ([None, Some(v)], Inputs::one(1));
        if let LowerCurvature::GaussNewton { .. } = self.kind {
            self.point.gauss_newton_block(width, &along_y, by_y);
            out.copy_from_slice(self.point.product(1));
        } else {
            self.point.second_block(width, &along_y, by_y);
            out.copy_from_slice(self.point.product(1));
            self.seen.see(n, v, out);
            for (v, hv) in v.chunks_exact(n).zip(out.chunks_exact(n)) {
                self.negative = self.negative.min(along(v, hv));
            }
        }
        if !self.kind.is_exact() {
            axpy(out, T::of(self.kind.damping()), v);
        }
    }
}

/// The curvature `vᵀHv / (‖v‖ ‖Hv‖)`, 0 where that is rounding.
pub(crate) fn along<T: Real>(v: &[T], hv: &[T]) -> f64 {
    let relative = (dot(v, hv) / (norm(v) * norm(hv))).f64();
    let rounding = 10.0 * T::EPSILON * (v.len() as f64).sqrt();
    if relative.abs() <= rounding || relative.is_nan() {
        return 0.0;
    }
    relative
}
