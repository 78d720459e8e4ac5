//! Named blocks of a parameter vector.

use autodiff::{Layout, Program, Shape, Var};
use nalgebra::DMatrix;

use crate::operations::harness::check;

fn layout() -> Layout {
    Layout::new().matrix("W", 2, 3).vector("b", 2).scalar("s")
}

#[test]
fn blocks_lie_one_after_the_other() {
    let layout = layout();
    assert_eq!(layout.len(), 9);
    assert_eq!(layout.names().collect::<Vec<_>>(), ["W", "b", "s"]);
    assert_eq!(layout.range("W"), 0..6);
    assert_eq!(layout.range("b"), 6..8);
    assert_eq!(layout.range("s"), 8..9);
    assert_eq!(layout.shape("W"), Shape::matrix(2, 3));
    assert!(Layout::new().is_empty() && !layout.is_empty());
}

#[test]
fn packing_and_viewing_are_inverse() {
    let layout = layout();
    let w = DMatrix::from_fn(2, 3, |i, j| (10 * i + j) as f32);
    let (b, s) = (
        DMatrix::from_element(2, 1, 5.0),
        DMatrix::from_element(1, 1, 7.0),
    );
    let packed = layout.pack(&[("s", &s), ("W", &w), ("b", &b)]);
    assert_eq!(
        packed.as_slice(),
        [0.0, 10.0, 1.0, 11.0, 2.0, 12.0, 5.0, 5.0, 7.0]
    );
    assert_eq!(layout.view("W", packed.as_slice()), w);
    assert_eq!(layout.view("b", packed.as_slice()), b);
}

#[test]
fn split_blocks_have_their_shapes_and_derivatives() {
    let l = layout();
    let f = |a: &[Vec<f64>]| {
        let (y, x) = (&a[0], &a[1]);
        let row = |i: usize| (0..3).map(|j| y[i + 2 * j] * x[j]).sum::<f64>() + y[6 + i];
        (0..2).map(|i| row(i).tanh() * y[8]).collect()
    };
    check!(
        "a layer",
        [Shape::vector(9), Shape::vector(3)],
        |v| {
            let w = l.split(v[0]);
            assert_eq!(w.get("W").shape(), Shape::matrix(2, 3));
            (w["W"].matmul(v[1]) + w["b"]).tanh() * w["s"]
        },
        f
    );
}

/// What a mistake says, and whether it points to this file.
fn message(mistake: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let error = std::panic::catch_unwind(mistake).expect_err("a mistake panics");
    match error.downcast::<String>() {
        Ok(message) => *message,
        Err(error) => error.downcast_ref::<&str>().expect("a message").to_string(),
    }
}

#[test]
fn mistakes_name_the_blocks_there_are() {
    let there = "`W`: matrix(2×3), `b`: vector(2), `s`: scalar";
    let unknown = message(|| {
        let _ = layout().range("c");
    });
    assert_eq!(
        unknown,
        format!("layout: no block named `c`: there are {there}")
    );
    let twice = message(|| drop(layout().scalar("b")));
    assert_eq!(
        twice,
        format!("layout: a second block named `b`: there are {there}")
    );
    let record = |f: fn(Var<'_>)| {
        message(move || {
            Program::<f64>::record(&[Shape::vector(9)], |v| {
                f(v[0]);
                v[0]
            });
        })
    };
    let unknown = record(|v| {
        let _ = layout().split(v)["c"];
    });
    assert!(
        unknown.starts_with("layout: no block named `c`"),
        "{unknown}"
    );
    let short = record(|v| drop(layout().split(v.slice(0, 4))));
    assert_eq!(
        short,
        format!("layout: vector(4) for vector(9): the blocks are {there}")
    );
}

#[test]
fn packing_says_what_is_wrong() {
    let (w, b) = (DMatrix::<f64>::zeros(2, 3), DMatrix::zeros(2, 1));
    let pack = |blocks: &[(&str, &DMatrix<f64>)]| {
        let blocks = std::panic::AssertUnwindSafe(blocks);
        message(move || drop(layout().pack(&blocks)))
    };
    assert!(pack(&[("W", &w), ("b", &b)]).starts_with("layout: without `s`"));
    assert_eq!(
        pack(&[("W", &b)]),
        "layout: `W` is vector(2): expected matrix(2×3)"
    );
    assert_eq!(pack(&[("b", &b), ("b", &b)]), "layout: `b` is given twice");
}
