//! What librdkafka's statistics say: of the input's client what is unread, of
//! the group's client which brokers answer.
//!
//! Statistics come with a poll. The input is not polled while the follower waits
//! for the output, and with the brokers away that is when they matter; so that
//! brokers answer is told by the client that is polled whatever a follower does.

use std::collections::BTreeSet;

use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::statistics::{Partition, Statistics};

use crate::metrics::ClientMetrics;

/// The pause between two statistics.
pub(super) const STATISTICS_MS: &str = "5000";

/// A consumer that counts.
pub(super) type WatchingConsumer = BaseConsumer<Watching>;

/// Hands statistics over to the metrics.
#[derive(Debug)]
pub(super) struct Watching {
    pub(super) metrics: ClientMetrics,
}

impl ClientContext for Watching {
    fn stats(&self, statistics: Statistics) {
        let topics = statistics.topics.values();
        let assigned = topics.flat_map(|topic| topic.partitions.values());
        let (mut lag, mut fetched) = (0, 0);
        for partition in assigned.filter(|partition| partition.partition >= 0) {
            lag += unread(partition).unwrap_or(0);
            fetched += partition.fetchq_cnt;
        }
        self.metrics.lag_records.set(lag);
        self.metrics.prefetch_records.set(fetched);
    }
}

impl ConsumerContext for Watching {}

/// How many brokers there are with which a connection stands. The one that leads
/// the group has two.
pub(super) fn brokers_up(statistics: &Statistics) -> i64 {
    let up = statistics.brokers.values().filter(|broker| broker.state == "UP");
    let names: BTreeSet<&str> = up.map(|broker| broker.nodename.as_str()).collect();
    i64::try_from(names.len()).unwrap_or(i64::MAX)
}

/// Records behind the one that was handed out last. `consumer_lag` does not
/// tell: it counts from what this consumer commits, and that is nothing.
fn unread(partition: &Partition) -> Option<i64> {
    let end = [partition.ls_offset, partition.hi_offset].into_iter().find(|end| *end >= 0)?;
    let next = [partition.app_offset, partition.next_offset].into_iter().find(|next| *next >= 0)?;
    Some((end - next).max(0))
}
