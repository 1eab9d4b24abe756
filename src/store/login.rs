//! What targets are logged in with: sealed tokens, and when they are to be renewed.

use super::StoreError;
use jiff::Timestamp;
use std::fmt;

/// What is kept of a login.
#[derive(Clone, PartialEq, Eq)]
pub struct LoginRow {
    /// The tokens; only who has the key can read them.
    pub sealed: Vec<u8>,
    /// How often it was renewed or made anew.
    pub generation: i64,
    /// When a new access token is fetched; never, if it does not expire.
    pub renew_at: Option<Timestamp>,
    /// When the access token is good for nothing.
    pub expires_at: Option<Timestamp>,
    /// The token endpoint is left alone until then.
    pub wait_until: Option<Timestamp>,
    /// Why no new access token was granted at the last try.
    pub fault: Option<String>,
    /// When the access token was granted.
    pub changed_at: Timestamp,
}

impl fmt::Debug for LoginRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LoginRow { generation, fault, .. } = self;
        f.debug_struct("LoginRow")
            .field("generation", generation)
            .field("fault", fault)
            .finish_non_exhaustive()
    }
}

/// Whoever has it may renew a login. It is given back when it is dropped, and when its process ends.
pub type Lease = Box<dyn Send>;

/// Logins. Written beside a daemon as well: whoever writes holds the login's lease.
pub trait Logins: Send + Sync {
    /// A target's login.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn login(&self, target: &str) -> Result<Option<LoginRow>, StoreError>;

    /// Waits until nobody else renews this target's login, in this process or another; nobody does until what is returned
    /// is dropped.
    ///
    /// # Errors
    /// When the store cannot be reached.
    fn hold_login(&self, target: &str) -> Result<Lease, StoreError>;

    /// Keeps a target's login, and returns when it is on the disk. Only if the one that is there has this generation
    /// (`None`: if there is none); says whether it had.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn keep_login(&self, target: &str, login: &LoginRow, before: Option<i64>) -> Result<bool, StoreError>;
}
