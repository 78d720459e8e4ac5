//! The rungs of a step: its tangent against its adjoint, and unrolling backwards against unrolling
//! forwards.

use super::function::{OfLoop, wide};
use super::jet::Jets;
use super::ladder::{Frame, dot};
use super::trial::{Place, Rung, Trial};
use crate::inputs::Inputs;
use crate::real::Real;
use crate::unroll::{Memory, Step};

/// A step with the point that it is checked at.
pub(super) struct Stepped<'a, T: Real> {
    pub(super) step: &'a Step<T>,
    pub(super) x: &'a [T],
    pub(super) state: &'a [T],
    pub(super) depth: usize,
}

impl<T: Real> Stepped<'_, T> {
    fn coefficients(&self, k: usize) -> Vec<T> {
        let mut c = vec![T::zero(); self.step.program().input_shape(2).len()];
        (self.step.coefficients)(k, &mut c);
        c
    }

    /// `⟨u, Jv⟩ = ⟨Jᵀu, v⟩` of the first step.
    pub(super) fn identities(&self, frame: &Frame<'_>, u: &[f64]) -> Vec<Trial> {
        let (check, rung) = ("⟨u,Jv⟩ = ⟨Jᵀu,v⟩", Rung::Identities);
        let program = &*self.step.program;
        let mut point = self.step.program.point();
        let c = self.coefficients(0);
        point.linearise_vector(&[self.x, self.state, &c]);
        let cotangent: Vec<T> = u.iter().map(|u| T::of(*u)).collect();
        point.pull_back(&cotangent, Inputs::ALL);
        let pulled = [point.gradient(0), point.gradient(1)].map(wide).concat();
        let mut jets = Jets::new(program, &[self.x, self.state, &c].concat());
        let mut trials = Vec::new();
        for (number, v) in frame.directions.iter().enumerate() {
            let place = Place::direction(number);
            let mut narrow: Vec<T> = v.iter().map(|v| T::of(*v)).collect();
            let (dx, ds) = narrow.split_at(self.x.len());
            let pushed = point.push_forward(&[Some(dx), Some(ds), None]);
            let pushed = pushed.map(wide);
            let pushed = pushed.unwrap_or_else(|| vec![0.0; u.len()]);
            let ((left, p), (right, q)) = (dot(u, &pushed), dot(&pulled, v));
            narrow.resize(narrow.len() + c.len(), T::zero());
            trials.push(match jets.push(&narrow, None) {
                Ok(()) => {
                    let size = dot(u, &wide(&jets.first_sizes())).1.max(p).max(q);
                    let roundings = jets.paths() + (u.len() + v.len()) as f64;
                    let bound = frame.check.factor * T::EPSILON * roundings * size;
                    Trial::compare(check, rung, [right, left], bound, size, place)
                }
                Err(reason) => Trial::unchecked(check, rung, left, reason, place),
            });
        }
        trials
    }

    /// The derivative of the loop, reverse against jets carried forward through all steps, and
    /// against the engine's own forward mode.
    pub(super) fn cross_mode(
        &self,
        frame: &Frame<'_>,
        of: &mut OfLoop<T>,
        gradient: &[f64],
    ) -> Vec<Trial> {
        let (check, rung, factor) = ("gradient", Rung::CrossMode, frame.check.factor);
        let (n, dim_x, dim_s) = (frame.entries.len(), self.x.len(), self.state.len());
        // For each entry: the state's tangent and the sizes of its terms.
        let mut columns: Vec<[Vec<T>; 2]> = Vec::with_capacity(n);
        for &i in &frame.entries {
            let mut column = vec![T::zero(); dim_s];
            if i >= dim_x {
                column[i - dim_x] = T::one();
            }
            columns.push([column.clone(), column]);
        }
        let (mut state, mut roundings) = (self.state.to_vec(), 0.0);
        let mut jets: Option<Jets<'_, T>> = None;
        for k in 0..self.depth {
            let c = self.coefficients(k);
            let at = [self.x, &state, &c].concat();
            let jets = match &mut jets {
                Some(jets) => {
                    jets.move_to(&at);
                    jets
                }
                none => none.insert(Jets::new(self.step.program(), &at)),
            };
            for (&i, [column, size]) in frame.entries.iter().zip(&mut columns) {
                let mut unit = vec![T::zero(); dim_x];
                if i < dim_x {
                    unit[i] = T::one();
                }
                let still = vec![T::zero(); c.len()];
                let a = [&unit[..], column, &still].concat();
                let sizes = [&unit[..], size, &still].concat();
                if let Err(reason) = jets.push_sized(&a, &sizes, None) {
                    return vec![Trial::unchecked(
                        check,
                        rung,
                        f64::NAN,
                        reason,
                        Place::default(),
                    )];
                }
                *size = jets.first_sizes();
                for (o, column) in column.iter_mut().enumerate() {
                    *column = T::of(jets.first(o).value);
                }
            }
            state = jets.value().to_vec();
            roundings += jets.paths();
        }
        let cotangent = wide(&of.cotangent);
        let place = |i: usize| match i < dim_x {
            true => Place::entry((0, i)),
            false => Place::entry((1, i - dim_x)),
        };
        let mut trials = Vec::new();
        for (&i, [column, size]) in frame.entries.iter().zip(&columns) {
            let (expected, got) = (dot(&cotangent, &wide(column)).0, gradient[i]);
            let size = dot(&cotangent, &wide(size)).1;
            let bound = factor * T::EPSILON * (roundings + dim_s as f64) * size;
            let own = if got == 0.0 {
                size.max(f64::MIN_POSITIVE)
            } else {
                got.abs()
            };
            trials.push(Trial::compare(
                check,
                rung,
                [expected, got],
                bound,
                own,
                place(i),
            ));
        }
        of.steps
            .forward(self.x, self.state, self.depth, Memory::Forward);
        let by_x = wide(of.steps.reverse(&of.cotangent).0);
        for (&i, [_, size]) in frame
            .entries
            .iter()
            .zip(&columns)
            .filter(|(i, _)| **i < dim_x)
        {
            let size = dot(&cotangent, &wide(size)).1;
            let bound = factor * T::EPSILON * (roundings + dim_s as f64) * size;
            let own = if gradient[i] == 0.0 {
                size.max(f64::MIN_POSITIVE)
            } else {
                gradient[i].abs()
            };
            trials.push(Trial::compare(
                "forward mode",
                rung,
                [by_x[i], gradient[i]],
                bound,
                own,
                place(i),
            ));
        }
        trials
    }
}
