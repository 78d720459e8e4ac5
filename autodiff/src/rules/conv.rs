//! Two-dimensional convolution: one walk over the taps gives the product and both adjoints.

use crate::kernels::{axpy, dot};
use crate::real::Real;
use crate::shape::Shape;

/// What a convolution takes the image to be beyond its edges; names as in NumPy's `pad`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Padding {
    /// Mirrored at the outermost pixels, which are not repeated. The value has the image's shape.
    Reflect,
    /// Periodic. The value has the image's shape.
    Wrap,
    /// Zero. The value has the image's shape.
    Zero,
    /// Nothing: the value has only the `(h − kh + 1) × (w − kw + 1)` pixels that need no padding.
    Valid,
}

/// The shapes of a convolution of one image with one or more kernels.
///
/// The formula stands at [`Var::conv2d`](crate::Var::conv2d). Each kernel is a run of `kh · kw`
/// entries, and each image of the value follows the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Conv2d {
    image: Shape,
    kernel: Shape,
    padding: Padding,
}

/// A run of pixels of the value to which one entry of a kernel brings a run of the image.
struct Run {
    out: usize,
    tap: usize,
    image: usize,
    len: usize,
}

impl Conv2d {
    /// A convolution, if the kernel fits the image.
    pub(crate) fn new(image: Shape, kernel: Shape, padding: Padding) -> Option<Self> {
        // One reflection or period has to do.
        let fits = |n: usize, k: usize| match padding {
            Padding::Reflect => k / 2 < n,
            Padding::Wrap | Padding::Valid => k <= n,
            Padding::Zero => true,
        };
        let fits = fits(image.rows, kernel.rows) && fits(image.cols, kernel.cols);
        (fits && !kernel.is_empty()).then_some(Conv2d {
            image,
            kernel,
            padding,
        })
    }

    /// The shape of the value for one kernel.
    pub(crate) fn output(self) -> Shape {
        match self.padding {
            Padding::Valid => Shape::matrix(
                self.image.rows + 1 - self.kernel.rows,
                self.image.cols + 1 - self.kernel.cols,
            ),
            _ => self.image,
        }
    }

    /// The entry of a kernel's side of `k` that stands over the pixel itself.
    fn centre(self, k: usize) -> usize {
        match self.padding {
            Padding::Valid => k - 1,
            _ => (k - 1) / 2,
        }
    }

    /// The pixel of the image, along a side of `n`, that entry `p` of `k` of the kernel brings to
    /// pixel `i` of the value.
    fn source(self, i: usize, p: usize, n: usize, k: usize) -> Option<usize> {
        let ahead = (i + self.centre(k)) as isize - p as isize;
        let n = n as isize;
        let source = match self.padding {
            _ if (0..n).contains(&ahead) => ahead,
            Padding::Zero | Padding::Valid => return None,
            Padding::Reflect if ahead < 0 => -ahead,
            Padding::Reflect => 2 * (n - 1) - ahead,
            Padding::Wrap => ahead.rem_euclid(n),
        };
        Some(source as usize)
    }

    /// Calls `f` for every run. Columns of the value are outermost, so that one stays in cache.
    fn walk(self, kernels: usize, mut f: impl FnMut(Run)) {
        let (out, rows, taps) = (self.output(), self.image.rows, self.kernel.len());
        for (j, filter) in (0..out.cols).flat_map(|j| (0..kernels).map(move |k| (j, k))) {
            for q in 0..self.kernel.cols {
                let Some(column) = self.source(j, q, self.image.cols, self.kernel.cols) else {
                    continue;
                };
                for p in 0..self.kernel.rows {
                    let tap = filter * taps + p + q * self.kernel.rows;
                    let start = filter * out.len() + j * out.rows;
                    let mut i = 0;
                    while i < out.rows {
                        let Some(from) = self.source(i, p, rows, self.kernel.rows) else {
                            i += 1;
                            continue;
                        };
                        let len = self.run(i, p).max(1);
                        f(Run {
                            out: start + i,
                            tap,
                            image: column * rows + from,
                            len,
                        });
                        i += len;
                    }
                }
            }
        }
    }

    /// How many pixels from `i` on come from consecutive pixels inside the image.
    fn run(self, i: usize, p: usize) -> usize {
        let ahead = i + self.centre(self.kernel.rows);
        if ahead < p {
            return 0;
        }
        let inside = (self.image.rows + p).saturating_sub(ahead);
        inside.min(self.output().rows - i)
    }

    fn kernels(self, k: usize) -> usize {
        k / self.kernel.len()
    }

    /// `out += B(a, k)`.
    pub(crate) fn apply<T: Real>(self, a: &[T], k: &[T], out: &mut [T]) {
        self.walk(self.kernels(k.len()), |r| {
            axpy(&mut out[r.out..][..r.len], k[r.tap], &a[r.image..][..r.len]);
        });
    }

    /// `out += ∂⟨ū, B(a, k)⟩/∂a`.
    pub(crate) fn image_adjoint<T: Real>(self, u: &[T], k: &[T], out: &mut [T]) {
        self.walk(self.kernels(k.len()), |r| {
            axpy(&mut out[r.image..][..r.len], k[r.tap], &u[r.out..][..r.len]);
        });
    }

    /// `out += ∂⟨ū, B(a, k)⟩/∂k`.
    pub(crate) fn kernel_adjoint<T: Real>(self, u: &[T], a: &[T], out: &mut [T]) {
        self.walk(self.kernels(out.len()), |r| {
            out[r.tap] += dot(&u[r.out..][..r.len], &a[r.image..][..r.len]);
        });
    }
}
