//! A request to freeze, as it is handed to whoever can, with the evidence that
//! anybody can check against the chain.
//!
//! What always holds: of a request that is read back, the parts that follow
//! from the chain are typed, and what this version would understand differently
//! is refused.

use flow_core::{AccountKey, Case, Chain, Policy, TransferRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::freeze::ActByRecord;
use super::read::{ReadError, account, known, policy, unix_ms, version};
use super::record::Units;
use super::{REQUEST_TYPE, SCHEMA_VERSION};
use crate::address;
use crate::case_file::{self, CaseRecord};

/// A request to freeze one account, with its evidence. Confidential: whoever
/// reads it can warn the holder.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Freeze request")]
#[serde(deny_unknown_fields)]
pub struct RequestRecord {
    /// The record's type.
    #[schemars(extend("const" = REQUEST_TYPE))]
    pub r#type: String,
    /// Version of this layout.
    #[schemars(extend("const" = SCHEMA_VERSION))]
    pub schema_version: u32,
    /// The file number of the police or the prosecutor.
    #[schemars(length(min = 1))]
    pub reference: String,
    /// The authority that asks.
    #[schemars(length(min = 1))]
    pub agency: String,
    /// Who answers questions, and how to reach them.
    #[schemars(length(min = 1))]
    pub contact: String,
    /// The date of the request, as its author writes it.
    pub date: Option<String>,
    /// What else its author says.
    pub note: Option<String>,
    /// Who is asked.
    pub act_by: ActByRecord,
    /// The chain.
    #[schemars(extend("enum" = Chain::ALL.map(Chain::name)))]
    pub chain: String,
    /// The USDT contract on that chain.
    pub contract: String,
    /// The account to freeze, in the chain's own spelling.
    pub address: String,
    /// The block as of which all figures hold: the last one that was looked at.
    pub block: u64,
    /// Its time, RFC 3339 in UTC.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
    /// Base units that the account holds; null at a service, where units of many
    /// customers mix.
    pub balance: Option<Units>,
    /// Tainted base units: held there, or at a service arrived there in all.
    pub tainted: Units,
    /// Base units that would be caught with them; null at a service.
    pub clean: Option<Units>,
    /// The tainted ones per million of the balance, rounded down; null at a
    /// service.
    pub share_ppm: Option<u64>,
    /// The least number of transfers between a source and the account.
    pub hops: u32,
    /// Whether the issuer has frozen it already; null at a service.
    pub frozen: Option<bool>,
    /// How taint was attributed.
    #[schemars(extend("enum" = Policy::ALL.map(Policy::name)))]
    pub policy: String,
    /// Version of that rule of attribution.
    pub policy_version: u32,
    /// The case, with the sources of its tainted units.
    pub case: CaseRecord,
    /// Ways by which tainted units came to the account, the strongest first;
    /// none to a source.
    pub trails: Vec<TrailRecord>,
    /// Whether the search for trails was given up before there were enough.
    pub trails_given_up: bool,
    /// What worked the figures out.
    pub software: String,
    /// The command that does it again.
    pub command: String,
    /// What it read.
    pub inputs: Vec<InputRecord>,
    /// Always true: handle accordingly.
    #[schemars(extend("const" = true))]
    pub confidential: bool,
}

/// One way by which tainted units came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrailRecord {
    /// The fewest tainted base units that one of its transfers moved.
    pub strength: Units,
    /// Its transfers from a source to the account, oldest first.
    pub steps: Vec<StepRecord>,
}

/// One transfer of a trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepRecord {
    /// Its block.
    pub block: u64,
    /// Block time, RFC 3339 in UTC.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
    /// Its transaction.
    pub tx: String,
    /// Its log index as the input numbers logs, where it does.
    pub log_index: Option<u32>,
    /// Its rank, from 0, among the USDT transfers of that transaction.
    pub event_position: u32,
    /// The account debited.
    pub from: String,
    /// The account credited.
    pub to: String,
    /// Base units moved.
    pub amount: Units,
    /// Base units that the sender held before it.
    pub sender_balance: Units,
    /// Tainted ones among those.
    pub sender_tainted: Units,
    /// Tainted ones among those moved.
    pub tainted: Units,
}

/// A file or folder that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InputRecord {
    /// What it holds.
    pub holds: String,
    /// Its name, as it was given.
    pub name: String,
    /// Bytes in all.
    pub bytes: u64,
    /// SHA-256 in hex: of a file; of a history, that of the lines which
    /// `sha256sum` prints for its segments.
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// How many segments, of a history.
    pub segments: Option<usize>,
}

/// The parts of a request that say what to look up, typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedRequest {
    /// The account to freeze.
    pub account: AccountKey,
    /// The block as of which it speaks.
    pub block: u64,
    /// How taint was attributed.
    pub policy: Policy,
    /// The case.
    pub case: Case,
    /// The transfers of each trail.
    pub trails: Vec<Vec<TransferRef>>,
}

impl RequestRecord {
    /// Reads a request's JSON, and what it says to look up.
    ///
    /// # Errors
    /// [`ReadError`] names the field at fault.
    pub fn read(json: &[u8]) -> Result<(RequestRecord, ParsedRequest), ReadError> {
        let refused = |detail: String| ReadError::NotARecord { record: "a freeze request", detail };
        let record: RequestRecord =
            serde_json::from_slice(json).map_err(|error| refused(error.to_string()))?;
        known("type", &record.r#type, |name| (name == REQUEST_TYPE).then_some(()))?;
        version("schema_version", record.schema_version, SCHEMA_VERSION)?;
        let chain = known("chain", &record.chain, Chain::from_name)?;
        unix_ms("time", &record.time)?;
        let case = serde_json::to_vec(&record.case).map_err(|error| refused(error.to_string()))?;
        let (case, _) = case_file::parse_case(&case).map_err(|error| refused(error.to_string()))?;
        let transfer = |step: &StepRecord| {
            let tx = address::parse_tx(&step.tx).map_err(|error| error.at("trails.steps.tx"))?;
            Ok(TransferRef { tx, position: step.event_position })
        };
        let trail = |trail: &TrailRecord| trail.steps.iter().map(transfer).collect();
        let parsed = ParsedRequest {
            account: AccountKey { chain, address: account("address", chain, &record.address)? },
            block: record.block,
            policy: policy(["policy", "policy_version"], &record.policy, record.policy_version)?,
            case,
            trails: record.trails.iter().map(trail).collect::<Result<_, ReadError>>()?,
        };
        Ok((record, parsed))
    }
}
