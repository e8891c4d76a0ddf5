//! The program `thoughtcache`, which the Python package starts where PyTorch's libraries can be found.

use std::process::ExitCode;

fn main() -> ExitCode {
    thoughtcache_cli::main(std::env::args_os()).into()
}
