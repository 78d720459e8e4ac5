//! Sets of a program's inputs.

/// A set of a program's inputs, one bit each: which of them move, or which are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inputs(pub(crate) u64);

impl Inputs {
    /// No input.
    pub const NONE: Inputs = Inputs(0);
    /// Every input.
    pub const ALL: Inputs = Inputs(u64::MAX);

    /// The input with this index alone.
    pub const fn one(index: usize) -> Inputs {
        Inputs(1 << index)
    }

    /// The inputs of either set.
    #[must_use]
    pub const fn union(self, other: Inputs) -> Inputs {
        Inputs(self.0 | other.0)
    }

    pub(crate) const fn meets(self, other: Inputs) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn contains(self, other: Inputs) -> bool {
        other.0 & !self.0 == 0
    }

    /// In words what a sweep last computed, of a program with this many inputs.
    pub(crate) fn last(self, inputs: usize) -> String {
        let computed: Vec<String> = (0..inputs)
            .filter(|k| self.contains(Inputs::one(*k)))
            .map(|k| k.to_string())
            .collect();
        match computed.len() {
            0 => "none was since the inputs were set".to_owned(),
            _ => format!("last computed: by input {}", computed.join(", ")),
        }
    }
}
