//! The rules of hyper-dual numbers: how the jet of one operation comes from those of its operands.

use crate::inputs::Inputs;
use crate::leaves::Leaves;
use crate::operands::Operation;
use crate::program::{Node, Op};
use crate::real::Real;
use crate::rules::elementwise::Side;
use crate::rules::linear::Linear;

use super::fused::Fused;
use super::{Along, Jets};

impl<T: Real> Jets<'_, T> {
    pub(super) fn step(
        &mut self,
        id: usize,
        node: &Node<T>,
        along: &mut Along<T>,
        twice: bool,
    ) -> Result<(), String> {
        let program = self.program;
        match &node.op {
            Op::Fused(f) => {
                let at = Operation { program, node };
                let operands = at.operands(&self.values);
                let stash = at.stash(&mut self.stash, &mut self.scratch);
                let twice = twice || self.drifting;
                let fused = match &mut self.fused[id] {
                    Some(fused) if fused.bends || !twice => fused,
                    slot => slot.insert(Fused::of(&**f, &operands, stash, twice)?),
                };
                return fused.push(&**f, &self.values, program, node, along, !self.drifting);
            }
            Op::Leaves(leaves) => return self.push_leaves(id, node, leaves, along, twice),
            Op::Gradient { wrt, .. } => {
                if twice {
                    return Err("it takes a gradient inside".into());
                }
                return self.push_gradient(id, node, *wrt, along);
            }
            _ => {}
        }
        let n = node.shape.len();
        let values = &self.values;
        let arg = |k: usize| program.value(node.args[k], values);
        let shape = |k: usize| program.nodes[node.args[k] as usize].shape;
        let Along {
            a,
            b,
            ab,
            sizes: [size_a, size_b, size_ab],
            error,
        } = along;
        let buffers =
            [a, b, ab, size_a, size_b, size_ab, error].map(|v| v.split_at_mut(node.start));
        let [a, b, ab, size_a, size_b, size_ab, error] =
            buffers.map(|(done, rest)| (&*done, &mut rest[..n]));
        let all = [a, b, ab, size_a, size_b, size_ab, error];
        let done = all.each_ref().map(|(done, _)| *done);
        let of = |buffer: usize, k: usize| {
            program
                .slot(node.args[k], Inputs::ALL)
                .map(|at| &done[buffer][at])
        };
        let mut out = all.map(|(_, out)| out);
        out.iter_mut().for_each(|o| o.fill(T::zero()));
        match &node.op {
            Op::Unary(f, p) => {
                let ones = vec![T::one(); n];
                let (mut d1, mut d2) = (vec![T::zero(); n], vec![T::zero(); n]);
                let own = &values[node.place()];
                f.first(*p, [arg(0), own, &ones], &mut d1, true);
                f.second(*p, [arg(0), own, &ones, &ones], &mut d2, true);
                for i in 0..n {
                    let x = |buffer: usize| of(buffer, 0).map_or(T::zero(), |v| v[i]);
                    entry(&mut out, i, &[(d1[i], x_all(&x))], |_, _| d2[i]);
                }
            }
            Op::Binary(f) => {
                let sides = Side::BOTH;
                let one = [T::one()];
                let first = sides.map(|by| {
                    let mut d = vec![T::zero(); n];
                    f.first(by, [arg(0), arg(1)], &one, &mut d, true);
                    d
                });
                let second = sides.map(|by| {
                    sides.map(|along| {
                        let mut d = vec![T::zero(); n];
                        f.second((by, along), [arg(0), arg(1)], &one, &one, &mut d, true);
                        d
                    })
                });
                for i in 0..n {
                    let x = |k: usize| {
                        x_all(&|buffer: usize| {
                            of(buffer, k).map_or(T::zero(), |v| v[i * usize::from(v.len() > 1)])
                        })
                    };
                    let terms = [(first[0][i], x(0)), (first[1][i], x(1))];
                    entry(&mut out, i, &terms, |k, l| second[k][l][i]);
                }
            }
            Op::Bilinear(f) => {
                let size = |v: &[T]| v.iter().map(|v| v.abs()).collect::<Vec<T>>();
                let (left, right) = (size(arg(0)), size(arg(1)));
                // Of each buffer: the two products with a value.
                for buffer in 0..7 {
                    let (l, r) = if buffer < 3 {
                        (arg(0), arg(1))
                    } else {
                        (&left[..], &right[..])
                    };
                    if let Some(t) = of(buffer, 0) {
                        f.apply(t, shape(0), r, shape(1), out[buffer], false);
                    }
                    if let Some(t) = of(buffer, 1) {
                        f.apply(l, shape(0), t, shape(1), out[buffer], false);
                    }
                }
                for (a, b, ab) in [(0, 1, 2), (3, 4, 5)] {
                    for (a, b) in [(a, b), (b, a)] {
                        if let (Some(s), Some(t)) = (of(a, 0), of(b, 1)) {
                            f.apply(s, shape(0), t, shape(1), out[ab], false);
                        }
                    }
                }
            }
            Op::Linear(f) => {
                let mut start = 0;
                for k in 0..node.args.len() {
                    for buffer in 0..7 {
                        let Some(t) = of(buffer, k) else { continue };
                        f.apply(start, t, shape(k), out[buffer], node.shape, false);
                        if buffer >= 3 && matches!(f, Linear::Dx | Linear::Dy) {
                            // A difference of sizes is made their sum, or more.
                            let two = T::of(2.0);
                            out[buffer]
                                .iter_mut()
                                .zip(t)
                                .for_each(|(o, t)| *o += two * *t);
                        }
                    }
                    start += shape(k).len();
                }
            }
            Op::Input | Op::Constant | Op::Fused(_) | Op::Gradient { .. } | Op::Leaves(_) => {
                unreachable!("dealt with before")
            }
        }
        Ok(())
    }

    /// The jet of a sum of leaves: that of each, carried through it alone.
    fn push_leaves(
        &mut self,
        id: usize,
        node: &Node<T>,
        leaves: &Leaves<T>,
        along: &mut Along<T>,
        twice: bool,
    ) -> Result<(), String> {
        let program = self.program;
        let mut sums = [T::zero(); 7];
        for (leaf, jets) in leaves.all.iter().zip(&mut self.leaves[id]) {
            let mut start = 0;
            for k in leaf.operands() {
                let (arg, own) = (node.args[k], jets.along.buffers());
                let len = program.nodes[arg as usize].shape.len();
                for (own, outer) in own.into_iter().zip(along.buffers()) {
                    let own = &mut own[start..start + len];
                    match program.slot(arg, Inputs::ALL) {
                        Some(place) => own.copy_from_slice(&outer[place]),
                        None => own.fill(T::zero()),
                    }
                }
                start += len;
            }
            jets.carry(twice)?;
            let output = &jets.program.nodes[jets.program.output];
            if output.depends == Inputs::NONE {
                continue;
            }
            let at = output.start;
            for (k, (sum, own)) in sums.iter_mut().zip(jets.along.buffers()).enumerate() {
                let weight = if k < 3 {
                    leaf.weight
                } else {
                    leaf.weight.abs()
                };
                *sum += weight * own[at];
            }
        }
        for (out, sum) in along.buffers().into_iter().zip(sums) {
            out[node.start] = sum;
        }
        Ok(())
    }

    /// The tangent of a gradient inside: mixed derivatives of the function, entry by entry.
    fn push_gradient(
        &mut self,
        id: usize,
        node: &Node<T>,
        wrt: usize,
        along: &mut Along<T>,
    ) -> Result<(), String> {
        let program = self.program;
        let inner = self.inner[id].as_ref().expect("made with the jets");
        let gather = |buffer: &[T], values: bool| -> Vec<T> {
            let mut all = Vec::new();
            for a in &node.args {
                match program.slot(*a, Inputs::ALL) {
                    _ if values => all.extend_from_slice(program.value(*a, buffer)),
                    Some(at) => all.extend_from_slice(&buffer[at]),
                    None => all.resize(
                        all.len() + program.nodes[*a as usize].shape.len(),
                        T::zero(),
                    ),
                }
            }
            all
        };
        let at = gather(&self.values, true);
        let (tangent, size) = (gather(&along.a, false), gather(&along.sizes[0], false));
        let of = inner.of.clone();
        let mut jets = Jets::new(&of, &at);
        let first: usize = (0..wrt).map(|k| of.input_shape(k).len()).sum();
        let mut unit = vec![T::zero(); at.len()];
        for i in 0..node.shape.len() {
            unit[first + i] = T::one();
            jets.push_sized(&tangent, &size, Some(&unit))?;
            unit[first + i] = T::zero();
            let mixed = jets.mixed();
            along.a[node.start + i] = T::of(mixed.value);
            along.sizes[0][node.start + i] = T::of(mixed.size);
        }
        Ok(())
    }
}

/// All buffers of one operand at one entry.
fn x_all<T: Real>(x: &impl Fn(usize) -> T) -> [T; 7] {
    std::array::from_fn(x)
}

/// The chain rule at one entry of an elementwise operation, of each operand's derivative and
/// buffers, and of the second derivatives.
fn entry<T: Real>(
    out: &mut [&mut [T]; 7],
    i: usize,
    terms: &[(T, [T; 7])],
    second: impl Fn(usize, usize) -> T,
) {
    for (k, (d, x)) in terms.iter().enumerate() {
        for buffer in 0..3 {
            out[buffer][i] += *d * x[buffer];
        }
        for buffer in 3..7 {
            out[buffer][i] += d.abs() * x[buffer];
        }
        for (l, (_, y)) in terms.iter().enumerate() {
            let d = second(k, l);
            out[2][i] += d * x[0] * y[1];
            out[5][i] += d.abs() * x[3] * y[4];
        }
    }
}
