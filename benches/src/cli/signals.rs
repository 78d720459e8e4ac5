//! Signals that ask a run to stop.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// The number of a signal, with its name.
pub(super) type Caught = (u8, &'static str);

/// The signal of this number; `None` for 0.
pub(super) fn named(signal: i32) -> Option<Caught> {
    match signal {
        0 => None,
        SIGINT => Some((SIGINT as u8, "SIGINT")),
        signal => Some((signal as u8, "SIGTERM")),
    }
}

/// Whether the process was asked to stop.
#[derive(Debug)]
pub(super) struct Signals(Arc<AtomicUsize>);

impl Signals {
    /// From now on the first SIGINT or SIGTERM is noted, and the second ends the process.
    ///
    /// On Unix a write beyond the process's limit of file sizes is from now on an error, as one to
    /// a full disk is.
    ///
    /// # Errors
    /// If the system does not let signals be handled.
    pub(super) fn catch() -> io::Result<Self> {
        let (caught, once) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        for signal in [SIGINT, SIGTERM] {
            // In this order, so that it takes a second one to end the process.
            flag::register_conditional_shutdown(signal, 128 + signal, once.clone())?;
            flag::register(signal, once.clone())?;
            flag::register_usize(signal, caught.clone(), signal as usize)?;
        }
        #[cfg(unix)]
        flag::register(signal_hook::consts::SIGXFSZ, Arc::default())?;
        Ok(Signals(caught))
    }

    /// The number of the signal that was caught, with its name.
    pub(super) fn caught(&self) -> Option<Caught> {
        named(self.0.load(Relaxed) as i32)
    }
}
