//! Factors, systems and determinants inside the lower level, some of matrices that have none.

use autodiff::{Real, Var};
use nalgebra::{DMatrix, DVector};

use super::{Dice, Lower, Recipe, of};
use crate::arbitrary::unkind::truth::Truth;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// ½‖z‖² − zᵀ(A + e^{u₀} I)⁻¹(Cu + b).
    System,
    /// Σ e^r − ln det(E A E) with r = z − Cu − b and E = diag(e^{r/2}).
    Determinant,
    /// ½ rᵀA⁻¹r.
    Quadratic,
    /// ½‖L⁻¹r‖² with A = LLᵀ.
    Factor,
    /// The first, of A less than 0: there is no factor.
    Indefinite,
}

#[derive(Clone, Debug)]
pub(in super::super) struct Algebra {
    form: Form,
    a: DMatrix<f64>,
    c: DMatrix<f64>,
    b: DVector<f64>,
}

const FORMS: [(Form, &str); 5] = [
    (Form::System, "system"),
    (Form::Determinant, "determinant"),
    (Form::Quadratic, "quadratic form"),
    (Form::Factor, "factor"),
    (Form::Indefinite, "not definite"),
];

pub(super) fn draw(dice: &mut Dice, (m, n): (usize, usize)) -> Recipe {
    let (form, name) = dice.pick(&FORMS);
    let decades = dice.between(0.0, if dice.single { 1.0 } else { 3.0 });
    let a = dice.definite(n, decades);
    let mut u = dice.vector(m);
    u[0] = dice.between(-4.0, 1.0);
    let lower = Algebra {
        form,
        // e^{u₀} is less than 3.
        a: match form {
            Form::Indefinite => a - DMatrix::identity(n, n) * 5.0,
            _ => a,
        },
        c: dice.matrix(n, m),
        b: dice.vector(n),
    };
    let start = (form == Form::Determinant).then(|| DVector::zeros(n));
    Recipe {
        start,
        ..Recipe::new(name, Lower::Algebra(lower), u, n)
    }
}

impl Algebra {
    pub(super) fn record<'r, T: Real>(&self, u: Var<'r, T>, z: Var<'r, T>) -> Var<'r, T> {
        let (half, c) = (T::of(0.5), of::<T>(&self.c));
        let a = z.matrix(&of(&self.a));
        let right = &c * u + z.vector(self.b.map(T::of).as_slice());
        let r = z - right;
        match self.form {
            Form::System | Form::Indefinite => {
                let one = DMatrix::<T>::identity(self.b.len(), self.b.len());
                let ridge = u.at(0).exp() * z.matrix(&one);
                z.norm_squared() * half - z.dot((a + ridge).solve_spd(right))
            }
            Form::Determinant => {
                let scale = (r * half).exp();
                r.exp().sum() - (a * scale.outer(scale)).log_det()
            }
            Form::Quadratic => a.inv_quadratic(r) * half,
            Form::Factor => a.cholesky().solve_lower(r).norm_squared() * half,
        }
    }

    pub(super) fn truth(&self, u: &DVector<f64>) -> Truth {
        let right = &self.c * u + &self.b;
        match self.form {
            Form::Indefinite => Truth::nowhere(),
            Form::System => {
                let (n, ridge) = (self.b.len(), u[0].exp());
                let h = &self.a + DMatrix::identity(n, n) * ridge;
                let factor = h.cholesky().expect("it is positive definite");
                let z = factor.solve(&right);
                let mut slope = factor.solve(&self.c);
                let moved = factor.solve(&z) * ridge;
                slope.set_column(0, &(slope.column(0) - moved));
                Truth::at(z, slope)
            }
            _ => Truth::at(right, self.c.clone()),
        }
    }
}
