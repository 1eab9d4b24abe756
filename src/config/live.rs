//! A value that is replaced while others use it: whoever has taken it keeps what was taken.

use std::sync::{Arc, PoisonError, RwLock};

/// A value that can be replaced as a whole.
#[derive(Debug, Default)]
pub struct Live<T>(RwLock<Arc<T>>);

impl<T> Live<T> {
    /// The value as it is now.
    #[must_use]
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces it for everybody who takes it from now on.
    pub fn set(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}

impl<T> From<T> for Live<T> {
    fn from(value: T) -> Live<T> {
        Live(RwLock::new(Arc::new(value)))
    }
}
