//! The tests of the crate from outside, in one program: a scenario goes in, an environment is played.
#![allow(clippy::unwrap_used, reason = "a test may stop where its premise fails")]
#![allow(clippy::print_stdout, reason = "a test says what it skips")]

// What several tests share.
mod plain;
mod street;
mod toy;
mod wrong;

mod another_future;
mod contexts;
mod decision_env;
mod decision_options;
mod documents;
mod in_flight;
mod input_cost;
mod invariants;
mod keys;
mod memory;
mod option_play;
mod phased;
mod physical;
mod physical_books;
mod rates;
mod recorded_throughput;
mod recorded_users;
mod second_edition;
mod street_options;
mod trajectories;
mod wrong_physical;
mod wrong_scenarios;
