//! Records for the output topics.

use flow_codec::wire;
use flow_core::{Block, RefusedEvent};

use crate::pipeline::Rejected;

/// A record for an output topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The topic.
    pub topic: String,
    /// The record's key.
    pub key: Option<String>,
    /// Names and values.
    pub headers: Vec<(&'static str, String)>,
    /// The record's value.
    pub value: Vec<u8>,
}

impl Outgoing {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&String> {
        self.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// Where a record stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) topic: &'a str,
    pub(super) number: i32,
    pub(super) offset: i64,
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
    place: Place<'_>,
    payload: &[u8],
) -> Outgoing {
    let headers = vec![
        ("__streams.errors.exception", rejected.reason.to_owned()),
        ("__streams.errors.message", rejected.message.clone()),
        ("__streams.errors.topic", place.topic.to_owned()),
        ("__streams.errors.partition", place.number.to_string()),
        ("__streams.errors.offset", place.offset.to_string()),
    ];
    Outgoing { topic: topic.to_owned(), key: None, headers, value: payload.to_vec() }
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
