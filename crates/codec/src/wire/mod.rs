//! What subscribers read: alerts and freeze recommendations as CloudEvents in
//! Kafka's binary mode, the value being flat JSON that explains itself.
//!
//! What always holds: the same events give the same bytes, whatever source
//! told of them and whenever they are replayed. So nothing comes from the wall
//! clock, and a block's hash, which not every source tells, is a header and
//! never part of the value. Amounts are decimal strings of base units, since
//! JSON numbers are exact only up to 2^53.
//!
//! Deliberately absent: topics and partitions, which belong to the shell.

mod record;
mod schema;
mod time;

pub use record::{
    ActByRecord, AlertRecord, ClaimRecord, FreezeRecord, PathRecord, ServiceRecord, Units,
};
pub use schema::schemas;
pub use time::rfc3339_utc;

use flow_core::{Alert, Chain, FreezeRecommendation};
use serde::Serialize;

use crate::address;

/// CloudEvents type of an alert.
pub const ALERT_TYPE: &str = "usdt.flow.alert.v1";
/// CloudEvents type of a freeze recommendation.
pub const FREEZE_TYPE: &str = "usdt.flow.freeze-recommendation.v1";
/// Version of the values' layout. Rises when a field changes its meaning or
/// goes; a new field leaves it alone.
pub const SCHEMA_VERSION: u32 = 1;

/// A record for a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Partitions and compacts: `chain:address`.
    pub key: String,
    /// CloudEvents attributes, in a fixed order.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON value.
    pub value: Vec<u8>,
}

/// The alert as a message.
pub fn alert_message(alert: &Alert) -> Message {
    let record = AlertRecord::from(alert);
    let chain = alert.subject.chain;
    let key = address::format_account(alert.subject);
    let mut headers = cloud_event(
        chain,
        &record.id,
        ALERT_TYPE,
        &record.time,
        &key,
        "urn:usdt-flow:schema:alert:1",
    );
    if let Some(hash) = alert.block_hash {
        headers.push(("ce_blockhash", address::format_block_hash(chain, hash)));
    }
    Message { key, headers, value: json(&record) }
}

/// The recommendation as a message.
pub fn freeze_message(recommendation: &FreezeRecommendation) -> Message {
    let record = FreezeRecord::from(recommendation);
    let chain = recommendation.account.chain;
    let key = address::format_account(recommendation.account);
    let schema = "urn:usdt-flow:schema:freeze-recommendation:1";
    let headers = cloud_event(chain, &record.id, FREEZE_TYPE, &record.time, &key, schema);
    Message { key, headers, value: json(&record) }
}

fn cloud_event(
    chain: Chain,
    id: &str,
    kind: &str,
    time: &str,
    subject: &str,
    schema: &str,
) -> Vec<(&'static str, String)> {
    vec![
        ("ce_specversion", "1.0".to_owned()),
        ("ce_id", id.to_owned()),
        ("ce_source", format!("urn:usdt-flow:{chain}")),
        ("ce_type", kind.to_owned()),
        ("ce_time", time.to_owned()),
        ("ce_subject", subject.to_owned()),
        ("ce_dataschema", schema.to_owned()),
        ("content-type", "application/json".to_owned()),
    ]
}

fn json(record: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(record).expect("records have string keys and no failing parts")
}
