//! The hypergradient strategies by name.

use std::sync::Arc;

use autodiff::Real;
use autodiff::bytes::human_bytes;
use autodiff::unroll::Memory;
use solvers::linear::{LinearSolver, Nystrom};
use solvers::{
    AidStep, Bda, ConfigError, Exact, InnerStep, Itd, LowerSolve, Schedule, StepLength, StepSystem,
    Strategy,
};

use super::{Entry, implicit, nearest, unknown};

/// Every strategy.
pub const ALL: &[Entry] = &[
    Entry {
        name: "exact",
        about: "lower level to rounding, dense Hessian: what the others are measured against",
    },
    Entry {
        name: "itd",
        about: "iterative differentiation: reverse through all --depth steps, states stored",
    },
    Entry {
        name: "itd-taped",
        about: "the same hypergradient, every step's linearisation kept",
    },
    Entry {
        name: "itd-checkpointed:SLOTS",
        about: "the same hypergradient, at most SLOTS states kept, the fewest steps run again",
    },
    Entry {
        name: "itd-online:SLOTS",
        about: "the same, for a depth that is not known in advance",
    },
    Entry {
        name: "itd-reversible",
        about: "momentum run backwards: only the bits that its decay loses kept (--inner momentum:BETA)",
    },
    Entry {
        name: "itd-forward",
        about: "the same derivative in forward mode: memory independent of the depth",
    },
    Entry {
        name: "itd-truncated:STEPS",
        about: "reverse through the last STEPS steps only (biased)",
    },
    Entry {
        name: "aid-cg",
        about: "implicit differentiation, linear system by conjugate gradients",
    },
    Entry {
        name: "aid-direct",
        about: "implicit differentiation, linear system by a dense factorisation",
    },
    Entry {
        name: "aid-minres",
        about: "implicit differentiation, linear system by minimal residuals: any Hessian",
    },
    Entry {
        name: "aid-neumann",
        about: "the same by a Neumann series to the tolerance; aid-neumann:K to order K",
    },
    Entry {
        name: "aid-fixed-point",
        about: "the same by fixed-point steps to the tolerance; aid-fixed-point:K takes K",
    },
    Entry {
        name: "aid-nystrom",
        about: "the same by a Nyström approximation of rank 20; aid-nystrom:RANK of this rank",
    },
    Entry {
        name: "aid-one-step",
        about: "the inverse Hessian taken for a step length (Jacobian-free, biased)",
    },
    Entry {
        name: "aid-step",
        about: "implicit differentiation of the fixed point of an --inner step, by its iteration",
    },
    Entry {
        name: "aid-step-gmres",
        about: "the same, linear system by generalised minimal residuals",
    },
    Entry {
        name: "bda",
        about: "bilevel descent aggregation: reverse through --depth steps on both levels",
    },
    Entry {
        name: "bda-constant:ALPHA",
        about: "the same with α_k = ALPHA",
    },
    Entry {
        name: "bda-harmonic:ALPHA",
        about: "the same with α_k = ALPHA/(k+1); bda has 0.5",
    },
    Entry {
        name: "bda-geometric:ALPHA:DECAY",
        about: "the same with α_k = ALPHA·DECAYᵏ, which is summable: it stalls, with a warning",
    },
    Entry {
        name: "bda-outer:ALPHA",
        about: "the same with α = ALPHA/(t+1) in outer iteration t",
    },
    Entry {
        name: "bda-momentum:BETA",
        about: "the same with heavy-ball steps",
    },
    Entry {
        name: "bda-nesterov:BETA",
        about: "the same with Nesterov's steps",
    },
    Entry {
        name: "bda-one-stage",
        about: "the last step alone differentiated, by differences of gradients (biased)",
    },
    Entry {
        name: "bda-MEMORY",
        about: "the same under a memory policy, written as for itd",
    },
];

/// What `compare` runs unless told otherwise.
pub const DEFAULT: &[&str] = &[
    "exact",
    "itd",
    "itd-checkpointed:10",
    "itd-truncated:10",
    "aid-cg",
    "aid-direct",
    "bda",
];

/// What `compare` runs unless told otherwise, where the lower level is not smooth.
pub const DEFAULT_PROXIMAL: &[&str] = &[
    "itd",
    "itd-checkpointed:10",
    "itd-truncated:10",
    "aid-step",
    "aid-step-gmres",
];

/// The kinds of memory policy.
const MEMORY: [&str; 7] = [
    "taped",
    "stored",
    "checkpointed",
    "online",
    "truncated",
    "reversible",
    "forward",
];

/// The most entries of y for which a dense Hessian is formed: some seconds, and 64 MiB.
pub const DENSE_LIMIT: usize = 2048;

/// Whether the strategy of this name forms a dense Hessian.
pub fn is_dense(name: &str) -> bool {
    matches!(name, "exact" | "aid-direct")
}

/// Checks that the strategy of this name can be run on y of `dim_y` entries in `memory` bytes.
///
/// # Errors
/// If it cannot: one line.
pub fn fits<T: Real>(name: &str, depth: usize, dim_y: usize, memory: usize) -> Result<(), String> {
    if is_dense(name) && dim_y > DENSE_LIMIT {
        return Err(format!(
            "`{name}` forms a dense Hessian, and y has {dim_y} entries: expected at most {DENSE_LIMIT}, or aid-cg"
        ));
    }
    if let Some(Ok(rank)) = name.strip_prefix("aid-nystrom:").map(str::parse::<usize>) {
        let bytes = Nystrom::new(rank);
        let bytes = LinearSolver::<T>::bytes(&bytes, dim_y);
        if bytes > memory {
            return Err(format!(
                "`{name}` would hold {}, this machine has {}: expected a lower rank, or aid-cg",
                human_bytes(bytes),
                human_bytes(memory),
            ));
        }
    }
    let policy = match name.split_once('-') {
        _ if name == "itd" || name == "bda" => Memory::Stored,
        Some(("itd" | "bda", policy)) => match policy.parse() {
            // A linearised step is no smaller than its state.
            Ok(Memory::Taped) => Memory::Stored,
            Ok(policy) => policy,
            Err(_) => return Ok(()),
        },
        _ => return Ok(()),
    };
    let bytes = policy.checkpoint_bytes(depth, dim_y, size_of::<T>());
    if bytes > memory {
        return Err(format!(
            "depth {depth}: `{name}` would keep {}, this machine has {}: expected fewer steps, or {}-checkpointed",
            human_bytes(bytes),
            human_bytes(memory),
            &name[..3],
        ));
    }
    Ok(())
}

/// The settings that strategies share.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Steps that are unrolled.
    pub depth: usize,
    /// Tolerance of implicit strategies, for the lower level and the linear system.
    pub tolerance: Option<f64>,
    /// The most iterations on the lower level of strategies that solve it to a tolerance.
    pub lower_limit: Option<usize>,
    /// Tolerance that loops of `itd` end at, if before `depth` steps.
    pub stop: Option<f64>,
    /// Length of the lower level's steps.
    pub step: StepLength,
    /// Kind of the lower level's steps.
    pub inner: InnerStep,
    /// Whether implicit strategies take the same `depth` steps on the lower level instead of
    /// solving it to the tolerance.
    pub implicit_steps: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            depth: 100,
            tolerance: None,
            lower_limit: None,
            stop: None,
            step: StepLength::Auto,
            inner: InnerStep::GradientDescent,
            implicit_steps: false,
        }
    }
}

/// A strategy chosen at run time.
pub type AnyStrategy<T> = Arc<dyn Strategy<T>>;

/// The strategy of this name.
///
/// # Errors
/// If there is none, or the settings do not fit it: one line.
pub fn strategy<T: Real>(name: &str, settings: &Settings) -> Result<AnyStrategy<T>, String> {
    let memory = |text: &str| -> Result<Memory, String> {
        text.parse().map_err(|e| {
            let kind = text.split(':').next().unwrap_or_default();
            let hint = nearest(kind, MEMORY.iter().copied()).filter(|near| *near != kind);
            let hint = hint.map_or(String::new(), |near| format!(", did you mean `{near}`?"));
            format!("strategy `{name}`: {e}{hint}")
        })
    };
    let implicit = name == "exact" || (name.starts_with("aid-") && !name.starts_with("aid-step"));
    if settings.inner.is_proximal() && implicit {
        return Err(format!(
            "`{name}` solves ∇_y g = 0, and --inner {} another lower level: expected itd or aid-step",
            settings.inner
        ));
    }
    let mut itd = Itd::reverse(settings.depth).inner(settings.inner.clone());
    let mut bda = Bda::new(settings.depth);
    let mut aid_step = AidStep::new(settings.inner.clone());
    if let StepLength::Fixed(length) = settings.step {
        (itd, bda) = (itd.step(length), bda.lower_step(length));
        aid_step = aid_step.step(length);
    }
    if let Some(tolerance) = settings.stop {
        itd = itd.tolerance(tolerance);
    }
    if let Some(tolerance) = settings.tolerance {
        aid_step = aid_step.tolerance(tolerance);
    }
    if let Some(limit) = settings.lower_limit {
        aid_step = aid_step.limit(limit);
    }
    // Of the kinds of step, the constraint alone is the problem's and not the strategy's.
    if settings.inner.is_proximal() {
        bda = bda.inner(settings.inner.clone());
    }
    let lower = if settings.implicit_steps {
        LowerSolve::Steps {
            depth: settings.depth,
            inner: settings.inner.clone(),
            length: settings.step,
        }
    } else {
        LowerSolve::Newton {
            tolerance: settings.tolerance,
            limit: settings.lower_limit,
        }
    };
    let strategy: AnyStrategy<T> = match (name, name.split_once('-')) {
        ("exact", _) => Arc::new(Exact),
        ("itd", _) => Arc::new(itd),
        ("bda", _) => Arc::new(bda),
        ("aid-step", _) => Arc::new(aid_step),
        ("aid-step-gmres", _) => Arc::new(aid_step.system(GMRES)),
        ("bda-one-stage", _) => Arc::new(bda.one_stage()),
        (_, Some(("aid", solver))) => implicit::strategy(name, solver, settings, lower)?,
        (_, Some(("itd", policy))) => Arc::new(itd.memory(memory(policy)?)),
        (_, Some(("bda", variant))) => match bda_variant(bda.clone(), variant) {
            Some(bda) => Arc::new(bda),
            None => Arc::new(bda.memory(memory(variant)?)),
        },
        _ => return Err(unknown("strategy", name, ALL)),
    };
    strategy
        .validate()
        .map_err(|e: ConfigError| e.to_string())?;
    Ok(strategy)
}

/// How `aid-step-gmres` solves its system.
const GMRES: StepSystem = StepSystem::Gmres { restart: 50 };

/// The aggregation with a schedule or a kind of step by name, if it is one.
fn bda_variant(bda: Bda, variant: &str) -> Option<Bda> {
    let mut parts = variant.split(':');
    let kind = parts.next()?;
    let numbers: Vec<f64> = parts.map(|n| n.parse().ok()).collect::<Option<_>>()?;
    Some(match (kind, &numbers[..]) {
        ("constant", &[a]) => bda.schedule(Schedule::Constant(a)),
        ("harmonic", &[a]) => bda.schedule(Schedule::harmonic(a)),
        ("geometric", &[a, decay]) => bda.schedule(Schedule::Geometric { a, decay }),
        ("outer", &[a]) => bda.outer_schedule(Schedule::harmonic(a)),
        ("momentum", &[beta]) => bda.inner(InnerStep::Momentum(beta)),
        ("nesterov", &[beta]) => bda.inner(InnerStep::Nesterov(beta)),
        _ => return None,
    })
}
