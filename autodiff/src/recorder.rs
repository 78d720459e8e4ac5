//! The memory of a recording while its closure runs.

use std::cell::{Ref, RefCell};
use std::sync::Arc;

use smallvec::SmallVec;

use crate::activity::analyse;
use crate::inputs::Inputs;
use crate::plan::{Place, lay_out};
use crate::program::{Activity, Node, Op, Program};
use crate::real::Real;
use crate::rows::alignment;
use crate::rules::linear::Linear;
use crate::shape::Shape;
use crate::simd::{LINE, is_long, line};
use crate::site::Site;

/// Nodes and constants, appended through `&self` while closures hold `Copy` handles to them;
/// they are named by their numbers.
pub(crate) struct Recorder<T: Real> {
    nodes: RefCell<Vec<Node<T>>>,
    constants: RefCell<Vec<T>>,
    /// Nodes that others were recorded instead of: they go if nobody else uses them.
    superseded: RefCell<Vec<u32>>,
    /// Where nodes are said to be recorded, in place of the line that records them.
    site: RefCell<Option<Site>>,
}

impl<T: Real> Recorder<T> {
    pub(crate) fn new() -> Self {
        Recorder {
            nodes: RefCell::default(),
            constants: RefCell::default(),
            superseded: RefCell::default(),
            site: RefCell::default(),
        }
    }

    /// Appends an input; all inputs come before any other node.
    #[track_caller]
    pub(crate) fn input(&self, shape: Shape) -> u32 {
        let own = Inputs::one(self.nodes.borrow().len());
        self.push(Op::Input, SmallVec::new(), shape, own, own, 0)
    }

    #[track_caller]
    pub(crate) fn constant(&self, shape: Shape, data: impl Iterator<Item = T>) -> u32 {
        let mut constants = self.constants.borrow_mut();
        if is_long::<T>(shape.len()) {
            let whole = constants.len().next_multiple_of(line::<T>());
            constants.resize(whole, T::zero());
        }
        let start = constants.len();
        constants.extend(data);
        let none = Inputs::NONE;
        self.push(Op::Constant, SmallVec::new(), shape, none, none, start)
    }

    /// Appends an operation on recorded operands.
    #[track_caller]
    pub(crate) fn operation(
        &self,
        op: Op<T>,
        operands: impl Iterator<Item = u32>,
        shape: Shape,
    ) -> u32 {
        let args: SmallVec<[u32; 2]> = operands.collect();
        let (mut reads, mut depends) = (Inputs::NONE, Inputs::NONE);
        for a in &args {
            let node = self.node(*a);
            reads = reads.union(node.reads);
            depends = depends.union(node.depends);
        }
        if matches!(op, Op::Linear(Linear::StopGradient)) {
            depends = Inputs::NONE;
        }
        self.push(op, args, shape, reads, depends, 0)
    }

    #[track_caller]
    fn push(
        &self,
        op: Op<T>,
        args: SmallVec<[u32; 2]>,
        shape: Shape,
        reads: Inputs,
        depends: Inputs,
        start: usize,
    ) -> u32 {
        let site = match &*self.site.borrow() {
            Some(site) => site.clone(),
            None => Site::caller(),
        };
        let mut nodes = self.nodes.borrow_mut();
        let id = u32::try_from(nodes.len()).expect("a program has fewer than 2³² operations");
        nodes.push(Node {
            op,
            args,
            shape,
            reads,
            depends,
            start,
            view: false,
            few: false,
            back: Place::default(),
            columns: Place::default(),
            pieces: (0, 0),
            stash: (0, 0),
            scratch: (0, 0),
            activity: Activity::NONE,
            nested: 0,
            site,
        });
        id
    }

    /// Says where further nodes are recorded, `None` for the lines that record them; what was said
    /// before.
    pub(crate) fn set_site(&self, site: Option<Site>) -> Option<Site> {
        self.site.replace(site)
    }

    /// The number of recorded nodes.
    pub(crate) fn len(&self) -> usize {
        self.nodes.borrow().len()
    }

    /// A recorded node, to be looked at while nothing is recorded.
    pub(crate) fn node(&self, id: u32) -> Ref<'_, Node<T>> {
        Ref::map(self.nodes.borrow(), |nodes| &nodes[id as usize])
    }

    /// Whether a node is a constant of zeros.
    pub(crate) fn is_zero(&self, id: u32) -> bool {
        let node = self.node(id);
        let entries = node.place();
        matches!(node.op, Op::Constant)
            && self.constants.borrow()[entries]
                .iter()
                .all(|c| *c == T::zero())
    }

    /// Notes nodes that another was recorded instead of.
    pub(crate) fn supersede(&self, ids: &[u32]) {
        self.superseded.borrow_mut().extend(ids);
    }

    /// Takes the superseded nodes out that nobody uses, and says where the output is now.
    fn without_superseded(&mut self, output: u32) -> u32 {
        let (nodes, superseded) = (self.nodes.get_mut(), self.superseded.get_mut());
        let mut uses = vec![0; nodes.len()];
        let args = nodes.iter().flat_map(|n| &n.args);
        args.chain([&output]).for_each(|a| uses[*a as usize] += 1);
        superseded.sort_unstable();
        superseded.dedup();
        let mut gone = vec![false; nodes.len()];
        for id in superseded.drain(..).rev() {
            let node = &nodes[id as usize];
            if uses[id as usize] == 0 && !matches!(node.op, Op::Input) {
                gone[id as usize] = true;
                node.args.iter().for_each(|a| uses[*a as usize] -= 1);
            }
        }
        let place = |place: &mut u32, gone: &bool| {
            let own = *place;
            *place += u32::from(!gone);
            Some(own)
        };
        let places: Vec<u32> = gone.iter().scan(0, place).collect();
        let mut at = 0..;
        nodes.retain(|_| at.next().is_none_or(|id: usize| !gone[id]));
        for node in nodes {
            node.args.iter_mut().for_each(|a| *a = places[*a as usize]);
        }
        places[output as usize]
    }

    /// Lays out the values, the stash and the nested workspaces.
    #[inline(never)]
    pub(crate) fn finish(mut self, inputs: usize, output: u32) -> Program<T> {
        let output = match self.superseded.get_mut().is_empty() {
            true => output,
            false => self.without_superseded(output),
        };
        let mut nodes = self.nodes.into_inner();
        let shapes: Vec<Shape> = nodes.iter().map(|n| n.shape).collect();
        let (mut stash_len, mut scratch_len, mut nested) = (0, 0, 0);
        for node in &mut nodes {
            match &node.op {
                Op::Fused(primitive) => {
                    let operands: SmallVec<[Shape; 4]> =
                        node.args.iter().map(|a| shapes[*a as usize]).collect();
                    node.stash = (stash_len, primitive.stash_len(&operands));
                    stash_len += node.stash.1;
                    node.scratch = (scratch_len, primitive.scratch_len(&operands));
                    scratch_len += node.scratch.1;
                }
                Op::Gradient { .. } | Op::Leaves(_) => {
                    node.nested = nested;
                    nested += node.op.inner().count() as u32;
                }
                _ => {}
            }
        }
        analyse(&mut nodes);
        let plan = lay_out(&mut nodes, output as usize, false);
        nodes.shrink_to_fit();
        let constants = in_lines(self.constants.into_inner(), &mut nodes);
        Program {
            nodes,
            constants: Arc::new(constants),
            inputs,
            output: output as usize,
            stash_len,
            scratch_len,
            plan,
        }
    }
}

/// Moves the constants to where long ones start at a line in memory too. The bytes are the same wherever
/// that is.
fn in_lines<T: Real>(mut constants: Vec<T>, nodes: &mut [Node<T>]) -> Vec<T> {
    let places = nodes.iter_mut().filter(|n| matches!(n.op, Op::Constant));
    let mut places: Vec<&mut Node<T>> = places.collect();
    if !places.iter().any(|n| is_long::<T>(n.shape.len())) {
        constants.shrink_to_fit();
        return constants;
    }
    let slack = alignment::<T>();
    let len = constants.len() + slack;
    let mut all: Vec<T> = Vec::with_capacity(len);
    let first = all.as_ptr().align_offset(LINE).min(slack);
    all.resize(first, T::zero());
    all.append(&mut constants);
    all.resize(len, T::zero());
    places.iter_mut().for_each(|n| n.start += first);
    all
}

#[cfg(test)]
mod tests {
    use crate::simd::LINE;
    use crate::{Program, Real, Shape};

    fn check<T: Real>() {
        let numbers = |n: usize| Vec::from_iter((0..n).map(|i| T::of(i as f64 + 2.0)));
        for lens in [[3, 5, 7], [3, 2000, 1024], [4001, 1, 1024]] {
            let program = Program::<T>::record(&[Shape::SCALAR], |v| {
                let terms = lens.map(|n| (v[0] * v[0].vector(&numbers(n))).sum());
                terms[0] + terms[1] + terms[2]
            });
            let constants = program.nodes.iter().filter(|n| n.op.name() == "constant");
            let constants: Vec<&[T]> = constants.map(|n| &program.constants[n.place()]).collect();
            assert_eq!(constants, lens.map(numbers));
            for entries in constants.iter().filter(|entries| entries.len() > 1000) {
                assert_eq!(entries.as_ptr().align_offset(LINE), 0, "{lens:?}");
            }
            assert_eq!(program.constants.len(), program.constants.capacity());
        }
    }

    #[test]
    fn long_constants_start_at_a_line_and_all_are_as_they_were_given() {
        check::<f64>();
        check::<f32>();
    }
}
