//! Implicit differentiation of a lower level with constraints.

use std::sync::Arc;

use autodiff::bytes::{Category, Claim};
use autodiff::kernels::norm;
use autodiff::{Inputs, Point, Real};
use nalgebra::{DMatrix, DVector};

use crate::accuracy::{TOLD, part, size, solved};
use crate::constraints::{Active, Level, Model, Solved, Trouble, bytes, narrow, solve};
use crate::linear::dense::BLOCK;
use crate::{Bilevel, Status, default_tolerance};

use super::aid::solve_further;
use super::{Answer, Call, Footprint, Room, Strategy, StrategyEntry};

/// Solves a lower level with [constraints](Bilevel::with_constraints) and differentiates its
/// Karush–Kuhn–Tucker equations: with the Lagrangian `L = g + λᵀc` and the derivatives A of the
/// constraints that hold with equality,
///
/// `[∇²_yy L, Aᵀ; A, 0] (v, w) = (∇_yF, 0)`, then `∇_xF − ∇²_xy L · v − (∂_xc)ᵀ w`.
///
/// The level is solved by a primal-dual interior point method, from any start, and then by Newton's on
/// the active set until no step helps. [`multipliers`](crate::Estimate::multipliers) are λ.
/// [`lower_residual`](crate::Estimate::lower_residual) is the norm of ∇_yL, of the distances to the
/// equalities and of the lesser of an inequality's distance and its pressure, all as gradients: it is 0
/// at solutions alone.
///
/// | where | what is told |
/// |---|---|
/// | no y satisfies the constraints at this x | [`Infeasible`](Status::Infeasible) |
/// | gradients of active constraints depend on each other, so that λ is not unique | [`DependentConstraints`](Status::DependentConstraints) |
/// | L has negative curvature along the active set | [`NegativeCurvature`](Status::NegativeCurvature) |
/// | L is flat along it | [`SingularHessian`](Status::SingularHessian), unless F chooses among the solutions: see below |
/// | L has negative curvature off the active set | a warning: y may be a local solution |
/// | an inequality holds with nothing that presses on it | a warning, by [`margin`](crate::Estimate::margin) |
///
/// Where g and the constraints are flat along some directions on a whole neighbourhood, as those of a
/// linear program are, y is the solution that F is least at, by Newton's method on F along them, and
/// the hypergradient that of `min_y F` over the solutions (the optimistic one). A warning says so.
///
/// # Requirements on the problem
/// g and inequalities convex in y and equalities affine, or y the only solution near; all twice
/// differentiable; `dim_y` small enough for dense matrices.
///
/// # Cost in oracle calls
/// `dim_y` Hessian-vector products of g, and as many of the constraints, for each of some 10 to 40
/// iterations; one product of F. Dense factorisations in double precision.
///
/// # Reference
/// A. V. Fiacco and G. P. McCormick, Nonlinear programming: sequential unconstrained minimization
/// techniques, 1968, theorem 6 (the derivative); J. Nocedal and S. Wright, Numerical optimization,
/// 2006, chapter 19 (the method).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kkt {
    limit: usize,
}

impl Default for Kkt {
    fn default() -> Self {
        Kkt::new()
    }
}

impl Kkt {
    /// In at most 200 iterations of the interior point method.
    pub fn new() -> Self {
        Kkt { limit: 200 }
    }

    /// In at most this many.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}

impl<T: Real> Strategy<T> for Kkt {
    fn name(&self) -> String {
        "kkt".into()
    }

    fn complaint(&self) -> Option<String> {
        (self.limit == 0).then(|| "at most 0 iterations: expected at least 1".to_owned())
    }

    #[inline(never)]
    fn misfit(&self, problem: &Bilevel<T>) -> Option<String> {
        let free = problem.constraints().is_none();
        free.then(|| {
            "the lower level has no constraints: expected some, or aid-direct in its place"
                .to_owned()
        })
    }

    fn scratch(&self, problem: &Bilevel<T>) -> usize {
        let constraints = problem.recorded_constraints().map_or(0, |c| c.count());
        2 * (problem.dim_y() + constraints)
    }

    fn footprint(&self, problem: &Bilevel<T>) -> Footprint<T> {
        let n = problem.dim_y();
        let m = problem.recorded_constraints().map_or(0, |c| c.count());
        Footprint::new().second(1, n.min(BLOCK)).beside(bytes(n, m))
    }

    fn room(&self, dim_y: usize) -> Room {
        Room {
            bytes: bytes(dim_y, 0),
            dense: true,
            less: "aid-cg with a barrier in g",
            ..Room::default()
        }
    }

    #[inline(never)]
    fn differentiate(&self, call: &mut Call<'_, T>) -> Answer {
        let Call {
            x,
            start,
            upper,
            lower,
            scratch,
            hypergradient,
            y,
            constraints,
            ..
        } = call;
        let (x, start) = (*x, *start);
        let constraints = constraints.as_deref_mut().expect("looked at before");
        let (n, m) = (y.len(), constraints.recorded.count());
        let _dense = Claim::new(bytes(n, m), Category::Solver, scratch.meter());
        let begin = DVector::from_iterator(n, start.iter().map(|v| v.f64()));
        let mut level = Level {
            x,
            lower,
            constraints,
        };
        let mut found = solve(&mut level, &begin, self.limit);
        let (active, choice) = chosen(&mut level, upper, x, &mut found);

        // All of what follows is at the y that is handed back.
        for (y, found) in y.iter_mut().zip(found.y.iter()) {
            *y = T::of(*found);
        }
        let multipliers = narrow::<T>(&found.multipliers);
        let value = upper.linearise(&[x, y]);
        let b = upper.gradient(1);
        let held = DVector::zeros(active.set.len());
        let (by_y, by_c) = active.solve(&wide(b), &held);
        let ([v], mut rest) = scratch.split(n);
        let [w] = rest.vectors(m);
        v.copy_from_slice(&narrow::<T>(&by_y));
        w.fill(T::zero());
        for (i, by) in active.set.iter().zip(by_c.iter()) {
            w[*i] = T::of(*by);
        }
        let Level {
            lower, constraints, ..
        } = level;
        let below = lower.linearise(&[x, y]);
        lower.second(&[None, Some(v)]);
        let c = &mut constraints.point;
        c.linearise(&[x, y, &multipliers]);
        c.second(&[None, Some(v), Some(w)]);
        for (i, h) in hypergradient.iter_mut().enumerate() {
            *h = upper.gradient(0)[i] - lower.product(0)[i] - c.product(0)[i];
        }
        let mut squares = 0.0;
        for (i, b) in b.iter().enumerate() {
            squares += (b.f64() - lower.product(1)[i].f64() - c.product(1)[i].f64()).powi(2);
        }
        for i in &active.set {
            // As a curvature times a distance.
            let along = c.product(2)[*i].f64() * active.stiffness(*i);
            squares += along.powi(2);
        }
        let scale = norm(b).f64();
        let residual = if scale == 0.0 {
            0.0
        } else {
            squares.sqrt() / scale
        };
        // A product of F is what choosing takes, so that every call holds as much.
        upper.second_by(&[None, Some(v)], Inputs::one(1));

        let distance = part(found.off, y, start);
        let status = match below.is_finite() {
            true => self.status::<T>(&found, &active, &choice, distance),
            // Its derivatives may be numbers all the same.
            false => Status::NonFinite {
                place: "in g".into(),
            },
        };
        let mut answer = Answer::new(status, value.f64(), found.residual);
        answer.distance = Some(distance);
        answer.lower_iterations = found.iterations;
        answer.linear_residual = Some(residual);
        answer.linear_iterations = n;
        answer.multipliers = found.multipliers.iter().copied().collect();
        let near = found
            .margin
            .map(|(d, i)| ((d / size(y, start)).min(0.1), i));
        answer.margin = near.map(|(margin, _)| margin);
        if answer.status.is_success() {
            let blur = solved::<T>().max(distance);
            answer
                .warnings
                .extend(near.filter(|(d, _)| !(*d > 4.0 * blur)).map(|(d, i)| {
                format!(
                    "{} holds with nothing to spare that presses on it (within {d:.1e} of y): the \
                     derivative of the solution jumps there, and what is answered is one of its \
                     sides",
                    constraints.recorded.name(i)
                )
            }));
            if active.is_local(constraints.recorded.equal) {
                let local = "the Lagrangian has negative curvature off the active set, so that y may be a \
                             local solution alone: expected g and inequalities that are convex in y";
                answer.warnings.push(local.to_owned());
            }
            answer.warnings.extend(choice.remark());
            answer
                .warnings
                .extend(solve_further(residual.max(T::EPSILON), residual));
        }
        answer
    }
}

impl Kkt {
    fn status<T: Real>(
        &self,
        found: &Solved,
        active: &Active,
        choice: &Choice,
        distance: f64,
    ) -> Status {
        let (allowed, tolerance) = (solved::<T>(), default_tolerance::<T>());
        match found.trouble {
            Some(Trouble::Infeasible(violation)) => return Status::Infeasible { violation },
            Some(Trouble::NonFinite) => {
                let place = "in the lower level or its constraints where they start".into();
                return Status::NonFinite { place };
            }
            None => {}
        }
        let inaccurate = Status::LowerInaccurate { distance, allowed };
        // Written so that a NaN is no success.
        let near = distance <= allowed && found.residual <= allowed * found.scale;
        if let Some(relative) = active.dependent() {
            Status::DependentConstraints { relative }
        } else if let Some(relative_curvature) = active.negative() {
            Status::NegativeCurvature { relative_curvature }
        } else if !near && found.iterations >= self.limit {
            let residual = found.residual;
            Status::LowerNotConverged {
                residual,
                tolerance,
            }
        } else if let (Some(relative_curvature), false) = (active.singular(), choice.is_made()) {
            Status::SingularHessian { relative_curvature }
        } else if !near {
            inaccurate
        } else {
            Status::Converged
        }
    }
}

fn wide<T: Real>(of: &[T]) -> DVector<f64> {
    DVector::from_iterator(of.len(), of.iter().map(|v| v.f64()))
}

/// How y was chosen among the solutions of a lower level.
enum Choice {
    /// There is one.
    One,
    /// F is least there along this many flat directions.
    Least(usize),
    /// They could not be told apart by F, or are none.
    Open,
}

impl Choice {
    fn is_made(&self) -> bool {
        !matches!(self, Choice::Open)
    }

    fn remark(&self) -> Option<String> {
        let Choice::Least(flats) = self else {
            return None;
        };
        Some(format!(
            "the lower level has many solutions ({flats} flat directions): y is the one that F is \
             least at, and the hypergradient that of the optimistic problem"
        ))
    }
}

/// Steps of Newton's method on F along what the lower level is flat in.
const STEPS: usize = 20;

/// The equations on the active set at the solution, which is moved to where F is least where there are
/// many.
fn chosen<T: Real>(
    level: &mut Level<'_, T>,
    upper: &mut Point<T>,
    x: &[T],
    found: &mut Solved,
) -> (Active, Choice) {
    let at = |level: &mut Level<'_, T>, found: &Solved| {
        let here = level.second(&found.y, &found.multipliers);
        let finite = here.is_finite();
        (Active::of(&here, found.set.clone(), T::EPSILON), finite)
    };
    let (mut active, finite) = at(level, found);
    if !finite || found.trouble.is_some() || active.singular().is_none() {
        return (active, Choice::One);
    }
    let equal = level.equal();
    let before = level.first(&found.y, &found.multipliers);
    for _ in 0..STEPS {
        let flats = active.flats();
        let y = narrow::<T>(&found.y);
        upper.linearise(&[x, &y]);
        let b = wide(upper.gradient(1));
        let down = flats.tr_mul(&b);
        if down.norm() <= T::EPSILON.powf(0.6) * b.norm() {
            let flat = is_flat(level, found, &flats, &active);
            return (
                active,
                if flat {
                    Choice::Least(flats.ncols())
                } else {
                    Choice::Open
                },
            );
        }
        let mut curved = DMatrix::zeros(flats.nrows(), flats.ncols());
        for (column, mut out) in flats.column_iter().zip(curved.column_iter_mut()) {
            let along = narrow::<T>(&column.into_owned());
            upper.second_by(&[None, Some(&along)], Inputs::one(1));
            out.copy_from(&wide(upper.product(1)));
        }
        let Some(factor) = flats.tr_mul(&curved).cholesky() else {
            break;
        };
        let y = &found.y - &flats * factor.solve(&down);
        let moved = level.first(&y, &found.multipliers);
        // Beyond an inequality that was free there is no solution.
        let out = (equal..moved.c.len()).any(|i| moved.c[i] > before.c[i].max(0.0));
        let left = (moved.gradient - &before.gradient).norm();
        if out || !(left <= T::EPSILON.sqrt() * active.largest.max(1.0) * y.norm()) {
            break;
        }
        found.y = y;
        (active, _) = at(level, found);
    }
    (active, Choice::Open)
}

/// Whether nothing changes a tenth of the size of y away, along all flat directions at once.
fn is_flat<T: Real>(
    level: &mut Level<'_, T>,
    found: &Solved,
    flats: &DMatrix<f64>,
    active: &Active,
) -> bool {
    let along = DVector::from_fn(flats.ncols(), |i, _| 1.0 + 0.5 * (i as f64 * 78.233).sin());
    let along = flats * along;
    let size = match found.y.norm() {
        0.0 => 1.0,
        size => size,
    };
    let y = &found.y + &along * (0.1 * size / along.norm());
    let (here, there) = (
        level.first(&found.y, &found.multipliers),
        level.first(&y, &found.multipliers),
    );
    let moved = (there.gradient - here.gradient).norm();
    let held = active
        .set
        .iter()
        .map(|i| (there.c[*i] - here.c[*i]).abs() * active.stiffness(*i));
    let worst = held.fold(moved, f64::max);
    worst <= TOLD * T::EPSILON.powf(0.25) * 0.1 * size * active.largest.max(f64::MIN_POSITIVE)
}

/// The name `kkt`.
pub(super) fn entry<T: Real>() -> StrategyEntry<T> {
    let about = "constraints between the levels: interior point, then the KKT equations; dense";
    StrategyEntry::new("kkt", about, &["lower_limit"], |call| {
        let kkt = Kkt::new();
        let limit = call.settings.lower_limit;
        Ok(Arc::new(limit.map_or(kkt, |limit| kkt.limit(limit))))
    })
    .descent("descent along hypergradients of a lower level with constraints")
}
