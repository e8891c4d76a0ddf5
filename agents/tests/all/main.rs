//! The tests of the crate from outside, in one program.
#![allow(clippy::unwrap_used, reason = "a test may stop where its premise fails")]
#![allow(clippy::print_stdout, reason = "a test says what it skips")]

mod recordings;

mod calibration;
mod examples;
mod fuzz_corpus;
mod learners_page;
mod pins;
mod wrong_agents;
