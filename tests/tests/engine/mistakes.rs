//! A caller's mistake panics at the caller's line, with the operation's name and the shapes.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use autodiff::arbitrary::Wave;
use autodiff::unroll::{Memory, Step, Unrolled};
use autodiff::{Meter, Program, Shape, Var};
use nalgebra::DMatrix;

thread_local! {
    static LAST: RefCell<Option<(String, u32, String)>> = const { RefCell::new(None) };
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// File, line and message of the panic of `f`.
fn panic_of(f: impl FnOnce()) -> (String, u32, String) {
    // The hook is the process's; what it hears in other threads is of other tests.
    static HOOK: OnceLock<()> = OnceLock::new();
    HOOK.get_or_init(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !EXPECTED.get() {
                return before(info);
            }
            let place = info.location().expect("a location");
            let message = bilevel_tests::words_of(info.payload());
            LAST.set(Some((place.file().to_owned(), place.line(), message)));
        }));
    });
    EXPECTED.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(f));
    EXPECTED.set(false);
    assert!(outcome.is_err(), "no panic");
    LAST.take().expect("the hook ran")
}

/// Records `f` on a matrix(2×3), a vector(4), a vector(2), and expects a panic whose message holds
/// all `parts`, at a line of this file.
fn mistake(parts: &[&str], f: impl for<'r> Fn([Var<'r, f64>; 3]) -> Var<'r, f64>) {
    let shapes = [Shape::matrix(2, 3), Shape::vector(4), Shape::vector(2)];
    let (file, _, message) = panic_of(|| {
        Program::<f64>::record(&shapes, |v| f([v[0], v[1], v[2]]));
    });
    assert_eq!(file, file!(), "{message}");
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn mistakes_are_told_where_they_are_made() {
    mistake(&["add", "matrix(2×3)", "vector(4)"], |[a, b, _]| a + b);
    mistake(&["sub", "vector(4)", "vector(2)"], |[_, b, c]| b - c);
    mistake(&["mul", "matrix(2×3)", "vector(4)"], |[a, b, _]| a * b);
    mistake(&["div", "vector(4)", "matrix(2×3)"], |[a, b, _]| b / a);
    mistake(&["dot", "matrix(2×3)", "vector(4)"], |[a, b, _]| a.dot(b));
    mistake(&["matmul", "matrix(2×3)", "vector(4)"], |[a, b, _]| {
        a.matmul(b)
    });
    mistake(&["matmul", "matrix(3×2)", "vector(4)"], |[a, b, _]| {
        a.tr_matmul(b)
    });
    mistake(&["matmul", "vector(2)", "vector(2)"], |[_, _, c]| {
        c.matmul(c)
    });
    mistake(&["matmul", "matrix(2×3)", "matrix(1×2)"], |[a, _, c]| {
        a.matmul_tr(c)
    });
    mistake(&["matmul", "matrix(5×5)", "vector(4)"], |[_, b, _]| {
        &DMatrix::zeros(5, 5) * b
    });
    mistake(&["reshape", "matrix(2×3)", "matrix(2×2)"], |[a, _, _]| {
        a.reshape(2, 2)
    });
    mistake(&["broadcast", "vector(4)", "matrix(2×3)"], |[a, b, _]| {
        b.broadcast(a.shape())
    });
    mistake(&["slice", "3..5", "vector(4)"], |[_, b, _]| b.slice(3, 2));
    mistake(&["at", "6", "matrix(2×3)"], |[a, _, _]| a.at(6));
    mistake(&["gather", "4", "vector(4)"], |[_, b, _]| b.gather(&[0, 4]));
    mistake(&["wave", "vector(4)", "vector(2)"], |[_, b, c]| {
        b.fused(Wave { operands: 2 }, &[c])
    });
    mistake(&["log_sum_exp", "row"], |[_, b, _]| {
        b.vector(&[]).log_sum_exp()
    });
    mistake(&["mean", "vector(0)"], |[_, b, _]| b.vector(&[]).mean());
    mistake(&["gradient", "vector(4)", "scalar"], |[_, b, _]| {
        let f = Program::<f64>::record(&[Shape::vector(4)], |v| v[0].exp());
        Var::gradient(&f, 0, &[b])
    });
    mistake(&["gradient", "vector(2)", "vector(4)"], |[_, _, c]| {
        let f = Program::<f64>::record(&[Shape::vector(4)], |v| v[0].sum());
        Var::gradient(&f, 0, &[c])
    });

    // At this very line, and so are the mistakes with a point.
    let square = Program::<f64>::record(&[Shape::vector(2)], |v| v[0].dot(v[0]));
    let mut point = square.point();
    let here = line!();
    let uses: [(&str, &mut dyn FnMut()); 5] = [
        ("vector(2)", &mut || _ = square.point().value(&[&[1.0]])),
        ("inputs", &mut || _ = square.point().value(&[])),
        ("vector(2)", &mut || {
            _ = square.point().linearise(&[&[1.0; 3]])
        }),
        ("linearisation", &mut || point.second(&[Some(&[1.0, 0.0])])),
        ("scalar", &mut || {
            let vector = Program::<f64>::record(&[Shape::vector(2)], |v| v[0].exp());
            vector.point().value(&[&[0.0, 0.0]]);
        }),
    ];
    let mut lines = Vec::new();
    for (part, wrong) in uses {
        let (file, line, message) = panic_of(wrong);
        assert_eq!(file, file!(), "{message}");
        assert!(message.contains(part), "`{part}` is not in: {message}");
        lines.push(line - here);
    }
    assert_eq!(lines, [2, 3, 5, 7, 10]);

    // So are numbers of a point that no sweep computed.
    let mut point = square.point();
    point.linearise(&[&[1.0, 2.0]]);
    point.second(&[Some(&[1.0, 0.0])]);
    point.value(&[&[3.0, 4.0]]);
    let here = line!();
    let stale: [(&str, &dyn Fn()); 2] = [
        ("gradient by input 0", &|| _ = point.gradient(0)),
        ("product by input 0", &|| _ = point.product(0)),
    ];
    for ((part, read), line) in stale.into_iter().zip(here + 2..) {
        let (file, at, message) = panic_of(read);
        assert_eq!((file.as_str(), at), (file!(), line), "{message}");
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }

    // So are those with a loop.
    let new = || Unrolled::new(Step::<f64>::new(1, 2, |_, s, _| s), &Meter::new());
    let uses: [(&str, &dyn Fn()); 4] = [
        ("vector(2)", &|| _ = Step::<f64>::new(1, 2, |x, _, _| x)),
        ("state", &|| {
            _ = new().forward(&[0.0], &[0.0], 1, Memory::Stored).len()
        }),
        ("input 0", &|| {
            _ = new().forward(&[], &[0.0; 2], 1, Memory::Stored).len()
        }),
        ("forward", &|| _ = new().reverse(&[0.0; 2]).0.len()),
    ];
    for (part, wrong) in uses {
        let (file, _, message) = panic_of(wrong);
        assert_eq!(file, file!(), "{message}");
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }

    // And samples that have no label, or labels that have no sample.
    use models::{Dataset, data::Samples};
    let samples = |labels: usize| Samples {
        features: DMatrix::zeros(2, 3).into(),
        labels: vec![1.0; labels],
    };
    type Use = (usize, fn(&Samples));
    let uses: [Use; 2] = [
        (2, |s| _ = Dataset::<f64>::binary(s).len()),
        (4, |s| _ = Dataset::<f64>::classes(s, 2).len()),
    ];
    for (labels, wrong) in uses {
        let (file, _, message) = panic_of(|| wrong(&samples(labels)));
        assert_eq!(file, file!(), "{message}");
        let shapes = format!("2 × 3 and {labels} labels");
        assert!(message.contains(&shapes), "{message}");
    }

    // What a second sweep cannot do is said, too.
    let inner = square.clone();
    let nested = Program::<f64>::record(&[Shape::vector(2)], |v| Var::gradient(&inner, 0, v).sum());
    let mut point = nested.point();
    point.linearise(&[&[1.0, 2.0]]);
    let (_, _, message) = panic_of(|| point.second(&[Some(&[1.0, 0.0])]));
    assert!(message.contains("third derivatives"), "{message}");
}

#[test]
fn what_a_call_is_given_has_to_be_as_long_as_the_problem_s() {
    use autodiff::objective;
    use nalgebra::DVector;
    use solvers::{Aid, At, Bilevel, Descent, Method, Optimiser, Strategy};

    let f = || objective(|x: Var, y: Var| (y - x.sum()).norm_squared());
    let problem = Bilevel::new(f(), f(), 2, 3).expect("a valid problem");
    let other = Bilevel::new(f(), f(), 2, 3).expect("a valid problem");
    let zeros = |n: usize| DVector::<f64>::zeros(n);
    let (x, y) = (zeros(2), zeros(3));
    let aid = Aid::cg();
    let expect = |parts: [&str; 2], call: &dyn Fn()| {
        let (file, _, message) = panic_of(call);
        assert_eq!(file, file!(), "{message}");
        for part in parts {
            assert!(message.contains(part), "`{part}` is not in: {message}");
        }
    };
    expect(["x has 3 entries", "has 2"], &|| {
        drop(aid.hypergradient(&problem, &y, &mut problem.workspace()));
    });
    expect(["the start has 2 entries", "has 3"], &|| {
        let at = At::new(&x).start(&x);
        drop(aid.hypergradient_at(&problem, at, &mut problem.workspace()));
    });
    expect(["the guess has 4 entries", "has 3"], &|| {
        let mut guess = zeros(4);
        let at = At::new(&x).start(&y).linear(&mut guess);
        drop(aid.hypergradient_at(&problem, at, &mut problem.workspace()));
    });
    expect(["workspace", "another problem"], &|| {
        drop(aid.hypergradient(&problem, &x, &mut other.workspace()));
    });
    let method = Descent::new(Aid::cg(), Optimiser::GradientDescent { rate: 0.1 }, 1);
    expect(["x has 3 entries", "has 2"], &|| {
        drop(method.begin(&problem, y.clone()));
    });
    expect(
        ["start of the lower level has 2 entries", "expected 3"],
        &|| {
            drop(problem.clone().starting_from(x.clone()));
        },
    );
    // Through a trait object the line is the caller's too.
    let (strategy, method): (&dyn Strategy<f64>, &dyn Method<f64>) = (&aid, &method);
    let here = line!();
    let uses: [&dyn Fn(); 2] = [
        &|| drop(strategy.hypergradient(&problem, &y, &mut problem.workspace())),
        &|| drop(method.begin(&problem, y.clone())),
    ];
    for (wrong, line) in uses.into_iter().zip(here + 2..) {
        let (file, at, message) = panic_of(wrong);
        assert_eq!((file.as_str(), at), (file!(), line), "{message}");
    }
}
