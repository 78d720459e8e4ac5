//! The slot of lower-level solvers: how a level is solved before it is differentiated implicitly.

use std::str::FromStr;

use autodiff::Real;

use super::{Steps, Working, coordinates_scratch, lbfgs_scratch, newton_scratch, proximal_scratch};
use crate::Bilevel;
use crate::expect;
use crate::inner::{InnerStep, StepLength};

/// How the lower level is solved before it is differentiated implicitly.
///
/// A level with a [part beside g](Bilevel::with_part) is solved by accelerated proximal steps, with
/// [`Newton`](LowerSolve::Newton) followed by Newton's method on the face that they come to; residuals
/// are then `‖y − P_s(y − s ∇_y g)‖ / s`. Where g is one fused loss of y (the logistic and the squared
/// one of `models`) beside an h of entries ([`entrywise`](crate::ProximalMap::entrywise)), and no more
/// than 4096 entries are free, `Newton` is instead Newton's method on working sets of up to 1024, by
/// coordinate descent and the linear system of the free entries; the residual is then that of s → 0, the length of
/// the least subgradient, which is no smaller.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LowerSolve {
    /// By Newton's method, each step from conjugate gradients.
    Newton {
        /// Ends at `‖∇_y g‖ ≤ tolerance` at the earliest, or at the precision's default if `None`, and
        /// then goes on until y is within 1e-7 of its own size (3e-4 in `f32`) of the solution, as far
        /// as the smallest curvature that was met can tell. With a tolerance y may be as far off as that,
        /// and at most 1e-3, if bringing it nearer changed the hypergradient by no more, and no
        /// other active set is as near.
        tolerance: Option<f64>,
        /// The most iterations; 200 if `None`, and 20 000 with a part beside g.
        limit: Option<usize>,
    },
    /// By accelerated gradient steps with adaptive restarts, of automatic length that is shortened where
    /// more curvature is met on the way, for a convex level whose Hessian-vector products are dear.
    ///
    /// Reference: B. O'Donoghue and E. Candès, Adaptive restart for accelerated gradient schemes,
    /// 2015.
    Accelerated {
        /// As for Newton's method.
        tolerance: Option<f64>,
        /// The most steps; 20 000 if `None`.
        limit: Option<usize>,
    },
    /// By L-BFGS with sixteen pairs and a line search for Wolfe's conditions, for a smooth level whose
    /// Hessian-vector products are dear or that is not convex, such as a network: it goes down to a
    /// stationary point, one gradient or two an iteration, and the linear system after it tells by the
    /// curvature that it meets whether that is a minimiser.
    ///
    /// Reference: D. Liu and J. Nocedal, On the limited memory BFGS method for large scale
    /// optimization, Mathematical Programming 45, 1989.
    Lbfgs {
        /// As for Newton's method.
        tolerance: Option<f64>,
        /// The most iterations; 20 000 if `None`.
        limit: Option<usize>,
    },
    /// By exactly the steps that [`Itd`](crate::Itd) unrolls, so that the two can be compared at
    /// one iterate.
    Steps {
        /// Number of steps.
        depth: usize,
        /// The kind of step.
        inner: InnerStep,
        /// Its length.
        length: StepLength,
    },
    /// Not at all: the answer is made at the y that the lower level starts from, and judged by how far
    /// that is. For an end of a solver of one's own, or to compare linear systems at one y.
    Start,
}

/// The solvers of the lower level that go to a tolerance, by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LowerRule {
    /// [`LowerSolve::Newton`].
    #[default]
    Newton,
    /// [`LowerSolve::Lbfgs`].
    Lbfgs,
    /// [`LowerSolve::Accelerated`].
    Accelerated,
}

impl LowerRule {
    /// Each with its name.
    pub const ALL: [(&'static str, LowerRule); 3] = [
        ("newton", LowerRule::Newton),
        ("lbfgs", LowerRule::Lbfgs),
        ("accelerated", LowerRule::Accelerated),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        expect::name_of(&Self::ALL, &self)
    }

    /// The solver, to this tolerance in at most so many iterations, or its defaults.
    pub fn until(self, tolerance: Option<f64>, limit: Option<usize>) -> LowerSolve {
        match self {
            LowerRule::Newton => LowerSolve::Newton { tolerance, limit },
            LowerRule::Lbfgs => LowerSolve::Lbfgs { tolerance, limit },
            LowerRule::Accelerated => LowerSolve::Accelerated { tolerance, limit },
        }
    }
}

impl FromStr for LowerRule {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        expect::one_of(&Self::ALL, name)
    }
}

impl Default for LowerSolve {
    /// Newton's method to the precision's default, in at most 200 iterations.
    fn default() -> Self {
        LowerSolve::Newton {
            tolerance: None,
            limit: None,
        }
    }
}

impl LowerSolve {
    /// Whether it goes to a tolerance.
    pub(crate) fn solves(&self) -> bool {
        !matches!(self, LowerSolve::Steps { .. } | LowerSolve::Start)
    }

    /// Number, kind and length of the steps, if it takes steps.
    pub(crate) fn steps(&self) -> Option<(usize, Steps)> {
        match self {
            LowerSolve::Newton { .. }
            | LowerSolve::Accelerated { .. }
            | LowerSolve::Lbfgs { .. }
            | LowerSolve::Start => None,
            LowerSolve::Steps {
                depth,
                inner,
                length,
            } => {
                let (inner, length) = (inner.clone(), *length);
                Some((*depth, Steps { inner, length }))
            }
        }
    }

    /// Entries of scratch that [`solve`](LowerSolve::solve) takes, with `factors` or without.
    pub(crate) fn scratch<T: Real>(&self, problem: &Bilevel<T>, factors: bool) -> usize {
        let dim_y = problem.dim_y();
        match (self, self.steps()) {
            (_, Some((_, steps))) => steps.inner.dim_state(dim_y) + steps.spare(problem),
            (LowerSolve::Start, _) => 0,
            _ if problem.part().is_some() => StepLength::Auto
                .spare(dim_y)
                .max(proximal_scratch::<T>(dim_y))
                .max(coordinates_scratch(dim_y)),
            (LowerSolve::Lbfgs { .. }, _) => lbfgs_scratch(dim_y),
            (LowerSolve::Accelerated { .. }, _) => StepLength::Auto.spare(dim_y).max(3 * dim_y),
            _ => newton_scratch::<T>(dim_y, factors),
        }
    }

    /// The reason why a problem is not solved by it, with what does, if it is not.
    pub(crate) fn misfit<T: Real>(&self, problem: &Bilevel<T>) -> Option<String> {
        let part = problem.part()?;
        let what = match self {
            LowerSolve::Lbfgs { .. } => "L-BFGS solves",
            LowerSolve::Start => "a y that is given solves",
            _ => return None,
        };
        Some(format!(
            "{what} ∇_y g = 0, and the lower level has a part beside g ({}): expected Newton's method or \
             accelerated steps",
            part.name()
        ))
    }

    /// Whether a problem is solved by working sets.
    pub(crate) fn works_on_sets<T: Real>(&self, problem: &Bilevel<T>) -> bool {
        matches!(self, LowerSolve::Newton { .. }) && Working::suits(problem)
    }

    /// The reason why these settings solve no lower level, if they do not.
    pub(crate) fn complaint(&self) -> Option<String> {
        match self {
            LowerSolve::Newton { tolerance, limit }
            | LowerSolve::Lbfgs { tolerance, limit }
            | LowerSolve::Accelerated { tolerance, limit } => {
                if *limit == Some(0) {
                    return Some("at most 0 iterations: expected at least 1".to_owned());
                }
                let bad = tolerance.filter(|t| !(t.is_finite() && *t > 0.0));
                bad.map(|t| format!("tolerance {t}: expected a positive number"))
            }
            LowerSolve::Start => None,
            LowerSolve::Steps { depth: 0, .. } => {
                Some("depth 0: expected at least 1 step".to_owned())
            }
            LowerSolve::Steps { inner, length, .. } => inner.complaint(*length),
        }
    }
}

#[cfg(test)]
mod tests {
    use autodiff::{Var, objective};
    use nalgebra::dvector;

    use super::*;
    use crate::{Aid, Estimate, Status, Strategy};

    /// y = (x, x/100) at curvatures 1 and 1e-4, F = ½‖y‖²: the hypergradient is (1 + 1e-4) x.
    fn run(lower: LowerSolve) -> Estimate<f64> {
        let scales = [1.0, 1e-4];
        let g = objective(move |x: Var, y: Var| {
            let solution = x.concat(&[x * 0.01]);
            0.5 * (y - solution).square().dot(x.vector(&scales))
        });
        let f = objective(|_x: Var, y: Var| 0.5 * y.norm_squared());
        let problem = Bilevel::new(f, g, 1, 2).expect("a valid problem");
        let aid = Aid::cg().lower(lower);
        aid.hypergradient(&problem, &dvector![2.0], &mut problem.workspace())
            .expect("valid settings")
    }

    #[test]
    fn every_solver_goes_on_until_y_is_near() {
        for lower in [
            LowerSolve::default(),
            LowerSolve::Accelerated {
                tolerance: None,
                limit: None,
            },
            LowerSolve::Lbfgs {
                tolerance: None,
                limit: None,
            },
        ] {
            let estimate = run(lower);
            assert_eq!(estimate.status, Status::Converged, "{estimate}");
            assert!(estimate.distance.is_some_and(|d| d <= 1e-7), "{estimate}");
            let want = 2.0 * (1.0 + 1e-4);
            assert!(
                (estimate.hypergradient[0] - want).abs() < 1e-6,
                "{estimate}"
            );
        }
    }

    #[test]
    fn what_ends_at_a_limit_or_far_away_says_so() {
        let accelerated = |tolerance, limit| LowerSolve::Accelerated { tolerance, limit };
        let short = run(accelerated(None, Some(3)));
        assert_eq!(short.status.code(), "lower-not-converged", "{short}");
        assert_eq!(short.lower_iterations, 3);
        // ‖∇_y g‖ is 1e-6 where the flat entry has all its way to go: the hypergradient tells, and y goes.
        let flat = run(accelerated(Some(1e-5), None));
        assert!(
            (flat.hypergradient[0] - 2.0 * (1.0 + 1e-4)).abs() < 1e-6,
            "{flat}"
        );
        assert!(flat.status.is_success() && flat.change.is_some(), "{flat}");
        // Unless it has no steps left.
        let stopped = run(accelerated(Some(1e-5), Some(100)));
        let told = !stopped.status.is_success() || !stopped.warnings.is_empty();
        assert!(told, "{stopped}");
    }
}
