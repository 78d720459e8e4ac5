//! Primitives of users: right ones pass, and each broken rule is traced to the primitive.

use autodiff::arbitrary::Wave;
use autodiff::check::{Check, Rung};
use autodiff::rules::elementwise::Domain;
use autodiff::{
    Asked, OperandAdjoints, OperandTangents, Operands, Primitive, Program, Shape, Stash,
};
use models::{Dataset, data};

/// [`Wave`] with one rule off by a factor, or said to be linear.
struct Broken {
    jvp: f64,
    vjp: f64,
    tangent: f64,
    linear: bool,
}

const RIGHT: Broken = Broken {
    jvp: 1.0,
    vjp: 1.0,
    tangent: 1.0,
    linear: false,
};
const WAVE: Wave = Wave { operands: 2 };

/// Scales what a rule added to every wanted adjoint, each starting from 0.
fn scaled(scale: f64, adjoints: &mut OperandAdjoints<'_, f64>) {
    for k in 0..adjoints.len() {
        if let Some(out) = adjoints.get(k) {
            out.iter_mut().for_each(|o| *o *= scale);
        }
    }
}

impl Primitive<f64> for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String> {
        Primitive::<f64>::output_shape(&WAVE, operands)
    }

    fn stash_len(&self, operands: &[Shape]) -> usize {
        Primitive::<f64>::stash_len(&WAVE, operands)
    }

    fn is_linear(&self) -> bool {
        self.linear
    }

    fn eval(&self, a: &Operands<'_, f64>, asked: Asked, out: &mut [f64], stash: Stash<'_, f64>) {
        WAVE.eval(a, asked, out, stash);
    }

    fn jvp(
        &self,
        a: &Operands<'_, f64>,
        t: &OperandTangents<'_, f64>,
        stash: Stash<'_, f64>,
        out: &mut [f64],
    ) {
        WAVE.jvp(a, t, stash, out);
        out[0] *= self.jvp;
    }

    fn vjp(
        &self,
        a: &Operands<'_, f64>,
        stash: Stash<'_, f64>,
        u: &[f64],
        adjoints: &mut OperandAdjoints<'_, f64>,
    ) {
        WAVE.vjp(a, stash, u, adjoints);
        scaled(self.vjp, adjoints);
    }

    fn vjp_tangent(
        &self,
        a: &Operands<'_, f64>,
        t: &OperandTangents<'_, f64>,
        stash: Stash<'_, f64>,
        u: &[f64],
        du: Option<&[f64]>,
        adjoint_tangents: &mut OperandAdjoints<'_, f64>,
    ) {
        WAVE.vjp_tangent(a, t, stash, u, du, adjoint_tangents);
        scaled(self.tangent, adjoint_tangents);
    }
}

#[test]
fn every_broken_rule_of_a_primitive_is_found_and_traced() {
    let shapes = [Shape::vector(3); 2];
    let report = Check::new().primitive(RIGHT, &shapes, Domain::All);
    assert!(report.passed(), "{report}");
    assert!(report.control().has_power(), "{}", report.control());
    let off = 1.0 + 1e-6;
    let broken = [
        (
            Broken { jvp: off, ..RIGHT },
            "⟨u,Jv⟩ = ⟨Jᵀu,v⟩",
            Rung::Identities,
        ),
        (Broken { vjp: off, ..RIGHT }, "gradient", Rung::CrossMode),
        (Broken { vjp: off, ..RIGHT }, "gradient", Rung::Differences),
        (
            Broken {
                tangent: off,
                ..RIGHT
            },
            "product",
            Rung::Differences,
        ),
        (
            Broken {
                linear: true,
                ..RIGHT
            },
            "product",
            Rung::Differences,
        ),
    ];
    for (primitive, check, rung) in broken {
        let report = Check::new().primitive(primitive, &shapes, Domain::All);
        let mut found = report
            .mismatches()
            .filter(|t| (t.check, t.rung) == (check, rung));
        let trial = found
            .next()
            .unwrap_or_else(|| panic!("{check}, {rung}: {report}"));
        let operation = trial.place.operation.as_ref();
        assert_eq!(operation.expect("a culprit").name, "broken", "{report}");
    }
}

#[test]
fn the_losses_of_the_models_pass() {
    let mut samples = data::digits_parity(0).train;
    samples.features = samples.features.dense().columns(0, 60).into_owned().into();
    samples.labels.truncate(60);
    let train = Dataset::<f64>::binary(&samples);
    let n = train.dim();
    let program = Program::record(&[Shape::vector(n)], |v| train.logistic_loss(v[0]));
    let weights: Vec<f64> = (0..n).map(|i| (i as f64 * 2.4).sin() / 10.0).collect();
    let report = Check::new().program(&program, &[&weights]);
    assert!(report.passed(), "{report}");
    assert!(report.control().has_power(), "{}", report.control());
}

#[test]
fn a_stopped_gradient_and_single_precision_say_nothing_by_values() {
    let program = Program::<f64>::record(&[Shape::vector(2)], |v| v[0].stop_gradient().dot(v[0]));
    let report = Check::new().program(&program, &[&[1.0, 2.0]]);
    assert!(report.mismatches().next().is_none(), "{report}");
    assert!(
        report
            .trials()
            .iter()
            .all(|t| t.rung <= Rung::CrossMode || t.verdict.name() == "unchecked")
    );

    let single = Program::<f32>::record(&[Shape::vector(2)], |v| v[0].exp().sum());
    let report = Check::new().program(&single, &[&[0.5, -1.0]]);
    assert!(report.passed(), "{report}");
    let silent = report
        .trials()
        .iter()
        .filter(|t| t.rung == Rung::Differences);
    assert!(
        silent.into_iter().all(|t| t.verdict.name() == "unchecked"),
        "{report}"
    );
}
