//! Primitives among jets: their own jvp, and differences of it for the mixed derivative.

use super::super::differences::Around;
use super::{ALL, Along};
use crate::adjoints::Open;
use crate::block::Block;
use crate::inputs::Inputs;
use crate::operands::{Operands, Operation, Stash, Targets};
use crate::primitive::Primitive;
use crate::program::{Node, Program};
use crate::real::Real;

/// Entries of the tables of sizes beyond which a primitive is too large to bound.
const LARGEST: usize = 1 << 24;

/// The sizes of a primitive's derivatives at the point.
pub(super) struct Fused<T> {
    /// |∂u_o/∂a_k|, output by output.
    first: Vec<T>,
    /// |∂²u_o/∂a_k∂a_l| likewise, if asked for.
    second: Vec<T>,
    pub(super) bends: bool,
}

/// Runs over the operands' entries that have tangents: their places in the buffers.
pub(in crate::check) fn places<T: Real>(program: &Program<T>, node: &Node<T>) -> Vec<usize> {
    let mut places: Vec<usize> = Vec::new();
    for a in &node.args {
        places.extend(program.slot(*a, Inputs::ALL).into_iter().flatten());
    }
    // An operand that stands twice moves once.
    places.sort_unstable();
    places.dedup();
    places
}

impl<T: Real> Fused<T> {
    /// Finds the sizes, column by column: from the jvp, and for the second derivatives from the
    /// rule under test, as sizes are all that is taken from it.
    pub(super) fn of(
        f: &dyn Primitive<T>,
        operands: &Operands<'_, T>,
        mut stash: Stash<'_, T>,
        twice: bool,
    ) -> Result<Self, String> {
        let at = operands.of;
        let (program, node) = (at.program, at.node);
        let places = places(program, node);
        let (n, m) = (places.len(), node.shape.len());
        let entries = if twice { m * n * n } else { m * n };
        if entries > LARGEST {
            return Err(format!("`{}` is too large to bound", f.name()));
        }
        let mut tangents = vec![T::zero(); node.start];
        let (mut first, mut second) = (vec![T::zero(); m * n], Vec::new());
        let mut out = vec![T::zero(); m];
        let mut adjoints = vec![T::zero(); node.start];
        if twice {
            second = vec![T::zero(); m * n * n];
        }
        for (k, place) in places.iter().enumerate() {
            tangents[*place] = T::one();
            let moved = at.tangents(&tangents, EVERYTHING, false);
            f.jvp(operands, &moved, stash.reborrow(), &mut out);
            for o in 0..m {
                first[o * n + k] = out[o].abs();
            }
            for o in 0..if twice { m } else { 0 } {
                let mut unit = vec![T::zero(); m];
                unit[o] = T::one();
                adjoints.fill(T::zero());
                let mut to = at.adjoints(Open::of_sums(&mut adjoints), Targets::by(Inputs::ALL), 1);
                f.vjp_tangent(operands, &moved, stash.reborrow(), &unit, None, &mut to);
                for (l, place) in places.iter().enumerate() {
                    second[(o * n + k) * n + l] = adjoints[*place].abs();
                }
            }
            tangents[*place] = T::zero();
        }
        Ok(Fused {
            first,
            second,
            bends: twice,
        })
    }

    /// The primitive's part of a push; without `mixed`, its sizes alone for the second derivative.
    pub(super) fn push(
        &self,
        f: &dyn Primitive<T>,
        values: &[T],
        program: &Program<T>,
        node: &Node<T>,
        along: &mut Along<T>,
        mixed: bool,
    ) -> Result<(), String> {
        let places = places(program, node);
        let (n, m) = (places.len(), node.shape.len());
        let mut local = Local::new(f, program, node);
        let own = node.place();
        local.evaluate(values);
        let still = [&along.a, &along.b, &along.ab].map(|t| local.jvp(values, t));
        for (to, from) in [&mut along.a, &mut along.b, &mut along.ab]
            .into_iter()
            .zip(still)
        {
            to[own.clone()].copy_from_slice(&from);
        }
        let size = |d: &[T], t: &[T]| -> Vec<T> {
            let row = |o: usize| (0..n).fold(T::zero(), |s, k| s + d[o * n + k] * t[places[k]]);
            (0..m).map(row).collect()
        };
        for k in 0..3 {
            let terms = size(&self.first, &along.sizes[k]);
            along.sizes[k][own.clone()].copy_from_slice(&terms);
        }
        // What cancels inside the primitive shows as noise alone.
        let moves = |t: &[T]| places.iter().any(|p| t[*p] != T::zero());
        for (k, t) in [(0, &along.a), (1, &along.b)] {
            if moves(t) {
                let hidden = local.hidden(values, &places, |local, at| local.jvp(at, t));
                for (size, hidden) in along.sizes[k][own.clone()].iter_mut().zip(hidden) {
                    *size = larger(*size, hidden);
                }
            }
        }
        let terms = size(&self.first, &along.error);
        along.error[own.clone()].copy_from_slice(&terms);
        if !self.bends {
            return Ok(());
        }
        for o in 0..m {
            let mut total = T::zero();
            for k in 0..n {
                let row = &self.second[(o * n + k) * n..][..n];
                let inner = (0..n).fold(T::zero(), |s, l| s + row[l] * along.sizes[1][places[l]]);
                total += along.sizes[0][places[k]] * inner;
            }
            along.sizes[2][node.start + o] += total;
        }
        if !mixed || !moves(&along.a) || !moves(&along.b) {
            return Ok(());
        }
        let (a, b) = (&along.a, &along.b);
        let (ones, still) = (vec![T::one(); m], vec![T::zero(); m]);
        let hidden = local.hidden(values, &places, |local, at| {
            let bent = local.vjp_tangent(at, a, &ones, &still);
            places.iter().map(|p| bent[*p] * b[*p].abs()).collect()
        });
        let hidden = hidden.into_iter().fold(T::zero(), |s, h| s + h);
        for size in &mut along.sizes[2][own] {
            *size = larger(*size, hidden);
        }
        // d/dt of J(x + t b) a.
        // A step that moves the operands by as much as they are large.
        let (mut large, mut fast) = (0.0f64, 0.0f64);
        for p in &places {
            large = large.max(values[*p].f64().abs());
            fast = fast.max(b[*p].f64().abs());
        }
        let unit = if large > 0.0 { large.min(1.0) } else { 1.0 } / fast;
        let sweep = Around::new(m, T::EPSILON, |t, out| {
            let mut moved = values.to_vec();
            for p in &places {
                moved[*p] += T::of(t * unit) * b[*p];
            }
            local.evaluate(&moved);
            for (o, v) in out.iter_mut().zip(local.jvp(&moved, a)) {
                *o = v.f64();
            }
        });
        for o in 0..m {
            let terms = along.sizes[2][node.start + o].f64() * unit;
            let slope = sweep.slope(o, terms)?;
            along.ab[node.start + o] += T::of(slope.slope / unit);
            along.error[node.start + o] += T::of(slope.error / unit * DIFFERENCES);
        }
        Ok(())
    }
}

/// The larger one; the first where the second is no number.
fn larger<T: Real>(a: T, b: T) -> T {
    if b > a { b } else { a }
}

/// Errors of differences are trusted to this factor.
const DIFFERENCES: f64 = super::super::DIFFERENCES;

/// A primitive with buffers of its own.
pub(in crate::check) struct Local<'a, T: Real> {
    f: &'a dyn Primitive<T>,
    pub(in crate::check) program: &'a Program<T>,
    pub(in crate::check) node: &'a Node<T>,
    stash: Vec<T>,
    scratch: Vec<T>,
    out: Vec<T>,
}

impl<'a, T: Real> Local<'a, T> {
    pub(in crate::check) fn new(
        f: &'a dyn Primitive<T>,
        program: &'a Program<T>,
        node: &'a Node<T>,
    ) -> Self {
        Local {
            f,
            program,
            node,
            stash: vec![T::zero(); node.stash.0 + node.stash.1],
            scratch: vec![T::zero(); node.scratch.0 + node.scratch.1],
            out: vec![T::zero(); node.shape.len()],
        }
    }

    /// The value, the stash filled for every rule.
    pub(in crate::check) fn evaluate(&mut self, values: &[T]) -> &[T] {
        let (at, stash) = (
            self.at(),
            self.at().stash(&mut self.stash, &mut self.scratch),
        );
        self.f.eval(&at.operands(values), ALL, &mut self.out, stash);
        &self.out
    }

    /// The value's tangent along tangents that are laid out like the values.
    pub(in crate::check) fn jvp(&mut self, values: &[T], tangents: &[T]) -> Vec<T> {
        let (at, stash) = (
            self.at(),
            self.at().stash(&mut self.stash, &mut self.scratch),
        );
        let tangents = at.tangents(tangents, EVERYTHING, false);
        self.f
            .jvp(&at.operands(values), &tangents, stash, &mut self.out);
        self.out.clone()
    }

    /// The sizes of terms that cancel inside a rule: its noise in units of roundoff, as the
    /// operands move by small parts of themselves.
    fn hidden(
        &mut self,
        values: &[T],
        places: &[usize],
        mut rule: impl FnMut(&mut Self, &[T]) -> Vec<T>,
    ) -> Vec<T> {
        let n = rule(self, values).len();
        let mut moved = values.to_vec();
        let sweep = Around::near(n, T::EPSILON, |t, out| {
            for p in places {
                moved[*p] = values[*p] * T::of(1.0 + t);
            }
            self.evaluate(&moved);
            for (o, v) in out.iter_mut().zip(rule(self, &moved)) {
                *o = v.f64();
            }
        });
        self.evaluate(values);
        let size = |o| T::of(sweep.noise(o, 0.0) / T::EPSILON);
        (0..n).map(size).collect()
    }

    /// The operands' adjoints, laid out like the values.
    pub(in crate::check) fn vjp(&mut self, values: &[T], u: &[T]) -> Vec<T> {
        let mut adjoints = vec![T::zero(); self.node.start];
        let (at, stash) = (
            self.at(),
            self.at().stash(&mut self.stash, &mut self.scratch),
        );
        let mut to = at.adjoints(Open::of_sums(&mut adjoints), Targets::by(Inputs::ALL), 1);
        self.f.vjp(&at.operands(values), stash, u, &mut to);
        adjoints
    }

    /// The tangents of the operands' adjoints.
    pub(in crate::check) fn vjp_tangent(
        &mut self,
        values: &[T],
        t: &[T],
        u: &[T],
        du: &[T],
    ) -> Vec<T> {
        let mut adjoints = vec![T::zero(); self.node.start];
        let (at, stash) = (
            self.at(),
            self.at().stash(&mut self.stash, &mut self.scratch),
        );
        let (a, t) = (at.operands(values), at.tangents(t, EVERYTHING, false));
        let mut to = at.adjoints(Open::of_sums(&mut adjoints), Targets::by(Inputs::ALL), 1);
        self.f.vjp_tangent(&a, &t, stash, u, Some(du), &mut to);
        adjoints
    }

    fn at<'s>(&self) -> Operation<'s, T>
    where
        'a: 's,
    {
        Operation {
            program: self.program,
            node: self.node,
        }
    }
}

/// Every operand moves, along one direction.
const EVERYTHING: Block = Block {
    moving: Inputs::ALL,
    width: 1,
};
