//! The solution of a constrained level: an interior point method, then Newton's on the active set.

use nalgebra::DVector;

use super::Active;
use super::feasible::{nearest, violation};
use super::interior::{Inner, follow};
use super::level::{Model, Second};
use super::scaled::Scaled;

/// Why a constrained level has no solution that could be found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Trouble {
    /// A number is not finite where it starts.
    NonFinite,
    /// No y satisfies the constraints: the least violation, in distances to them.
    Infeasible(f64),
}

/// A solution of a constrained level, as far as one was found.
pub(crate) struct Solved {
    pub(crate) y: DVector<f64>,
    /// Of the equalities, then of the inequalities; 0 where one does not hold with equality.
    pub(crate) multipliers: DVector<f64>,
    /// The constraints that hold with equality.
    pub(crate) set: Vec<usize>,
    /// What is left of the equations, in units of ∇_y g: see [`natural`].
    pub(crate) residual: f64,
    /// The size of ∇_y g where the level starts, or what curvature makes of y's.
    pub(crate) scale: f64,
    /// How far Newton's next step goes.
    pub(crate) off: f64,
    /// The distance to another active set, and the constraint that changes there.
    pub(crate) margin: Option<(f64, usize)>,
    pub(crate) iterations: usize,
    pub(crate) trouble: Option<Trouble>,
}

/// Bytes that solving a level of n entries under m constraints holds, at most.
pub(crate) fn bytes(n: usize, m: usize) -> usize {
    (14 * n * n + 8 * n * m + 4 * m * m + 32 * (n + m)) * size_of::<f64>()
}

/// Rounds of Newton's method on an active set, and changes of that set.
const ROUNDS: usize = 12;
const CHANGES: usize = 20;

/// Solves a level from `start`: along the central path for at most `limit` iterations, then on the
/// active set, to rounding.
pub(crate) fn solve(model: &mut dyn Model, start: &DVector<f64>, limit: usize) -> Solved {
    let (equal, count, epsilon) = (model.equal(), model.count(), model.epsilon());
    let Some(mut scaled) = Scaled::at(model, start) else {
        return Solved {
            y: start.clone(),
            multipliers: DVector::zeros(count),
            set: Vec::new(),
            residual: f64::NAN,
            scale: 1.0,
            off: f64::NAN,
            margin: None,
            iterations: 0,
            trouble: Some(Trouble::NonFinite),
        };
    };
    // The path is followed until the active set is seen, and a violation is one that stays.
    let (tolerance, allowed) = (epsilon.powf(0.6), epsilon.powf(0.4));
    let begin = scaled.y(start);
    let mut inner = follow(&mut scaled, begin, tolerance, limit);
    let mut trouble = None;
    let violated = violation(equal, &scaled.first(&inner.y, &inner.multipliers).c);
    // Written so that a NaN is looked at.
    if !(violated <= allowed) {
        let (least, y) = nearest(&mut scaled, inner.y.clone());
        if least > allowed {
            trouble = Some(Trouble::Infeasible(least * scaled.of_y));
            inner.y = y;
        } else {
            let made = inner.iterations;
            inner = follow(&mut scaled, y, tolerance, limit);
            inner.iterations += made;
        }
    }
    let iterations = inner.iterations;
    let along = Place::of(&mut scaled, inner);
    let place = match trouble {
        Some(_) => along,
        None => {
            let polished = along.polished(&mut scaled);
            match polished.residual <= along.residual || along.residual.is_nan() {
                true => polished,
                false => along,
            }
        }
    };
    Solved {
        y: scaled.own_y(&place.y),
        multipliers: scaled.own_multipliers(&place.multipliers),
        residual: place.residual * scaled.of_gradient,
        scale: scaled.of_gradient,
        off: place.off * scaled.of_y,
        margin: place.margin.map(|(d, i)| (d * scaled.of_y, i)),
        set: place.set,
        iterations: iterations + place.rounds,
        trouble,
    }
}

/// A point with the active set there.
struct Place {
    y: DVector<f64>,
    multipliers: DVector<f64>,
    set: Vec<usize>,
    residual: f64,
    off: f64,
    margin: Option<(f64, usize)>,
    rounds: usize,
}

impl Place {
    /// Where the central path ended: what presses more than it spares is active.
    fn of(model: &mut Scaled<'_>, inner: Inner) -> Self {
        let (equal, mut multipliers) = (model.equal(), inner.multipliers);
        let active = |i: usize| i < equal || multipliers[i] > inner.slacks[i - equal];
        let set: Vec<usize> = (0..multipliers.len()).filter(|i| active(*i)).collect();
        let free = (0..multipliers.len()).filter(|i| !set.contains(i));
        free.collect::<Vec<_>>()
            .iter()
            .for_each(|i| multipliers[*i] = 0.0);
        Place::at(model, inner.y, multipliers, set)
    }

    fn at(
        model: &mut Scaled<'_>,
        y: DVector<f64>,
        multipliers: DVector<f64>,
        set: Vec<usize>,
    ) -> Self {
        let here = model.second(&y, &multipliers);
        let mut place = Place {
            residual: f64::NAN,
            off: f64::NAN,
            margin: None,
            rounds: 0,
            y,
            multipliers,
            set,
        };
        if here.is_finite() {
            let (_, off, active) = place.newton(&here, model.epsilon());
            place.off = off.norm();
            let stiffness = stiffness(&active);
            place.residual = natural(&here, model.equal(), &place.multipliers, stiffness);
            place.margin = margin(&here, model.equal(), &place.multipliers, stiffness);
        }
        place
    }

    /// Newton's step of the multipliers of the set and of y.
    fn newton(&self, here: &Second, epsilon: f64) -> (DVector<f64>, DVector<f64>, Active) {
        let active = Active::of(here, self.set.clone(), epsilon);
        let held = here.c.select_rows(&self.set);
        let (y, multipliers) = active.solve(&-&here.gradient, &-held);
        (multipliers, y, active)
    }

    /// By Newton's method on the active set, which gains what is violated and loses what pulls.
    fn polished(&self, model: &mut Scaled<'_>) -> Self {
        let (equal, epsilon) = (model.equal(), model.epsilon());
        let nothing = epsilon.powf(0.6);
        let mut at = Place {
            y: self.y.clone(),
            multipliers: self.multipliers.clone(),
            set: self.set.clone(),
            ..*self
        };
        let mut rounds = 0;
        for _ in 0..CHANGES {
            let mut last = f64::INFINITY;
            for _ in 0..ROUNDS {
                let here = model.second(&at.y, &at.multipliers);
                if !here.is_finite() {
                    break;
                }
                let (multipliers, y, _) = at.newton(&here, epsilon);
                let moved = y.norm();
                at.y += y;
                for (i, by) in at.set.iter().zip(multipliers.iter()) {
                    at.multipliers[*i] += by;
                }
                rounds += 1;
                let rounding = epsilon * at.y.norm();
                // Written so that a NaN ends it.
                if !(moved > rounding && moved < 0.5 * last) {
                    break;
                }
                last = moved;
            }
            let c = model.first(&at.y, &at.multipliers).c;
            let worth = |i: usize| match at.set.contains(&i) {
                true => -at.multipliers[i],
                false => c[i],
            };
            let worst = (equal..c.len()).max_by(|i, j| worth(*i).total_cmp(&worth(*j)));
            match worst.filter(|i| worth(*i) > nothing) {
                None => break,
                Some(i) => match at.set.iter().position(|k| *k == i) {
                    Some(k) => {
                        at.set.remove(k);
                        at.multipliers[i] = 0.0;
                    }
                    None => {
                        at.set.push(i);
                        at.set.sort_unstable();
                    }
                },
            }
        }
        let place = Place::at(model, at.y, at.multipliers, at.set);
        Place { rounds, ..place }
    }
}

/// What a distance to a constraint is worth as a gradient: the largest curvature, or the unit.
fn stiffness(active: &Active) -> f64 {
    if active.largest > 0.0 {
        active.largest
    } else {
        1.0
    }
}

/// The natural residual: the norm of ∇_yL, of the distances to the equalities, and of the lesser of
/// the distance to an inequality and what presses on it, all as gradients. It is 0 at a solution
/// alone.
fn natural(here: &Second, equal: usize, multipliers: &DVector<f64>, stiffness: f64) -> f64 {
    let mut squares = here.gradient.norm_squared();
    for (i, c) in here.c.iter().enumerate() {
        let length = here.jacobian.row(i).norm();
        let length = if length > 0.0 { length } else { 1.0 };
        let distance = c * stiffness / length;
        let left = match i < equal {
            true => distance,
            false => (-distance).min(multipliers[i] * length),
        };
        squares += left.powi(2);
    }
    squares.sqrt()
}

/// The least that an inequality spares or is pressed by, as a distance.
fn margin(
    here: &Second,
    equal: usize,
    multipliers: &DVector<f64>,
    stiffness: f64,
) -> Option<(f64, usize)> {
    let margins = (equal..here.c.len()).filter_map(|i| {
        let length = here.jacobian.row(i).norm();
        let distance = (-here.c[i] / length).max(multipliers[i] * length / stiffness);
        (length > 0.0).then_some((distance, i))
    });
    margins.min_by(|a, b| a.0.total_cmp(&b.0))
}
