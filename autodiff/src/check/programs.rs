//! The rungs that know the program: identities between its sweeps, jets and complex steps, each
//! held to what rounding may leave.

mod ways;

use std::sync::Arc;

use super::complex;
use super::function::wide;
use super::jet::{Bounded, Jets};
use super::ladder::{Frame, dot};
use super::trial::{Operation, Place, Rung, Trial};
use crate::inputs::Inputs;
use crate::point::Point;
use crate::program::{Op, Program};
use crate::real::Real;

/// What stands between the value of a program and its derivative: a stopped gradient.
pub(super) fn stopped<T: Real>(program: &Program<T>, by: Inputs) -> Option<Operation> {
    let found = program.nodes.iter().position(|node| {
        matches!(&node.op, Op::Linear(f) if *f == crate::rules::linear::Linear::StopGradient)
            && node
                .args
                .iter()
                .any(|a| program.nodes[*a as usize].depends.meets(by))
    });
    found.map(|position| Operation {
        name: program.nodes[position].op.name().to_owned(),
        position,
        site: program.nodes[position].site.clone(),
    })
}

/// A scalar program at a point, with its jets.
pub(super) struct Swept<'p, T: Real> {
    pub(super) point: Point<T>,
    jets: Jets<'p, T>,
    at: Vec<Vec<T>>,
    /// Whether it has second derivatives.
    bends: bool,
}

impl<'p, T: Real> Swept<'p, T> {
    pub(super) fn new(program: &'p Arc<Program<T>>, at: &[&[T]]) -> Self {
        let mut swept = Swept {
            point: program.point(),
            jets: Jets::new(program, &at.concat()),
            at: at.iter().map(|a| a.to_vec()).collect(),
            bends: !program.has_gradients(),
        };
        swept.linearise();
        swept
    }

    fn linearise(&mut self) {
        let at: Vec<&[T]> = self.at.iter().map(Vec::as_slice).collect();
        self.point.linearise(&at);
    }

    /// A direction, input by input.
    fn split(&self, v: &[f64]) -> Vec<Vec<T>> {
        let mut rest = v.iter().map(|v| T::of(*v));
        let part = |a: &Vec<T>| rest.by_ref().take(a.len()).collect();
        self.at.iter().map(part).collect()
    }

    fn second(&mut self, v: &[f64]) -> Vec<f64> {
        let parts = self.split(v);
        self.point.second(&some(&parts));
        self.products()
    }

    fn products(&self) -> Vec<f64> {
        let inputs = 0..self.at.len();
        inputs.flat_map(|k| wide(self.point.product(k))).collect()
    }

    fn gradient(&self) -> Vec<f64> {
        let inputs = 0..self.at.len();
        inputs.flat_map(|k| wide(self.point.gradient(k))).collect()
    }

    fn mixed(&mut self, u: &[f64], v: &[f64]) -> Result<Bounded, String> {
        let narrow = |v: &[f64]| v.iter().map(|v| T::of(*v)).collect::<Vec<T>>();
        self.jets.push(&narrow(u), Some(&narrow(v)))?;
        Ok(self.jets.mixed())
    }

    fn first(&mut self, v: &[f64]) -> Result<Bounded, String> {
        let v: Vec<T> = v.iter().map(|v| T::of(*v)).collect();
        self.jets.push(&v, None)?;
        Ok(self.jets.first(0))
    }

    /// The sizes of the terms of the first and the second derivative along `v`.
    pub(super) fn terms(&mut self, v: &[f64]) -> [f64; 2] {
        let first = self.first(v).map_or(0.0, |first| first.size);
        let second = match self.bends {
            true => self.mixed(v, v).map_or(0.0, |mixed| mixed.size),
            false => 0.0,
        };
        [first, second].map(|size| if size.is_finite() { size } else { 0.0 })
    }

    /// What rounding may leave of sums of `n` terms of this size that came through the program.
    fn rounding(&self, n: usize, size: f64) -> f64 {
        T::EPSILON * (self.jets.paths() + n as f64) * size
    }

    /// `⟨1, Jv⟩ = ⟨Jᵀ1, v⟩`, and with second derivatives the Hessian's symmetry, its cross block,
    /// linearity, and the other ways to its products.
    pub(super) fn identities(&mut self, frame: &Frame<'_>) -> Vec<Trial> {
        let rung = Rung::Identities;
        let (n, factor) = (frame.x.len(), frame.check.factor);
        let gradient = self.gradient();
        let mut trials = Vec::new();
        for (number, v) in frame.directions.iter().enumerate() {
            let place = Place::direction(number);
            let parts = self.split(v);
            let pushed = self.point.directional(&some(&parts)).f64();
            let (pulled, size) = dot(&gradient, v);
            trials.push(match self.first(v) {
                Ok(first) => {
                    let size = size.max(first.size);
                    let bound = factor * self.rounding(n, size);
                    Trial::compare(
                        "⟨u,Jv⟩ = ⟨Jᵀu,v⟩",
                        rung,
                        [pulled, pushed],
                        bound,
                        size,
                        place,
                    )
                }
                Err(reason) => Trial::unchecked("⟨u,Jv⟩ = ⟨Jᵀu,v⟩", rung, pushed, reason, place),
            });
        }
        if !self.bends {
            return trials;
        }
        let [v, w] = [&frame.directions[0], &frame.directions[1]];
        trials.extend(self.symmetry("⟨w,Hv⟩ = ⟨v,Hw⟩", v, w, factor));
        if self.at.len() > 1 {
            let last = self.at.len() - 1;
            let (a, b) = (self.only(0, v), self.only(last, w));
            trials.extend(self.symmetry("cross block", &a, &b, factor));
        }
        trials.push(self.linearity(v, w, factor));
        trials.extend(self.other_ways([v, w], frame));
        trials
    }

    /// The direction's part in one input, the others zero.
    fn only(&self, input: usize, v: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; v.len()];
        let start: usize = self.at[..input].iter().map(Vec::len).sum();
        let own = start..start + self.at[input].len();
        out[own.clone()].copy_from_slice(&v[own]);
        out
    }

    fn symmetry(
        &mut self,
        check: &'static str,
        v: &[f64],
        w: &[f64],
        factor: f64,
    ) -> Option<Trial> {
        let (rung, place) = (Rung::Identities, Place::direction(0));
        let (hv, hw) = (self.second(v), self.second(w));
        let ((left, p), (right, q)) = (dot(w, &hv), dot(v, &hw));
        if v.iter().all(|v| *v == 0.0) || w.iter().all(|w| *w == 0.0) {
            return None; // an input without entries
        }
        Some(match self.mixed(v, w) {
            Ok(mixed) => {
                let size = mixed.size.max(p).max(q);
                let bound = factor * self.rounding(v.len(), size);
                Trial::compare(check, rung, [right, left], bound, size, place)
            }
            Err(reason) => Trial::unchecked(check, rung, left, reason, place),
        })
    }

    fn linearity(&mut self, v: &[f64], w: &[f64], factor: f64) -> Trial {
        let (check, rung, place) = ("H(v−2w) = Hv − 2Hw", Rung::Identities, Place::direction(0));
        let joint: Vec<f64> = v.iter().zip(w).map(|(v, w)| v - 2.0 * w).collect();
        let products = [v, w, &joint].map(|d| self.second(d));
        let [(hv, p), (hw, q), (got, r)] = products.map(|h| dot(v, &h));
        match self.mixed(v, v).and_then(|a| Ok([a, self.mixed(v, w)?])) {
            Ok([a, b]) => {
                let size = a.size.max(p) + 2.0 * b.size.max(q) + r;
                let bound = factor * self.rounding(v.len(), size);
                Trial::compare(check, rung, [hv - 2.0 * hw, got], bound, size, place)
            }
            Err(reason) => Trial::unchecked(check, rung, got, reason, place),
        }
    }

    fn entry(&self, mut i: usize) -> (usize, usize) {
        for (k, a) in self.at.iter().enumerate() {
            if i < a.len() {
                return (k, i);
            }
            i -= a.len();
        }
        (self.at.len(), i)
    }

    /// The reverse sweeps against jets, entry by entry.
    pub(super) fn cross_mode(
        &mut self,
        frame: &Frame<'_>,
        gradient: &[f64],
        products: Option<&[Vec<f64>]>,
    ) -> Vec<Trial> {
        let (rung, factor) = (Rung::CrossMode, frame.check.factor);
        let mut trials = Vec::new();
        let mut unit = vec![0.0; frame.x.len()];
        let trial = |check, got: f64, other: Result<Bounded, String>, place| match other {
            Ok(other) => {
                let size = if got == 0.0 {
                    other.size.max(f64::MIN_POSITIVE)
                } else {
                    got.abs()
                };
                Trial::compare(
                    check,
                    rung,
                    [other.value, got],
                    factor * other.bound,
                    size,
                    place,
                )
            }
            Err(reason) => Trial::unchecked(check, rung, got, reason, place),
        };
        for &i in &frame.entries {
            unit[i] = 1.0;
            let place = Place::entry(self.entry(i));
            trials.push(trial("gradient", gradient[i], self.first(&unit), place));
            unit[i] = 0.0;
        }
        let products = products.unwrap_or(&[]);
        let known = frame.directions.iter().zip(products);
        for (number, (v, product)) in known.take(frame.check.directions).enumerate() {
            for &i in &frame.entries {
                unit[i] = 1.0;
                let place = Place::entry(self.entry(i)).along(number);
                trials.push(trial("product", product[i], self.mixed(&unit, v), place));
                unit[i] = 0.0;
            }
        }
        trials
    }

    /// The gradient against complex steps, entry by entry.
    pub(super) fn complex_step(&mut self, frame: &Frame<'_>, gradient: &[f64]) -> Vec<Trial> {
        let (check, rung) = ("gradient", Rung::ComplexStep);
        let program = self.point.program().clone();
        let mut trials = Vec::new();
        if T::NAME != "f64" {
            let reason = format!("complex steps are in f64, the program is in {}", T::NAME);
            return vec![Trial::unchecked(
                check,
                rung,
                f64::NAN,
                reason,
                Place::default(),
            )];
        }
        let at: Vec<T> = self.at.concat();
        let mut jets = Jets::new(&program, &at).drifting();
        let mut unit = vec![0.0; frame.x.len()];
        for &i in &frame.entries {
            let (got, mut place) = (gradient[i], Place::entry(self.entry(i)));
            unit[i] = 1.0;
            let narrow: Vec<T> = unit.iter().map(|v| T::of(*v)).collect();
            let other = complex::derivative(&program, frame.x, &unit);
            let bound = jets.push(&narrow, None).map(|()| jets.first(0));
            unit[i] = 0.0;
            match (other, bound) {
                (Ok(value), Ok(bound)) => {
                    let size = if got == 0.0 {
                        bound.size.max(f64::MIN_POSITIVE)
                    } else {
                        got.abs()
                    };
                    let bound = frame.check.factor * bound.bound + cut_off(value[0], got);
                    trials.push(Trial::compare(
                        check,
                        rung,
                        [value[0], got],
                        bound,
                        size,
                        place,
                    ));
                }
                (Err(barred), _) => {
                    place = Place {
                        operation: Some(barred.operation),
                        ..Place::default()
                    };
                    // The program has none at any entry.
                    return vec![Trial::unchecked(check, rung, got, barred.reason, place)];
                }
                (_, Err(reason)) => trials.push(Trial::unchecked(check, rung, got, reason, place)),
            }
        }
        trials
    }
}

/// What a complex step may leave out of the derivative `other`, where the one under test is `got`.
fn cut_off(other: f64, got: f64) -> f64 {
    if other == 0.0 && got != 0.0 {
        // Times the step it underflows.
        f64::MIN_POSITIVE / complex::STEP
    } else if other != 0.0 && other.abs() < complex::STEP {
        // What is far below the step is what the step cuts off.
        complex::STEP
    } else {
        0.0
    }
}

fn some<T>(parts: &[Vec<T>]) -> Vec<Option<&[T]>> {
    parts.iter().map(|v| Some(&v[..])).collect()
}
