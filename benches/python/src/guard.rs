//! The border: no panic gets out, the interpreter's lock is free while the engine computes, and a
//! signal is looked for.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use autodiff::bytes::Interrupt;
use pyo3::prelude::*;
use rayon::ThreadPoolBuilder;

use crate::errors::InternalError;
use crate::settings::pool;

/// How long a signal may wait until somebody looks for it.
const LOOK: Duration = Duration::from_millis(50);
/// The stack of a thread that computes: what a main thread has.
const STACK: usize = 8 << 20;

thread_local! {
    /// The last panic of this thread, with its place.
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Panics are raised as exceptions, and say nothing on standard error. The hook is that of this
/// library alone, which has a standard library of its own.
pub(crate) fn silence() {
    panic::set_hook(Box::new(|info| {
        LAST.with(|last| *last.borrow_mut() = Some(info.to_string()));
    }));
}

/// Runs `f`; a panic becomes an [`InternalError`], and an exception that went through the engine as a
/// panic is itself again.
pub(crate) fn guarded<R>(f: impl FnOnce() -> PyResult<R>) -> PyResult<R> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| Err(raised(payload)))
}

/// What came out of a panic as an exception.
fn raised(payload: Box<dyn Any + Send>) -> PyErr {
    let payload = match payload.downcast::<PyErr>() {
        Ok(error) => return *error,
        Err(payload) => payload,
    };
    let text = LAST.with(|last| last.borrow_mut().take());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    let text = text.or_else(|| {
        payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
    });
    InternalError::new_err(format!(
        "{}; this is a bug of bilevel and not of its caller",
        text.as_deref().unwrap_or("a panic without a text")
    ))
}

/// What a thread that computes answers.
pub(crate) struct Answers<R>(Mutex<Receiver<PyResult<R>>>);

/// A way for one thread to answer.
pub(crate) fn answers<R>() -> (Sender<PyResult<R>>, Answers<R>) {
    let (tell, told) = channel();
    (tell, Answers(Mutex::new(told)))
}

impl<R: Send> Answers<R> {
    /// Waits away from the interpreter: its lock is free, other Python threads go on, and where
    /// signals arrive, in the main thread, one is obeyed.
    pub(crate) fn wait(&self, py: Python<'_>) -> PyResult<R> {
        loop {
            let told = py.detach(|| {
                let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                answers.recv_timeout(LOOK)
            });
            match told {
                Ok(result) => return result,
                Err(RecvTimeoutError::Timeout) => py.check_signals()?,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(InternalError::new_err("a thread of bilevel is gone"));
                }
            }
        }
    }
}

impl<R: Send> Answers<R> {
    /// What is answered within this time, whatever signals say: `None` if nothing is.
    pub(crate) fn within(&self, py: Python<'_>, time: Duration) -> Option<PyResult<R>> {
        py.detach(|| {
            let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            answers.recv_timeout(time).ok()
        })
    }
}

/// A thread that computes.
pub(crate) fn begin(job: impl FnOnce() + Send + 'static) -> PyResult<()> {
    let thread = thread::Builder::new()
        .name("bilevel".into())
        .stack_size(STACK);
    thread.spawn(job)?;
    Ok(())
}

/// Runs `job` on the threads that were asked for.
pub(crate) fn in_pool<R: Send>(job: impl FnOnce() -> R + Send) -> R {
    match pool() {
        Some(pool) => pool.install(job),
        None => job(),
    }
}

/// The same on threads that are its own: it may wait on them as long as it likes.
pub(crate) fn in_own_pool<R: Send>(job: impl FnOnce() -> R + Send) -> R {
    let own = pool().map(|p| {
        ThreadPoolBuilder::new()
            .num_threads(p.current_num_threads())
            .build()
    });
    match own {
        Some(Ok(pool)) => pool.install(job),
        Some(Err(_)) | None => job(),
    }
}

/// Computes in a thread of its own, and waits for it; a signal that raises something stops it at its next
/// sweep. What calls Python does so in the thread that it was called from, which has the settings of its
/// user.
pub(crate) fn computed<R: Send + 'static>(
    py: Python<'_>,
    calls: bool,
    job: impl FnOnce() -> PyResult<R> + Send + 'static,
) -> PyResult<R> {
    if calls {
        return job();
    }
    let (tell, told) = answers();
    let interrupt = Interrupt::new();
    let over = interrupt.clone();
    begin(move || {
        // Who waits may have gone.
        let _ = tell.send(guarded(|| in_pool(|| over.over(job))));
    })?;
    told.wait(py).inspect_err(|_| interrupt.set(true))
}

/// Panics, in a thread or in the caller's: how tests see what a panic of the engine becomes.
#[pyfunction(name = "_panics")]
pub(crate) fn panics(py: Python<'_>, text: String, in_a_thread: bool) -> PyResult<()> {
    match in_a_thread {
        true => computed(py, false, move || panic!("{text}")),
        false => guarded(|| panic!("{text}")),
    }
}
