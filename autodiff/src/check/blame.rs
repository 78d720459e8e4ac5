//! Which primitive a mismatch comes from: each one's rules are held to differences of the rule
//! before it. (Every other operation comes from tables, whose rows the engine's tests hold to their
//! formulas.)

use super::DIFFERENCES;
use super::differences::Around;
use super::jet::Jets;
use super::jet::fused::{Local, places};
use super::ladder::dot;
use super::trial::Operation;
use crate::program::{Node, Op, Program};
use crate::real::Real;

/// The first primitive whose own rules disagree at the point.
pub(super) fn operation<T: Real>(program: &Program<T>, at: &[&[T]]) -> Option<Operation> {
    let jets = Jets::new(program, &at.concat());
    let wrong = |node: &Node<T>| match &node.op {
        Op::Fused(f) => {
            let local = &mut Local::new(&**f, program, node);
            disagrees(local, f.is_linear(), jets.values())
        }
        _ => false,
    };
    let position = program.nodes.iter().position(wrong)?;
    let node = &program.nodes[position];
    Some(Operation {
        name: node.op.name().to_owned(),
        position,
        site: node.site.clone(),
    })
}

/// Holds the jvp to differences of the value, the vjp to the jvp, and the vjp's tangent to
/// differences of the vjp, along one direction. One that is said to be linear has none for an adjoint that
/// does not move.
fn disagrees<T: Real>(local: &mut Local<'_, T>, is_linear: bool, values: &[T]) -> bool {
    let places = places(local.program, local.node);
    let m = local.node.shape.len();
    // Numbers of size one without a pattern.
    let number = |i: usize, k: usize| 0.5 + ((3 * i + 7 * k + 1) as f64 * 2.399).sin() / 3.0;
    let mut t = vec![T::zero(); values.len()];
    for (i, p) in places.iter().enumerate() {
        t[*p] = T::of(number(i, 0));
    }
    let (u, du) = (
        (0..m).map(|i| number(i, 1)).collect::<Vec<f64>>(),
        (0..m).map(|i| number(i, 2)).collect::<Vec<f64>>(),
    );
    let moved = |s: f64| {
        let mut moved = values.to_vec();
        places.iter().for_each(|p| moved[*p] += T::of(s) * t[*p]);
        moved
    };
    let narrow = |v: &[f64]| v.iter().map(|v| T::of(*v)).collect::<Vec<T>>();
    let wide = |v: &[T]| v.iter().map(|v| v.f64()).collect::<Vec<f64>>();
    let taken = |adjoints: Vec<T>| {
        places
            .iter()
            .map(|p| adjoints[*p].f64())
            .collect::<Vec<f64>>()
    };

    let value = Around::new(m, T::EPSILON, |s, out| {
        out.copy_from_slice(&wide(local.evaluate(&moved(s))));
    });
    local.evaluate(values);
    let pushed = wide(&local.jvp(values, &t));
    let pulled = taken(local.vjp(values, &narrow(&u)));
    let tangent = taken(local.vjp_tangent(values, &t, &narrow(&u), &narrow(&du)));
    let still = vec![T::zero(); m];
    let bends = is_linear && {
        let bent = taken(local.vjp_tangent(values, &t, &narrow(&u), &still));
        bent.iter().any(|v| *v != 0.0)
    };
    let along: Vec<f64> = places.iter().map(|p| t[*p].f64()).collect();
    let ((left, p), (right, q)) = (dot(&u, &pushed), dot(&pulled, &along));
    let rounding = 1e3 * T::EPSILON * (m + places.len()) as f64;
    let adjoint = Around::new(places.len(), T::EPSILON, |s, out| {
        let at = moved(s);
        local.evaluate(&at);
        let bar: Vec<f64> = u.iter().zip(&du).map(|(u, du)| u + s * du).collect();
        out.copy_from_slice(&taken(local.vjp(&at, &narrow(&bar))));
    });
    bends
        || differ(&value, &pushed)
        || (left - right).abs() > rounding * (p + q)
        || differ(&adjoint, &tangent)
}

fn differ(sweep: &Around, got: &[f64]) -> bool {
    got.iter().enumerate().any(|(i, got)| {
        let slope = sweep.slope(i, got.abs());
        slope.is_ok_and(|d| (d.slope - got).abs() > DIFFERENCES * d.error)
    })
}
