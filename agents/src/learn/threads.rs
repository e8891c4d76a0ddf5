//! How many threads libtorch may use inside one operation.
//!
//! The networks are small: threads inside an operation cost more than they bring, and one network a thread gives the same
//! bits on any number of cores. libtorch keeps the setting partly per thread, so each thread that computes says it first.

use std::cell::Cell;

thread_local! {
    static INTRA_OP: Cell<usize> = const { Cell::new(0) };
}

/// Lets libtorch use `threads` threads inside one operation that this thread starts. Cheap when nothing changes.
pub fn use_torch_threads(threads: usize) {
    INTRA_OP.with(|current| {
        if current.get() != threads {
            tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
            current.set(threads);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_gets_the_setting_it_asks_for() {
        use_torch_threads(1);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                use_torch_threads(1);
                assert_eq!(tch::get_num_threads(), 1);
            });
        });
        assert_eq!(tch::get_num_threads(), 1);
    }
}
