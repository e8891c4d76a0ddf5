//! The threads that step lanes and play episodes.
//!
//! A process that was forked has none of its parent's threads, and whoever waits for them waits for ever: Gymnasium's
//! `AsyncVectorEnv` and PyTorch's data loaders fork. So the pool belongs to a process, and a child starts its own.

use pyo3::PyResult;
use pyo3::exceptions::PyRuntimeError;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, TryLockError};

/// The threads of a process.
#[derive(Clone)]
struct Pools {
    /// As many as `RAYON_NUM_THREADS` says, one a core without it.
    judging: Arc<ThreadPool>,
    /// One less, for the thread that steps lanes takes its share; none where there is a single one.
    stepping: Option<Arc<ThreadPool>>,
}

/// The number of the process, and its threads.
static POOLS: Mutex<Option<(u32, Pools)>> = Mutex::new(None);

/// Does the work on the threads of this process; `RAYON_NUM_THREADS` says how many, one a core without it.
///
/// # Errors
/// When the system refuses to start threads.
pub(crate) fn install<T: Send>(work: impl FnOnce() -> T + Send) -> PyResult<T> {
    Ok(of_this_process()?.judging.install(work))
}

/// Does the work on a single thread.
///
/// # Errors
/// When the system refuses to start it.
pub(crate) fn install_alone<T: Send>(work: impl FnOnce() -> T + Send) -> PyResult<T> {
    Ok(start(1)?.install(work))
}

/// The threads that step lanes beside the one that calls, if any.
///
/// # Errors
/// When the system refuses to start them.
pub(crate) fn helpers() -> PyResult<Option<Arc<ThreadPool>>> {
    Ok(of_this_process()?.stepping)
}

/// Starts so many threads; 0 are those that the machine or `RAYON_NUM_THREADS` gives.
fn start(threads: usize) -> PyResult<ThreadPool> {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|error| PyRuntimeError::new_err(format!("cannot start threads: {error}")))
}

impl Pools {
    fn start() -> PyResult<Self> {
        let judging = Arc::new(start(0)?);
        let helpers = judging.current_num_threads() - 1;
        let stepping = if helpers == 0 { None } else { Some(Arc::new(start(helpers)?)) };
        Ok(Self { judging, stepping })
    }
}

/// The threads of this process.
///
/// # Errors
/// When the system refuses to start threads.
fn of_this_process() -> PyResult<Pools> {
    let mut known = match POOLS.try_lock() {
        Ok(known) => known,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        // Another thread starts them at this moment, or did so when this process was forked from its parent.
        Err(TryLockError::WouldBlock) => return Pools::start(),
    };
    match &*known {
        Some((process, pools)) if *process == process::id() => Ok(pools.clone()),
        _ => {
            let pools = Pools::start()?;
            if let Some((_, parents)) = known.replace((process::id(), pools.clone())) {
                // To end a pool is to wait for its threads, which this process has not.
                std::mem::forget(parents);
            }
            Ok(pools)
        }
    }
}

/// Looks at the count of steps before a thread falls asleep: some 150 microseconds.
const LOOKS: u32 = 6_000;

/// The steps of an environment, for threads that wait for the next one.
///
/// Between two steps Python needs some ten microseconds, and a thread that sleeps about as many as a step takes to wake.
#[derive(Default)]
pub(crate) struct Steps(Arc<AtomicUsize>);

impl Steps {
    /// Lets the threads that wait go to work.
    pub(crate) fn begin(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Has so many threads of the pool, as far as there are, wait awake for the next step, for a moment.
    pub(crate) fn keep_awake(&self, pool: &ThreadPool, helpers: usize) {
        let now = self.0.load(Ordering::Relaxed);
        for _ in 0..helpers.min(pool.current_num_threads()) {
            let steps = Arc::clone(&self.0);
            pool.spawn(move || {
                let is_between = |_: &u32| steps.load(Ordering::Relaxed) == now;
                (0..LOOKS).take_while(is_between).for_each(|_| std::hint::spin_loop());
            });
        }
    }
}
