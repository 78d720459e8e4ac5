//! Samples of one type in whole lines.

use std::sync::Arc;

use crate::simd::{LINE, line};

/// Samples of one type, one after the other.
#[derive(Clone)]
pub(crate) struct Packed<E> {
    entries: Arc<Vec<E>>,
    /// Where the first sample starts: at a multiple of a line.
    first: usize,
    /// From one sample to the next.
    pub(crate) stride: usize,
}

impl<E: Copy + Default> Packed<E> {
    /// The samples whose entries `code` gives by their number; `None` if it has none for one.
    pub(super) fn of(
        len: usize,
        width: usize,
        mut code: impl FnMut(usize) -> Option<E>,
    ) -> Option<Self> {
        let lines = width.next_multiple_of(line::<E>());
        let stride = if lines * 10 <= width * 11 {
            lines
        } else {
            width
        };
        let mut packed = Self::with_room(len, stride);
        let entries = Arc::get_mut(&mut packed.entries).expect("nobody else has it yet");
        for i in 0..len {
            for j in 0..width {
                entries.push(code(i * width + j)?);
            }
            entries.resize(packed.first + (i + 1) * stride, E::default());
        }
        Some(packed)
    }

    /// Room for `len` samples, none of them there yet.
    fn with_room(len: usize, stride: usize) -> Self {
        let slack = line::<E>() - 1;
        let mut entries = Vec::<E>::with_capacity(len * stride + slack);
        // The entries stay where they are: the vector grows no more.
        let first = entries.as_ptr().align_offset(LINE).min(slack);
        entries.resize(first, E::default());
        Packed {
            entries: Arc::new(entries),
            first,
            stride,
        }
    }

    #[inline(never)]
    pub(super) fn select(&self, samples: &[usize]) -> Self {
        let mut packed = Self::with_room(samples.len(), self.stride);
        let entries = Arc::get_mut(&mut packed.entries).expect("nobody else has it yet");
        for i in samples {
            entries.extend_from_slice(&self.all()[i * self.stride..][..self.stride]);
        }
        packed
    }

    /// All samples, each with its padding.
    pub(crate) fn all(&self) -> &[E] {
        &self.entries[self.first..]
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.all())
    }
}
