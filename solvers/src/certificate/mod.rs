//! Bounds on the error of a hypergradient, a posteriori.

mod beside;
mod estimated;
mod stated;

pub use estimated::certify;
pub(crate) use stated::Stated;

use std::fmt;

use autodiff::kernels::norm;
use autodiff::{Point, Real};
use nalgebra::DVector;

use crate::Bilevel;

/// What a problem knows of its derivatives at one x, for all y unless said otherwise. Norms of
/// matrices are spectral norms, or bounds on them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constants {
    /// μ: no eigenvalue of ∇²_yy g is below this; positive, or 0 beside a part with squares.
    pub strong_convexity: f64,
    /// L_g: none is above this.
    pub smoothness: f64,
    /// L_H: Lipschitz constant of ∇²_yy g in y.
    pub hessian_lipschitz: f64,
    /// ‖∇²_xy g(x, y)‖ at this y.
    pub cross_norm: f64,
    /// L_J: Lipschitz constant of ∇²_xy g in y.
    pub cross_lipschitz: f64,
    /// L_F: Lipschitz constant of ∇_yF in y.
    pub upper_smoothness: f64,
    /// Lipschitz constant of ∇_xF in y; 0 where F is a sum of functions of x and of y.
    pub upper_cross: f64,
}

impl Constants {
    /// Whether they are numbers a bound can be made of.
    fn are_usable(&self) -> bool {
        let others = [
            self.smoothness,
            self.hessian_lipschitz,
            self.cross_norm,
            self.cross_lipschitz,
            self.upper_smoothness,
            self.upper_cross,
        ];
        self.strong_convexity > 0.0
            && self.strong_convexity.is_finite()
            && others.iter().all(|c| c.is_finite() && *c >= 0.0)
    }

    /// ω for these parts:
    /// `ε [L_F‖J‖/μ + L_H‖∇_yF‖‖J‖/μ² + L_J‖∇_yF‖/μ + L_Fx] + ‖J‖δ/μ + L_J L_F ε²/μ`.
    ///
    /// With b = ∇_yF, J = ∇²_xy g, stars for values at y*(x) and r = Hq − b, the error is
    /// `∇_xF − ∇_xF* − J H⁻¹r − J(H⁻¹ − H*⁻¹)b − (J − J*)H*⁻¹b − J*H*⁻¹(b − b*)`; the five terms are
    /// bounded in turn, the last one with ‖J*‖ ≤ ‖J‖ + L_J ε, and `‖y − y*‖ ≤ ε` by strong convexity.
    fn bound(&self, parts: Parts) -> f64 {
        let (mu, cross) = (self.strong_convexity, self.cross_norm);
        let (e, b) = (parts.lower_error, parts.upper_gradient);
        let per_error = self.upper_smoothness * cross / mu
            + self.hessian_lipschitz * b * cross / (mu * mu)
            + self.cross_lipschitz * b / mu
            + self.upper_cross;
        e * per_error
            + cross * parts.linear_residual / mu
            + self.cross_lipschitz * self.upper_smoothness * e * e / mu
    }

    /// A bound on `|F(x, y) − F(x, y*)|`, by Taylor's formula at y.
    fn upper_bound(&self, parts: Parts) -> f64 {
        let e = parts.lower_error;
        parts.upper_gradient * e + 0.5 * self.upper_smoothness * e * e
    }
}

/// What of a pair (y, q) enters its bound.
#[derive(Clone, Copy, Debug)]
struct Parts {
    /// ε = ‖∇_y g‖ / μ.
    lower_error: f64,
    /// δ = ‖Hq − ∇_yF‖.
    linear_residual: f64,
    /// ‖∇_yF‖.
    upper_gradient: f64,
}

/// A bound on the error of a hypergradient `z = ∇_xF − ∇²_xy g · q` taken at any (y, q).
///
/// `‖z − ∇φ(x)‖ ≤ ω`, certified where the problem states its [`Constants`]; else estimated, which
/// is no guarantee. It holds for the objectives as they are computed: once the residuals are of the
/// size of rounding, it says no more than that the error is of that size too.
///
/// For a problem of one lower level per sample it is the mean of the samples' bounds, and so are
/// its parts.
///
/// Beside a [part](crate::Part) that is a sum over the entries of y (ℓ₁ norm, elastic net, box) there is
/// one where y is proved to be in the piece of the solution: with its support, and with the bounds that it
/// meets. The constants are those of g, F and not of the part, and μ may be 0 where the part's squares
/// are not. Beside other parts there is none, as no number here says where their pieces end.
///
/// # Reference
/// The bound of implicit differentiation with inexact solves, as in M. J. Ehrhardt and L. Roberts,
/// Analyzing inexact hypergradients for bilevel learning, IMA J. Appl. Math. 2024.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Certificate {
    /// ω.
    pub bound: f64,
    /// Whether the constants were stated by the problem, so that ω is a guarantee.
    pub certified: bool,
    /// ε: a bound on ‖y − y*(x)‖.
    pub lower_error: f64,
    /// δ = ‖Hq − ∇_yF‖.
    pub linear_residual: f64,
    /// A bound on `|F(x, y) − φ(x)|`, `‖∇_yF‖ε + ½L_Fε²`.
    pub upper_error: f64,
    /// Whether ω < ‖z‖: then −z is a descent direction of φ.
    pub descent: bool,
}

impl Certificate {
    /// Its numbers.
    pub(crate) fn parts(&self) -> [f64; 4] {
        [
            self.bound,
            self.lower_error,
            self.linear_residual,
            self.upper_error,
        ]
    }

    /// One by constants that the problem states, of its numbers; whether −z descends is not known.
    pub(crate) fn of_parts(parts: [f64; 4]) -> Self {
        let [bound, lower_error, linear_residual, upper_error] = parts;
        Certificate {
            bound,
            certified: true,
            lower_error,
            linear_residual,
            upper_error,
            descent: false,
        }
    }

    /// The bound for the hypergradient of size `size` at y, by `constants`; F was differentiated,
    /// and g linearised and differentiated twice along q, at (x, y). `None` where the constants or
    /// the derivatives are not finite, or μ is not positive.
    pub(crate) fn at<T: Real>(
        constants: impl Fn(&[T]) -> Constants,
        samples: usize,
        y: &[T],
        size: f64,
        upper: &Point<T>,
        lower: &Point<T>,
    ) -> Option<Self> {
        let (n, block) = (samples as f64, y.len() / samples);
        let mut total = Certificate {
            bound: 0.0,
            certified: true,
            lower_error: 0.0,
            linear_residual: 0.0,
            upper_error: 0.0,
            descent: false,
        };
        for first in (0..y.len()).step_by(block) {
            let mine = first..first + block;
            let c = constants(&y[mine.clone()]);
            if !c.are_usable() {
                return None;
            }
            // Both objectives are means, so a sample's own derivatives are n times its block.
            let b = &upper.gradient(1)[mine.clone()];
            let residual = lower.product(1)[mine.clone()]
                .iter()
                .zip(b)
                .map(|(h, b)| (h.f64() - b.f64()).powi(2))
                .sum::<f64>()
                .sqrt();
            let parts = Parts {
                lower_error: n * norm(&lower.gradient(1)[mine]).f64() / c.strong_convexity,
                linear_residual: n * residual,
                upper_gradient: n * norm(b).f64(),
            };
            total.bound += c.bound(parts) / n;
            total.lower_error += parts.lower_error / n;
            total.linear_residual += parts.linear_residual / n;
            total.upper_error += c.upper_bound(parts) / n;
        }
        total.descent = total.bound < size;
        total.bound.is_finite().then_some(total)
    }

    /// As [`at`](Certificate::at), by the constants that `problem` states; `None` without them.
    pub(crate) fn stated<T: Real>(
        problem: &Bilevel<T>,
        x: &[T],
        y: &[T],
        size: f64,
        upper: &Point<T>,
        lower: &Point<T>,
    ) -> Option<Self> {
        let constants = |y: &[T]| problem.constants(x, y).expect("stated");
        let samples = problem.blocks();
        // Beside a part the derivative of y jumps with the active set: see `beside`.
        (problem.states_constants() && problem.not_smooth().is_none())
            .then(|| Self::at(constants, samples, y, size, upper, lower))?
    }

    /// The bound on `|F(x, y) − φ(x)|` alone, as [`stated`](Certificate::stated); both objectives
    /// were differentiated at (x, y). NaN without usable constants.
    pub(crate) fn upper_error<T: Real>(
        problem: &Bilevel<T>,
        x: &[T],
        y: &[T],
        upper: &Point<T>,
        lower: &Point<T>,
    ) -> f64 {
        let samples = problem.blocks();
        let (n, block) = (samples as f64, y.len() / samples);
        let blocks = (0..y.len()).step_by(block).map(|first| {
            let mine = first..first + block;
            let Some(c) = problem.constants(x, &y[mine.clone()]) else {
                return f64::NAN;
            };
            let parts = Parts {
                lower_error: n * norm(&lower.gradient(1)[mine.clone()]).f64() / c.strong_convexity,
                linear_residual: 0.0,
                upper_gradient: n * norm(&upper.gradient(1)[mine]).f64(),
            };
            c.upper_bound(parts) / n
        });
        blocks.sum()
    }

    /// The certificate of the pair (y, q), which no solver need have made, and z itself; `None`
    /// where the problem states no constants, or none that are finite with μ > 0, or has a part beside
    /// g, whose solution of the linear system is no pair's q.
    ///
    /// # Panics
    /// If x, y or q does not fit the problem.
    #[track_caller]
    #[inline(never)]
    pub fn of_pair<T: Real>(
        problem: &Bilevel<T>,
        x: &DVector<T>,
        y: &DVector<T>,
        q: &DVector<T>,
    ) -> Option<(Self, DVector<T>)> {
        for (name, v, want) in [
            ("x", x, problem.dim_x()),
            ("y", y, problem.dim_y()),
            ("q", q, problem.dim_y()),
        ] {
            assert!(
                v.len() == want,
                "{name} has {} entries: expected {want}",
                v.len()
            );
        }
        let (mut upper, mut lower) = (problem.upper().point(), problem.lower().point());
        let at = [x.as_slice(), y.as_slice()];
        upper.differentiate(&at, autodiff::Inputs::ALL);
        lower.linearise_along(&at, &[None, Some(q.as_slice())]);
        let z = DVector::from_column_slice(upper.gradient(0))
            - DVector::from_column_slice(lower.product(0));
        let size = z.norm().f64();
        let certificate = Self::stated(problem, at[0], at[1], size, &upper, &lower)?;
        Some((certificate, z))
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = match (self.descent, self.certified) {
            (true, true) => "the direction descends",
            (true, false) => "the direction seems to descend",
            (false, _) => "too coarse to tell whether the direction descends",
        };
        let origin = match self.certified {
            true => "certified by the problem's constants",
            false => "estimated from samples, not certified",
        };
        write!(
            f,
            "≤ {:.2e} ({origin}; ‖y − y*‖ ≤ {:.1e}, δ = {:.1e}; {direction})",
            self.bound, self.lower_error, self.linear_residual
        )
    }
}
