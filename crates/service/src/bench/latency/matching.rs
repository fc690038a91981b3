//! Which alert came of which event, how long each took, and what is missing.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::sender::Sent;

/// A flagged event makes so many alerts: its source moved, and a new wallet
/// received tainted units.
pub(super) const ALERTS_PER_EVENT: usize = 2;

/// A record of the topic of alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Of the alert and its revision.
    pub(super) id: String,
    /// 1 when first raised.
    pub(super) revision: u32,
    pub(super) tx: String,
    /// When it was received.
    pub(super) at: Duration,
}

/// What became of the events.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Matched {
    /// From an event to each of its alerts, those of the warm-up left out.
    pub(super) sent: Vec<Duration>,
    /// From the acknowledgement of the event.
    pub(super) acknowledged: Vec<Duration>,
    /// From the first record of the block that completes the event's own: the
    /// first moment at which it could be told.
    pub(super) complete: Vec<Duration>,
    /// Alerts that should have come.
    pub(super) due: usize,
    /// Those of them that did not.
    pub(super) lost: usize,
    /// Records that came again.
    pub(super) doubled: usize,
    /// Alerts of events that should raise none.
    pub(super) unexpected: usize,
    /// Later revisions: alerts that became final.
    pub(super) revised: usize,
}

/// Matches alerts to events by their transaction. `warm_up`: how many events
/// are not timed; `wait`: after how many events a block is complete that
/// begins with a multiple of `block`.
pub(super) fn matched(sent: &[Sent], told: &[Told], warm_up: usize, wait: Wait) -> Matched {
    let events: HashMap<&str, usize> =
        sent.iter().enumerate().map(|(at, sent)| (sent.tx.as_str(), at)).collect();
    let flagged = sent.iter().filter(|sent| sent.flagged).count();
    let mut matched = Matched { due: flagged * ALERTS_PER_EVENT, ..Matched::default() };
    let mut seen = HashSet::new();
    let mut came = 0;
    for alert in told {
        if !seen.insert(alert.id.as_str()) {
            matched.doubled += 1;
            continue;
        }
        if alert.revision > 1 {
            matched.revised += 1;
            continue;
        }
        let Some(number) = events.get(alert.tx.as_str()).filter(|at| sent[**at].flagged) else {
            matched.unexpected += 1;
            continue;
        };
        came += 1;
        if *number >= warm_up {
            matched.time(sent, *number, alert.at, wait);
        }
    }
    matched.lost = matched.due.saturating_sub(came);
    matched
}

/// How blocks are made, and how many later ones each waits for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    pub(super) block_records: usize,
    pub(super) window_blocks: usize,
}

impl Wait {
    /// The event whose record completes the block of that event.
    fn completed_by(self, number: usize, events: usize) -> usize {
        let next = (number / self.block_records + self.window_blocks) * self.block_records;
        // The closing blocks have one event each.
        let regular = events.saturating_sub(self.window_blocks);
        if next <= regular { next } else { regular + (next - regular) / self.block_records }
    }
}

impl Matched {
    fn time(&mut self, sent: &[Sent], number: usize, at: Duration, wait: Wait) {
        let event = &sent[number];
        self.sent.push(at.saturating_sub(event.at));
        if let Some(acknowledged) = event.acknowledged {
            // A subscriber may be faster than the word back to the sender.
            self.acknowledged.push(at.saturating_sub(acknowledged));
        }
        if let Some(last) = sent.get(wait.completed_by(number, sent.len())) {
            self.complete.push(at.saturating_sub(last.at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Wait = Wait { block_records: 2, window_blocks: 1 };

    /// Events one millisecond apart, acknowledged half a millisecond later; the
    /// last one closes the block before.
    fn events(flagged: &[bool]) -> Vec<Sent> {
        let event = |(at, flagged): (usize, &bool)| {
            let time = Duration::from_micros(1_000 * at as u64);
            let acknowledged = Some(time + Duration::from_micros(500));
            Sent { tx: format!("tx{at}"), flagged: *flagged, due: time, at: time, acknowledged }
        };
        flagged.iter().enumerate().map(event).collect()
    }

    fn alert(id: &str, event: usize, at_ms: u64) -> Told {
        let revision = id.rsplit_once('.').unwrap().1.parse().unwrap();
        let at = Duration::from_millis(at_ms);
        Told { id: id.to_owned(), revision, tx: format!("tx{event}"), at }
    }

    #[test]
    fn each_alert_is_timed_from_its_event() {
        let sent = events(&[true, false, true, false, false]);
        let told =
            [alert("a.1", 0, 9), alert("b.1", 0, 10), alert("c.1", 2, 9), alert("d.1", 2, 9)];
        let matched = matched(&sent, &told, 0, WAIT);
        let ms =
            |times: &[u64]| times.iter().map(|t| Duration::from_millis(*t)).collect::<Vec<_>>();
        assert_eq!(matched.sent, ms(&[9, 10, 7, 7]));
        assert_eq!(matched.complete, ms(&[7, 8, 5, 5]), "from events 2 and 4 on");
        assert_eq!(matched.acknowledged[0], Duration::from_micros(8_500));
        assert_eq!((matched.due, matched.lost, matched.doubled, matched.unexpected), (4, 0, 0, 0));
    }

    #[test]
    fn the_warm_up_is_counted_and_not_timed() {
        let sent = events(&[true, false, true, false, false]);
        let told = [alert("a.1", 0, 9), alert("b.1", 0, 9), alert("c.1", 2, 9)];
        let matched = matched(&sent, &told, 2, WAIT);
        assert_eq!(matched.sent, [Duration::from_millis(7)]);
        assert_eq!((matched.due, matched.lost), (4, 1));
    }

    #[test]
    fn what_comes_again_or_from_nowhere_is_told() {
        let sent = events(&[true, false, false]);
        let told = [
            alert("a.1", 0, 5),
            alert("b.1", 0, 5),
            alert("a.1", 0, 6),
            alert("a.2", 0, 7),
            alert("x.1", 1, 8),
            alert("y.1", 77, 8),
        ];
        let matched = matched(&sent, &told, 0, WAIT);
        assert_eq!((matched.lost, matched.doubled), (0, 1));
        assert_eq!((matched.unexpected, matched.revised), (2, 1));
        assert_eq!(matched.sent.len(), 2);
    }

    #[test]
    fn closing_blocks_have_one_event_each() {
        let wait = Wait { block_records: 5, window_blocks: 2 };
        // Ten events in two blocks, then two closing blocks.
        assert_eq!(wait.completed_by(0, 12), 10);
        assert_eq!(wait.completed_by(4, 12), 10);
        assert_eq!(wait.completed_by(5, 12), 11);
        assert_eq!(wait.completed_by(9, 12), 11);
    }
}
