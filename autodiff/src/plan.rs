//! The plan of a program: where values and what comes back to them stand, and which are views.
//!
//! A reshape, a slice, a mark and the transposition of a vector move no entry, so that their values and
//! tangents are those of the operand, seen in another shape: nothing is copied. What comes back to
//! them goes straight to the operand too, where it comes to the operand in no other way: then the
//! sums have the same terms in the same order. In a block of several directions the columns of a
//! slice are not consecutive among its operand's, so that there it is copied.
//!
//! What comes back to a sum comes back to its terms as it is, so that a term that is used nowhere else
//! has no place of its own there: it is *carried*, and reads the sum's. So is what something is
//! subtracted from. (In a block of several directions it is copied.)
//!
//! Adjoints are not zeroed before they are added to. A *region* is what a sweep marks as written: the
//! entries of a node, and of views that are all of it. The first contribution to a region takes the
//! place of what stood there.

use std::sync::Arc;

use crate::inputs::Inputs;
use crate::program::{Node, Op, Program};
use crate::real::Real;
use crate::rules::elementwise::Side;
use crate::rules::linear::Linear;
use crate::simd::{is_long, line};
use crate::sweep::is_few;

/// Where what comes back to a node stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// The first entry, or that of the first column.
    pub(crate) start: usize,
    /// The region that the entries are, by its first node.
    pub(crate) region: u32,
    /// Whether a part of the operand's entries, or all of them.
    pub(crate) view: bool,
    /// Whether they are those of the only user, which has nothing to hand on here.
    pub(crate) carried: bool,
}

/// A run of a node's entries, where these come back in slices alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    /// The slice; `None` if they are in none.
    pub(crate) slice: Option<u32>,
    pub(crate) start: usize,
    pub(crate) len: usize,
}

/// What a plan has beside the nodes' places.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Entries of the values, and of tangents along one direction.
    pub(crate) values_len: usize,
    /// Entries of what comes back.
    pub(crate) back_len: usize,
    /// Entries of a column in a block of several.
    pub(crate) columns_len: usize,
    pub(crate) pieces: Vec<Piece>,
    /// Whether there are no views, and adjoints are zeroed.
    pub(crate) plain: bool,
}

/// Lays out the nodes, without views if it is to be `plain`.
pub(crate) fn lay_out<T: Real>(nodes: &mut [Node<T>], output: usize, plain: bool) -> Plan {
    let mut plan = Plan {
        plain,
        ..Plan::default()
    };
    let (backs, carried) = match plain {
        true => (vec![false; nodes.len()], vec![None; nodes.len()]),
        false => come_back_without_copies(nodes, output),
    };
    for id in 0..nodes.len() {
        let (before, rest) = nodes.split_at_mut(id);
        let node = &mut rest[0];
        node.pieces = (0, 0);
        node.few = !plain && is_few(node, before);
        if matches!(node.op, Op::Constant) {
            continue;
        }
        let (len, own) = (node.shape.len(), id as u32);
        let place = |start: usize, region: u32, view: bool| Place {
            start,
            region,
            view,
            carried: false,
        };
        let next = |total: &mut usize| {
            if is_long::<T>(len) {
                *total = total.next_multiple_of(line::<T>());
            }
            *total += len;
            *total - len
        };
        // To what depends on no input nothing comes back, and it does not move.
        let still = node.depends == Inputs::NONE;
        let seen = if plain { None } else { view(node, before) };
        node.view = seen.is_some();
        let back = seen.filter(|_| backs[id]);
        node.start = match seen {
            Some((of, from)) => before[of].start + from,
            None => next(&mut plan.values_len),
        };
        node.back = match back {
            Some((of, from)) => {
                let of = &before[of];
                let region = match of.shape.len() == len {
                    true => of.back.region,
                    false => own,
                };
                place(of.back.start + from, region, true)
            }
            None if still || carried[id].is_some() => Place::default(),
            None => place(next(&mut plan.back_len), own, false),
        };
        node.columns = match back {
            Some((of, _)) if before[of].shape.len() == len => Place {
                view: true,
                ..before[of].columns
            },
            _ if still => Place::default(),
            _ => place(next(&mut plan.columns_len), own, false),
        };
    }
    // A user has its place after all that it reads, as its operands' operands must. Its own may be that
    // of a user in turn. In a block the columns are those of tangents too, which are not carried.
    for id in (0..nodes.len()).rev() {
        if let Some(user) = carried[id] {
            let of = nodes[user].back;
            nodes[id].back = Place {
                carried: true,
                ..of
            };
        }
    }
    plan.pieces = pieces(nodes);
    plan
}

/// The node whose entries a node's are, and from which one on.
fn view<T: Real>(node: &Node<T>, before: &[Node<T>]) -> Option<(usize, usize)> {
    let Op::Linear(f) = &node.op else {
        return None;
    };
    let of = node.args[0] as usize;
    let vector = node.shape.rows == 1 || node.shape.cols == 1;
    let from = match f {
        Linear::Reshape | Linear::StopGradient | Linear::Outputs => 0,
        Linear::Transpose if vector => 0,
        Linear::Slice(from) => *from,
        _ => return None,
    };
    // Constants stand in a buffer of their own.
    (!matches!(before[of].op, Op::Constant)).then_some((of, from))
}

/// To which nodes what comes back goes straight to the operand: to the only user of all of its
/// entries, or to slices of it that have none in common. And to which it comes as it came to their only
/// user, by that user.
fn come_back_without_copies<T: Real>(
    nodes: &[Node<T>],
    output: usize,
) -> (Vec<bool>, Vec<Option<usize>>) {
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for (id, node) in nodes.iter().enumerate() {
        if node.depends != Inputs::NONE {
            node.args.iter().for_each(|a| users[*a as usize].push(id));
        }
    }
    let (mut views, mut carried) = (vec![false; nodes.len()], vec![None; nodes.len()]);
    for (id, users) in users.iter_mut().enumerate() {
        let len = nodes[id].shape.len();
        let seen = |user: &usize| view(&nodes[*user], nodes).map(|(_, from)| from);
        if let [user] = users[..]
            && id != output
            && is_carried(&nodes[id], &nodes[user], id)
        {
            carried[id] = Some(user);
        }
        if id == output || !users.iter().all(|u| seen(u).is_some()) {
            continue;
        }
        let run = |u: &usize| {
            let from = seen(u).expect("a view");
            from..from + nodes[*u].shape.len()
        };
        users.sort_by_key(|u| run(u).start);
        let apart = |pair: &[usize]| run(&pair[0]).end <= run(&pair[1]).start;
        let one = matches!(users[..], [user] if nodes[user].shape.len() == len);
        let slices = users.windows(2).all(apart) && !users.iter().any(|u| run(u).is_empty());
        if one || slices {
            users.iter().for_each(|u| views[*u] = true);
        }
    }
    // What comes back to a view stands in its operand's place.
    let both = views.iter().zip(&mut carried);
    both.filter(|(view, _)| **view)
        .for_each(|(_, user)| *user = None);
    (views, carried)
}

/// Whether what comes back to `user` comes back to its operand `id` unchanged. Inputs have a place of
/// their own, which outlasts a sweep.
fn is_carried<T: Real>(node: &Node<T>, user: &Node<T>, id: usize) -> bool {
    let side = match user.args[0] as usize == id {
        true => Side::Left,
        false => Side::Right,
    };
    let unchanged = matches!(user.op, Op::Binary(f) if f.hands_on(side));
    let own = matches!(node.op, Op::Input | Op::Constant) || node.depends == Inputs::NONE;
    unchanged && !own && node.shape == user.shape
}

/// The pieces of every node that comes back in slices.
fn pieces<T: Real>(nodes: &mut [Node<T>]) -> Vec<Piece> {
    let mut slices: Vec<(usize, u32)> = Vec::new();
    for (id, node) in nodes.iter().enumerate() {
        if node.back.view && node.back.region == id as u32 {
            // Of the node whose entries these are, were the operand all of it.
            let of = nodes[node.args[0] as usize].back.region;
            slices.push((of as usize, id as u32));
        }
    }
    slices.sort_by_key(|(of, id)| (*of, nodes[*id as usize].back.start));
    let mut pieces = Vec::new();
    for all in slices.chunk_by(|a, b| a.0 == b.0) {
        let (first, of) = (pieces.len(), all[0].0);
        let mut at = nodes[of].back.start;
        let end = at + nodes[of].shape.len();
        let gap = |from: usize, to: usize| Piece {
            slice: None,
            start: from,
            len: to - from,
        };
        for (_, id) in all {
            let node = &nodes[*id as usize];
            let (start, len) = (node.back.start, node.shape.len());
            if at < start {
                pieces.push(gap(at, start));
            }
            pieces.push(Piece {
                slice: Some(*id),
                start,
                len,
            });
            at = start + len;
        }
        if at < end {
            pieces.push(gap(at, end));
        }
        nodes[of].pieces = (first as u32, (pieces.len() - first) as u32);
    }
    pieces.shrink_to_fit();
    pieces
}

impl<T: Real> Program<T> {
    /// The same recording without a plan: every operation has a value of its own, and adjoints are
    /// zeroed and then added to.
    ///
    /// It is slower and holds more; it is there to be compared with. All that it computes has the same
    /// bits, but for the sign of a zero: a matrix product that is the first to come to a place leaves
    /// its own.
    ///
    /// # Example
    /// ```
    /// use autodiff::{Program, Shape};
    ///
    /// let f = Program::<f64>::record(&[Shape::vector(4)], |v| {
    ///     (v[0].slice(0, 2) * v[0].slice(2, 2)).tanh().sum()
    /// });
    /// let (mut planned, mut plain) = (f.point(), f.plain().point());
    /// let at: &[f64] = &[1.0, 2.0, 3.0, 4.0];
    /// assert_eq!(planned.linearise(&[at]), plain.linearise(&[at]));
    /// assert_eq!(planned.gradient(0), plain.gradient(0));
    /// ```
    #[must_use]
    pub fn plain(&self) -> Arc<Program<T>> {
        let mut nodes = self.nodes.clone();
        let plan = lay_out(&mut nodes, self.output, true);
        Arc::new(Program {
            nodes,
            constants: self.constants.clone(),
            inputs: self.inputs,
            output: self.output,
            stash_len: self.stash_len,
            scratch_len: self.scratch_len,
            plan,
        })
    }
}
