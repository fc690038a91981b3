//! What subscribers read: alerts, freeze recommendations, ledgers of cases and
//! entries of the audit trail as CloudEvents in
//! Kafka's binary mode, the value being flat JSON that explains itself.
//!
//! What always holds: the same events give the same bytes, whatever source
//! told of them and whenever they are replayed. So nothing comes from the wall
//! clock, and a block's hash, which not every source tells, is a header and
//! never part of the value. Amounts are decimal strings of base units, since
//! JSON numbers are exact only up to 2^53.
//!
//! Deliberately absent: topics and partitions, which belong to the shell.

mod audit;
mod freeze;
mod ledger;
mod read;
mod record;
mod request;
mod schema;
mod time;

pub use audit::{AUDIT_TYPE, AuditEvent, AuditRecord, audit_message};
pub use freeze::{
    ActByRecord, ClaimRecord, EscapeRecord, FreezeRecord, NextRecord, SubmissionRecord,
    WorthRecord, contract,
};
pub use ledger::{LEDGER_TYPE, LedgerRecord, ServiceSumRecord, day, ledger_message};
pub use read::{ParsedAlert, ReadError};
pub use record::{AlertRecord, AttributionRecord, PathRecord, ServiceRecord, Units, share_ppm};
pub use request::{InputRecord, ParsedRequest, RequestRecord, StepRecord, TrailRecord};
pub use schema::schemas;
pub use time::rfc3339_utc;

use flow_core::{Alert, AlertStatus, Chain, FreezeRecommendation, FreezeStatus};
use serde::Serialize;

use crate::address;

/// CloudEvents type of an alert.
pub const ALERT_TYPE: &str = "usdt.flow.alert.v1";
/// CloudEvents type of a freeze recommendation.
pub const FREEZE_TYPE: &str = "usdt.flow.freeze-recommendation.v1";
/// Type of a request to freeze.
pub const REQUEST_TYPE: &str = "usdt.flow.freeze-request.v1";
/// Version of the values' layout. Rises when a field changes its meaning or
/// goes; a new field leaves it alone.
pub const SCHEMA_VERSION: u32 = 1;

/// A record for a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Partitions and compacts: `chain:address`, `chain:case:day`, or the chain
    /// alone.
    pub key: String,
    /// CloudEvents attributes, in a fixed order.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON value.
    pub value: Vec<u8>,
}

/// The alert as a message.
pub fn alert_message(alert: &Alert) -> Message {
    let chain = alert.subject.chain;
    let key = address::format_account(alert.subject);
    let mut message = alert_record_message(chain, key, &AlertRecord::from(alert));
    if let Some(hash) = alert.block_hash {
        message.headers.push(("ce_blockhash", address::format_block_hash(chain, hash)));
    }
    message
}

/// The retraction of an alert of which only the published value is left: the
/// same record, retracted, as its next revision. The hash of the block is not
/// in the value, so it is not told. `None` if the value is no alert record or
/// is a retraction already.
pub fn retraction(json: &[u8]) -> Option<Message> {
    let mut record: AlertRecord = serde_json::from_slice(json).ok()?;
    let chain = Chain::from_name(&record.chain)?;
    let retracted = AlertStatus::Retracted.name();
    if record.r#type != ALERT_TYPE || record.status == retracted {
        return None;
    }
    record.status = retracted.to_owned();
    record.revision = record.revision.checked_add(1)?;
    record.id = record::alert_record_id(&record.alert_id, record.revision);
    let key = format!("{chain}:{}", record.address);
    Some(alert_record_message(chain, key, &record))
}

fn alert_record_message(chain: Chain, key: String, record: &AlertRecord) -> Message {
    let schema = "urn:usdt-flow:schema:alert:1";
    let headers = cloud_event(chain, &record.id, ALERT_TYPE, &record.time, &key, schema);
    Message { key, headers, value: json(record) }
}

/// The recommendation as a message.
pub fn freeze_message(recommendation: &FreezeRecommendation) -> Message {
    let key = address::format_account(recommendation.account);
    freeze_record_message(recommendation.account.chain, key, &FreezeRecord::from(recommendation))
}

/// The withdrawal, as of a block, of a recommendation of which only the
/// published value is left: the next revision. The balance is that of the
/// published record. `None` if the value is no recommendation or is a withdrawal
/// already.
pub fn withdrawal(json: &[u8], block: u64, timestamp_ms: u64) -> Option<Message> {
    let mut record: FreezeRecord = serde_json::from_slice(json).ok()?;
    let chain = Chain::from_name(&record.chain)?;
    if record.r#type != FREEZE_TYPE || record.status == FreezeStatus::Withdrawn.name() {
        return None;
    }
    let revision = record.revision.checked_add(1)?;
    record.withdraw(revision, block, timestamp_ms);
    let key = format!("{chain}:{}", record.address);
    Some(freeze_record_message(chain, key, &record))
}

fn freeze_record_message(chain: Chain, key: String, record: &FreezeRecord) -> Message {
    let schema = "urn:usdt-flow:schema:freeze-recommendation:1";
    let headers = cloud_event(chain, &record.id, FREEZE_TYPE, &record.time, &key, schema);
    Message { key, headers, value: json(record) }
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
