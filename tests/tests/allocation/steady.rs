//! The steady state allocates nothing, and the meter counts what the allocator gives.

use std::sync::Arc;

use autodiff::arbitrary::Wave;
use autodiff::bytes::Category;
use autodiff::unroll::{Memory, Step, Unrolled};
use autodiff::{Inputs, Meter, Point, Program, Shape, Var};
use solvers::linear::{Cg, LinearSolver, Outcome, Recycled, Report, Scratch};

use crate::{ALLOCATIONS, LARGE, LARGE_BYTES};

/// Allocations of runs 2 to 100 of `f`.
pub(crate) fn repeated(mut f: impl FnMut()) -> usize {
    f();
    let before = ALLOCATIONS.get();
    for _ in 0..99 {
        f();
    }
    ALLOCATIONS.get() - before
}

fn steady(what: &str, f: impl FnMut()) {
    assert_eq!(repeated(f), 0, "{what}: allocations in 99 repetitions");
}

/// Every family of rules, with operations of many operands.
fn everything<'r>(x: Var<'r>, y: Var<'r>) -> Var<'r> {
    let n = y.len();
    let a = y.exp() * x.at(0) + x.slice(0, 1).broadcast(Shape::vector(n)).softplus();
    let wave = |operands: usize| y.fused(Wave { operands }, &vec![a; operands - 1]);
    let matrix = a.reshape(n / 40, 40);
    let row = x.slice(0, 40).transpose();
    let joined = a.concat(&[y, wave(2), wave(4), wave(7), x, y]);
    let picked = joined.gather(&[0, 5, 5, n]);
    let sums = matrix.sum_cols().dot(matrix.matmul_tr(row)) + matrix.sum_rows().mean();
    sums + matrix.log_sum_exp().sum() + joined.norm_squared() + picked.sum()
}

fn sweeps_allocate_nothing() {
    let shapes = [Shape::vector(50), Shape::vector(4000)];
    let program = Program::<f64>::record(&shapes, |v| everything(v[0], v[1]));
    let mut point = program.point();
    let (x, y) = (vec![0.1; 50], vec![0.02; 4000]);
    let at: [&[f64]; 2] = [&x, &y];
    let along = [Some(&x[..]), Some(&y[..])];
    steady("value", || _ = point.value(&at));
    let x_alone = Inputs::one(0);
    steady("differentiate", || {
        _ = point.differentiate(&at, Inputs::ALL)
    });
    steady("differentiate by one", || {
        _ = point.differentiate(&at, x_alone)
    });
    steady("linearise", || _ = point.linearise(&at));
    steady("second", || point.second(&along));
    steady("second by one", || {
        point.second_by(&[None, along[1]], x_alone)
    });
    steady("directional", || _ = point.directional(&along));
    // A block, a narrower one, and one direction again.
    let (xs, ys) = (x.repeat(3), y.repeat(3));
    let mut slopes = [0.0; 3];
    steady("blocks", || {
        point.second_block(3, &[Some(&xs), Some(&ys)], Inputs::ALL);
        point.second_block(2, &[None, Some(&ys[..8000])], Inputs::ALL);
        point.second(&along);
        point.directional_block(3, &[Some(&xs), None], &mut slopes);
    });
    assert!(point.gradient(0).iter().all(|v| v.is_finite()));
}

/// A product of two matrices, neither of them a row or a column, packs its operands: the crate
/// `gemm` takes two blocks for it each time. Nothing else is allocated.
fn products_allocate_their_packing_alone() {
    let shapes = [Shape::matrix(70, 60), Shape::matrix(60, 80)];
    let program = Program::<f64>::record(&shapes, |v| v[0].matmul(v[1]).norm_squared());
    let mut point = program.point();
    let (a, b) = (vec![0.1; 70 * 60], vec![0.02; 60 * 80]);
    let along = [Some(&a[..]), Some(&b[..])];
    let within = |what: &str, products: usize, f: &mut dyn FnMut()| {
        let made = repeated(f);
        assert!(made <= 99 * 2 * products, "{what}: {made} allocations");
    };
    let live = LARGE_BYTES.get();
    within("value", 1, &mut || _ = point.value(&[&a, &b]));
    within("linearise", 3, &mut || _ = point.linearise(&[&a, &b]));
    within("second", 6, &mut || point.second(&along));
    within("directional", 2, &mut || _ = point.directional(&along));
    // Each of three buffers starts at a line, and so does what is long in it.
    let buffers = 3 * (8 * (a.len() + b.len() + 70 * 80 + 1) + 4 * 64);
    assert!(
        LARGE_BYTES.get() - live <= buffers as isize,
        "packing is given back"
    );
}

fn descent<'r>([lower, many]: [&Arc<Program<f64>>; 2], x: Var<'r>, y: Var<'r>) -> Var<'r> {
    let parts = |i: usize| y.slice(50 * i, 50);
    let arguments = [x, parts(1), parts(2), parts(3), parts(4)];
    let slow = Var::gradient(many, 2, &arguments).sum();
    Var::gradient(lower, 1, &[x, y]) + slow
}

fn loops_allocate_nothing() {
    let shapes = [Shape::vector(50), Shape::vector(280)];
    let lower = Program::<f64>::record(&shapes, |v| everything(v[0], v[1]));
    // Five arguments: more than fit in the engine's short operand lists.
    let shapes = [Shape::vector(50); 5];
    let many = Program::<f64>::record(&shapes, |v| {
        let all = v[0].concat(&v[1..]);
        all.exp().dot(all)
    });
    let of = [&lower, &many];
    let length = |k: usize, c: &mut [f64]| c[0] = 1e-4 / (1.0 + k as f64);
    let steps = [
        Step::scheduled(50, 280, 1, length, |x, y, c| {
            y - c.at(0) * descent(of, x, y)
        }),
        Step::momentum_scheduled(50, 280, 0.9, 1, length, |x, y, c| {
            -(c.at(0) * descent(of, x, y))
        }),
    ];
    for step in steps {
        let dim = step.dim_state();
        let (x, start, cotangent) = (vec![0.1; 50], vec![0.02; dim], vec![1.0; dim]);
        let mut unrolled = Unrolled::new(step.clone(), &Meter::new());
        for memory in [
            Memory::Taped,
            Memory::Stored,
            Memory::Checkpointed { slots: 2 },
            Memory::Online { slots: 2 },
            Memory::Truncated { steps: 2 },
            Memory::Reversible,
            Memory::Forward,
        ] {
            if step.complaint(memory).is_some() {
                continue;
            }
            let made = repeated(|| {
                unrolled.forward(&x, &start, 4, memory);
                let (by_x, by_start) = unrolled.reverse(&cotangent);
                assert!(by_x[0].is_finite() && by_start.iter().all(|v| v.is_finite()));
            });
            // In blocks the one product with a row is one of matrices, which packs its operands: on
            // the way to the gradient and, transposed, on the way back; 50 columns make 4 blocks.
            let packing = match memory {
                Memory::Forward => 99 * 4 * 4 * 2 * 2,
                _ => 0,
            };
            let what = format!("{memory}, {dim} entries");
            assert!(
                made <= packing,
                "{what}: {made} allocations in 99 repetitions"
            );
            // A second way back starts over.
            steady(&format!("{memory}, back again"), || {
                _ = unrolled.reverse(&cotangent);
            });
            if memory == Memory::Forward {
                continue;
            }
            // A loop that stops early, where it always does.
            let mut stops = || {
                unrolled.forward_until(&x, &start, 4, memory, |k, _| k == 3);
                _ = unrolled.reverse(&cotangent);
            };
            if memory == Memory::Taped {
                // The tape lets go of what a shorter loop has no use for, and keeps to its length.
                stops();
            }
            steady(&format!("{memory}, stopped"), stops);
        }
    }
}

/// The bytes on a meter that stand in no large block: nodes and the workspaces' own structures.
fn small_bytes(meter: &Meter, large_before: isize) -> usize {
    let held = usize::try_from(LARGE_BYTES.get() - large_before).expect("held since then");
    let small = meter.read().live() - held;
    assert!(small < LARGE, "{small} bytes of nodes and structures");
    small
}

/// The live bytes of large blocks and of a meter must grow by the same.
fn same_bytes(what: &str, meter: &Meter, large_before: isize, program: usize) {
    let counted = meter.read().live() - program;
    let held = LARGE_BYTES.get() - large_before;
    assert_eq!(held, counted as isize, "{what}: {}", meter.read());
}

fn the_meter_counts_the_allocators_bytes() {
    const N: usize = 20_000;
    let (meter, empty) = (Meter::new(), LARGE_BYTES.get());
    let shapes = [Shape::vector(N), Shape::vector(N)];
    let data: Vec<f64> = (0..N).map(|i| i as f64 / N as f64).collect();
    let here = LARGE_BYTES.get();
    let program = Program::<f64>::record(&shapes, |v| {
        let wave = v[1].fused(Wave { operands: 2 }, &[v[0].vector(&data)]);
        v[0].exp().dot(wave) + v[1].norm_squared()
    });
    // The recording's nodes are a small block; its constants are a large one, with room to start at a line
    // of 64 bytes wherever it is.
    let constants = size_of_val(&data[..]) + 64 - size_of::<f64>();
    assert!(program.bytes() - constants < LARGE, "nodes");
    assert_eq!(LARGE_BYTES.get() - here, constants as isize, "constants");

    let mut point = Point::new(program, &meter);
    let small = small_bytes(&meter, here);
    let along = [None, Some(&data[..])];
    point.value(&[&data, &data]);
    same_bytes("values", &meter, here, small);
    point.differentiate(&[&data, &data], Inputs::ALL);
    same_bytes("adjoints", &meter, here, small);
    point.linearise(&[&data, &data]);
    point.second(&along);
    point.directional(&along);
    same_bytes("tangents", &meter, here, small);
    let before = meter.read().live();
    let second = |width| Point::second_block_bytes(point.program(), width);
    let wider = second(3) - second(1);
    let block = data.repeat(3);
    point.second_block(3, &[None, Some(&block)], Inputs::ALL);
    drop(block);
    same_bytes("a block", &meter, here, small);
    assert_eq!(meter.read().live() - before, wider);
    assert!(point.product(1)[..N] == point.product(1)[2 * N..]);
    assert_eq!(meter.read().live(), meter.read().peak);
    drop(point);
    drop(data);
    assert_eq!((meter.read().live(), LARGE_BYTES.get()), (0, empty));

    let step = Step::<f64>::new(N, N, |x, y, _| y - 0.1 * (y.sin() + x));
    let (x, start) = (vec![0.5; N], vec![1.0; N]);
    let here = LARGE_BYTES.get();
    let mut unrolled = Unrolled::new(step, &meter);
    let small = small_bytes(&meter, here);
    for (depth, memory, kept) in [
        (30, Memory::Stored, 30),
        (10, Memory::Stored, 10),
        (30, Memory::Truncated { steps: 4 }, 4),
        (3, Memory::Truncated { steps: 4 }, 3),
    ] {
        unrolled.forward(&x, &start, depth, memory);
        same_bytes("forward", &meter, here, small);
        unrolled.reverse(&start);
        same_bytes("reverse", &meter, here, small);
        let states = meter.read().live_in(Category::Checkpoints);
        assert_eq!(states, kept * N * size_of::<f64>());
    }
    // A new depth never holds the old states and the new ones together.
    assert_eq!(meter.read().peak_in(Category::Checkpoints), 30 * N * 8);
    drop(unrolled);
    assert_eq!(meter.read().live(), 0);
    assert_eq!(LARGE_BYTES.get(), here);
}

/// A system from what the last one left, and a block of right-hand sides.
fn linear_systems_allocate_nothing() {
    let (n, count, meter) = (60, 5, Meter::new());
    let mut h = |v: &[f64], out: &mut [f64]| {
        for (k, (v, out)) in v.iter().zip(out).enumerate() {
            *out = (1.0 + (k % n) as f64).powi(2) * v;
        }
    };
    let (b, mut v) = (vec![1.0; n], vec![0.0; n]);
    let solver: &dyn LinearSolver<f64> = &Recycled::new(4);
    let (mut kept, mut room) = (vec![0.0; solver.kept(n)], vec![0.0; solver.scratch(n)]);
    steady("a recycled space", || {
        v.fill(0.0);
        let scratch = &mut Scratch::new(&mut room, &meter);
        solver.solve_keeping(&mut h, &b, &mut v, &mut kept, scratch);
    });
    assert!(kept.iter().any(|v| *v != 0.0));
    let several: Vec<f64> = (0..n * count).map(|i| (i as f64).sin()).collect();
    let solver: &dyn LinearSolver<f64> = &Cg::new();
    let mut room = vec![0.0; solver.block_scratch(n, count)];
    let mut v = vec![0.0; n * count];
    let (outcome, iterations) = (Outcome::Exhausted, 0);
    let mut reports = [Report {
        outcome,
        iterations,
    }; 5];
    steady("a block of right-hand sides", || {
        v.fill(0.0);
        let scratch = &mut Scratch::new(&mut room, &meter);
        solver.solve_block(&mut h, &several, &mut v, &mut reports, scratch);
    });
    assert!(
        reports
            .iter()
            .all(|report| report.outcome == Outcome::Converged)
    );
}

#[test]
fn nothing_is_allocated_twice_and_every_byte_is_counted() {
    sweeps_allocate_nothing();
    products_allocate_their_packing_alone();
    loops_allocate_nothing();
    linear_systems_allocate_nothing();
    the_meter_counts_the_allocators_bytes();
}
