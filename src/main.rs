//! The `wabridge` binary: everything is in the library, so that tests and benches link the same code.

use std::process::ExitCode;

fn main() -> ExitCode {
    wabridge::cli::run(std::env::args_os()).into()
}
