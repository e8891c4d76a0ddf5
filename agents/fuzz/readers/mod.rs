//! What must hold for any bytes whatever, one function per reader: it panics where a reader breaks its promise.
//!
//! The fuzz targets call these functions with bytes of their own making, an ordinary test (`agents/tests/fuzz_corpus.rs`)
//! with every file of `corpus/` and `regressions/`. The promise is the same everywhere: a reader never panics; what it
//! refuses it refuses with one line that says what is wrong; what it accepts can be used, and is written again as it was
//! read.
#![allow(dead_code, reason = "a fuzz target calls one of the functions")]

pub(crate) mod checkpoint;
pub(crate) mod config;
pub(crate) mod trace;

/// A refusal is one line for a person.
fn expect_message(message: &str) {
    assert!(!message.trim().is_empty(), "a refusal without a word");
    assert!(!message.contains(char::is_control), "a message that is not one line of text: {message:?}");
}
