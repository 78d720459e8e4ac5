//! What the sweeps compute and what they leave undone, as seen by a primitive that notes each call.

use std::sync::{Arc, Mutex};

use super::*;
use crate::bytes::Meter;
use crate::inputs::Inputs;
use crate::linearised::Need;
use crate::operands::{OperandAdjoints, OperandTangents, Operands, Stash};
use crate::point::Point;
use crate::primitive::{Asked, Primitive};
use crate::shape::Shape;
use crate::var::Var;
use crate::workspace::Workspace;

/// a², entry by entry.
#[derive(Clone, Default)]
struct Watched(Arc<Mutex<Vec<String>>>);

impl Watched {
    fn note(&self, call: impl Into<String>) {
        self.0.lock().expect("one thread").push(call.into());
    }

    /// The calls since the last question.
    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("one thread"))
    }
}

impl Primitive<f64> for Watched {
    fn name(&self) -> &str {
        "watched"
    }

    fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String> {
        Ok(operands[0])
    }

    fn stash_len(&self, _: &[Shape]) -> usize {
        1
    }

    fn scratch_len(&self, _: &[Shape]) -> usize {
        3
    }

    fn eval(&self, a: &Operands<'_, f64>, asked: Asked, out: &mut [f64], _: Stash<'_, f64>) {
        let words = [
            ("eval", true),
            ("value", asked.value),
            ("first", asked.first),
            ("second", asked.second),
        ];
        let asked = words.iter().filter(|w| w.1).map(|w| w.0);
        self.note(asked.collect::<Vec<_>>().join(" "));
        for (o, a) in out.iter_mut().zip(a.get(0)) {
            *o = a * a;
        }
    }

    fn jvp(
        &self,
        a: &Operands<'_, f64>,
        tangents: &OperandTangents<'_, f64>,
        _: Stash<'_, f64>,
        out: &mut [f64],
    ) {
        self.note("jvp");
        let t = tangents.get(0).expect("a tangent");
        for i in 0..out.len() {
            out[i] = 2.0 * a.get(0)[i] * t[i];
        }
    }

    fn jvp_block(
        &self,
        a: &Operands<'_, f64>,
        tangents: &OperandTangents<'_, f64>,
        _: Stash<'_, f64>,
        out: &mut [f64],
    ) {
        self.note(format!("jvp of {}", tangents.width()));
        let (n, t) = (a.get(0).len(), tangents.get(0).expect("a tangent"));
        for i in 0..out.len() {
            out[i] = 2.0 * a.get(0)[i % n] * t[i];
        }
    }

    fn vjp(
        &self,
        a: &Operands<'_, f64>,
        _: Stash<'_, f64>,
        u: &[f64],
        adjoints: &mut OperandAdjoints<'_, f64>,
    ) {
        self.note("vjp");
        let out = adjoints.get(0).expect("an adjoint");
        for i in 0..u.len() {
            out[i] += 2.0 * a.get(0)[i] * u[i];
        }
    }

    fn vjp_tangent(
        &self,
        a: &Operands<'_, f64>,
        tangents: &OperandTangents<'_, f64>,
        _: Stash<'_, f64>,
        u: &[f64],
        du: Option<&[f64]>,
        adjoint_tangents: &mut OperandAdjoints<'_, f64>,
    ) {
        let evaluated = tangents.evaluated();
        self.note(if evaluated {
            "evaluated second"
        } else {
            "second"
        });
        let out = adjoint_tangents.get(0).expect("an adjoint");
        for i in 0..u.len() {
            let t = tangents.get(0).map_or(0.0, |t| t[i]);
            let du = du.map_or(0.0, |du| du[i]);
            out[i] += 2.0 * (t * u[i] + a.get(0)[i] * du);
        }
    }

    fn vjp_tangent_block(
        &self,
        a: &Operands<'_, f64>,
        tangents: &OperandTangents<'_, f64>,
        stash: Stash<'_, f64>,
        u: &[f64],
        du: Option<&[f64]>,
        adjoint_tangents: &mut OperandAdjoints<'_, f64>,
    ) {
        self.note(format!("second of {}", tangents.width()));
        let _ = stash;
        let out = adjoint_tangents.get(0).expect("an adjoint");
        for i in 0..out.len() {
            let t = tangents.get(0).map_or(0.0, |t| t[i]);
            let du = du.map_or(0.0, |du| du[i]);
            let at = i % u.len();
            out[i] += 2.0 * (t * u[at] + a.get(0)[at] * du);
        }
    }
}

fn sweep<'a>(program: &'a Program<f64>, work: &'a mut Workspace<f64>) -> Sweep<'a, f64> {
    Sweep::of(program, work)
}

const ALL: Inputs = Inputs::ALL;

/// A program of two vectors of two entries, its workspace at (1, 2), (3, 4), and its watcher.
fn recorded(
    f: impl for<'r> FnOnce(Var<'r, f64>, Var<'r, f64>, Watched) -> Var<'r, f64>,
) -> (Arc<Program<f64>>, Workspace<f64>, Watched) {
    let watched = Watched::default();
    let two = Shape::vector(2);
    let program = Program::record(&[two, two], |v| f(v[0], v[1], watched.clone()));
    let mut work = Workspace::new(&program, &Meter::new());
    work.set_input(&program, 0, &[1.0, 2.0]);
    work.set_input(&program, 1, &[3.0, 4.0]);
    (program, work, watched)
}

#[test]
fn a_primitive_is_asked_for_what_is_read() {
    let (p, mut work, watched) = recorded(|x, _, w| x.fused(w, &[]).square().sum());
    for (need, calls) in [
        (Need::Value, &["eval value"][..]),
        (Need::Gradient, &["eval value first"]),
        (Need::Gradient, &[]),
        (Need::Curvature, &["eval value first second"]),
        (Need::Curvature, &[]),
    ] {
        sweep(&p, &mut work).primal(need);
        assert_eq!(watched.calls(), calls, "{need:?}");
        assert_eq!(work.output(&p), [17.0]);
    }
    // What has no derivative is asked for none.
    let (p, mut work, watched) =
        recorded(|x, y, w| (x.stop_gradient().fused(w, &[]) * y.square()).sum());
    sweep(&p, &mut work).primal(Need::Curvature);
    assert_eq!(watched.calls(), ["eval value"]);
}

#[test]
fn what_did_not_change_is_not_computed_again() {
    let (p, mut work, watched) =
        recorded(|x, y, w| x.fused(w, &[]).square().sum() + y.square().sum());
    sweep(&p, &mut work).primal(Need::Gradient);
    assert_eq!(watched.calls(), ["eval value first"]);
    work.set_input(&p, 1, &[5.0, 6.0]);
    sweep(&p, &mut work).primal(Need::Gradient);
    assert_eq!(watched.calls(), [""; 0]);
    work.set_input(&p, 0, &[5.0, 6.0]);
    sweep(&p, &mut work).primal(Need::Gradient);
    assert_eq!(watched.calls(), ["eval value first"]);
}

#[test]
fn a_value_that_no_rule_reads_waits_for_a_sweep_that_gives_it() {
    let (p, mut work, watched) = recorded(|x, y, w| x.fused(w, &[]).sum() + y.square().sum());
    let all = ["eval value first"];
    sweep(&p, &mut work).primal_for_reverse();
    assert_eq!(watched.calls(), ["eval first"]);
    sweep(&p, &mut work).primal(Need::Gradient);
    assert_eq!(
        (watched.calls(), work.output(&p)),
        (all.map(String::from).into(), &[30.0][..])
    );
    for _ in 0..2 {
        sweep(&p, &mut work).primal(Need::Gradient);
        assert_eq!(watched.calls(), [""; 0]);
        work.set_input(&p, 1, &[3.0, 4.0]);
    }
    // It is of the x before the last one until a whole sweep comes, whatever changed since.
    work.set_input(&p, 0, &[2.0, 3.0]);
    sweep(&p, &mut work).primal_for_reverse();
    assert_eq!(watched.calls(), ["eval first"]);
    work.set_input(&p, 1, &[3.0, 4.0]);
    sweep(&p, &mut work).primal_for_reverse();
    assert_eq!(watched.calls(), [""; 0]);
    sweep(&p, &mut work).primal(Need::Gradient);
    assert_eq!(
        (watched.calls(), work.output(&p)),
        (all.map(String::from).into(), &[38.0][..])
    );
    sweep(&p, &mut work).primal(Need::Gradient);
    assert_eq!(watched.calls(), [""; 0]);
    // Neither value nor derivative of it is read on the way back.
    let (p, mut work, watched) =
        recorded(|x, y, w| x.stop_gradient().fused(w, &[]).sum() + y.square().sum());
    sweep(&p, &mut work).primal_for_reverse();
    assert_eq!(watched.calls(), [""; 0]);
}

#[test]
fn a_value_that_products_do_not_read_waits_for_a_sweep_that_reads_it() {
    let (p, mut work, watched) =
        recorded(|x, y, w| (x.fused(w, &[]) * y / 3.0).sum() + y.square().sum() / 3.0);
    for (x, gradient) in [([1.0, 2.0], [7.0, 12.0]), ([2.0, 3.0], [10.0, 17.0])] {
        work.set_input(&p, 0, &x);
        sweep(&p, &mut work).products(&[None, Some(&[3.0, 6.0])], Inputs::one(1));
        assert_eq!(watched.calls(), ["eval first second"]);
        assert_eq!(work.adjoint_tangent(&p, 1), [2.0, 4.0]);
        // Nothing was set since, and yet it is not there.
        sweep(&p, &mut work).primal_for_reverse();
        assert_eq!(watched.calls(), ["eval value first"]);
        sweep(&p, &mut work).reverse(&[3.0], Inputs::one(1));
        assert_eq!(work.adjoint(&p, 1), gradient);
        sweep(&p, &mut work).primal_for_reverse();
        assert_eq!(watched.calls(), [""; 0]);
    }
}

#[test]
fn each_sweep_calls_one_rule() {
    let (p, mut work, watched) = recorded(|x, y, w| (x.fused(w, &[]).square() * y).sum());
    sweep(&p, &mut work).primal(Need::Curvature);
    sweep(&p, &mut work).reverse(&[1.0], ALL);
    assert_eq!(watched.calls(), ["eval value first second", "vjp"]);
    let (v, block) = ([1.0, -1.0], [1.0, -1.0, 0.5, 2.0]);
    sweep(&p, &mut work).tangent(1, &[Some(&v), None]);
    assert_eq!(watched.calls(), ["jvp"]);
    sweep(&p, &mut work).tangent(2, &[Some(&block), None]);
    assert_eq!(watched.calls(), ["jvp of 2"]);
    sweep(&p, &mut work).second(1, &[Some(&v), None], ALL);
    assert_eq!(watched.calls(), ["jvp", "second"]);
    sweep(&p, &mut work).second(2, &[Some(&block), None], ALL);
    assert_eq!(watched.calls(), ["jvp of 2", "second of 2"]);
    sweep(&p, &mut work).joint(true, &[Some(&v), None], ALL);
    let calls = watched.calls();
    assert_eq!(
        calls,
        ["eval value first second", "jvp", "vjp", "evaluated second"]
    );
    // Along y alone nothing was evaluated along the primitive's tangents, which do not move.
    work.set_input(&p, 0, &[2.0, 3.0]);
    sweep(&p, &mut work).joint(true, &[None, Some(&v)], ALL);
    assert_eq!(
        watched.calls(),
        ["eval value first second", "vjp", "second"]
    );
}

/// The sum of the gradient of ⅓ Σ a·a² by a = x, and y².
fn with_gradient() -> (Arc<Program<f64>>, Workspace<f64>, Watched) {
    let inner = Watched::default();
    let f = Program::record(&[Shape::vector(2)], |v| {
        (v[0] * v[0].fused(inner.clone(), &[])).sum() / 3.0
    });
    let (p, work, _) = recorded(|x, y, _| Var::gradient(&f, 0, &[x]).sum() + y.square().sum());
    (p, work, inner)
}

#[test]
fn a_gradient_inside_is_evaluated_once() {
    let (p, mut work, inner) = with_gradient();
    sweep(&p, &mut work).primal(Need::Value);
    assert_eq!(
        (inner.calls(), work.output(&p)),
        (vec!["eval value first".into(), "vjp".into()], &[30.0][..])
    );
    sweep(&p, &mut work).primal(Need::Gradient);
    assert_eq!(inner.calls(), ["eval value first second", "vjp"]);
    sweep(&p, &mut work).reverse(&[1.0], ALL);
    assert_eq!(inner.calls(), ["jvp", "second"]);
    assert_eq!(work.adjoint(&p, 0), [2.0, 4.0]);
    // Nobody reads the gradient itself here: its derivative is computed in one sweep.
    let (p, mut work, inner) = with_gradient();
    sweep(&p, &mut work).primal_for_reverse();
    assert_eq!(inner.calls(), [""; 0]);
    sweep(&p, &mut work).reverse(&[1.0], ALL);
    let calls = ["eval first second", "jvp", "evaluated second"];
    assert_eq!(inner.calls(), calls);
    assert_eq!(work.adjoint(&p, 0), [2.0, 4.0]);
}

#[test]
fn a_gradient_that_no_rule_reads_is_of_the_inputs_when_its_value_is_asked_for() {
    let f = Program::<f64>::record(&[Shape::vector(2)], |v| v[0].norm_squared());
    let (p, mut work, _) =
        recorded(|x, y, _| Var::gradient(&f, 0, &[x]).stop_gradient().sum() + y.square().sum());
    sweep(&p, &mut work).primal_for_reverse();
    sweep(&p, &mut work).primal(Need::Gradient);
    assert_eq!(work.output(&p), [31.0]);
    work.set_input(&p, 0, &[2.0, 3.0]);
    sweep(&p, &mut work).primal_for_reverse();
    sweep(&p, &mut work).primal(Need::Gradient);
    assert_eq!(work.output(&p), [35.0]);
}

#[test]
fn a_reverse_sweep_at_inputs_that_were_set_since_is_refused() {
    let (p, mut work, _) = recorded(|x, y, _| (x * y).sum());
    sweep(&p, &mut work).primal(Need::Gradient);
    work.set_input(&p, 0, &[2.0, 3.0]);
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        sweep(&p, &mut work).reverse(&[1.0], ALL);
    }));
    assert!(refused.is_err());
}

#[test]
fn scratch_is_in_the_prediction() {
    let (p, ..) = recorded(|x, y, w| (x.fused(w, &[]) * y).sum());
    let (q, ..) = with_gradient();
    for program in [p, q] {
        let meter = Meter::new();
        let mut point = Point::new(program.clone(), &meter);
        point.differentiate(&[&[1.0, 2.0], &[3.0, 4.0]], ALL);
        assert_eq!(meter.read().live(), Point::gradient_bytes(&program));
    }
}
