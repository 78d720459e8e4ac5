//! What every operation is held to.

use autodiff::{Inputs, Point, Program, Real, Shape, Var};

/// Numbers in (−1, 1) that look like noise.
pub(crate) fn noise(len: usize, seed: usize) -> Vec<f64> {
    let number = |i: usize| ((i * 12 + seed * 77 + 1) as f64 * 2.399).sin();
    (0..len).map(number).collect()
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A function of several inputs `a`, seen through `f64`, with sweeps in `T`.
pub(crate) struct Function<T: Real>(Point<T>);

impl<T: Real> Function<T> {
    pub(crate) fn new<F>(shapes: &[Shape], f: F) -> Self
    where
        F: for<'r> Fn(&[Var<'r, T>]) -> Var<'r, T>,
    {
        Function(Program::record(shapes, |v| f(v)).point())
    }

    pub(crate) fn shape(&self) -> Shape {
        self.0.program().output_shape()
    }

    pub(crate) fn value(&mut self, a: &[Vec<f64>]) -> Vec<f64> {
        let a: Vec<Vec<T>> = a.iter().map(|a| narrow(a)).collect();
        let a: Vec<&[T]> = a.iter().map(|a| &a[..]).collect();
        widen(self.0.linearise_vector(&a))
    }

    /// `J v`, after `value`.
    pub(crate) fn jvp(&mut self, v: &[Vec<f64>]) -> Vec<f64> {
        let v: Vec<Vec<T>> = v.iter().map(|v| narrow(v)).collect();
        let v: Vec<Option<&[T]>> = v.iter().map(|v| Some(&v[..])).collect();
        widen(self.0.push_forward(&v).expect("a tangent"))
    }

    /// `Jᵀ u`, after `value`.
    pub(crate) fn vjp(&mut self, u: &[f64]) -> Vec<Vec<f64>> {
        self.0.pull_back(&narrow::<T>(u), Inputs::ALL);
        let gradient = |k| widen(self.0.gradient(k));
        (0..self.0.program().inputs()).map(gradient).collect()
    }

    /// `∇²⟨u, f⟩ v`, after `vjp` of u.
    pub(crate) fn hvp(&mut self, v: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let v: Vec<Vec<T>> = v.iter().map(|v| narrow(v)).collect();
        let v: Vec<Option<&[T]>> = v.iter().map(|v| Some(&v[..])).collect();
        self.0.second(&v);
        let product = |k| widen(self.0.product(k));
        (0..self.0.program().inputs()).map(product).collect()
    }
}

fn narrow<T: Real>(a: &[f64]) -> Vec<T> {
    a.iter().map(|a| T::of(*a)).collect()
}

fn widen<T: Real>(a: &[T]) -> Vec<f64> {
    a.iter().map(|a| a.f64()).collect()
}

fn inner(a: &[Vec<f64>], b: &[Vec<f64>]) -> f64 {
    a.iter().zip(b).map(|(a, b)| dot(a, b)).sum()
}

pub(crate) fn assert_close(got: &[f64], want: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}: length");
    let size = want.iter().fold(1.0, |m: f64, w| m.max(w.abs()));
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        let error = (g - w).abs();
        assert!(error <= tolerance * size, "{what}: entry {i}: {g} for {w}");
    }
}

/// Holds `f` at `a` to its definition and to the identities that tie its sweeps together.
pub(crate) fn check_at<T: Real, F>(
    name: &str,
    shapes: &[Shape],
    a: &[Vec<f64>],
    f: F,
    definition: impl Fn(&[Vec<f64>]) -> Vec<f64>,
) where
    F: for<'r> Fn(&[Var<'r, T>]) -> Var<'r, T>,
{
    let what = |check: &str| format!("{name} in {}: {check}", T::NAME);
    let eps = T::EPSILON;
    let mut f = Function::new(shapes, f);
    assert_close(&f.value(a), &definition(a), 1e2 * eps, &what("value"));

    let directions = |seed: usize| -> Vec<Vec<f64>> {
        let part = |(k, s): (usize, &Shape)| noise(s.len(), seed + k);
        shapes.iter().enumerate().map(part).collect()
    };
    let (v, w) = (directions(20), directions(30));
    let u = noise(f.shape().len(), 40);
    let jvp = f.jvp(&v);
    let vjp = f.vjp(&u);
    let (hv, hw) = (f.hvp(&v), f.hvp(&w));
    let size = |x: f64| 1.0 + x.abs();
    let (left, right) = (dot(&u, &jvp), inner(&vjp, &v));
    let error = (left - right).abs() / size(left);
    assert!(error < 1e3 * eps, "{}: {left}, {right}", what("adjoint"));
    let (left, right) = (inner(&w, &hv), inner(&v, &hw));
    let error = (left - right).abs() / size(left);
    assert!(error < 1e3 * eps, "{}: {left}, {right}", what("symmetry"));

    // Differences lose half of the digits: only f64 has enough.
    if T::NAME == "f64" {
        let h = 1e-5;
        let mut moved = |s: f64| {
            let step =
                |(a, v): (&Vec<f64>, &Vec<f64>)| a.iter().zip(v).map(|(a, v)| a + s * v).collect();
            let a: Vec<Vec<f64>> = a.iter().zip(&v).map(step).collect();
            (f.value(&a), f.vjp(&u))
        };
        let ((up, vjp_up), (down, vjp_down)) = (moved(h), moved(-h));
        let slope = |p: &[f64], q: &[f64]| -> Vec<f64> {
            p.iter().zip(q).map(|(p, q)| (p - q) / (2.0 * h)).collect()
        };
        assert_close(&jvp, &slope(&up, &down), 1e-7, &what("jvp by differences"));
        for (k, hv) in hv.iter().enumerate() {
            let want = slope(&vjp_up[k], &vjp_down[k]);
            assert_close(hv, &want, 1e-7, &what("hvp by differences"));
        }
    }
}

/// [`check_at`] in both precisions, at noise.
macro_rules! check {
    ($name:expr, $shapes:expr, |$v:ident| $f:expr, $definition:expr) => {{
        let shapes: &[autodiff::Shape] = &$shapes;
        let noise =
            |(k, s): (usize, &autodiff::Shape)| crate::operations::harness::noise(s.len(), k);
        let a: Vec<Vec<f64>> = shapes.iter().enumerate().map(noise).collect();
        check!($name, shapes, &a, |$v| $f, $definition);
    }};
    ($name:expr, $shapes:expr, $a:expr, |$v:ident| $f:expr, $definition:expr) => {{
        let definition = $definition;
        crate::operations::harness::check_at::<f64, _>($name, $shapes, $a, |$v| $f, &definition);
        crate::operations::harness::check_at::<f32, _>($name, $shapes, $a, |$v| $f, &definition);
    }};
}
pub(crate) use check;
