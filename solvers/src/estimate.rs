//! What a strategy answers: never a bare vector.

use std::fmt;

use autodiff::Real;
use autodiff::bytes::Bytes;
use autodiff::ranks::Traffic;
use nalgebra::DVector;

use crate::{Certificate, Oracles, Status};

/// A hypergradient with the evidence for it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound = ""))]
#[non_exhaustive]
pub struct Estimate<T: Real> {
    /// The strategy's name.
    pub strategy: String,
    /// The hypergradient, of `dim_x` entries. Where the status is no success this is the best there
    /// is, for inspection.
    #[cfg_attr(feature = "serde", serde(with = "entries"))]
    pub hypergradient: DVector<T>,
    /// The inner variable it was taken at, of `dim_y` entries.
    #[cfg_attr(feature = "serde", serde(with = "entries"))]
    pub y: DVector<T>,
    /// F(x, y) there.
    pub upper: f64,
    /// How the computation ended.
    pub status: Status,
    /// ‖∇_y g(x, y)‖; where the lower level is not smooth, `‖y − P_s(y − s ∇_y g)‖ / s` of its
    /// proximal steps.
    pub lower_residual: f64,
    /// ‖Hv − ∇_yF‖ / ‖∇_yF‖, recomputed from the solution; `None` without a linear system.
    /// Of a loop that was unrolled up to a tolerance, what was left of the cotangent ∇_yF at its
    /// start, which for gradient steps at the solution is the same.
    pub linear_residual: Option<f64>,
    /// How far y is from the solution of the lower level, estimated, as a part of y's size: by the
    /// smallest curvature that was met, or by how fast the steps contract. It does not depend on the
    /// units of g, F, x and y. `None` where nothing was there to tell.
    pub distance: Option<f64>,
    /// Where a tolerance was given for the lower level: how much the hypergradient changed when y was
    /// last brought nearer to the solution, as a part of the larger of the hypergradient and of its
    /// two terms. It is what the y before had cost, and an upper estimate of what this one does.
    /// `None` where y was near enough at once (1e-7 of its size, 3e-4 in `f32`), or no tolerance given.
    pub change: Option<f64>,
    /// Of an unrolled loop: how far its last step moved y, as a part of the way from the start.
    pub moving: Option<f64>,
    /// Of an unrolled loop: the share of the cotangent ∇_yF that is left at its start; in forward
    /// mode an upper estimate of what the derivative still lacks.
    pub left: Option<f64>,
    /// The multipliers λ of [constraints](crate::Bilevel::with_constraints) between the levels, in the
    /// units of g by those of the constraints: of the equalities, then of the inequalities, where 0
    /// is one that does not hold with equality. Empty without constraints.
    pub multipliers: Vec<f64>,
    /// Where the lower level has a [part beside g](crate::Bilevel::with_part), the margin of strict
    /// complementarity at y: how far `y − s ∇_y g` may move, as a part of its size and at most 0.1,
    /// until another set of entries is active, and the derivative of the solution another one. With
    /// [constraints](crate::Bilevel::with_constraints) likewise the least distance of an inequality
    /// that does not hold with equality, or pressure on one that does over the largest curvature.
    pub margin: Option<f64>,
    /// A bound on the error; `None` where the problem's constants are unknown, or there is no linear
    /// system.
    pub certificate: Option<Certificate>,
    /// Iterations of the lower level.
    pub lower_iterations: usize,
    /// Iterations of the linear solver, or steps of the reverse pass.
    pub linear_iterations: usize,
    /// Steps of an unrolled loop that the reverse pass ran again.
    pub recomputed_steps: usize,
    /// The lower level's step length, where it has one.
    pub step: Option<f64>,
    /// Sweeps of both objectives, everything included.
    pub oracles: Oracles,
    /// Bytes held, live and at the peak.
    pub bytes: Bytes,
    /// What this rank sent to each of the others: nothing where there are none.
    #[cfg_attr(feature = "serde", serde(default))]
    pub traffic: Traffic,
    /// Wall-clock time.
    pub seconds: f64,
    /// Remarks the user should see.
    pub warnings: Vec<String>,
}

/// Vectors as plain lists of numbers.
#[cfg(feature = "serde")]
mod entries {
    use autodiff::Real;
    use nalgebra::DVector;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<T: Real, S: Serializer>(
        v: &DVector<T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(v.iter().map(|entry| entry.f64()))
    }

    pub(super) fn deserialize<'de, T: Real, D: Deserializer<'de>>(
        from: D,
    ) -> Result<DVector<T>, D::Error> {
        let entries = Vec::<f64>::deserialize(from)?;
        Ok(DVector::from_iterator(
            entries.len(),
            entries.into_iter().map(T::of),
        ))
    }
}

impl<T: Real> fmt::Display for Estimate<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let norm = self.hypergradient.norm().f64();
        writeln!(f, "{}: {}", self.strategy, self.status)?;
        let shown: Vec<String> = self
            .hypergradient
            .iter()
            .take(6)
            .map(|v| format!("{:.6}", v.f64()))
            .collect();
        let rest = match self.hypergradient.len() {
            n if n > 6 => format!(", … ({n} entries)"),
            _ => String::new(),
        };
        writeln!(
            f,
            "  hypergradient      [{}{rest}], norm {norm:.6e}",
            shown.join(", ")
        )?;
        writeln!(f, "  upper objective    {:.6e}", self.upper)?;
        writeln!(
            f,
            "  lower residual     {:.2e} after {} iterations",
            self.lower_residual, self.lower_iterations
        )?;
        if let Some(residual) = self.linear_residual {
            writeln!(
                f,
                "  linear residual    {residual:.2e} after {} iterations",
                self.linear_iterations
            )?;
        }
        if let Some(distance) = self.distance {
            writeln!(f, "  distance to y*     {distance:.1e} of y, estimated")?;
        }
        if let Some(change) = self.change {
            writeln!(
                f,
                "  last change        {change:.1e} of the hypergradient, by a nearer y"
            )?;
        }
        if let (Some(moving), Some(left)) = (self.moving, self.left) {
            writeln!(
                f,
                "  last step          {moving:.1e} of the way; {left:.1e} of the cotangent left"
            )?;
        }
        if let Some(margin) = self.margin {
            writeln!(
                f,
                "  margin             {margin:.1e} of y to another active set"
            )?;
        }
        if let Some(certificate) = &self.certificate {
            writeln!(f, "  error              {certificate}")?;
        }
        writeln!(
            f,
            "  oracles            {} gradients, {} Hessian-vector products",
            self.oracles.gradients(),
            self.oracles.hvps()
        )?;
        writeln!(f, "  bytes              {}", self.bytes)?;
        write!(f, "  seconds            {:.3e}", self.seconds)?;
        for warning in &self.warnings {
            write!(f, "\n  warning: {warning}")?;
        }
        Ok(())
    }
}
