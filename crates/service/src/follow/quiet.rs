//! Whether nothing comes because there is nothing, or because the broker is
//! away, slow, or stopped.
//!
//! What always holds: time counts as quiet only when the broker has answered
//! meanwhile that its ends are where they were. So a pause of the broker, or of
//! this process, never makes a block complete.

use std::time::Duration;

/// So much silence is looked into at once.
const STRETCH: Duration = Duration::from_millis(500);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    /// Waited in vain since the last look.
    waited: Duration,
    /// Where the partitions ended then.
    ends: Option<Vec<i64>>,
    /// How long it has certainly been quiet.
    confirmed: Duration,
}

impl Quiet {
    /// A record came.
    pub(super) fn broken(&mut self) {
        *self = Quiet::default();
    }

    /// Nothing came for so long; `true` if it is time to ask for the ends.
    pub(super) fn waited(&mut self, time: Duration) -> bool {
        self.waited += time;
        self.waited >= STRETCH || self.ends.is_none()
    }

    /// The broker told where the partitions end; `true` if that is where they
    /// ended before.
    pub(super) fn confirm(&mut self, ends: Vec<i64>) -> bool {
        let waited = std::mem::take(&mut self.waited);
        let same = self.ends.as_ref() == Some(&ends);
        self.confirmed = if same { self.confirmed + waited } else { Duration::ZERO };
        self.ends = Some(ends);
        same
    }

    /// How long it has certainly been quiet.
    pub(super) fn confirmed(&self) -> Duration {
        self.confirmed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_counts_while_the_ends_stand_still() {
        let mut quiet = Quiet::default();
        assert!(quiet.waited(Duration::from_millis(20)), "the first look is at once");
        assert!(!quiet.confirm(vec![7]));
        assert!(!quiet.waited(Duration::from_millis(490)));
        assert!(quiet.waited(Duration::from_millis(20)));
        assert!(quiet.confirm(vec![7]));
        assert_eq!(quiet.confirmed(), Duration::from_millis(510));
        quiet.waited(STRETCH);
        assert!(!quiet.confirm(vec![8]), "something was written, and has not come");
        assert_eq!(quiet.confirmed(), Duration::ZERO);
        quiet.waited(STRETCH);
        assert!(quiet.confirm(vec![8]));
        quiet.broken();
        assert_eq!(quiet.confirmed(), Duration::ZERO);
    }
}
