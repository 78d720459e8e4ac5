//! A lower level as a layer: its solution as a function of x, and cotangents pulled back through it.

use std::sync::{Mutex, PoisonError};

use autodiff::{Objective, Program, Real, Shape, objective, threads};
use nalgebra::DVector;

use crate::linear::system::along_all;
use crate::sampling::Levels;
use crate::{At, Bilevel, ConfigError, Constants, Estimate, ProblemError, Status, Strategy};
use crate::{Workspace, certificate::Stated};

/// The solution y*(x) of a lower level as a function of x, whose derivative is pulled back by a
/// [`Strategy`]: a layer of somebody else's program.
///
/// It is the hypergradient of F(x, y) = ⟨ȳ, y⟩, where ȳ is the cotangent that the program around it
/// hands back: so x̄ = (∂y*/∂x)ᵀ ȳ comes with the status, residuals, certificate and counts of every
/// other estimate.
///
/// # Example
/// y*(x) = x/2, so a cotangent is halved:
/// ```
/// use autodiff::{Var, objective};
/// use nalgebra::dvector;
/// use solvers::{Aid, Layer, Row};
///
/// let g = objective(|x: Var, y: Var| y.norm_squared() - x.dot(y));
/// let layer = Layer::new(g, 2, 2)?;
/// let mut work = layer.workspace();
/// let mut row = Row::new(dvector![1.0, 4.0]);
/// let forward = layer.call(&Aid::cg(), &mut row, &mut work)?;
/// assert!((forward.y[1] - 2.0).abs() < 1e-9);
///
/// let mut row = row.start(forward.y).cotangent(dvector![3.0, 0.0]);
/// let back = layer.call(&Aid::cg(), &mut row, &mut work)?;
/// assert!(back.status.is_success() && (back.hypergradient[0] - 1.5).abs() < 1e-9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Layer<T: Real> {
    pub(crate) problem: Bilevel<T>,
}

/// One row of a batch: where a layer is called, and what comes back to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row<T: Real> {
    pub(crate) x: DVector<T>,
    pub(crate) start: Option<DVector<T>>,
    cotangent: Option<DVector<T>>,
    guess: Option<DVector<T>>,
}

impl<T: Real> Row<T> {
    /// A call at `x`, of `dim_x` entries, forward: the solution alone.
    pub fn new(x: DVector<T>) -> Self {
        Row {
            x,
            start: None,
            cotangent: None,
            guess: None,
        }
    }

    /// Starts the lower level from `y`, of `dim_y` entries, and not where the problem says.
    #[must_use]
    pub fn start(mut self, y: DVector<T>) -> Self {
        self.start = Some(y);
        self
    }

    /// Pulls this cotangent of y, of `dim_y` entries, back.
    #[must_use]
    pub fn cotangent(mut self, cotangent: DVector<T>) -> Self {
        self.cotangent = Some(cotangent);
        self
    }

    /// Starts the linear system of implicit strategies from `v`, of `dim_y` entries.
    #[must_use]
    pub fn guess(mut self, v: DVector<T>) -> Self {
        self.guess = Some(v);
        self
    }

    /// The solution of the linear system, where a guess was given.
    pub fn solution(&self) -> Option<&DVector<T>> {
        self.guess.as_ref()
    }
}

impl<T: Real> Layer<T> {
    /// The layer of min_y g(x, y) for x of `dim_x` and y of `dim_y` entries, started from y = 0.
    ///
    /// # Errors
    /// See [`ProblemError`].
    pub fn new(lower: impl Objective<T>, dim_x: usize, dim_y: usize) -> Result<Self, ProblemError> {
        let nothing = objective(|_, y| y.sum());
        Ok(Self::of(&Bilevel::new(nothing, lower, dim_x, dim_y)?))
    }

    /// The layer of this problem's lower level, with its start, its part beside g, its steps and what
    /// it states of g. The upper objective is not looked at.
    pub fn of(problem: &Bilevel<T>) -> Self {
        let mut problem = problem.clone();
        problem.constants = match problem.blocks() {
            1 => of_lower(&problem),
            _ => Stated::default(),
        };
        problem.samples = Levels::default();
        let (x, y) = (
            Shape::vector(problem.dim_x()),
            Shape::vector(problem.dim_y()),
        );
        problem.replace_upper(Program::record(&[x, y, y], |v| v[1].dot(v[2])));
        Layer { problem }
    }

    /// The problem of the lower level. Its upper objective takes a cotangent too, so that it is not one
    /// for a strategy by itself.
    pub fn problem(&self) -> &Bilevel<T> {
        &self.problem
    }

    /// Room for calls, one after the other. It changes no answer.
    pub fn workspace(&self) -> Workspace<T> {
        self.problem.workspace()
    }

    /// Solves the lower level at a row's x and pulls its cotangent back:
    /// [`hypergradient`](Estimate::hypergradient) is x̄, and [`upper`](Estimate::upper) is ⟨ȳ, y⟩.
    /// Without a cotangent x̄ is 0, and the status is that of y.
    ///
    /// # Errors
    /// As [`Strategy::hypergradient`], and for strategies whose lower level follows F as well: there y
    /// would depend on what is made of it.
    ///
    /// # Panics
    /// If a vector of the row does not have the problem's length, or `work` is of another problem.
    #[track_caller]
    #[inline(never)]
    pub fn call(
        &self,
        strategy: &dyn Strategy<T>,
        row: &mut Row<T>,
        work: &mut Workspace<T>,
    ) -> Result<Estimate<T>, ConfigError> {
        self.check(strategy)?;
        let dim_y = self.problem.dim_y();
        let nothing = DVector::zeros(dim_y);
        let cotangent = row.cotangent.as_ref().unwrap_or(&nothing);
        assert!(
            cotangent.len() == dim_y,
            "the cotangent has {} entries: the problem's inner variable has {dim_y}",
            cotangent.len()
        );
        let mut at = At::new(&row.x);
        if let Some(start) = &row.start {
            at = at.start(start);
        }
        if let Some(guess) = &mut row.guess {
            at = at.linear(guess);
        }
        work.check(&self.problem, &row.x);
        work.upper.hold(&[cotangent.as_slice()]);
        let mut estimate = strategy.hypergradient_at(&self.problem, at, work)?;
        let unseen = estimate.distance == Some(f64::INFINITY);
        if row.cotangent.is_none() && unseen && !estimate.status.is_success() {
            // A start at the solution meets no curvature, and without it nothing tells how near that is:
            // a cotangent does.
            let mut any = DVector::zeros(dim_y);
            along_all(any.as_mut_slice());
            work.upper.hold(&[any.as_slice()]);
            let at = At::new(&row.x).start(&estimate.y);
            let mut again = strategy.hypergradient_at(&self.problem, at, work)?;
            again.oracles += estimate.oracles;
            again.seconds += estimate.seconds;
            again.lower_iterations += estimate.lower_iterations;
            again.hypergradient.fill(T::zero());
            estimate = again;
        }
        if !cotangent.iter().all(|v| v.is_finite()) && estimate.status != Status::Interrupted {
            let place = "in the cotangent that came back to the layer".to_owned();
            estimate.status = Status::NonFinite { place };
        }
        Ok(estimate)
    }

    /// [`call`](Layer::call) for each row, on as many threads as there are workspaces: the bits are
    /// those of one call after the other.
    ///
    /// # Errors
    /// As [`call`](Layer::call), before any work.
    ///
    /// # Panics
    /// As [`call`](Layer::call), and if there is no workspace.
    #[inline(never)]
    pub fn batch(
        &self,
        strategy: &dyn Strategy<T>,
        rows: &mut [Row<T>],
        works: &mut [Workspace<T>],
    ) -> Result<Vec<Estimate<T>>, ConfigError> {
        assert!(!works.is_empty(), "no workspace for a batch of rows");
        strategy.validate()?;
        strategy.suits(&self.problem)?;
        self.check(strategy)?;
        let mut estimates: Vec<Option<Estimate<T>>> = rows.iter().map(|_| None).collect();
        let todo = Mutex::new(rows.iter_mut().zip(&mut estimates));
        threads::for_each(works, usize::MAX, |work| {
            loop {
                let next = todo.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some((row, out)) = next else { break };
                *out = Some(self.call(strategy, row, work).expect("looked at above"));
            }
        });
        let made = estimates.into_iter();
        Ok(made.map(|e| e.expect("every row was called")).collect())
    }

    fn check(&self, strategy: &dyn Strategy<T>) -> Result<(), ConfigError> {
        if !strategy.follows_upper() {
            return Ok(());
        }
        Err(ConfigError::Problem {
            of: strategy.name(),
            reason:
                "its lower level follows F as well, and of a layer that is the cotangent: expected \
                     aid-cg, itd or another whose y does not depend on F"
                    .to_owned(),
        })
    }
}

/// What is stated of g, beside an F that is linear in y.
fn of_lower<T: Real>(problem: &Bilevel<T>) -> Stated<T> {
    if !problem.states_constants() {
        return Stated::default();
    }
    let stated = problem.constants.clone();
    Stated::new(move |x, y| Constants {
        upper_smoothness: 0.0,
        upper_cross: 0.0,
        ..stated.at(x, y).expect("stated, as was looked at")
    })
}
