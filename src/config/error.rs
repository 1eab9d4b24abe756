//! What is wrong with a configuration file: every mistake, with its line and its way out. Values are only
//! repeated where they cannot be secrets.

use std::fmt;
use std::path::{Path, PathBuf};

/// Every mistake found in one configuration file, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    path: PathBuf,
    problems: Vec<Problem>,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, counted from 1; none when the file could not be read.
    pub line: Option<usize>,
    /// What is wrong, naming the key, and what to write instead.
    pub message: String,
}

impl ConfigErrors {
    pub(super) fn new(path: &Path, mut problems: Vec<Problem>) -> ConfigErrors {
        problems.sort_by_key(|problem| problem.line);
        ConfigErrors { path: path.to_owned(), problems }
    }

    pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> ConfigErrors {
        use std::io::ErrorKind;
        let message = match error.kind() {
            ErrorKind::NotFound => {
                "there is no such file; name yours with --config or WABRIDGE_CONFIG".to_owned()
            }
            ErrorKind::PermissionDenied => {
                "may not be read by this user; check its owner and mode".to_owned()
            }
            ErrorKind::InvalidData => "is not UTF-8; save it as UTF-8".to_owned(),
            _ => format!("cannot be read: {error}"),
        };
        ConfigErrors::new(path, vec![Problem { line: None, message }])
    }

    /// The file at fault.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The mistakes. Never empty.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// A line for each mistake: file, line, what is wrong.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let path = self.path.display();
        self.problems.iter().map(move |Problem { line, message }| match line {
            Some(line) => format!("{path}:{line}: {message}"),
            None => format!("{path}: {message}"),
        })
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.lines().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
