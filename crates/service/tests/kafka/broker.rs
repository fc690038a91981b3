//! A broker to test with, and plain clients of it.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Headers;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use usdt_flow::kafka::Lifeline;

pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// For one answer of a broker that may be starting.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// A record as a subscriber sees it.
pub(crate) struct Record {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Vec<u8>,
    headers: Vec<(String, String)>,
}

impl Record {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The broker that `KAFKA_BOOTSTRAP` names.
pub(crate) struct Broker {
    pub(crate) servers: String,
}

impl Broker {
    /// `None` where there is no broker; then the test is skipped, and says so.
    pub(crate) fn get() -> Option<Broker> {
        match std::env::var("KAFKA_BOOTSTRAP") {
            Ok(servers) if !servers.is_empty() => Some(Broker { servers }),
            _ => {
                let required = std::env::var("USDT_FLOW_REQUIRE_KAFKA").is_ok_and(|v| v == "1");
                assert!(!required, "KAFKA_BOOTSTRAP is not set, and a real broker is required");
                eprintln!(
                    "skipped: KAFKA_BOOTSTRAP names no broker; deploy/dev/test.sh starts one"
                );
                None
            }
        }
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.servers);
        config
    }

    pub(crate) fn produce<R: AsRef<[u8]>>(&self, topic: &str, records: &[R]) {
        let producer: BaseProducer = self.client().set("linger.ms", "5").create().unwrap();
        for record in records {
            let mut record = BaseRecord::<(), [u8]>::to(topic).payload(record.as_ref());
            while let Err((error, back)) = producer.send(record) {
                assert!(error.to_string().contains("Queue full"), "{error}");
                producer.poll(Duration::from_millis(5));
                record = back;
            }
        }
        producer.flush(PATIENCE).unwrap();
    }

    /// A record with a time of its own, in Unix milliseconds.
    pub(crate) fn produce_at(&self, topic: &str, value: &str, ms: i64) {
        let producer: BaseProducer = self.client().create().unwrap();
        let record = BaseRecord::<(), str>::to(topic).payload(value).timestamp(ms);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(PATIENCE).unwrap();
    }

    pub(crate) fn produce_keyed(&self, topic: &str, key: &str, value: Option<&str>) {
        let producer: BaseProducer = self.client().create().unwrap();
        let mut record = BaseRecord::<str, str>::to(topic).key(key);
        if let Some(value) = value {
            record = record.payload(value);
        }
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(PATIENCE).unwrap();
    }

    /// Every record of a topic, in the order of its only partition.
    pub(crate) fn consume(&self, topic: &str, committed: bool) -> Vec<Record> {
        let isolation = if committed { "read_committed" } else { "read_uncommitted" };
        let consumer: BaseConsumer = self
            .client()
            .set("group.id", "test-reader")
            .set("isolation.level", isolation)
            .set("enable.partition.eof", "true")
            .create()
            .unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        let mut records = Vec::new();
        let began = Instant::now();
        loop {
            match consumer.poll(PATIENCE) {
                Some(Ok(message)) => {
                    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
                    let text = |bytes: Option<&[u8]>| {
                        String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap()
                    };
                    records.push(Record {
                        key: message.key().map(<[u8]>::to_vec),
                        value: message.payload().unwrap_or_default().to_vec(),
                        headers: headers.map(|h| (h.key.to_owned(), text(h.value))).collect(),
                    });
                }
                Some(Err(KafkaError::PartitionEOF(_))) => return records,
                Some(Err(error)) => panic!("topic {topic}: {error}"),
                // An event of the client may end a poll early.
                None => assert!(began.elapsed() < PATIENCE, "topic {topic} does not answer"),
            }
        }
    }

    /// Waits until the topic holds so many committed records.
    pub(crate) fn wait_for_records(&self, topic: &str, count: usize) {
        let began = Instant::now();
        while self.consume(topic, true).len() < count {
            assert!(began.elapsed() < PATIENCE, "{topic} never held {count} records");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Deletes the records of partition 0 below that offset, as retention does.
    pub(crate) fn delete_records(&self, topic: &str, below: i64) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Offset(below)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(admin.delete_records(&list, &AdminOptions::new())).unwrap();
    }

    /// The topics whose names hold that text.
    pub(crate) fn topics(&self, part: &str) -> Vec<String> {
        let consumer: BaseConsumer = self.client().create().unwrap();
        let metadata = consumer.fetch_metadata(None, PATIENCE).unwrap();
        let names = metadata.topics().iter().map(|topic| topic.name().to_owned());
        names.filter(|name| name.contains(part)).collect()
    }

    /// How many members the group has now.
    pub(crate) fn members(&self, group: &str) -> usize {
        let consumer: BaseConsumer = self.client().create().unwrap();
        let list = consumer.fetch_group_list(Some(group), PATIENCE).unwrap();
        list.groups().iter().map(|group| group.members().len()).sum()
    }

    /// The group's committed offset of partition 0; 0 while the broker does not
    /// say.
    pub(crate) fn committed(&self, group: &str, topic: &str) -> usize {
        let consumer: BaseConsumer = self
            .client()
            .set("group.id", group)
            // Or a transaction that was left open would keep it waiting.
            .set("isolation.level", "read_uncommitted")
            .create()
            .unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, 0);
        let committed = consumer.committed_offsets(list, ANSWER_MAX).unwrap_or_default();
        let offset = committed.find_partition(topic, 0).and_then(|found| found.offset().to_raw());
        offset.and_then(|offset| usize::try_from(offset).ok()).unwrap_or(0)
    }

    /// Waits until the group has committed so many records of partition 0.
    pub(crate) fn wait_until_committed(&self, group: &str, topic: &str, records: usize) {
        let began = Instant::now();
        while self.committed(group, topic) < records {
            assert!(began.elapsed() < PATIENCE, "{group} never came to the end of {topic}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Records that come at a steady rate while a test goes on, each once and in
/// order whatever becomes of the broker.
pub(crate) struct Feed {
    thread: std::thread::JoinHandle<()>,
}

impl Feed {
    /// Writes all records within about `ms` milliseconds.
    pub(crate) fn start(broker: &Broker, topic: &str, records: &[String], ms: u64) -> Feed {
        let (client, topic) = (broker.client(), topic.to_owned());
        let servers = broker.servers.clone();
        let records = records.to_vec();
        let thread = std::thread::spawn(move || {
            let producer: BaseProducer = client
                .clone()
                .set("enable.idempotence", "true")
                .set("linger.ms", "5")
                .create()
                .unwrap();
            let began = Instant::now();
            let total = records.len() as u64;
            for (at, record) in records.iter().enumerate() {
                let due = Duration::from_millis(at as u64 * ms / total);
                while began.elapsed() < due {
                    producer.poll(Duration::from_millis(1));
                }
                let record = BaseRecord::<(), str>::to(&topic).payload(record);
                producer.send(record).map_err(|(error, _)| error).unwrap();
            }
            let (lifeline, began) = (Lifeline::to(&servers), Instant::now());
            while let Err(error) = producer.flush(Duration::from_secs(5)) {
                assert!(began.elapsed() < PATIENCE, "{error}");
                lifeline.name_servers(producer.client());
            }
        });
        Feed { thread }
    }

    /// Waits until all is written.
    pub(crate) fn finish(self) {
        self.thread.join().unwrap();
    }
}
