//! Reading and decoding ahead of what is applied, on a thread of its own.
//!
//! What always holds: records of a partition come out in the order of their
//! offsets, none is left out, and each with its bytes, decoded or not; at most
//! [`QUEUE_BATCHES`] batches wait, so that a slow follower slows the reading. A
//! record never waits for later ones: a batch is closed when no other record is
//! there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use flow_codec::{DecodeError, Decoded, Decoder, Format};
use rdkafka::Message;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;

use super::watching::WatchingConsumer;
use crate::follow::{PartitionId, Record};
use crate::metrics::ClientMetrics;

/// Batches that wait to be taken.
const QUEUE_BATCHES: usize = 64;

/// A batch holds no more records.
const BATCH_RECORDS: usize = 256;

/// Nor more bytes, but for its last record.
const BATCH_BYTES: usize = 256 * 1024;

/// So long the thread waits for a record before it looks whether to end.
const POLL_MAX: Duration = Duration::from_millis(50);

/// Reads the partitions that the consumer is assigned.
pub(super) struct Intake {
    /// `None` once it ends.
    batches: Option<Receiver<Batch>>,
    open: Open,
    metrics: ClientMetrics,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Records in the order in which they were read.
struct Batch {
    records: Vec<Entry>,
    /// The payloads, one behind the other.
    bytes: Vec<u8>,
    /// What the records mean, one behind the other.
    decoded: Vec<Decoded>,
    /// What came instead of another record.
    failed: Option<KafkaError>,
}

impl Batch {
    fn count(&self) -> i64 {
        i64::try_from(self.records.len()).unwrap_or(i64::MAX)
    }
}

/// A record of a batch.
struct Entry {
    partition: usize,
    offset: i64,
    broker_ms: Option<u64>,
    /// The end of its payload among the bytes.
    end: usize,
    /// How many values it decodes to.
    decoded: usize,
    unread: Option<DecodeError>,
}

/// A batch that is being taken.
#[derive(Default)]
struct Open {
    records: std::vec::IntoIter<Entry>,
    bytes: Vec<u8>,
    /// Where the next payload begins.
    at: usize,
    decoded: std::vec::IntoIter<Decoded>,
    failed: Option<KafkaError>,
}

impl Intake {
    /// Begins to read.
    ///
    /// # Errors
    /// If there can be no other thread.
    pub(super) fn start(
        consumer: Arc<WatchingConsumer>,
        partitions: &[PartitionId],
        decoders: Vec<Decoder>,
    ) -> anyhow::Result<Intake> {
        let (sender, batches) = sync_channel(QUEUE_BATCHES);
        let stop = Arc::new(AtomicBool::new(false));
        let metrics = consumer.context().metrics.clone();
        metrics.intake_records.set(0);
        let reading = Reading {
            consumer,
            metrics: metrics.clone(),
            partitions: partitions.to_vec(),
            decoders,
            last: 0,
            room: [0; 3],
        };
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("intake".to_owned())
            .spawn(move || reading.run(&sender, &stopped))
            .context("there can be no thread to read with")?;
        let (batches, thread) = (Some(batches), Some(thread));
        Ok(Intake { batches, open: Open::default(), metrics, stop, thread })
    }

    /// Whether the next record is at hand.
    pub(super) fn has_next(&self) -> bool {
        !self.open.records.as_slice().is_empty()
    }

    /// Hands the next record to `take`; `Ok(None)` when none came within `wait`.
    ///
    /// # Errors
    /// What the consumer says, or that its thread ended.
    pub(super) fn next<T>(
        &mut self,
        wait: Duration,
        take: impl FnOnce(Record<'_>) -> T,
    ) -> Result<Option<T>, Interrupted> {
        loop {
            if let Some(entry) = self.open.records.next() {
                return Ok(Some(self.open.hand_out(entry, take)));
            }
            if let Some(error) = self.open.failed.take() {
                return Err(Interrupted::Consumer(error));
            }
            let batches = self.batches.as_ref().ok_or(Interrupted::Over)?;
            match batches.recv_timeout(wait) {
                Ok(batch) => {
                    self.metrics.intake_records.sub(batch.count());
                    self.open = Open::of(batch);
                }
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Err(RecvTimeoutError::Disconnected) => return Err(Interrupted::Over),
            }
        }
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Whoever waits for a place in the queue learns that there is none.
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// Why there is no next record.
#[derive(Debug)]
pub(super) enum Interrupted {
    /// The consumer says so.
    Consumer(KafkaError),
    /// Nobody reads any more.
    Over,
}

impl Open {
    fn of(batch: Batch) -> Open {
        let Batch { records, bytes, decoded, failed } = batch;
        let (records, decoded) = (records.into_iter(), decoded.into_iter());
        Open { records, bytes, at: 0, decoded, failed }
    }

    fn hand_out<T>(&mut self, entry: Entry, take: impl FnOnce(Record<'_>) -> T) -> T {
        let Entry { partition, offset, broker_ms, end, decoded, unread } = entry;
        let payload = &self.bytes[std::mem::replace(&mut self.at, end)..end];
        let mut meaning = self.decoded.by_ref().take(decoded);
        let decoded = &mut meaning;
        let taken = take(Record { partition, offset, broker_ms, payload, decoded, unread });
        // What was not taken belongs to this record alone.
        meaning.for_each(drop);
        taken
    }
}

/// What the thread works with.
struct Reading {
    consumer: Arc<WatchingConsumer>,
    metrics: ClientMetrics,
    partitions: Vec<PartitionId>,
    /// By rank of the topic.
    decoders: Vec<Decoder>,
    /// The partition of the last record.
    last: usize,
    /// How many records, bytes and values the last batch held: the next one
    /// will need as much room.
    room: [usize; 3],
}

impl Reading {
    fn run(mut self, batches: &SyncSender<Batch>, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let batch = self.read();
            let is_empty = batch.records.is_empty() && batch.failed.is_none();
            if is_empty {
                continue;
            }
            self.metrics.intake_records.add(batch.count());
            if batches.send(batch).is_err() {
                break;
            }
        }
    }

    /// Whatever is there, up to a full batch.
    fn read(&mut self) -> Batch {
        let [records, bytes, decoded] = self.room;
        let mut batch = Batch {
            records: Vec::with_capacity(records),
            bytes: Vec::with_capacity(bytes),
            decoded: Vec::with_capacity(decoded),
            failed: None,
        };
        let mut wait = POLL_MAX;
        let consumer = Arc::clone(&self.consumer);
        while batch.records.len() < BATCH_RECORDS && batch.bytes.len() < BATCH_BYTES {
            match consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => self.put(&mut batch, &message),
                Some(Err(error)) => {
                    batch.failed = Some(error);
                    break;
                }
            }
            wait = Duration::ZERO;
        }
        if !batch.records.is_empty() {
            self.room = [batch.records.len(), batch.bytes.len(), batch.decoded.len()];
        }
        batch
    }

    fn put(&mut self, batch: &mut Batch, message: &BorrowedMessage<'_>) {
        let is = |id: &PartitionId| id.number == message.partition() && id.topic == message.topic();
        if !self.partitions.get(self.last).is_some_and(is) {
            let found = self.partitions.iter().position(is);
            self.last = found.expect("records come from assigned partitions only");
        }
        let payload = message.payload().unwrap_or_default();
        let decoder = &mut self.decoders[self.partitions[self.last].topic_ix];
        let before = batch.decoded.len();
        let unread = decoder.decode(payload, &mut batch.decoded).err();
        let known = decoder.last_format().filter(|_| unread.is_none());
        let format = known.and_then(|known| Format::ALL.iter().position(|format| *format == known));
        self.metrics.formats[format.unwrap_or(Format::ALL.len())].inc();
        batch.bytes.extend_from_slice(payload);
        batch.records.push(Entry {
            partition: self.last,
            offset: message.offset(),
            broker_ms: message.timestamp().to_millis().and_then(|ms| u64::try_from(ms).ok()),
            end: batch.bytes.len(),
            decoded: batch.decoded.len() - before,
            unread,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignored() -> Decoded {
        Decoded::Ignored(flow_codec::Ignored::OtherRecord)
    }

    fn solid(number: u64) -> Decoded {
        Decoded::Solid { chain: flow_core::Chain::Tron, number }
    }

    fn entry(offset: i64, end: usize, decoded: usize) -> Entry {
        Entry { partition: 0, offset, broker_ms: None, end, decoded, unread: None }
    }

    #[test]
    fn each_record_gets_its_own_bytes_and_meaning() {
        let mut open = Open::of(Batch {
            records: vec![entry(7, 2, 2), entry(8, 2, 0), entry(9, 5, 1)],
            bytes: b"abcde".to_vec(),
            decoded: vec![solid(1), ignored(), solid(2)],
            failed: None,
        });
        let mut seen = Vec::new();
        while let Some(entry) = open.records.next() {
            // The first leaves one of its values behind.
            open.hand_out(entry, |record| {
                seen.push((record.offset, record.payload.to_vec(), record.decoded.next()));
            });
        }
        let expected = [
            (7, b"ab".to_vec(), Some(solid(1))),
            (8, Vec::new(), None),
            (9, b"cde".to_vec(), Some(solid(2))),
        ];
        assert_eq!(seen, expected);
    }
}
