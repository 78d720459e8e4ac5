//! The pass over samples that fused losses are made of, in vector instructions.

pub use pulp::Simd;
use pulp::WithSimd;

use crate::real::Real;
use crate::simd::dispatch;

mod packed;

pub use packed::{pack, packed_classes, unpack};

/// The samples that a [`RowPass`] goes over.
#[derive(Clone, Copy, Debug)]
pub struct Picked<'a, T> {
    /// Samples, one after the other.
    pub table: &'a [T],
    /// The indices of those that it goes over, where it is not all of them in their order.
    pub at: Option<&'a [T]>,
}

impl<'a, T: Copy> Picked<'a, T> {
    /// The samples that it goes over, from `first` on, `len` of them with `d` entries each.
    #[must_use]
    pub fn part(self, first: usize, len: usize, d: usize) -> Self {
        match self.at {
            Some(at) => Picked {
                table: self.table,
                at: Some(&at[first..first + len]),
            },
            None => Picked {
                table: &self.table[first * d..(first + len) * d],
                at: None,
            },
        }
    }
}

/// One pass over samples `a_i`: for each and each of the N weights `z_k = W_k a_i`, then a rule turns
/// them into coefficients, then `sum_k += z_k a_iᵀ`. Four samples go together, so that each is read
/// from memory once.
#[derive(Debug)]
pub struct RowPass<'a, T, const N: usize> {
    /// The samples.
    pub rows: Picked<'a, T>,
    /// Entries of a sample.
    pub dim: usize,
    /// Each `W` as [`pack`] lays it out, or a single vector.
    pub weights: [&'a [T]; N],
    /// Overwritten with the sums, in the same layout, where they are asked for.
    pub sums: [Option<&'a mut [T]>; N],
    /// As many entries as [`RowPass::scratch_len`] says.
    pub scratch: &'a mut [T],
}

impl<'a, T: Real, const N: usize> RowPass<'a, T, N> {
    /// A pass; `scratch` may be longer than it has to be.
    pub fn new(
        rows: Picked<'a, T>,
        dim: usize,
        weights: [&'a [T]; N],
        sums: [Option<&'a mut [T]>; N],
        scratch: &'a mut [T],
    ) -> Self {
        RowPass {
            rows,
            dim,
            scratch: &mut scratch[..4 * N * weights[0].len() / dim.max(1)],
            weights,
            sums,
        }
    }

    /// The scratch of a pass with this many classes.
    pub fn scratch_len(classes: usize) -> usize {
        4 * N * packed_classes::<T>(classes)
    }
}

/// What a [`RowPass`] does with the products of each sample.
///
/// Its method should be `#[inline(always)]`: it is compiled for the vector instructions that are
/// found when the program runs.
pub trait Rule<T, const N: usize> {
    /// Replaces the products of up to four samples, the first of which has index `first` in the
    /// rows, by their coefficients. `z[k]` holds them for `weights[k]`, sample after sample, each in
    /// as many entries as there are packed classes; those beyond the classes are 0 and must stay
    /// so.
    fn apply<S: Simd>(&mut self, simd: S, first: usize, z: [&mut [T]; N]);
}

/// The vector kernels of a scalar type.
pub trait Rows: Sized {
    /// Runs a pass.
    ///
    /// The order of all sums depends on the sizes and the processor's instructions alone, and each
    /// sum is bitwise that of a pass with its weights alone.
    ///
    /// # Panics
    /// If the lengths do not fit each other.
    fn row_pass<const N: usize>(pass: RowPass<'_, Self, N>, rule: impl Rule<Self, N>);
}

macro_rules! rows {
    ($type:ident, $kernel:ident, $v:ident, $lanes:ident, $split:ident, $split_mut:ident,
     $splat:ident, $fma:ident, $add:ident, $sum:ident) => {
        struct $kernel<'a, R, const N: usize> {
            pass: RowPass<'a, $type, N>,
            rule: R,
        }

        impl Rows for $type {
            fn row_pass<const N: usize>(pass: RowPass<'_, $type, N>, rule: impl Rule<$type, N>) {
                let (d, len) = (pass.dim, pass.weights[0].len());
                assert_eq!(pass.rows.table.len() % d, 0, "whole samples");
                assert_eq!(len % d, 0, "whole weights");
                for (weights, sum) in pass.weights.iter().zip(&pass.sums) {
                    assert_eq!(weights.len(), len, "weights of one size");
                    let fits = sum.as_ref().is_none_or(|sum| sum.len() == len);
                    assert!(fits, "sums as large as the weights");
                }
                assert_eq!(
                    pass.scratch.len(),
                    4 * N * len / d,
                    "scratch for four samples"
                );
                dispatch($kernel { pass, rule });
            }
        }

        impl<R: Rule<$type, N>, const N: usize> WithSimd for $kernel<'_, R, N> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                let RowPass {
                    rows,
                    dim: d,
                    weights,
                    mut sums,
                    scratch,
                } = self.pass;
                let mut rule = self.rule;
                let stride = weights[0].len() / d;
                sums.iter_mut().flatten().for_each(|sum| sum.fill(0.0));
                let mut products = scratch.chunks_exact_mut(4 * stride);
                let mut z: [&mut [$type]; N] =
                    std::array::from_fn(|_| products.next().expect("scratch for each"));
                let Picked { table, at } = rows;
                let n = at.map_or(table.len() / d, <[$type]>::len);
                let row = |i: usize| {
                    let i = at.map_or(i, |at| at[i] as usize);
                    &table[i * d..(i + 1) * d]
                };
                for first in (0..n).step_by(4) {
                    let count = 4.min(n - first);
                    // A group that is not full repeats its first sample, with coefficient 0.
                    let quad: [&[$type]; 4] =
                        std::array::from_fn(|k| row(first + if k < count { k } else { 0 }));
                    for (z, weights) in z.iter_mut().zip(weights) {
                        if stride == 1 {
                            z.copy_from_slice(&dots(simd, quad, weights));
                        } else {
                            logits(simd, quad, weights, z);
                        }
                    }
                    let mut rest = z.iter_mut();
                    let given = std::array::from_fn(|_| {
                        let z = rest.next().expect("products for each");
                        let (given, beyond) = z.split_at_mut(count * stride);
                        beyond.fill(0.0);
                        given
                    });
                    rule.apply(simd, first, given);
                    for (z, sum) in z.iter().zip(&mut sums) {
                        let Some(sum) = sum else { continue };
                        if stride == 1 {
                            update(simd, sum, quad, [z[0], z[1], z[2], z[3]]);
                        } else {
                            updates(simd, sum, quad, z);
                        }
                    }
                }

                #[inline(always)]
                fn dots<S: Simd>(simd: S, rows: [&[$type]; 4], v: &[$type]) -> [$type; 4] {
                    let (v_head, v_tail) = S::$split(v);
                    let parts = rows.map(|r| S::$split(&r[..v.len()]));
                    let n = v_head.len();
                    let heads = parts.map(|p| &p.0[..n]);
                    let zero = simd.$splat(0.0);
                    // Two sums for each sample hide the latency of an addition.
                    let mut even = [zero; 4];
                    let mut odd = [zero; 4];
                    let mut j = 0;
                    while j + 2 <= n {
                        for k in 0..4 {
                            even[k] = simd.$fma(heads[k][j], v_head[j], even[k]);
                            odd[k] = simd.$fma(heads[k][j + 1], v_head[j + 1], odd[k]);
                        }
                        j += 2;
                    }
                    if j < n {
                        for k in 0..4 {
                            even[k] = simd.$fma(heads[k][j], v_head[j], even[k]);
                        }
                    }
                    std::array::from_fn(|k| {
                        let mut sum = simd.$sum(simd.$add(even[k], odd[k]));
                        for (a, b) in parts[k].1.iter().zip(v_tail) {
                            sum += a * b;
                        }
                        sum
                    })
                }

                #[inline(always)]
                fn update<S: Simd>(
                    simd: S,
                    out: &mut [$type],
                    rows: [&[$type]; 4],
                    scale: [$type; 4],
                ) {
                    let parts = rows.map(|r| S::$split(&r[..out.len()]));
                    let (head, tail) = S::$split_mut(out);
                    let heads = parts.map(|p| &p.0[..head.len()]);
                    let splat = scale.map(|s| simd.$splat(s));
                    for (j, out) in head.iter_mut().enumerate() {
                        let mut sum = *out;
                        for k in 0..4 {
                            sum = simd.$fma(heads[k][j], splat[k], sum);
                        }
                        *out = sum;
                    }
                    for (j, out) in tail.iter_mut().enumerate() {
                        for k in 0..4 {
                            *out += parts[k].1[j] * scale[k];
                        }
                    }
                }

                #[inline(always)]
                fn logits<S: Simd>(simd: S, rows: [&[$type]; 4], w: &[$type], z: &mut [$type]) {
                    let (w, z) = (S::$split(w).0, S::$split_mut(z).0);
                    let stride = z.len() / 4;
                    let mut at = 0;
                    while at < stride {
                        at += match (stride, stride - at) {
                            // Weights of one tile stand in arrays, which needs no checks.
                            (1, _) => logits_tile::<S, 1>(simd, rows, w.as_chunks().0, z, 0),
                            (2, _) => logits_tile::<S, 2>(simd, rows, w.as_chunks().0, z, 0),
                            (3, _) => logits_tile::<S, 3>(simd, rows, w.as_chunks().0, z, 0),
                            (_, 1) => logits_tile::<S, 1>(simd, rows, tile(w, stride, at), z, at),
                            (_, 2) => logits_tile::<S, 2>(simd, rows, tile(w, stride, at), z, at),
                            (_, _) => logits_tile::<S, 3>(simd, rows, tile(w, stride, at), z, at),
                        };
                    }
                }

                /// `N` vectors of each feature's, from `at` on.
                #[inline(always)]
                fn tile<V, const N: usize>(
                    w: &[V],
                    stride: usize,
                    at: usize,
                ) -> impl IntoIterator<Item = &[V; N]> {
                    w.chunks_exact(stride)
                        .map(move |w| w[at..].first_chunk().expect("a whole tile"))
                }

                #[inline(always)]
                fn logits_tile<'w, S: Simd, const N: usize>(
                    simd: S,
                    [r0, r1, r2, r3]: [&[$type]; 4],
                    w: impl IntoIterator<Item = &'w [S::$v; N]>,
                    z: &mut [S::$v],
                    at: usize,
                ) -> usize {
                    let stride = z.len() / 4;
                    let mut sums = [[simd.$splat(0.0); N]; 4];
                    let rows = r0.iter().zip(r1).zip(r2).zip(r3);
                    for ((((a0, a1), a2), a3), w) in rows.zip(w) {
                        for (sum, a) in sums.iter_mut().zip([a0, a1, a2, a3]) {
                            let a = simd.$splat(*a);
                            for q in 0..N {
                                sum[q] = simd.$fma(a, w[q], sum[q]);
                            }
                        }
                    }
                    for k in 0..4 {
                        z[k * stride + at..][..N].copy_from_slice(&sums[k]);
                    }
                    N
                }

                #[inline(always)]
                fn updates<S: Simd>(simd: S, out: &mut [$type], rows: [&[$type]; 4], z: &[$type]) {
                    let (out, z) = (S::$split_mut(out).0, S::$split(z).0);
                    let stride = z.len() / 4;
                    let mut at = 0;
                    while at < stride {
                        let left = stride - at;
                        at += match stride {
                            1 => updates_tile::<S, 1>(simd, out.as_chunks_mut().0, rows, z, 0),
                            2 => updates_tile::<S, 2>(simd, out.as_chunks_mut().0, rows, z, 0),
                            3 => updates_tile::<S, 3>(simd, out.as_chunks_mut().0, rows, z, 0),
                            _ => {
                                let out = out.chunks_exact_mut(stride).map(|out| &mut out[at..]);
                                match left {
                                    1 => updates_tile::<S, 1>(simd, out.map(leading), rows, z, at),
                                    2 => updates_tile::<S, 2>(simd, out.map(leading), rows, z, at),
                                    _ => updates_tile::<S, 3>(simd, out.map(leading), rows, z, at),
                                }
                            }
                        };
                    }
                }

                #[inline(always)]
                fn leading<V, const N: usize>(out: &mut [V]) -> &mut [V; N] {
                    out.first_chunk_mut().expect("a whole tile")
                }

                #[inline(always)]
                fn updates_tile<'o, S: Simd, const N: usize>(
                    simd: S,
                    out: impl IntoIterator<Item = &'o mut [S::$v; N]>,
                    [r0, r1, r2, r3]: [&[$type]; 4],
                    z: &[S::$v],
                    at: usize,
                ) -> usize {
                    let stride = z.len() / 4;
                    let scale: [[S::$v; N]; 4] =
                        std::array::from_fn(|k| std::array::from_fn(|q| z[k * stride + at + q]));
                    let rows = r0.iter().zip(r1).zip(r2).zip(r3);
                    for ((((a0, a1), a2), a3), out) in rows.zip(out) {
                        let a = [a0, a1, a2, a3].map(|a| simd.$splat(*a));
                        for q in 0..N {
                            let mut sum = simd.$fma(a[0], scale[0][q], out[q]);
                            sum = simd.$fma(a[1], scale[1][q], sum);
                            sum = simd.$fma(a[2], scale[2][q], sum);
                            out[q] = simd.$fma(a[3], scale[3][q], sum);
                        }
                    }
                    N
                }
            }
        }
    };
}

rows!(
    f64,
    Rows64,
    f64s,
    F64_LANES,
    as_simd_f64s,
    as_mut_simd_f64s,
    splat_f64s,
    mul_add_f64s,
    add_f64s,
    reduce_sum_f64s
);
rows!(
    f32,
    Rows32,
    f32s,
    F32_LANES,
    as_simd_f32s,
    as_mut_simd_f32s,
    splat_f32s,
    mul_add_f32s,
    add_f32s,
    reduce_sum_f32s
);
