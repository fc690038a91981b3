//! The consumer of input topics, and how far each partition has come.
//!
//! Every session reads from the beginning, since the engine's state is rebuilt
//! from it. What always holds: a block is not released while a partition of
//! its chain that is still catching up may tell of it; a partition that runs
//! far ahead of the others waits for them. Live, a block waits until every
//! partition of its chain has come past it, but not for longer than `align`.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::Context;
use flow_core::Chain;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Message, Offset, TopicPartitionList};

use super::reader::{ANSWER_MAX, partitions};
use crate::config::{InputConfig, KafkaConfig};
use crate::report::Explain;

/// While catching up, a partition this many blocks ahead of the slowest of its
/// chain is paused.
const LEAD_BLOCKS_MAX: u64 = 5_000;

/// Without a record for so long while catching up, the ends have been reached:
/// the last offsets before them are transaction markers.
const SILENCE: Duration = Duration::from_secs(1);

/// What the group told us since we last looked.
#[derive(Default)]
pub(super) struct Group {
    assigned: Mutex<Vec<Change>>,
}

enum Change {
    Assigned(Vec<(String, i32)>),
    Revoked,
}

impl ClientContext for Group {}

impl ConsumerContext for Group {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        error: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let assigned = error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let done = if assigned {
            list.set_all_offsets(Offset::Beginning).and_then(|()| consumer.assign(list))
        } else {
            consumer.unassign()
        };
        if let Err(error) = done {
            tracing::error!(%error, "the assignment of partitions failed");
        }
        let change = if assigned {
            let elements = list.elements();
            Change::Assigned(
                elements.iter().map(|e| (e.topic().to_owned(), e.partition())).collect(),
            )
        } else {
            Change::Revoked
        };
        self.assigned.lock().expect("no holder panics").push(change);
    }
}

/// How far one partition has come.
struct Partition {
    topic: String,
    number: i32,
    chain: Chain,
    /// Rank of the topic among all input topics.
    topic_ix: usize,
    /// First offset of the first session; the state rests on all since.
    start: i64,
    committed: i64,
    /// One past the last offset when the partition was assigned.
    end: i64,
    position: i64,
    newest_block: u64,
    caught_up: bool,
    paused: bool,
}

/// What a poll brought.
pub(super) enum Polled<'a> {
    /// A record of that partition.
    Record(BorrowedMessage<'a>, usize),
    /// Nothing yet.
    Nothing,
    /// Partitions came or went: the session must begin again.
    Rebalanced,
    /// The first partitions came.
    Assigned,
}

/// The consumer of all input topics.
pub(super) type InputConsumer = BaseConsumer<Group>;

/// Joins the group.
pub(super) fn subscribe(
    kafka: &KafkaConfig,
    inputs: &[InputConfig],
) -> anyhow::Result<InputConsumer> {
    let mut config = super::consumer(kafka);
    config
        .set("group.id", &kafka.group_id)
        // A late case may take its time; the group must not give us up.
        .set("max.poll.interval.ms", "900000")
        .set("session.timeout.ms", "10000");
    let consumer: InputConsumer =
        config.create_with_context(Group::default()).context("cannot make a Kafka consumer")?;
    let mut topics = Vec::new();
    for topic in inputs.iter().flat_map(|input| &input.topics) {
        partitions(&consumer, &topic.name)?;
        topics.push(topic.name.as_str());
    }
    consumer.subscribe(&topics).context("cannot subscribe to the input topics")?;
    Ok(consumer)
}

/// How far the partitions have come.
pub(super) struct Progress {
    inputs: Vec<InputConfig>,
    group_id: String,
    partitions: Vec<Partition>,
    last: usize,
    assigned: bool,
    heard: Instant,
    /// By chain: which blocks have waited long enough for other partitions.
    waits: [Wait; 2],
}

impl Progress {
    /// Nothing is assigned yet.
    pub(super) fn new(kafka: &KafkaConfig, inputs: &[InputConfig]) -> Progress {
        Progress {
            inputs: inputs.to_vec(),
            group_id: kafka.group_id.clone(),
            partitions: Vec::new(),
            last: 0,
            assigned: false,
            heard: Instant::now(),
            waits: Chain::ALL.map(|chain| Wait::new(inputs, chain)),
        }
    }

    /// The next record or change of the group.
    pub(super) fn poll<'a>(
        &mut self,
        consumer: &'a InputConsumer,
        timeout: Duration,
    ) -> KafkaResult<Polled<'a>> {
        let polled = consumer.poll(timeout);
        // A callback runs inside poll, so its word comes first.
        let changes = {
            let mut told = consumer.context().assigned.lock().expect("no holder panics");
            std::mem::take(&mut *told)
        };
        for change in changes {
            match change {
                Change::Assigned(list) if list.is_empty() => {}
                Change::Assigned(list) if !self.assigned => {
                    self.assigned = true;
                    self.partitions =
                        list.into_iter().filter_map(|p| known(&self.inputs, p)).collect();
                    return Ok(Polled::Assigned);
                }
                Change::Revoked if !self.assigned => {}
                Change::Assigned(_) | Change::Revoked => return Ok(Polled::Rebalanced),
            }
        }
        let Some(message) = polled.transpose()? else {
            if self.heard.elapsed() > SILENCE {
                for partition in self.partitions.iter_mut().filter(|p| !p.paused) {
                    partition.caught_up = true;
                }
            }
            return Ok(Polled::Nothing);
        };
        let is = |p: &Partition| p.number == message.partition() && p.topic == message.topic();
        if !self.partitions.get(self.last).is_some_and(is) {
            let found = self.partitions.iter().position(is);
            self.last = found.expect("records come from assigned partitions only");
        }
        Ok(Polled::Record(message, self.last))
    }

    /// Asks the broker how far the group had come and where the ends are.
    ///
    /// # Errors
    /// If the beginning that the state rests on is gone.
    pub(super) fn locate(&mut self, consumer: &InputConsumer) -> anyhow::Result<()> {
        let mut list = TopicPartitionList::new();
        for partition in &self.partitions {
            list.add_partition(&partition.topic, partition.number);
        }
        let committed = consumer
            .committed_offsets(list, ANSWER_MAX)
            .context("cannot read the group's committed offsets")?;
        for partition in &mut self.partitions {
            let (low, high) = consumer
                .fetch_watermarks(&partition.topic, partition.number, ANSWER_MAX)
                .with_context(|| format!("cannot read the ends of topic {}", partition.topic))?;
            partition.end = high;
            partition.position = low;
            partition.start = low;
            partition.caught_up = low == high;
            let element = committed.find_partition(&partition.topic, partition.number);
            let Some(Offset::Offset(offset)) = element.as_ref().map(|e| e.offset()) else {
                continue;
            };
            partition.committed = offset;
            let told = element.as_ref().map_or("", |e| e.metadata());
            if let Some(start) = told.strip_prefix("start=").and_then(|s| s.parse::<i64>().ok()) {
                ensure_beginning(partition, start, low, &self.group_id)?;
                partition.start = start;
            }
        }
        self.heard = Instant::now();
        Ok(())
    }

    /// Whether an earlier session committed anything.
    pub(super) fn has_committed(&self) -> bool {
        self.partitions.iter().any(|partition| partition.committed >= 0)
    }

    /// Notes that the record was processed; `block`: the newest it told of.
    pub(super) fn processed(&mut self, at: usize, offset: i64, block: Option<u64>, now: Instant) {
        let partition = &mut self.partitions[at];
        partition.position = offset + 1;
        partition.caught_up |= partition.position >= partition.end;
        if let Some(block) = block.filter(|block| *block > partition.newest_block) {
            partition.newest_block = block;
            self.waits[partition.chain.index()].seen(block, now);
        }
        self.heard = now;
    }

    /// Whether an earlier session has committed the record.
    pub(super) fn was_committed(&self, at: usize, offset: i64) -> bool {
        offset < self.partitions[at].committed
    }

    /// The chain of a partition, and the rank of its topic.
    pub(super) fn route(&self, at: usize) -> (Chain, usize) {
        (self.partitions[at].chain, self.partitions[at].topic_ix)
    }

    /// Whether every partition has reached the end that it had when assigned.
    pub(super) fn caught_up(&self) -> bool {
        self.assigned && self.partitions.iter().all(|partition| partition.caught_up)
    }

    /// Whether every partition has come to where an earlier session committed.
    pub(super) fn rebuilt(&self) -> bool {
        let there = |p: &Partition| p.caught_up || p.position >= p.committed;
        self.assigned && self.partitions.iter().all(there)
    }

    /// Whether every partition of the chain has reached the end that it had
    /// when assigned.
    pub(super) fn chain_caught_up(&self, chain: Chain) -> bool {
        self.slowest(chain).is_none()
    }

    /// Blocks of the chain from this one on may still be told of: by a
    /// partition that is catching up, however long that takes; live, by one
    /// that has not come past them, for `align` at most.
    pub(super) fn complete_below(&mut self, chain: Chain, now: Instant) -> u64 {
        if let Some(slowest) = self.slowest(chain) {
            return slowest;
        }
        let mut newest =
            self.partitions.iter().filter(|p| p.chain == chain).map(|p| p.newest_block);
        match (newest.next(), newest.min()) {
            (Some(first), Some(rest)) => {
                first.min(rest).max(self.waits[chain.index()].over_below(now))
            }
            _ => u64::MAX,
        }
    }

    /// The newest block of the partition that lags most while catching up.
    fn slowest(&self, chain: Chain) -> Option<u64> {
        let behind = self.partitions.iter().filter(|p| p.chain == chain && !p.caught_up);
        behind.map(|partition| partition.newest_block).min()
    }

    /// Pauses partitions that run far ahead while others catch up, and resumes
    /// those that no longer do.
    pub(super) fn balance(&mut self, consumer: &InputConsumer) -> anyhow::Result<()> {
        for chain in Chain::ALL {
            let limit = self.slowest(chain).unwrap_or(u64::MAX).saturating_add(LEAD_BLOCKS_MAX);
            for partition in self.partitions.iter_mut().filter(|p| p.chain == chain) {
                let ahead = partition.newest_block > limit;
                if ahead == partition.paused {
                    continue;
                }
                let mut list = TopicPartitionList::new();
                list.add_partition(&partition.topic, partition.number);
                if ahead {
                    consumer.pause(&list)?;
                } else {
                    consumer.resume(&list)?;
                }
                partition.paused = ahead;
            }
        }
        Ok(())
    }

    /// Positions to commit: those that went beyond what is committed already.
    /// A partition still being rebuilt would move the group backwards.
    pub(super) fn offsets(&self) -> anyhow::Result<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for partition in self.partitions.iter().filter(|p| p.position > p.committed.max(0)) {
            let mut element = list.add_partition(&partition.topic, partition.number);
            element.set_offset(Offset::Offset(partition.position))?;
            element.set_metadata(format!("start={}", partition.start));
        }
        Ok(list)
    }

    /// Notes that [`offsets`](Self::offsets) are committed.
    pub(super) fn committed(&mut self) {
        for partition in &mut self.partitions {
            partition.committed = partition.committed.max(partition.position);
        }
    }
}

/// How long the newest blocks of a chain have waited.
struct Wait {
    align: Duration,
    /// Blocks and when each was first told of, oldest first.
    told: VecDeque<(u64, Instant)>,
    over_below: u64,
}

impl Wait {
    fn new(inputs: &[InputConfig], chain: Chain) -> Wait {
        let input = inputs.iter().find(|input| input.chain == chain);
        let align = input.map_or(Duration::ZERO, |input| input.align);
        Wait { align, told: VecDeque::new(), over_below: 0 }
    }

    fn seen(&mut self, block: u64, now: Instant) {
        if self.told.back().is_none_or(|(newest, _)| *newest < block) {
            self.told.push_back((block, now));
        }
    }

    /// Every block below has waited for `align`.
    fn over_below(&mut self, now: Instant) -> u64 {
        while let Some((block, since)) = self.told.front()
            && now.duration_since(*since) >= self.align
        {
            self.over_below = self.over_below.max(block + 1);
            self.told.pop_front();
        }
        self.over_below
    }
}

fn known(inputs: &[InputConfig], (topic, number): (String, i32)) -> Option<Partition> {
    let topics = || inputs.iter().flat_map(|input| input.topics.iter().map(|t| (input.chain, t)));
    let (topic_ix, (chain, _)) = topics().enumerate().find(|(_, (_, t))| t.name == topic)?;
    Some(Partition {
        topic,
        number,
        chain,
        topic_ix,
        start: 0,
        committed: -1,
        end: 0,
        position: 0,
        newest_block: 0,
        caught_up: false,
        paused: false,
    })
}

/// The records that the state rests on are no longer all there.
#[derive(Debug, thiserror::Error)]
#[error(
    "topic {topic} partition {number} now begins at offset {low}, but the state of group {group_id} \
     rests on records from offset {start} on"
)]
pub(super) struct LostBeginning {
    topic: String,
    number: i32,
    start: i64,
    low: i64,
    group_id: String,
}

fn ensure_beginning(
    partition: &Partition,
    start: i64,
    low: i64,
    group_id: &str,
) -> anyhow::Result<()> {
    if low <= start {
        return Ok(());
    }
    let (topic, group_id) = (partition.topic.clone(), group_id.to_owned());
    Err(LostBeginning { topic, number: partition.number, start, low, group_id }).explain(
        "the state cannot be rebuilt",
        "keep the input topics for as long as the service rests on them (retention.ms=-1), or \
         start anew with another kafka.group_id, transactional_id and output topics",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_waits_from_its_first_record_on() {
        let began = Instant::now();
        let at = |ms| began + Duration::from_millis(ms);
        let mut wait =
            Wait { align: Duration::from_millis(100), told: VecDeque::new(), over_below: 0 };
        wait.seen(7, at(0));
        wait.seen(8, at(50));
        wait.seen(7, at(90));
        assert_eq!(wait.over_below(at(99)), 0);
        assert_eq!(wait.over_below(at(100)), 8);
        assert_eq!(wait.over_below(at(150)), 9);
        assert_eq!(wait.over_below(at(900)), 9);
    }
}
