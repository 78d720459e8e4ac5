//! Kinks that a derivative was taken at: looked for in the values that the last sweep left.

use std::fmt;

use crate::inputs::Inputs;
use crate::operands::Operation;
use crate::program::{Node, Op, Program};
use crate::real::Real;
use crate::rules::elementwise::{Binary, Corner};
use crate::site::Site;
use crate::workspace::Workspace;

/// An entry of a value at a place where the operation's derivative jumps: what the sweeps give
/// there is a convention, one of many derivatives or none.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Kink {
    /// The operation's name.
    pub operation: String,
    /// Its position in the program.
    pub position: usize,
    /// The entry of its value, in column-major order.
    pub entry: usize,
    /// The order of the derivative that jumps or has no bound there: 1, or 2 where only second
    /// derivatives are a convention, or 0 where the value itself jumps.
    pub order: usize,
    /// That derivative on either side, by the first operand as it grows, where there are two such
    /// numbers.
    pub sides: Option<(f64, f64)>,
    /// Where the operation was recorded.
    pub site: Site,
}

impl fmt::Display for Kink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (operation, entry, site) = (&self.operation, self.entry, &self.site);
        let what = match self.order {
            0 => "value",
            1 => "derivative",
            _ => "second derivative",
        };
        write!(f, "{operation} at entry {entry} ({site}), ")?;
        match self.sides {
            Some((left, right)) => write!(f, "whose {what} jumps from {left} to {right}"),
            None => write!(f, "which has no {what} there"),
        }
    }
}

impl<T: Real> Node<T> {
    /// Whether the operation has a kink anywhere.
    fn has_kinks(&self) -> bool {
        match &self.op {
            Op::Unary(f, p) => f.corners(p.f64()).next().is_some(),
            Op::Binary(f) => f.has_corners() && !self.is_of_one_value(),
            Op::Fused(f) => f.has_kinks(),
            Op::Leaves(_) => self.op.leaves().any(Program::has_kinks),
            Op::Input | Op::Constant | Op::Linear(_) | Op::Bilinear(_) | Op::Gradient { .. } => {
                false
            }
        }
    }

    /// Whether it is the larger or smaller of a value and itself.
    fn is_of_one_value(&self) -> bool {
        matches!(self.op, Op::Binary(Binary::Max | Binary::Min)) && self.args[0] == self.args[1]
    }
}

impl<T: Real> Program<T> {
    /// Whether the program's value goes through an operation that has a kink somewhere, as `abs`
    /// has at 0: whether [`Point::kinks`](crate::Point::kinks) may ever find one. Gradients inside
    /// are not looked into.
    ///
    /// # Example
    /// ```
    /// use autodiff::{Program, Shape};
    ///
    /// let of = |f: for<'r> fn(autodiff::Var<'r>) -> autodiff::Var<'r>| {
    ///     Program::<f64>::record(&[Shape::vector(2)], |v| f(v[0]).sum())
    /// };
    /// assert!(of(|a| a.norm()).has_kinks());
    /// assert!(!of(|a| a.norm().square()).has_kinks()); // recorded as the smooth Σ aᵢ²
    /// ```
    pub fn has_kinks(&self) -> bool {
        // Asked at each call of a strategy: most programs have none, and need no list.
        let bent = |node: &Node<T>| node.depends != Inputs::NONE && node.has_kinks();
        if !self.nodes.iter().any(bent) {
            return false;
        }
        let mut nodes = self.nodes.iter().zip(self.passed());
        nodes.any(|(node, passed)| passed && node.has_kinks())
    }

    /// Whether the output's derivative goes through each node.
    fn passed(&self) -> Vec<bool> {
        let mut passed = vec![false; self.nodes.len()];
        passed[self.output] = true;
        for (id, node) in self.nodes.iter().enumerate().rev() {
            passed[id] &= node.depends != Inputs::NONE;
            if passed[id] {
                node.args.iter().for_each(|a| passed[*a as usize] = true);
            }
        }
        passed
    }

    /// The kinks that the values of the last primal sweep are at.
    #[inline(never)]
    pub(crate) fn kinks(&self, work: &Workspace<T>) -> Vec<Kink> {
        let (mut found, mut leaves): (Vec<Kink>, Vec<Kink>) = Default::default();
        for (position, node) in self.nodes.iter().enumerate() {
            if node.depends == Inputs::NONE || !node.has_kinks() {
                continue;
            }
            let passed = |id: usize| self.passed()[id];
            if let Op::Leaves(all) = &node.op
                && passed(position)
            {
                let at = Operation {
                    program: self,
                    node,
                };
                let inside = all.all.iter().zip(&work.nested[node.nested as usize..]);
                let a = at.operands(&work.values);
                let kinks = inside.flat_map(|(leaf, w)| leaf.seen(&a, w, |w| leaf.of.kinks(w)));
                leaves.extend(kinks);
            }
            self.corners(node, &work.values, &mut |entry, corner| {
                found.push(Kink {
                    operation: node.op.name().to_owned(),
                    position,
                    entry,
                    order: corner.order,
                    sides: corner.sides,
                    site: node.site.clone(),
                });
            });
        }
        if !found.is_empty() {
            let passed = self.passed();
            found.retain(|k| passed[k.position] && self.counts(k, work));
        }
        found.append(&mut leaves);
        found
    }

    /// Whether the derivative at a kink may be part of the program's: not where it is times a 0 that
    /// does not move.
    fn counts(&self, kink: &Kink, work: &Workspace<T>) -> bool {
        let node = &self.nodes[kink.position];
        let known = work.state.by().meets(node.depends);
        let moves = node.activity.adjoint_moves != Inputs::NONE;
        let adjoint = || {
            let adjoints = work.adjoints.of(node);
            adjoints.map_or(T::zero(), |u| u[kink.entry])
        };
        moves || !known || adjoint() != T::zero()
    }

    /// Calls `found` with the entries of a node that are at a corner.
    fn corners(&self, node: &Node<T>, values: &[T], found: &mut dyn FnMut(usize, Corner)) {
        let place = |k: usize| (node.args[k], self.value(node.args[k], values));
        match &node.op {
            Op::Unary(f, p) => {
                let (id, a) = place(0);
                for (at, corner) in f.corners(p.f64()) {
                    let at = T::of(at);
                    let own = T::of(T::EPSILON) * at.abs();
                    let bound = self.rounding_bound(id, values) + own;
                    let near = |(v, bound): (&T, T)| (*v - at).abs() <= bound;
                    if !a.iter().any(|v| near((v, bound))) {
                        continue;
                    }
                    let rounding = self.rounding(id, values);
                    for (i, pair) in a.iter().zip(rounding).enumerate() {
                        let (v, rounding) = pair;
                        if near((v, rounding + own)) && !self.stays_zero(id, i) {
                            found(i, corner);
                        }
                    }
                }
            }
            Op::Binary(f) => {
                let ((id_a, a), (id_b, b)) = (place(0), place(1));
                let entry = |of: &[T], i: usize| of[if of.len() > 1 { i } else { 0 }];
                let at = |i: usize| [entry(a, i), entry(b, i)];
                let bounds = [id_a, id_b].map(|id| self.rounding_bound(id, values));
                let len = node.shape.len();
                if !(0..len).any(|i| f.corner(at(i), bounds).is_some()) {
                    return;
                }
                let rounding = [id_a, id_b].map(|id| self.rounding(id, values));
                for i in 0..len {
                    let own = [entry(&rounding[0], i), entry(&rounding[1], i)];
                    let fixed = self.stays_zero(id_a, i) && self.stays_zero(id_b, i);
                    if let Some(corner) = f.corner(at(i), own).filter(|_| !fixed) {
                        found(i, corner);
                    }
                }
            }
            Op::Fused(f) => {
                let program = self;
                let operands = Operation { program, node }.operands(values);
                let corner = Corner {
                    order: 1,
                    sides: None,
                };
                f.kinks(&operands, &mut |entry| found(entry, corner));
            }
            _ => {}
        }
    }
}
