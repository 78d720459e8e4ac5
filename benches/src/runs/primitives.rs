//! The gradient checker over the primitives of the crates.

use autodiff::check::Report;
use autodiff::{Program, Real, Shape, Var};
use models::Dataset;
use models::data;
use nalgebra::DVector;
use study::check::program;

/// Samples and features of the embedded data that primitives are checked on.
const FEW: (usize, usize) = (24, 8);

/// The ladder over the primitives of the crates.
pub fn primitives<T: Real>(seed: u64) -> Vec<Report> {
    let splits = data::digits_parity(seed).cut(FEW.0, FEW.1);
    let binary = Dataset::<T>::binary(&splits.train);
    let (cleaning, _) = data::digits_cleaning(seed, 0.0);
    let cleaning = cleaning.cut(FEW.0, FEW.1);
    let classes = Dataset::<T>::classes(&cleaning.train, 10);
    let (d, n) = (binary.dim(), classes.len());
    let run = |name: &str, shapes: &[Shape], f: &dyn for<'r> Fn(&[Var<'r, T>]) -> Var<'r, T>| {
        let of_square = Program::record(shapes, |v| {
            // Squared, so that the adjoint moves too.
            let u = f(v).sum();
            u + u.square() * T::of(0.5)
        });
        let zeros: Vec<DVector<T>> = shapes.iter().map(|s| DVector::zeros(s.len())).collect();
        let near: Vec<&DVector<T>> = zeros.iter().collect();
        program(name, &of_square, &near, seed)
    };
    let weights = Shape::vector(10 * d);
    vec![
        run("logistic_loss", &[Shape::vector(d)], &|v| {
            binary.logistic_loss(v[0])
        }),
        run("cross_entropy", &[weights], &|v| {
            classes.cross_entropy(v[0])
        }),
        run(
            "weighted cross_entropy",
            &[weights, Shape::vector(n)],
            &|v| classes.weighted_cross_entropy(v[0], v[1]),
        ),
        run("log_sum_exp", &[Shape::matrix(3, 2)], &|v| {
            v[0].log_sum_exp()
        }),
        run("norm", &[Shape::vector(5)], &|v| v[0].norm()),
    ]
}
