//! The partitions of the input.

use std::collections::BTreeSet;
use std::sync::Arc;

use flow_sim::Dice;
use usdt_flow::follow::PartitionId;

use crate::world::{Append, Topic};

/// Where a record lies that nobody can read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Letter {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

/// Offset and value.
type Entry = (i64, Arc<[u8]>);

struct Partition {
    id: PartitionId,
    /// Offsets and values, oldest first.
    records: Vec<Entry>,
    low: i64,
    /// The offset behind the last, be that a record or a marker.
    high: i64,
}

/// See the module.
pub(crate) struct Input {
    partitions: Vec<Partition>,
    /// One record in so many is followed by a marker; 0: none.
    marker_one_in: u64,
    /// Where records lie that nobody can read.
    pub(crate) poison: BTreeSet<Letter>,
}

impl Input {
    pub(crate) fn new(topics: &[Topic], dice: &mut Dice) -> Input {
        let mut partitions = Vec::new();
        for (topic_ix, topic) in topics.iter().enumerate() {
            for number in 0..topic.partitions {
                let number = i32::try_from(number).expect("a few");
                let id = PartitionId { topic: topic.name.to_owned(), number, topic_ix };
                // A topic need not begin at 0.
                let low = if dice.one_in(3) { 7 } else { 0 };
                partitions.push(Partition { id, records: Vec::new(), low, high: low });
            }
        }
        Input { partitions, marker_one_in: dice.pick(&[0, 4, 12]), poison: BTreeSet::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.partitions.len()
    }

    pub(crate) fn ids(&self) -> Vec<PartitionId> {
        self.partitions.iter().map(|partition| partition.id.clone()).collect()
    }

    pub(crate) fn bounds(&self) -> Vec<(i64, i64)> {
        self.partitions.iter().map(|partition| (partition.low, partition.high)).collect()
    }

    /// One past the last record of each partition; 0 where there is none.
    pub(crate) fn ends(&self) -> Vec<i64> {
        let end =
            |partition: &Partition| partition.records.last().map_or(0, |(offset, _)| offset + 1);
        self.partitions.iter().map(end).collect()
    }

    pub(crate) fn append(&mut self, append: Append, dice: &mut Dice) {
        let partition = &mut self.partitions[append.partition];
        let offset = partition.high;
        partition.records.push((offset, append.payload.into()));
        partition.high += 1;
        if self.marker_one_in > 0 && dice.one_in(self.marker_one_in) {
            partition.high += 1;
        }
        if append.poison {
            let (topic, partition) = (partition.id.topic.clone(), partition.id.number);
            self.poison.insert(Letter { topic, partition, offset });
        }
    }

    /// The first record of a partition from that offset on.
    ///
    /// # Errors
    /// If it was deleted.
    pub(crate) fn read(&self, partition: usize, from: i64) -> Result<Option<Entry>, &'static str> {
        let partition = &self.partitions[partition];
        if from < partition.low {
            return Err("the records were deleted before they were read");
        }
        let at = partition.records.partition_point(|(offset, _)| *offset < from);
        Ok(partition.records.get(at).cloned())
    }

    /// Deletes the records below that offset.
    pub(crate) fn delete_below(&mut self, partition: usize, offset: i64) -> bool {
        let partition = &mut self.partitions[partition];
        let deletes = offset > partition.low;
        partition.low = partition.low.max(offset.min(partition.high));
        partition.records.retain(|(known, _)| *known >= offset);
        deletes
    }

    /// The rank of a partition.
    pub(crate) fn rank(&self, topic: &str, number: i32) -> Option<usize> {
        let is =
            |partition: &Partition| partition.id.number == number && partition.id.topic == topic;
        self.partitions.iter().position(is)
    }
}
