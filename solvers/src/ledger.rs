//! The state of a run as a list of numbers, written and read by the same walk.

use autodiff::bytes::Category;
use autodiff::{Meter, Point, Real, Sweeps};

use crate::Oracles;

/// Why a saved state does not fit a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// It is shorter than the run's.
    #[error("the saved state ends before {field}")]
    Ends {
        /// What was to be read.
        field: &'static str,
    },
    /// A vector of another length.
    #[error("the saved state has {found} entries of {field}: expected {expected}")]
    Length {
        /// What was to be read.
        field: &'static str,
        /// Entries in the saved state.
        found: u64,
        /// Entries in the run.
        expected: usize,
    },
    /// A number that the run could never have.
    #[error("the saved state has {found} for {field}: expected {expected}")]
    Value {
        /// What was to be read.
        field: &'static str,
        /// The number.
        found: u64,
        /// What it may be.
        expected: String,
    },
    /// It is longer than the run's.
    #[error("the saved state has {left} numbers more than the run")]
    Longer {
        /// How many.
        left: usize,
    },
}

/// What the state of a run is written to, or read from.
///
/// A struct that keeps something from one iteration to the next has one function that names its
/// fields to a ledger. The ledger writes them down or overwrites them, so that the two cannot come
/// apart. Every number is one word of 64 bits and comes back with the same bits, be it NaN.
///
/// A ledger that met a misfit overwrites nothing more; the walk goes on to its end.
#[derive(Debug)]
pub struct Ledger {
    words: Vec<u64>,
    /// The word to be read next; `None` while writing.
    next: Option<usize>,
    misfit: Option<RestoreError>,
}

impl Ledger {
    pub(crate) fn saving() -> Self {
        Ledger {
            words: Vec::new(),
            next: None,
            misfit: None,
        }
    }

    pub(crate) fn restoring(words: &[u64]) -> Self {
        Ledger {
            words: words.to_vec(),
            next: Some(0),
            misfit: None,
        }
    }

    pub(crate) fn into_words(self) -> Vec<u64> {
        self.words
    }

    pub(crate) fn finish(self) -> Result<(), RestoreError> {
        let left = self.words.len() - self.next.unwrap_or(self.words.len());
        match self.misfit {
            Some(misfit) => Err(misfit),
            None if left > 0 => Err(RestoreError::Longer { left }),
            None => Ok(()),
        }
    }

    /// Whether fields are overwritten: then what follows from them is to be made again.
    pub fn is_restoring(&self) -> bool {
        self.next.is_some()
    }

    /// Whether what was read so far fits the run; always while saving.
    pub fn fits(&self) -> bool {
        self.misfit.is_none()
    }

    /// Says that a number which was read is none that the run could have.
    pub fn refuse(&mut self, field: &'static str, found: u64, expected: impl Into<String>) {
        let expected = expected.into();
        self.misfit.get_or_insert(RestoreError::Value {
            field,
            found,
            expected,
        });
    }

    /// A word of 64 bits.
    pub fn word(&mut self, field: &'static str, value: &mut u64) {
        let Some(next) = &mut self.next else {
            self.words.push(*value);
            return;
        };
        if self.misfit.is_some() {
            return;
        }
        match self.words.get(*next) {
            Some(word) => {
                *value = *word;
                *next += 1;
            }
            None => self.misfit = Some(RestoreError::Ends { field }),
        }
    }

    /// A count.
    pub fn count(&mut self, field: &'static str, value: &mut usize) {
        let mut word = *value as u64;
        self.word(field, &mut word);
        match usize::try_from(word) {
            Ok(count) => *value = count,
            Err(_) => self.refuse(field, word, "a count"),
        }
    }

    /// A number of double precision.
    pub fn number(&mut self, field: &'static str, value: &mut f64) {
        let mut word = value.to_bits();
        self.word(field, &mut word);
        *value = f64::from_bits(word);
    }

    /// Yes or no.
    pub fn flag(&mut self, field: &'static str, value: &mut bool) {
        let mut word = u64::from(*value);
        self.word(field, &mut word);
        match word {
            0 | 1 => *value = word == 1,
            _ => self.refuse(field, word, "0 or 1"),
        }
    }

    /// A number that may be absent.
    pub fn optional(&mut self, field: &'static str, value: &mut Option<f64>) {
        let (mut there, mut number) = (value.is_some(), value.unwrap_or(0.0));
        self.flag(field, &mut there);
        self.number(field, &mut number);
        if self.fits() {
            *value = there.then_some(number);
        }
    }

    /// The entries of a vector whose length the run knows.
    pub fn entries<T: Real>(&mut self, field: &'static str, values: &mut [T]) {
        let mut len = values.len() as u64;
        self.word(field, &mut len);
        if len != values.len() as u64 {
            self.misfit.get_or_insert(RestoreError::Length {
                field,
                found: len,
                expected: values.len(),
            });
            return;
        }
        for value in values {
            let mut number = value.f64();
            self.number(field, &mut number);
            *value = T::of(number);
        }
    }

    /// A list of counts of any length.
    pub fn list(&mut self, field: &'static str, values: &mut Vec<usize>) {
        let mut len = values.len();
        self.count(field, &mut len);
        if let Some(next) = self.next {
            if len > self.words.len().saturating_sub(next) {
                self.misfit.get_or_insert(RestoreError::Ends { field });
            }
            if !self.fits() {
                return;
            }
            values.clear();
            values.resize(len, 0);
        }
        for value in values {
            self.count(field, value);
        }
    }

    /// Numbers of sweeps.
    pub(crate) fn sweeps(&mut self, sweeps: &mut Sweeps) {
        self.count("values so far", &mut sweeps.values);
        self.count("gradients so far", &mut sweeps.gradients);
        self.count("Hessian-vector products so far", &mut sweeps.hvps);
    }

    /// Numbers of sweeps of both levels.
    pub(crate) fn oracles(&mut self, oracles: &mut Oracles) {
        self.sweeps(&mut oracles.upper);
        self.sweeps(&mut oracles.lower);
    }

    /// The most bytes held so far.
    pub(crate) fn peak(&mut self, meter: &Meter) {
        let bytes = meter.read();
        let mut at_peak = Category::ALL.map(|category| bytes.peak_in(category));
        for part in &mut at_peak {
            self.count("bytes at the peak", part);
        }
        if self.is_restoring() && self.fits() {
            meter.resume_peak(at_peak);
        }
    }

    /// The buffers of a point: their lengths, not what is in them, which every sweep overwrites.
    pub(crate) fn room<T: Real>(&mut self, point: &mut Point<T>) {
        const FIELD: &str = "buffers of an objective";
        let mut lengths = point.room();
        self.list(FIELD, &mut lengths);
        if self.is_restoring() && self.fits() && !point.make_room(&lengths) {
            self.refuse(FIELD, lengths.len() as u64, "those of the same problem");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Kept {
        flag: bool,
        optional: Option<f64>,
        entries: Vec<f32>,
        list: Vec<usize>,
    }

    impl Kept {
        fn visit(&mut self, ledger: &mut Ledger) {
            ledger.flag("flag", &mut self.flag);
            ledger.optional("optional", &mut self.optional);
            ledger.entries("entries", &mut self.entries);
            ledger.list("list", &mut self.list);
        }

        fn blank(entries: usize) -> Self {
            Kept {
                flag: false,
                optional: None,
                entries: vec![0.0; entries],
                list: vec![9; 5],
            }
        }

        fn words() -> Vec<u64> {
            let mut kept = Kept {
                flag: true,
                optional: Some(-0.0),
                entries: vec![f32::NAN, f32::NEG_INFINITY, 1e-45],
                list: vec![3, usize::MAX],
            };
            let mut ledger = Ledger::saving();
            kept.visit(&mut ledger);
            ledger.into_words()
        }
    }

    fn restored(words: &[u64], into: &mut Kept) -> Result<(), RestoreError> {
        let mut ledger = Ledger::restoring(words);
        into.visit(&mut ledger);
        ledger.finish()
    }

    #[test]
    fn every_number_comes_back_with_its_bits() {
        let mut kept = Kept::blank(3);
        restored(&Kept::words(), &mut kept).unwrap();
        assert!(kept.flag);
        assert_eq!(kept.optional.map(f64::to_bits), Some((-0.0f64).to_bits()));
        let bits: Vec<u32> = kept.entries.iter().map(|v| v.to_bits()).collect();
        let want = [f32::NAN, f32::NEG_INFINITY, 1e-45].map(f32::to_bits);
        assert_eq!(bits, want);
        assert_eq!(kept.list, [3, usize::MAX]);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let words = Kept::words();
        for cut in 0..words.len() {
            let error = restored(&words[..cut], &mut Kept::blank(3)).unwrap_err();
            assert!(matches!(error, RestoreError::Ends { .. }), "{cut}: {error}");
        }
        let longer: Vec<u64> = words.iter().copied().chain([7]).collect();
        let error = restored(&longer, &mut Kept::blank(3)).unwrap_err();
        assert_eq!(error, RestoreError::Longer { left: 1 });
        let error = restored(&words, &mut Kept::blank(4)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the saved state has 3 entries of entries: expected 4"
        );
        let mut flag = words.clone();
        flag[0] = 2;
        let error = restored(&flag, &mut Kept::blank(3)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the saved state has 2 for flag: expected 0 or 1"
        );
        // A length beyond what is there asks for no memory.
        let mut long = words;
        long[7] = u64::MAX >> 8;
        let error = restored(&long, &mut Kept::blank(3)).unwrap_err();
        assert_eq!(error, RestoreError::Ends { field: "list" });
    }
}
