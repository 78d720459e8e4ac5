//! A primitive that leaves out one of its rules.

use autodiff::{Asked, OperandAdjoints, OperandTangents, Operands, Primitive, Shape, Stash};

struct Half;

impl Primitive<f64> for Half {
    fn name(&self) -> &str {
        "half"
    }

    fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String> {
        Ok(operands[0])
    }

    fn stash_len(&self, _: &[Shape]) -> usize {
        0
    }

    fn eval(&self, _: &Operands<'_, f64>, _: Asked, _: &mut [f64], _: Stash<'_, f64>) {}

    fn jvp(
        &self,
        _: &Operands<'_, f64>,
        _: &OperandTangents<'_, f64>,
        _: Stash<'_, f64>,
        _: &mut [f64],
    ) {
    }

    fn vjp(
        &self,
        _: &Operands<'_, f64>,
        _: Stash<'_, f64>,
        _: &[f64],
        _: &mut OperandAdjoints<'_, f64>,
    ) {
    }
}

fn main() {}
