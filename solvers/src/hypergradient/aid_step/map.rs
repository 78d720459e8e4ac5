//! A fixed point of a map of the user's own.

use autodiff::kernels::{add, dot_f64, norm};
use autodiff::unroll::Memory;
use autodiff::{Inputs, Real};

use crate::accuracy::part;
use crate::inner::InnerStep;
use crate::linear::system::along_all;
use crate::loops::Key;
use crate::lower::NOTHING;
use crate::settling::Settling;
use crate::{Bilevel, Status};

use super::super::aid::solve_further;
use super::super::equation;
use super::super::frame::{Answer, Call, Walked};
use super::AidStep;
use super::anderson::{self, accelerate};
use super::system::{self, Linearised, StepSystem, solve};
use super::verdict::End;

/// Iterations after which GMRES starts again.
const RESTART: usize = 50;

/// Why the problem's own steps have no fixed point to differentiate, if they have none.
pub(super) fn misfit<T: Real>(aid: &AidStep, problem: &Bilevel<T>) -> Option<String> {
    let step = problem.step()?;
    if !step.program().input_shape(2).is_empty() {
        return Some(
            "the problem has steps of its own that change from one to the next, and no fixed point to \
             differentiate: expected itd"
                .to_owned(),
        );
    }
    aid.steps.beside_own()
}

/// Entries of scratch: a state, p, q and a spare vector, and the larger of what the two systems take.
pub(super) fn scratch<T: Real>(given: StepSystem, n: usize) -> usize {
    let systems = [
        given,
        StepSystem::Cg,
        StepSystem::Gmres { restart: RESTART },
    ];
    let systems = systems.map(|of| system::scratch::<T>(of, n));
    4 * n + systems.into_iter().fold(anderson::scratch(n), usize::max)
}

/// Solves `y = Φ(x, y)` by Anderson's acceleration, and differentiates it.
pub(super) fn differentiate<T: Real>(aid: &AidStep, call: &mut Call<'_, T>) -> Answer {
    let Call {
        problem,
        x,
        start,
        upper,
        lower,
        loops,
        y,
        hypergradient,
        ..
    } = call;
    let (x, start, n) = (*x, *start, y.len());
    let tolerance = aid.residual::<T>();
    let ([state, p, q, spare], mut rest) = call.scratch.split(n);
    let ([last], mut rest) = rest.split(Settling::<T>::entries(aid.tolerance, x.len()));
    let mut settling = Settling::new(aid.tolerance, last);
    let levels = [&**upper, &**lower];
    let own = || problem.step().expect("looked at before").clone();
    let mut steps = loops.take(&Key::Own, levels, own);
    let inner = InnerStep::GradientDescent;
    y.copy_from_slice(start);
    let (mut wanted, mut depth, mut before) = (tolerance, 0, None);
    let (after, distance, value, solution, rate) = loop {
        let mut map = |from: &[T], to: &mut [T]| {
            to.copy_from_slice(steps.forward(x, from, 1, NOTHING));
        };
        let until = (wanted, aid.limit.saturating_sub(depth).max(1));
        let reached = accelerate(&mut map, y, until, &mut rest);
        depth += reached.evaluations;
        before = before.or(Some(reached.before));
        let value = upper.differentiate(&[x, y], Inputs::ALL);
        state.copy_from_slice(y);
        steps.forward(x, state, 1, Memory::Taped);
        let mut linearised = Linearised {
            steps: &mut steps,
            inner: &inner,
            cotangent: state,
        };
        let rate = equation::growth(&mut linearised, p, spare);
        let system = match is_symmetric(&mut linearised, p, spare, q) {
            _ if aid.system != StepSystem::Iteration => aid.system,
            true => StepSystem::Cg,
            false => StepSystem::Gmres { restart: RESTART },
        };
        let b = upper.gradient(1);
        let limit = (aid.linear::<T>(), aid.limit);
        let solution = solve(system, limit, &mut linearised, b, p, &mut rest);
        let slow = if rate < 1.0 { 1.0 / (1.0 - rate) } else { 1.0 };
        let distance = part(reached.after * solution.reach.max(slow), y, start);
        hypergradient.copy_from_slice(upper.gradient(0));
        add(hypergradient, linearised.pull(p, q));
        settling.look(hypergradient, upper.gradient(0));
        let wanted_part = settling.wanted(distance, false).unwrap_or(0.0);
        let nearer = 0.1 * reached.after * wanted_part / norm(y).f64();
        // Written so that a NaN, or a residual of rounding, ends it.
        let goes_on = nearer > T::EPSILON && nearer < 0.5 * wanted;
        if !goes_on || depth >= aid.limit {
            break (reached.after, distance, value, solution, rate);
        }
        wanted = nearer;
    };
    let ([moved], _) = rest.split(n);
    let room = [&mut *state, q, spare, moved];
    let kink = equation::kink(&mut steps, (Memory::Taped, [x, y, start]), distance, room);
    loops.put(Key::Own, steps);
    // Where g is not finite the problem is none, whatever the map says.
    let below = lower.differentiate(&[x, y], Inputs::one(1));

    let before = before.unwrap_or(f64::NAN);
    let met = after <= tolerance * norm(y).f64() || aid.tolerance.is_none();
    let end = End {
        before,
        after,
        distance,
        met,
        diverged: !(after < before) && after > 0.0,
        unfinished: depth >= aid.limit || !met,
    };
    // A map that does not contract may have a solution all the same.
    let status = match below.is_finite() {
        true => aid.status(&end, (solution.residual, None), &settling),
        false => Status::NonFinite {
            place: "in g".into(),
        },
    };
    let mut answer = Answer::new(status, value.f64(), after);
    answer.distance = Some(distance);
    answer.change = settling.change();
    answer.lower_iterations = depth;
    answer.linear_residual = Some(solution.residual);
    answer.linear_iterations = solution.iterations;
    answer.walked = Some(Walked {
        depth: 1,
        memory: NOTHING,
        inner,
    });
    if answer.status.is_success() {
        let further = solve_further(solution.error, solution.residual);
        answer.warnings.extend(further);
        answer.warnings.extend(kink);
        answer.warnings.extend((rate >= equation::EXPANDS).then(|| {
            format!(
                "the map does not contract at its fixed point: a change grows by {rate:.3} in a step, \
                 so that plain steps lead away from this solution"
            )
        }));
    }
    answer
}

/// Whether ∂_yΦ is symmetric, along two vectors: that of a gradient step is.
fn is_symmetric<T: Real>(
    of: &mut Linearised<'_, T>,
    a: &mut [T],
    b: &mut [T],
    out: &mut [T],
) -> bool {
    along_all(a);
    for (i, b) in b.iter_mut().enumerate() {
        *b = T::of((1.0 + i as f64 * 12.9898).sin());
    }
    of.pull(a, out);
    let one = dot_f64(b, out);
    let size = norm(out).f64() * norm(b).f64();
    of.pull(b, out);
    let other = dot_f64(a, out);
    (one - other).abs() <= 1e3 * T::EPSILON * size.max(norm(out).f64() * norm(a).f64())
}
