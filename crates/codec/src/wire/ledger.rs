//! The value of the ledger of a case, field by field; see `record`.

use flow_core::{CaseLedger, Chain, Policy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Message, SCHEMA_VERSION, cloud_event, json, rfc3339_utc};

/// CloudEvents type of the ledger of a case.
pub const LEDGER_TYPE: &str = "usdt.flow.case-ledger.v1";

/// Whether a case is still traced.
const STATUSES: [&str; 2] = [OPEN, CLOSED];
const OPEN: &str = "open";
const CLOSED: &str = "closed";

/// Where the money of a case was at the end of a day, or is now: `emitted` is
/// the sum of `held`, `frozen`, `service`, `redeemed`, `destroyed`, `dust` and
/// `horizon` (under `poison` it need not be). Confidential: it tells what is
/// known of a case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Ledger of a case")]
pub struct LedgerRecord {
    /// Unique id of this record: chain, colon, case, colon, day, dot, revision.
    /// Equals `ce_id`.
    pub id: String,
    /// The record's type.
    #[schemars(extend("const" = LEDGER_TYPE))]
    pub r#type: String,
    /// Time of the block as of which all figures hold, RFC 3339 in UTC.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
    /// The chain.
    #[schemars(extend("enum" = Chain::ALL.map(Chain::name)))]
    pub chain: String,
    /// Version of this layout.
    #[schemars(extend("const" = SCHEMA_VERSION))]
    pub schema_version: u32,
    /// Id of the case.
    pub case: String,
    /// The UTC day of that block. Of each day in which the ledger changed the
    /// last record tells how it stood at its end; that of the newest day, how it
    /// stands.
    #[schemars(extend("format" = "date"))]
    pub day: String,
    /// 1 when first told of that case and day; rises with each record of them.
    /// The highest holds.
    pub revision: u32,
    /// `closed`: the case is followed no longer, and this was its last ledger.
    #[schemars(extend("enum" = STATUSES))]
    pub status: String,
    /// The block as of which all figures hold: the last one that changed them.
    /// It is final.
    pub block: u64,
    /// How taint was attributed.
    #[schemars(extend("enum" = Policy::ALL.map(Policy::name)))]
    pub policy: String,
    /// Version of that rule of attribution.
    pub policy_version: u32,
    /// Base units that turned from clean to tainted.
    #[schemars(regex(pattern = "^[0-9]+$"))]
    pub emitted: String,
    /// In accounts that are not frozen.
    #[schemars(regex(pattern = "^[0-9]+$"))]
    pub held: String,
    /// In frozen accounts.
    #[schemars(regex(pattern = "^[0-9]+$"))]
    pub frozen: String,
    /// Arrived at services, in sum.
    #[schemars(regex(pattern = "^[0-9]+$"))]
    pub service: String,
    /// Arrived at each service, by name.
    pub services: Vec<ServiceSumRecord>,
    /// Redeemed by the issuer.
    #[schemars(regex(pattern = "^[0-9]+$"))]
    pub redeemed: String,
    /// Burnt by the issuer.
    #[schemars(regex(pattern = "^[0-9]+$"))]
    pub destroyed: String,
    /// Arrived in parcels below the case's `min_units`.
    #[schemars(regex(pattern = "^[0-9]+$"))]
    pub dust: String,
    /// Went further than the case's `max_hops`.
    #[schemars(regex(pattern = "^[0-9]+$"))]
    pub horizon: String,
    /// Always true: handle accordingly.
    #[schemars(extend("const" = true))]
    pub confidential: bool,
}

/// What arrived at a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ServiceSumRecord {
    /// Who runs it.
    pub entity: String,
    /// Base units.
    #[schemars(regex(pattern = "^[0-9]+$"))]
    pub units: String,
}

impl LedgerRecord {
    /// The ledger as that revision of its day.
    pub fn of(ledger: &CaseLedger, revision: u32) -> LedgerRecord {
        let totals = &ledger.totals;
        let service = |(entity, units): (&String, &u128)| ServiceSumRecord {
            entity: entity.clone(),
            units: units.to_string(),
        };
        let record = LedgerRecord {
            id: String::new(),
            r#type: LEDGER_TYPE.to_owned(),
            time: rfc3339_utc(ledger.timestamp_ms),
            chain: ledger.chain.name().to_owned(),
            schema_version: SCHEMA_VERSION,
            case: ledger.case.clone(),
            day: day(ledger.timestamp_ms),
            revision: 0,
            status: OPEN.to_owned(),
            block: ledger.block,
            policy: ledger.policy.name().to_owned(),
            policy_version: ledger.policy.version(),
            emitted: totals.emitted.to_string(),
            held: totals.held.to_string(),
            frozen: totals.frozen.to_string(),
            service: totals.service().to_string(),
            services: totals.services.iter().map(service).collect(),
            redeemed: totals.redeemed.to_string(),
            destroyed: totals.destroyed.to_string(),
            dust: totals.dust.to_string(),
            horizon: totals.horizon.to_string(),
            confidential: true,
        };
        record.revised(revision)
    }

    /// The same as another revision.
    fn revised(self, revision: u32) -> LedgerRecord {
        let id = format!("{}.{revision}", self.key());
        LedgerRecord { id, revision, ..self }
    }

    /// The last ledger of a case that is followed no longer.
    #[must_use]
    pub fn closed(self) -> LedgerRecord {
        let revision = self.revision.saturating_add(1);
        LedgerRecord { status: CLOSED.to_owned(), ..self }.revised(revision)
    }

    /// Whether the case is followed no longer.
    pub fn is_closed(&self) -> bool {
        self.status == CLOSED
    }

    /// Partitions and compacts: one record is left for each case and day.
    pub fn key(&self) -> String {
        format!("{}:{}:{}", self.chain, self.case, self.day)
    }
}

/// The UTC day of a time, for example `2023-11-27`.
pub fn day(unix_ms: u64) -> String {
    let mut time = rfc3339_utc(unix_ms);
    time.truncate(time.find('T').unwrap_or(time.len()));
    time
}

/// The ledger as a message.
pub fn ledger_message(chain: Chain, record: &LedgerRecord) -> Message {
    let schema = "urn:usdt-flow:schema:case-ledger:1";
    let key = record.key();
    let headers = cloud_event(chain, &record.id, LEDGER_TYPE, &record.time, &record.case, schema);
    Message { key, headers, value: json(record) }
}
