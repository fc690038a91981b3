//! Named objects, the one seam between checkpoints and what keeps them: a
//! folder, a bucket, or a simulation that loses power.

use std::time::{SystemTime, UNIX_EPOCH};

/// Keeps named, immutable objects. A put is atomic and durable when it returns.
///
/// Names are segments of letters, digits and `.`, `_`, `-`, `%`, with `/`
/// between them. Every operation blocks, and gives up within a bounded time.
pub trait Disk: Send + Sync + std::fmt::Debug {
    /// Keeps an object under its name; one of that name is replaced whole.
    ///
    /// # Errors
    /// If it is not certain that the object is durable. Then the name stands for
    /// what it stood for before, or for the new object.
    fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), DiskError>;

    /// The bytes of an object.
    ///
    /// # Errors
    /// [`DiskError::NotFound`] if there is none of that name.
    fn get(&self, name: &str) -> Result<Vec<u8>, DiskError>;

    /// Names and lengths in bytes of the objects whose names begin with `prefix`
    /// and go on without another `/`, in any order.
    ///
    /// # Errors
    /// If they cannot be listed; that there are none is no error.
    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, DiskError>;

    /// Forgets an object.
    ///
    /// # Errors
    /// If it may still be there. That there was none may be told as
    /// [`DiskError::NotFound`], and may be no error.
    fn delete(&self, name: &str) -> Result<(), DiskError>;

    /// The time, Unix milliseconds.
    fn unix_ms(&self) -> u64 {
        unix_ms()
    }
}

/// The time by this machine's clock, Unix milliseconds.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Why an object could not be kept, read, listed or forgotten.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// There is no object of that name.
    #[error("there is no {name}")]
    NotFound {
        /// The name.
        name: String,
    },
    /// Anything else.
    #[error("cannot {doing} {name}: {reason} ({hint})")]
    Failed {
        /// What was being done, as a verb.
        doing: &'static str,
        /// The object, or the place.
        name: String,
        /// Why it failed, in the words of whoever keeps it, without secrets.
        reason: String,
        /// What to do about it.
        hint: &'static str,
    },
}

impl DiskError {
    /// Whether there is no such object, which no retry changes.
    pub const fn is_not_found(&self) -> bool {
        matches!(self, DiskError::NotFound { .. })
    }
}
