//! Equations `z = Ψ(u, z)` of maps that contract, turn, expand, or have no fixed point.

use autodiff::{Real, Var};
use nalgebra::{DMatrix, DVector};

use super::{Dice, Lower, Recipe, of};
use crate::arbitrary::unkind::truth::{Danger, Truth};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// c + M(z − c) with c = Cu + b.
    Linear,
    /// c + M tanh(z − c).
    Tanh,
    /// relu(Mz + C(u − u*) + d).
    Relu,
    /// z + c, which is nowhere 0.
    Drift,
    /// z + softplus(−z): the difference falls to 0 for ever.
    Away,
}

/// A map of z, by its numbers.
#[derive(Clone, Debug)]
pub(in super::super) struct Map {
    form: Form,
    m: DMatrix<f64>,
    c: DMatrix<f64>,
    b: DVector<f64>,
    /// Under `Relu` the point u* where z is known, and what stands before the maximum there.
    at: Option<(DVector<f64>, DVector<f64>)>,
    danger: Danger,
    /// Whether the first entry of z is free.
    free: bool,
}

pub(super) fn draw(dice: &mut Dice, (m, n): (usize, usize)) -> Recipe {
    let u = dice.vector(m);
    let name = dice.pick(&[
        "a symmetric map",
        "a symmetric map",
        "a map that turns",
        "a map that turns",
        "a map that is not normal",
        "a tanh map",
        "a tanh map",
        "a relu map",
        "a relu map",
        "a slow map",
        "a slow map",
        "a map that expands",
        "a map with a free entry",
        "a relu map at its kink",
        "a drift",
        "a map without a fixed point",
    ]);
    let mut map = Map {
        form: Form::Linear,
        m: DMatrix::zeros(n, n),
        c: dice.matrix(n, m),
        b: dice.vector(n),
        at: None,
        danger: Danger::None,
        free: false,
    };
    match name {
        "a symmetric map" => map.m = symmetric(dice, n, 0.95),
        "a map that turns" => map.m = turning(dice, n, 0.95),
        "a map that is not normal" => {
            let far = dice.power(0.0, 1.0);
            map.m = DMatrix::from_fn(n, n, |i, j| match i.cmp(&j) {
                std::cmp::Ordering::Less => dice.number() * far,
                std::cmp::Ordering::Equal => dice.number() * 0.8,
                std::cmp::Ordering::Greater => 0.0,
            });
        }
        "a tanh map" => {
            map.form = Form::Tanh;
            map.m = turning(dice, n, 0.95);
        }
        "a relu map" | "a relu map at its kink" => {
            map.form = Form::Relu;
            map.m = turning(dice, n, 0.9);
            let mut before = dice.vector(n);
            if name == "a relu map at its kink" {
                before[dice.below(n)] = 0.0;
                map.danger = Danger::Ambiguous;
            }
            map.at = Some((u.clone(), before));
        }
        "a slow map" => {
            let q = dice.rotation(n);
            let near = dice.power(if dice.single { -3.0 } else { -6.0 }, -1.5);
            let of = dice.vector(n).map(|v| 0.9 * v.abs());
            let d = DVector::from_fn(n, |i, _| if i == 0 { 1.0 - near } else { of[i] });
            map.m = &q * DMatrix::from_diagonal(&d) * q.transpose();
        }
        "a map that expands" => {
            map.m = symmetric(dice, n, 0.9);
            let by = dice.pick(&[-1.5, -3.0, 1.5, 2.5]);
            map.m *= by / map.m.norm();
            map.danger = Danger::Real;
        }
        "a map with a free entry" => {
            let kept = dice.vector(n) * 0.9;
            map.m = DMatrix::from_fn(n, n, |i, j| match (i == j, i) {
                (true, 0) => 1.0,
                (true, _) => kept[i],
                (false, _) => 0.0,
            });
            map.free = true;
            map.danger = Danger::Real;
        }
        "a drift" => map.form = Form::Drift,
        _ => map.form = Form::Away,
    }
    map.m = dice.rounded(map.m);
    // From far off the free entry stays so, and what y is a part of is all of it.
    let start = map.free.then(|| dice.vector(n));
    Recipe {
        start,
        ..Recipe::new(name, Lower::Map(map), u, n)
    }
}

/// Symmetric, with eigenvalues of either sign up to `most` in size.
fn symmetric(dice: &mut Dice, n: usize, most: f64) -> DMatrix<f64> {
    let (q, d) = (dice.rotation(n), dice.vector(n) * most);
    &q * DMatrix::from_diagonal(&d) * q.transpose()
}

/// Not symmetric, of a norm up to `most`.
fn turning(dice: &mut Dice, n: usize, most: f64) -> DMatrix<f64> {
    let d = dice.vector(n) * most;
    dice.rotation(n) * DMatrix::from_diagonal(&d) * dice.rotation(n)
}

impl Map {
    /// Ψ(u, z).
    pub(in super::super) fn map<'r, T: Real>(&self, u: Var<'r, T>, z: Var<'r, T>) -> Var<'r, T> {
        let (m, c) = (of::<T>(&self.m), of::<T>(&self.c));
        let column = |v: &DVector<f64>| v.map(T::of);
        let centre = || &c * u + &column(&self.b);
        match self.form {
            Form::Linear => {
                let c = centre();
                c + &m * (z - c)
            }
            Form::Tanh => {
                let c = centre();
                c + &m * (z - c).tanh()
            }
            Form::Relu => {
                let (at, _) = self.at.as_ref().expect("drawn with it");
                (&m * z + &c * (u - &column(at)) + &column(&self.offset())).relu()
            }
            Form::Drift => z + centre(),
            Form::Away => z + (-z).softplus(),
        }
    }

    /// ½‖Ψ(u, z) − z‖².
    pub(super) fn record<'r, T: Real>(&self, u: Var<'r, T>, z: Var<'r, T>) -> Var<'r, T> {
        (self.map(u, z) - z).norm_squared() * T::of(0.5)
    }

    /// What makes the values before the maximum those that were drawn: `before − Mz`.
    fn offset(&self) -> DVector<f64> {
        let (_, before) = self.at.as_ref().expect("drawn with it");
        before - &self.m * before.map(|v| v.max(0.0))
    }

    /// Its fixed point. That of a relu is known where the same entries are positive as at u*.
    pub(super) fn truth(&self, u: &DVector<f64>) -> Truth {
        let n = self.b.len();
        let centre = || &self.c * u + &self.b;
        match self.form {
            Form::Drift | Form::Away => Truth::nowhere(),
            Form::Linear | Form::Tanh => {
                let mut truth = Truth::at(centre(), self.c.clone()).with(self.danger);
                if self.free {
                    let kept = DMatrix::from_fn(n, n, |i, j| f64::from(i == j && i > 0));
                    truth.determined = Some(kept);
                }
                truth
            }
            Form::Relu => {
                let (at, before) = self.at.as_ref().expect("drawn with it");
                let on = DMatrix::from_fn(n, n, |i, j| f64::from(i == j && before[i] > 0.0));
                let system = DMatrix::identity(n, n) - &on * &self.m;
                let slope = system.lu().solve(&(&on * &self.c)).expect("it contracts");
                let solution = before.map(|v| v.max(0.0)) + &slope * (u - at);
                Truth::at(solution, slope).with(self.danger)
            }
        }
    }
}
