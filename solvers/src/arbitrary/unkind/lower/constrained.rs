//! Quadratics under constraints that couple u and z.

use autodiff::{Real, Var};
use nalgebra::{DMatrix, DVector};

use super::{Dice, Lower, Mixing, Recipe, of};
use crate::Constraints;
use crate::arbitrary::unkind::frame::Frame;
use crate::arbitrary::unkind::truth::{Danger, Truth};

/// ½ rᵀAr with r = z − Cu − b, or a linear function of z, under `κ (Gz − Eu − d)`: its first rows
/// equal to 0 and the others at most 0; or under `κ (‖z‖² − ρ²) ≤ 0`.
#[derive(Clone, Debug)]
pub(in super::super) struct Constrained {
    a: DMatrix<f64>,
    c: DMatrix<f64>,
    b: DVector<f64>,
    /// The gradient of the linear function, in place of the quadratic.
    linear: Option<DVector<f64>>,
    g: DMatrix<f64>,
    e: DMatrix<f64>,
    d: DVector<f64>,
    equal: usize,
    radius: Option<f64>,
    unit: f64,
    danger: Danger,
    /// Whether there is a solution at all.
    solvable: bool,
}

/// The most rows whose active sets are tried.
const ROWS: usize = 6;

pub(super) fn draw(dice: &mut Dice, (m, n): (usize, usize)) -> Recipe {
    let n = n.min(5);
    let (decades, far) = (dice.between(0.0, 2.0), if dice.single { 2.0 } else { 6.0 });
    let unit = match dice.chance(0.6) {
        true => 1.0,
        false => dice.power(-far, far),
    };
    let u = dice.vector(m);
    let mut of = Constrained {
        a: dice.definite(n, decades),
        c: dice.matrix(n, m),
        b: dice.vector(n),
        linear: None,
        g: DMatrix::zeros(0, n),
        e: DMatrix::zeros(0, m),
        d: DVector::zeros(0),
        equal: 0,
        radius: None,
        unit,
        danger: Danger::None,
        solvable: true,
    };
    let form = dice.pick(&[
        "rows",
        "rows",
        "rows",
        "rows",
        "equalities",
        "equalities",
        "a disc",
        "a disc",
        "a vertex",
        "rows far off",
        "a row just held",
        "a row nearly held",
        "a row twice",
        "an equality as two",
        "no room",
        "unbounded",
        "not convex",
    ]);
    let mut mixing = Mixing::Any;
    match form {
        "a disc" => {
            of.a = DMatrix::identity(n, n);
            of.radius = Some(dice.between(0.25, 1.5));
            mixing = Mixing::Unit;
        }
        "a vertex" => {
            // n rows that hold, each pressed: G is near the identity, and the gradient −Gᵀλ.
            let (g, e) = (dice.definite(n, 0.5), dice.matrix(n, m));
            let pressed = dice.vector(n).abs();
            of.linear = Some(
                dice.rounded(DMatrix::from_columns(&[-(g.tr_mul(&pressed))]))
                    .column(0)
                    .into_owned(),
            );
            of.place(dice, &u, (g, e), &vec![true; n]);
        }
        "unbounded" => {
            let down = dice.vector(n);
            of.rows(dice, &u, 1, 0.5);
            // Down along what the row leaves free.
            let row = of.g.row(0).transpose();
            let along = &down - &row * (row.dot(&down) / row.norm_squared());
            of.solvable = false;
            of.linear = Some(if n == 1 { row } else { along });
            of.equal = 0;
        }
        "not convex" => {
            of.a = -of.a;
            of.rows(dice, &u, 1, 0.5);
            of.solvable = false;
        }
        "equalities" => {
            let equal = 1.min(n - 1);
            let rows = dice.below(4) + 1;
            of.rows(dice, &u, rows, 0.5);
            of.equal = equal;
        }
        "rows far off" => {
            let rows = dice.below(3) + 1;
            of.rows(dice, &u, rows, 0.0);
            let off = dice.power(1.0, far);
            of.d = of.d.map(|d| dice.round(d.abs() * off + off));
        }
        "no room" => {
            of.rows(dice, &u, 1, 1.0);
            of.again(-1.0, -dice.power(-2.0, 0.0));
            of.solvable = false;
        }
        "a row twice" => {
            of.rows(dice, &u, 1, 1.0);
            of.again(2.0, 0.0);
            of.danger = Danger::Real;
        }
        "an equality as two" => {
            of.rows(dice, &u, 1, 1.0);
            of.again(-1.0, 0.0);
            of.danger = Danger::Real;
        }
        "a row just held" | "a row nearly held" => {
            // In their own units, so that the row is met exactly.
            of.a = DMatrix::identity(n, n);
            (of.g, of.e) = (DMatrix::zeros(1, n), DMatrix::zeros(1, m));
            of.g[(0, 0)] = 1.0;
            of.c.row_mut(0).fill(0.0);
            let off = match form {
                "a row just held" => 0.0,
                _ => dice.number() * dice.power(-6.0, -2.0),
            };
            of.d = DVector::from_element(1, dice.round(of.b[0] + off));
            of.e[(0, 0)] = 0.0;
            of.danger = if off == 0.0 {
                Danger::Ambiguous
            } else {
                Danger::Real
            };
            mixing = Mixing::Own;
            of.unit = 1.0;
        }
        _ => {
            let rows = 1 + dice.below(ROWS);
            of.rows(dice, &u, rows, 0.5);
        }
    }
    Recipe {
        mixing,
        constraints: Some(of.clone()),
        ..Recipe::new(form, Lower::Constrained(of), u, n)
    }
}

impl Constrained {
    /// Draws rows, each of which holds at some z with this chance, and is pressed there.
    fn rows(&mut self, dice: &mut Dice, u: &DVector<f64>, count: usize, held: f64) {
        let (n, m) = self.c.shape();
        let places: Vec<bool> = (0..count).map(|_| dice.chance(held)).collect();
        let (g, e) = (dice.matrix(count, n), dice.matrix(count, m) * 0.5);
        self.place(dice, u, (g, e), &places);
    }

    /// Puts rows so that those which hold do so at some z.
    fn place(
        &mut self,
        dice: &mut Dice,
        u: &DVector<f64>,
        (g, e): (DMatrix<f64>, DMatrix<f64>),
        held: &[bool],
    ) {
        let z = &self.c * u + &self.b;
        let values = &g * &z - &e * u;
        self.d = DVector::from_fn(values.len(), |i, _| {
            // Beyond what the free solution wants, or not as far.
            let off = dice.between(0.2, 0.8);
            dice.round(if held[i] {
                values[i] - off
            } else {
                values[i] + off
            })
        });
        (self.g, self.e) = (dice.rounded(g), dice.rounded(e));
    }

    /// The first row once more, times `by`, with `shift` added to its right-hand side.
    fn again(&mut self, by: f64, shift: f64) {
        let (n, m) = self.c.shape();
        let g = self.g.clone().insert_row(1, 0.0);
        let e = self.e.clone().insert_row(1, 0.0);
        self.g = DMatrix::from_fn(2, n, |i, j| if i == 0 { g[(0, j)] } else { by * g[(0, j)] });
        self.e = DMatrix::from_fn(2, m, |i, j| if i == 0 { e[(0, j)] } else { by * e[(0, j)] });
        self.d = DVector::from_vec(vec![self.d[0], by * self.d[0] + shift]);
    }

    pub(super) fn record<'r, T: Real>(&self, u: Var<'r, T>, z: Var<'r, T>) -> Var<'r, T> {
        if let Some(linear) = &self.linear {
            return z.dot(z.vector(linear.map(T::of).as_slice()));
        }
        let r = z - &of::<T>(&self.c) * u - z.vector(self.b.map(T::of).as_slice());
        (&of::<T>(&self.a) * r).dot(r) * T::of(0.5)
    }

    /// The constraints, in the coordinates of `frame`.
    pub(in super::super) fn constraints<T: Real>(&self, frame: &Frame) -> Constraints<T> {
        let mut held = Constraints::new();
        let parts = [(0..self.equal, true), (self.equal..self.d.len(), false)];
        for (range, equal) in parts {
            if range.is_empty() {
                continue;
            }
            let len = range.len();
            let g = of::<T>(&(self.g.rows(range.start, len) * self.unit));
            let e = of::<T>(&(self.e.rows(range.start, len) * self.unit));
            let d = DVector::from_fn(len, |i, _| T::of(self.d[range.start + i] * self.unit));
            let frame = frame.clone();
            macro_rules! row {
                () => {
                    move |x: Var<'_, T>, y: Var<'_, T>| {
                        let (u, z) = (frame.record_u(x), frame.record_z(y));
                        &g * z - &e * u - z.vector(d.as_slice())
                    }
                };
            }
            held = match equal {
                true => held.zero(row!()),
                false => held.at_most_zero(row!()),
            };
        }
        if let Some(radius) = self.radius {
            let (frame, unit) = (frame.clone(), T::of(self.unit));
            let square = T::of(radius * radius);
            held = held.at_most_zero(move |_: Var<'_, T>, y: Var<'_, T>| {
                (frame.record_z(y).norm_squared() - square) * unit
            });
        }
        held
    }

    /// By how much (u, z) violates them.
    pub(in super::super) fn violation(&self, u: &DVector<f64>, z: &DVector<f64>) -> f64 {
        let c = &self.g * z - &self.e * u - &self.d;
        let over = c.iter().enumerate().map(|(i, c)| match i < self.equal {
            true => c.abs(),
            false => c.max(0.0),
        });
        let disc = self.radius.map(|r| (z.norm() - r).max(0.0));
        over.chain(disc).fold(0.0, f64::max)
    }

    pub(super) fn truth(&self, u: &DVector<f64>) -> Truth {
        if !self.solvable {
            return Truth::nowhere();
        }
        let free = &self.c * u + &self.b;
        if let Some(radius) = self.radius {
            let out = free.norm();
            if out <= radius {
                return Truth::at(free, self.c.clone()).with(self.danger);
            }
            let along = &free / out;
            let inward = &self.c - &along * (along.transpose() * &self.c);
            return Truth::at(along * radius, inward * (radius / out)).with(self.danger);
        }
        self.by_sets(u, &free)
    }

    /// Found by trying all active sets: the one that is violated least.
    fn by_sets(&self, u: &DVector<f64>, free: &DVector<f64>) -> Truth {
        let (rows, n) = self.g.shape();
        let (a, pull) = match &self.linear {
            Some(linear) => (DMatrix::zeros(n, n), -linear),
            None => (self.a.clone(), &self.a * free),
        };
        let right = &self.e * u + &self.d;
        let mut best: Option<(f64, DVector<f64>, DMatrix<f64>)> = None;
        for bits in 0u32..1 << (rows - self.equal) {
            let active = |i: usize| i < self.equal || bits >> (i - self.equal) & 1 == 1;
            let set: Vec<usize> = (0..rows).filter(|i| active(*i)).collect();
            let k = set.len();
            if k > n {
                continue;
            }
            let g = self.g.select_rows(&set);
            let mut system = DMatrix::zeros(n + k, n + k);
            system.view_mut((0, 0), (n, n)).copy_from(&a);
            system.view_mut((n, 0), (k, n)).copy_from(&g);
            system.view_mut((0, n), (n, k)).copy_from(&g.transpose());
            let mut sides = DMatrix::zeros(n + k, 1 + u.len());
            sides.view_mut((0, 0), (n, 1)).copy_from(&pull);
            sides
                .view_mut((n, 0), (k, 1))
                .copy_from(&right.select_rows(&set));
            if self.linear.is_none() {
                sides
                    .view_mut((0, 1), (n, u.len()))
                    .copy_from(&(&a * &self.c));
            }
            sides
                .view_mut((n, 1), (k, u.len()))
                .copy_from(&self.e.select_rows(&set));
            let svd = system.svd(true, true);
            if svd.singular_values.min() <= 1e-9 * svd.singular_values.max() {
                continue;
            }
            let Ok(solved) = svd.solve(&sides, 0.0) else {
                continue;
            };
            let z = solved.view((0, 0), (n, 1)).column(0).into_owned();
            let beyond = (&self.g * &z - &right)
                .rows(self.equal, rows - self.equal)
                .max();
            let pulled = (self.equal..k).map(|i| -solved[(n + i, 0)]);
            let worst = pulled.fold(beyond.max(0.0), f64::max);
            if best.as_ref().is_none_or(|(least, ..)| worst < *least) {
                let slope = solved.view((0, 1), (n, u.len())).into_owned();
                best = Some((worst, z, slope));
            }
        }
        match best {
            Some((worst, z, slope)) if worst <= 1e-6 => Truth::at(z, slope).with(self.danger),
            // Rows that leave no room between them.
            _ => Truth::nowhere(),
        }
    }
}
