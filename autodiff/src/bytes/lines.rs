//! The entries of a program's sweeps, which start at a line in memory.

use std::ops::{Deref, DerefMut};

use super::{Buffer, Category, Meter};
use crate::real::Real;
use crate::rows::alignment;
use crate::simd::{LINE, is_long};

/// A [`Buffer`] whose first entry stands at the start of a line if it is [long](is_long): a vector that
/// lies across two lines is read and written as two.
#[derive(Debug)]
pub(crate) struct Lines<T: Real> {
    all: Buffer<T>,
    first: usize,
    len: usize,
}

impl<T: Real> Lines<T> {
    /// `len` zeros, counted under `category`.
    pub(crate) fn zeros(len: usize, category: Category, meter: &Meter) -> Self {
        let slack = Self::slack(len);
        let all: Buffer<T> = Buffer::zeros(len + slack, category, meter);
        let first = all.as_ptr().align_offset(LINE).min(slack);
        Lines { all, first, len }
    }

    /// Makes it exactly `len` entries long. If it is not, its entries become zeros.
    pub(crate) fn resize(&mut self, len: usize) {
        if self.len != len {
            let slack = Self::slack(len);
            self.all.resize(len + slack);
            self.first = self.all.as_ptr().align_offset(LINE).min(slack);
            self.len = len;
        }
    }

    /// Bytes of so many entries: the same wherever in memory they are.
    pub(crate) fn bytes(len: usize) -> usize {
        (len + Self::slack(len)) * size_of::<T>()
    }

    fn slack(len: usize) -> usize {
        match is_long::<T>(len) {
            true => alignment::<T>(),
            false => 0,
        }
    }
}

impl<T: Real> Deref for Lines<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        &self.all[self.first..][..self.len]
    }
}

impl<T: Real> DerefMut for Lines<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.all[self.first..][..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Columns;
    use crate::inputs::Inputs;
    use crate::program::{Node, Program};
    use crate::shape::Shape;
    use crate::sweep::Sweep;
    use crate::workspace::Workspace;

    fn check<T: Real>() {
        let meter = Meter::new();
        let mut lines = Lines::<T>::zeros(3, Category::Values, &meter);
        for len in [0, 3, 1023, 1024, 5001, 7] {
            lines.resize(len);
            assert_eq!((lines.len(), lines.iter().count()), (len, len));
            assert_eq!(meter.read().live(), Lines::<T>::bytes(len));
            let place = lines.as_ptr().align_offset(LINE);
            assert!(place == 0 || !is_long::<T>(len), "{len} entries");
        }
    }

    #[test]
    fn long_values_and_what_comes_back_to_them_start_at_a_line() {
        let n = 700;
        let program = Program::<f64>::record(&[Shape::SCALAR, Shape::vector(n)], |v| {
            let a = (v[1] * v[0]).exp() + v[1].slice(0, 1);
            (a.square() * a).sum()
        });
        let mut work = Workspace::new(&program, &Meter::new());
        work.set_input(&program, 0, &[0.5]);
        work.set_input(&program, 1, &vec![0.1; n]);
        let t = vec![1.0; n];
        Sweep::of(&program, &mut work).joint(true, &[None, Some(&t)], Inputs::ALL);
        let long = |node: &&Node<f64>| node.shape.len() == n;
        let nodes: Vec<_> = program.nodes.iter().filter(long).collect();
        assert_eq!(nodes.len(), 6, "{program:?}");
        for node in nodes {
            let back = Columns::all(1).back_of(node);
            let (values, moved) = (&work.values[node.place()], &work.tangents[node.place()]);
            let (u, du) = (&work.adjoints[back.clone()], &work.adjoint_tangents[back]);
            for entries in [values, moved, u, du] {
                assert_eq!(entries.as_ptr().align_offset(LINE), 0, "{program:?}");
            }
        }
    }

    #[test]
    fn long_ones_start_at_a_line_and_their_bytes_are_as_they_are_said_to_be() {
        check::<f64>();
        check::<f32>();
    }
}
