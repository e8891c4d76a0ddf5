//! xtask from outside: its commands as they are typed, and what it says of the repository.
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(clippy::print_stdout, reason = "a test says what it counted")]

#[cfg(unix)]
mod command_line;
mod size;
