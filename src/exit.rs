//! How a command ends: the one table of exit codes (BSD `sysexits`), relied on by scripts and by systemd's
//! `RestartPreventExitStatus=64 77 78`.

use std::process::ExitCode;

/// An exit code, named by what it asks of the person or script that reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Success = 0,
    /// Compared, and a difference was found (`rebuild --verify`); asked, and the answer is no (`forecast`).
    Difference = 1,
    /// The command line is wrong: correct it.
    Usage = 64,
    /// The input is wrong: a body that cannot be signed, a phone that means several leads.
    Data = 65,
    /// Something the command needs does not answer: the daemon, the network.
    Unavailable = 69,
    /// A fault of wabridge itself: report it.
    Internal = 70,
    /// The disk or a pipe failed.
    Io = 74,
    /// Not now: the store is locked by a running daemon. Try again later.
    Temporary = 75,
    /// The user that runs the command may not: check owner and mode.
    Permission = 77,
    /// The configuration is wrong: restarting does not help.
    Config = 78,
}

impl Exit {
    /// The number a shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// What an I/O error asks for: a permission or a working disk.
    #[must_use]
    pub fn of_io(error: &std::io::Error) -> Exit {
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => Exit::Permission,
            _ => Exit::Io,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_that_scripts_rely_on() {
        let table = [
            (Exit::Success, 0),
            (Exit::Difference, 1),
            (Exit::Usage, 64),
            (Exit::Data, 65),
            (Exit::Unavailable, 69),
            (Exit::Internal, 70),
            (Exit::Io, 74),
            (Exit::Temporary, 75),
            (Exit::Permission, 77),
            (Exit::Config, 78),
        ];
        for (exit, code) in table {
            assert_eq!(exit.code(), code, "{exit:?}");
        }
    }

    #[test]
    fn a_refused_file_asks_for_a_permission_and_any_other_failure_for_a_disk() {
        assert_eq!(Exit::of_io(&std::io::ErrorKind::PermissionDenied.into()), Exit::Permission);
        assert_eq!(Exit::of_io(&std::io::ErrorKind::NotFound.into()), Exit::Io);
    }
}
