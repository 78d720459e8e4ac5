//! Stein's unbiased risk estimate, by a finite difference along a random direction.

use autodiff::{Real, Var, objective};
use nalgebra::DVector;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::{Bilevel, ProblemError};

/// Observations `b = μ + σ·noise` with normal noise, and a fit that is to be near μ: the estimate
///
/// `SURE = (‖fit(b) − b‖² + 2 σ² dof)/n − σ²`, `dof = ⟨δ, fit(b + εδ) − fit(b)⟩/ε`
///
/// of its squared error for each observation, without samples kept apart. δ has entries ±1, drawn once
/// by a seed, so that SURE is one function of x; over δ, dof is the divergence of the fit by b, as far
/// as that is linear over ε. Of a soft threshold, an orthonormal Lasso, it is the number of entries
/// that are not 0, whatever δ is.
///
/// # Reference
/// C. Stein, Estimation of the mean of a multivariate normal distribution, The Annals of Statistics 9,
/// 1981; S. Ramani, T. Blu and M. Unser, Monte-Carlo SURE, IEEE Transactions on Image Processing 17,
/// 2008; C.-A. Deledalle, S. Vaiter, J. Fadili and G. Peyré, Stein unbiased gradient estimator of the
/// risk (SUGAR) for multiple parameter selection, SIAM Journal on Imaging Sciences 7, 2014, for ε and
/// the gradient.
///
/// # Example
/// ```
/// use autodiff::Var;
/// use nalgebra::dvector;
/// use solvers::{Aid, Part, Strategy, Sure};
///
/// // Two of three entries are above the threshold ½.
/// let sure = Sure::new(dvector![2.0, -0.1, 1.2], 0.3, 0);
/// let problem = sure
///     .problem(
///         |_: Var, y: Var| y,
///         |_: Var, y: Var, b: Var| 0.5 * (y - b).norm_squared(),
///         1,
///         3,
///     )?
///     .with_part(Part::l1(|x: Var| x.exp()))?;
/// let x = dvector![0.5f64.ln()];
/// let estimate = Aid::cg().hypergradient(&problem, &x, &mut problem.workspace())?;
/// let want = (2.0 * 0.25 + 0.01 + 2.0 * 0.09 * 2.0) / 3.0 - 0.09;
/// assert!((estimate.upper - want).abs() < 1e-12);
/// // d/dx of 2 e^{2x}/3.
/// assert!((estimate.hypergradient[0] - 4.0 * 0.25 / 3.0).abs() < 1e-9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Sure<T: Real> {
    observations: DVector<T>,
    sigma: f64,
    direction: DVector<T>,
    epsilon: f64,
}

impl<T: Real> Sure<T> {
    /// Of these observations with noise of standard deviation σ; the seed draws δ. ε is
    /// `2 σ/n^0.3`, as SUGAR has it.
    ///
    /// # Panics
    /// If there are no observations, or σ is not a positive number.
    #[must_use]
    #[track_caller]
    pub fn new(observations: DVector<T>, sigma: f64, seed: u64) -> Self {
        let n = observations.len();
        assert!(n > 0, "0 observations: expected at least 1");
        let positive = sigma.is_finite() && sigma > 0.0;
        assert!(positive, "sigma = {sigma}: expected a positive number");
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let sign = |_: usize, _: usize| match rng.next_u64() >> 63 {
            0 => T::one(),
            _ => -T::one(),
        };
        Sure {
            direction: DVector::from_fn(n, sign),
            epsilon: 2.0 * sigma / (n as f64).powf(0.3),
            observations,
            sigma,
        }
    }

    /// Another ε.
    ///
    /// # Panics
    /// If it is not a positive number.
    #[must_use]
    #[track_caller]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        let positive = epsilon.is_finite() && epsilon > 0.0;
        assert!(positive, "epsilon = {epsilon}: expected a positive number");
        self.epsilon = epsilon;
        self
    }

    /// The problem of a fit: `fit(x, y)` has an entry for each observation, and y minimises
    /// `lower(x, y, observations)`. y of the problem is that of b, then that of b + εδ, of `dim_y`
    /// entries each; a [`Part`](crate::Part) of one weight beside it is that of both.
    ///
    /// # Errors
    /// As [`Bilevel::new`].
    ///
    /// # Panics
    /// If the fit does not have as many entries as the observations.
    #[track_caller]
    pub fn problem(
        &self,
        fit: impl for<'r> Fn(Var<'r, T>, Var<'r, T>) -> Var<'r, T>,
        lower: impl for<'r> Fn(Var<'r, T>, Var<'r, T>, Var<'r, T>) -> Var<'r, T>,
        dim_x: usize,
        dim_y: usize,
    ) -> Result<Bilevel<T>, ProblemError> {
        let (n, variance) = (self.observations.len() as f64, self.sigma * self.sigma);
        let moved = &self.observations + &self.direction * T::of(self.epsilon);
        let upper = objective(|x: Var<'_, T>, y: Var<'_, T>| {
            let fits = [0, dim_y].map(|first| fit(x, y.slice(first, dim_y)));
            let off = (fits[0] - &self.observations).norm_squared();
            let along = (fits[1] - fits[0]).dot(y.vector(self.direction.as_slice()));
            let slope = along * T::of(2.0 * variance / self.epsilon);
            (off + slope) * T::of(1.0 / n) - T::of(variance)
        });
        let lower = objective(|x: Var<'_, T>, y: Var<'_, T>| {
            let [b, c] = [&self.observations, &moved].map(|of| y.vector(of.as_slice()));
            lower(x, y.slice(0, dim_y), b) + lower(x, y.slice(dim_y, dim_y), c)
        });
        Bilevel::new(upper, lower, dim_x, 2 * dim_y)
    }
}
