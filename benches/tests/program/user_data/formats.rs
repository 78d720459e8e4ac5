//! `--data` in every format: the same numbers give the same records.

use nalgebra::DMatrix;

use crate::common::{Folder, npy, photo};

/// The same numbers in every format without splits: the same records.
#[test]
fn formats_agree() {
    let folder = Folder::new();
    let x = DMatrix::from_fn(9, 2, |i, j| ((7 * i + 3 * j) % 5) as f64);
    let rows = || (0..9).map(|i| (x[(i, 0)], x[(i, 1)], i % 2));
    let lines = |f: fn((f64, f64, usize)) -> String| rows().map(f).collect::<String>();
    folder.write("a.csv", lines(|(a, b, t)| format!("{a},{b},{t}\n")));
    folder.write("a.libsvm", lines(|(a, b, t)| format!("{t} 1:{a} 2:{b}\n")));
    folder.write("x.npy", npy(&[9, 2], x.transpose().as_slice()));
    let labels = [
        [0, 0, 8, 1, 0, 0, 0, 9].as_slice(),
        &[0, 1, 0, 1, 0, 1, 0, 1, 0],
    ]
    .concat();
    folder.write("t.idx", labels);
    let run = |data: &str| {
        let words =
            format!("compare --problem logistic --strategy aid-cg --json --full --data {data}");
        folder.run(&words).code(0).records()[0]["hypergradient"].clone()
    };
    let expected = run("a.csv");
    assert_eq!(
        [run("a.libsvm"), run("x.npy,t.idx")],
        [expected.clone(), expected]
    );
}

#[test]
fn images_come_from_a_folder() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("photos")).unwrap();
    for (name, width) in [("b.png", 8), ("a.PNG", 6)] {
        let path = folder.path("photos").join(name);
        photo(&path, width, 7, |i, j| (i * j) as u8);
    }
    let words = "compare --problem tv-denoising --strategy aid-cg --json --data photos";
    let record = &folder.run(words).code(0).records()[0];
    assert_eq!(record["status"], "converged");
    folder.write_npz(
        "point.npz",
        &[
            ("x", npy(&[2], &[-3.0, -3.0])),
            ("y", npy(&[72], &[0.5; 72])),
        ],
    );
    folder.run(&format!("{words} --point point.npz")).code(0);
}
