//! The threads that step lanes and play episodes.
//!
//! A process that was forked has none of its parent's threads, and whoever waits for them waits for ever: Gymnasium's
//! `AsyncVectorEnv` and PyTorch's data loaders fork. So the pool belongs to a process, and a child starts its own.

use pyo3::PyResult;
use pyo3::exceptions::PyRuntimeError;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::process;
use std::sync::{Arc, Mutex, TryLockError};

/// The number of the process, and its threads.
static POOL: Mutex<Option<(u32, Arc<ThreadPool>)>> = Mutex::new(None);

/// Does the work on the threads of this process; `RAYON_NUM_THREADS` says how many, one a core without it.
///
/// # Errors
/// When the system refuses to start threads.
pub(crate) fn install<T: Send>(work: impl FnOnce() -> T + Send) -> PyResult<T> {
    Ok(of_this_process()?.install(work))
}

/// Does the work on a single thread.
///
/// # Errors
/// When the system refuses to start it.
pub(crate) fn install_alone<T: Send>(work: impl FnOnce() -> T + Send) -> PyResult<T> {
    Ok(start(ThreadPoolBuilder::new().num_threads(1))?.install(work))
}

fn start(threads: ThreadPoolBuilder) -> PyResult<ThreadPool> {
    threads.build().map_err(|error| PyRuntimeError::new_err(format!("cannot start threads: {error}")))
}

fn of_this_process() -> PyResult<Arc<ThreadPool>> {
    let start = || start(ThreadPoolBuilder::new()).map(Arc::new);
    let mut known = match POOL.try_lock() {
        Ok(known) => known,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        // Another thread starts the pool at this moment, or did so when this process was forked from its parent.
        Err(TryLockError::WouldBlock) => return start(),
    };
    match &*known {
        Some((process, pool)) if *process == process::id() => Ok(Arc::clone(pool)),
        _ => {
            let pool = start()?;
            if let Some((_, parents)) = known.replace((process::id(), Arc::clone(&pool))) {
                // To end a pool is to wait for its threads, which this process has not.
                std::mem::forget(parents);
            }
            Ok(pool)
        }
    }
}
