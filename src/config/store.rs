//! `[store]`: where everything is kept.

use super::document::{Found, Table};
use std::path::{Path, PathBuf};

const EXAMPLE: &str = "sqlite:/var/lib/wabridge/wabridge.db";

/// Where everything is kept: one SQLite file in a folder of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The database file.
    pub path: PathBuf,
}

impl Default for Store {
    fn default() -> Store {
        Store::new("/var/lib/wabridge/wabridge.db")
    }
}

impl Store {
    /// The store in this file.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Store {
        Store { path: path.into() }
    }

    /// The folder it lies in, which SQLite must be able to write as well: the log lies beside the file.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    pub(super) fn read(mut table: Table<'_, '_>) -> Store {
        let store = table.string("url").and_then(|Found { value, at }| match sqlite_path(value) {
            Ok(path) => Some(Store::new(path)),
            Err(fault) => {
                table.problem_at(at, format!("'url' in [store]: {fault}; write url = \"{EXAMPLE}\""));
                None
            }
        });
        table.finish(&[]);
        store.unwrap_or_default()
    }
}

/// The path of a `sqlite:` URL. The URL itself is never repeated: a PostgreSQL one holds a password.
fn sqlite_path(url: &str) -> Result<PathBuf, &'static str> {
    if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        return Err("PostgreSQL is not in this version");
    }
    let path = url.strip_prefix("sqlite:").ok_or("it must begin with sqlite:/")?;
    // `sqlite:///path` is the same file with an empty host; `sqlite://path` would make a host of a folder.
    let path = path.strip_prefix("//").filter(|rest| rest.starts_with('/')).unwrap_or(path);
    if !path.starts_with('/') || path.starts_with("//") {
        return Err("the path must be absolute, since a daemon has no folder of its own to start from");
    }
    if path.ends_with('/') {
        return Err("it names a folder, not a file");
    }
    Ok(PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_usual_spellings_name_the_same_file() {
        assert_eq!(sqlite_path("sqlite:/a/b.db"), Ok(PathBuf::from("/a/b.db")));
        assert_eq!(sqlite_path("sqlite:///a/b.db"), Ok(PathBuf::from("/a/b.db")));
    }

    #[test]
    fn a_path_that_depends_on_where_the_daemon_starts_is_refused() {
        for url in ["sqlite:b.db", "sqlite://a/b.db", "sqlite:", "sqlite:/a/", "sqlite:////a", "/a/b.db"] {
            assert!(sqlite_path(url).is_err(), "{url}");
        }
    }
}
