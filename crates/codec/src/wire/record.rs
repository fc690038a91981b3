//! The values of the output records, field by field: alerts, and what they share
//! with freeze recommendations.
//!
//! The order of fields is the order of the JSON. Their documentation becomes
//! the description in the published schemas, so it speaks to subscribers.

use std::borrow::Cow;

use flow_core::{
    AccountKey, Alert, AlertStatus, Amount, Attribution, Chain, PathStep, Policy, Rule,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{ALERT_TYPE, SCHEMA_VERSION, rfc3339_utc};
use crate::address;

/// Base units of USDT; in JSON a decimal string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Units(pub Amount);

/// Tainted USDT moved where a subscriber should look.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Alert")]
pub struct AlertRecord {
    /// Unique id of this record: the alert's id, a dot, the revision. Equals `ce_id`.
    pub id: String,
    /// The record's type.
    #[schemars(extend("const" = ALERT_TYPE))]
    pub r#type: String,
    /// Block time of the triggering transfer, RFC 3339 in UTC.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
    /// The chain.
    #[schemars(extend("enum" = Chain::ALL.map(Chain::name)))]
    pub chain: String,
    /// Version of this layout.
    #[schemars(extend("const" = SCHEMA_VERSION))]
    pub schema_version: u32,
    /// Stable id of the alert: the same after redelivery, restart or replay.
    #[schemars(regex(pattern = r"^[0-9a-f]{32}$"))]
    pub alert_id: String,
    /// 1 when first raised; rises with each record of the same alert. The
    /// highest holds.
    pub revision: u32,
    /// How far the alert can be relied on: `provisional` while its block can
    /// still be reverted, `final` when it no longer can, `retracted` when the
    /// alert no longer holds.
    #[schemars(extend("enum" = AlertStatus::ALL.map(AlertStatus::name)))]
    pub status: String,
    /// Why it was raised.
    #[schemars(extend("enum" = Rule::ALL.map(Rule::name)))]
    pub rule: String,
    /// How grave it is.
    #[schemars(extend("enum" = ["Severe", "High", "Medium", "Low"]))]
    pub risk_level: String,
    /// `direct` at most one hop from a source, else `indirect`.
    #[schemars(extend("enum" = ["direct", "indirect"]))]
    pub exposure: String,
    /// Which way the units went, seen from `address`.
    #[schemars(extend("enum" = ["incoming", "outgoing"]))]
    pub direction: String,
    /// Id of the case whose units these are.
    pub case: String,
    /// The case's title.
    pub case_title: Option<String>,
    /// The case's category.
    pub category: Option<String>,
    /// How taint was attributed.
    #[schemars(extend("enum" = Policy::ALL.map(Policy::name)))]
    pub policy: String,
    /// Version of that rule of attribution.
    pub policy_version: u32,
    /// What each policy that traces the case says of the triggering transfer,
    /// `policy` among them; empty where `policy` alone traces it.
    pub attributions: Vec<AttributionRecord>,
    /// Whether all of them find the same number of tainted units moved. False:
    /// how much is tainted depends on the policy.
    pub policies_agree: bool,
    /// The wallet that the alert is about, in the chain's own spelling.
    pub address: String,
    /// The other side of the triggering transfer.
    pub counterparty: String,
    /// Block of the triggering transfer. All figures hold as of that transfer.
    pub block: u64,
    /// Its transaction.
    pub tx: String,
    /// Its rank, from 0, among the USDT transfers of that transaction.
    pub event_position: u32,
    /// Base units that it moved.
    pub amount: Units,
    /// Tainted base units among them.
    pub tainted: Units,
    /// Tainted units per million moved, rounded down.
    pub share_ppm: u64,
    /// Base units that the wallet holds after it.
    pub balance: Units,
    /// Tainted base units that the wallet holds after it.
    pub held: Units,
    /// Transfers between the source and the wallet; 0 for a source.
    pub hops: u32,
    /// The service reached, if it is one.
    pub service: Option<ServiceRecord>,
    /// The threshold reached, in base units, for rule `threshold`.
    pub threshold: Option<Units>,
    /// Whether a case opened late raised this for the past.
    pub retroactive: bool,
    /// The transfers from the source to the wallet, oldest first.
    pub path: Vec<PathRecord>,
    /// Transfers left out of the middle of a path too long for one message.
    pub path_omitted: u32,
}

/// What one policy says of an alert's transfer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct AttributionRecord {
    /// How taint was attributed.
    #[schemars(extend("enum" = Policy::ALL.map(Policy::name)))]
    pub policy: String,
    /// Version of that rule of attribution.
    pub policy_version: u32,
    /// Tainted base units among those that the transfer moved.
    pub tainted: Units,
    /// Tainted base units that the wallet holds after it.
    pub held: Units,
}

/// A service that runs an account.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ServiceRecord {
    /// Who runs it.
    pub entity: String,
    /// What it is: exchange, bridge, mixer…
    pub kind: String,
}

/// One transfer of a path of proof.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct PathRecord {
    /// Its block.
    pub block: u64,
    /// Block time, RFC 3339 in UTC.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
    /// Its transaction.
    pub tx: String,
    /// Its rank, from 0, among the USDT transfers of that transaction.
    pub event_position: u32,
    /// The account debited.
    pub from: String,
    /// The account credited.
    pub to: String,
    /// Base units moved.
    pub amount: Units,
    /// Tainted base units among them.
    pub tainted: Units,
}

/// The id of one record of an alert.
pub(super) fn alert_record_id(alert_id: &str, revision: u32) -> String {
    format!("{alert_id}.{revision}")
}

impl From<&Alert> for AlertRecord {
    fn from(alert: &Alert) -> Self {
        let AccountKey { chain, address } = alert.subject;
        let alert_id = hex::encode(alert.id.0);
        AlertRecord {
            id: alert_record_id(&alert_id, alert.revision),
            r#type: ALERT_TYPE.to_owned(),
            time: rfc3339_utc(alert.timestamp_ms),
            chain: chain.name().to_owned(),
            schema_version: SCHEMA_VERSION,
            alert_id,
            revision: alert.revision,
            status: alert.status.name().to_owned(),
            rule: alert.rule.name().to_owned(),
            risk_level: alert.risk.name().to_owned(),
            exposure: if alert.hops <= 1 { "direct" } else { "indirect" }.to_owned(),
            direction: direction(alert.rule).to_owned(),
            case: alert.case.clone(),
            case_title: alert.case_title.clone(),
            category: alert.category.clone(),
            policy: alert.policy.name().to_owned(),
            policy_version: alert.policy.version(),
            attributions: alert.attributions.iter().map(AttributionRecord::from).collect(),
            policies_agree: policies_agree(&alert.attributions),
            address: address::format(chain, address),
            counterparty: address::format(chain, alert.counterparty),
            block: alert.block,
            tx: address::format_tx(chain, alert.trigger.tx),
            event_position: alert.trigger.position,
            amount: Units(alert.amount),
            tainted: Units(alert.tainted),
            share_ppm: share_ppm(alert.tainted, alert.amount),
            balance: Units(alert.balance),
            held: Units(alert.held),
            hops: alert.hops,
            service: alert.service.clone().map(|(entity, kind)| ServiceRecord { entity, kind }),
            threshold: alert.threshold.map(Units),
            retroactive: alert.retroactive,
            path: path(chain, &alert.path),
            path_omitted: alert.path_omitted,
        }
    }
}

impl From<&Attribution> for AttributionRecord {
    fn from(attribution: &Attribution) -> Self {
        AttributionRecord {
            policy: attribution.policy.name().to_owned(),
            policy_version: attribution.policy.version(),
            tainted: Units(attribution.tainted),
            held: Units(attribution.held),
        }
    }
}

impl Serialize for Units {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Units {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map(Units).map_err(de::Error::custom)
    }
}

impl JsonSchema for Units {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Units".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(0|[1-9][0-9]*)$" })
    }
}

pub(super) fn path(chain: Chain, steps: &[PathStep]) -> Vec<PathRecord> {
    let record = |step: &PathStep| PathRecord {
        block: step.block,
        time: rfc3339_utc(step.timestamp_ms),
        tx: address::format_tx(chain, step.transfer.tx),
        event_position: step.transfer.position,
        from: address::format(chain, step.from),
        to: address::format(chain, step.to),
        amount: Units(step.amount),
        tainted: Units(step.tainted),
    };
    steps.iter().map(record).collect()
}

/// Parts per million of a whole, rounded down, so that 1 000 000 means all; 0
/// of nothing.
pub fn share_ppm(part: Amount, whole: Amount) -> u64 {
    let share = (u128::from(part) * 1_000_000).checked_div(u128::from(whole)).unwrap_or(0);
    u64::try_from(share).unwrap_or(u64::MAX)
}

fn policies_agree(attributions: &[Attribution]) -> bool {
    attributions.windows(2).all(|pair| pair[0].tainted == pair[1].tainted)
}

const fn direction(rule: Rule) -> &'static str {
    match rule {
        Rule::SourceMoved => "outgoing",
        Rule::FirstReceipt | Rule::Threshold | Rule::CashOut => "incoming",
    }
}
