//! How the memory of the service goes while it runs at a steady rate.

use std::time::Duration;

use serde::Serialize;

/// The pause between two looks.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// Looks at the memory of the service, in time order.
#[derive(Debug, Default)]
pub(super) struct Looks {
    looks: Vec<(Duration, u64)>,
}

/// What the looks come to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Memory {
    /// At the first look after the warm-up.
    pub(super) first_bytes: u64,
    /// At the last look.
    pub(super) last_bytes: u64,
    /// Of the line that fits all looks best (least squares).
    pub(super) bytes_per_hour: f64,
}

impl Looks {
    /// Notes the memory at that time, if it is time for a look.
    pub(super) fn look(&mut self, at: Duration, bytes: impl FnOnce() -> Option<u64>) {
        if self.looks.last().is_some_and(|(last, _)| at < *last + LOOK_PAUSE) {
            return;
        }
        self.looks.extend(bytes().map(|bytes| (at, bytes)));
    }

    /// Of the looks from that time on; `None` if there are not two.
    pub(super) fn since(&self, warm: Duration) -> Option<Memory> {
        let from = self.looks.partition_point(|(at, _)| *at < warm);
        let looks = &self.looks[from..];
        let ((began, first_bytes), (_, last_bytes)) = (looks.first()?, looks.last()?);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 bytes")]
        let point = |(at, bytes): &(Duration, u64)| ((*at - *began).as_secs_f64(), *bytes as f64);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 looks")]
        let count = looks.len() as f64;
        let mean_x = looks.iter().map(|look| point(look).0).sum::<f64>() / count;
        let mean_y = looks.iter().map(|look| point(look).1).sum::<f64>() / count;
        let (mut above, mut below) = (0.0, 0.0);
        for look in looks {
            let (x, y) = point(look);
            above += (x - mean_x) * (y - mean_y);
            below += (x - mean_x) * (x - mean_x);
        }
        let (first_bytes, last_bytes) = (*first_bytes, *last_bytes);
        let bytes_per_hour = above / below * 3_600.0;
        bytes_per_hour.is_finite().then_some(Memory { first_bytes, last_bytes, bytes_per_hour })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(of: &[(u64, u64)]) -> Looks {
        let mut looks = Looks::default();
        for (at_ms, bytes) in of {
            looks.look(Duration::from_millis(*at_ms), || Some(*bytes));
        }
        looks
    }

    #[test]
    fn the_slope_is_that_of_the_measured_time() {
        let looks =
            looks(&[(0, 1), (1_000, 7), (2_000, 100), (3_000, 110), (3_500, 0), (4_000, 120)]);
        let memory = looks.since(Duration::from_secs(2)).unwrap();
        assert_eq!((memory.first_bytes, memory.last_bytes), (100, 120));
        assert!((memory.bytes_per_hour - 36_000.0).abs() < 1e-6, "{memory:?}");
    }

    #[test]
    fn one_look_has_no_slope() {
        assert_eq!(looks(&[(0, 5)]).since(Duration::ZERO), None);
        assert_eq!(looks(&[]).since(Duration::ZERO), None);
    }
}
