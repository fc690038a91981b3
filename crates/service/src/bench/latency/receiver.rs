//! Reads alerts as a subscriber does: committed ones alone.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::Message;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use serde::Deserialize;

use super::super::broker::Broker;
use super::Shared;
use super::matching::Told;

/// When all is over and nothing has come for so long, nothing will.
const SILENCE: Duration = Duration::from_secs(1);

/// The longest wait for an alert before a look at whether all is over.
const POLL_MAX: Duration = Duration::from_millis(100);

/// The fields of an alert that are looked at.
#[derive(Deserialize)]
struct Fields<'a> {
    id: &'a str,
    alert_id: &'a str,
    revision: u32,
    tx: &'a str,
}

/// See the module.
pub(super) struct Receiver {
    consumer: BaseConsumer,
}

impl Receiver {
    /// Opens the topic.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn open(broker: &Broker, topic: &str) -> anyhow::Result<Receiver> {
        Ok(Receiver { consumer: broker.reader(topic)? })
    }

    /// Reads until all is over and silent.
    pub(super) fn receive(self, shared: &Shared<'_>) -> anyhow::Result<Vec<Told>> {
        let mut told = Vec::new();
        let mut alerts = HashSet::new();
        let mut heard = Instant::now();
        loop {
            match self.consumer.poll(POLL_MAX) {
                Some(Ok(message)) => {
                    let at = shared.epoch.elapsed();
                    heard = Instant::now();
                    let bytes = message.payload().unwrap_or_default();
                    let fields: Fields<'_> =
                        serde_json::from_slice(bytes).context("an alert cannot be read")?;
                    if alerts.insert(fields.alert_id.to_owned()) {
                        shared.received.fetch_add(1, Ordering::Relaxed);
                    }
                    let Fields { id, revision, tx, .. } = fields;
                    told.push(Told { id: id.to_owned(), revision, tx: tx.to_owned(), at });
                }
                None | Some(Err(KafkaError::PartitionEOF(_))) => {
                    if shared.over.load(Ordering::Relaxed) && heard.elapsed() > SILENCE {
                        return Ok(told);
                    }
                }
                Some(Err(error)) => return Err(error).context("the alerts cannot be read"),
            }
        }
    }
}
