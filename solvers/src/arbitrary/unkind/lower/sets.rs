//! Lower levels over a set, or with a threshold.

use autodiff::{Real, Var};
use nalgebra::{DMatrix, DVector};

use super::{Dice, Lower, Mixing, Recipe, of};
use crate::arbitrary::unkind::truth::{Danger, Solution, Truth};
use crate::{Constraint, FixedPart};

/// ½ rᵀAr with r = z − Cu − b, over a set or with a weight on ‖z‖₁, the size of either times
/// exp(rate · u₀).
#[derive(Clone, Debug)]
pub(in super::super) struct Held {
    set: FixedPart,
    rate: f64,
    a: DMatrix<f64>,
    c: DMatrix<f64>,
    b: DVector<f64>,
}

/// What an entry does at the solution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At its lower bound, or negative.
    Low,
    /// Between the bounds, or 0.
    Middle,
    /// At its upper bound, or positive.
    High,
}

/// With parameters that grow with u₀ at this rate.
pub(super) fn draw(dice: &mut Dice, (m, n): (usize, usize), rate: f64) -> Recipe {
    let (low, high) = (dice.between(-1.0, 0.0), dice.between(0.25, 1.0));
    let kinds = [
        ("a box", FixedPart::Set(Constraint::Box { low, high })),
        (
            "a half-line",
            FixedPart::Set(Constraint::Box {
                low: 0.0,
                high: f64::INFINITY,
            }),
        ),
        ("the simplex", FixedPart::Set(Constraint::Simplex)),
        ("a ball", FixedPart::Set(Constraint::Ball { radius: high })),
        ("a threshold", FixedPart::L1 { weight: high }),
    ];
    let (mut form, set) = dice.pick(&kinds);
    let separable = matches!(
        set,
        FixedPart::Set(Constraint::Simplex | Constraint::Ball { .. })
    );
    // The places of all entries are listed.
    let n = if separable { n } else { n.min(4) };
    let decades = if separable {
        0.0
    } else {
        dice.between(0.0, 1.5)
    };
    let mut lower = Held {
        set,
        rate,
        a: dice.definite(n, decades),
        c: dice.matrix(n, m),
        b: dice.vector(n),
    };
    if separable {
        lower.a = DMatrix::identity(n, n);
    }
    let mut u = dice.vector(m) * 2.0;
    let mut mixing = match set {
        FixedPart::Set(Constraint::Simplex) => Mixing::Own,
        _ => Mixing::Unit,
    };
    if !separable && dice.chance(0.3) {
        // Without its set the solution has an entry just at the edge, exactly.
        (u, mixing, form) = (DVector::zeros(m), Mixing::Own, weakly(form));
        lower.a = DMatrix::identity(n, n);
        lower.b[0] = match set {
            FixedPart::Set(Constraint::Box { low, .. }) => low,
            _ => high,
        };
    }
    Recipe {
        mixing,
        set: Some((set, rate)),
        ..Recipe::new(form, Lower::Held(lower), u, n)
    }
}

/// The set with its size, or the weight, times `size`.
pub(in super::super) fn scaled(set: FixedPart, size: f64) -> FixedPart {
    match set {
        FixedPart::Set(Constraint::Box { low, high }) => Constraint::Box {
            low: low * size,
            high: high * size,
        }
        .into(),
        FixedPart::Set(Constraint::Ball { radius }) => Constraint::Ball {
            radius: radius * size,
        }
        .into(),
        FixedPart::L1 { weight } => FixedPart::L1 {
            weight: weight * size,
        },
        other => other,
    }
}

fn weakly(form: &'static str) -> &'static str {
    match form {
        "a box" => "a box, weakly active",
        "a half-line" => "a half-line, weakly active",
        _ => "a threshold, weakly active",
    }
}

impl Held {
    pub(super) fn record<'r, T: Real>(&self, u: Var<'r, T>, z: Var<'r, T>) -> Var<'r, T> {
        let r = z - &of::<T>(&self.c) * u - z.vector(self.b.map(T::of).as_slice());
        (&of::<T>(&self.a) * r).dot(r) * T::of(0.5)
    }

    pub(super) fn truth(&self, u: &DVector<f64>) -> Truth {
        let free = &self.c * u + &self.b;
        let size = (self.rate * u[0]).exp();
        match scaled(self.set, size) {
            FixedPart::Set(Constraint::Simplex) => self.on_the_simplex(&free, size),
            FixedPart::Set(Constraint::Ball { radius }) if free.norm() > radius => {
                let out = free.norm();
                let along = &free / out;
                let inward = &self.c - &along * (along.transpose() * &self.c);
                let mut slope = inward * (radius / out);
                slope.column_mut(0).axpy(self.rate * radius, &along, 1.0);
                Truth::at(along * radius, slope)
            }
            FixedPart::Set(Constraint::None | Constraint::Ball { .. }) => {
                Truth::at(free, self.c.clone())
            }
            set => Held {
                set,
                ..self.clone()
            }
            .by_places(&free),
        }
    }

    /// Found by trying all supports: those of the largest entries.
    fn on_the_simplex(&self, free: &DVector<f64>, size: f64) -> Truth {
        let mut order: Vec<usize> = (0..free.len()).collect();
        order.sort_by(|i, j| free[*j].total_cmp(&free[*i]));
        let support = (1..=free.len()).rev().find(|k| {
            let sum: f64 = order[..*k].iter().map(|i| free[*i]).sum();
            free[order[*k - 1]] > (sum - size) / *k as f64
        });
        let support = &order[..support.expect("one entry is always positive")];
        let share = 1.0 / support.len() as f64;
        let sum: f64 = support.iter().map(|i| free[*i]).sum();
        let mut y = DVector::zeros(free.len());
        let mut slope = DMatrix::zeros(free.len(), self.c.ncols());
        for i in support {
            y[*i] = free[*i] - (sum - size) * share;
            let mean = support.iter().map(|j| self.c.row(*j) * share);
            let mean = mean.reduce(|a, b| a + b).expect("not empty");
            slope.set_row(*i, &(self.c.row(*i) - mean));
            slope[(*i, 0)] += self.rate * size * share;
        }
        Truth::at(y, slope)
    }

    /// Of a set at its size: the solutions of all assignments of places that the conditions of optimality allow: one, or
    /// several where an entry is at an edge without a push.
    fn by_places(&self, free: &DVector<f64>) -> Truth {
        let n = free.len();
        let mut solutions: Vec<Solution> = Vec::new();
        for code in 0..3usize.pow(n as u32) {
            let place = |i: usize| {
                [Place::Low, Place::Middle, Place::High][code / 3usize.pow(i as u32) % 3]
            };
            let places: Vec<Place> = (0..n).map(place).collect();
            let found = self.with(free, &places);
            solutions.extend(found);
        }
        let danger = if solutions.len() > 1 {
            Danger::Ambiguous
        } else {
            Danger::None
        };
        Truth {
            solutions,
            determined: None,
            best: None,
            danger,
        }
    }

    fn with(&self, free: &DVector<f64>, places: &[Place]) -> Option<Solution> {
        let n = free.len();
        // Where an entry is held, and what pulls at a free one beside the quadratic.
        let (held, pull) = match self.set {
            FixedPart::L1 { weight } => {
                let held = |p: Place| (p == Place::Middle).then_some(0.0);
                let pull = |p: Place| if p == Place::Low { -weight } else { weight };
                (
                    places.iter().map(|p| held(*p)).collect(),
                    places.iter().map(|p| pull(*p)).collect(),
                )
            }
            FixedPart::Set(Constraint::Box { low, high }) => {
                let held = |p: Place| match p {
                    Place::Low => Some(low),
                    Place::Middle => None,
                    Place::High => Some(high),
                };
                let held: Vec<Option<f64>> = places.iter().map(|p| held(*p)).collect();
                (held, vec![0.0; n])
            }
            _ => unreachable!("the other sets have closed forms"),
        };
        if held.iter().flatten().any(|v: &f64| v.is_infinite()) {
            return None;
        }
        // A(z − free) + pull = 0 in the free entries, as a system of all n.
        let mut system = self.a.clone();
        let mut right = &self.a * free - DVector::from_vec(pull.clone());
        let mut slopes = &self.a * &self.c;
        for i in 0..n {
            // What grows does so with u₀.
            slopes[(i, 0)] -= self.rate * pull[i];
            if let Some(v) = held[i] {
                system.row_mut(i).fill(0.0);
                system[(i, i)] = 1.0;
                right[i] = v;
                slopes.row_mut(i).fill(0.0);
                slopes[(i, 0)] = self.rate * v;
            }
        }
        let lu = system.lu();
        let (y, slope) = (lu.solve(&right)?, lu.solve(&slopes)?);
        let gradient = &self.a * (&y - free);
        let holds = (0..n).all(|i| self.optimal(places[i], y[i], gradient[i]));
        holds.then_some(Solution { y, slope })
    }

    /// The condition of optimality of one entry, with its gradient of the quadratic.
    fn optimal(&self, place: Place, y: f64, gradient: f64) -> bool {
        let slack = 1e-12;
        match (self.set, place) {
            (FixedPart::L1 { .. }, Place::Low) => y <= slack,
            (FixedPart::L1 { .. }, Place::High) => y >= -slack,
            (FixedPart::L1 { weight }, Place::Middle) => gradient.abs() <= weight + slack,
            (_, Place::Low) => gradient >= -slack,
            (_, Place::High) => gradient <= slack,
            (FixedPart::Set(Constraint::Box { low, high }), Place::Middle) => {
                y >= low - slack && y <= high + slack
            }
            (_, Place::Middle) => true,
        }
    }
}
