//! Records for the output topics.

use flow_codec::wire;
use flow_core::{Block, RefusedEvent};
use rdkafka::Message;
use rdkafka::message::BorrowedMessage;

use crate::pipeline::Rejected;

/// A record for an output topic.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) topic: String,
    pub(super) key: Option<String>,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) value: Vec<u8>,
}

impl Outgoing {
    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&String> {
        self.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// An alert or a recommendation.
pub(super) fn message(topic: &str, message: wire::Message) -> Outgoing {
    let wire::Message { key, headers, value } = message;
    Outgoing { topic: topic.to_owned(), key: Some(key), headers, value }
}

/// The original bytes with what went wrong, in the headers of KIP-1034.
pub(super) fn dead_letter(
    topic: &str,
    rejected: &Rejected,
    message: &BorrowedMessage<'_>,
) -> Outgoing {
    let headers = vec![
        ("__streams.errors.exception", rejected.reason.to_owned()),
        ("__streams.errors.message", rejected.message.clone()),
        ("__streams.errors.topic", message.topic().to_owned()),
        ("__streams.errors.partition", message.partition().to_string()),
        ("__streams.errors.offset", message.offset().to_string()),
    ];
    let value = message.payload().unwrap_or_default().to_vec();
    Outgoing { topic: topic.to_owned(), key: None, headers, value }
}

/// An event that the ledger refused, in our own format: its record was read
/// well, and is long gone when its block is applied.
pub(super) fn refused_letter(topic: &str, refused: &RefusedEvent) -> Outgoing {
    let block = Block {
        chain: refused.chain,
        number: refused.block,
        hash: None,
        timestamp_ms: refused.timestamp_ms,
        events: vec![refused.event],
    };
    let message = format!("{} block {}", refused.chain, refused.block);
    let headers = vec![
        ("__streams.errors.exception", refused.reason.name().to_owned()),
        ("__streams.errors.message", message),
    ];
    let value = flow_sim::feed::plain_json(&block).concat().into_bytes();
    Outgoing { topic: topic.to_owned(), key: None, headers, value }
}
