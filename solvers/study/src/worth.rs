//! What a point is worth: φ(x) = F(x, y\*(x)) and its gradient, with the lower level solved there.
//!
//! What a method reports of itself is at its own y, which need not be a solution of the lower level, and
//! is of its own direction, which need not be a gradient. Here both are measured, as far as the precision
//! goes, and no method has a part in it.

use std::fmt;

use autodiff::Real;
use autodiff::kernels::norm;
use nalgebra::DVector;
use serde::{Deserialize, Serialize};
use solvers::{Aid, Status};

use crate::Subject;
use crate::compare::{exact_or, until_rounding};
use crate::format::{dash, short, time};

/// Loops beside which a dense Hessian may be formed for the gradient.
const DEPTH: usize = 100;

/// How far y may be from the solution, as a part, where the linear system alone failed.
const NEAR: f64 = 1e-3;

/// What a point is worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worth {
    /// φ(x) = F(x, y\*(x)), for the lower solution that is reached from y: where there are several, it is
    /// the nearest. `None` where the lower level could not be solved.
    pub value: Option<f64>,
    /// ‖∇φ(x)‖; `None` where it could not be computed.
    pub gradient_norm: Option<f64>,
    /// The same without the entries of x that stand at a bound which ∇φ holds them at: 0 where no step
    /// within the bounds makes φ smaller.
    pub projected_norm: Option<f64>,
    /// ‖y − y\*(x)‖ as a part of the larger of ‖y‖ and ‖y\*‖: how far the y that the method brought is
    /// from the solution; 2 at most.
    pub off: Option<f64>,
    /// Why a number is missing, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// How far the lower level and the linear system are solved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Solved {
    /// As far as the precision goes.
    ToRounding,
    /// As `aid-cg` does by itself where a dense Hessian would be dear: y to 1e-7 of its size.
    Well,
}

impl Worth {
    /// Measures it at x, the lower level solved from y.
    #[inline(never)]
    pub fn at<T: Real>(
        subject: &Subject<'_, T>,
        [x, y]: [&DVector<T>; 2],
        how_far: Solved,
    ) -> Self {
        let problem = subject.problem();
        let finite = |v: &DVector<T>| v.iter().all(|v| v.f64().is_finite());
        if problem.step().is_some() {
            return Worth::nothing("the problem brings steps of its own".into());
        }
        if !finite(x) || !finite(y) {
            return Worth::nothing("x or y is not finite".into());
        }
        let near = problem.clone().starting_from(y.clone());
        let implicit = match how_far {
            Solved::ToRounding => until_rounding::<T>(),
            Solved::Well => Aid::cg(),
        };
        let estimate = match exact_or(&implicit, &near, x, DEPTH) {
            Ok((estimate, _)) => estimate,
            Err(reason) => return Worth::nothing(reason),
        };
        let h = &estimate.hypergradient;
        let told = estimate.status.is_success() && finite(h);
        let near = estimate.distance.is_some_and(|distance| distance <= NEAR);
        let solved = told || near && is_of_the_linear_system(&estimate.status);
        let (low, high) = subject
            .bounds()
            .unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
        let (low, high) = (T::of(low), T::of(high));
        let is_held = |x: T, h: T| x <= low && h > T::zero() || x >= high && h < T::zero();
        let free = h.zip_map(x, |h, x| if is_held(x, h) { T::zero() } else { h });
        Worth {
            value: Some(estimate.upper).filter(|value| solved && value.is_finite()),
            gradient_norm: told.then(|| size(h)),
            projected_norm: told.then(|| size(&free)),
            off: solved.then(|| off(y, &estimate.y)),
            missing: (!told).then(|| estimate.status.to_string()),
        }
    }

    fn nothing(why: String) -> Self {
        Worth {
            value: None,
            gradient_norm: None,
            projected_norm: None,
            off: None,
            missing: Some(why),
        }
    }
}

/// Whether y is a solution all the same.
fn is_of_the_linear_system(status: &Status) -> bool {
    matches!(
        status,
        Status::SingularHessian { .. }
            | Status::InconsistentSystem { .. }
            | Status::LinearNotConverged { .. }
            | Status::LinearDiverged { .. }
    )
}

fn size<T: Real>(v: &DVector<T>) -> f64 {
    norm(v.as_slice()).f64()
}

/// ‖y − y*‖ as a part of the larger of the two: at most 2.
fn off<T: Real>(y: &DVector<T>, solution: &DVector<T>) -> f64 {
    match size(&(y - solution)) {
        0.0 => 0.0,
        apart => apart / size(y).max(size(solution)),
    }
}

/// What the start and the end of a run are worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gain {
    /// Where it began.
    pub start: Worth,
    /// Where it ended.
    pub end: Worth,
    /// Seconds that measuring took, which are none of the run's and no part of its records.
    #[serde(skip)]
    pub seconds: f64,
}

/// What rounding may make of φ, in units of the precision: it is a sum over samples, at a y that was solved
/// as far as the precision goes.
const ROUNDING: f64 = 1e4;

impl Gain {
    /// A remark where the run led to an x that is worth less than its start, or where that cannot be told.
    /// `epsilon` is the precision of the run.
    pub fn warning(&self, epsilon: f64) -> Option<String> {
        let known = |worth: &Worth, when| {
            worth.value.ok_or_else(|| {
                let reason = worth.missing.as_deref().unwrap_or("F is not finite");
                format!("what x {when} cannot be told: {reason}")
            })
        };
        let (before, after) = match (
            known(&self.start, "was worth at the start"),
            known(&self.end, "is worth"),
        ) {
            (Ok(before), Ok(after)) => (before, after),
            (_, Err(remark)) | (Err(remark), _) => return Some(remark),
        };
        let rise = ROUNDING * epsilon * before.abs().max(after.abs());
        (after - before > rise).then(|| {
            format!(
                "x is worth less than where the run began: with the lower level solved, F went from \
                 {before:.6e} to {after:.6e}; take shorter steps, or more of them"
            )
        })
    }
}

impl fmt::Display for Gain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (start, end) = (&self.start, &self.end);
        let shown = |value: Option<f64>| value.map_or_else(dash, short);
        write!(
            f,
            "with the lower level solved, F = {} at the start and {} at the end, ‖∇φ‖ = {} and {}",
            shown(start.value),
            shown(end.value),
            shown(start.gradient_norm),
            shown(end.gradient_norm),
        )?;
        if end.projected_norm != end.gradient_norm {
            write!(f, " ({} within the bounds)", shown(end.projected_norm))?;
        }
        if let Some(off) = end.off {
            write!(f, "; y is {} of its size from the solution", short(off))?;
        }
        if let Some(missing) = &end.missing {
            write!(f, "; at the end: {missing}")?;
        }
        write!(f, "; measured in {}", time(self.seconds))
    }
}

#[cfg(test)]
mod tests {
    use autodiff::{Var, objective};
    use nalgebra::dvector;
    use solvers::{Aid, Bilevel, Descent, Itd, Optimiser};

    use super::*;
    use crate::solve::Session;
    use crate::tests::distance;

    /// φ(x) = ½(x − 1)² + ½x² and ∇φ = 2x − 1, whatever y the point is brought with.
    #[test]
    fn it_is_the_closed_form_at_any_y() {
        let problem = distance(1);
        let subject = Subject::new("own", &problem, dvector![0.0]).with_bounds((0.0, 0.25));
        for (x, held) in [(0.25, 0.0), (0.1, 0.8)] {
            for how_far in [Solved::ToRounding, Solved::Well] {
                let worth = Worth::at(&subject, [&dvector![x], &dvector![x + 3.0]], how_far);
                let (value, gradient) = (worth.value.unwrap(), worth.gradient_norm.unwrap());
                assert!((value - 0.5 * ((x - 1.0).powi(2) + x * x)).abs() < 1e-12);
                assert!((gradient - (2.0 * x - 1.0).abs()).abs() < 1e-9);
                // At the upper bound ∇φ < 0 holds x there.
                assert!((worth.projected_norm.unwrap() - held).abs() < 1e-9);
                assert!((worth.off.unwrap() - 3.0 / (x + 3.0)).abs() < 1e-9);
                assert_eq!(worth.missing, None);
            }
        }
    }

    #[test]
    fn a_lower_bound_holds_x_where_the_gradient_is_positive() {
        let problem = distance(1);
        let subject = Subject::new("own", &problem, dvector![0.75]).with_bounds((0.75, 1.0));
        for (x, held) in [(0.75, 0.0), (0.8, 0.6), (1.0, 1.0)] {
            let worth = Worth::at(&subject, [&dvector![x], &dvector![x]], Solved::Well);
            assert!((worth.projected_norm.unwrap() - held).abs() < 1e-9, "{x}");
        }
    }

    /// y₁ is free: F is known for the y that is brought, its gradient is not.
    #[test]
    fn a_level_with_many_solutions_has_a_value_and_no_gradient() {
        let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + x.sum());
        let lower = objective(|x: Var, y: Var| 0.5 * (y.at(0) - x).square());
        let problem = Bilevel::new(upper, lower, 1, 2).expect("a problem");
        let subject = Subject::new("own", &problem, dvector![1.0]);
        let worth = Worth::at(
            &subject,
            [&dvector![1.0], &dvector![0.0, 3.0]],
            Solved::Well,
        );
        assert_eq!(worth.value, Some(0.5 * 4.0 + 1.0));
        assert_eq!((worth.gradient_norm, worth.projected_norm), (None, None));
        assert!(worth.missing.is_some_and(|why| why.contains("singular")));
    }

    #[test]
    fn a_gain_is_no_loss_and_a_loss_is_said() {
        let problem = distance(2);
        let subject = Subject::new("own", &problem, dvector![0.0, 1.0]);
        for (rate, loses) in [(0.4, false), (1.2, true)] {
            let rule = Optimiser::GradientDescent { rate };
            let method = Descent::new(Aid::cg(), rule, 3);
            let mut session = Session::begin(&subject, "own", &method).expect("it suits");
            while session.step().is_some() {}
            let gain = session.gain().expect("a lower level");
            assert_eq!(gain.warning(f64::EPSILON).is_some(), loses, "{gain}");
            assert!((gain.start.value.unwrap() - 1.0).abs() < 1e-12);
        }
    }

    /// What steps of one's own lead to is no solution of a lower level, and nothing is missing.
    #[test]
    fn steps_of_ones_own_have_no_solution_to_be_measured_at() {
        let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + x.sum());
        let problem = Bilevel::fixed_point(upper, |x, y| 0.5 * (x + y), 1, 1).expect("a problem");
        let subject = Subject::new("own", &problem, dvector![0.3]);
        let rule = Optimiser::GradientDescent { rate: 0.1 };
        let method = Descent::new(Itd::reverse(5), rule, 2);
        let session = Session::begin(&subject, "own", &method).expect("it suits");
        assert_eq!(session.gain(), None);
    }

    /// Below x = 0 the lower level is no longer convex, and has no solution.
    #[test]
    fn an_end_that_cannot_be_measured_is_said() {
        let upper = objective(|x: Var, y: Var| x.sum() + 0.0 * y.sum());
        let lower = objective(|x: Var, y: Var| 0.5 * x * y.norm_squared() - y.sum());
        let problem = Bilevel::new(upper, lower, 1, 1).expect("a problem");
        let subject = Subject::new("own", &problem, dvector![1.0]);
        let worth = |x: f64| Worth::at(&subject, [&dvector![x], &dvector![1.0]], Solved::Well);
        let gain = Gain {
            start: worth(1.0),
            end: worth(-1.0),
            seconds: 0.0,
        };
        assert_eq!((gain.start.value, gain.end.value), (Some(1.0), None));
        let warning = gain.warning(f64::EPSILON).expect("a remark");
        assert!(warning.contains("cannot be told"), "{warning}");
        assert!(
            gain.to_string()
                .contains("F = 1.00 at the start and – at the end"),
            "{gain}"
        );
    }
}
