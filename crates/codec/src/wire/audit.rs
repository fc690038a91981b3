//! The value of an entry of the audit trail, field by field.

use flow_core::Chain;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Message, SCHEMA_VERSION, json};
use crate::case_file::{CaseRecord, LabelRecord};

/// CloudEvents type of an entry of the audit trail.
pub const AUDIT_TYPE: &str = "usdt.flow.audit.v1";

/// What an entry of the audit trail tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditEvent {
    /// A case is followed from now on.
    CaseOpened,
    /// A case has another definition.
    CaseChanged,
    /// A case is followed no longer.
    CaseClosed,
    /// An account got a label.
    LabelSet,
    /// Its label is another one.
    LabelChanged,
    /// It has none any more.
    LabelRemoved,
    /// A record was written to the topic of freeze recommendations.
    Recommended,
}

impl AuditEvent {
    /// Every event.
    pub const ALL: [AuditEvent; 7] = [
        AuditEvent::CaseOpened,
        AuditEvent::CaseChanged,
        AuditEvent::CaseClosed,
        AuditEvent::LabelSet,
        AuditEvent::LabelChanged,
        AuditEvent::LabelRemoved,
        AuditEvent::Recommended,
    ];

    /// The name used in records.
    pub const fn name(self) -> &'static str {
        match self {
            AuditEvent::CaseOpened => "case_opened",
            AuditEvent::CaseChanged => "case_changed",
            AuditEvent::CaseClosed => "case_closed",
            AuditEvent::LabelSet => "label_set",
            AuditEvent::LabelChanged => "label_changed",
            AuditEvent::LabelRemoved => "label_removed",
            AuditEvent::Recommended => "recommended",
        }
    }
}

/// An entry of the audit trail of a chain. Each entry holds the hash of the one
/// before it, so that none can be changed, left out or moved unseen.
/// Confidential: it names the accounts that are to be frozen.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Audit entry")]
pub struct AuditRecord {
    /// Unique id of this entry: chain, dot, sequence. Equals `ce_id`.
    pub id: String,
    /// The record's type.
    #[schemars(extend("const" = AUDIT_TYPE))]
    pub r#type: String,
    /// Time of the block as of which this was so, RFC 3339 in UTC; null before
    /// the first block.
    #[schemars(extend("format" = "date-time"))]
    pub time: Option<String>,
    /// The chain whose trail this is. Each chain has a trail of its own.
    #[schemars(extend("enum" = Chain::ALL.map(Chain::name)))]
    pub chain: String,
    /// Version of this layout.
    #[schemars(extend("const" = SCHEMA_VERSION))]
    pub schema_version: u32,
    /// Place in the trail: 1 for the first entry, then one more each.
    pub sequence: u64,
    /// SHA-256 of the value of the entry before it, byte by byte, in hex; 64
    /// zeros for the first.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub previous_sha256: String,
    /// The block as of which this was so; null before the first block.
    pub block: Option<u64>,
    /// What happened.
    #[schemars(extend("enum" = AuditEvent::ALL.map(AuditEvent::name)))]
    pub event: String,
    /// Of what: the id of a case, or `chain:address` of a label or a
    /// recommendation.
    pub subject: String,
    /// Of a recommendation: its revision.
    pub revision: Option<u32>,
    /// SHA-256, in hex, of the value of the recommendation, or of `case` or
    /// `label` below, byte by byte as they stand here; null where one is closed
    /// or removed.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: Option<String>,
    /// The case as it was opened or changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseRecord>,
    /// The label as it was set or changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<LabelRecord>,
    /// Always true: handle accordingly.
    #[schemars(extend("const" = true))]
    pub confidential: bool,
}

/// The entry as a message.
pub fn audit_message(chain: Chain, record: &AuditRecord) -> Message {
    let schema = "urn:usdt-flow:schema:audit:1";
    let key = chain.name().to_owned();
    let time = record.time.as_deref().unwrap_or_default();
    let mut headers = super::cloud_event(chain, &record.id, AUDIT_TYPE, time, &key, schema);
    headers.retain(|(name, value)| *name != "ce_time" || !value.is_empty());
    Message { key, headers, value: json(record) }
}
