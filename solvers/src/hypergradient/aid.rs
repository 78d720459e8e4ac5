//! Approximate implicit differentiation.

mod entry;
mod settings;
mod verdict;

use autodiff::kernels::{axpy, norm};
use autodiff::{Inputs, Point, Real};

use crate::accuracy::{self, Curvature, Flat, PROBED, part};
use crate::linear::LinearSolver;
use crate::linear::approximate;
use crate::linear::dense::{BLOCK, Factor};
use crate::linear::system::{self, Known, Solution};
use crate::lower::{Lower, LowerAt, LowerSolve, NOTHING, Working};
use crate::part::{After, Face, Sight};
use crate::settling::Settling;
use crate::trap::Trap;
use crate::{Bilevel, Certificate, LowerCurvature, Status, default_tolerance};

use super::Strategy;
use super::footprint::{Footprint, loop_bytes};
use super::frame::{Answer, Call, Walked};
use super::room::Room;
pub(super) use entry::entries;
use verdict::settle;
pub(super) use verdict::solve_further;

/// Solves the lower level, then `H v = ∇_yF`, and returns `∇_xF − ∇²_xy g · v`.
///
/// # Requirements on the problem
/// g twice differentiable, its Hessian in y positive definite at the solution. A Hessian that is
/// singular or indefinite is reported in the status.
///
/// Where the lower level has a [part beside g](Bilevel::with_part), the system is solved on the face
/// that y lies on: on the support of a Lasso, in the groups that are not 0, off the bounds that hold. The
/// Hessian need be positive definite there alone, and no constraint may hold with nothing to spare:
/// [`margin`](crate::Estimate::margin) measures that, and a small one has a warning. Constants that
/// the problem states make a [certificate](Certificate) then where the part is a sum over entries and y
/// is provably on the face of the solution, for one product more, and a pullback for each entry of y where a
/// parameter of the part has as many.
///
/// # Cost in oracle calls
/// The lower level's, one gradient of F, one of g, the linear solver's Hessian-vector
/// products, and one more that gives the recomputed residual and the cross product together. With
/// `dim_y ≤ 20` up to `dim_y` more products look for a flat direction outside the Krylov space, and two
/// gradients with a product each look beside y; above that, where the start of y has entries that are
/// alike, up to 50 gradients of g look for what it [hides](crate::guide::statuses).
///
/// # Reference
/// F. Pedregosa, Hyperparameter optimization with approximate gradient, ICML 2016.
#[derive(Clone, Debug, PartialEq)]
pub struct Aid<L> {
    lower: LowerSolve,
    linear: L,
    curvature: LowerCurvature,
    rounding: bool,
}

impl<T: Real, L: LinearSolver<T>> Strategy<T> for Aid<L> {
    fn name(&self) -> String {
        format!("aid-{}", self.linear.name())
    }

    fn complaint(&self) -> Option<String> {
        let settings = self.lower.complaint().or(self.linear.complaint());
        settings.or(self.curvature.complaint())
    }

    #[inline(never)]
    fn misfit(&self, problem: &Bilevel<T>) -> Option<String> {
        let inner = self.lower.steps().map(|(_, steps)| steps.inner);
        let steps = inner.and_then(|inner| inner.misfit(problem));
        let lower = || self.lower.misfit(problem);
        let curvature = || self.curvature.misfit(problem);
        (problem.own_step().or(steps))
            .or_else(lower)
            .or_else(curvature)
    }

    fn scratch(&self, problem: &Bilevel<T>) -> usize {
        self.parts().scratch(problem)
    }

    fn kept(&self, problem: &Bilevel<T>) -> usize {
        self.linear.kept(problem.dim_y())
    }

    fn footprint(&self, problem: &Bilevel<T>) -> Footprint<T> {
        self.parts().footprint(problem)
    }

    fn room(&self, dim_y: usize) -> Room {
        self.linear.room(dim_y)
    }

    fn implicit(&self) -> Option<&dyn LinearSolver<T>> {
        // Of others than the Hessian each system is solved, and measured, by itself.
        self.curvature
            .is_exact()
            .then_some(&self.linear as &dyn LinearSolver<T>)
    }

    fn differentiate(&self, call: &mut Call<'_, T>) -> Answer {
        self.parts().differentiate(call)
    }
}

impl<L> Aid<L> {
    fn parts<T: Real>(&self) -> Parts<'_, T>
    where
        L: LinearSolver<T>,
    {
        Parts {
            lower: &self.lower,
            linear: &self.linear,
            curvature: self.curvature,
            rounding: self.rounding,
        }
    }
}

/// Entries of y up to which a basis of what a part's map loses costs next to nothing.
const FEW: usize = 256;

/// The settings, with a linear solver of any kind: what follows is compiled once.
struct Parts<'a, T> {
    lower: &'a LowerSolve,
    linear: &'a dyn LinearSolver<T>,
    curvature: LowerCurvature,
    rounding: bool,
}

impl<T: Real> Parts<'_, T> {
    /// What the linear solver allocates beside its scratch.
    fn beside(&self, n: usize) -> usize {
        system::beside(self.linear, n)
    }

    /// Whether Newton's method may hold a factor of the Hessian: where the linear solver will take as
    /// much room for one.
    fn factors(&self, problem: &Bilevel<T>) -> bool {
        let n = problem.dim_y();
        problem.part().is_none()
            && self.linear.room(n).dense
            && self.linear.block(n) >= BLOCK
            && self.beside(n) >= Factor::<T>::bytes(n)
    }

    /// Whether all that a part's map loses is looked for: what stays among the products with its
    /// derivative never meets it, but a factorisation and a few other solvers do.
    fn all_lost(&self, n: usize) -> bool {
        n <= FEW || self.linear.room(n).dense
    }

    /// The solution of the linear system and what it keeps, beside what the lower level or that system takes.
    fn scratch(&self, problem: &Bilevel<T>) -> usize {
        let n = problem.dim_y();
        let system = system::scratch(self.linear, n, true);
        let lower = self.lower.scratch(problem, self.factors(problem));
        let last = Settling::<T>::entries(self.lower.tolerance(), problem.dim_x());
        last + self.linear.kept(n)
            + match problem.part() {
                None => n + lower.max(system).max(2 * n),
                // The right-hand side on the face, and its product.
                Some(_) => 2 * n + lower.max(system + n),
            }
    }

    fn footprint(&self, problem: &Bilevel<T>) -> Footprint<T> {
        let n = problem.dim_y();
        let beside = self.beside(n);
        let part = problem.recorded_part();
        let block = if part.is_some() {
            1
        } else {
            self.linear.block(n)
        };
        let basis = part.map_or(0, |part| Face::bytes(part, n, self.all_lost(n)));
        let sets = match self.lower.works_on_sets(problem) {
            true => Working::<T>::bytes(n),
            false => 0,
        };
        let footprint = Footprint::new()
            .second(0, block)
            .beside(beside + basis + sets);
        let Some((depth, steps)) = self.lower.steps() else {
            return footprint;
        };
        // The length is one number in the recording, whichever it is.
        let step = steps.recorded(problem, 0.5);
        footprint
            .recorded(&step)
            .beside(loop_bytes(&step, depth, NOTHING))
    }

    #[inline(never)]
    fn differentiate(&self, call: &mut Call<'_, T>) -> Answer {
        let Call {
            problem,
            x,
            start,
            upper,
            lower,
            loops,
            y,
            hypergradient,
            part: beside,
            working,
            ..
        } = call;
        let (x, start) = (*x, *start);
        let has_part = beside.is_some();
        let ([own], mut scratch) = call.scratch.split(y.len());
        let ([on_face], mut scratch) = scratch.split(if has_part { y.len() } else { 0 });
        let given = self.lower.tolerance();
        let ([last], mut scratch) = scratch.split(Settling::<T>::entries(given, x.len()));
        let ([kept], mut scratch) = scratch.split(self.linear.kept(y.len()));
        let mut settling = Settling::new(given, last);
        kept.fill(T::zero());
        let kept = match &mut call.kept {
            Some(kept) => &mut **kept,
            None => kept,
        };
        own.fill(T::zero());
        let v = match &mut call.linear {
            Some(guess) => &mut **guess,
            None => own,
        };
        let least = match self.rounding {
            true => f64::MIN_POSITIVE,
            false => default_tolerance::<T>(),
        };
        let on_sets = self.lower.works_on_sets(problem);
        let make = || Working::new(y.len(), scratch.meter());
        let working = on_sets.then(|| &mut *working.get_or_insert_with(make));
        let mut at = LowerAt {
            point: lower,
            part: beside.as_deref_mut(),
            working,
            x,
            scratch: &mut scratch,
        };
        let until = (least, self.factors(problem));
        let mut solved = self.lower.solve(problem, &mut at, y, until, (upper, loops));
        let look = |at: &mut LowerAt<'_, '_, T>, y: &[T], solved: &Lower| {
            let found = self.at(
                at,
                [y, start],
                solved,
                upper,
                [v, kept, on_face],
                hypergradient,
            );
            settling.look(hypergradient, upper.gradient(0));
            // A linear system that was not solved has nothing that could settle.
            let hopeless =
                found.solution.flawed || given.is_some() && !found.solution.status.is_success();
            let wanted = settling.wanted(found.distance, found.remark.is_some());
            let more = wanted.filter(|_| !hopeless);
            let more = more.map(|part| (found.distance, 0.1 * part));
            (found, more)
        };
        let (found, here) = self.lower.until(&mut at, y, &mut solved, look);
        let LowerAt {
            point: lower,
            part: beside,
            scratch,
            ..
        } = at;
        if !here {
            // The linear system's own products again.
            lower.second(&[None, Some(v)]);
        }
        let Found {
            value,
            solution,
            distance,
            ..
        } = &found;
        let distance = *distance;
        let size = norm(hypergradient).f64();
        // Where the lower level was started at a stationary point, that is what is meant. How near it
        // is tells the solution itself, as curvatures of both signs cancel.
        let reach = norm(v).f64() / norm(lower.product(1)).f64();
        let saddle_distance = part(solved.residual * reach, y, start);
        let saddle = matches!(solution.status, Status::NegativeCurvature { .. })
            && self.linear.solves_indefinite()
            && solved.iterations == 0
            && saddle_distance <= accuracy::solved::<T>()
            && solution.residual <= self.linear.tolerance();
        // On small problems the linear system has looked in all directions.
        let looks = !has_part && y.len() > PROBED && !saddle && found.solution.remark.is_none();
        let trap = looks.then(|| {
            let [spare] = scratch.vectors(y.len());
            Trap::of([start, y], lower.gradient(1), spare)
        });
        let mut answer = self.judge(&solved, solution, distance, (saddle, &settling));
        answer.upper = value.f64();
        answer.walked = self.lower.steps().map(|(depth, steps)| Walked {
            depth,
            memory: NOTHING,
            inner: steps.inner,
        });
        if let (Some(part), Some(beside)) = (problem.part(), beside) {
            let on = (&*v, solved.step.expect("proximal steps have a length"));
            answer.certificate =
                Certificate::stated_beside(problem, beside, [x, y], on, size, (upper, lower));
            settle(&mut answer, part, found);
            return answer;
        }
        answer.certificate = Certificate::stated(problem, x, y, size, upper, lower);
        if answer.status.is_success() {
            let far = (accuracy::size(y, start), distance);
            let [spare] = scratch.vectors(y.len());
            if let Some(flat) = Flat::beside(lower, [x, y], v, far, spare) {
                answer.status = flat.status(Settling::<T>::allowed(given));
            }
        }
        let (at, room) = ([x, start, y], scratch.vectors(y.len()));
        answer.status = Trap::judge(
            trap.flatten(),
            answer.status,
            lower,
            at,
            solved.before,
            room,
        );
        answer
    }

    /// Solves the linear system at a y that the lower level was brought to, and makes the hypergradient
    /// there.
    fn at(
        &self,
        at: &mut LowerAt<'_, '_, T>,
        [y, start]: [&[T]; 2],
        solved: &Lower,
        upper: &mut Point<T>,
        [v, kept, on_face]: [&mut [T]; 3],
        hypergradient: &mut [T],
    ) -> Found<T> {
        let (x, point) = (at.x, &mut *at.point);
        let value = upper.differentiate(&[x, y], Inputs::ALL);
        if !solved.here {
            point.linearise(&[x, y]);
        }
        hypergradient.copy_from_slice(upper.gradient(0));
        let (mut met, mut asymmetry) = (Curvature::new(), 0.0);
        let b = upper.gradient(1);
        let meter = at.scratch.meter().clone();
        let (_, room) = at.scratch.split::<0>(0);
        let length = || solved.step.expect("proximal steps have a length");
        let near = accuracy::solved::<T>();
        let solution = match at.part.as_deref_mut() {
            None if self.curvature.is_exact() => {
                system::solve(self.linear, point, None, b, (v, kept), room, Known::Start)
            }
            None => approximate::solve(self.curvature, self.linear, point, b, (v, kept), room),
            Some(part) => {
                on_face.copy_from_slice(point.gradient(1));
                let all_lost = self.all_lost(y.len());
                let mut face = Face::at(part, [x, y], on_face, length(), all_lost, &meter);
                asymmetry = face.asymmetry();
                on_face.copy_from_slice(b);
                face.project(on_face);
                let working = at.working.as_deref_mut();
                let enough = solved.residual / (near * accuracy::size(y, start));
                let factored = working.and_then(|working| {
                    met = face.factor(point, working, enough)?;
                    v.fill(T::zero());
                    face.add_solution(on_face, v, working);
                    Some(&*working)
                });
                let (on, how) = (
                    Some(&mut face),
                    factored.map_or(Known::Start, Known::Factor),
                );
                let solution = system::solve(self.linear, point, on, on_face, (v, kept), room, how);
                face.add_by_x(point, b, hypergradient);
                solution
            }
        };
        axpy(hypergradient, -T::one(), point.product(0));
        let curvature = solved.curvature.and(solution.curvature).and(met);
        let distance = part(curvature.distance(solved.residual), y, start);
        let edge = at.part.as_deref_mut().map(|beside| {
            let sight = Sight {
                length: length(),
                scale: solved.before,
                distance,
            };
            After::of(Some(beside)).settled([x, y], point.gradient(1), sight)
        });
        let (margin, remark) = edge.unwrap_or_default();
        Found {
            value,
            solution,
            distance,
            asymmetry,
            margin,
            remark,
        }
    }
}

/// The solution of the linear system at some y, and how far that is off.
struct Found<T> {
    /// F there.
    value: T,
    solution: Solution,
    /// Of y, as a part of its size.
    distance: f64,
    /// How far the derivative of a part's proximal map is from symmetric.
    asymmetry: f64,
    margin: Option<f64>,
    /// That another active set is near.
    remark: Option<String>,
}
