//! Convolution against its definition, entry by entry.

use autodiff::{Padding, Program, Shape};
use nalgebra::DMatrix;

use crate::operations::harness::{check_at, noise};

/// The image with `before` and `after` more rows and columns, as NumPy's `pad` gives it.
fn padded(
    a: &DMatrix<f64>,
    before: (usize, usize),
    after: (usize, usize),
    padding: Padding,
) -> DMatrix<f64> {
    let index = |i: usize, before: usize, n: usize| -> Option<usize> {
        let (i, n) = (i as i64 - before as i64, n as i64);
        let inside = match padding {
            // Up and down again without repeating either end.
            Padding::Reflect if n == 1 => 0,
            Padding::Reflect => {
                let i = i.rem_euclid(2 * n - 2);
                i.min(2 * n - 2 - i)
            }
            Padding::Wrap => i.rem_euclid(n),
            Padding::Zero | Padding::Valid => i,
        };
        (0..n).contains(&inside).then_some(inside as usize)
    };
    let (r, c) = a.shape();
    DMatrix::from_fn(
        r + before.0 + after.0,
        c + before.1 + after.1,
        |i, j| match (index(i, before.0, r), index(j, before.1, c)) {
            (Some(i), Some(j)) => a[(i, j)],
            _ => 0.0,
        },
    )
}

/// `Σ k[p, q] a[i − p, j − q]` over the padded image, where all of it is inside.
fn definition(a: &[f64], image: Shape, k: &[f64], kernel: Shape, padding: Padding) -> Vec<f64> {
    let a = DMatrix::from_column_slice(image.rows, image.cols, a);
    let (kh, kw) = (kernel.rows, kernel.cols);
    let a = match padding {
        Padding::Valid => a,
        _ => padded(&a, (kh / 2, kw / 2), ((kh - 1) / 2, (kw - 1) / 2), padding),
    };
    let mut out = Vec::new();
    for j in 0..a.ncols() + 1 - kw {
        for i in 0..a.nrows() + 1 - kh {
            let mut sum = 0.0;
            for q in 0..kw {
                for p in 0..kh {
                    sum += k[p + q * kh] * a[(i + kh - 1 - p, j + kw - 1 - q)];
                }
            }
            out.push(sum);
        }
    }
    out
}

const PADDINGS: [Padding; 4] = [
    Padding::Reflect,
    Padding::Wrap,
    Padding::Zero,
    Padding::Valid,
];

#[test]
fn one_kernel() {
    let cases = [
        ((7, 6), (3, 3)),
        ((5, 8), (5, 1)),
        ((6, 5), (2, 4)),
        ((4, 4), (1, 1)),
        ((3, 3), (3, 3)),
    ];
    for ((h, w), (kh, kw)) in cases {
        for padding in PADDINGS {
            let (image, kernel) = (Shape::matrix(h, w), Shape::matrix(kh, kw));
            let (name, shapes) = (format!("{padding:?} {image} {kernel}"), [image, kernel]);
            let a = [noise(h * w, 1), noise(kh * kw, 2)];
            let want = |a: &[Vec<f64>]| definition(&a[0], image, &a[1], kernel, padding);
            check_at::<f64, _>(&name, &shapes, &a, |v| v[0].conv2d(v[1], padding), want);
            check_at::<f32, _>(&name, &shapes, &a, |v| v[0].conv2d(v[1], padding), want);
        }
    }
}

#[test]
fn several_filters() {
    let (image, kernel, count) = (Shape::matrix(6, 5), Shape::matrix(3, 2), 4);
    let shapes = [image, Shape::matrix(kernel.len(), count)];
    let a = [noise(image.len(), 1), noise(kernel.len() * count, 2)];
    for padding in PADDINGS {
        let want = |a: &[Vec<f64>]| -> Vec<f64> {
            let one = |k: &[f64]| definition(&a[0], image, k, kernel, padding);
            let values = a[1].chunks(kernel.len()).flat_map(one);
            values.map(|v| (1.0 + v * v).ln()).collect()
        };
        let name = format!("{padding:?} with {count} filters");
        // A field of experts: the curvature of a potential of every response.
        check_at::<f64, _>(
            &name,
            &shapes,
            &a,
            |v| v[0].conv2d_filters(v[1], (3, 2), padding).square().log1p(),
            want,
        );
        check_at::<f32, _>(
            &name,
            &shapes,
            &a,
            |v| v[0].conv2d_filters(v[1], (3, 2), padding).square().log1p(),
            want,
        );
    }
}

#[test]
fn the_kernel_is_turned_around_and_centred() {
    let f = |padding| {
        Program::<f64>::record(
            &[Shape::vector(4), Shape::vector(3), Shape::vector(4)],
            |v| v[0].conv2d(v[1], padding).dot(v[2]),
        )
    };
    let values = |padding| -> Vec<f64> {
        let mut point = f(padding).point();
        let unit = |i: usize| {
            (0..4)
                .map(|k| f64::from(u8::from(k == i)))
                .collect::<Vec<_>>()
        };
        let (a, k) = ([1.0, 2.0, 4.0, 8.0], [1.0, 10.0, 100.0]);
        (0..4).map(|i| point.value(&[&a, &k, &unit(i)])).collect()
    };
    // u[i] = a[i+1] + 10 a[i] + 100 a[i−1].
    assert_eq!(values(Padding::Zero), [12.0, 124.0, 248.0, 480.0]);
    assert_eq!(values(Padding::Reflect), [212.0, 124.0, 248.0, 484.0]);
    assert_eq!(values(Padding::Wrap), [812.0, 124.0, 248.0, 481.0]);
}
