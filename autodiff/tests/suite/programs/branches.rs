//! Functions that branch on values.

use autodiff::{Meter, Rerecord, Shape, Var};

/// `a²` where the sum is positive, else `−3a`, summed; with a loop of `⌈|a₀|⌉` factors 2.
fn value(a: &[f64]) -> f64 {
    let inner: f64 = match a.iter().sum::<f64>() > 0.0 {
        true => a.iter().map(|a| a * a).sum(),
        false => a.iter().map(|a| -3.0 * a).sum(),
    };
    inner * 2f64.powi(a[0].abs().ceil() as i32)
}

#[test]
fn each_branch_has_its_derivatives_and_is_recorded_once() {
    let meter = Meter::new();
    let branch = |a: &[&[f64]]| (a[0].iter().sum::<f64>() > 0.0, a[0][0].abs().ceil() as u32);
    let mut f = Rerecord::new(
        &[Shape::vector(2)],
        &meter,
        branch,
        |(bent, doublings), v| {
            let a: Var<'_, f64> = v[0];
            let inner = if *bent {
                a.square().sum()
            } else {
                a.sum() * -3.0
            };
            (0..*doublings).fold(inner, |u, _| u * 2.0)
        },
    );
    let points: [[f64; 2]; 5] = [[1.5, 2.0], [1.2, 0.5], [-1.5, 0.2], [0.5, -3.0], [1.9, 9.0]];
    let mut seen = std::collections::BTreeSet::new();
    for at in points {
        let doublings = at[0].abs().ceil();
        let point = f.point(&[&at]);
        let (got, want) = (point.linearise(&[&at]), value(&at));
        assert!(
            (got - want).abs() <= 4.0 * f64::EPSILON * want.abs(),
            "{at:?}"
        );
        let bent = at[0] + at[1] > 0.0;
        let want = at.map(|a| doublings.exp2() * if bent { 2.0 * a } else { -3.0 });
        assert_eq!(point.gradient(0), want, "{at:?}");
        point.second(&[Some(&[1.0, 0.0])]);
        let bend = if bent { 2.0 * doublings.exp2() } else { 0.0 };
        assert_eq!(point.product(0), [bend, 0.0], "{at:?}");
        seen.insert((bent, doublings as u32));
        assert_eq!(f.recordings(), seen.len(), "{at:?}");
    }
    assert!(meter.read().live() > 0);
    f.clear();
    assert_eq!((f.recordings(), meter.read().live()), (0, 0));
}

#[test]
#[should_panic(expected = "inputs of [3] entries: expected vector(2)")]
fn inputs_of_a_wrong_length_are_refused_before_the_choice() {
    let choose = |a: &[&[f64]]| a[0][1] > 0.0;
    let mut f = Rerecord::new(&[Shape::vector(2)], &Meter::new(), choose, |_, v| {
        v[0].sum()
    });
    f.point(&[&[1.0, 2.0, 3.0]]);
}
