//! How the instructions of a random program become recorded operations.

use nalgebra::DMatrix;

use super::algebra::algebra;
use super::graph::{Back, Graph, Instruction};
use crate::primitive::Primitive;
use crate::real::Real;
use crate::rules::conv::Padding;
use crate::rules::elementwise::{Binary, Domain, Unary};
use crate::shape::Shape;
use crate::sparse::Sparse;
use crate::var::Var;

/// Operands of what is not linear stay within this bound, so that values stay of order one.
const LIMIT: f64 = 4.0;
/// Most entries of an operand of a product.
const MODEST: usize = 24;

/// A value with a bound of its entries, and whether an instruction used it.
#[derive(Clone, Copy)]
struct Value<'r, T: Real> {
    var: Var<'r, T>,
    bound: f64,
    used: bool,
}

/// The scalar end of a program.
pub(super) fn scalar<'r, T: Real, P: Primitive<T>>(
    graph: &Graph,
    inputs: &[Var<'r, T>],
    primitive: &dyn Fn(usize) -> P,
) -> Var<'r, T> {
    let ends = ends(graph, inputs, primitive);
    let weight = |k: usize| T::of([1.0, -0.75, 1.25][k % 3]);
    let terms = ends.iter().enumerate().map(|(k, v)| v.mean() * weight(k));
    terms.reduce(|a, b| a + b).expect("at least one end")
}

/// The vector end of a program.
pub(super) fn vector<'r, T: Real, P: Primitive<T>>(
    graph: &Graph,
    inputs: &[Var<'r, T>],
    primitive: &dyn Fn(usize) -> P,
) -> Var<'r, T> {
    let ends = ends(graph, inputs, primitive);
    ends[0].concat(&ends[1..])
}

/// The computed values that no instruction used, or the first input if nothing was computed.
fn ends<'r, T: Real, P: Primitive<T>>(
    graph: &Graph,
    inputs: &[Var<'r, T>],
    primitive: &dyn Fn(usize) -> P,
) -> Vec<Var<'r, T>> {
    let input = |var: &Var<'r, T>| Value {
        var: *var,
        bound: 1.5,
        used: false,
    };
    let mut builder = Builder {
        values: inputs.iter().map(input).collect(),
        pool: &graph.pool,
        primitive,
    };
    for instruction in &graph.code {
        let (var, bound) = builder.apply(instruction);
        builder.values.push(Value {
            var,
            bound,
            used: false,
        });
    }
    let ends = builder.values[inputs.len()..].iter().filter(|v| !v.used);
    let ends: Vec<_> = ends.map(|v| v.var).collect();
    if ends.is_empty() {
        vec![inputs[0]]
    } else {
        ends
    }
}

struct Builder<'r, 'g, T: Real, P> {
    values: Vec<Value<'r, T>>,
    pool: &'g [f64],
    primitive: &'g dyn Fn(usize) -> P,
}

impl<'r, T: Real, P: Primitive<T>> Builder<'r, '_, T, P> {
    /// The operand, as it is.
    fn take(&mut self, back: Back) -> (Var<'r, T>, f64) {
        let last = self.values.len() - 1;
        let value = &mut self.values[last - back % (last + 1)];
        value.used = true;
        (value.var, value.bound)
    }

    /// The operand, within [`LIMIT`].
    fn bounded(&mut self, back: Back) -> (Var<'r, T>, f64) {
        match self.take(back) {
            (var, bound) if bound <= LIMIT => (var, bound),
            // A sum of n terms is rather of size √n.
            (var, bound) => (soft(var * T::of((LIMIT / bound).sqrt() as f32 as f64)), 2.0),
        }
    }

    /// The operand, within [`LIMIT`] and with few entries.
    fn factor(&mut self, back: Back) -> (Var<'r, T>, f64) {
        let (var, bound) = self.bounded(back);
        (modest(var), bound)
    }

    fn apply(&mut self, instruction: &Instruction) -> (Var<'r, T>, f64) {
        match instruction {
            Instruction::Unary {
                row,
                of,
                parameter,
                negative,
            } => {
                let f = Unary::ALL[row % Unary::ALL.len()];
                let (a, _) = self.bounded(*of);
                // Whatever the row: a bound above this is one that the next operand squeezes.
                let bound = 2.0 * LIMIT;
                (
                    into(f.domain(), a, *negative).elementwise(f, *parameter),
                    bound,
                )
            }
            Instruction::Binary {
                row,
                left,
                right,
                negative,
            } => {
                let f = Binary::ALL[row % Binary::ALL.len()];
                let (a, p) = self.bounded(*left);
                let (b, q) = self.bounded(*right);
                let a = into(f.left_domain(), a, *negative);
                let b = repeatable(b, a.shape());
                let b = match f.domain() {
                    Domain::Unequal => {
                        let apart = b.smooth_abs(0.5);
                        if *negative { a - apart } else { a + apart }
                    }
                    // Powers of powers would leave every bound.
                    _ if f == Binary::Pow => soft(b),
                    domain => into(domain, b, *negative),
                };
                (a.elementwise_with(f, b), (p + q).max(p * q).max(2.0 * p))
            }
            Instruction::Shaped { kind, of } => {
                self.shaped(Graph::SHAPED[kind % Graph::SHAPED.len()], *of)
            }
            Instruction::Dot { left, right } => {
                let (a, p) = self.bounded(*left);
                let (b, q) = self.bounded(*right);
                (a.dot(resized(b, a.shape())), a.len() as f64 * p * q)
            }
            Instruction::MatMul { kind, left, right } => {
                let (a, p) = self.factor(*left);
                let (b, q) = self.factor(*right);
                let (sa, sb) = (a.shape(), b.shape());
                let (product, inner) = match kind % 5 {
                    0 => (
                        a.matmul(resized(b, Shape::matrix(sa.cols, sb.cols))),
                        sa.cols,
                    ),
                    1 => (
                        a.tr_matmul(resized(b, Shape::matrix(sa.rows, sb.cols))),
                        sa.rows,
                    ),
                    3 | 4 => {
                        let sum = a + resized(b, sa);
                        let few = self.sparse(sa.rows, kind % 5 == 4);
                        let product = match kind % 5 {
                            3 => &few * sum,
                            _ => few.tr_mul(sum),
                        };
                        return (product, sa.rows as f64 * 2.0 * (p + q));
                    }
                    _ => (
                        a.matmul_tr(resized(b, Shape::matrix(sb.rows, sa.cols))),
                        sa.cols,
                    ),
                };
                (product, inner as f64 * p * q)
            }
            Instruction::Conv {
                padding,
                image,
                kernel,
            } => {
                let (a, p) = self.factor(*image);
                let (k, q) = self.factor(*kernel);
                let Shape { rows, cols } = a.shape();
                let k = resized(k, Shape::matrix(rows.min(2), cols.min(2)));
                let paddings = [
                    Padding::Reflect,
                    Padding::Wrap,
                    Padding::Zero,
                    Padding::Valid,
                ];
                (a.conv2d(k, paddings[padding % 4]), 4.0 * p * q)
            }
            Instruction::Loss {
                row,
                of,
                weights,
                samples,
                from,
            } => {
                let f = Unary::ALL[row % Unary::ALL.len()];
                let (a, p) = self.factor(*of);
                let (w, _) = self.factor(*weights);
                let n = a.len();
                let data = self.constant(a, (*samples, n), *from);
                let outputs = data.matmul(a.reshape(n, 1)) * T::of(1.0 / n as f64);
                let losses = into(f.domain(), outputs, false).elementwise(f, 1.0);
                let w = resized(w, Shape::vector(*samples)).sigmoid();
                ((losses * w).mean(), 2.0 * p.max(LIMIT))
            }
            Instruction::Algebra {
                kind,
                of,
                with,
                count,
            } => {
                let name = Graph::ALGEBRA[kind % Graph::ALGEBRA.len()];
                let (a, with) = (soft(self.factor(*of).0), self.factor(*with));
                algebra(name, a, with, 1 + count % 2)
            }
            Instruction::Slice { of, start, len } => {
                let (a, p) = self.take(*of);
                let start = start % a.len();
                (a.slice(start, 1 + len % (a.len() - start)), p)
            }
            Instruction::Gather { of, positions } => {
                let (a, p) = self.take(*of);
                let positions: Vec<usize> = positions.iter().map(|at| at % a.len()).collect();
                (a.gather(&positions), p)
            }
            Instruction::Reshape { of, rows } => {
                let (a, p) = self.take(*of);
                let divides = |d: &usize| a.len().is_multiple_of(*d);
                let divisors: Vec<usize> = (1..=a.len()).filter(divides).collect();
                let rows = divisors[rows % divisors.len()];
                (a.reshape(rows, a.len() / rows), p)
            }
            Instruction::Broadcast { of, rows, cols } => {
                let (a, p) = self.take(*of);
                let a = modest(a);
                let to = |from: usize, to: usize| if from == 1 { to } else { from };
                let shape = Shape::matrix(to(a.shape().rows, *rows), to(a.shape().cols, *cols));
                (a.broadcast(shape), p)
            }
            Instruction::Concat { of } => {
                let parts: Vec<_> = of.iter().map(|b| self.take(*b)).collect();
                let vars: Vec<_> = parts.iter().map(|(v, _)| modest(*v)).collect();
                let bound = parts.iter().fold(0.0, |m: f64, (_, p)| m.max(*p));
                (vars[0].concat(&vars[1..]), bound)
            }
            Instruction::Fused { of } => {
                let (first, bound) = self.bounded(of[0]);
                let others = of[1..].iter();
                let others: Vec<_> = others
                    .map(|b| resized(self.bounded(*b).0, first.shape()))
                    .collect();
                let operands = of.len();
                (first.fused((self.primitive)(operands), &others), bound)
            }
            Instruction::Constant { rows, cols, from } => {
                let any = self.values[0].var;
                (self.constant(any, (*rows, *cols), *from), 1.5)
            }
        }
    }

    fn shaped(&mut self, name: &str, of: Back) -> (Var<'r, T>, f64) {
        let (a, p) = match name {
            // Those that are not linear.
            "norm_squared" | "smooth_norm" | "variance" | "log_sum_exp" | "log_sum_exp_cols"
            | "softmax" | "log_softmax" => self.bounded(of),
            "repeat" | "hstack" | "vstack" => self.factor(of),
            _ => self.take(of),
        };
        let n = a.len() as f64;
        match name {
            "sum" => (a.sum(), n * p),
            "mean" => (a.mean(), p),
            "sum_rows" => (a.sum_rows(), n * p),
            "sum_cols" => (a.sum_cols(), n * p),
            "transpose" => (a.transpose(), p),
            "norm_squared" => (a.norm_squared(), n * p * p),
            "smooth_norm" => (a.smooth_norm(0.5), 0.5 + n * p),
            "mean_rows" => (a.mean_rows(), p),
            "mean_cols" => (a.mean_cols(), p),
            "variance" => (a.variance(), p * p),
            "log_sum_exp" => (a.log_sum_exp(), p + n.ln()),
            "log_sum_exp_cols" => (a.log_sum_exp_cols(), p + n.ln()),
            "softmax" => (a.softmax(), 1.0),
            "log_softmax" => (a.log_softmax(), 2.0 * p + n.ln()),
            "cumsum" => (a.cumsum(), n * p),
            "dx" => (a.dx(), 2.0 * p),
            "dy" => (a.dy(), 2.0 * p),
            "diagonal" => (a.diagonal(), p),
            "repeat" => (a.repeat(2), p),
            "hstack" => (a.hstack(&[a]), p),
            "vstack" => (a.vstack(&[a]), p),
            other => unreachable!("{other} is in the list and not here"),
        }
    }

    /// A sparse matrix that values of so many rows can be multiplied with, or its transpose: of the pool,
    /// without the numbers about 0, and perhaps without any in a row.
    fn sparse(&self, rows: usize, transposed: bool) -> Sparse<T> {
        let pool = || self.pool.iter().cycle().take(5 * rows);
        let mut entries: Vec<T> = pool()
            .map(|v| T::of(if v.abs() < 0.75 { 0.0 } else { *v }))
            .collect();
        entries.resize(5 * rows, T::zero());
        let of = if transposed { (rows, 5) } else { (5, rows) };
        Sparse::of_dense(&DMatrix::from_vec(of.0, of.1, entries))
    }

    /// A constant of the pool's entries, recorded where `beside` is.
    fn constant(&self, beside: Var<'r, T>, shape: (usize, usize), from: usize) -> Var<'r, T> {
        let pool = self.pool.iter().cycle().skip(from % self.pool.len().max(1));
        let mut entries: Vec<T> = pool.take(shape.0 * shape.1).map(|v| T::of(*v)).collect();
        entries.resize(shape.0 * shape.1, T::zero());
        beside.matrix(&DMatrix::from_vec(shape.0, shape.1, entries))
    }
}

/// Into (−2, 2), smoothly and without the early saturation of tanh.
fn soft<T: Real>(a: Var<'_, T>) -> Var<'_, T> {
    a / (a * T::of(0.5)).smooth_abs(1.0)
}

/// Into a domain, smoothly; `negative` takes the side below 0 of one that has two.
fn into<T: Real>(domain: Domain, a: Var<'_, T>, negative: bool) -> Var<'_, T> {
    match domain {
        Domain::All => a,
        Domain::Positive => a.softplus() + T::of(0.25),
        Domain::Unit => a.tanh() * T::of(0.875),
        Domain::NonZero if negative => -a.smooth_abs(0.5),
        Domain::NonZero => a.smooth_abs(0.5),
        // Parameters are drawn from [½, 2½].
        Domain::OffParameter if negative => a.smooth_abs(0.5) + T::of(2.5),
        Domain::OffParameter => a.tanh() * T::of(0.375),
        Domain::Unequal => unreachable!("of two operands"),
    }
}

/// The first entries of a large value.
fn modest<T: Real>(a: Var<'_, T>) -> Var<'_, T> {
    if a.len() > MODEST {
        a.slice(0, MODEST)
    } else {
        a
    }
}

/// The value in a shape: its entries over and over.
pub(super) fn resized<T: Real>(a: Var<'_, T>, shape: Shape) -> Var<'_, T> {
    if a.shape() == shape {
        return a;
    }
    let positions: Vec<usize> = (0..shape.len()).map(|i| i % a.len()).collect();
    a.gather(&positions).reshape(shape.rows, shape.cols)
}

/// The value in a shape that an elementwise operation can join with `other`.
fn repeatable<T: Real>(a: Var<'_, T>, other: Shape) -> Var<'_, T> {
    let fits = |p: usize, q: usize| p == q || p == 1 || q == 1;
    let shape = a.shape();
    let small = shape.rows.max(other.rows) * shape.cols.max(other.cols) <= MODEST * MODEST;
    if small && fits(shape.rows, other.rows) && fits(shape.cols, other.cols) {
        a
    } else {
        resized(a, other)
    }
}
