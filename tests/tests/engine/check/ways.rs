//! Rules of a primitive that stand for others: a block for its columns, a joint pass for its parts, a block
//! of the Hessian for its products. Each is found where it is broken alone.

use autodiff::check::{Check, Report};
use autodiff::{
    Asked, OperandAdjoints, OperandTangents, Operands, Primitive, Program, Real, Shape, Stash,
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Broken {
    Nothing,
    /// The last column of a block of tangents, of three or more.
    JvpBlock,
    /// A late column of a block of adjoint tangents.
    TangentBlock,
    /// What a pass along a direction keeps for products along others.
    AfterJoint,
    /// A place off the diagonal of a block of the Hessian.
    Among,
}

/// Σ aᵢ⁴ / 12, which keeps aᵢ³ / 3 and aᵢ².
struct Quartic(Broken);

impl<T: Real> Primitive<T> for Quartic {
    fn name(&self) -> &str {
        "quartic"
    }

    fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String> {
        match operands {
            [_] => Ok(Shape::SCALAR),
            _ => Err("one operand".into()),
        }
    }

    fn stash_len(&self, operands: &[Shape]) -> usize {
        2 * operands[0].len()
    }

    fn knows_hessian(&self) -> bool {
        true
    }

    fn hessian_among(
        &self,
        _: &Operands<'_, T>,
        stash: Stash<'_, T>,
        of: &[usize],
        _: &mut [T],
        out: &mut [T],
    ) {
        let n = stash.len() / 2;
        out.fill(T::zero());
        for (k, i) in of.iter().enumerate() {
            out[k * of.len() + k] = stash[n + i];
        }
        if self.0 == Broken::Among {
            out[1] = T::of(1e-3);
        }
    }

    fn eval(&self, a: &Operands<'_, T>, _: Asked, out: &mut [T], mut stash: Stash<'_, T>) {
        let n = a.get(0).len();
        out[0] = T::zero();
        for (i, a) in a.get(0).iter().enumerate() {
            (stash[i], stash[n + i]) = (a.powi(3) / T::of(3.0), *a * *a);
            out[0] += a.powi(4) / T::of(12.0);
        }
    }

    fn eval_along(
        &self,
        a: &Operands<'_, T>,
        t: &OperandTangents<'_, T>,
        asked: Asked,
        out: &mut [T],
        out_tangent: Option<&mut [T]>,
        mut stash: Stash<'_, T>,
    ) {
        let n = a.get(0).len();
        self.eval(a, asked, out, stash.reborrow());
        if let Some(out) = out_tangent {
            self.jvp(a, t, stash.reborrow(), out);
        }
        // The product along t, for the one sweep that follows.
        let product = |i: usize| t.get(0).map_or(T::zero(), |t| stash[n + i] * t[i]);
        let products = Vec::from_iter((0..n).map(product));
        stash.scratch[..n].copy_from_slice(&products);
        if self.0 == Broken::AfterJoint {
            stash[n] *= T::of(1.0 + 1e-3);
        }
    }

    fn scratch_len(&self, operands: &[Shape]) -> usize {
        operands[0].len()
    }

    fn jvp(
        &self,
        _: &Operands<'_, T>,
        t: &OperandTangents<'_, T>,
        stash: Stash<'_, T>,
        out: &mut [T],
    ) {
        let t = t.get(0).into_iter().flatten();
        out[0] = t.zip(&*stash).fold(T::zero(), |sum, (t, s)| sum + *t * *s);
    }

    fn jvp_block(
        &self,
        a: &Operands<'_, T>,
        t: &OperandTangents<'_, T>,
        mut stash: Stash<'_, T>,
        out: &mut [T],
    ) {
        for (c, out) in out.iter_mut().enumerate() {
            let out = std::slice::from_mut(out);
            self.jvp(a, &t.column(c), stash.reborrow(), out);
        }
        if self.0 == Broken::JvpBlock && t.width() > 2 {
            out[t.width() - 1] *= T::of(1.0 + 1e-3);
        }
    }

    fn vjp(
        &self,
        _: &Operands<'_, T>,
        stash: Stash<'_, T>,
        u: &[T],
        adjoints: &mut OperandAdjoints<'_, T>,
    ) {
        if let Some(out) = adjoints.get(0) {
            let rows = out.iter_mut().zip(&*stash);
            rows.for_each(|(out, s)| *out += u[0] * *s);
        }
    }

    fn vjp_tangent(
        &self,
        _: &Operands<'_, T>,
        t: &OperandTangents<'_, T>,
        stash: Stash<'_, T>,
        u: &[T],
        du: Option<&[T]>,
        adjoint_tangents: &mut OperandAdjoints<'_, T>,
    ) {
        let n = stash.len() / 2;
        if let Some(out) = adjoint_tangents.get(0) {
            for (i, out) in out.iter_mut().enumerate() {
                *out += t.get(0).map_or(T::zero(), |t| u[0] * stash[n + i] * t[i]);
                *out += du.map_or(T::zero(), |du| du[0] * stash[i]);
            }
        }
    }

    fn vjp_tangent_block(
        &self,
        a: &Operands<'_, T>,
        t: &OperandTangents<'_, T>,
        mut stash: Stash<'_, T>,
        u: &[T],
        du: Option<&[T]>,
        adjoint_tangents: &mut OperandAdjoints<'_, T>,
    ) {
        for c in 0..t.width() {
            let du = du.map(|du| &du[c..=c]);
            let out = &mut adjoint_tangents.column(c);
            self.vjp_tangent(a, &t.column(c), stash.reborrow(), u, du, out);
            if let (Broken::TangentBlock, 8, Some(out)) = (self.0, c, out.get(0)) {
                out[0] *= T::of(1.0 + 1e-3);
            }
        }
    }
}

/// The loss alone, or in a sum whose adjoint moves.
fn looked<T: Real>(broken: Broken, alone: bool) -> Report {
    let program = Program::<T>::record(&[Shape::vector(3)], |v| {
        let value = v[0].fused(Quartic(broken), &[]);
        match alone {
            true => value,
            false => value.exp() + v[0].sum().square(),
        }
    });
    let at = [0.9, -1.3, 0.4].map(T::of);
    Check::new().program(&program, &[&at])
}

fn found<T: Real>() {
    for alone in [true, false] {
        let report = looked::<T>(Broken::Nothing, alone);
        assert!(report.passed(), "{report}");
        for (broken, check) in [
            (Broken::JvpBlock, "block of derivatives = derivatives"),
            (Broken::TangentBlock, "block of products = products"),
            (Broken::AfterJoint, "joint sweep = its parts"),
            (Broken::Among, "block of the Hessian = products"),
        ] {
            let report = looked::<T>(broken, alone);
            let checks = Vec::from_iter(report.mismatches().map(|t| t.check));
            match (broken, alone) {
                // Nobody can ask a sum for a block of the Hessian of one of its terms.
                (Broken::Among, false) => assert!(checks.is_empty(), "{report}"),
                // What a joint pass leaves comes into what is looked at after it.
                (Broken::AfterJoint, _) => assert_eq!(checks[0], check, "{report}"),
                // The tangent of the value comes into the products too.
                (Broken::JvpBlock, false) => assert!(checks.contains(&check), "{report}"),
                _ => assert_eq!(checks, [check], "{report}"),
            }
        }
    }
}

#[test]
fn what_stands_for_another_rule_and_is_broken_alone_is_found() {
    found::<f64>();
    found::<f32>();
}
