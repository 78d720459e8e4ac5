//! A constrained level in units of its own, in which its numbers are of order one.

use nalgebra::DVector;

use super::level::{First, Model, Second};

/// `ŷ = y/u`, `ĝ = g/(γu)`, `ĉ_i = c_i/(d_i u)`: multipliers are then `λ̂_i = λ_i d_i/γ`.
pub(super) struct Scaled<'a> {
    model: &'a mut dyn Model,
    /// The unit u of y.
    pub(super) of_y: f64,
    /// The unit γ of ∇_y g.
    pub(super) of_gradient: f64,
    /// The units d of the rows of A.
    rows: DVector<f64>,
}

impl<'a> Scaled<'a> {
    /// In units that are found at `y`; `None` where the level is not finite there.
    pub(super) fn at(model: &'a mut dyn Model, y: &DVector<f64>) -> Option<Self> {
        let none = DVector::zeros(model.count());
        let here = model.second(y, &none);
        if !here.is_finite() {
            return None;
        }
        let (size, curvature) = (y.norm(), here.hessian.amax());
        // As far as a gradient step goes, and as the constraints are off.
        let step = part(here.gradient.norm(), curvature);
        let row = |i: usize| here.jacobian.row(i).norm();
        let violated = (0..none.len()).filter(|i| *i < model.equal() || here.c[*i] > 0.0);
        let off = violated.map(|i| part(here.c[i].abs(), row(i)));
        let largest = off.fold(size.max(step), f64::max);
        let of_y = positive(largest);
        let of_gradient = positive(here.gradient.norm().max(curvature * of_y));
        let rows = DVector::from_fn(none.len(), |i, _| {
            positive(row(i).max(here.c[i].abs() / of_y))
        });
        Some(Scaled {
            model,
            of_y,
            of_gradient,
            rows,
        })
    }

    /// y in these units.
    pub(super) fn y(&self, y: &DVector<f64>) -> DVector<f64> {
        y / self.of_y
    }

    /// A y of these units in the level's own.
    pub(super) fn own_y(&self, y: &DVector<f64>) -> DVector<f64> {
        y * self.of_y
    }

    /// Multipliers of these units in the level's own.
    pub(super) fn own_multipliers(&self, multipliers: &DVector<f64>) -> DVector<f64> {
        multipliers.component_div(&self.rows) * self.of_gradient
    }
}

fn part(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

fn positive(size: f64) -> f64 {
    if size > 0.0 && size.is_finite() {
        size
    } else {
        1.0
    }
}

impl Model for Scaled<'_> {
    fn equal(&self) -> usize {
        self.model.equal()
    }

    fn count(&self) -> usize {
        self.model.count()
    }

    fn epsilon(&self) -> f64 {
        self.model.epsilon()
    }

    fn first(&mut self, y: &DVector<f64>, multipliers: &DVector<f64>) -> First {
        let (y, multipliers) = (self.own_y(y), self.own_multipliers(multipliers));
        let First { gradient, c } = self.model.first(&y, &multipliers);
        First {
            gradient: gradient / self.of_gradient,
            c: c.component_div(&self.rows) / self.of_y,
        }
    }

    fn second(&mut self, y: &DVector<f64>, multipliers: &DVector<f64>) -> Second {
        let (y, multipliers) = (self.own_y(y), self.own_multipliers(multipliers));
        let mut own = self.model.second(&y, &multipliers);
        for (mut row, unit) in own.jacobian.row_iter_mut().zip(self.rows.iter()) {
            row /= *unit;
        }
        Second {
            gradient: own.gradient / self.of_gradient,
            c: own.c.component_div(&self.rows) / self.of_y,
            hessian: own.hessian * (self.of_y / self.of_gradient),
            jacobian: own.jacobian,
        }
    }
}
