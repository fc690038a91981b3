//! The user's broker: topics for a while, and plain clients.
//!
//! What always holds: names are new, so nothing of the user's is read or
//! written; what was made is deleted when [`Scratch`] goes.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use flow_core::Chain;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::runtime::Runtime;

use super::child::OWNERS;
use crate::cli::BenchArgs;
use crate::kafka::wait_until_known;
use crate::report::Explain;

/// How long the first broker may take to answer.
const HELLO_MAX: Duration = Duration::from_secs(5);

/// How long it may take to make or delete a topic.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Should the bench be killed, what it wrote goes by itself after a day.
const RETENTION_MS: &str = "86400000";

/// The replication factor that leaves the choice to the broker.
const BROKER_DEFAULT: i32 = -1;

/// A connection to the brokers.
pub(super) struct Broker {
    admin: AdminClient<DefaultClientContext>,
    runtime: Runtime,
    pub(super) servers: String,
    replication: i32,
}

impl Broker {
    /// Connects.
    ///
    /// # Errors
    /// Unless a broker answers in time.
    pub(super) fn connect(args: &BenchArgs) -> anyhow::Result<Broker> {
        let servers = args.brokers.clone();
        let admin: AdminClient<DefaultClientContext> =
            client(&servers).create().context("cannot make a Kafka client")?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        admin.inner().fetch_metadata(None, HELLO_MAX).explain(
            format!("no answer from Kafka at {servers} within {} s", HELLO_MAX.as_secs()),
            "check that a broker runs there and that its advertised.listeners can be reached from \
             here; deploy/dev/kafka.sh start starts one on this machine",
        )?;
        let replication = args.replication.unwrap_or(BROKER_DEFAULT);
        Ok(Broker { admin, runtime, servers, replication })
    }

    /// What every client of these brokers needs.
    pub(super) fn client(&self) -> ClientConfig {
        client(&self.servers)
    }

    /// A consumer of partition 0 of a topic, from its beginning.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(super) fn reader(&self, topic: &str) -> anyhow::Result<BaseConsumer> {
        let consumer: BaseConsumer = self
            .consumer()
            .set("enable.partition.eof", "true")
            .create()
            .context("cannot make a Kafka consumer")?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Beginning)?;
        consumer.assign(&list).with_context(|| format!("cannot read topic {topic}"))?;
        Ok(consumer)
    }

    /// A consumer of committed records, set up as the service's own.
    fn consumer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("group.id", "usdt-flow-bench")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed")
            .set("check.crcs", "true")
            .set("fetch.wait.max.ms", "50")
            .set("fetch.queue.backoff.ms", "5")
            .set("queued.min.messages", "500000");
        config
    }

    /// The offset that a group has committed for partition 0 of a topic.
    ///
    /// # Errors
    /// If the broker does not say.
    pub(super) fn committed(&self, group: &str, topic: &str) -> anyhow::Result<Option<u64>> {
        let consumer: BaseConsumer =
            self.client().set("group.id", group).create().context("cannot make a Kafka client")?;
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, 0);
        let committed = consumer
            .committed_offsets(list, ANSWER_MAX)
            .with_context(|| format!("cannot read the committed offsets of group {group}"))?;
        let offset = committed.find_partition(topic, 0).and_then(|found| found.offset().to_raw());
        Ok(offset.and_then(|offset| u64::try_from(offset).ok()))
    }
}

fn client(servers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers).set("client.id", "usdt-flow-bench");
    config
}

/// Topics and groups of one bench. Dropping it deletes them.
pub(super) struct Scratch<'a> {
    broker: &'a Broker,
    prefix: String,
    topics: RefCell<Vec<String>>,
    groups: RefCell<Vec<String>>,
}

impl<'a> Scratch<'a> {
    /// Nothing yet, under a name of its own.
    pub(super) fn new(broker: &'a Broker) -> Scratch<'a> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let prefix = format!("usdt.flow.bench.{}.{}", now.as_millis(), std::process::id());
        Scratch { broker, prefix, topics: RefCell::default(), groups: RefCell::default() }
    }

    /// A name below the prefix of this bench.
    pub(super) fn name(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    /// Makes topics of one partition.
    ///
    /// # Errors
    /// If the broker refuses.
    pub(super) fn create(&self, topics: &[String]) -> anyhow::Result<()> {
        let broker = self.broker;
        let new = topics.iter().map(|topic| {
            let partitions = if topic.ends_with(OWNERS) { Chain::ALL.len() } else { 1 };
            let partitions = i32::try_from(partitions).expect("there are few chains");
            NewTopic::new(topic, partitions, TopicReplication::Fixed(broker.replication))
                .set("retention.ms", RETENTION_MS)
        });
        let new: Vec<NewTopic<'_>> = new.collect();
        // Noted first: a topic whose answer gets lost may exist.
        self.topics.borrow_mut().extend_from_slice(topics);
        let results = broker.runtime.block_on(broker.admin.create_topics(&new, &options()));
        for result in results.context("the broker did not answer")? {
            let refused = result.map_err(|(topic, code)| anyhow::anyhow!("topic {topic}: {code}"));
            refused.explain(
                "the broker did not make a topic",
                "the bench needs the right to create and delete topics; --replication says how \
                 many replicas they have",
            )?;
        }
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        wait_until_known(&broker.admin, &names, ANSWER_MAX)
    }

    /// Deletes topics that are needed no longer.
    pub(super) fn delete(&self, topics: &[String]) {
        self.topics.borrow_mut().retain(|topic| !topics.contains(topic));
        if let Err(error) = self.delete_topics(topics) {
            eprintln!("warning: the topics {} stay: {error:#}", topics.join(", "));
        }
    }

    /// Notes that a group of that name will commit offsets.
    pub(super) fn note_group(&self, group: String) {
        self.groups.borrow_mut().push(group);
    }

    fn delete_topics(&self, topics: &[String]) -> anyhow::Result<()> {
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        let Broker { admin, runtime, .. } = self.broker;
        let results = runtime.block_on(admin.delete_topics(&names, &options()))?;
        let failed: Vec<String> = results
            .into_iter()
            .filter_map(|result| result.err())
            .map(|(topic, code)| format!("{topic}: {code}"))
            .collect();
        ensure!(failed.is_empty(), "{}", failed.join(", "));
        Ok(())
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        let topics = self.topics.take();
        if !topics.is_empty() {
            self.delete(&topics);
        }
        let groups = self.groups.take();
        let names: Vec<&str> = groups.iter().map(String::as_str).collect();
        if !names.is_empty() {
            let Broker { admin, runtime, .. } = self.broker;
            // A group without members goes by itself in a week; one that was
            // killed has members for some seconds more.
            drop(runtime.block_on(admin.delete_groups(&names, &options())));
        }
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ANSWER_MAX)).operation_timeout(Some(ANSWER_MAX))
}
