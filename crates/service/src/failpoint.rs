//! Places at which a test has the process die.
//!
//! `USDT_FLOW_FAILPOINT=NAME:COUNT` kills the process with SIGKILL's
//! suddenness when it passes that place for the COUNTth time. Debug builds
//! alone know of it; in a release build the calls are empty.

/// Passes that place.
#[cfg(not(debug_assertions))]
pub fn hit(_: &str) {}

/// Passes that place, and dies there if it is told to.
#[cfg(debug_assertions)]
pub fn hit(name: &str) {
    armed::hit(name);
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Armed {
        name: String,
        left: AtomicU64,
    }

    static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| {
        let text = std::env::var("USDT_FLOW_FAILPOINT").ok()?;
        let (name, count) = text.split_once(':')?;
        let left = AtomicU64::new(count.parse().ok()?);
        Some(Armed { name: name.to_owned(), left })
    });

    pub(super) fn hit(name: &str) {
        let Some(armed) = ARMED.as_ref().filter(|armed| armed.name == name) else { return };
        if armed.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            // No destructor runs, nothing is flushed: as if the power went.
            std::process::abort();
        }
    }
}
