//! The progress of a long campaign on standard error.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// Runs `work`, which counts what it has done, and says every two seconds how many of `total`
/// that is and how many a second; `what` is their name. A panic in `work` is not printed: it is a
/// result of the campaign like others.
pub fn watched<R: Send>(what: &str, total: u64, work: impl FnOnce(&AtomicU64) -> R + Send) -> R {
    std::panic::set_hook(Box::new(|_| {}));
    let started = Instant::now();
    let (done, over) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let progress = scope.spawn(|| {
            while !over.load(Relaxed) {
                std::thread::park_timeout(Duration::from_secs(2));
                let (count, seconds) = (done.load(Relaxed), started.elapsed().as_secs_f64());
                let rate = count as f64 / seconds;
                eprint!("\r{count} of {total} {what}, {rate:.0} a second ");
            }
            eprintln!();
        });
        // A panic of the work itself ends the progress too: the scope waits for it.
        let _end = End(&over, progress.thread());
        work(&done)
    })
}

/// Ends the progress when it goes.
struct End<'a>(&'a AtomicBool, &'a Thread);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
        self.1.unpark();
    }
}
