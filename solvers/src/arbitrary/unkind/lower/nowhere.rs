//! Lower levels without a solution.

use autodiff::{Real, Var};
use nalgebra::{DMatrix, DVector};

use super::{Dice, Lower, Recipe, of};
use crate::arbitrary::unkind::truth::Truth;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// zᵀCu.
    Bilinear,
    /// Σ softplus(z − Cu).
    Softplus,
    /// Σ e^{−z − Cu}.
    Exponential,
    /// Σⱼ softplus(−aⱼᵀz) + 0·Cu of data on one side.
    Logistic,
    /// −½‖z − Cu‖².
    Maximum,
    /// Σ (z − Cu)³.
    Cubic,
    /// ½ Σ ±(z − Cu)² of either sign.
    Saddle,
}

#[derive(Clone, Debug)]
pub(in super::super) struct Nowhere {
    form: Form,
    c: DMatrix<f64>,
    rows: DMatrix<f64>,
}

const FORMS: [(Form, &str); 7] = [
    (Form::Bilinear, "linear in y"),
    (Form::Softplus, "softplus"),
    (Form::Exponential, "exponential tail"),
    (Form::Logistic, "separable without a ridge"),
    (Form::Maximum, "maximum"),
    (Form::Cubic, "cubic"),
    (Form::Saddle, "saddle"),
];

pub(super) fn draw(dice: &mut Dice, (m, n): (usize, usize)) -> Recipe {
    let (form, name) = dice.pick(&FORMS);
    let n = if form == Form::Saddle { n.max(2) } else { n };
    let lower = Nowhere {
        form,
        c: dice.matrix(n, m),
        rows: dice.matrix(n + 1, n).map(f64::abs),
    };
    let u = dice.vector(m);
    let mut recipe = Recipe::new(name, Lower::Nowhere(lower), u, n);
    if let (true, Lower::Nowhere(lower)) = (dice.chance(0.3), &recipe.lower) {
        // Where the gradient of some of them is 0.
        let stationary = &lower.c * &recipe.u;
        recipe.start = Some(stationary);
    }
    recipe
}

impl Nowhere {
    pub(super) fn record<'r, T: Real>(&self, u: Var<'r, T>, z: Var<'r, T>) -> Var<'r, T> {
        let half = T::of(0.5);
        let goal = &of::<T>(&self.c) * u;
        let r = z - goal;
        match self.form {
            Form::Bilinear => z.dot(goal),
            Form::Softplus => r.softplus().sum(),
            Form::Exponential => (-z - goal).exp().sum(),
            Form::Logistic => {
                let margins = &of::<T>(&self.rows) * z;
                (-margins).softplus().sum() + goal.sum() * T::of(0.1)
            }
            Form::Maximum => r.norm_squared() * -half,
            Form::Cubic => r.powi(3).sum(),
            Form::Saddle => {
                let signs = DVector::from_fn(self.c.nrows(), |i, _| T::of([1.0, -1.0][i % 2]));
                (r.square() * z.vector(signs.as_slice())).sum() * half
            }
        }
    }

    pub(super) fn truth(&self, _: &DVector<f64>) -> Truth {
        Truth::nowhere()
    }
}
