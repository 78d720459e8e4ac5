//! Separable data with a ridge that all but vanishes.

use autodiff::{Real, Var};
use nalgebra::{DMatrix, DVector};

use super::{Dice, Lower, Recipe};
use crate::arbitrary::unkind::truth::Truth;

/// Σ softplus(−aᵢzᵢ) + ½e^{u₀}‖z‖² with positive aᵢ.
#[derive(Clone, Debug)]
pub(in super::super) struct Separable {
    a: DVector<f64>,
}

pub(super) fn draw(dice: &mut Dice, (m, n): (usize, usize)) -> Recipe {
    let mut u = dice.vector(m);
    // Below, rounding leaves no digit of the ridge's pull.
    let least = if dice.single { -12.0 } else { -35.0 };
    u[0] = dice.between(least, -5.0);
    let a = dice.vector(n).map(f64::abs);
    Recipe::new("separable", Lower::Separable(Separable { a }), u, n)
}

impl Separable {
    pub(super) fn record<'r, T: Real>(&self, u: Var<'r, T>, z: Var<'r, T>) -> Var<'r, T> {
        let margins = z * z.vector(self.a.map(T::of).as_slice());
        (-margins).softplus().sum() + u.at(0).exp() * z.norm_squared() * T::of(0.5)
    }

    pub(super) fn truth(&self, u: &DVector<f64>) -> Truth {
        let ridge = u[0].exp();
        let z = self.a.map(|a| root(a, ridge));
        let mut slope = DMatrix::zeros(z.len(), u.len());
        for (i, (a, z)) in self.a.iter().zip(&z).enumerate() {
            // Of a σ(−az) = λz, by u₀.
            let curvature = a * ridge * z * (1.0 - ridge * z / a) + ridge;
            slope[(i, 0)] = -ridge * z / curvature;
        }
        Truth::at(z, slope)
    }
}

/// The z with `a σ(−az) = λz`: the left falls and the right rises, so halving brackets it.
fn root(a: f64, ridge: f64) -> f64 {
    let excess = |z: f64| a / (1.0 + (a * z).exp()) - ridge * z;
    let (mut low, mut high) = (0.0, a / ridge);
    // Enough for the brackets to be neighbours.
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if excess(middle) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}
