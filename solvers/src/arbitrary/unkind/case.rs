//! A bilevel problem of an unkind lower level, with its answer.

use autodiff::{Inputs, Real, Var, objective};
use nalgebra::{DMatrix, DVector};

use super::dice::Dice;
use super::frame::Frame;
use super::lower::sets::scaled as scaled_set;
use super::lower::{Constrained, Family, Lower};
use super::truth::{Solution, Truth};
use super::upper::Upper;
use crate::{Bilevel, Constraint, FixedPart, Part};

/// A bilevel problem with its point x, its start, and all solutions of its lower level at x.
///
/// Its numbers are those that its precision holds, so that the problem is the same in `f64`.
#[derive(Clone, Debug)]
pub struct Case {
    /// The seed it was drawn with.
    pub seed: u64,
    /// Its number among those of the seed.
    pub number: u64,
    /// Its kind.
    pub family: Family,
    /// What it is, in a few words.
    pub form: &'static str,
    /// Whether it is to be solved in `f32`.
    pub single: bool,
    /// Where the lower level starts, in words.
    pub from: &'static str,
    /// The point x.
    pub x: DVector<f64>,
    /// The start of the lower level.
    pub start: DVector<f64>,
    /// The [part](crate::Part) of the lower level, at x; the sum of a simplex may be another.
    pub set: Option<FixedPart>,
    /// The answer.
    pub truth: Truth,
    constraints: Option<Constrained>,
    frame: Frame,
    lower: Lower,
    upper: Upper,
    /// The part where u = 0, and the rate by which its size grows with u₀.
    part: Option<(FixedPart, f64)>,
}

impl Case {
    /// The case of this number: a function of the two.
    pub fn draw(seed: u64, number: u64) -> Self {
        let mut dice = Dice::new(seed, number);
        let family = dice.pick(&Family::ALL);
        Case::of(family, seed, number, &mut dice)
    }

    /// The case of this number, of a family that is given.
    pub fn of_family(family: Family, seed: u64, number: u64) -> Self {
        let mut dice = Dice::new(seed, number);
        Case::of(family, seed, number, &mut dice)
    }

    fn of(family: Family, seed: u64, number: u64, dice: &mut Dice) -> Self {
        dice.single = dice.chance(0.2);
        let dims = match dice.chance(0.3) {
            true => (1, 1),
            false => (1 + dice.below(4), 1 + dice.below(8)),
        };
        let recipe = family.draw(dice, dims);
        let lower = recipe.lower;
        let (m, n) = (recipe.u.len(), recipe.n);
        let frame = Frame::draw(dice, n, recipe.mixing);
        let x = frame.x(&recipe.u).map(|x| dice.round(x));
        let u = frame.u(&x);
        let mut own = lower.truth(&u);
        let unseen = own.determined.clone().filter(|_| own.best.is_none());
        let mut upper = Upper::draw(dice, (m, n), unseen);
        if let (Some(one), Some(determined)) = (own.best.take(), &own.determined) {
            own.best = upper.best(&u, one, determined);
        }
        upper.fault = recipe.fault;
        let near = own.solutions.first().map(|s| s.y.clone());
        let near = near.unwrap_or_else(|| dice.vector(n));
        let place = recipe.start.is_none().then(|| dice.below(10));
        let (z, from) = match (place, recipe.start) {
            (None, given) => (given.unwrap_or(near), "where the form says"),
            (Some(0..=4), _) => (DVector::zeros(n), "0"),
            (Some(5), _) => (near, "the solution"),
            (Some(6 | 7), _) => (near + dice.vector(n) * 0.3, "near"),
            (Some(_), _) => (dice.vector(n) * dice.power(1.0, 6.0), "far"),
        };
        let start = frame.y(&z).map(|y| dice.round(y));
        let part = recipe.set.map(|(set, rate)| (frame.set(set), rate));
        let set = part.map(|(set, rate)| scaled_set(set, (rate * u[0]).exp()));
        Case {
            seed,
            number,
            family,
            form: recipe.form,
            single: dice.single,
            from,
            x,
            start,
            set,
            truth: frame.truth(own),
            constraints: recipe.constraints,
            frame,
            lower,
            upper,
            part,
        }
    }

    /// The problem, in a precision.
    pub fn bilevel<T: Real>(&self) -> Bilevel<T> {
        let frame = &self.frame;
        let upper = objective(|x: Var<'_, T>, y: Var<'_, T>| {
            let (u, z) = (frame.record_u(x), frame.record_z(y));
            scaled(self.upper.record(u, z), frame.of_f)
        });
        let lower = objective(|x: Var<'_, T>, y: Var<'_, T>| {
            let (u, z) = (frame.record_u(x), frame.record_z(y));
            scaled(self.lower.record(u, z), frame.of_g)
        });
        let (dim_x, dim_y) = (self.x.len(), self.start.len());
        let problem = match self.lower.map() {
            Some(of) => Bilevel::fixed_point(
                upper,
                |x, y| frame.record_y(of.map(frame.record_u(x), frame.record_z(y))),
                dim_x,
                dim_y,
            ),
            None => Bilevel::new(upper, lower, dim_x, dim_y),
        };
        let problem = problem
            .and_then(|problem| match self.part {
                Some((set, rate)) => problem.with_part(self.part_of(set, rate)),
                None => Ok(problem),
            })
            .expect("a valid problem")
            .starting_from(self.start.map(T::of));
        match &self.constraints {
            Some(held) => problem
                .with_constraints(held.constraints(frame))
                .expect("constraints of z"),
            None => problem,
        }
    }

    /// By how much y violates the constraints at x; 0 without constraints.
    pub fn violation(&self, y: &DVector<f64>) -> f64 {
        let (u, z) = (self.frame.u(&self.x), self.frame.z(y));
        let held = self.constraints.as_ref();
        held.map_or(0.0, |held| held.violation(&u, &z))
    }

    /// Whether its lower level is under constraints.
    pub(super) fn is_constrained(&self) -> bool {
        self.constraints.is_some()
    }

    /// Whether its lower level is the equation of a map.
    pub(super) fn is_map(&self) -> bool {
        self.lower.map().is_some()
    }

    /// `by` times exp(rate · u₀).
    fn grown<T: Real>(
        &self,
        by: f64,
        rate: f64,
    ) -> impl for<'r> Fn(Var<'r, T>) -> Var<'r, T> + Send + Sync + use<T> {
        let frame = self.frame.clone();
        move |x| (frame.record_u(x).at(0) * T::of(rate)).exp() * T::of(by)
    }

    /// The part of a set, or of a threshold, whose size grows with u₀.
    fn part_of<T: Real>(&self, set: FixedPart, rate: f64) -> Part<T> {
        let times = |by: f64| self.grown(by, rate);
        match set {
            set if rate == 0.0 => set.into(),
            FixedPart::L1 { weight } => Part::l1(times(weight)),
            FixedPart::Set(Constraint::Simplex) => Part::simplex(times(1.0)),
            FixedPart::Set(Constraint::Ball { radius }) => Part::ball(times(radius)),
            FixedPart::Set(Constraint::Box { low, high }) if high.is_infinite() => {
                Part::above(times(low))
            }
            FixedPart::Set(Constraint::Box { low, high }) => Part::between(times(low), times(high)),
            FixedPart::Set(Constraint::None) => unreachable!("every one is held"),
        }
    }

    /// The solutions of the lower level at another x.
    pub fn truth_at(&self, x: &DVector<f64>) -> Truth {
        self.frame.truth(self.lower.truth(&self.frame.u(x)))
    }

    /// ∇_xF and ∇_yF at x and some y.
    pub fn upper_gradients(&self, y: &DVector<f64>) -> [DVector<f64>; 2] {
        let (u, z) = (self.frame.u(&self.x), self.frame.z(y));
        let (by_u, by_z) = self.upper.gradients(&u, &z);
        let [by_x, by_y] = self.frame.pull(&by_u, &by_z);
        [by_x * self.frame.of_f, by_y * self.frame.of_f]
    }

    /// The hypergradient ∇_xF + (dy*/dx)ᵀ ∇_yF of a solution.
    pub fn hypergradient(&self, solution: &Solution) -> DVector<f64> {
        let [by_x, by_y] = self.upper_gradients(&solution.y);
        by_x + solution.slope.tr_mul(&by_y)
    }

    /// The size of y that an error is a part of: that of the solution; where this is 0 or next to
    /// it, a thousandth of what y has in its unit, or a millionth of the start.
    pub fn size(&self, solution: &Solution) -> f64 {
        let unit = 1e-3 * self.frame.size_of_y();
        solution.y.norm().max(unit).max(1e-6 * self.start.norm())
    }

    /// The size that x has where u is of order one.
    pub fn unit_of_x(&self) -> f64 {
        self.frame.x(&DVector::from_element(1, 1.0))[0]
    }

    /// The largest curvature of the lower level that is met at its start or a solution, by the
    /// dense Hessian; 1 where neither has one.
    pub fn curvature(&self) -> f64 {
        let solution = self.truth.solutions.first().map(|s| &s.y);
        let places = solution.into_iter().chain([&self.start]);
        let largest = places.filter_map(|y| self.curvatures(y)).map(|c| c.amax());
        let largest = largest.fold(0.0, f64::max);
        if largest > 0.0 { largest } else { 1.0 }
    }

    /// Whether rounding to `epsilon` alone may move a solution of a system with the Hessian at the
    /// lower level's solution by this part.
    pub(super) fn is_ill_conditioned(&self, epsilon: f64, part: f64) -> bool {
        let solution = self.truth.solutions.first();
        let curvatures = solution.and_then(|s| self.curvatures(&s.y));
        curvatures.is_none_or(|c| c.map(f64::abs).min() * part <= epsilon * c.amax())
    }

    /// The eigenvalues of the Hessian of the lower level; `None` where it is not finite.
    fn curvatures(&self, y: &DVector<f64>) -> Option<DVector<f64>> {
        let mut point = self.bilevel::<f64>().lower().point();
        let n = y.len();
        point.linearise(&[self.x.as_slice(), y.as_slice()]);
        let mut hessian = DMatrix::zeros(n, n);
        for i in 0..n {
            let direction = DVector::from_fn(n, |j, _| f64::from(i == j));
            point.second_by(&[None, Some(direction.as_slice())], Inputs::one(1));
            hessian.column_mut(i).copy_from_slice(point.product(1));
        }
        let finite = hessian.iter().all(|h| h.is_finite());
        finite.then(|| hessian.symmetric_eigenvalues())
    }
}

fn scaled<T: Real>(value: Var<'_, T>, by: f64) -> Var<'_, T> {
    match by {
        1.0 => value,
        by => value * T::of(by),
    }
}
