//! The buffers of a program's sweeps.

use std::mem::swap;

use crate::bytes::{Buffer, Category, Claim, Meter};
use crate::primitive::Need;
use crate::program::{Inputs, Op, Program};
use crate::real::Real;
use crate::sweep::Columns;

/// How often a function was swept: the field's oracle counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
pub struct Workspace<T: Real> {
    pub(crate) values: Buffer<T>,
    pub(crate) stash: Buffer<T>,
    /// Made at the first sweep, so that a taped step has none of its own.
    pub(crate) scratch: Buffer<T>,
    pub(crate) adjoints: Buffer<T>,
    pub(crate) tangents: Buffer<T>,
    pub(crate) adjoint_tangents: Buffer<T>,
    /// Columns of the last second sweep.
    products: usize,
    pub(crate) nested: Vec<Workspace<T>>,
    pub(crate) sweeps: Sweeps,
    /// What the last primal sweep left behind; `None` before the first.
    pub(crate) level: Option<Need>,
    /// The inputs whose adjoints the last reverse sweep gave, at the inputs as they are set.
    pub(crate) reversed: Inputs,
    /// The inputs whose adjoints' tangents the last second sweep gave, for these adjoints.
    pub(crate) moved: Inputs,
    /// The inputs that changed since values that no derivative rule reads were computed last;
    /// `None` before the first time.
    pub(crate) unread: Option<Inputs>,
    /// The inputs that were set since the last sweep, of a function whose gradient is taken inside
    /// another one,
    pub(crate) pending: Inputs,
    /// and whether its evaluation is left to the reverse sweep.
    pub(crate) deferred: bool,
    scratch_len: usize,
    meter: Meter,
    /// A tape of small steps holds as many bytes in these structures as in their buffers.
    _own_bytes: Claim,
}

impl<T: Real> Workspace<T> {
    pub(crate) fn new(program: &Program<T>, meter: &Meter) -> Self {
        let inner = || program.nodes.iter().filter_map(|n| n.op.gradient_of());
        let mut nested = Vec::with_capacity(inner().count());
        nested.extend(inner().map(|of| Workspace::new(of, meter)));
        Workspace {
            values: Buffer::zeros(program.values_len, Category::Values, meter),
            stash: Buffer::zeros(program.stash_len, Category::Values, meter),
            scratch: Buffer::zeros(0, Category::Values, meter),
            adjoints: Buffer::zeros(0, Category::Adjoints, meter),
            tangents: Buffer::zeros(0, Category::Tangents, meter),
            adjoint_tangents: Buffer::zeros(0, Category::Adjoints, meter),
            products: 1,
            nested,
            sweeps: Sweeps::default(),
            level: None,
            reversed: Inputs::NONE,
            moved: Inputs::NONE,
            unread: None,
            pending: Inputs::NONE,
            deferred: false,
            scratch_len: program.scratch_len,
            meter: meter.clone(),
            _own_bytes: Claim::new(size_of::<Self>(), Category::Values, meter),
        }
    }

    /// Bytes of a workspace of `program` before its first sweep.
    pub(crate) fn bytes(program: &Program<T>) -> usize {
        Self::linearisation_bytes(program, Category::Values)
    }

    /// Sets input `k`.
    ///
    /// # Panics
    /// If the length is not that of the input.
    #[track_caller]
    pub fn set_input(&mut self, program: &Program<T>, k: usize, data: &[T]) {
        let shape = program.input_shape(k);
        assert!(
            data.len() == shape.len(),
            "input {k} has {} entries: expected {shape}",
            data.len()
        );
        let start = program.nodes[k].start;
        self.values[start..start + data.len()].copy_from_slice(data);
        self.forget_derivatives();
    }

    /// Notes that the derivatives belong to other inputs or adjoints than those of now.
    pub(crate) fn forget_derivatives(&mut self) {
        self.reversed = Inputs::NONE;
        self.moved = Inputs::NONE;
    }

    /// What input `k` was set to.
    pub(crate) fn input(&self, program: &Program<T>, k: usize) -> &[T] {
        &self.values[entries(program, k)]
    }

    /// The program's value, after a primal sweep.
    pub fn output<'a>(&'a self, program: &'a Program<T>) -> &'a [T] {
        program.value(program.output as u32, &self.values)
    }

    /// The adjoint of input `k`, after a reverse sweep.
    ///
    /// # Panics
    /// If that input was not among those wanted of the last reverse sweep, or one was set since.
    #[track_caller]
    pub fn adjoint(&self, program: &Program<T>, k: usize) -> &[T] {
        let place = entries(program, k);
        assert!(
            self.reversed.contains(Inputs::one(k)),
            "the gradient by input {k} was not computed ({}): differentiate or linearise by it first",
            self.reversed.last(program.inputs)
        );
        &self.adjoints[place]
    }

    /// The adjoint's tangent of input `k`, after a second sweep: as many columns, one after the
    /// other, as that sweep had directions.
    ///
    /// # Panics
    /// If that input was not among those wanted of the last second sweep, or there was another
    /// primal or reverse sweep since, or one of the inputs was set.
    #[track_caller]
    pub fn adjoint_tangent(&self, program: &Program<T>, k: usize) -> &[T] {
        let place = entries(program, k);
        assert!(
            self.moved.contains(Inputs::one(k)),
            "the product by input {k} was not computed ({}): make a second sweep for it at this \
             point first",
            self.moved.last(program.inputs)
        );
        &self.adjoint_tangents[Columns::all(self.products).of(place)]
    }

    /// How often the function `of` was swept by the gradients inside this workspace's program.
    pub fn nested_sweeps(&self, program: &Program<T>, of: &Program<T>) -> Sweeps {
        let mut total = Sweeps::default();
        for node in &program.nodes {
            if let Op::Gradient { of: inner, .. } = &node.op
                && std::ptr::eq(&**inner, of)
            {
                total += self.nested[node.nested].sweeps;
            }
        }
        total
    }

    /// How often this workspace's program was swept.
    pub fn sweeps(&self) -> Sweeps {
        self.sweeps
    }

    /// Exchanges all that is no part of the linearisation: the buffers that a reverse sweep of
    /// this program, and the second sweeps inside it, write before they read, and the counts.
    pub(crate) fn swap_scratch(&mut self, other: &mut Self) {
        swap(&mut self.adjoints, &mut other.adjoints);
        swap(&mut self.reversed, &mut other.reversed);
        self.swap_tangents(other);
    }

    fn swap_tangents(&mut self, other: &mut Self) {
        swap(&mut self.scratch, &mut other.scratch);
        swap(&mut self.tangents, &mut other.tangents);
        swap(&mut self.adjoint_tangents, &mut other.adjoint_tangents);
        swap(&mut self.products, &mut other.products);
        swap(&mut self.moved, &mut other.moved);
        swap(&mut self.sweeps, &mut other.sweeps);
        // The adjoints of the gradients inside stay: they are what a second sweep starts from.
        for (a, b) in self.nested.iter_mut().zip(&mut other.nested) {
            a.swap_tangents(b);
        }
    }

    /// Bytes of one category in a workspace after a primal sweep, its scratch taken away.
    pub(crate) fn linearisation_bytes(program: &Program<T>, category: Category) -> usize {
        let own = match category {
            Category::Values => {
                (program.values_len + program.stash_len) * size_of::<T>() + size_of::<Self>()
            }
            _ => 0,
        };
        let nested = program.nodes.iter().filter_map(|n| n.op.gradient_of());
        let nested = nested.map(|of| {
            let adjoints = match category {
                Category::Adjoints => of.values_bytes(),
                _ => 0,
            };
            adjoints + Self::linearisation_bytes(of, category)
        });
        own + nested.sum::<usize>()
    }

    /// Whether every value is there, also those that only the caller may read.
    pub(crate) fn is_whole(&self) -> bool {
        self.unread == Some(Inputs::NONE)
    }

    /// Appends the lengths of the buffers that were made at a first use: four of this workspace,
    /// then those of the ones inside it.
    pub(crate) fn note_room(&self, lengths: &mut Vec<usize>) {
        let made = [
            &self.scratch,
            &self.adjoints,
            &self.tangents,
            &self.adjoint_tangents,
        ];
        lengths.extend(made.map(|buffer| buffer.len()));
        self.nested
            .iter()
            .for_each(|inner| inner.note_room(lengths));
    }

    /// Makes buffers of the lengths that were noted; whether these are lengths that a workspace of
    /// this program can have.
    pub(crate) fn make_room(&mut self, lengths: &mut impl Iterator<Item = usize>) -> bool {
        let mut next = || lengths.next();
        let (Some(scratch), Some(adjoints), Some(tangents), Some(products)) =
            (next(), next(), next(), next())
        else {
            return false;
        };
        let len = self.values.len();
        let one = |made: usize, whole: usize| made == 0 || made == whole;
        let columns = |made: usize| made == 0 || (len > 0 && made.is_multiple_of(len));
        let possible = one(scratch, self.scratch_len) && one(adjoints, len);
        if !possible || !columns(tangents) || !columns(products) {
            return false;
        }
        if scratch > 0 {
            self.make_scratch();
        }
        if adjoints > 0 {
            self.make_adjoints();
        }
        if self.tangents.len() < tangents {
            self.tangents.resize(tangents);
        }
        if self.adjoint_tangents.len() < products {
            self.adjoint_tangents.resize(products);
        }
        self.nested
            .iter_mut()
            .all(|inner| inner.make_room(&mut *lengths))
    }

    pub(crate) fn make_scratch(&mut self) {
        if self.scratch.len() != self.scratch_len {
            self.scratch = Buffer::zeros(self.scratch_len, Category::Values, &self.meter);
        }
    }

    pub(crate) fn make_adjoints(&mut self) {
        let len = self.values.len();
        if self.adjoints.len() != len {
            self.adjoints = Buffer::zeros(len, Category::Adjoints, &self.meter);
        }
    }

    /// Room for `width` columns; what was made for more stays.
    pub(crate) fn make_tangents(&mut self, width: usize) {
        let len = self.values.len() * width;
        if self.tangents.len() < len {
            self.tangents.resize(len);
        }
    }

    /// `width` columns of zeros; what was made for more stays.
    pub(crate) fn clear_adjoint_tangents(&mut self, width: usize) {
        let len = self.values.len() * width;
        self.products = width;
        if self.adjoint_tangents.len() < len {
            self.adjoint_tangents.resize(len);
        } else {
            self.adjoint_tangents[..len].fill(T::zero());
        }
    }
}

#[track_caller]
fn entries<T: Real>(program: &Program<T>, k: usize) -> std::ops::Range<usize> {
    let len = program.input_shape(k).len();
    let start = program.nodes[k].start;
    start..start + len
}
