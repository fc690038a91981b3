//! From an alert record's JSON back to the facts that it states, for whoever
//! wants to prove or refute it.
//!
//! What always holds: a record is read whole or refused with the field that is
//! at fault; what this version would understand differently (another layout,
//! another rule of attribution) is refused and never guessed. Shares, exposure
//! and direction follow from the facts and are left out.

use flow_core::{
    AccountKey, Address, AlertId, AlertStatus, Amount, Attribution, Chain, PathStep, Policy, Rule,
    TransferRef,
};

use super::record::{AlertRecord, AttributionRecord, PathRecord, alert_record_id};
use super::{ALERT_TYPE, SCHEMA_VERSION, time};
use crate::address;
use crate::error::{DecodeError, shown};

/// What an alert record states, typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedAlert {
    /// Stable id of the alert.
    pub id: AlertId,
    /// Which record of the alert this is, from 1.
    pub revision: u32,
    /// How far it can be relied on.
    pub status: AlertStatus,
    /// Why it was raised.
    pub rule: Rule,
    /// Id of the case.
    pub case: String,
    /// How taint was attributed.
    pub policy: Policy,
    /// What each policy that traces the case says; may be empty.
    pub attributions: Vec<Attribution>,
    /// The wallet that the alert is about.
    pub subject: AccountKey,
    /// The other side of the triggering transfer.
    pub counterparty: Address,
    /// The triggering transfer.
    pub trigger: TransferRef,
    /// Its block.
    pub block: u64,
    /// Block time, Unix milliseconds.
    pub timestamp_ms: u64,
    /// Units that the transfer moved.
    pub amount: Amount,
    /// Tainted units among them.
    pub tainted: Amount,
    /// Units that the subject holds after it.
    pub balance: Amount,
    /// Tainted units that the subject holds after it.
    pub held: Amount,
    /// Transfers between the source and the subject.
    pub hops: u32,
    /// The threshold reached, in base units, for rule `threshold`.
    pub threshold: Option<Amount>,
    /// The service reached: entity and kind.
    pub service: Option<(String, String)>,
    /// The transfers from the source to the subject, oldest first.
    pub path: Vec<PathStep>,
    /// Transfers left out of the middle of the path.
    pub path_omitted: u32,
}

/// Why a record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Not JSON, or a field is missing or of the wrong JSON type.
    #[error("not {record}: {detail}")]
    NotARecord {
        /// What it ought to be.
        record: &'static str,
        /// What the parser says; it names the field.
        detail: String,
    },
    /// A field holds a value that this version does not know.
    #[error("field `{field}` holds `{value}`, which is not known here")]
    Unknown {
        /// The field.
        field: &'static str,
        /// Its value, shortened.
        value: String,
    },
    /// A field does not hold what its name promises, or contradicts another.
    #[error("field `{field}` holds `{value}`, which is not {expected}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// Its value, shortened.
        value: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// The figures follow another version of a layout or of a policy's rule.
    #[error("field `{field}` is {told}; only version {known} is known here")]
    Version {
        /// The field.
        field: &'static str,
        /// The record's version.
        told: u32,
        /// Ours.
        known: u32,
    },
    /// An address or a hash is none.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl AlertRecord {
    /// Reads a record's JSON into what it states.
    ///
    /// # Errors
    /// [`ReadError`] names the field at fault.
    pub fn read(json: &[u8]) -> Result<ParsedAlert, ReadError> {
        let record: AlertRecord =
            serde_json::from_slice(json).map_err(|error| not_an_alert(&error))?;
        record.parsed()
    }

    fn parsed(self) -> Result<ParsedAlert, ReadError> {
        self.check_layout()?;
        let chain = known("chain", &self.chain, Chain::from_name)?;
        let tx = address::parse_tx(&self.tx)?;
        let path = self.path.iter().map(|step| path_step(chain, step));
        Ok(ParsedAlert {
            id: self.read_id()?,
            revision: self.revision,
            status: named("status", &self.status, &AlertStatus::ALL, AlertStatus::name)?,
            rule: named("rule", &self.rule, &Rule::ALL, Rule::name)?,
            case: self.case,
            policy: policy(["policy", "policy_version"], &self.policy, self.policy_version)?,
            attributions: self.attributions.iter().map(attribution).collect::<Result<_, _>>()?,
            subject: AccountKey { chain, address: account("address", chain, &self.address)? },
            counterparty: account("counterparty", chain, &self.counterparty)?,
            trigger: TransferRef { tx, position: self.event_position },
            block: self.block,
            timestamp_ms: unix_ms("time", &self.time)?,
            amount: self.amount.0,
            tainted: self.tainted.0,
            balance: self.balance.0,
            held: self.held.0,
            hops: self.hops,
            threshold: self.threshold.map(|units| units.0),
            service: self.service.map(|service| (service.entity, service.kind)),
            path: path.collect::<Result<_, _>>()?,
            path_omitted: self.path_omitted,
        })
    }

    fn check_layout(&self) -> Result<(), ReadError> {
        known("type", &self.r#type, |name| (name == ALERT_TYPE).then_some(()))?;
        version("schema_version", self.schema_version, SCHEMA_VERSION)
    }

    fn read_id(&self) -> Result<AlertId, ReadError> {
        let id = alert_id(&self.alert_id)?;
        if self.id == alert_record_id(&self.alert_id, self.revision) {
            return Ok(id);
        }
        Err(invalid("id", &self.id, "`alert_id`, a dot and `revision`"))
    }
}

fn not_an_alert(error: &serde_json::Error) -> ReadError {
    ReadError::NotARecord { record: "an alert record", detail: error.to_string() }
}

fn path_step(chain: Chain, step: &PathRecord) -> Result<PathStep, ReadError> {
    let tx = address::parse_tx(&step.tx).map_err(|error| error.at("path.tx"))?;
    Ok(PathStep {
        transfer: TransferRef { tx, position: step.event_position },
        block: step.block,
        timestamp_ms: unix_ms("path.time", &step.time)?,
        from: account("path.from", chain, &step.from)?,
        to: account("path.to", chain, &step.to)?,
        amount: step.amount.0,
        tainted: step.tainted.0,
    })
}

fn attribution(record: &AttributionRecord) -> Result<Attribution, ReadError> {
    let fields = ["attributions.policy", "attributions.policy_version"];
    let policy = policy(fields, &record.policy, record.policy_version)?;
    Ok(Attribution { policy, tainted: record.tainted.0, held: record.held.0 })
}

pub(super) fn policy(
    fields: [&'static str; 2],
    name: &str,
    told: u32,
) -> Result<Policy, ReadError> {
    let policy = known(fields[0], name, Policy::from_name)?;
    version(fields[1], told, policy.version())?;
    Ok(policy)
}

fn alert_id(text: &str) -> Result<AlertId, ReadError> {
    const DIGITS: usize = 32;
    let mut id = [0; DIGITS / 2];
    let lower = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !lower || address::read_digits(text, &mut id).is_err() {
        return Err(invalid("alert_id", text, "32 hex digits in lower case"));
    }
    Ok(AlertId(id))
}

pub(super) fn account(field: &'static str, chain: Chain, text: &str) -> Result<Address, ReadError> {
    Ok(address::parse(chain, text).map_err(|error| error.at(field))?)
}

pub(super) fn unix_ms(field: &'static str, text: &str) -> Result<u64, ReadError> {
    time::parse_rfc3339_utc(text)
        .ok_or_else(|| invalid(field, text, "a time in UTC with milliseconds"))
}

pub(super) fn version(field: &'static str, told: u32, known: u32) -> Result<(), ReadError> {
    if told == known { Ok(()) } else { Err(ReadError::Version { field, told, known }) }
}

/// The one of `all` that has that name.
fn named<T: Copy>(
    field: &'static str,
    name: &str,
    all: &[T],
    name_of: fn(T) -> &'static str,
) -> Result<T, ReadError> {
    known(field, name, |name| all.iter().copied().find(|one| name_of(*one) == name))
}

pub(super) fn known<T>(
    field: &'static str,
    value: &str,
    find: impl Fn(&str) -> Option<T>,
) -> Result<T, ReadError> {
    find(value).ok_or_else(|| ReadError::Unknown { field, value: shown(value) })
}

fn invalid(field: &'static str, value: &str, expected: &'static str) -> ReadError {
    ReadError::Invalid { field, value: shown(value), expected }
}
