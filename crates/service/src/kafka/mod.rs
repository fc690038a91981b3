//! Kafka: the log of a follower, and the group that spreads chains over
//! instances.
//!
//! What always holds: outputs and the offsets that caused them are committed
//! in one transaction, by one thread that owns the producer. What was measured
//! to make that fast and safe stands beside each setting.

mod created;
mod intake;
mod lifeline;
mod log;
mod membership;
mod prober;
mod publisher;
mod reach;
mod reader;
mod refusal;
mod rights;
mod tls;
mod watching;
mod writer;

pub(crate) use created::wait_until_known;
pub use lifeline::Lifeline;
pub use log::KafkaLog;
pub use membership::Membership;
pub(crate) use reach::{HELLO_MAX, reach};
pub(crate) use reader::MissingTopic;
pub use reader::TopicReader;
pub(crate) use refusal::Refused;
pub(crate) use rights::{
    FirstRecords, Grant, first_records, may_use_group, may_use_transactional_id, may_write,
};
pub(crate) use writer::write_record;

use flow_core::Chain;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use crate::config::KafkaConfig;

/// A handshake failed, and why.
#[derive(Debug, thiserror::Error)]
#[error("the handshake failed: {0}")]
pub(crate) struct TlsFailed(String);

/// What every client of ours needs to reach the brokers.
pub fn client(kafka: &KafkaConfig) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &kafka.bootstrap_servers).set("client.id", "usdt-flow");
    for (name, value) in kafka.security.properties() {
        config.set(name, value);
    }
    let protocol = kafka.security.protocol;
    if let Some(password) = kafka.sasl_password.as_ref().filter(|_| protocol.is_sasl()) {
        config.set("sasl.password", password.expose());
    }
    if let Some(password) = kafka.ssl_key_password.as_ref().filter(|_| protocol.is_tls()) {
        config.set("ssl.key.password", password.expose());
    }
    config
}

/// The transactional id under which a chain is published. Whoever opens it last
/// is the only one.
pub fn transactional_id(kafka: &KafkaConfig, chain: Chain) -> String {
    format!("{}-{chain}", kafka.transactional_id)
}

/// A consumer of committed records. The caller says where it starts.
fn consumer(kafka: &KafkaConfig) -> ClientConfig {
    let mut config = client(kafka);
    config
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("isolation.level", "read_committed")
        // A gap made by retention must stop us, not move us.
        .set("auto.offset.reset", "error")
        .set("check.crcs", "true")
        .set("fetch.wait.max.ms", "50")
        // By default a full prefetch queue stops fetching for a whole second.
        .set("fetch.queue.backoff.ms", "5")
        .set("queued.min.messages", "500000");
    for (key, value) in &kafka.consumer {
        config.set(key, value);
    }
    config
}

/// A consumer that is in no group, and is told where a partition ends.
fn reading_consumer(kafka: &KafkaConfig) -> ClientConfig {
    let mut config = consumer(kafka);
    // It joins no group, but needs the name of one, and we may use that one.
    config.set("group.id", &kafka.group_id).set("enable.partition.eof", "true");
    config
}

/// Whether an error passes by itself while librdkafka reconnects.
fn is_transient(error: &KafkaError) -> bool {
    use rdkafka::types::RDKafkaErrorCode::{
        AllBrokersDown, BrokerTransportFailure, CoordinatorLoadInProgress, CoordinatorNotAvailable,
        LeaderNotAvailable, NotCoordinator, NotLeaderForPartition, OperationTimedOut,
        RequestTimedOut, Resolve,
    };
    matches!(
        error.rdkafka_error_code(),
        Some(
            AllBrokersDown
                | BrokerTransportFailure
                | CoordinatorLoadInProgress
                | CoordinatorNotAvailable
                | LeaderNotAvailable
                | NotCoordinator
                | NotLeaderForPartition
                | OperationTimedOut
                | RequestTimedOut
                | Resolve
        )
    )
}
