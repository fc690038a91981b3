//! What is to be published with the next commit.

use std::time::Duration;

use super::outgoing::Outgoing;

/// So much is sent in one transaction at first, or little more: a slow topic must
/// take it in before the brokers give the transaction up.
const ROOM_MIN_BYTES: usize = 1024 * 1024;

/// So much where the brokers have shown that they take it in at once: each
/// transaction costs milliseconds for which nothing else is done.
const ROOM_MAX_BYTES: usize = 4 * 1024 * 1024;

/// A full transaction that took less makes room for more in the next one.
const QUICK: Duration = Duration::from_millis(100);

/// After one that took longer there is as much room as at first.
const SLOW: Duration = Duration::from_secs(1);

/// Outputs in the order in which they were told.
#[derive(Debug)]
pub(super) struct Outbox {
    outputs: Vec<Outgoing>,
    bytes: usize,
    room_bytes: usize,
}

impl Default for Outbox {
    fn default() -> Self {
        Outbox { outputs: Vec::new(), bytes: 0, room_bytes: ROOM_MIN_BYTES }
    }
}

impl Outbox {
    pub(super) fn push(&mut self, output: Outgoing) {
        self.bytes += output.value.len();
        self.outputs.push(output);
    }

    pub(super) fn outputs(&self) -> &[Outgoing] {
        &self.outputs
    }

    pub(super) fn is_empty(&self) -> bool {
        self.outputs.is_empty()
    }

    /// Whether it is to be sent before anything is added.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= self.room_bytes
    }

    /// All of it was published, in one transaction that took so long.
    pub(super) fn sent(&mut self, took: Duration) {
        if took > SLOW {
            self.room_bytes = ROOM_MIN_BYTES;
        } else if self.is_full() && took < QUICK {
            self.room_bytes = (self.room_bytes * 2).min(ROOM_MAX_BYTES);
        }
        self.outputs.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(outbox: &mut Outbox, bytes: usize) {
        let (topic, value) = ("t".to_owned(), vec![0; bytes]);
        outbox.push(Outgoing { topic, key: None, headers: Vec::new(), value });
    }

    #[test]
    fn it_is_full_by_bytes() {
        let mut outbox = Outbox::default();
        push(&mut outbox, ROOM_MIN_BYTES - 1);
        assert!(!outbox.is_full());
        push(&mut outbox, 1);
        assert!(outbox.is_full());
        outbox.sent(QUICK);
        assert!(outbox.is_empty() && !outbox.is_full());
    }

    #[test]
    fn there_is_more_room_while_full_ones_are_taken_in_at_once() {
        let mut outbox = Outbox::default();
        let mut room_after = |bytes, took| {
            push(&mut outbox, bytes);
            outbox.sent(took);
            outbox.room_bytes
        };
        let at_once = Duration::from_millis(10);
        assert_eq!(room_after(1, at_once), ROOM_MIN_BYTES, "it was not full");
        assert_eq!(room_after(ROOM_MIN_BYTES, QUICK), ROOM_MIN_BYTES);
        assert_eq!(room_after(ROOM_MIN_BYTES, at_once), 2 * ROOM_MIN_BYTES);
        assert_eq!(room_after(ROOM_MIN_BYTES, at_once), 2 * ROOM_MIN_BYTES, "half full");
        for _ in 0..3 {
            room_after(ROOM_MAX_BYTES, at_once);
        }
        assert_eq!(room_after(1, SLOW), ROOM_MAX_BYTES);
        assert_eq!(room_after(1, SLOW + at_once), ROOM_MIN_BYTES);
    }
}
