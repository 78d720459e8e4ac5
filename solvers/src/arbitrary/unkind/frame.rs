//! The units and coordinates that a lower level is looked at in.

use autodiff::{Real, Var};
use nalgebra::{DMatrix, DVector};

use super::dice::Dice;
use super::lower::{Mixing, of};
use super::truth::{Solution, Truth};
use crate::{Constraint, FixedPart};

/// `u = x/s_x` and `z = Zy`, F and g in units of their own.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// 1/s_x.
    by_x: f64,
    /// The matrix Z; `None` for the identity.
    z: Option<DMatrix<f64>>,
    inverse: DMatrix<f64>,
    /// Units of y, without what mixes or stretches its entries.
    unit_y: f64,
    pub(super) of_f: f64,
    pub(super) of_g: f64,
}

impl Frame {
    pub(super) fn draw(dice: &mut Dice, n: usize, mixing: Mixing) -> Self {
        let most = if dice.single { 4.0 } else { 12.0 };
        let unit = |dice: &mut Dice| match dice.chance(0.7) {
            true => 1.0,
            false => dice.power(-most, most),
        };
        let (by_x, of_f, mut of_g) = (unit(dice), unit(dice), unit(dice));
        let mut unit_y = if mixing == Mixing::Any {
            unit(dice)
        } else {
            1.0
        };
        let z = match mixing {
            Mixing::Own => {
                of_g = 1.0;
                None
            }
            Mixing::Unit => {
                unit_y = unit(dice);
                (unit_y != 1.0).then(|| DMatrix::identity(n, n) / unit_y)
            }
            Mixing::Columns => {
                let most = if dice.single { 1.5 } else { 4.0 };
                let units = DVector::from_fn(n, |_, _| dice.power(-most, most));
                Some(DMatrix::from_diagonal(&units))
            }
            Mixing::Any => {
                let turned = dice.chance(0.5) && n > 1;
                let stretch = DVector::from_fn(n, |_, _| dice.power(-0.3, 0.3));
                let z = match turned {
                    true => dice.rotation(n) * DMatrix::from_diagonal(&stretch),
                    false => DMatrix::identity(n, n),
                };
                (turned || unit_y != 1.0).then(|| z / unit_y)
            }
        };
        let z = z.map(|z| dice.rounded(z));
        if let (Mixing::Unit, Some(z)) = (mixing, &z) {
            // As it was rounded: a set has the units of the solutions in it.
            unit_y = 1.0 / z[(0, 0)];
        }
        let inverse = match &z {
            Some(z) => z.clone().try_inverse().expect("it has full rank"),
            None => DMatrix::identity(n, n),
        };
        Frame {
            by_x,
            z,
            inverse,
            unit_y,
            of_f,
            of_g,
        }
    }

    pub(super) fn record_u<'r, T: Real>(&self, x: Var<'r, T>) -> Var<'r, T> {
        match self.by_x {
            1.0 => x,
            by_x => x * T::of(by_x),
        }
    }

    pub(super) fn record_z<'r, T: Real>(&self, y: Var<'r, T>) -> Var<'r, T> {
        match &self.z {
            Some(z) => &of::<T>(z) * y,
            None => y,
        }
    }

    pub(super) fn record_y<'r, T: Real>(&self, z: Var<'r, T>) -> Var<'r, T> {
        match &self.z {
            Some(_) => &of::<T>(&self.inverse) * z,
            None => z,
        }
    }

    pub(super) fn u(&self, x: &DVector<f64>) -> DVector<f64> {
        x * self.by_x
    }

    pub(super) fn x(&self, u: &DVector<f64>) -> DVector<f64> {
        u / self.by_x
    }

    pub(super) fn y(&self, z: &DVector<f64>) -> DVector<f64> {
        &self.inverse * z
    }

    pub(super) fn z(&self, y: &DVector<f64>) -> DVector<f64> {
        match &self.z {
            Some(z) => z * y,
            None => y.clone(),
        }
    }

    /// Gradients by u and z as ones by x and y.
    pub(super) fn pull(&self, by_u: &DVector<f64>, by_z: &DVector<f64>) -> [DVector<f64>; 2] {
        let by_y = match &self.z {
            Some(z) => z.tr_mul(by_z),
            None => by_z.clone(),
        };
        [by_u * self.by_x, by_y]
    }

    /// A size that y has for z of order one: what 0 is compared with.
    pub(super) fn size_of_y(&self) -> f64 {
        self.inverse.norm() / (self.inverse.nrows() as f64).sqrt()
    }

    pub(super) fn truth(&self, truth: Truth) -> Truth {
        let solution = |s: &Solution| Solution {
            y: self.y(&s.y),
            slope: &self.inverse * &s.slope * self.by_x,
        };
        let determined = truth.determined.as_ref().map(|part| self.determined(part));
        Truth {
            solutions: truth.solutions.iter().map(solution).collect(),
            best: truth.best.as_ref().map(solution),
            determined,
            ..truth
        }
    }

    /// The orthogonal projection to the y for which a projection of z is not 0 where it is.
    fn determined(&self, part: &DMatrix<f64>) -> DMatrix<f64> {
        let rows = match &self.z {
            Some(z) => part * z,
            None => part.clone(),
        };
        let svd = rows.svd(false, true);
        let basis = svd.v_t.expect("asked for");
        let largest = svd.singular_values.max();
        let n = basis.ncols();
        let mut projection = DMatrix::zeros(n, n);
        for (row, size) in basis.row_iter().zip(&svd.singular_values) {
            if *size > 1e-9 * largest {
                projection += row.transpose() * row;
            }
        }
        projection
    }

    /// A set of z, or a threshold beside g in its own unit, as one of y.
    pub(super) fn set(&self, set: FixedPart) -> FixedPart {
        let s = self.unit_y;
        match set {
            FixedPart::Set(Constraint::Box { low, high }) => Constraint::Box {
                low: low * s,
                high: high * s,
            }
            .into(),
            FixedPart::Set(Constraint::Ball { radius }) => {
                Constraint::Ball { radius: radius * s }.into()
            }
            FixedPart::L1 { weight } => FixedPart::L1 {
                weight: weight * self.of_g / s,
            },
            other => other,
        }
    }
}
