//! Runs the built binary in a folder of its own.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A folder with a configuration file, in which commands are run.
pub(crate) struct Place {
    folder: TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    /// A place whose configuration is `toml`; `{folder}` in it stands for the place itself.
    pub(crate) fn new(toml: &str) -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        let folder = place.path("").display().to_string();
        place.write("wabridge.toml", &toml.replace("{folder}", folder.trim_end_matches('/')), 0o600);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of this mode.
    pub(crate) fn write(&self, name: &str, contents: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, contents).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    /// Runs `wabridge` with this place's configuration.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, &[], b"")
    }

    /// As [`Place::run`], with environment variables and something to read.
    pub(crate) fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)], input: &[u8]) -> Ended {
        let mut command = wabridge(self.folder.path());
        command.env("WABRIDGE_CONFIG", self.path("wabridge.toml"));
        command.args(arguments).envs(environment.iter().copied());
        ended(command, input)
    }
}

/// The built binary, in an environment in which nothing of the caller's counts.
pub(crate) fn wabridge(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wabridge"));
    command.current_dir(folder).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

/// Runs a command to its end.
pub(crate) fn ended(mut command: Command, input: &[u8]) -> Ended {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that fails before it reads closes the pipe: that is not this test's failure.
    drop(child.stdin.take().unwrap().write_all(input));
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: status.code().unwrap(), out: text(stdout), err: text(stderr) }
}
