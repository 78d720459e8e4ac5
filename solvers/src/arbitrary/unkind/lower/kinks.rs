//! Kinks, and what only looks like one.

use autodiff::{Real, Var};
use nalgebra::{DMatrix, DVector};

use super::{Dice, Lower, Recipe, of};
use crate::arbitrary::unkind::truth::{Danger, Truth};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Σᵢ (meanⱼ |zᵢ − tⱼ| + ½λe^{u₀}zᵢ²): z stays at the median datum.
    MeanAbsolute,
    /// ‖z − Cu‖.
    Distance,
    /// Σᵢ relu(1 − aᵢzᵢ) + ½e^{u₀}zᵢ²: at the kink 1/a where a² exceeds the ridge, beside it else.
    Hinge,
    /// ½‖r‖² by `norm().square()`, with r = z − Cu.
    NormSquared,
    /// ½ Σ r² by `abs().square()`.
    AbsSquared,
    /// ½ Σ r² by `hypot(r, 0).square()`.
    HypotSquared,
    /// ½ Σ r² by `relu().square() + (−·).relu().square()`.
    ReluSquared,
    /// ½‖r‖² + Σ relu(zᵢ − ½Cuᵢ − wᵢ) with a kink that is not at the solution.
    Beside,
}

#[derive(Clone, Debug)]
pub(in super::super) struct Kink {
    form: Form,
    c: DMatrix<f64>,
    /// Data tⱼ, slopes aᵢ or offsets wᵢ.
    data: DVector<f64>,
    ridge: f64,
}

const FORMS: [(Form, &str); 8] = [
    (Form::MeanAbsolute, "mean absolute deviation"),
    (Form::Distance, "distance"),
    (Form::Hinge, "hinge"),
    (Form::NormSquared, "norm().square()"),
    (Form::AbsSquared, "abs().square()"),
    (Form::HypotSquared, "hypot().square()"),
    (Form::ReluSquared, "relu().square() on both sides"),
    (Form::Beside, "a kink beside the solution"),
];

pub(super) fn draw(dice: &mut Dice, (m, n): (usize, usize)) -> Recipe {
    let (form, name) = dice.pick(&FORMS);
    let mut u = dice.vector(m);
    let (mut data, mut ridge) = (dice.vector(n), 1.0);
    match form {
        Form::MeanAbsolute => {
            let count = 3 + 2 * dice.below(2);
            let mut t: Vec<f64> = dice.vector(count).iter().map(|t| 3.0 * t).collect();
            t.sort_by(f64::total_cmp);
            u[0] = dice.between(-6.0, 1.0);
            // Less than half of what would move z off the median.
            let most = 0.5 / (t.len() as f64 * t[t.len() / 2].abs());
            let share = dice.between(0.1, 1.0);
            ridge = dice.round(most * share * (-u[0]).exp());
            data = DVector::from_vec(t.iter().map(|t| dice.round(*t)).collect());
        }
        Form::Hinge => u[0] = dice.pick(&[-6.0, -4.0, 1.0, 2.0]),
        Form::NormSquared | Form::AbsSquared | Form::HypotSquared | Form::ReluSquared => {
            // At u = 0 the solution is the kink of the operations.
            if dice.chance(0.6) {
                u.fill(0.0);
            }
        }
        Form::Distance | Form::Beside => {}
    }
    let lower = Kink {
        form,
        c: dice.matrix(n, m),
        data,
        ridge,
    };
    Recipe::new(name, Lower::Kink(lower), u, n)
}

impl Kink {
    pub(super) fn record<'r, T: Real>(&self, u: Var<'r, T>, z: Var<'r, T>) -> Var<'r, T> {
        let half = T::of(0.5);
        let r = z - &of::<T>(&self.c) * u;
        let ridge = u.at(0).exp() * z.norm_squared() * (half * T::of(self.ridge));
        let data = z.vector(self.data.map(T::of).as_slice());
        match self.form {
            Form::MeanAbsolute => {
                let each = self.data.iter().map(|t| (z - T::of(*t)).abs().sum());
                Var::sum_of(each) * T::of(1.0 / self.data.len() as f64) + ridge
            }
            Form::Distance => r.norm(),
            Form::Hinge => (-(data * z) + T::one()).relu().sum() + ridge,
            Form::NormSquared => r.norm().square() * half,
            Form::AbsSquared => r.abs().square().sum() * half,
            Form::HypotSquared => r.hypot(r.scalar(T::zero())).square().sum() * half,
            Form::ReluSquared => (r.relu().square() + (-r).relu().square()).sum() * half,
            Form::Beside => {
                let beside = z - &of::<T>(&self.c) * (u * half) - data;
                r.norm_squared() * half + beside.relu().sum()
            }
        }
    }

    pub(super) fn truth(&self, u: &DVector<f64>) -> Truth {
        let (n, m) = self.c.shape();
        let linear = || Truth::at(&self.c * u, self.c.clone());
        match self.form {
            Form::MeanAbsolute => {
                let median = self.data[self.data.len() / 2];
                Truth::at(DVector::from_element(n, median), DMatrix::zeros(n, m)).with(Danger::Real)
            }
            Form::Distance => linear().with(Danger::Real),
            Form::Hinge => {
                let ridge = u[0].exp() * self.ridge;
                let held = |a: f64| a * a > ridge;
                let z = self.data.map(|a| if held(a) { 1.0 / a } else { a / ridge });
                let mut slope = DMatrix::zeros(n, m);
                for (i, a) in self.data.iter().enumerate() {
                    slope[(i, 0)] = if held(*a) { 0.0 } else { -z[i] };
                }
                let kinked = self.data.iter().any(|a| held(*a));
                let danger = if kinked { Danger::Real } else { Danger::None };
                Truth::at(z, slope).with(danger)
            }
            Form::Beside => self.beside(u),
            _ => linear(),
        }
    }

    /// Each entry by itself: r + [z > k] = 0 with k = ½Cu + w, so z = Cu or Cu − 1, or the kink.
    fn beside(&self, u: &DVector<f64>) -> Truth {
        let goal = &self.c * u;
        let (mut z, mut slope, mut danger) = (goal.clone(), self.c.clone(), Danger::None);
        for i in 0..z.len() {
            let kink = 0.5 * goal[i] + self.data[i];
            if goal[i] - 1.0 > kink {
                z[i] = goal[i] - 1.0;
            } else if goal[i] > kink {
                z[i] = kink;
                slope.row_mut(i).scale_mut(0.5);
                danger = Danger::Real;
            }
        }
        Truth::at(z, slope).with(danger)
    }
}
