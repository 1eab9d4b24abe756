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
    /// The store is a copy that is not finished.
    Unfinished,
    /// The store's contents were moved to another database.
    Moved,
    /// The server acknowledges what it may lose.
    Unsafe,
    /// The server lets nobody in with this: a wrong name, password, certificate, database or schema.
    Denied,
    /// The server does not answer: it may do so later.
    Away,
    /// There is nothing of ours in it.
    Absent,
    /// The server does not prove who it is.
    Untrusted,
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
            StoreErrorKind::Unfinished => "unfinished",
            StoreErrorKind::Moved => "moved",
            StoreErrorKind::Unsafe => "unsafe",
            StoreErrorKind::Denied => "denied",
            StoreErrorKind::Away => "away",
            StoreErrorKind::Absent => "absent",
            StoreErrorKind::Untrusted => "untrusted",
            StoreErrorKind::Corrupt => "corrupt",
            StoreErrorKind::Other => "other",
        }
    }

    /// Whether the same may succeed later without anyone's help.
    #[must_use]
    pub fn may_retry(self) -> bool {
        matches!(
            self,
            StoreErrorKind::Full | StoreErrorKind::Busy | StoreErrorKind::Away | StoreErrorKind::Counting
        )
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
            StoreErrorKind::Unfinished => {
                "it is an unfinished copy of another store; finish it with `wabridge migrate-store --finish`"
            }
            StoreErrorKind::Moved => {
                "what it held was moved to another database; set url in [store] to that one, or move it back \
                 with `wabridge migrate-store` into a new one"
            }
            StoreErrorKind::Unsafe => {
                "the server acknowledges what it may lose: set fsync, full_page_writes and synchronous_commit \
                 to on"
            }
            StoreErrorKind::Denied => {
                "the server does not let us in: correct url, password, ca and schema in [store], or what the user may do"
            }
            StoreErrorKind::Away => "the server does not answer",
            StoreErrorKind::Absent => "there is none; start the daemon once, or correct url in [store]",
            StoreErrorKind::Untrusted => {
                "the server does not prove who it is: it speaks no TLS, or no authority that is trusted here says \
                 that it is the host of the address; name in [store] ca the file of the authority that does"
            }
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
