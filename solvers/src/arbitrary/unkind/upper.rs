//! The upper level of a case.

use autodiff::{Real, Var};
use nalgebra::{DMatrix, DVector};

use super::dice::Dice;
use super::lower::of;
use super::truth::Solution;

/// `½q‖z − t‖² + cᵀz + zᵀPu + ½r‖u − s‖²`, or something that has no value.
#[derive(Clone, Debug)]
pub(super) struct Upper {
    q: f64,
    t: DVector<f64>,
    c: DVector<f64>,
    p: DMatrix<f64>,
    r: f64,
    s: DVector<f64>,
    /// Of z, only this projection of it is looked at.
    seen: Option<DMatrix<f64>>,
    pub(super) fault: Option<Fault>,
}

/// Why an upper level has no finite value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The logarithm of a negative number.
    Undefined,
    /// An exponential out of range.
    Overflow,
}

impl Upper {
    pub(super) fn draw(dice: &mut Dice, dims: (usize, usize), seen: Option<DMatrix<f64>>) -> Self {
        let (m, n) = dims;
        let q = dice.pick(&[0.0, 1.0, 1.0]);
        let linear = q == 0.0 || dice.chance(0.3);
        let both = dice.chance(0.4);
        let c = dice.vector(n) * f64::from(linear);
        let p = dice.matrix(n, m) * f64::from(both);
        Upper {
            q,
            t: dice.vector(n) * 2.0,
            c,
            p,
            // Without a y that moves, x itself is what F depends on.
            r: 1.0,
            s: dice.vector(m) * 2.0,
            seen: seen.map(|s| dice.rounded(s)),
            fault: None,
        }
    }

    /// A solution of the lower level with the entries it does not determine as F wants them; `None`
    /// where F has no best.
    pub(super) fn best(
        &self,
        u: &DVector<f64>,
        mut solution: Solution,
        determined: &DMatrix<f64>,
    ) -> Option<Solution> {
        let wanted = &self.t - &self.c - &self.p * u;
        for i in (0..wanted.len()).filter(|i| determined[(*i, *i)] == 0.0) {
            solution.y[i] = wanted[i];
            solution.slope.set_row(i, &-self.p.row(i));
        }
        (self.q == 1.0).then_some(solution)
    }

    fn look<V>(&self, z: V, product: impl Fn(&DMatrix<f64>, V) -> V) -> V {
        match &self.seen {
            Some(seen) => product(seen, z),
            None => z,
        }
    }

    pub(super) fn record<'r, T: Real>(&self, u: Var<'r, T>, z: Var<'r, T>) -> Var<'r, T> {
        let z = self.look(z, |seen, z| &of::<T>(seen) * z);
        match self.fault {
            Some(Fault::Undefined) => return -(-z.norm_squared() - T::one()).ln() * u.sum(),
            Some(Fault::Overflow) => return ((z.norm_squared() + T::one()) * T::of(1e4)).exp(),
            None => {}
        }
        let column = |v: &DVector<f64>| v.map(T::of);
        let half = T::of(0.5);
        let mut value = (u - &column(&self.s)).norm_squared() * (half * T::of(self.r));
        if self.q != 0.0 {
            value = value + (z - &column(&self.t)).norm_squared() * half;
        }
        if self.c.norm() > 0.0 {
            value = value + z.dot(z.vector(column(&self.c).as_slice()));
        }
        if self.p.norm() > 0.0 {
            value = value + z.dot(&of::<T>(&self.p) * u);
        }
        value
    }

    /// The gradients by u and by z.
    pub(super) fn gradients(
        &self,
        u: &DVector<f64>,
        z: &DVector<f64>,
    ) -> (DVector<f64>, DVector<f64>) {
        let seen = self.look(z.clone(), |seen, z| seen * z);
        let by_u = self.p.tr_mul(&seen) + (u - &self.s) * self.r;
        let by_z = (&seen - &self.t) * self.q + &self.c + &self.p * u;
        (by_u, self.look(by_z, |seen, b| seen.tr_mul(&b)))
    }
}
