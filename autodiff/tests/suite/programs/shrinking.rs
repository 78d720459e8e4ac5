//! What a failure of a random program shrinks to.

use autodiff::arbitrary::numbers::{directions, gradients, joint_dot, slices};
use autodiff::arbitrary::{Case, Graph, Instruction, Simplify, Wave, case};
use autodiff::rules::elementwise::Unary;
use autodiff::{Asked, OperandAdjoints, OperandTangents, Operands, Primitive, Real, Shape, Stash};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestCaseResult, TestError, TestRunner};

/// The first counterexample of a fixed sequence of programs, as it was drawn and shrunk.
fn counterexample(property: impl Fn(Case) -> TestCaseResult) -> Case {
    let config = Config {
        cases: 5000,
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = proptest::test_runner::TestRng::deterministic_rng(Default::default());
    match TestRunner::new_with_rng(config, rng).run(&case(), property) {
        Err(TestError::Fail(_, case)) => case,
        other => panic!("{other:?}: expected a failure"),
    }
}

/// [`Wave`], whose adjoint forgets all operands but the first two.
struct Forgetful(Wave);

impl<T: Real> Primitive<T> for Forgetful {
    fn name(&self) -> &str {
        "forgetful"
    }

    fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String> {
        Primitive::<T>::output_shape(&self.0, operands)
    }

    fn stash_len(&self, operands: &[Shape]) -> usize {
        Primitive::<T>::stash_len(&self.0, operands)
    }

    fn eval(&self, a: &Operands<'_, T>, asked: Asked, out: &mut [T], stash: Stash<'_, T>) {
        self.0.eval(a, asked, out, stash);
    }

    fn jvp(
        &self,
        a: &Operands<'_, T>,
        t: &OperandTangents<'_, T>,
        stash: Stash<'_, T>,
        out: &mut [T],
    ) {
        self.0.jvp(a, t, stash, out);
    }

    fn vjp(
        &self,
        a: &Operands<'_, T>,
        stash: Stash<'_, T>,
        u: &[T],
        adjoints: &mut OperandAdjoints<'_, T>,
    ) {
        let n = u.len();
        for k in 0..self.0.operands.min(2) {
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
        self.0.vjp_tangent(a, t, stash, u, du, adjoint_tangents);
    }
}

/// Df·v = ⟨∇f, v⟩ with a planted primitive.
fn consistent(case: Case) -> TestCaseResult {
    let program = case
        .graph
        .record_with::<f64, _>(|operands| Forgetful(Wave { operands }));
    let mut point = program.point();
    point.linearise(&slices(&case.at()));
    let (want, size) = joint_dot(&gradients(&point), &case.v());
    let got = point.directional(&directions(&case.v()));
    prop_assert!((got - want).abs() <= 1e-10 * (1.0 + size));
    Ok(())
}

#[test]
fn a_planted_adjoint_shrinks_to_its_operation() {
    let found = counterexample(consistent);
    let graph = &found.graph;
    assert!(graph.code.len() <= 3, "{graph}");
    let Some(Instruction::Fused { of }) = graph.code.last() else {
        panic!("{graph}");
    };
    // Exactly the operands it takes to see the fault, on the smallest input.
    assert_eq!(of.len(), 3, "{graph}");
    assert_eq!(graph.inputs, [(1, 1)], "{graph}");
    let plain = |v: &f64| [0.0, 1.0].contains(v) || (v * 4.0).fract() == 0.0;
    assert!(found.numbers[2].iter().all(|v| *v == 0.0), "{found:?}");
    assert!(found.numbers[0].iter().all(plain), "{found:?}");
}

/// Whether some `tanh` has a matrix product for its operand.
fn has_tanh_of_a_product(graph: &Graph) -> bool {
    let tanh = Unary::ALL.iter().position(|f| *f == Unary::Tanh);
    graph.code.iter().enumerate().any(|(k, instruction)| {
        let Instruction::Unary { row, of, .. } = instruction else {
            return false;
        };
        let value = graph.resolve(k, *of);
        let operand = value
            .checked_sub(graph.inputs.len())
            .map(|j| &graph.code[j]);
        Some(*row) == tanh && matches!(operand, Some(Instruction::MatMul { .. }))
    })
}

#[test]
fn a_fault_of_two_operations_shrinks_to_these_two() {
    let found = counterexample(|case| {
        prop_assert!(!has_tanh_of_a_product(&case.graph));
        Ok(())
    });
    assert_eq!(found.graph.code.len(), 2, "{}", found.graph);
}

/// A fault in the numbers alone leaves one operation, the least that is drawn, and one number.
#[test]
fn numbers_become_simple_last() {
    let found = counterexample(|case| {
        prop_assert!(case.at()[0][0] < 0.8);
        Ok(())
    });
    assert!(found.graph.code.is_empty(), "{}", found.graph);
    assert_eq!(found.graph.inputs.len(), 1);
    assert_eq!(found.numbers[0][0], 1.0);
    assert!(found.numbers[0][1..].iter().all(|v| *v == 0.0));
}

#[test]
fn every_candidate_is_a_program_and_none_is_larger() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..100 {
        let drawn = case().new_tree(&mut runner).expect("no filter").current();
        for simpler in drawn.simpler() {
            assert!(simpler.graph.code.len() <= drawn.graph.code.len());
            assert!(simpler.graph.inputs.len() <= drawn.graph.inputs.len());
            assert!(simpler.graph.record::<f64>().output_shape().is_scalar());
        }
    }
}
