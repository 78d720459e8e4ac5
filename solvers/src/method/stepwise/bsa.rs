//! BSA and TTSA.

use autodiff::Real;
use autodiff::bytes::Buffer;
use autodiff::kernels::axpy;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::catalogue::Settings;
use crate::expect;
use crate::ledger::Ledger;
use crate::method::{Advance, Batches, Begun, Ground, MethodEntry, Rule, State, Update};
use crate::sampling::{Draws, below};
use crate::schedule::Schedule;

use super::amigo::descend;
use super::length;
use super::{drawn, entry as named};

/// BSA, and with one step on y TTSA: a Neumann series cut at random.
///
/// After `inner` steps `y −= η_y ∇_y g`, p is drawn uniformly from 0 … K − 1 and
/// `v = K α Π_{j≤p} (I − α ∇²_yy g(ζ⁽ʲ⁾)) ∇_y F`, whose mean is the K-term sum
/// `α Σ_{k<K} (I − α ∇²_yy g)ᵏ ∇_y F`; then `x −= η_x (∇_x F − ∇²_xy g · v)`. In TTSA the step of y
/// shrinks more slowly than that of x.
///
/// # Requirements on the problem
/// F once and g twice differentiable; g strongly convex in y, with α below 2 over its largest
/// curvature.
///
/// # Cost in oracle calls
/// One gradient of F, `inner` gradients of g and p + 1 Hessian-vector products per step:
/// (K + 1) / 2 on average.
///
/// # Reference
/// S. Ghadimi and M. Wang, Approximation methods for bilevel programming, 2018; M. Hong et al., A
/// two-timescale stochastic algorithm framework for bilevel optimization, 2020.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bsa {
    /// Steps on y.
    pub inner: usize,
    /// K, terms of the Neumann series.
    pub terms: usize,
    /// η_y.
    pub y: Schedule,
    /// α.
    pub v: f64,
    /// η_x.
    pub x: Schedule,
}

impl<T: Real> Rule<T> for Bsa {
    const NAME: &'static str = "bsa";

    fn name(&self) -> String {
        if self.inner == 1 { "ttsa" } else { "bsa" }.into()
    }

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        expect::at_least_1("steps on y", self.inner)?;
        expect::at_least_1("terms of the Neumann series", self.terms)?;
        self.y.check("step of y")?;
        expect::positive("step of the Neumann series", self.v)?;
        self.x.check("step of x")?;
        let batches = Batches::new(s)?;
        let mut choices = ChaCha8Rng::seed_from_u64(s.sampling().seed());
        choices.set_stream(Draws::CHOICES);
        Ok(Box::new(Series {
            rule: *self,
            choices,
            in_x: batches.buffer(s.x.len()),
            spare: batches.buffer(s.y.len()),
            batches,
        }))
    }
}

/// A step, with the stream of lengths of the series.
struct Series<T: Real> {
    rule: Bsa,
    batches: Batches<T>,
    choices: ChaCha8Rng,
    in_x: Buffer<T>,
    spare: Buffer<T>,
}

impl<T: Real> Update<T> for Series<T> {
    fn step(&mut self, s: &mut State<'_, T>) -> Advance {
        let (rule, choices) = (self.rule, &mut self.choices);
        let (in_x, spare) = (&mut self.in_x, &mut self.spare);
        self.batches.measured(s, |s, b| {
            let t = s.iteration();
            descend(s, b, rule.inner, rule.y.at(t), spare);
            b.upper_gradients(s, in_x, spare);
            b.v.copy_from_slice(spare);
            for _ in 0..below(choices, rule.terms) {
                spare.copy_from_slice(b.hessian_product(s));
                axpy(&mut b.v, T::of(-rule.v), spare);
            }
            let scale = T::of(rule.terms as f64 * rule.v);
            b.v.iter_mut().for_each(|v| *v *= scale);
            axpy(in_x, -T::one(), b.cross_product(s));
            b.direction.copy_from_slice(in_x);
            axpy(s.x.as_mut_slice(), T::of(-rule.x.at(t)), in_x);
        })
    }

    fn ground(&mut self) -> &mut dyn Ground {
        &mut self.batches
    }

    fn visit(&mut self, ledger: &mut Ledger) {
        let place = self.choices.get_word_pos();
        let (mut low, mut high) = (place as u64, (place >> 64) as u64);
        ledger.word("choices made", &mut low);
        ledger.word("choices made, beyond 64 bits", &mut high);
        let place = u128::from(high) << 64 | u128::from(low);
        self.choices.set_word_pos(place);
    }
}

/// The name `bsa`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let about = "mini-batches: warm steps on y, then a Neumann series cut at random";
    named(
        ["bsa", about],
        &["rate", "inner_steps"],
        drawn,
        |settings| Bsa {
            inner: settings.inner_steps(),
            ..bsa(settings)
        },
    )
}

/// The name `ttsa`.
pub(super) fn of_one_step<T: Real>() -> MethodEntry<T> {
    let about = "bsa with one step on y";
    named(
        ["ttsa", about],
        &["rate", "inner_steps"],
        drawn,
        |settings| Bsa {
            inner: 1,
            ..bsa(settings)
        },
    )
}

fn bsa(settings: &Settings) -> Bsa {
    Bsa {
        inner: settings.inner_steps(),
        terms: settings.inner_steps(),
        y: Schedule::Constant(length(settings)),
        v: length(settings),
        x: Schedule::Constant(settings.rate()),
    }
}
