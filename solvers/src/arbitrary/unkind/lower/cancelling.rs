//! Objectives whose value is 0 at their solution because its terms cancel.

use autodiff::{Real, Var};
use nalgebra::{DMatrix, DVector};

use super::{Dice, Lower, Recipe, of};
use crate::arbitrary::unkind::truth::{Danger, Truth};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Form {
    /// ½‖z‖² − zᵀCu + ½‖Cu‖².
    Square,
    /// Σ √(1 + r²) − 1 with r = z − Cu.
    Root,
    /// KL divergence of softmax(z) from softmax(Cu).
    Divergence,
    /// ½‖Az − ACu‖².
    Fit,
    /// Σ ln cosh r.
    LogCosh,
    /// Σ w² (√(1 + r²/w²) − 1).
    PseudoHuber,
}

/// The solution is z = Cu.
#[derive(Clone, Debug)]
pub(in super::super) struct Cancelling {
    form: Form,
    c: DMatrix<f64>,
    a: DMatrix<f64>,
    widths: DVector<f64>,
}

const FORMS: [(Form, &str); 6] = [
    (Form::Square, "square that cancels"),
    (Form::Root, "root less one"),
    (Form::Divergence, "KL divergence"),
    (Form::Fit, "exact fit"),
    (Form::LogCosh, "log-cosh"),
    (Form::PseudoHuber, "pseudo-Huber"),
];

pub(super) fn draw(dice: &mut Dice, (m, n): (usize, usize)) -> Recipe {
    let (form, name) = dice.pick(&FORMS);
    // A softmax of one entry does not depend on it.
    let n = if form == Form::Divergence {
        n.max(2)
    } else {
        n
    };
    let lower = Cancelling {
        form,
        c: dice.matrix(n, m),
        a: {
            let spread = dice.between(0.0, 1.5);
            let mut a = dice.definite(n, spread).insert_rows(n, 2, 0.0);
            a.rows_mut(n, 2).copy_from(&dice.matrix(2, n));
            a
        },
        widths: DVector::from_fn(n, |_, _| dice.power(-2.0, 2.0)),
    };
    let u = dice.vector(m);
    Recipe::new(name, Lower::Cancelling(lower), u, n)
}

impl Cancelling {
    pub(super) fn record<'r, T: Real>(&self, u: Var<'r, T>, z: Var<'r, T>) -> Var<'r, T> {
        let (half, one) = (T::of(0.5), T::one());
        let goal = &of::<T>(&self.c) * u;
        match self.form {
            Form::Square => z.norm_squared() * half - z.dot(goal) + goal.norm_squared() * half,
            Form::Root => (((z - goal).square() + one).sqrt() - one).sum(),
            Form::Divergence => {
                let logs = goal.log_softmax();
                goal.softmax().dot(logs - z.log_softmax())
            }
            Form::Fit => {
                let a = of::<T>(&self.a);
                (&a * z - &a * goal).norm_squared() * half
            }
            Form::LogCosh => (z - goal).log_cosh().sum(),
            Form::PseudoHuber => {
                let widths = z.vector(self.widths.map(T::of).as_slice());
                let roots = (((z - goal) / widths).square() + one).sqrt() - one;
                (roots * widths.square()).sum()
            }
        }
    }

    pub(super) fn truth(&self, u: &DVector<f64>) -> Truth {
        let truth = Truth::at(&self.c * u, self.c.clone());
        if self.form != Form::Divergence {
            return truth;
        }
        // A softmax does not change where all entries move together.
        let n = self.c.nrows();
        let mean = DMatrix::from_element(n, n, 1.0 / n as f64);
        Truth {
            determined: Some(DMatrix::identity(n, n) - mean),
            ..truth.with(Danger::Real)
        }
    }
}
