//! Products of a linearised point with directions: of second order, alone and in blocks, and of the value.

use super::Point;
use crate::inputs::Inputs;
use crate::operands::Operation;
use crate::primitive::HESSIAN_ROOM;
use crate::program::Program;
use crate::real::Real;
use crate::sparse::FewColumns;
use crate::sweep::second_bytes;

impl<T: Real> Point<T> {
    /// Predicts the bytes that the first [`second`](Point::second) sweep of a point adds.
    pub fn second_bytes(program: &Program<T>) -> usize {
        second_bytes(program, 1)
    }

    /// Predicts the bytes that the first [`second_block`](Point::second_block) sweep of a point adds,
    /// with a block of `width` directions. Buffers for the widest block stay.
    pub fn second_block_bytes(program: &Program<T>, width: usize) -> usize {
        second_bytes(program, width)
    }

    /// The derivative of all gradients along a direction of each input, `None` being zero.
    #[track_caller]
    pub fn second(&mut self, directions: &[Option<&[T]>]) {
        self.sweep().second(1, directions, Inputs::ALL);
    }

    /// [`second`](Point::second) for the gradients by the inputs `wanted` alone.
    #[track_caller]
    pub fn second_by(&mut self, directions: &[Option<&[T]>], wanted: Inputs) {
        self.sweep().second(1, directions, wanted);
    }

    /// [`second_by`](Point::second_by) along `width` directions at once: for each input that moves
    /// a block of `width` columns of its length, one after the other.
    ///
    /// A block counts as `width` Hessian-vector products and costs less, because products with a
    /// matrix become products of matrices. Each column is the same as in a sweep of its own, except
    /// for the order in which a product of matrices sums. Only a block wider than any before
    /// allocates.
    ///
    /// # Example
    /// The Hessian of g(y) = y₀² y₁ at (3, 5), both columns at once:
    /// ```
    /// use autodiff::{Inputs, Program, Shape};
    ///
    /// let g = Program::<f64>::record(&[Shape::vector(2)], |v| v[0].at(0).square() * v[0].at(1));
    /// let mut point = g.point();
    /// point.linearise(&[&[3.0, 5.0]]);
    /// point.second_block(2, &[Some(&[1.0, 0.0, 0.0, 1.0])], Inputs::ALL);
    /// assert_eq!(point.product(0), [10.0, 6.0, 6.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the block is empty, and as [`second`](Point::second).
    #[track_caller]
    pub fn second_block(&mut self, width: usize, directions: &[Option<&[T]>], wanted: Inputs) {
        self.sweep().second(width, directions, wanted);
    }

    /// Makes the buffers of [`second_block`](Point::second_block) sweeps of this width now, so that what is
    /// held does not depend on when the first of them comes.
    ///
    /// # Panics
    /// If the width is 0.
    ///
    /// # Example
    /// ```
    /// use autodiff::{Inputs, Meter, Point, Program, Shape};
    ///
    /// let f = Program::<f64>::record(&[Shape::vector(3)], |v| v[0].exp().sum());
    /// let (meter, ones) = (Meter::new(), [1.0; 6]);
    /// let mut point = Point::new(f, &meter);
    /// point.linearise(&[&[0.0; 3]]);
    /// point.make_second_block(2);
    /// let held = meter.read().live();
    /// point.second_block(2, &[Some(&ones)], Inputs::ALL);
    /// assert_eq!((meter.read().live(), point.product(0)), (held, &ones[..]));
    /// ```
    #[track_caller]
    pub fn make_second_block(&mut self, width: usize) {
        assert!(width > 0, "a block of 0 directions: expected at least 1");
        self.work.make_second(&self.program, width);
    }

    /// The derivative of the gradient by input `k`, after [`second`](Point::second): one column for
    /// each direction of a block, one after the other.
    ///
    /// # Panics
    /// If this product was not asked for since the last evaluation.
    #[track_caller]
    pub fn product(&self, k: usize) -> &[T] {
        self.work.adjoint_tangent(&self.program, k)
    }

    /// Overwrites `out`, column by column, with the second derivatives by the entries `of` of input
    /// `k`, which ascend: a block of the Hessian, which a fused loss makes of the columns of its samples
    /// alone. It counts as a Hessian-vector product for each of these entries.
    ///
    /// `room` has [`HESSIAN_ROOM`](crate::HESSIAN_ROOM) entries for each of them and one for each entry
    /// of the input.
    ///
    /// # Panics
    /// If the program does not [know](Program::knows_hessian) such blocks, was not linearised, or a
    /// length does not fit.
    #[track_caller]
    #[inline(never)]
    pub fn hessian_among(&mut self, k: usize, of: &[usize], room: &mut [T], out: &mut [T]) {
        let (node, f) = self
            .program
            .hessian_node(k)
            .expect("a program that knows blocks of its Hessian");
        let len = self.program.input_shape(k).len();
        assert!(
            out.len() == of.len() * of.len() && of.iter().all(|i| *i < len),
            "{} second derivatives among {} of {len} entries",
            out.len(),
            of.len()
        );
        let needed = HESSIAN_ROOM * of.len() + len;
        assert!(room.len() >= needed, "room of {needed} entries");
        let work = &mut self.work;
        assert!(
            work.state.bends_by(Inputs::one(k)),
            "a block of the Hessian needs a linearisation with curvature before it"
        );
        work.sweeps.hvps += of.len();
        let at = Operation {
            program: &self.program,
            node,
        };
        let stash = at.stash(&mut work.stash, &mut work.scratch);
        f.hessian_among(&at.operands(&work.values), stash, of, room, out);
    }

    /// Columns of some sparse B, one for each entry of `of`, for which the block of
    /// [`hessian_among`](Point::hessian_among) is `BᵀB`; whether they are in `out`: they are not where the
    /// samples are not sparse, or there is no room for them. Those that are there count as a
    /// Hessian-vector product each.
    ///
    /// # Panics
    /// If the program does not [know](Program::knows_hessian) blocks of its Hessian, was not linearised,
    /// or an entry is none of the input's.
    #[track_caller]
    #[inline(never)]
    pub fn hessian_roots(&mut self, k: usize, of: &[usize], out: &mut FewColumns<T>) -> bool {
        let (node, f) = self
            .program
            .hessian_node(k)
            .expect("a program that knows blocks of its Hessian");
        let len = self.program.input_shape(k).len();
        assert!(of.iter().all(|i| *i < len), "columns of {len} entries");
        let work = &mut self.work;
        assert!(
            work.state.bends_by(Inputs::one(k)),
            "columns of the Hessian's root need a linearisation with curvature before them"
        );
        let at = Operation {
            program: &self.program,
            node,
        };
        let stash = at.stash(&mut work.stash, &mut work.scratch);
        let found = f.hessian_roots(&at.operands(&work.values), stash, of, out);
        work.sweeps.hvps += if found { of.len() } else { 0 };
        found
    }

    /// The derivative of the value along a direction of each input, after
    /// [`linearise`](Point::linearise).
    #[track_caller]
    pub fn directional(&mut self, directions: &[Option<&[T]>]) -> T {
        self.expect_scalar();
        let moved = self.push_forward(directions);
        moved.map_or(T::zero(), |moved| moved[0])
    }

    /// [`push_forward`](Point::push_forward) along `width` directions at once, as in
    /// [`second_block`](Point::second_block): overwrites `out` with one derivative of the value for
    /// each, column after column.
    ///
    /// # Panics
    /// If the length of `out` is not `width` times the value's, or the block is empty.
    #[track_caller]
    pub fn directional_block(&mut self, width: usize, directions: &[Option<&[T]>], out: &mut [T]) {
        let shape = self.program.output_shape();
        assert!(
            out.len() == width * shape.len(),
            "{} derivatives of a block of {width} directions of a {shape}",
            out.len()
        );
        match self.sweep().tangent(width, directions) {
            Some(moved) => out.copy_from_slice(moved),
            None => out.fill(T::zero()),
        }
    }
}
