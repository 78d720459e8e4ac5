//! Where a number that is not finite first arises: looked for only after one was met.

use std::fmt;

use crate::adjoints::Adjoints;
use crate::bytes::Meter;
use crate::inputs::Inputs;
use crate::linearised::Need;
use crate::operands::Operation;
use crate::program::{Node, Op, Program};
use crate::ranks;
use crate::real::Real;
use crate::shape::Shape;
use crate::site::Site;
use crate::sweep::Sweep;
use crate::var::Var;
use crate::workspace::Workspace;

/// What of an operation was not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Quantity {
    /// Its value.
    Value,
    /// What it hands back to an operand in a reverse sweep: a derivative of the program.
    Adjoint,
    /// The derivative of its value along a direction.
    Tangent,
    /// What it hands back to an operand in a second sweep: an entry of a Hessian-vector product.
    AdjointTangent,
}

/// Where a value or a derivative that is not finite first arose.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NonFinite {
    /// The operation's name.
    pub operation: String,
    /// Its position in the program.
    pub position: usize,
    /// The first bad entry, in column-major order, of its value, or of the operand's it hands back
    /// to.
    pub entry: usize,
    /// That entry: NaN or an infinity.
    pub value: f64,
    /// Where the operation was recorded.
    pub site: Site,
    /// What was not finite.
    pub quantity: Quantity,
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = match self.quantity {
            Quantity::Value => "of",
            Quantity::Adjoint => "of the derivative through",
            Quantity::Tangent => "of the directional derivative of",
            Quantity::AdjointTangent => "of the second derivative through",
        };
        write!(
            f,
            "{} in entry {} {of} `{}` (operation {} of the program, recorded at {})",
            self.value, self.entry, self.operation, self.position, self.site
        )
    }
}

impl<T: Real> Program<T> {
    /// Where the first value that is not finite arose in the last primal sweep of `work`, or the
    /// first derivative in a gradient inside.
    #[inline(never)]
    pub(crate) fn first_non_finite(&self, work: &Workspace<T>) -> Option<NonFinite> {
        for (position, node) in self.nodes.iter().enumerate() {
            if node.activity.value > work.state.extent() {
                continue; // not computed, as nobody reads it
            }
            if let Op::Gradient { of, .. } = &node.op {
                let inner = &work.nested[node.nested as usize];
                let found = of.first_non_finite(inner);
                if let Some(found) = found.or_else(|| of.first_non_finite_adjoint(inner)) {
                    return Some(found);
                }
            }
            if let Op::Leaves(all) = &node.op {
                let mut leaves = all.all.iter().zip(&work.nested[node.nested as usize..]);
                let at = Operation {
                    program: self,
                    node,
                };
                let a = at.operands(&work.values);
                let found = leaves.find_map(|(leaf, work)| {
                    leaf.seen(&a, work, |work| leaf.of.first_non_finite(work))
                });
                if found.is_some() {
                    return found;
                }
            }
            let values = match node.op {
                Op::Constant => &self.constants[..],
                _ => &work.values[..],
            };
            if let Some(entry) = first_bad(of(values, node)) {
                let value = of(values, node)[entry];
                return Some(node.trouble(position, Quantity::Value, entry, value));
            }
        }
        None
    }

    /// Where the value, a gradient or the Hessian-vector product along these directions (`None`
    /// being zero) is first not finite at `inputs`. Makes sweeps and buffers of its own.
    ///
    /// A derivative is handed back by the operations that use a value, and added up: an elementwise
    /// one is named if it gave what is not finite; of others that share an operand, the last
    /// recorded.
    ///
    /// # Panics
    /// If the program's value is not a scalar, or a length differs from its input's.
    ///
    /// # Example
    /// ```
    /// use autodiff::{Program, Shape};
    ///
    /// // Finite with its gradient at 0, but not bent finitely.
    /// let f = Program::<f64>::record(&[Shape::SCALAR], |v| v[0].powf(1.5) + v[0].exp());
    /// let found = f.find_non_finite(&[&[0.0]], &[Some(&[1.0])]).unwrap();
    /// assert_eq!(found.operation, "powf");
    /// assert_eq!(f.find_non_finite(&[&[1.0]], &[Some(&[1.0])]), None);
    /// ```
    #[track_caller]
    #[inline(never)]
    pub fn find_non_finite(
        &self,
        inputs: &[&[T]],
        directions: &[Option<&[T]>],
    ) -> Option<NonFinite> {
        assert!(
            self.output_shape().is_scalar(),
            "the program's value is {}: expected a scalar",
            self.output_shape()
        );
        ranks::alone(|| self.look_for_non_finite(inputs, directions))
    }

    fn look_for_non_finite(
        &self,
        inputs: &[&[T]],
        directions: &[Option<&[T]>],
    ) -> Option<NonFinite> {
        let mut work = Workspace::new(self, &Meter::new());
        for (k, input) in inputs.iter().enumerate() {
            work.set_input(self, k, input);
        }
        Sweep::of(self, &mut work).primal(Need::Curvature);
        if let Some(found) = self.first_non_finite(&work) {
            return Some(found);
        }
        Sweep::of(self, &mut work).reverse(&[T::one()], Inputs::ALL);
        let found = self.first_non_finite_adjoint(&work);
        if found.is_some() || directions.iter().all(Option::is_none) || self.has_gradients() {
            return found;
        }
        Sweep::of(self, &mut work).second(1, directions, Inputs::ALL);
        self.first_non_finite_tangent(&work)
            .or_else(|| self.first_non_finite_product(&work))
    }

    /// Where an adjoint of the last reverse sweep is first not finite.
    #[inline(never)]
    pub(crate) fn first_non_finite_adjoint(&self, work: &Workspace<T>) -> Option<NonFinite> {
        if work.adjoints.is_empty() {
            return None;
        }
        self.handed_back(work, Quantity::Adjoint)
    }

    /// Where a tangent is first not finite.
    #[inline(never)]
    pub(crate) fn first_non_finite_tangent(&self, work: &Workspace<T>) -> Option<NonFinite> {
        if work.tangents.is_empty() {
            return None;
        }
        let mut nodes = self.nodes.iter().enumerate();
        nodes.find_map(|(position, node)| {
            if matches!(node.op, Op::Constant) || node.view {
                return None;
            }
            let tangent = of(&work.tangents, node);
            let entry = first_bad(tangent)?;
            let inside = match &node.op {
                Op::Gradient { of, .. } => {
                    of.first_non_finite_second(&work.nested[node.nested as usize])
                }
                _ => None,
            };
            let here = node.trouble(position, Quantity::Tangent, entry, tangent[entry]);
            Some(inside.unwrap_or(here))
        })
    }

    /// Where an adjoint's tangent is first not finite.
    #[inline(never)]
    fn first_non_finite_product(&self, work: &Workspace<T>) -> Option<NonFinite> {
        if work.adjoint_tangents.is_empty() {
            return None;
        }
        self.handed_back(work, Quantity::AdjointTangent)
    }

    #[inline(never)]
    fn first_non_finite_second(&self, work: &Workspace<T>) -> Option<NonFinite> {
        self.first_non_finite_tangent(work)
            .or_else(|| self.first_non_finite_product(work))
    }

    /// The operation that handed back what is not finite, though nothing it was handed was.
    fn handed_back(&self, work: &Workspace<T>, quantity: Quantity) -> Option<NonFinite> {
        let buffer = match quantity {
            Quantity::Adjoint => &work.adjoints,
            _ => &work.adjoint_tangents,
        };
        let bad = |node| buffer.of(node).and_then(first_bad);
        let mut likely = None;
        for (position, node) in self.nodes[..=self.output].iter().enumerate().rev() {
            if node.depends == Inputs::NONE || node.back.view || bad(node).is_some() {
                continue;
            }
            for (k, a) in node.args.iter().enumerate() {
                let operand = &self.nodes[*a as usize];
                if operand.depends == Inputs::NONE {
                    continue;
                }
                let Some(entry) = bad(operand) else {
                    continue;
                };
                let value = buffer.of(operand).map_or(T::zero(), |of| of[entry]);
                let here = || node.trouble(position, quantity, entry, value);
                match &node.op {
                    Op::Gradient { of: inner, .. } => {
                        let nested = &work.nested[node.nested as usize];
                        let moved = nested.state.of().map_or(Inputs::NONE, |(of, _)| of);
                        if moved.contains(Inputs::one(k))
                            && first_bad(nested.adjoint_tangent(inner, k)).is_some()
                        {
                            let inside = inner.first_non_finite_second(nested);
                            return Some(inside.unwrap_or_else(here));
                        }
                    }
                    Op::Unary(..) | Op::Binary(..) => {
                        if self.elementwise_hands_back(work, node, k, quantity) {
                            return Some(here());
                        }
                    }
                    Op::Leaves(all) => {
                        let mut leaves = all.all.iter().zip(&work.nested[node.nested as usize..]);
                        let at = Operation {
                            program: self,
                            node,
                        };
                        let a = at.operands(&work.values);
                        let inside = leaves.find_map(|(leaf, work)| match quantity {
                            Quantity::Adjoint => {
                                leaf.seen(&a, work, |work| leaf.of.first_non_finite_adjoint(work))
                            }
                            // Another leaf's stands there: the sum is named.
                            _ if work.handed_on => None,
                            _ => leaf.of.first_non_finite_second(work),
                        });
                        return Some(inside.unwrap_or_else(here));
                    }
                    _ => likely = likely.or_else(|| Some(here())),
                }
            }
        }
        likely
    }

    /// Whether an elementwise operation hands back to operand `k` what is not finite, found by
    /// its rule for one entry after the other.
    fn elementwise_hands_back(
        &self,
        work: &Workspace<T>,
        node: &Node<T>,
        k: usize,
        quantity: Quantity,
    ) -> bool {
        // f(a, b) · c, whose gradient by a is what is handed back for an adjoint c.
        let rule = Program::<T>::record(&[Shape::SCALAR; 3], |v| {
            let value: Var<'_, T> = match node.op {
                Op::Unary(f, p) => v[0].elementwise(f, p.f64()),
                Op::Binary(f) => v[0].elementwise_with(f, v[1]),
                _ => unreachable!("asked of elementwise operations alone"),
            };
            value * v[2]
        });
        let mut point = rule.point();
        let entry = |buffer: &[T], i: usize| buffer[if buffer.len() > 1 { i } else { 0 }];
        let operand = |l: usize| node.args.get(l).map(|a| &self.nodes[*a as usize]);
        let value = |l: usize, i: usize| match (operand(l), node.args.get(l)) {
            (Some(_), Some(a)) => entry(self.value(*a, &work.values), i),
            _ => T::one(),
        };
        let tangent = |l: usize, i: usize| match operand(l) {
            Some(n) if n.depends != Inputs::NONE => entry(of(&work.tangents, n), i),
            _ => T::zero(),
        };
        (0..node.shape.len()).any(|i| {
            let back = |of: &Adjoints<T>| of.of(node).map_or(T::zero(), |u| u[i]);
            let at = [value(0, i), value(1, i), back(&work.adjoints)];
            point.linearise(&[&at[..1], &at[1..2], &at[2..]]);
            if quantity == Quantity::Adjoint {
                return !point.gradient(k)[0].is_finite();
            }
            let along = [tangent(0, i), tangent(1, i), back(&work.adjoint_tangents)];
            point.second(&[Some(&along[..1]), Some(&along[1..2]), Some(&along[2..])]);
            !point.product(k)[0].is_finite()
        })
    }
}

impl<T: Real> Node<T> {
    fn trouble(&self, position: usize, quantity: Quantity, entry: usize, value: T) -> NonFinite {
        NonFinite {
            operation: self.op.name().to_owned(),
            position,
            entry,
            value: value.f64(),
            site: self.site.clone(),
            quantity,
        }
    }
}

/// The entries of a node in a buffer.
fn of<'a, T: Real>(buffer: &'a [T], node: &Node<T>) -> &'a [T] {
    &buffer[node.place()]
}

fn first_bad<T: Real>(entries: &[T]) -> Option<usize> {
    entries.iter().position(|v| !v.is_finite())
}
