//! The pass over samples that fused losses are made of, in vector instructions.

use pulp::{Arch, Simd, WithSimd};

use crate::Real;

/// The padding of classes: vectors of every processor served divide it.
pub(crate) const fn padding(bytes: usize) -> usize {
    32 / bytes
}

/// The number of classes rounded up to whole vectors: the stride of [`pack`]ed weights.
pub fn packed_classes<T: Real>(classes: usize) -> usize {
    match classes {
        1 => 1,
        _ => classes.next_multiple_of(padding(size_of::<T>())),
    }
}

/// Rearranges weights from class after class (`classes` vectors of `d`) to feature after feature,
/// each with [`packed_classes`] entries, the last ones 0.
pub fn pack<T: Real>(w: &[T], d: usize, packed: &mut [T]) {
    let (classes, stride) = (w.len() / d, packed.len() / d);
    for (j, packed) in packed.chunks_exact_mut(stride).enumerate() {
        packed.fill(T::zero());
        for c in 0..classes {
            packed[c] = w[c * d + j];
        }
    }
}

/// `out += packed`, back from the layout of [`pack`].
pub fn unpack_add<T: Real>(packed: &[T], d: usize, out: &mut [T]) {
    let (classes, stride) = (out.len() / d, packed.len() / d);
    for (j, packed) in packed.chunks_exact(stride).enumerate() {
        for c in 0..classes {
            out[c * d + j] += packed[c];
        }
    }
}

/// One pass over samples `a_i`: for each, `z = W a_i`, then a rule turns `z` into coefficients, then
/// `sum += z a_iᵀ`. Four samples go together, so that each is read from memory once.
pub struct RowPass<'a, T> {
    /// The samples, one after the other.
    pub rows: &'a [T],
    /// Entries of a sample.
    pub dim: usize,
    /// `W` as [`pack`] lays it out, or a single vector.
    pub weights: &'a [T],
    /// Overwritten with the sum, in the same layout.
    pub sum: &'a mut [T],
    /// Scratch for four times the packed classes.
    pub scratch: &'a mut [T],
}

/// The vector kernels of a scalar type.
pub trait Rows: Sized {
    /// Runs a pass. `rule(i, z)` gets the index of the sample in `rows` and its packed `z`, whose
    /// entries beyond the classes are 0 and must stay so.
    ///
    /// The order of all sums depends on the sizes and the processor's instructions alone.
    ///
    /// # Panics
    /// If the lengths do not fit each other.
    fn row_pass(pass: RowPass<'_, Self>, rule: impl FnMut(usize, &mut [Self]));
}

macro_rules! rows {
    ($type:ident, $kernel:ident, $v:ident, $lanes:ident, $split:ident, $split_mut:ident,
     $splat:ident, $fma:ident, $add:ident, $sum:ident) => {
        struct $kernel<'a, F> {
            pass: RowPass<'a, $type>,
            rule: F,
        }

        impl Rows for $type {
            fn row_pass(pass: RowPass<'_, $type>, rule: impl FnMut(usize, &mut [$type])) {
                let (d, stride) = (pass.dim, pass.weights.len() / pass.dim);
                assert_eq!(pass.rows.len() % d, 0, "whole samples");
                assert_eq!(pass.weights.len(), stride * d, "whole weights");
                assert_eq!(pass.sum.len(), stride * d, "a sum as large as the weights");
                assert_eq!(pass.scratch.len(), 4 * stride, "scratch for four samples");
                Arch::new().dispatch($kernel { pass, rule });
            }
        }

        impl<F: FnMut(usize, &mut [$type])> WithSimd for $kernel<'_, F> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                let RowPass {
                    rows,
                    dim: d,
                    weights,
                    sum,
                    scratch: z,
                } = self.pass;
                let mut rule = self.rule;
                let stride = weights.len() / d;
                sum.fill(0.0);
                let mut first = 0;
                for group in rows.chunks(4 * d) {
                    let count = group.len() / d;
                    // A group that is not full repeats its first sample, with coefficient 0.
                    let quad: [&[$type]; 4] = std::array::from_fn(|k| {
                        let k = if k < count { k } else { 0 };
                        &group[k * d..(k + 1) * d]
                    });
                    if stride == 1 {
                        let dots = dots(simd, quad, weights);
                        z.copy_from_slice(&dots);
                    } else {
                        logits(simd, quad, weights, z);
                    }
                    for k in 0..4 {
                        let z = &mut z[k * stride..(k + 1) * stride];
                        if k < count {
                            rule(first + k, z);
                        } else {
                            z.fill(0.0);
                        }
                    }
                    if stride == 1 {
                        update(simd, sum, quad, [z[0], z[1], z[2], z[3]]);
                    } else {
                        updates(simd, sum, quad, z);
                    }
                    first += 4;
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
                        at += match stride - at {
                            1 => logits_tile::<S, 1>(simd, rows, w, z, at),
                            2 => logits_tile::<S, 2>(simd, rows, w, z, at),
                            _ => logits_tile::<S, 3>(simd, rows, w, z, at),
                        };
                    }
                }

                #[inline(always)]
                fn logits_tile<S: Simd, const N: usize>(
                    simd: S,
                    rows: [&[$type]; 4],
                    w: &[S::$v],
                    z: &mut [S::$v],
                    at: usize,
                ) -> usize {
                    let stride = z.len() / 4;
                    let mut sums = [[simd.$splat(0.0); N]; 4];
                    let rows = rows.map(|r| &r[..w.len() / stride]);
                    for (j, w) in w.chunks_exact(stride).enumerate() {
                        let w = &w[at..at + N];
                        for k in 0..4 {
                            let a = simd.$splat(rows[k][j]);
                            for q in 0..N {
                                sums[k][q] = simd.$fma(a, w[q], sums[k][q]);
                            }
                        }
                    }
                    for k in 0..4 {
                        for q in 0..N {
                            z[k * stride + at + q] = sums[k][q];
                        }
                    }
                    N
                }

                #[inline(always)]
                fn updates<S: Simd>(simd: S, out: &mut [$type], rows: [&[$type]; 4], z: &[$type]) {
                    let (out, z) = (S::$split_mut(out).0, S::$split(z).0);
                    let stride = z.len() / 4;
                    let mut at = 0;
                    while at < stride {
                        at += match stride - at {
                            1 => updates_tile::<S, 1>(simd, out, rows, z, at),
                            2 => updates_tile::<S, 2>(simd, out, rows, z, at),
                            _ => updates_tile::<S, 3>(simd, out, rows, z, at),
                        };
                    }
                }

                #[inline(always)]
                fn updates_tile<S: Simd, const N: usize>(
                    simd: S,
                    out: &mut [S::$v],
                    rows: [&[$type]; 4],
                    z: &[S::$v],
                    at: usize,
                ) -> usize {
                    let stride = z.len() / 4;
                    let mut scale = [[simd.$splat(0.0); N]; 4];
                    for k in 0..4 {
                        for q in 0..N {
                            scale[k][q] = z[k * stride + at + q];
                        }
                    }
                    let rows = rows.map(|r| &r[..out.len() / stride]);
                    for (j, out) in out.chunks_exact_mut(stride).enumerate() {
                        let out = &mut out[at..at + N];
                        let a0 = simd.$splat(rows[0][j]);
                        let a1 = simd.$splat(rows[1][j]);
                        let a2 = simd.$splat(rows[2][j]);
                        let a3 = simd.$splat(rows[3][j]);
                        for q in 0..N {
                            let mut sum = simd.$fma(a0, scale[0][q], out[q]);
                            sum = simd.$fma(a1, scale[1][q], sum);
                            sum = simd.$fma(a2, scale[2][q], sum);
                            out[q] = simd.$fma(a3, scale[3][q], sum);
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
