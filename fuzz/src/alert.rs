//! Alert records that were published once and are read again.
//!
//! What the readers promise: the same bytes state the same; the retraction of
//! an alert states what the alert stated, retracted, as its next revision; and
//! a retraction is not retracted.

use flow_codec::wire::{AlertRecord, ParsedAlert, retraction};
use flow_core::AlertStatus;

/// Reads the bytes as an alert record, and retracts it.
pub fn alert_record(data: &[u8]) {
    let read = AlertRecord::read(data);
    assert_eq!(read, AlertRecord::read(data));
    if let Err(error) = &read {
        assert!(!error.to_string().is_empty());
    }
    let message = retraction(data);
    if let Some(message) = &message {
        assert_eq!(retraction(&message.value), None, "a retraction is retracted");
    }
    let Ok(alert) = read else { return };
    if alert.status == AlertStatus::Retracted || alert.revision == u32::MAX {
        assert!(message.is_none(), "{alert:?}");
        return;
    }
    let value = message.expect("what can be read can be retracted").value;
    let expected =
        ParsedAlert { status: AlertStatus::Retracted, revision: alert.revision + 1, ..alert };
    assert_eq!(AlertRecord::read(&value), Ok(expected));
}
