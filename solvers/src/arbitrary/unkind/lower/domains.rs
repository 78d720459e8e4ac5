//! Starts and points outside a domain, and values that are not finite.

use autodiff::{Real, Var};
use nalgebra::{DMatrix, DVector};

use super::{Dice, Lower, Recipe, of};
use crate::arbitrary::unkind::truth::Truth;
use crate::arbitrary::unkind::upper::Fault;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Σ z − e^{Cu} ln z.
    Logarithm,
    /// ½‖z‖² − zᵀC√u.
    Root,
    /// Σ cosh(z − Cu).
    Cosh,
    /// ½‖z − Cu‖², below an F without a value.
    Square,
}

#[derive(Clone, Debug)]
pub(in super::super) struct Domain {
    form: Form,
    c: DMatrix<f64>,
    outside: bool,
}

const FORMS: [(Form, &str); 4] = [
    (Form::Logarithm, "logarithm"),
    (Form::Root, "root"),
    (Form::Cosh, "cosh"),
    (Form::Square, "F without a value"),
];

pub(super) fn draw(dice: &mut Dice, (m, n): (usize, usize)) -> Recipe {
    let (form, mut name) = dice.pick(&FORMS);
    let (c, mut u) = (dice.matrix(n, m), dice.vector(m));
    let (mut start, mut fault, mut outside) = (None, None, false);
    match form {
        Form::Logarithm => {
            let from = dice.pick(&[0.0, -1.0, 0.5, 3.0]);
            start = Some(DVector::from_element(n, from));
            if from <= 0.0 {
                name = "logarithm, from outside";
            }
        }
        Form::Root => {
            outside = dice.chance(0.5);
            u = u.map(f64::abs);
            if outside {
                u[0] = -u[0];
                name = "root, x outside";
            }
        }
        Form::Cosh => {
            let far = dice.power(0.0, 4.0);
            start = Some(dice.vector(n) * far);
        }
        Form::Square => fault = Some(dice.pick(&[Fault::Undefined, Fault::Overflow])),
    }
    let start = start.map(|s| s.map(|s| dice.round(s)));
    Recipe {
        start,
        fault,
        ..Recipe::new(name, Lower::Domain(Domain { form, c, outside }), u, n)
    }
}

impl Domain {
    pub(super) fn record<'r, T: Real>(&self, u: Var<'r, T>, z: Var<'r, T>) -> Var<'r, T> {
        let (half, c) = (T::of(0.5), of::<T>(&self.c));
        match self.form {
            Form::Logarithm => (z - (&c * u).exp() * z.ln()).sum(),
            Form::Root => z.norm_squared() * half - z.dot(&c * u.sqrt()),
            Form::Cosh => (z - &c * u).cosh().sum(),
            Form::Square => (z - &c * u).norm_squared() * half,
        }
    }

    pub(super) fn truth(&self, u: &DVector<f64>) -> Truth {
        match self.form {
            _ if self.outside => Truth::nowhere(),
            Form::Logarithm => {
                let z = (&self.c * u).map(f64::exp);
                let slope = DMatrix::from_diagonal(&z) * &self.c;
                Truth::at(z, slope)
            }
            Form::Root => {
                let by_root = u.map(|u| 0.5 / u.sqrt());
                let slope = &self.c * DMatrix::from_diagonal(&by_root);
                Truth::at(&self.c * u.map(f64::sqrt), slope)
            }
            // F has no value at the solution.
            Form::Square => Truth::nowhere(),
            Form::Cosh => Truth::at(&self.c * u, self.c.clone()),
        }
    }
}
