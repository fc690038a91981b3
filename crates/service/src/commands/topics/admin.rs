//! Asking the brokers about topics. Every call ends within the timeout.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::runtime::Runtime;

use crate::config::KafkaConfig;
use crate::kafka::wait_until_known;
use crate::report::Explain as _;

use super::expected::Expected;

/// The replication factor that leaves the choice to the broker.
const BROKER_DEFAULT: i32 = -1;

/// A topic as the brokers tell it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) partitions: usize,
    pub(super) replication: usize,
    pub(super) settings: BTreeMap<String, String>,
}

/// What became of each topic that was to be created.
pub(super) type Created = Vec<(String, Result<(), String>)>;

/// A connection to the brokers.
pub(super) struct Admin {
    client: AdminClient<DefaultClientContext>,
    runtime: Runtime,
    servers: String,
    timeout: Duration,
}

impl Admin {
    /// Connects, and fails unless a broker answers in time.
    pub(super) fn connect(kafka: &KafkaConfig, timeout: Duration) -> anyhow::Result<Admin> {
        crate::kafka::reach(kafka, timeout)?;
        let client = crate::kafka::client(kafka)
            .set("client.id", "usdt-flow-topics")
            .create()
            .context("cannot make a Kafka client")?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let admin = Admin { client, runtime, servers: kafka.bootstrap_servers.clone(), timeout };
        admin.existing()?;
        Ok(admin)
    }

    /// Those of the topics that exist, by their names.
    pub(super) fn describe(&self, topics: &[Expected]) -> anyhow::Result<BTreeMap<String, Found>> {
        let mut found = self.existing()?;
        found.retain(|name, _| topics.iter().any(|topic| topic.name == *name));
        let names: Vec<String> = found.keys().cloned().collect();
        let resources: Vec<_> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        if resources.is_empty() {
            return Ok(found);
        }
        let described = self.reached(
            self.runtime.block_on(self.client.describe_configs(&resources, &self.options())),
        )?;
        // The answers come in the order of the questions.
        for (name, resource) in names.iter().zip(described) {
            let resource = resource.with_context(|| format!("cannot describe the topic {name}"))?;
            if let Some(topic) = found.get_mut(name) {
                let set = |entry: rdkafka::admin::ConfigEntry| Some((entry.name, entry.value?));
                topic.settings = resource.entries.into_iter().filter_map(set).collect();
            }
        }
        Ok(found)
    }

    /// Creates the topics, each with its settings, and waits until the brokers
    /// tell of them: one that has just been created is not known at once.
    pub(super) fn create(
        &self,
        topics: &[&Expected],
        replication: Option<i32>,
    ) -> anyhow::Result<Created> {
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        let replication = replication.unwrap_or(BROKER_DEFAULT);
        let new: Vec<NewTopic<'_>> = topics
            .iter()
            .map(|topic| {
                let replication = TopicReplication::Fixed(replication);
                let new = NewTopic::new(&topic.name, topic.partitions, replication);
                topic.settings.iter().fold(new, |new, (name, value)| new.set(name, value))
            })
            .collect();
        let options = self.options().operation_timeout(Some(self.timeout));
        let results =
            self.reached(self.runtime.block_on(self.client.create_topics(&new, &options)))?;
        let created: Created = results
            .into_iter()
            .map(|result| match result {
                Ok(name) => (name, Ok(())),
                Err((name, RDKafkaErrorCode::InvalidReplicationFactor)) => {
                    (name, Err("fewer brokers than replicas: lower --replication".to_owned()))
                }
                Err((name, code)) => (name, Err(code.to_string())),
            })
            .collect();
        let names = created.iter().filter(|(_, result)| result.is_ok()).map(|(name, _)| &**name);
        wait_until_known(&self.client, &names.collect::<Vec<_>>(), self.timeout)?;
        Ok(created)
    }

    fn existing(&self) -> anyhow::Result<BTreeMap<String, Found>> {
        let metadata = self.reached(self.client.inner().fetch_metadata(None, self.timeout))?;
        Ok(metadata
            .topics()
            .iter()
            .map(|topic| {
                let partitions = topic.partitions();
                let replication = partitions.first().map_or(0, |first| first.replicas().len());
                let found =
                    Found { partitions: partitions.len(), replication, settings: BTreeMap::new() };
                (topic.name().to_owned(), found)
            })
            .collect())
    }

    fn options(&self) -> AdminOptions {
        AdminOptions::new().request_timeout(Some(self.timeout))
    }

    fn reached<T>(&self, result: Result<T, KafkaError>) -> anyhow::Result<T> {
        result.explain(
            format!("no answer from Kafka at {} within {} s", self.servers, self.timeout.as_secs()),
            "check that a broker runs there and that kafka.bootstrap_servers (or \
             --bootstrap-servers) names it; the broker's advertised.listeners must be \
             reachable from here",
        )
    }
}
