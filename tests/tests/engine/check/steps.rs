//! Steps and their loops.

use autodiff::check::{Check, Rung};
use autodiff::unroll::Step;
use autodiff::{Objective, Var, objective};

#[test]
fn steps_with_gradients_inside_pass_every_rung_they_have() {
    let g = objective(|x: Var, y: Var| (y - x).square().dot(y.exp()) + y.norm_squared().square());
    let g = g.record(2, 2);
    let plain = Step::new(2, 2, |x, y, _| y - 0.05 * Var::gradient(&g, 1, &[x, y]));
    let heavy = Step::momentum(2, 2, 0.5, |x, y, _| -0.05 * Var::gradient(&g, 1, &[x, y]));
    let decaying = |k: usize, c: &mut [f64]| c[0] = 0.1 / (k + 1) as f64;
    let scheduled = Step::scheduled(2, 2, 1, decaying, |x, y, c| {
        y - Var::gradient(&g, 1, &[x, y]) * c.at(0)
    });
    for (step, state) in [
        (&plain, &[0.1, 0.3][..]),
        (&heavy, &[0.1, 0.3, 0.0, -0.2]),
        (&scheduled, &[0.1, 0.3]),
    ] {
        let report = Check::new().step(step, &[0.5, -0.2], state, 6);
        assert!(report.passed(), "{report}");
        assert!(report.control().has_power(), "{}", report.control());
        for rung in [
            Rung::Identities,
            Rung::CrossMode,
            Rung::Differences,
            Rung::Taylor,
        ] {
            assert!(
                report.trials().iter().any(|t| t.rung == rung),
                "{rung}: {report}"
            );
        }
    }
}
