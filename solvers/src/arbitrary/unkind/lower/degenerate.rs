//! More than one solution, or a Hessian that is singular at the one there is.

use autodiff::{Real, Var};
use nalgebra::{DMatrix, DVector};

use super::{Dice, Lower, Recipe, of};
use crate::arbitrary::unkind::truth::{Danger, Solution, Truth};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Σ ¼zᵢ⁴ − ½zᵢ² − zᵢ(Cu)ᵢ: two minimisers in each entry.
    DoubleWell,
    /// ½‖Sz − SCu‖², S the first half of the entries, and F sees no other ones.
    Unseen,
    /// As `Unseen`, and F sees all entries.
    Flat,
    /// Σ (z − Cu)⁴.
    Quartic,
}

#[derive(Clone, Debug)]
pub(in super::super) struct Degenerate {
    form: Form,
    c: DMatrix<f64>,
}

const FORMS: [(Form, &str); 4] = [
    (Form::DoubleWell, "double well"),
    (Form::Unseen, "flat where F does not look"),
    (Form::Flat, "flat where F looks"),
    (Form::Quartic, "quartic"),
];

pub(super) fn draw(dice: &mut Dice, (m, n): (usize, usize)) -> Recipe {
    let (form, name) = dice.pick(&FORMS);
    let n = match form {
        // All combinations of wells are listed.
        Form::DoubleWell => n.min(4),
        Form::Unseen | Form::Flat => n.max(2),
        Form::Quartic => n,
    };
    let (c, mut u) = (dice.matrix(n, m), dice.vector(m));
    let mut start = None;
    if form == Form::DoubleWell {
        // Both wells stand: |Cu| is below 2/(3√3).
        u.scale_mut(0.25 / m as f64);
        if dice.chance(0.6) {
            // The maximum between them is at 0.
            u.fill(0.0);
            start = Some(DVector::zeros(n));
        }
    }
    let u = u.map(|u| dice.round(u));
    Recipe {
        start,
        ..Recipe::new(name, Lower::Degenerate(Degenerate { form, c }), u, n)
    }
}

impl Degenerate {
    /// Entries that a flat lower level looks at.
    fn seen(&self) -> usize {
        self.c.nrows() / 2
    }

    pub(super) fn record<'r, T: Real>(&self, u: Var<'r, T>, z: Var<'r, T>) -> Var<'r, T> {
        let goal = &of::<T>(&self.c) * u;
        match self.form {
            Form::DoubleWell => {
                let (quarter, half) = (T::of(0.25), T::of(0.5));
                (z.powi(4) * quarter - z.square() * half - z * goal).sum()
            }
            Form::Unseen | Form::Flat => {
                let seen = |v: Var<'r, T>| v.slice(0, self.seen());
                (seen(z) - seen(goal)).norm_squared() * T::of(0.5)
            }
            Form::Quartic => (z - goal).powi(4).sum(),
        }
    }

    pub(super) fn truth(&self, u: &DVector<f64>) -> Truth {
        let goal = &self.c * u;
        let linear = || Truth::at(goal.clone(), self.c.clone());
        match self.form {
            Form::DoubleWell => Truth {
                solutions: self.wells(&goal),
                determined: None,
                best: None,
                danger: Danger::Real,
            },
            Form::Unseen => Truth {
                determined: Some(self.part()),
                ..linear().with(Danger::Real)
            },
            // Which of the solutions is meant, the problem does not say; the rest of the entries is
            // for F to choose.
            Form::Flat => Truth {
                best: linear().solutions.pop(),
                determined: Some(self.part()),
                ..Truth::nowhere()
            },
            Form::Quartic => linear().with(Danger::Real),
        }
    }

    /// The projection to the entries that a flat lower level looks at.
    fn part(&self) -> DMatrix<f64> {
        let part = DVector::from_fn(self.c.nrows(), |i, _| f64::from(i < self.seen()));
        DMatrix::from_diagonal(&part)
    }

    fn wells(&self, goal: &DVector<f64>) -> Vec<Solution> {
        let combinations = 0..1 << goal.len();
        combinations
            .map(|which: usize| {
                let right = |i: usize| which >> i & 1 == 1;
                let y = DVector::from_fn(goal.len(), |i, _| well(goal[i], right(i)));
                let mut slope = self.c.clone();
                for (mut row, z) in slope.row_iter_mut().zip(&y) {
                    row /= 3.0 * z * z - 1.0;
                }
                Solution { y, slope }
            })
            .collect()
    }
}

/// The outer root of z³ − z = c on one side, by Newton's method from beyond it.
fn well(c: f64, right: bool) -> f64 {
    let mut z = if right { 2.0 } else { -2.0 };
    for _ in 0..60 {
        z -= (z * z * z - z - c) / (3.0 * z * z - 1.0);
    }
    z
}
