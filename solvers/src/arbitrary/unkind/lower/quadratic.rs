//! Quadratics.

use autodiff::{Real, Var};
use nalgebra::{DMatrix, DVector};

use super::{Dice, Lower, Recipe, of};
use crate::arbitrary::unkind::truth::Truth;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// ½ rᵀAr + constant with r = z − Cu − b.
    Centred,
    /// ½ zᵀAz − zᵀ(Cu + b) + constant.
    Expanded,
    /// ½ zᵀ(A + e^{u₀} I)z − bᵀz: u₀ is the logarithm of a ridge.
    Ridge,
}

#[derive(Clone, Debug)]
pub(in super::super) struct Quadratic {
    form: Form,
    a: DMatrix<f64>,
    c: DMatrix<f64>,
    b: DVector<f64>,
    constant: f64,
}

const FORMS: [(Form, &str); 3] = [
    (Form::Centred, "centred"),
    (Form::Expanded, "expanded"),
    (Form::Ridge, "ridge"),
];

pub(super) fn draw(dice: &mut Dice, dims: (usize, usize)) -> Recipe {
    let most = if dice.single { 3.0 } else { 12.0 };
    let decades = match dice.chance(0.5) {
        true => dice.between(0.0, 1.5),
        false => dice.between(0.0, most),
    };
    let recipe = drawn(dice, dims, decades);
    let Lower::Quadratic(mut lower) = recipe.lower else {
        return recipe;
    };
    lower.constant = dice.pick(&[0.0, 0.0, -1.0, 1e8, -1e8, 1e12]);
    Recipe {
        lower: Lower::Quadratic(lower),
        ..recipe
    }
}

/// A quadratic of moderate condition without a constant.
pub(super) fn draw_mild(dice: &mut Dice, dims: (usize, usize)) -> Recipe {
    let decades = dice.between(0.0, 1.0);
    drawn(dice, (dims.0, dims.1.max(2)), decades)
}

fn drawn(dice: &mut Dice, (m, n): (usize, usize), decades: f64) -> Recipe {
    let (form, name) = dice.pick(&FORMS);
    // What rounding does to the data is then less than what is judged.
    let decades = if form == Form::Centred {
        decades
    } else {
        decades.min(9.0)
    };
    let a = dice.definite(n, decades);
    let lower = Quadratic {
        form,
        a,
        c: dice.matrix(n, m),
        b: dice.vector(n),
        constant: 0.0,
    };
    let mut u = dice.vector(m);
    if form == Form::Ridge {
        u[0] = dice.between(-8.0, 1.0);
    }
    Recipe::new(name, Lower::Quadratic(lower), u, n)
}

impl Quadratic {
    pub(super) fn record<'r, T: Real>(&self, u: Var<'r, T>, z: Var<'r, T>) -> Var<'r, T> {
        let half = T::of(0.5);
        let (a, c) = (of::<T>(&self.a), of::<T>(&self.c));
        let b = z.vector(self.b.map(T::of).as_slice());
        let value = match self.form {
            Form::Centred => {
                let r = z - &c * u - b;
                (&a * r).dot(r) * half
            }
            Form::Expanded => (&a * z).dot(z) * half - z.dot(&c * u + b),
            Form::Ridge => {
                let ridge = u.at(0).exp() * z.norm_squared() + (&a * z).dot(z);
                ridge * half - z.dot(b)
            }
        };
        match self.constant {
            0.0 => value,
            constant => value + T::of(constant),
        }
    }

    pub(super) fn truth(&self, u: &DVector<f64>) -> Truth {
        let n = self.b.len();
        let solve = |h: DMatrix<f64>, right: &DMatrix<f64>| {
            h.lu().solve(right).expect("it is positive definite")
        };
        match self.form {
            Form::Centred => Truth::at(&self.c * u + &self.b, self.c.clone()),
            Form::Expanded => {
                let slope = solve(self.a.clone(), &self.c);
                let right = &self.c * u + &self.b;
                let z = solve(self.a.clone(), &DMatrix::from_columns(&[right]));
                Truth::at(z.column(0).into_owned(), slope)
            }
            Form::Ridge => {
                let ridge = u[0].exp();
                let h = &self.a + DMatrix::identity(n, n) * ridge;
                let z = solve(
                    h.clone(),
                    &DMatrix::from_columns(std::slice::from_ref(&self.b)),
                );
                let mut slope = DMatrix::zeros(n, u.len());
                slope.set_column(0, &(solve(h, &z).column(0) * -ridge));
                Truth::at(z.column(0).into_owned(), slope)
            }
        }
    }
}
