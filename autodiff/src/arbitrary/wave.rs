//! A primitive of several operands, its stash poisoned where it is not asked for.

use crate::operands::{OperandAdjoints, OperandTangents, Operands, Stash};
use crate::primitive::{Asked, Primitive};
use crate::real::Real;
use crate::shape::Shape;

/// `u = a₀ sin(Σₖ aₖ)`, entry by entry, of several operands of one shape.
///
/// Its rules along directions take whole blocks of them, entry by entry.
///
/// The stash holds `sin`, `cos` and `−a₀ sin` of the sum, each for all entries. What is not
/// [`Asked`] for is NaN, so that a sweep which asked for too little cannot pass.
#[derive(Clone, Copy, Debug)]
pub struct Wave {
    /// Number of operands.
    pub operands: usize,
}

impl Wave {
    fn total<'a, T: Real>(&self, i: usize, get: impl Fn(usize) -> Option<&'a [T]>) -> T {
        let terms = (0..self.operands).filter_map(|k| get(k).map(|a| a[i]));
        terms.fold(T::zero(), |s, v| s + v)
    }
}

impl<T: Real> Primitive<T> for Wave {
    fn name(&self) -> &str {
        "wave"
    }

    fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String> {
        let first = operands[0];
        if operands.len() == self.operands && operands.iter().all(|s| *s == first) {
            Ok(first)
        } else {
            Err(format!("{} operands of one shape", self.operands))
        }
    }

    fn stash_len(&self, operands: &[Shape]) -> usize {
        3 * operands[0].len()
    }

    fn eval(&self, a: &Operands<'_, T>, asked: Asked, out: &mut [T], mut stash: Stash<'_, T>) {
        let n = out.len();
        let unless = |asked: bool, v: T| if asked { v } else { T::of(f64::NAN) };
        for i in 0..n {
            let s = self.total(i, |k| Some(a.get(k)));
            out[i] = unless(asked.value, a.get(0)[i] * s.sin());
            stash[i] = unless(asked.first, s.sin());
            stash[n + i] = unless(asked.first || asked.second, s.cos());
            stash[2 * n + i] = unless(asked.second, -a.get(0)[i] * s.sin());
        }
    }

    fn jvp(
        &self,
        a: &Operands<'_, T>,
        t: &OperandTangents<'_, T>,
        stash: Stash<'_, T>,
        out: &mut [T],
    ) {
        self.jvp_block(a, t, stash, out);
    }

    fn jvp_block(
        &self,
        a: &Operands<'_, T>,
        t: &OperandTangents<'_, T>,
        stash: Stash<'_, T>,
        out: &mut [T],
    ) {
        let n = a.get(0).len();
        for i in 0..n {
            for c in 0..t.width() {
                let t = t.column(c);
                let ds = self.total(i, |k| t.get(k));
                let direct = t.get(0).map_or(T::zero(), |t| t[i] * stash[i]);
                out[c * n + i] = direct + a.get(0)[i] * stash[n + i] * ds;
            }
        }
    }

    fn vjp(
        &self,
        a: &Operands<'_, T>,
        stash: Stash<'_, T>,
        u: &[T],
        adjoints: &mut OperandAdjoints<'_, T>,
    ) {
        let n = u.len();
        for k in 0..self.operands {
            let Some(out) = adjoints.get(k) else { continue };
            for i in 0..n {
                let direct = if k == 0 { stash[i] } else { T::zero() };
                out[i] += u[i] * (direct + a.get(0)[i] * stash[n + i]);
            }
        }
    }

    fn vjp_tangent(
        &self,
        a: &Operands<'_, T>,
        t: &OperandTangents<'_, T>,
        stash: Stash<'_, T>,
        u: &[T],
        du: Option<&[T]>,
        adjoint_tangents: &mut OperandAdjoints<'_, T>,
    ) {
        self.vjp_tangent_block(a, t, stash, u, du, adjoint_tangents);
    }

    fn vjp_tangent_block(
        &self,
        a: &Operands<'_, T>,
        t: &OperandTangents<'_, T>,
        stash: Stash<'_, T>,
        u: &[T],
        du: Option<&[T]>,
        adjoint_tangents: &mut OperandAdjoints<'_, T>,
    ) {
        let n = u.len();
        for k in 0..self.operands {
            let Some(out) = adjoint_tangents.get(k) else {
                continue;
            };
            for i in 0..n {
                let (sin, cos, bend) = (stash[i], stash[n + i], stash[2 * n + i]);
                for c in 0..t.width() {
                    let (t, at) = (t.column(c), c * n + i);
                    let ds = self.total(i, |k| t.get(k));
                    let dt = t.get(0).map_or(T::zero(), |t| t[i]);
                    out[at] += u[i] * (dt * cos + bend * ds);
                    if k == 0 {
                        out[at] += u[i] * cos * ds;
                    }
                    if let Some(du) = du {
                        let direct = if k == 0 { sin } else { T::zero() };
                        out[at] += du[at] * (direct + a.get(0)[i] * cos);
                    }
                }
            }
        }
    }
}
