//! `compare` on data files of many shapes, against dense computations that share no code with it.

mod decided;
mod formats;
mod problems;
mod solutions;
mod trial;

use nalgebra::{DMatrix, DVector};

use crate::common::{Folder, noise, npy};
use models::data;

/// Samples as rows, with labels.
#[derive(Clone)]
struct Part {
    a: DMatrix<f64>,
    t: Vec<f64>,
}

impl Part {
    fn of(samples: &data::Samples) -> Self {
        Part {
            a: samples.features.dense().transpose(),
            t: samples.labels.clone(),
        }
    }

    fn made(n: usize, d: usize, seed: usize, integer: bool, label: impl Fn(usize) -> f64) -> Self {
        let round = |v: f64| if integer { (3.0 * v).round() } else { v };
        let values = noise(n * d, seed).into_iter().map(round);
        Part {
            a: DMatrix::from_row_iterator(n, d, values),
            t: (0..n).map(|i| label(i + seed)).collect(),
        }
    }

    fn row(&self, i: usize) -> DVector<f64> {
        self.a.row(i).transpose()
    }

    fn len(&self) -> usize {
        self.t.len()
    }
}

/// The pieces of a level at one y.
struct Level {
    value: f64,
    gradient: DVector<f64>,
    hessian: DMatrix<f64>,
}

/// A bilevel problem written out: the lower level, the derivative of its gradient by x, and the
/// upper one. F does not depend on x.
struct Dense<'a> {
    dim_y: usize,
    lower: &'a dyn Fn(&DVector<f64>) -> Level,
    /// ∂²g/∂y∂x, `dim_y × dim_x`.
    cross: &'a dyn Fn(&DVector<f64>) -> DMatrix<f64>,
    upper: &'a dyn Fn(&DVector<f64>) -> Level,
}

impl Dense<'_> {
    /// Newton's method, each step halved until it goes down; then the implicit gradient.
    fn exact(&self) -> DVector<f64> {
        let mut y = DVector::zeros(self.dim_y);
        for _ in 0..200 {
            let here = (self.lower)(&y);
            let step = here.hessian.cholesky().unwrap().solve(&here.gradient);
            let shrinks = |s: &f64| {
                let there = (self.lower)(&(&y - &step * *s));
                there.value < here.value || there.gradient.norm() < here.gradient.norm()
            };
            let tried = (0..40).map(|k| 0.5f64.powi(k));
            let Some(s) = tried.into_iter().find(shrinks) else {
                break;
            };
            y -= step * s;
        }
        let lower = (self.lower)(&y);
        assert!(lower.gradient.norm() < 1e-12, "{}", lower.gradient.norm());
        let v = lower
            .hessian
            .cholesky()
            .unwrap()
            .solve(&(self.upper)(&y).gradient);
        -(self.cross)(&y).transpose() * v
    }

    /// The derivative of y after `depth` steps goes along with y.
    fn unrolled(&self, depth: usize, step: f64) -> DVector<f64> {
        let mut y = DVector::zeros(self.dim_y);
        let mut by_x = (self.cross)(&y) * 0.0;
        for _ in 0..depth {
            let (here, cross) = ((self.lower)(&y), (self.cross)(&y));
            by_x -= (&here.hessian * &by_x + cross) * step;
            y -= here.gradient * step;
        }
        by_x.transpose() * (self.upper)(&y).gradient
    }
}

/// Mean log-loss of labels ±1.
fn log_loss(part: &Part, y: &DVector<f64>) -> Level {
    let (n, d) = (part.len() as f64, y.len());
    let mut level = Level {
        value: 0.0,
        gradient: DVector::zeros(d),
        hessian: DMatrix::zeros(d, d),
    };
    for i in 0..part.len() {
        let (a, t) = (part.row(i), if part.t[i] == 1.0 { 1.0 } else { -1.0 });
        let s = 1.0 / (1.0 + (t * a.dot(y)).exp());
        level.value -= (1.0 - s).ln() / n;
        level.gradient -= &a * (t * s / n);
        level.hessian += &a * a.transpose() * (s * (1.0 - s) / n);
    }
    level
}

/// `(1/n) Σ s_i CE_i` of a linear softmax, and the gradient of each CE_i as a column.
fn softmax(part: &Part, s: &[f64], classes: usize, y: &DVector<f64>) -> (Level, DMatrix<f64>) {
    let (n, d) = (part.len(), part.a.ncols());
    let mut each = DMatrix::zeros(y.len(), n);
    let mut level = Level {
        value: 0.0,
        gradient: DVector::zeros(y.len()),
        hessian: DMatrix::zeros(y.len(), y.len()),
    };
    for i in 0..n {
        let a = part.row(i);
        let scores = DVector::from_fn(classes, |c, _| a.dot(&y.rows(c * d, d)));
        let p = scores.map(|z| (z - scores.max()).exp());
        let p = &p / p.sum();
        let weight = s[i] / n as f64;
        let label = part.t[i] as usize;
        level.value -= p[label].ln() * weight;
        let wrong = DVector::from_fn(classes, |c, _| p[c] - f64::from(u8::from(c == label)));
        each.set_column(i, &wrong.kronecker(&a));
        level.gradient += each.column(i) * weight;
        let curved = DMatrix::from_diagonal(&p) - &p * p.transpose();
        level.hessian += curved.kronecker(&(&a * a.transpose())) * weight;
    }
    (level, each)
}

const DEPTH: usize = 17;
const STEP: f64 = 0.1;

/// Runs the program and checks each strategy.
#[track_caller]
fn check(folder: &Folder, problem: &str, more: &str, dense: &Dense) {
    let words = format!(
        "compare --problem {problem} {more} --strategy exact,aid-cg,aid-direct,itd,itd-taped \
         --tolerance 1e-13 --depth {DEPTH} --step {STEP} --json --full"
    );
    let run = folder.run(&words);
    let records = run.records();
    assert_eq!(records.len(), 5, "{run:?}");
    let (exact, unrolled) = (dense.exact(), dense.unrolled(DEPTH, STEP));
    for record in records {
        let name = record["strategy"].as_str().unwrap();
        let want = if name.starts_with("itd") {
            &unrolled
        } else {
            &exact
        };
        let got: Vec<f64> = serde_json::from_value(record["hypergradient"].clone()).unwrap();
        assert_eq!(got.len(), want.len(), "{words}: {name}");
        let error = (DVector::from_vec(got) - want).norm();
        let allowed = 1e-9 * want.norm().max(1e-3);
        assert!(
            error <= allowed,
            "{words}: {name}: {error:e} of {}",
            want.norm()
        );
    }
}

#[track_caller]
fn check_logistic(folder: &Folder, more: &str, train: &Part, valid: &Part, x: &DVector<f64>) {
    let weights = x.map(f64::exp);
    let lower = |y: &DVector<f64>| {
        let mut level = log_loss(train, y);
        level.value += 0.5 * weights.dot(&y.component_mul(y));
        level.gradient += weights.component_mul(y);
        level.hessian += DMatrix::from_diagonal(&weights);
        level
    };
    let dense = Dense {
        dim_y: x.len(),
        lower: &lower,
        cross: &|y| DMatrix::from_diagonal(&weights.component_mul(y)),
        upper: &|y| log_loss(valid, y),
    };
    check(folder, "logistic", more, &dense);
}

#[track_caller]
fn check_cleaning(folder: &Folder, more: &str, train: &Part, valid: &Part, x: &DVector<f64>) {
    // A label that no sample has is no class.
    let mut labels = [&train.t[..], &valid.t].concat();
    labels.sort_by(f64::total_cmp);
    labels.dedup();
    let classes = labels.len().max(2);
    let of = |part: &Part| Part {
        a: part.a.clone(),
        t: (part.t.iter())
            .map(|t| labels.iter().position(|l| l == t).unwrap() as f64)
            .collect(),
    };
    let (train, valid) = (&of(train), &of(valid));
    let dim_y = classes * train.a.ncols();
    let s = x.map(|v| 1.0 / (1.0 + (-v).exp()));
    let lower = |y: &DVector<f64>| {
        let (mut level, _) = softmax(train, s.as_slice(), classes, y);
        level.value += 0.001 * y.norm_squared();
        level.gradient += y * 0.002;
        level.hessian += DMatrix::identity(dim_y, dim_y) * 0.002;
        level
    };
    let slope = s.map(|s| s * (1.0 - s) / train.len() as f64);
    let dense = Dense {
        dim_y,
        lower: &lower,
        cross: &|y| softmax(train, s.as_slice(), classes, y).1 * DMatrix::from_diagonal(&slope),
        upper: &|y| softmax(valid, &vec![1.0; valid.len()], classes, y).0,
    };
    check(folder, "hyper-cleaning", more, &dense);
}

/// Writes both parts, as integers where that is what they are.
fn write(folder: &Folder, train: &Part, valid: &Part, integer: bool) {
    let parts = [("train", train), ("valid", valid)];
    let arrays = parts.map(|(name, part)| {
        let shape = [part.a.nrows(), part.a.ncols()];
        let values = part.a.transpose();
        if integer {
            let whole = |v: &f64| *v as i32;
            let x: Vec<i32> = values.iter().map(whole).collect();
            let t: Vec<i8> = part.t.iter().map(|v| *v as i8).collect();
            (name, npy(&shape, &x), npy(&[part.len()], &t))
        } else {
            (
                name,
                npy(&shape, values.as_slice()),
                npy(&[part.len()], &part.t),
            )
        }
    });
    let arrays: Vec<(String, Vec<u8>)> = arrays
        .into_iter()
        .flat_map(|(name, x, t)| [(format!("x_{name}"), x), (format!("t_{name}"), t)])
        .collect();
    let named: Vec<(&str, Vec<u8>)> = arrays.iter().map(|(n, b)| (&**n, b.clone())).collect();
    folder.write_npz("user.npz", &named);
}

/// Training samples, validation samples, features.
const SHAPES: [(usize, usize, usize); 8] = [
    (1, 1, 1),
    (1, 2, 5),
    (2, 1, 1),
    (6, 3, 1),
    (5, 4, 9),
    (7, 6, 2),
    (13, 9, 4),
    (30, 17, 11),
];

#[test]
fn logistic_is_exact_on_any_shape_and_kind_of_label() {
    for (i, (n, valid, d)) in SHAPES.into_iter().enumerate() {
        for (negative, integer) in [(-1.0, false), (0.0, false), (-1.0, true), (0.0, true)] {
            let label = |i: usize| {
                if (i * i).is_multiple_of(3) {
                    1.0
                } else {
                    negative
                }
            };
            let train = Part::made(n, d, i, integer, label);
            let valid = Part::made(valid, d, i + 50, integer, label);
            let folder = Folder::new();
            write(&folder, &train, &valid, integer);
            let x = DVector::from_element(d, -3.0);
            check_logistic(&folder, "--data user.npz", &train, &valid, &x);

            let x = DVector::from_vec(noise(d, i + 9));
            folder.write_npz("point.npz", &[("x", npy(&[d], x.as_slice()))]);
            let more = "--data user.npz --point point.npz";
            check_logistic(&folder, more, &train, &valid, &x);
        }
    }
}

#[test]
fn hyper_cleaning_is_exact_on_any_shape_and_number_of_classes() {
    for (i, (n, valid, d)) in SHAPES.into_iter().enumerate() {
        for (classes, integer) in [(2, false), (3, true), (5, false)] {
            let label = |i: usize| (i * i % classes) as f64;
            let train = Part::made(n, d, i, integer, label);
            let valid = Part::made(valid, d, i + 50, integer, label);
            let folder = Folder::new();
            write(&folder, &train, &valid, integer);
            let x = DVector::zeros(n);
            check_cleaning(&folder, "--data user.npz", &train, &valid, &x);

            let x = DVector::from_vec(noise(n, i + 9));
            folder.write_npz("point.npz", &[("x", npy(&[n], x.as_slice()))]);
            let more = "--data user.npz --point point.npz";
            check_cleaning(&folder, more, &train, &valid, &x);
        }
    }
}

#[test]
fn a_table_of_text_is_split_by_the_seed() {
    let folder = Folder::new();
    let made = Part::made(23, 3, 4, false, |i| (i % 2) as f64);
    let rows = (0..23).map(|i| {
        let cells = made.row(i).iter().map(f64::to_string).collect::<Vec<_>>();
        format!("{},{}", cells.join(","), made.t[i])
    });
    let text = format!("a,b,c,label\n{}\n", rows.collect::<Vec<_>>().join("\n"));
    folder.write("user.csv", text);
    for seed in [0, 3] {
        let splits = data::read_csv(&folder.path("user.csv"), seed).expect("a good table");
        let (train, valid) = (Part::of(&splits.train), Part::of(&splits.valid));
        let more = format!("--data user.csv --seed {seed}");
        let x = DVector::from_element(3, -3.0);
        check_logistic(&folder, &more, &train, &valid, &x);
        let x = DVector::zeros(train.len());
        check_cleaning(&folder, &more, &train, &valid, &x);
    }
}
