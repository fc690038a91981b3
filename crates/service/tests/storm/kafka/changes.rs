//! The compacted topics of labels and cases.

use std::collections::BTreeMap;
use std::time::Duration;

use usdt_flow::follow::ChangeKind;

use crate::world::NewChange;

/// A record of one of the topics.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    at: Duration,
    pub(crate) offset: i64,
    pub(crate) key: String,
    pub(crate) value: Option<String>,
}

/// Labels, then cases.
pub(crate) struct ChangeLog {
    topics: [(ChangeKind, Vec<Stored>); 2],
    /// Whether older records of a key are gone.
    pub(crate) compacted: bool,
}

impl ChangeLog {
    pub(crate) fn new(changes: &[NewChange], compacted: bool) -> ChangeLog {
        let of = |kind| {
            let mine = changes.iter().filter(|change| change.kind == kind);
            let stored = |(offset, change): (i64, &NewChange)| Stored {
                at: Duration::from_millis(change.at_ms),
                offset,
                key: change.key.clone(),
                value: change.value.clone(),
            };
            (kind, (0..).zip(mine).map(stored).collect())
        };
        ChangeLog { topics: [of(ChangeKind::Label), of(ChangeKind::Case)], compacted }
    }

    pub(crate) fn kind(&self, topic: usize) -> ChangeKind {
        self.topics[topic].0
    }

    /// What a topic holds now.
    pub(crate) fn all(&self, topic: usize, now: Duration) -> Vec<Stored> {
        let come = self.topics[topic].1.iter().filter(|stored| stored.at <= now);
        if !self.compacted {
            return come.cloned().collect();
        }
        let last: BTreeMap<&str, &Stored> = come.map(|stored| (&*stored.key, stored)).collect();
        let mut kept: Vec<Stored> = last.into_values().cloned().collect();
        kept.sort_by_key(|stored| stored.offset);
        kept
    }

    /// The first record from that offset on that has come.
    pub(crate) fn next(&self, topic: usize, from: i64, now: Duration) -> Option<Stored> {
        let stored = &self.topics[topic].1;
        let at = stored.partition_point(|stored| stored.offset < from);
        stored.get(at).filter(|stored| stored.at <= now).cloned()
    }

    /// When the last record comes.
    pub(crate) fn last(&self) -> Duration {
        let stored = self.topics.iter().flat_map(|(_, stored)| stored);
        stored.map(|stored| stored.at).max().unwrap_or_default()
    }

    /// The offset behind all that have come.
    pub(crate) fn end(&self, topic: usize, now: Duration) -> i64 {
        let come = self.topics[topic].1.iter().rev().find(|stored| stored.at <= now);
        come.map_or(0, |stored| stored.offset + 1)
    }
}
