//! A batch that is an input of a program, against one that is recorded.

use autodiff::check::Check;
use autodiff::{
    Batch, Batched, Inputs, Meter, Point, Program, Real, Sampled, Shape, Storage, Table, Var,
    batched, sampled,
};
use models::data::Samples;
use models::{Activation, Dataset, Mlp};
use nalgebra::{DMatrix, DVector};
use solvers::sampling::Sampling;
use solvers::{Bilevel, Estimator, Method, Outer, Schedule, Soba};

const N: usize = 700;
const D: usize = 5;

fn samples(classes: usize) -> Samples {
    let class = |j: usize| (j * j + j / 3) % classes;
    Samples {
        features: DMatrix::from_fn(D, N, |i, j| ((3 * i + 7 * j) as f64 * 0.37).sin()).into(),
        labels: match classes {
            2 => (0..N).map(|j| 2.0 * class(j) as f64 - 1.0).collect(),
            _ => (0..N).map(|j| class(j) as f64).collect(),
        },
    }
}

/// Batches of one sample, of a part of a group of four, with repetitions, of several blocks, of a
/// block that is contiguous, and of all samples in another order.
fn batches() -> Vec<Vec<usize>> {
    vec![
        vec![N - 1],
        vec![3, 3, 699],
        (0..64).map(|i| i * 11 % N).collect(),
        (0..300).map(|i| i * i % N).collect(),
        (128..192).collect(),
        (0..N).rev().collect(),
    ]
}

fn vector<T: Real>(len: usize, shift: f64) -> Vec<T> {
    let entry = |i: usize| T::of(0.7 * (1.9 * i as f64 + shift).cos());
    (0..len).map(entry).collect()
}

/// Everything that a point gives at one place, as bits.
fn all<T: Real>(point: &mut Point<T>, dims: [usize; 2]) -> Vec<u64> {
    let [x, y] = dims.map(|d| vector::<T>(d, d as f64));
    let [dx, dy] = dims.map(|d| vector::<T>(d, 5.0 + d as f64));
    let mut found = vec![point.value(&[&x, &y])];
    found.push(point.linearise(&[&x, &y]));
    for k in 0..2 {
        found.extend_from_slice(point.gradient(k));
    }
    for directions in [[Some(&dx[..]), Some(&dy[..])], [None, Some(&dy)]] {
        found.push(point.directional(&directions));
        point.second(&directions);
        for k in 0..2 {
            found.extend_from_slice(point.product(k));
        }
        point.linearise_along(&[&x, &y], &directions);
        for k in 0..2 {
            found.extend_from_slice(point.product(k));
        }
    }
    found.iter().map(|v| v.f64().to_bits()).collect()
}

/// One recording at each batch in turn has the bits of a recording of that batch, and of the one
/// that copies its samples.
#[track_caller]
fn same_bits<T: Real>(one: &dyn Sampled<T>, copying: &dyn Sampled<T>, dims: [usize; 2]) {
    let [dim_x, dim_y] = dims;
    let input = one.batched().expect("indices that are exact");
    for batch in batches() {
        let mut point = input.batch_program(dim_x, dim_y, batch.len()).point();
        let indices = |batch: &[usize]| Vec::from_iter(batch.iter().map(|i| T::of(*i as f64)));
        // Not the first batch that it holds.
        point.hold(&[&vec![T::zero(); batch.len()]]);
        all(&mut point, dims);
        point.hold(&[&indices(&batch)]);
        let got = all(&mut point, dims);
        let recorded =
            |of: &dyn Sampled<T>| all(&mut of.program(dim_x, dim_y, &batch).point(), dims);
        assert_eq!(got, recorded(one), "{} samples", batch.len());
        assert_eq!(got, recorded(copying), "{} samples", batch.len());
    }
    let whole: Vec<usize> = (0..N).collect();
    let whole = |of: &dyn Sampled<T>| all(&mut of.program(dim_x, dim_y, &whole).point(), dims);
    assert_eq!(whole(one), whole(copying));
}

fn losses_have_the_same_bits<T: Real>() {
    let of = |classes| match classes {
        2 => Dataset::<T>::binary(&samples(2)),
        _ => Dataset::<T>::classes(&samples(classes), classes),
    };
    let (a, b) = (of(2), of(2));
    same_bits(
        &batched(N, move |x: Var<T>, y: Var<T>, batch: Batch<T>| {
            a.logistic_loss_of(batch, y) + x.exp().dot(y.square())
        }),
        &sampled(N, move |x: Var<T>, y: Var<T>, batch: &[usize]| {
            b.select(batch).logistic_loss(y) + x.exp().dot(y.square())
        }),
        [D, D],
    );
    for classes in [3, 10] {
        let (a, b) = (of(classes), of(classes));
        same_bits(
            &batched(N, move |x: Var<T>, y: Var<T>, batch: Batch<T>| {
                a.cross_entropy_of(batch, y) + x.sum() * y.norm_squared()
            }),
            &sampled(N, move |x: Var<T>, y: Var<T>, batch: &[usize]| {
                b.select(batch).cross_entropy(y) + x.sum() * y.norm_squared()
            }),
            [1, classes * D],
        );
        let (a, b) = (of(classes), of(classes));
        same_bits(
            &batched(N, move |x: Var<T>, y: Var<T>, batch: Batch<T>| {
                a.weighted_cross_entropy_of(batch, y, batch.entries(x).sigmoid())
            }),
            &sampled(N, move |x: Var<T>, y: Var<T>, batch: &[usize]| {
                let x = if batch.iter().copied().eq(0..N) {
                    x
                } else {
                    x.gather(batch)
                };
                b.select(batch).weighted_cross_entropy(y, x.sigmoid())
            }),
            [N, classes * D],
        );
    }
}

#[test]
fn fused_losses_of_a_batch_that_is_an_input_have_the_bits_of_copies() {
    losses_have_the_same_bits::<f64>();
    losses_have_the_same_bits::<f32>();
}

#[test]
fn networks_and_tables_have_the_bits_of_copies() {
    let data = || Dataset::<f64>::classes(&samples(3), 3);
    let net = || Mlp::new(&[D, 4, 3], Activation::Tanh);
    let ((a, b), (net_a, net_b)) = ((data(), data()), (net(), net()));
    same_bits(
        &batched(N, move |x: Var, y: Var, batch: Batch| {
            a.mlp_losses_of(batch, &net_a, y).mean() + x.sum() * y.norm_squared()
        }),
        &sampled(N, move |x: Var, y: Var, batch: &[usize]| {
            b.select(batch).mlp_losses(&net_b, y).mean() + x.sum() * y.norm_squared()
        }),
        [1, net().layout().len()],
    );
    let rows = samples(2).features.dense().transpose();
    let targets = DVector::from_vec(samples(2).labels);
    let (table, column) = (Table::of_rows(&rows), Table::of_entries(targets.as_slice()));
    same_bits(
        &batched(N, move |x: Var, y: Var, batch: Batch| {
            let left = batch.rows(&table).matmul(y) - batch.rows(&column);
            left.square().dot(batch.entries(x).exp()) / batch.len() as f64
        }),
        &sampled(N, move |x: Var, y: Var, batch: &[usize]| {
            let picked = DVector::from_fn(batch.len(), |i, _| targets[batch[i]]);
            let left = &rows.select_rows(batch) * y - &picked;
            let x = if batch.iter().copied().eq(0..N) {
                x
            } else {
                x.gather(batch)
            };
            left.square().dot(x.exp()) / batch.len() as f64
        }),
        [N, D],
    );
}

#[test]
fn entries_that_are_picked_have_right_derivatives() {
    let positions = [3.0, 0.0, 3.0];
    let program = Program::<f64>::record(&[Shape::vector(4), Shape::vector(3)], |v| {
        let picked = v[0].exp().pick(v[0].vector(&positions));
        (picked * v[1].sin()).square().sum()
    });
    let at: [&[f64]; 2] = [&[0.3, -0.2, 0.7, 0.1], &[0.4, 1.1, -0.6]];
    let report = Check::new().program(&program, &at);
    assert!(report.passed(), "{report}");
}

/// A mean of ½aᵢ(y − x)² and one of ½(y − bᵢ)² + ½x², either way.
fn problem(inputs: bool) -> Bilevel<f64> {
    let (a, b) = ([0.8, 1.2, 0.9, 1.1, 1.0], [0.5, 1.0, 1.5, 0.0, 2.0]);
    let (of_a, of_b) = (Table::of_entries(&a), Table::of_entries(&b));
    let upper = batched(5, move |x: Var, y: Var, batch: Batch| {
        let off = batch.rows(&of_b) - y;
        0.5 * off.norm_squared() / batch.len() as f64 + 0.5 * x.norm_squared()
    });
    let lower = batched(5, move |x: Var, y: Var, batch: Batch| {
        0.5 * batch.rows(&of_a).mean() * (y - x).norm_squared()
    });
    if inputs {
        return Bilevel::sampled(upper, lower, 1, 1).expect("a valid problem");
    }
    /// Recorded for each batch.
    struct Anew<S>(S);
    impl<T: Real, S: Sampled<T>> Sampled<T> for Anew<S> {
        fn samples(&self) -> usize {
            self.0.samples()
        }

        fn record<'r>(&self, x: Var<'r, T>, y: Var<'r, T>, batch: &[usize]) -> Var<'r, T> {
            self.0.record(x, y, batch)
        }
    }
    Bilevel::sampled(Anew(upper), Anew(lower), 1, 1).expect("a valid problem")
}

#[test]
fn runs_have_the_bits_of_runs_that_record_each_batch_and_are_resumed() {
    let sampling = |upper, lower| Sampling::new(4).batches(upper, lower);
    let of = |estimator| Soba::new(estimator, Schedule::Constant(0.1), 2.0);
    for (upper, lower) in [(1, 1), (2, 3), (3, 5), (5, 5)] {
        for estimator in [
            Estimator::Plain,
            Estimator::Saga,
            Estimator::Sarah { period: 4 },
            Estimator::Page { chance: 0.3 },
        ] {
            let method = Outer::new(of(estimator), 40).sampling(sampling(upper, lower));
            let (input, recorded) = (problem(true), problem(false));
            let begin = |problem| method.begin(problem, DVector::zeros(1)).expect("it suits");
            let (mut a, mut b) = (begin(&input), begin(&recorded));
            for _ in 0..15 {
                let [p, q] = [a.step(), b.step()].map(|p| p.expect("iterations are left"));
                assert_eq!((p.upper, p.oracles), (q.upper, q.oracles));
            }
            let mut resumed = begin(&input);
            resumed.restore(&a.save()).expect("a state of this run");
            assert_eq!(resumed.save(), a.save());
            while let (Some(p), Some(q)) = (a.step(), b.step()) {
                let r = resumed.step().expect("as many iterations");
                assert_eq!((p.upper, p.oracles), (q.upper, q.oracles));
                assert_eq!((p.upper, p.peak_bytes), (r.upper, r.peak_bytes));
            }
            assert_eq!((a.x(), a.y()), (b.x(), b.y()), "{upper} and {lower}");
            assert_eq!((a.x(), a.y()), (resumed.x(), resumed.y()));
        }
    }
}

#[test]
#[should_panic(expected = "number of inputs of the program")]
fn an_input_that_is_held_is_not_given() {
    let g = batched(2, |_: Var, y: Var, batch: Batch| {
        y.norm_squared() / batch.len() as f64
    });
    let mut point = g.batch_program(1, 1, 1).point();
    point.hold(&[&[0.0]]);
    point.value(&[&[0.0], &[1.0], &[0.0]]);
}

/// What is no index is refused, and not read as sample 0.
#[test]
fn what_is_no_index_is_refused() {
    let data = Dataset::<f64>::binary(&samples(2));
    let loss = batched(N, move |_: Var, y: Var, batch: Batch| {
        data.logistic_loss_of(batch, y)
    });
    let data = Dataset::<f64>::classes(&samples(3), 3);
    let classes = batched(N, move |_: Var, y: Var, batch: Batch| {
        data.cross_entropy_of(batch, y)
    });
    let table = Table::of_entries(&vector::<f64>(N, 0.0));
    let rows = batched(N, move |x: Var, _: Var, batch: Batch| {
        (batch.rows(&table) + batch.entries(x)).norm_squared()
    });
    let all: [(&dyn Batched<f64>, [usize; 2]); 3] =
        [(&loss, [1, D]), (&classes, [1, 3 * D]), (&rows, [N, 1])];
    for (of, [dim_x, dim_y]) in all {
        for index in [-1.0, f64::NAN, 0.5, N as f64, f64::INFINITY] {
            let mut point = of.batch_program(dim_x, dim_y, 2).point();
            point.hold(&[&[0.0, index]]);
            let (x, y) = (vec![0.0; dim_x], vec![0.0; dim_y]);
            let value = || point.value(&[&x, &y]);
            let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(value));
            assert!(refused.is_err(), "index {index}");
        }
    }
}

/// A table of this width, as numbers that are exact in eight bits, in `f32`, or in nothing less than
/// what is computed with.
fn table<T: Real>(width: usize, kept: Storage) -> (DMatrix<T>, Table<T>) {
    let entry = |i: usize, j: usize| match kept {
        Storage::Bytes => ((7 * i + 3 * j) % 200) as f64,
        Storage::Single => f64::from(((i + N * j) as f32 * 0.37).sin()),
        _ => ((i + N * j) as f64 * 0.37).sin(),
    };
    let rows = DMatrix::from_fn(N, width, |i, j| T::of(entry(i, j)));
    let table = Table::of_rows(&rows);
    assert_eq!(table.storage(), kept);
    (rows, table)
}

/// Products of all forms with the samples of a batch, and of matrices of the same numbers.
fn products_have_the_bits_of_copies<T: Real>(width: usize, kept: Storage) {
    fn of<'r, T: Real>(x: Var<'r, T>, y: Var<'r, T>, columns: Var<'r, T>) -> Var<'r, T> {
        let z = columns.tr_matmul(y);
        let back = columns.matmul(z.sin());
        let other = y.reshape(1, y.len()).matmul(columns).cos();
        let turned = other.matmul_tr(columns);
        (back.dot(y.cos()) + z.square().sum() + turned.norm_squared()) * x.sum()
    }
    let (rows, table) = table::<T>(width, kept);
    same_bits(
        &batched(N, move |x: Var<T>, y: Var<T>, batch: Batch<T>| {
            of(x, y, batch.columns(&table))
        }),
        &sampled(N, move |x: Var<T>, y: Var<T>, batch: &[usize]| {
            of(x, y, y.matrix(&rows.select_rows(batch).transpose()))
        }),
        [1, width],
    );
}

#[test]
fn products_that_read_samples_in_place_have_the_bits_of_copies() {
    for width in [1, 2, 22, 33] {
        products_have_the_bits_of_copies::<f64>(width, Storage::Whole);
        products_have_the_bits_of_copies::<f32>(width, Storage::Whole);
        products_have_the_bits_of_copies::<f64>(width, Storage::Single);
        products_have_the_bits_of_copies::<f64>(width, Storage::Bytes);
        products_have_the_bits_of_copies::<f32>(width, Storage::Bytes);
    }
}

/// So long a batch that products are cut into parts, which depend on the threads.
#[test]
fn products_in_place_have_the_same_bits_on_any_number_of_threads() {
    let (width, len) = (200, 2000);
    let table = Table::<f64>::from_fn(len, width, |k| (k as f64 * 0.37).sin());
    let program = batched(len, move |_: Var, y: Var, batch: Batch| {
        let z = batch.columns(&table).tr_matmul(y);
        z.sin().sum()
    })
    .batch_program(1, width, len);
    for turned in [false, true] {
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().expect("a pool").install(|| {
                let mut point = program.point();
                let indices = (0..len).map(|i| if turned { len - 1 - i } else { i } as f64);
                point.hold(&[&Vec::from_iter(indices)]);
                all(&mut point, [1, width])
            })
        };
        let one = with(1);
        assert_eq!(one, with(2));
        assert_eq!(one, with(3));
    }
}

/// No copy of the samples is held where products read them in place, and the prediction knows.
#[test]
fn products_in_place_hold_no_copy_of_the_samples() {
    let (width, len) = (30, 256);
    let held = |copied: bool| {
        let (_, table) = table::<f64>(width, Storage::Whole);
        let g = batched(N, move |_: Var, y: Var, batch: Batch| {
            let columns = batch.columns(&table);
            let columns = if copied { columns * 1.0 } else { columns };
            columns.tr_matmul(y).square().sum()
        });
        let program = g.batch_program(1, width, len);
        let meter = Meter::new();
        let mut point = Point::new(program.clone(), &meter);
        point.hold(&[&vec![3.0; len]]);
        let y = vector(width, 0.0);
        point.differentiate(&[&[0.0], &y], Inputs::ALL);
        assert_eq!(meter.read().peak, Point::gradient_bytes(&program));
        point.second_at(&[&[0.0], &y], &[None, Some(&y)], Inputs::ALL);
        let all = Point::gradient_bytes(&program) + Point::second_bytes(&program);
        assert_eq!(meter.read().peak, all);
        all
    };
    let copy = width * len * size_of::<f64>();
    assert!(held(true) > copy && held(false) < copy);
}
