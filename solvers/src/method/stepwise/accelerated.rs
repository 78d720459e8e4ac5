//! Nesterov's momentum of x, restarted.

use autodiff::Real;
use autodiff::bytes::Buffer;

use crate::expect;
use crate::ledger::Ledger;
use crate::method::{Batches, Keep, State};

/// x moves from `x + (1 − θ)(x − x⁻)`, x⁻ being the x before. Where k steps since the last restart
/// have moved it so far that `k Σ ‖Δx‖²` is above `max(B, B₀)²`, the momentum is forgotten and B
/// becomes `shrink · B`.
///
/// Reference: L. Chen, Y. Ma and J. Zhang, Near-optimal nonconvex-strongly-convex bilevel optimization
/// with fully first-order oracles, JMLR 2025, and their code; the restart is that of H. Li and Z. Lin,
/// Restarted nonconvex accelerated gradient descent, ICML 2022.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Acceleration {
    /// θ in (0, 1].
    pub theta: f64,
    /// B in the first step.
    pub radius: f64,
    /// B₀.
    pub least: f64,
    /// What B is multiplied by in each restart, in (0, 1].
    pub shrink: f64,
}

impl Default for Acceleration {
    fn default() -> Self {
        Acceleration {
            theta: 0.1,
            radius: 10.0,
            least: 0.1,
            shrink: 0.99,
        }
    }
}

impl Acceleration {
    /// Of a run that starts at this state.
    pub(super) fn begin<T: Real>(
        self,
        s: &State<'_, T>,
        b: &Batches<T>,
    ) -> Result<Accelerated<T>, String> {
        let share = |what: &str, v: f64| {
            let fits = v > 0.0 && v <= 1.0;
            expect::number(what, v, fits, "a number in (0, 1]")
        };
        share("θ of the momentum", self.theta)?;
        share("shrinking of the radius", self.shrink)?;
        expect::positive("radius", self.radius)?;
        expect::positive("least radius", self.least)?;
        let (mut before, mut here) = (b.buffer(s.x.len()), b.buffer(s.x.len()));
        before.copy_from_slice(s.x.as_slice());
        here.copy_from_slice(s.x.as_slice());
        Ok(Accelerated {
            settings: self,
            before,
            here,
            radius: self.radius,
            steps: 0,
            moved: 0.0,
        })
    }
}

/// A momentum on its way.
pub(super) struct Accelerated<T: Real> {
    settings: Acceleration,
    /// x⁻.
    before: Buffer<T>,
    /// x, while the state holds where it moves from.
    here: Buffer<T>,
    radius: f64,
    steps: usize,
    moved: f64,
}

impl<T: Real> Accelerated<T> {
    /// Sets x to where it moves from.
    pub(super) fn extrapolate(&mut self, s: &mut State<'_, T>) {
        let keep = T::of(1.0 - self.settings.theta);
        let x = s.x.as_mut_slice();
        self.here.copy_from_slice(x);
        for (x, before) in x.iter_mut().zip(self.before.iter()) {
            *x += keep * (*x - *before);
        }
        // F and g need not be defined beyond the set.
        s.constraint.project(s.x.as_mut_slice());
    }

    /// Looks at how far x has moved.
    pub(super) fn look(&mut self, s: &mut State<'_, T>) {
        s.project();
        let x = s.x.as_slice();
        let moves = x.iter().zip(self.here.iter()).map(|(x, h)| (*x - *h).f64());
        self.moved += moves.map(|m| m * m).sum::<f64>();
        self.steps += 1;
        if self.steps as f64 * self.moved > self.radius.max(self.settings.least).powi(2) {
            self.radius *= self.settings.shrink;
            (self.steps, self.moved) = (0, 0.0);
            self.before.copy_from_slice(x);
        } else {
            self.before.copy_from_slice(&self.here);
        }
    }
}

impl<T: Real> Keep for Accelerated<T> {
    fn visit(&mut self, ledger: &mut Ledger) {
        ledger.entries("x of the step before", &mut self.before);
        ledger.number("the radius of restarts", &mut self.radius);
        ledger.count("steps since the last restart", &mut self.steps);
        ledger.number("how far they have moved", &mut self.moved);
    }
}
