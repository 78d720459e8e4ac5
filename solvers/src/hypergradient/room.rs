//! What a strategy may not have the room for.

use autodiff::Real;
use autodiff::bytes::human_bytes;
use autodiff::unroll::Memory;

/// What a strategy holds beyond a few vectors of the problem's size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Bytes.
    pub bytes: usize,
    /// Whether they are a matrix of `dim_y` rows and columns, which takes time as well.
    pub dense: bool,
    /// Steps that are unrolled, where it is these that are kept.
    pub depth: Option<usize>,
    /// What would need less.
    pub less: &'static str,
}

impl Room {
    /// The most entries of y for which a dense Hessian is formed: some seconds, and 64 MiB.
    pub const DENSE_LIMIT: usize = 2048;

    /// The room of a loop's states; a strategy of the name `other` keeps fewer.
    pub(super) fn of_loop<T: Real>(
        memory: Memory,
        depth: usize,
        dim_y: usize,
        other: &'static str,
    ) -> Self {
        let memory = match memory {
            // A linearised step is no smaller than its state.
            Memory::Taped => Memory::Stored,
            memory => memory,
        };
        Room {
            bytes: memory.checkpoint_bytes(depth, dim_y, size_of::<T>()),
            depth: Some(depth),
            less: other,
            ..Room::default()
        }
    }

    /// The most entries of y for which a dense Hessian is cheap whatever stands beside it: some
    /// milliseconds.
    pub const CHEAP: usize = 256;

    /// Whether it is a dense matrix, and too large a one for y of `dim_y` entries.
    pub fn is_too_dense(&self, dim_y: usize) -> bool {
        self.dense && dim_y > Self::DENSE_LIMIT
    }

    /// Whether it is a dense matrix that takes more than a stated share of the time of loops of `depth`
    /// steps, for y of `dim_y` entries: its `dim_y` products against the two sweeps of each step, from
    /// [`CHEAP`](Room::CHEAP) entries on.
    pub fn is_dear(&self, dim_y: usize, depth: usize) -> bool {
        self.dense && dim_y > depth.saturating_mul(2).max(Self::CHEAP)
    }

    /// Checks that it can be had for y of `dim_y` entries, in `memory` bytes.
    ///
    /// # Errors
    /// If it cannot: one line, which calls the strategy `name`.
    pub fn check(&self, name: &str, dim_y: usize, memory: usize) -> Result<(), String> {
        if self.is_too_dense(dim_y) {
            return Err(format!(
                "`{name}` forms a dense Hessian, and y has {dim_y} entries: expected at most {}, \
                 or {}",
                Self::DENSE_LIMIT,
                self.less
            ));
        }
        if self.bytes <= memory {
            return Ok(());
        }
        let (held, had) = (human_bytes(self.bytes), human_bytes(memory));
        let less = self.less;
        Err(match self.depth {
            Some(depth) => format!(
                "depth {depth}: `{name}` would keep {held}, this machine has {had}: expected fewer \
                 steps, or {less}"
            ),
            None => {
                format!("`{name}` would hold {held}, this machine has {had}: expected {less}")
            }
        })
    }
}
