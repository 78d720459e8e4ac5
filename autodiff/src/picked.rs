//! Products of vectors with the samples of a batch, which are read where they are.

use crate::operands::{OperandAdjoints, OperandTangents, Operands, Stash};
use crate::primitive::{Asked, Primitive};
use crate::program::Op;
use crate::real::Real;
use crate::shape::Shape;
use crate::table::Table;
use crate::var::Var;

/// `Aᵀ v`, or `A v` if it is not `across`, where A has in its columns those samples of a table whose
/// indices are the second operand: with the bits that a product with a copy of them has.
struct PickedProduct<T> {
    table: Table<T>,
    across: bool,
}

impl<'r, T: Real> Var<'r, T> {
    /// The product with another value, both as they are transposed, where one of them holds samples of a
    /// table in its columns and the other is a vector.
    #[track_caller]
    #[inline(never)]
    pub(crate) fn picked_product(
        self,
        other: Self,
        (transpose_left, transpose_right): (bool, bool),
    ) -> Option<Self> {
        let flip = |s: Shape, t: bool| if t { s.transposed() } else { s };
        let (a, b) = (
            flip(self.shape(), transpose_left),
            flip(other.shape(), transpose_right),
        );
        let samples = |v: Self| {
            let node = self.recorder.node(v.id);
            let Op::Fused(f) = &node.op else { return None };
            let table = f.samples()?.clone();
            Some((table, Var::of(self.recorder, node.args[0])))
        };
        let record = |of: Self, v: Self, across| {
            let (table, at) = samples(of)?;
            self.recorder.supersede(&[of.id]);
            Some(v.fused(PickedProduct { table, across }, &[at]))
        };
        if b.cols == 1
            && let Some(product) = record(self, other, transpose_left)
        {
            return Some(product);
        }
        if a.rows != 1 {
            return None;
        }
        // Of the transposes, which a vector is but for its shape.
        let product = record(other, self, !transpose_right)?;
        Some(product.reshape(1, b.cols))
    }
}

impl<T: Real> PickedProduct<T> {
    /// `out = B v`, or `out += B v` if it is not `fresh`, of every column v: B is Aᵀ if it is to be `across`.
    fn put(&self, across: bool, at: &[T], v: &[T], out: &mut [T], fresh: bool) {
        self.table.columns_at(at).with_each(across, v, out, fresh);
    }
}

impl<T: Real> Primitive<T> for PickedProduct<T> {
    fn name(&self) -> &str {
        match self.across {
            true => "samples_tr_mul",
            false => "samples_mul",
        }
    }

    fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String> {
        let width = self.table.width();
        match (self.across, operands) {
            (true, [v, at]) if v.len() == width => Ok(Shape::vector(at.len())),
            (false, [v, at]) if v.len() == at.len() => Ok(Shape::vector(width)),
            _ => Err("a vector, and a vector of indices".to_owned()),
        }
    }

    fn stash_len(&self, _: &[Shape]) -> usize {
        0
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn eval(&self, a: &Operands<'_, T>, _: Asked, out: &mut [T], _: Stash<'_, T>) {
        self.put(self.across, a.get(1), a.get(0), out, true);
    }

    fn eval_along(
        &self,
        a: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        _: Asked,
        out: &mut [T],
        out_tangent: Option<&mut [T]>,
        _: Stash<'_, T>,
    ) {
        let (v, samples) = (a.get(0), self.table.columns_at(a.get(1)));
        match (out_tangent, tangents.get(0)) {
            (Some(moved), Some(t)) => samples.with(self.across, [v, t], [out, moved], true),
            (moved, _) => {
                samples.with(self.across, [v], [out], true);
                if let Some(moved) = moved {
                    moved.fill(T::zero());
                }
            }
        }
    }

    fn jvp(
        &self,
        a: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        _: Stash<'_, T>,
        out: &mut [T],
    ) {
        match tangents.get(0) {
            Some(t) => self.put(self.across, a.get(1), t, out, true),
            None => out.fill(T::zero()),
        }
    }

    // The columns of a block are columns like those of an operand.
    fn jvp_block(
        &self,
        a: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        stash: Stash<'_, T>,
        out: &mut [T],
    ) {
        self.jvp(a, tangents, stash, out);
    }

    fn vjp(
        &self,
        a: &Operands<'_, T>,
        _: Stash<'_, T>,
        u: &[T],
        adjoints: &mut OperandAdjoints<'_, T>,
    ) {
        if let Some((out, fresh)) = adjoints.take(0) {
            self.put(!self.across, a.get(1), u, out, fresh);
        }
    }

    fn vjp_tangent(
        &self,
        a: &Operands<'_, T>,
        _: &OperandTangents<'_, T>,
        stash: Stash<'_, T>,
        _: &[T],
        du: Option<&[T]>,
        adjoint_tangents: &mut OperandAdjoints<'_, T>,
    ) {
        if let Some(du) = du {
            self.vjp(a, stash, du, adjoint_tangents);
        }
    }

    fn vjp_tangent_block(
        &self,
        a: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        stash: Stash<'_, T>,
        u: &[T],
        du: Option<&[T]>,
        adjoint_tangents: &mut OperandAdjoints<'_, T>,
    ) {
        self.vjp_tangent(a, tangents, stash, u, du, adjoint_tangents);
    }
}
