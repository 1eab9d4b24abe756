//! Why a command failed, and the exit code that says so. `?` alone means a fault of our own (70); every
//! failure that the operator can mend is named with [`OrExit::or_exit`].

use crate::exit::Exit;
use std::fmt;

/// Why a command failed.
#[derive(Debug)]
pub(super) struct Failure {
    exit: Exit,
    error: anyhow::Error,
}

impl Failure {
    /// A failure of our own wording.
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, error: anyhow::Error::msg(message.into()) }
    }

    /// An error with the exit code it asks for.
    pub(super) fn of(exit: Exit, error: impl Into<anyhow::Error>) -> Failure {
        Failure { exit, error: error.into() }
    }

    pub(super) fn exit(&self) -> Exit {
        self.exit
    }

    pub(super) fn is_broken_pipe(&self) -> bool {
        let mut errors = self.error.chain().filter_map(|error| error.downcast_ref::<std::io::Error>());
        errors.any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    }
}

/// Names the exit code of an error.
pub(super) trait OrExit<T> {
    /// Fails with this exit code.
    fn or_exit(self, exit: Exit) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|error| Failure { exit, error: error.into() })
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        let error = error.into();
        let io = error.downcast_ref::<std::io::Error>();
        Failure { exit: io.map_or(Exit::Internal, Exit::of_io), error }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // With every cause, each said once.
        write!(f, "{:#}", self.error)
    }
}
