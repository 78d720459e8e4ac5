//! How the solution of a lower level moves: many cotangents pulled back at once, and dy*/dx.

mod predicted;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;

use autodiff::bytes::{Buffer, Category, Claim, Interrupted};
use autodiff::{Inputs, Real};
use nalgebra::{DMatrix, DVector};

use crate::linear::dense::BLOCK;
use crate::linear::system::{self, along_all};
use crate::linear::{LinearSolver, Scratch, Solved};
use crate::{ConfigError, Estimate, Layer, Row, Status, Strategy, Workspace};

/// Several derivatives of one solution y*(x), with what is said of each.
#[derive(Clone, Debug)]
pub struct Sensitivities<T: Real> {
    /// Of the solution: y, how it was found, and what finding it and all that follows took. Its
    /// hypergradient is 0.
    pub estimate: Estimate<T>,
    /// From [`Layer::pull_back`] `(∂y*/∂x)ᵀ ȳ`, a column of `dim_x` entries for each cotangent; from
    /// [`Layer::jacobian`] `∂y*/∂x`, of `dim_y` rows and `dim_x` columns.
    pub matrix: DMatrix<T>,
    /// How each column of the matrix was found; or each row, where rows are pulled back. A column or row
    /// without a finite answer is NaN.
    pub systems: Vec<Solved>,
    /// Whether the systems are those of the rows.
    pub by_rows: bool,
}

impl<T: Real> Sensitivities<T> {
    /// The first status that is no success, that of y or of a system; converged where all are.
    pub fn status(&self) -> &Status {
        let all =
            || std::iter::once(&self.estimate.status).chain(self.systems.iter().map(|s| &s.status));
        let failed = all().find(|status| !status.is_success());
        failed.unwrap_or(&self.estimate.status)
    }
}

/// What the right-hand sides are.
#[derive(Clone, Copy)]
enum Sides<'a, T: Real> {
    /// These cotangents of y, of which x's come back.
    Cotangents(&'a DMatrix<T>),
    /// `−∇²_yx g` along each entry of x; the solutions are the derivatives.
    Entries,
    /// The unit vectors of y, of which the rows of the derivative come back.
    Units,
}

impl<T: Real> Sides<'_, T> {
    /// The rows and columns of what comes of them, and how many systems there are.
    fn shape(&self, dim_x: usize, dim_y: usize) -> ([usize; 2], usize) {
        match self {
            Sides::Cotangents(of) => ([dim_x, of.ncols()], of.ncols()),
            Sides::Entries => ([dim_y, dim_x], dim_x),
            Sides::Units => ([dim_y, dim_x], dim_y),
        }
    }

    /// Overwrites the `j`-th column of the matrix, or its row.
    fn put(&self, matrix: &mut DMatrix<T>, j: usize, values: impl Iterator<Item = T>) {
        match self {
            Sides::Units => (matrix.row_mut(j).iter_mut().zip(values)).for_each(|(m, v)| *m = v),
            _ => (matrix.column_mut(j).iter_mut().zip(values)).for_each(|(m, v)| *m = v),
        }
    }

    /// Whether the `j`-th column, or row, is finite.
    fn is_finite(&self, matrix: &DMatrix<T>, j: usize) -> bool {
        match self {
            Sides::Units => matrix.row(j).iter().all(|v| v.is_finite()),
            _ => matrix.column(j).iter().all(|v| v.is_finite()),
        }
    }
}

impl<T: Real> Layer<T> {
    /// Solves the lower level at a row's x and pulls each column of `cotangents`, of `dim_y` rows, back:
    /// its own cotangent and guess are not looked at.
    ///
    /// Where the strategy is [implicit](Strategy::implicit) and g has no part beside it, the systems
    /// `H v = ȳ` are solved in blocks of sixteen, from one linearisation: by block conjugate gradients for
    /// [`Aid::cg`](crate::Aid::cg), by one factor for [`Aid::direct`](crate::Aid::direct). Elsewhere each
    /// cotangent is a [`call`](Layer::call).
    ///
    /// # Cost in oracle calls
    /// A call with one cotangent, which tells how near y is; then for each block an iteration of as many
    /// Hessian-vector products as it has columns, and as many for the residuals and cross products.
    ///
    /// # Errors
    /// As [`call`](Layer::call).
    ///
    /// # Panics
    /// As [`call`](Layer::call), and if `cotangents` does not have `dim_y` rows.
    ///
    /// # Example
    /// y*(x) = x/2:
    /// ```
    /// use autodiff::{Var, objective};
    /// use nalgebra::{dmatrix, dvector};
    /// use solvers::{Aid, Layer, Row};
    ///
    /// let g = objective(|x: Var, y: Var| y.norm_squared() - x.dot(y));
    /// let layer = Layer::new(g, 2, 2)?;
    /// let (row, mut work) = (Row::new(dvector![1.0, 4.0]), layer.workspace());
    /// let cotangents = dmatrix![3.0, 0.0, 1.0; 0.0, 5.0, 1.0];
    /// let back = layer.pull_back(&Aid::cg(), &row, &cotangents, &mut work)?;
    /// assert!(back.status().is_success());
    /// assert!((&back.matrix - cotangents / 2.0).norm() < 1e-9);
    ///
    /// let jacobian = layer.jacobian(&Aid::cg(), &row, &mut work)?;
    /// assert!((&jacobian.matrix - dmatrix![0.5, 0.0; 0.0, 0.5]).norm() < 1e-9);
    /// assert!(jacobian.systems.iter().all(|system| system.residual < 1e-10));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    #[inline(never)]
    pub fn pull_back(
        &self,
        strategy: &dyn Strategy<T>,
        row: &Row<T>,
        cotangents: &DMatrix<T>,
        work: &mut Workspace<T>,
    ) -> Result<Sensitivities<T>, ConfigError> {
        let (rows, dim_y) = (cotangents.nrows(), self.problem.dim_y());
        assert!(
            rows == dim_y,
            "the cotangents have {rows} rows: the problem's inner variable has {dim_y} entries"
        );
        self.sensitivities(strategy, row, Sides::Cotangents(cotangents), work)
    }

    /// Solves the lower level at a row's x and differentiates the solution by x: `∂y*/∂x`, of `dim_y` rows
    /// and `dim_x` columns.
    ///
    /// Where [`pull_back`](Layer::pull_back) solves in blocks and x has no more entries than y, the systems
    /// are `H z = −∇²_yx g e_i`, one for each entry of x, and `z` is a column; else rows are pulled back.
    ///
    /// # Cost in oracle calls
    /// That of [`pull_back`](Layer::pull_back) with as many cotangents as x or y has entries, whichever has
    /// fewer.
    ///
    /// # Errors
    /// As [`call`](Layer::call).
    ///
    /// # Panics
    /// As [`call`](Layer::call).
    #[track_caller]
    #[inline(never)]
    pub fn jacobian(
        &self,
        strategy: &dyn Strategy<T>,
        row: &Row<T>,
        work: &mut Workspace<T>,
    ) -> Result<Sensitivities<T>, ConfigError> {
        let (dim_x, dim_y) = (self.problem.dim_x(), self.problem.dim_y());
        if dim_x <= dim_y && self.in_blocks(strategy).is_some() {
            return self.sensitivities(strategy, row, Sides::Entries, work);
        }
        self.sensitivities(strategy, row, Sides::Units, work)
    }

    /// The solver of several systems at once, where there is one.
    fn in_blocks<'s>(&self, strategy: &'s dyn Strategy<T>) -> Option<&'s dyn LinearSolver<T>> {
        strategy
            .implicit()
            .filter(|_| self.problem.part().is_none())
    }

    #[track_caller]
    fn sensitivities(
        &self,
        strategy: &dyn Strategy<T>,
        row: &Row<T>,
        sides: Sides<'_, T>,
        work: &mut Workspace<T>,
    ) -> Result<Sensitivities<T>, ConfigError> {
        let (started, before) = (Instant::now(), work.oracles());
        let (dim_x, dim_y) = (self.problem.dim_x(), self.problem.dim_y());
        let ([rows, columns], count) = sides.shape(dim_x, dim_y);
        let mut forward = Row::new(row.x.clone());
        forward.start.clone_from(&row.start);
        let linear = self.in_blocks(strategy);
        if linear.is_some() {
            // What it takes to follow a cotangent says how near y is for that.
            let mut any = DVector::zeros(dim_y);
            along_all(any.as_mut_slice());
            forward = forward.cotangent(any);
            // Before the call, so that what it holds is the same in every one.
            let width = count.min(BLOCK);
            if width > 0 {
                work.lower.make_second_block(width);
            }
        }
        let mut estimate = self.call(strategy, &mut forward, work)?;
        estimate.hypergradient.fill(T::zero());
        estimate.upper = 0.0;
        // Of the caller once it is made, and counted until then.
        let bytes = rows * columns * size_of::<T>();
        let _made = Claim::new(bytes, Category::Solver, &work.meter);
        let mut matrix = DMatrix::from_element(rows, columns, T::of(f64::NAN));
        let mut systems = Vec::new();
        match (linear, sides) {
            _ if count == 0 || estimate.status == Status::Interrupted => {}
            (Some(linear), _) => {
                let at = [row.x.as_slice(), estimate.y.as_slice()];
                let whole = || self.solve_all(linear, at, sides, work, (&mut matrix, &mut systems));
                if let Err(payload) = catch_unwind(AssertUnwindSafe(whole))
                    && !payload.is::<Interrupted>()
                {
                    resume_unwind(payload);
                }
            }
            (None, _) => {
                for j in 0..count {
                    forward = forward.cotangent(match sides {
                        Sides::Cotangents(of) => of.column(j).into_owned(),
                        Sides::Units => {
                            DVector::from_fn(dim_y, |i, _| T::of(f64::from(u8::from(i == j))))
                        }
                        Sides::Entries => unreachable!("columns are solved for in blocks"),
                    });
                    let one = self.call(strategy, &mut forward, work)?;
                    sides.put(&mut matrix, j, one.hypergradient.iter().copied());
                    systems.push(Solved {
                        status: one.status,
                        residual: one.linear_residual.or(one.left).unwrap_or(f64::NAN),
                        iterations: one.linear_iterations,
                    });
                }
            }
        }
        systems.resize_with(count, || Solved {
            status: Status::Interrupted,
            residual: f64::NAN,
            iterations: 0,
        });
        for (j, system) in systems.iter_mut().enumerate() {
            if !sides.is_finite(&matrix, j) && system.status.is_success() {
                system.status = Status::in_a_product();
            }
            if matches!(
                system.status,
                Status::NonFinite { .. } | Status::Interrupted
            ) {
                sides.put(&mut matrix, j, std::iter::repeat(T::of(f64::NAN)));
            }
            if system.status.is_success() {
                system.status = estimate.status.clone();
            }
        }
        estimate.oracles = work.oracles().saturating_sub(before);
        estimate.bytes = work.bytes();
        estimate.seconds = started.elapsed().as_secs_f64();
        Ok(Sensitivities {
            estimate,
            matrix,
            systems,
            by_rows: matches!(sides, Sides::Units),
        })
    }

    /// Overwrites `matrix`, block by block, and says how each system was solved.
    fn solve_all(
        &self,
        linear: &dyn LinearSolver<T>,
        at: [&[T]; 2],
        sides: Sides<'_, T>,
        work: &mut Workspace<T>,
        (matrix, systems): (&mut DMatrix<T>, &mut Vec<Solved>),
    ) {
        let (m, n) = (at[0].len(), at[1].len());
        let (_, count) = sides.shape(m, n);
        let width = count.min(BLOCK);
        let meter = work.meter.clone();
        let entries = Self::block_entries(linear, [m, n], width);
        let mut room = Buffer::zeros(entries, Category::Solver, &meter);
        let ([b, v], scratch) = Scratch::new(&mut room, &meter).take(n * width);
        let ([units], mut scratch) = scratch.take(m * width);
        work.lower.linearise(&at);
        for first in (0..count).step_by(BLOCK) {
            let width = width.min(count - first);
            let (b, v) = (&mut b[..n * width], &mut v[..n * width]);
            v.fill(T::zero());
            match sides {
                Sides::Cotangents(of) => {
                    b.copy_from_slice(&of.as_slice()[n * first..n * (first + width)]);
                }
                Sides::Units => {
                    b.fill(T::zero());
                    (0..width).for_each(|j| b[j * n + first + j] = T::one());
                }
                Sides::Entries => {
                    let units = &mut units[..m * width];
                    units.fill(T::zero());
                    (0..width).for_each(|j| units[j * m + first + j] = T::one());
                    let along = [Some(&*units), None];
                    work.lower.second_block(width, &along, Inputs::one(1));
                    let of = work.lower.product(1);
                    b.iter_mut().zip(of).for_each(|(b, of)| *b = -*of);
                }
            }
            let solved = system::solve_block(linear, &mut work.lower, b, v, width, &mut scratch);
            let (of, len, sign) = match sides {
                Sides::Entries => (&*v, n, T::one()),
                _ => (work.lower.product(0), m, -T::one()),
            };
            for (j, of) in of.chunks_exact(len).enumerate() {
                sides.put(matrix, first + j, of.iter().map(|of| sign * *of));
            }
            systems.extend(solved);
        }
    }
}
