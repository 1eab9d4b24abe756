//! Why the store could not do something: the kind decides what happens next.

use std::fmt;

/// A failure of the store: what kind, what was being done, and the source.
#[derive(Debug)]
pub struct StoreError {
    /// What kind.
    pub kind: StoreErrorKind,
    /// What was being done.
    pub doing: &'static str,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreErrorKind {
    /// No room: it passes when there is.
    Full,
    /// Another process writes, or the queue is full: try again.
    Busy,
    /// The disk failed to read, write or flush. The process must end: what it believes to be on disk may not be.
    Disk,
    /// The rows refuse what was written: this request's fault, not the store's.
    Constraint,
    /// The database was written by a newer version.
    Newer,
    /// The SQLite library is too old to be safe.
    OldLibrary,
    /// The counts of attribution are being made anew: try again.
    Counting,
    /// Another process holds the store.
    Held,
    /// Something the store holds cannot be read back.
    Corrupt,
    /// Anything else.
    Other,
}

impl StoreErrorKind {
    /// The name in metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            StoreErrorKind::Full => "full",
            StoreErrorKind::Busy => "busy",
            StoreErrorKind::Disk => "disk",
            StoreErrorKind::Constraint => "constraint",
            StoreErrorKind::Newer => "newer",
            StoreErrorKind::OldLibrary => "old_library",
            StoreErrorKind::Counting => "counting",
            StoreErrorKind::Held => "held",
            StoreErrorKind::Corrupt => "corrupt",
            StoreErrorKind::Other => "other",
        }
    }

    /// Whether the same may succeed later without anyone's help.
    #[must_use]
    pub fn may_retry(self) -> bool {
        matches!(self, StoreErrorKind::Full | StoreErrorKind::Busy | StoreErrorKind::Counting)
    }

    /// Whether one request may be at fault, so that it should be tried alone.
    #[must_use]
    pub fn may_be_one_request(self) -> bool {
        matches!(self, StoreErrorKind::Constraint | StoreErrorKind::Corrupt | StoreErrorKind::Other)
    }
}

impl StoreError {
    /// An error without a source.
    #[must_use]
    pub fn new(kind: StoreErrorKind, doing: &'static str) -> StoreError {
        StoreError { kind, doing, source: None }
    }

    /// An error with its source.
    pub fn with(
        kind: StoreErrorKind,
        doing: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> StoreError {
        StoreError { kind, doing, source: Some(source.into()) }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.kind {
            StoreErrorKind::Full => "the disk is full",
            StoreErrorKind::Busy => "the store is busy",
            StoreErrorKind::Disk => "the disk failed",
            StoreErrorKind::Constraint => "the store refuses the row",
            StoreErrorKind::Newer => "the database was written by a newer wabridge; run that version",
            StoreErrorKind::OldLibrary => "SQLite is older than 3.51.3 and may corrupt the database",
            StoreErrorKind::Counting => {
                "attribution is being counted anew, or its days are of another time zone than the \
                 configuration's: start the daemon again after a change, and ask again in a minute"
            }
            StoreErrorKind::Held => "another process holds the store; stop the daemon first",
            StoreErrorKind::Corrupt => "a stored value cannot be read back",
            StoreErrorKind::Other => "the store failed",
        };
        write!(f, "{}: {why}", self.doing)
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
