//! How fast a counter rose, from looks at it now and then.

use std::time::Duration;

/// A counter as it was seen, each time at which it had changed.
#[derive(Debug, Default)]
pub(super) struct Drain {
    first: Option<(Duration, u64)>,
    last: Option<(Duration, u64)>,
}

impl Drain {
    /// Notes the counter at a time since some beginning. While it is 0 nothing
    /// has begun; when it no longer changes, all is over.
    pub(super) fn seen(&mut self, at: Duration, count: u64) {
        let before = self.last.map_or(0, |(_, count)| count);
        if count > before {
            self.first = self.first.or(Some((at, count)));
            self.last = Some((at, count));
        }
    }

    /// When the counter was first seen above 0.
    pub(super) fn began(&self) -> Option<Duration> {
        self.first.map(|(at, _)| at)
    }

    /// When the counter was seen to rise for the last time.
    pub(super) fn ended(&self) -> Option<Duration> {
        self.last.map(|(at, _)| at)
    }

    /// Counts a second between the first change and the last; `None` if there
    /// are not two.
    pub(super) fn rate(&self) -> Option<f64> {
        let ((began, from), (ended, to)) = (self.first?, self.last?);
        let seconds = (ended - began).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 records")]
        let risen = (to - from) as f64;
        (seconds > 0.0).then(|| risen / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(looks: &[(u64, u64)]) -> Drain {
        let mut drain = Drain::default();
        for (at_ms, count) in looks {
            drain.seen(Duration::from_millis(*at_ms), *count);
        }
        drain
    }

    #[test]
    fn the_rate_is_that_between_the_first_change_and_the_last() {
        let drain =
            drain(&[(0, 0), (500, 0), (550, 100), (600, 300), (1_550, 1_100), (2_000, 1_100)]);
        assert_eq!(drain.rate(), Some(1_000.0));
        assert_eq!(drain.began(), Some(Duration::from_millis(550)));
        assert_eq!(drain.ended(), Some(Duration::from_millis(1_550)));
    }

    #[test]
    fn one_look_tells_no_rate() {
        assert_eq!(drain(&[(0, 0), (50, 900), (100, 900)]).rate(), None);
        assert_eq!(drain(&[]).rate(), None);
    }
}
