//! The records' schemas for subscribers, generated from the types.
//!
//! JSON Schema draft-07, because the AsyncAPI tools pass over newer drafts
//! without a word.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::audit::AuditRecord;
use super::freeze::FreezeRecord;
use super::ledger::LedgerRecord;
use super::record::AlertRecord;
use super::request::RequestRecord;
use crate::case_file::{CaseRecord, LabelRecord};

/// Each schema with the name of its file.
pub fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("alert.json", written::<AlertRecord>("urn:usdt-flow:schema:alert:1")),
        (
            "freeze-recommendation.json",
            written::<FreezeRecord>("urn:usdt-flow:schema:freeze-recommendation:1"),
        ),
        ("case-ledger.json", written::<LedgerRecord>("urn:usdt-flow:schema:case-ledger:1")),
        ("audit.json", written::<AuditRecord>("urn:usdt-flow:schema:audit:1")),
        ("freeze-request.json", written::<RequestRecord>("urn:usdt-flow:schema:freeze-request:1")),
        ("case.json", read::<CaseRecord>("urn:usdt-flow:schema:case:1")),
        ("label.json", read::<LabelRecord>("urn:usdt-flow:schema:label:1")),
    ]
}

/// The schema of what we write: a field that is always there is required.
fn written<T: JsonSchema>(id: &str) -> Value {
    schema::<T>(id, SchemaSettings::draft07().for_serialize())
}

/// The schema of what we read: a field with a default may be left out.
fn read<T: JsonSchema>(id: &str) -> Value {
    schema::<T>(id, SchemaSettings::draft07().for_deserialize())
}

fn schema<T: JsonSchema>(id: &str, settings: SchemaSettings) -> Value {
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("$id".to_owned(), Value::from(id));
    schema.to_value()
}
