//! What earlier sessions have published, so that a rebuild repeats none of it.
//!
//! A restart rebuilds the state from the start of the input. The same events
//! give the same effects, so whatever stands in the output topics already is
//! left out, and whatever does not (a case was added meanwhile, a crash came
//! before a commit) is published.

use anyhow::Context;
use flow_core::{Alert, AlertId, FreezeRecommendation};
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers};

use super::outgoing::Outgoing;
use super::reader::TopicReader;
use crate::config::{KafkaConfig, OutputConfig};

/// See the module.
#[derive(Default)]
pub(super) struct Published {
    alerts: HashSet<(AlertId, u32), FixedState>,
    /// By key: the block as of which the last record holds, and its id.
    freezes: HashMap<String, (u64, String), FixedState>,
}

impl Published {
    /// Reads the output topics to their ends.
    pub(super) fn read(kafka: &KafkaConfig, output: &OutputConfig) -> anyhow::Result<Published> {
        let mut known = Published::default();
        TopicReader::open(kafka, &output.alerts_topic)?.read_to_end(|message| {
            if let Some(id) = event_id(message).and_then(|id| parse_alert_id(&id)) {
                known.alerts.insert(id);
            }
            Ok(())
        })?;
        TopicReader::open(kafka, &output.freezes_topic)?.read_to_end(|message| {
            let key = message.key().map(String::from_utf8_lossy);
            if let (Some(id), Some(key)) = (event_id(message), key)
                && let Some(block) = parse_freeze_block(&id)
            {
                known.freezes.insert(key.into_owned(), (block, id));
            }
            Ok(())
        })?;
        Ok(known)
    }

    /// Alerts that are known.
    pub(super) fn alerts(&self) -> usize {
        self.alerts.len()
    }

    /// Whether the alert stands in its topic.
    pub(super) fn has_alert(&self, alert: &Alert) -> bool {
        self.alerts.contains(&(alert.id, alert.revision))
    }

    /// Whether the recommendation, or a state of a later block, stands in its
    /// topic. A case that came late was told as of the block it came at, so
    /// what a rebuild finds for earlier blocks is told already.
    pub(super) fn has_freeze(&self, record: &FreezeRecommendation, message: &Outgoing) -> bool {
        let known = message.key.as_ref().and_then(|key| self.freezes.get(key));
        known.is_some_and(|(block, id)| {
            let same = || message.header("ce_id") == Some(id);
            record.block < *block || (record.block == *block && same())
        })
    }
}

fn event_id(message: &BorrowedMessage<'_>) -> Option<String> {
    let headers = message.headers()?;
    let header = headers.iter().find(|header| header.key == "ce_id")?;
    String::from_utf8(header.value?.to_vec()).ok()
}

/// `{32 hex digits}.{revision}`.
fn parse_alert_id(id: &str) -> Option<(AlertId, u32)> {
    let (hex, revision) = id.split_once('.')?;
    let mut bytes = [0; 16];
    hex::decode_to_slice(hex, &mut bytes).ok()?;
    Some((AlertId(bytes), revision.parse().context("a revision").ok()?))
}

/// `{chain}:{address}.{block}.{digest}`.
fn parse_freeze_block(id: &str) -> Option<u64> {
    id.rsplit('.').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_ids_of_alerts_parse() {
        let id = format!("{}.3", "0a".repeat(16));
        assert_eq!(parse_alert_id(&id), Some((AlertId([10; 16]), 3)));
        assert_eq!(parse_alert_id("0a0b.3"), None);
        assert_eq!(parse_alert_id(&"0a".repeat(16)), None);
        assert_eq!(parse_freeze_block("tron:TAy1g5.56804883.1a2b3c4d"), Some(56_804_883));
    }
}
