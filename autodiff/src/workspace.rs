//! The buffers of a program's sweeps.

use std::mem::swap;

use crate::adjoints::Adjoints;
use crate::block::Columns;
use crate::bytes::{Buffer, Category, Claim, Lines, Meter};
use crate::inputs::Inputs;
use crate::linearised::Linearised;
use crate::program::{Node, Op, Program};
use crate::real::Real;

/// How often a function was swept: the field's oracle counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Sweeps {
    /// Primal sweeps: function values.
    pub values: usize,
    /// Reverse sweeps: gradients.
    pub gradients: usize,
    /// Second sweeps: Hessian-vector products, each with its cross product. A block of m directions
    /// is m of them.
    pub hvps: usize,
}

impl Sweeps {
    /// The difference, 0 where it would be negative.
    pub fn saturating_sub(self, other: Self) -> Self {
        Sweeps {
            values: self.values.saturating_sub(other.values),
            gradients: self.gradients.saturating_sub(other.gradients),
            hvps: self.hvps.saturating_sub(other.hvps),
        }
    }
}

impl std::ops::AddAssign for Sweeps {
    fn add_assign(&mut self, other: Self) {
        self.values += other.values;
        self.gradients += other.gradients;
        self.hvps += other.hvps;
    }
}

impl std::ops::Sub for Sweeps {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Sweeps {
            values: self.values - other.values,
            gradients: self.gradients - other.gradients,
            hvps: self.hvps - other.hvps,
        }
    }
}

/// The buffers of one program's sweeps, made once and used many times.
///
/// Values are there from the start; the buffers of the other sweeps are made at their first use,
/// and again at the first of a wider block of directions, after which nothing is allocated.
pub(crate) struct Workspace<T: Real> {
    pub(crate) values: Lines<T>,
    pub(crate) stash: Buffer<T>,
    /// Made at the first sweep, so that a taped step has none of its own.
    pub(crate) scratch: Buffer<T>,
    pub(crate) adjoints: Adjoints<T>,
    pub(crate) tangents: Lines<T>,
    pub(crate) adjoint_tangents: Adjoints<T>,
    pub(crate) nested: Vec<Workspace<T>>,
    pub(crate) sweeps: Sweeps,
    /// What the sweeps left in the buffers.
    pub(crate) state: Linearised,
    /// How many of the last inputs keep what they were set to: nothing else is given for them.
    pub(crate) held: usize,
    /// Whether another rank swept in its own: inputs and results are here, and no values between.
    pub(crate) elsewhere: bool,
    /// Whether the buffers of tangents, of a leaf, are another one's: see
    /// [`hand_tangents_on`](Workspace::hand_tangents_on).
    pub(crate) handed_on: bool,
    /// Whether all buffers are: see [`hand_all_on`](Workspace::hand_all_on).
    pub(crate) passed_on: bool,
    /// Whether a joint sweep of a leaf was made with the primal one of the sum.
    pub(crate) ahead: bool,
    scratch_len: usize,
    meter: Meter,
    /// A tape of small steps holds as many bytes in these structures as in their buffers.
    _own_bytes: Claim,
}

impl<T: Real> Workspace<T> {
    #[inline(never)]
    pub(crate) fn new(program: &Program<T>, meter: &Meter) -> Self {
        let inner = || program.nodes.iter().flat_map(|n| n.op.inner());
        let mut nested = Vec::with_capacity(inner().count());
        nested.extend(inner().map(|of| Workspace::new(of, meter)));
        Workspace {
            values: Lines::zeros(program.plan.values_len, Category::Values, meter),
            stash: Buffer::zeros(program.stash_len, Category::Values, meter),
            scratch: Buffer::zeros(0, Category::Values, meter),
            adjoints: Adjoints::new(program, meter),
            tangents: Lines::zeros(0, Category::Tangents, meter),
            adjoint_tangents: Adjoints::new(program, meter),
            nested,
            sweeps: Sweeps::default(),
            state: Linearised::Not,
            held: 0,
            elsewhere: false,
            handed_on: false,
            passed_on: false,
            ahead: false,
            scratch_len: program.scratch_len,
            meter: meter.clone(),
            _own_bytes: Claim::new(Self::own_bytes(program), Category::Values, meter),
        }
    }

    /// Bytes of a workspace of `program` before its first sweep.
    pub(crate) fn bytes(program: &Program<T>) -> usize {
        Self::linearisation_bytes(program, Category::Values)
    }

    /// Unwinds if the meter says so.
    #[inline]
    pub(crate) fn stop_if_interrupted(&self) {
        self.meter.interrupt().look();
    }

    /// Sets input `k`.
    ///
    /// # Panics
    /// If the length differs from the input's.
    #[track_caller]
    pub(crate) fn set_input(&mut self, program: &Program<T>, k: usize, data: &[T]) {
        let shape = program.input_shape(k);
        assert!(
            data.len() == shape.len(),
            "input {k} has {} entries: expected {shape}",
            data.len()
        );
        self.values[program.nodes[k].place()].copy_from_slice(data);
        self.state.set(k);
    }

    /// What input `k` was set to.
    pub(crate) fn input(&self, program: &Program<T>, k: usize) -> &[T] {
        &self.values[input(program, k).place()]
    }

    /// The program's value, after a primal sweep.
    pub(crate) fn output<'a>(&'a self, program: &'a Program<T>) -> &'a [T] {
        program.value(program.output as u32, &self.values)
    }

    /// The tangents of the value along `width` directions of the inputs in `moving`, after a tangent
    /// sweep; `None` where they are zero.
    pub(crate) fn output_tangent(
        &self,
        program: &Program<T>,
        moving: Inputs,
        width: usize,
    ) -> Option<&[T]> {
        let output = program.reached(program.output as u32, moving)?;
        Some(&self.tangents[Columns::all(width).of(output)])
    }

    /// The adjoint of input `k`, after a reverse sweep.
    ///
    /// # Panics
    /// If the last reverse sweep was not asked for it, or an input was set since.
    #[track_caller]
    pub(crate) fn adjoint(&self, program: &Program<T>, k: usize) -> &[T] {
        let (node, by) = (input(program, k), self.state.by());
        assert!(
            by.contains(Inputs::one(k)),
            "the gradient by input {k} was not computed ({}): differentiate or linearise by it first",
            by.last(program.inputs)
        );
        self.adjoints.of(node).expect("settled by the sweep")
    }

    /// The adjoint's tangent of input `k`, after a second sweep: as many columns, one after the
    /// other, as that sweep had directions.
    ///
    /// # Panics
    /// If the last second sweep was not asked for it, or another primal or reverse sweep was made or
    /// an input set since.
    #[track_caller]
    pub(crate) fn adjoint_tangent(&self, program: &Program<T>, k: usize) -> &[T] {
        let node = input(program, k);
        match self.state.of() {
            Some((of, block)) if of.contains(Inputs::one(k)) => {
                &self.adjoint_tangents[Columns::all(block.width).back_of(node)]
            }
            other => panic!(
                "the product by input {k} was not computed ({}): make a second sweep for it at \
                 this point first",
                other
                    .map_or(Inputs::NONE, |(of, _)| of)
                    .last(program.inputs)
            ),
        }
    }

    /// [`output`](Workspace::output), to be written; `None` if it is a constant.
    pub(crate) fn output_mut(&mut self, program: &Program<T>) -> Option<&mut [T]> {
        let output = &program.nodes[program.output];
        let varies = !matches!(output.op, Op::Constant);
        varies.then(|| &mut self.values[output.place()])
    }

    /// [`output_tangent`](Workspace::output_tangent), to be written.
    pub(crate) fn output_tangent_mut(
        &mut self,
        program: &Program<T>,
        moving: Inputs,
        width: usize,
    ) -> Option<&mut [T]> {
        let output = program.reached(program.output as u32, moving)?;
        Some(&mut self.tangents[Columns::all(width).of(output)])
    }

    /// How often the function `of` was swept by the gradients inside this workspace's program.
    pub(crate) fn sweeps_of(&self, program: &Program<T>, of: &Program<T>) -> Sweeps {
        let mut total = Sweeps::default();
        for node in &program.nodes {
            if let Op::Gradient { of: inner, .. } = &node.op
                && std::ptr::eq(&**inner, of)
            {
                total += self.nested[node.nested as usize].sweeps;
            }
        }
        total
    }

    /// The adjoint of input `k` that was computed last in this buffer, of whichever linearisation
    /// it was.
    pub(crate) fn latest_adjoint(&self, program: &Program<T>, k: usize) -> &[T] {
        &self.adjoints[Columns::all(1).back_of(input(program, k))]
    }

    /// Exchanges all that is no part of the linearisation: the buffers that a reverse sweep of
    /// this program, and the second sweeps inside it, write before they read, and the counts.
    pub(crate) fn swap_scratch(&mut self, other: &mut Self) {
        swap(&mut self.adjoints, &mut other.adjoints);
        self.state.forget_derivatives();
        other.state.forget_derivatives();
        self.swap_tangents(other);
    }

    fn swap_tangents(&mut self, other: &mut Self) {
        swap(&mut self.scratch, &mut other.scratch);
        swap(&mut self.tangents, &mut other.tangents);
        swap(&mut self.adjoint_tangents, &mut other.adjoint_tangents);
        self.state.forget_products();
        other.state.forget_products();
        swap(&mut self.sweeps, &mut other.sweeps);
        // The adjoints of the gradients inside stay: they are what a second sweep starts from.
        for (a, b) in self.nested.iter_mut().zip(&mut other.nested) {
            a.swap_tangents(b);
        }
    }

    /// Gives the buffers of the last sweep along `width` directions to `next` and takes its own, where
    /// they are as long. The output's tangents, and those of the inputs' adjoints, stay.
    #[inline(never)]
    pub(crate) fn hand_tangents_on(&mut self, program: &Program<T>, width: usize, next: &mut Self) {
        let fit = self.tangents.len() == next.tangents.len()
            && self.adjoint_tangents.fits(&next.adjoint_tangents);
        if !fit {
            return;
        }
        swap(&mut self.tangents, &mut next.tangents);
        swap(&mut self.adjoint_tangents, &mut next.adjoint_tangents);
        self.handed_on = true;
        let all = Columns::all(width);
        let output = all.of(&program.nodes[program.output]);
        if let Some(moved) = next.tangents.get(output.clone()) {
            self.tangents[output].copy_from_slice(moved);
        }
        for node in &program.nodes[..program.inputs] {
            let from = &next.adjoint_tangents;
            self.adjoint_tangents.keep(from, node, width);
        }
    }

    /// Gives all buffers to `next`, which is swept after this one, and takes its own, where they are as
    /// long. The value stays, and what came to the inputs; what is between is gone.
    #[inline(never)]
    pub(crate) fn hand_all_on(&mut self, program: &Program<T>, next: &mut Self) {
        let fit = self.values.len() == next.values.len()
            && self.stash.len() == next.stash.len()
            && self.scratch.len() == next.scratch.len()
            && self.adjoints.fits(&next.adjoints);
        if !fit {
            return;
        }
        swap(&mut self.values, &mut next.values);
        swap(&mut self.stash, &mut next.stash);
        swap(&mut self.scratch, &mut next.scratch);
        swap(&mut self.adjoints, &mut next.adjoints);
        (self.passed_on, next.state) = (true, Linearised::Not);
        if let Some(out) = self.output_mut(program) {
            out.copy_from_slice(next.output(program));
        }
        for node in &program.nodes[..program.inputs] {
            self.adjoints.keep(&next.adjoints, node, 1);
        }
        self.hand_tangents_on(program, 1, next);
    }

    /// Whether its values are here: not another rank's, and not handed on.
    pub(crate) fn is_here(&self) -> bool {
        !self.elsewhere && !self.passed_on
    }

    /// Bytes of the structure itself.
    fn own_bytes(program: &Program<T>) -> usize {
        size_of::<Self>() + 2 * Adjoints::marks_bytes(program)
    }

    /// Bytes of one category in a workspace after a primal sweep, its scratch taken away.
    #[inline(never)]
    pub(crate) fn linearisation_bytes(program: &Program<T>, category: Category) -> usize {
        let own = match category {
            Category::Values => {
                Lines::<T>::bytes(program.plan.values_len)
                    + program.stash_len * size_of::<T>()
                    + Self::own_bytes(program)
            }
            _ => 0,
        };
        let nested = program.nodes.iter().flat_map(|n| n.op.inner());
        let nested = nested.map(|of| {
            let adjoints = match category {
                Category::Adjoints => Adjoints::bytes(of, 1),
                _ => 0,
            };
            adjoints + Self::linearisation_bytes(of, category)
        });
        own + nested.sum::<usize>()
    }

    /// Appends the lengths of the buffers that were made at a first use: four of this workspace,
    /// then those of the ones inside it.
    pub(crate) fn note_room(&self, lengths: &mut Vec<usize>) {
        lengths.extend([
            self.scratch.len(),
            self.adjoints.len(),
            self.tangents.len(),
            self.adjoint_tangents.len(),
        ]);
        self.nested
            .iter()
            .for_each(|inner| inner.note_room(lengths));
    }

    /// Makes buffers of the lengths that were noted; whether these are lengths that a workspace of
    /// this program can have.
    pub(crate) fn make_room(
        &mut self,
        program: &Program<T>,
        lengths: &mut impl Iterator<Item = usize>,
    ) -> bool {
        let mut next = || lengths.next();
        let (Some(scratch), Some(adjoints), Some(tangents), Some(products)) =
            (next(), next(), next(), next())
        else {
            return false;
        };
        let plan = &program.plan;
        let one = |made: usize, whole: usize| made == 0 || made == whole;
        let widest = tangents.checked_div(plan.columns_len).unwrap_or(0);
        let scratches = self.scratch_len..=program.scratch_len(widest.max(1));
        let columns = |made: usize, whole: usize| {
            let block = plan.columns_len > 0 && made.is_multiple_of(plan.columns_len);
            one(made, whole) || block
        };
        let possible = (scratch == 0 || scratches.contains(&scratch))
            && one(adjoints, plan.back_len)
            && columns(tangents, plan.values_len)
            && columns(products, plan.back_len);
        if !possible {
            return false;
        }
        if self.scratch.len() < scratch {
            self.scratch.resize(scratch);
        }
        if adjoints > 0 {
            self.adjoints.make(adjoints);
        }
        if self.tangents.len() < tangents {
            self.tangents.resize(tangents);
        }
        if products > 0 {
            self.adjoint_tangents.make(products);
        }
        let inner = program.nodes.iter().flat_map(|n| n.op.inner());
        let mut inner = self.nested.iter_mut().zip(inner);
        inner.all(|(work, of)| work.make_room(of, &mut *lengths))
    }

    /// Makes the buffers of second sweeps along `width` directions.
    pub(crate) fn make_second(&mut self, program: &Program<T>, width: usize) {
        self.make_tangents(program, width);
        self.adjoint_tangents.make(program.back_len(width));
        let inner = program.nodes.iter().flat_map(|n| n.op.inner());
        let inner = self.nested.iter_mut().zip(inner);
        inner.for_each(|(work, of)| work.make_second(of, width));
    }

    pub(crate) fn make_scratch(&mut self) {
        if self.scratch.len() < self.scratch_len {
            self.scratch.resize(self.scratch_len);
        }
    }

    /// Room for `width` columns, and the scratch of such a block; what was made for more stays.
    pub(crate) fn make_tangents(&mut self, program: &Program<T>, width: usize) {
        let len = program.tangents_len(width);
        if self.tangents.len() < len {
            self.tangents.resize(len);
        }
        if width > 1 && self.scratch.len() < program.scratch_len(width) {
            self.scratch.resize(program.scratch_len(width));
        }
    }
}

#[track_caller]
fn input<T: Real>(program: &Program<T>, k: usize) -> &Node<T> {
    // A shape that there is: node `k` is an input.
    let _ = program.input_shape(k);
    &program.nodes[k]
}
