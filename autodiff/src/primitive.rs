//! Hand-fused operations: the trait that users implement for their own kernels.

use crate::operands::{OperandAdjoints, OperandTangents, Operands, Stash};
use crate::real::Real;
use crate::shape::Shape;
use crate::sparse::FewColumns;
use crate::table::Table;

/// What is read after [`Primitive::eval`], which may leave out the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asked {
    /// The value.
    pub value: bool,
    /// What [`Primitive::vjp`] and [`Primitive::jvp`] read from the stash, and
    /// [`Primitive::vjp_tangent`] for an adjoint that moves.
    pub first: bool,
    /// What [`Primitive::vjp_tangent`] reads from the stash for an adjoint that does not move.
    pub second: bool,
}

/// Entries of room for each entry that [`Primitive::hessian_among`] is asked for.
pub const HESSIAN_ROOM: usize = 64;

/// An operation with hand-written rules for every sweep.
///
/// The engine calls `eval` once per linearisation and the other rules any number of times after
/// it. What `eval` computes on the way (weights, probabilities, a whole gradient) goes to the
/// [`Stash`], so that each further product at the same point recomputes nothing.
///
/// Rules that a derivative needs have no default bodies: forgetting one is a compile error. Only
/// [`eval_along`](Primitive::eval_along), [`jvp_block`](Primitive::jvp_block) and
/// [`vjp_tangent_block`](Primitive::vjp_tangent_block) have one, as they only add speed.
///
/// Slices hold column-major entries. Rules must be deterministic, and must **add** to adjoints and
/// **overwrite** values and tangents. A rule may use as scratch whatever no later rule reads.
///
/// # Example
/// `u = ½‖a‖²` as a primitive:
/// ```
/// use autodiff::{Asked, OperandAdjoints, OperandTangents, Operands, Primitive, Program, Real, Shape, Stash};
///
/// struct HalfSquaredNorm;
///
/// impl<T: Real> Primitive<T> for HalfSquaredNorm {
///     fn name(&self) -> &str { "half_squared_norm" }
///     fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String> {
///         match operands { [_] => Ok(Shape::SCALAR), _ => Err("one operand".into()) }
///     }
///     fn stash_len(&self, _: &[Shape]) -> usize { 0 }
///     fn eval(&self, a: &Operands<'_, T>, _: Asked, out: &mut [T], _: Stash<'_, T>) {
///         out[0] = T::of(0.5) * autodiff::kernels::dot(a.get(0), a.get(0));
///     }
///     fn jvp(&self, a: &Operands<'_, T>, t: &OperandTangents<'_, T>, _: Stash<'_, T>,
///            out: &mut [T]) {
///         out[0] = t.get(0).map_or(T::zero(), |t| autodiff::kernels::dot(a.get(0), t));
///     }
///     fn vjp(&self, a: &Operands<'_, T>, _: Stash<'_, T>, u: &[T],
///            adjoints: &mut OperandAdjoints<'_, T>) {
///         if let Some(out) = adjoints.get(0) { autodiff::kernels::axpy(out, u[0], a.get(0)); }
///     }
///     fn vjp_tangent(&self, a: &Operands<'_, T>, t: &OperandTangents<'_, T>, _: Stash<'_, T>,
///                    u: &[T], du: Option<&[T]>, adjoints: &mut OperandAdjoints<'_, T>) {
///         if let Some(out) = adjoints.get(0) {
///             if let Some(du) = du { autodiff::kernels::axpy(out, du[0], a.get(0)); }
///             if let Some(t) = t.get(0) { autodiff::kernels::axpy(out, u[0], t); }
///         }
///     }
/// }
///
/// let program = Program::<f64>::record(&[Shape::vector(2)], |v| v[0].fused(HalfSquaredNorm, &[]));
/// let mut point = program.point();
/// assert_eq!(point.linearise(&[&[3.0, 4.0]]), 12.5);
/// assert_eq!(point.gradient(0), [3.0, 4.0]);
///
/// // Its rules against each other and against differences, in every sweep:
/// use autodiff::{check::Check, rules::elementwise::Domain};
/// let report = Check::new().primitive::<f64>(HalfSquaredNorm, &[Shape::vector(3)], Domain::All);
/// assert!(report.passed(), "{report}");
/// ```
pub trait Primitive<T: Real>: Send + Sync + 'static {
    /// The name shown in messages.
    fn name(&self) -> &str;

    /// The shape of the value for operands of these shapes, or in words what was expected.
    fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String>;

    /// Whether the value is the Euclidean norm of the only operand: its square is then recorded as
    /// the smooth function that it is, [`Var::norm_squared`](crate::Var::norm_squared).
    fn is_norm(&self) -> bool {
        false
    }

    /// Whether the value is linear in all operands that depend on an input, taken together.
    ///
    /// Values of these operands are then not there for the derivative rules, and
    /// [`vjp_tangent`](Primitive::vjp_tangent) is asked for nothing but the tangent of `ū`.
    /// [`Check::primitive`](crate::check::Check::primitive) finds where that does not hold.
    fn is_linear(&self) -> bool {
        false
    }

    /// The table whose samples the value has in its columns, those whose indices the operand holds. A
    /// product with a vector then reads the samples where they are, and the value is not computed unless
    /// something else needs it.
    fn samples(&self) -> Option<&Table<T>> {
        None
    }

    /// Whether the value has kinks, at which [`kinks`](Primitive::kinks) finds it.
    fn has_kinks(&self) -> bool {
        false
    }

    /// Calls `found` with every entry of the value that is at a kink, a place where its derivative
    /// jumps or is a convention. What is 0 within the operand's
    /// [rounding](Operands::rounding) counts as 0.
    fn kinks(&self, operands: &Operands<'_, T>, found: &mut dyn FnMut(usize)) {
        let _ = (operands, found);
    }

    /// How many scalars `eval` keeps for the other rules.
    fn stash_len(&self, operands: &[Shape]) -> usize;

    /// How many scalars the rules need to work with; see [`Stash::scratch`].
    fn scratch_len(&self, operands: &[Shape]) -> usize {
        let _ = operands;
        0
    }

    /// How many scalars [`jvp_block`](Primitive::jvp_block) and
    /// [`vjp_tangent_block`](Primitive::vjp_tangent_block) work with, for a block of `width` directions: as
    /// many as [`scratch_len`](Primitive::scratch_len) says or more, and no fewer for a wider block. They
    /// are made at the first sweep of such a block, and stay.
    fn block_scratch_len(&self, operands: &[Shape], width: usize) -> usize {
        let _ = width;
        self.scratch_len(operands)
    }

    /// Whether [`hessian_among`](Primitive::hessian_among) gives a block of its Hessian for less than
    /// the products with as many vectors.
    fn knows_hessian(&self) -> bool {
        false
    }

    /// Overwrites `out`, column by column, with the second derivatives of a scalar value by the
    /// entries `of` of its first operand, which ascend, at the operands that were evaluated last. A
    /// `room` of [`HESSIAN_ROOM`] entries for each of `of`, and of the operand's own length, is given.
    ///
    /// Asked for where [`knows_hessian`](Primitive::knows_hessian) says so.
    fn hessian_among(
        &self,
        operands: &Operands<'_, T>,
        stash: Stash<'_, T>,
        of: &[usize],
        room: &mut [T],
        out: &mut [T],
    ) {
        let _ = (operands, stash, of, room, out);
        unreachable!("{} knows no block of its Hessian", self.name());
    }

    /// Columns of some sparse B, one for each of `of`, for which the block that
    /// [`hessian_among`](Primitive::hessian_among) makes is `BᵀB`; whether they are in `out`: they are not
    /// where there is no such B, or no room for them.
    ///
    /// Asked for where [`knows_hessian`](Primitive::knows_hessian) says so.
    fn hessian_roots(
        &self,
        operands: &Operands<'_, T>,
        stash: Stash<'_, T>,
        of: &[usize],
        out: &mut FewColumns<T>,
    ) -> bool {
        let _ = (operands, stash, of, out);
        false
    }

    /// Overwrites `out` with the value, and the stash with what is asked for.
    fn eval(&self, operands: &Operands<'_, T>, asked: Asked, out: &mut [T], stash: Stash<'_, T>);

    /// [`eval`](Primitive::eval) and [`jvp`](Primitive::jvp) in one, before a
    /// [`vjp_tangent`](Primitive::vjp_tangent) along the same tangents: a primitive that passes over
    /// much data can compute the product here, in the same pass. `out_tangent` is `None` where
    /// nobody reads the value's tangent.
    fn eval_along(
        &self,
        operands: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        asked: Asked,
        out: &mut [T],
        out_tangent: Option<&mut [T]>,
        mut stash: Stash<'_, T>,
    ) {
        self.eval(operands, asked, out, stash.reborrow());
        if let Some(out_tangent) = out_tangent {
            self.jvp(operands, tangents, stash, out_tangent);
        }
    }

    /// Overwrites `out` with the tangent of the value.
    fn jvp(
        &self,
        operands: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        stash: Stash<'_, T>,
        out: &mut [T],
    );

    /// [`jvp`](Primitive::jvp) along two or more directions at once: the tangents and `out` are
    /// blocks of columns. A primitive that passes over much data can take several columns in one
    /// pass, as many as its [scratch](Primitive::block_scratch_len) has room for. The columns must be
    /// those of `jvp`, except for rounding.
    fn jvp_block(
        &self,
        operands: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        mut stash: Stash<'_, T>,
        out: &mut [T],
    ) {
        let len = out.len() / tangents.width();
        for c in 0..tangents.width() {
            let out = &mut out[c * len..][..len];
            self.jvp(operands, &tangents.column(c), stash.reborrow(), out);
        }
    }

    /// Adds to each wanted adjoint `ūᵀ ∂u/∂a`.
    fn vjp(
        &self,
        operands: &Operands<'_, T>,
        stash: Stash<'_, T>,
        adjoint: &[T],
        adjoints: &mut OperandAdjoints<'_, T>,
    );

    /// Adds to each wanted adjoint tangent the derivative of what [`vjp`](Primitive::vjp) adds,
    /// along the operands' tangents and the tangent of `ū`, `None` being zero.
    fn vjp_tangent(
        &self,
        operands: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        stash: Stash<'_, T>,
        adjoint: &[T],
        adjoint_tangent: Option<&[T]>,
        adjoint_tangents: &mut OperandAdjoints<'_, T>,
    );

    /// [`vjp_tangent`](Primitive::vjp_tangent) along two or more directions at once, as
    /// [`jvp_block`](Primitive::jvp_block). All tangents are blocks of columns: the operands', the
    /// adjoint's and what is added to. The adjoint `ū` itself is one column.
    fn vjp_tangent_block(
        &self,
        operands: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        mut stash: Stash<'_, T>,
        adjoint: &[T],
        adjoint_tangent: Option<&[T]>,
        adjoint_tangents: &mut OperandAdjoints<'_, T>,
    ) {
        let len = adjoint.len();
        for c in 0..tangents.width() {
            self.vjp_tangent(
                operands,
                &tangents.column(c),
                stash.reborrow(),
                adjoint,
                adjoint_tangent.map(|block| &block[c * len..][..len]),
                &mut adjoint_tangents.column(c),
            );
        }
    }
}
