//! The program `thoughtcache`.

use std::process::ExitCode;

fn main() -> ExitCode {
    thoughtcache_cli::main(std::env::args_os()).into()
}
