//! The value of a freeze recommendation, field by field; see `record`.

use flow_core::{
    AccountKey, Actor, Amount, Chain, Chance, Claim, Escape, FreezeRecommendation, FreezeStatus,
    NextAddress, Policy, Progress, Submission, SubmittedCall, WalletKind, Worth,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::record::{PathRecord, Units, path, share_ppm};
use super::{FREEZE_TYPE, SCHEMA_VERSION, rfc3339_utc};
use crate::address;

/// What to freeze, and how far that has got. Confidential: whoever reads it can
/// warn the holder.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Freeze recommendation")]
pub struct FreezeRecord {
    /// Unique id of this record: chain, colon, address, dot, revision. Equals
    /// `ce_id`.
    pub id: String,
    /// The record's type.
    #[schemars(extend("const" = FREEZE_TYPE))]
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
    /// The account to freeze, in the chain's own spelling.
    pub address: String,
    /// 1 when first told of the account; rises with each record for it. The
    /// highest holds.
    pub revision: u32,
    /// Where the recommendation's life stands.
    #[schemars(extend("enum" = FreezeStatus::ALL.map(FreezeStatus::name)))]
    pub status: String,
    /// Whether units have just left while a freeze is pending, or moved on from
    /// where they went: see `next`.
    #[serde(default)]
    pub urgent: bool,
    /// Who can act.
    pub act_by: ActByRecord,
    /// The USDT contract on that chain.
    pub contract: String,
    /// The block as of which all figures hold.
    pub block: u64,
    /// When the recommendation was first raised, RFC 3339 in UTC.
    #[schemars(extend("format" = "date-time"))]
    pub raised_time: String,
    /// Base units that the account holds.
    pub balance: Units,
    /// The greatest claim of a case, in base units. Claims may overlap, so they
    /// do not add up.
    pub tainted: Units,
    /// That claim per million of the balance, rounded down; 0 for an empty
    /// account, null at a service, where units of many customers mix.
    pub share_ppm: Option<u64>,
    /// How taint was attributed.
    #[schemars(extend("enum" = Policy::ALL.map(Policy::name)))]
    pub policy: String,
    /// Version of that rule of attribution.
    pub policy_version: u32,
    /// What cases claim, in the order of case ids; of more than 16 those that
    /// claim most. Empty where a freeze was submitted of an account that no case
    /// claims.
    pub claims: Vec<ClaimRecord>,
    /// Cases that claim less than those.
    #[serde(default)]
    pub claims_omitted: u32,
    /// What the greatest claim is worth to freeze now; null at a service where
    /// tracing ends, of a frozen account, and where it is over.
    #[serde(default)]
    pub worth: Option<WorthRecord>,
    /// Block time at which tainted units of these claims arrived first.
    #[serde(default)]
    #[schemars(extend("format" = "date-time"))]
    pub arrived_time: Option<String>,
    /// The most that one case claimed since the recommendation was raised, in
    /// base units.
    #[serde(default)]
    pub recommended: Units,
    /// What was submitted last to the issuer's multisig wallet about the account.
    #[serde(default)]
    pub submission: Option<SubmissionRecord>,
    /// Since when the account is frozen.
    #[serde(default)]
    #[schemars(extend("format" = "date-time"))]
    pub frozen_time: Option<String>,
    /// The greatest claim on what the freeze caught, in base units.
    #[serde(default)]
    pub caught: Units,
    /// What left since the recommendation was raised: base units of the
    /// transfers that carried tainted ones, and of all transfers while a freeze
    /// was pending.
    #[serde(default)]
    pub escaped: Units,
    /// The greatest claim on what each of these transfers moved, in sum.
    #[serde(default)]
    pub escaped_tainted: Units,
    /// These transfers, oldest first.
    #[serde(default)]
    pub escapes: Vec<EscapeRecord>,
    /// Older ones that are in the sums alone.
    #[serde(default)]
    pub escapes_omitted: u32,
    /// While a freeze is pending, where the units that left since it was
    /// submitted are now, most first: the next addresses to freeze.
    #[serde(default)]
    pub next: Vec<NextRecord>,
    /// Units that left and went to more addresses than are followed.
    #[serde(default)]
    pub next_omitted: Units,
    /// Always true: handle accordingly.
    #[schemars(extend("const" = true))]
    pub confidential: bool,
}

/// What a recommendation is worth, with every factor of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct WorthRecord {
    /// Base units that would be caught with those claimed.
    pub clean: Units,
    /// The claim times the chance that it is still there, in base units.
    pub expected: Units,
    /// Those times the claimed share of the balance: the higher, the sooner.
    pub score: Units,
    /// The chance that the units are still there after the usual lag, in parts
    /// per million: the middle of the interval.
    pub chance_ppm: u32,
    /// The lower end of the interval that holds it in 95 of 100 cases.
    pub chance_low_ppm: u32,
    /// Its upper end.
    pub chance_high_ppm: u32,
    /// Which wallets it is drawn from; `any` where too few of this kind are known.
    #[schemars(extend("enum" = ["source", "first_hop", "further", "deposit", "any"]))]
    pub kind: String,
    /// Wallets whose outcome is known: emptied within the span in question, or
    /// seen to outlast it.
    pub outcomes: u64,
    /// Seconds for which the account has held the units.
    pub held_seconds: u64,
    /// The usual lag from a recommendation to a freeze, in seconds.
    pub lag_seconds: u64,
    /// Earlier predictions of the same tenth whose outcome is known.
    pub trials: u64,
    /// The chance that these named, on average, in parts per million.
    pub trials_expected_ppm: u32,
    /// Those of them whose units were still there, in parts per million.
    pub trials_kept_ppm: u32,
}

/// A call that was submitted to the issuer's multisig wallet.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct SubmissionRecord {
    /// What is to be done with the account.
    #[schemars(extend("enum" = SubmittedCall::ALL.map(SubmittedCall::name)))]
    pub call: String,
    /// The wallet's own number for it, where its log was read.
    pub id: Option<u64>,
    /// The transaction that submitted it.
    pub tx: String,
    /// Its block.
    pub block: u64,
    /// Block time, RFC 3339 in UTC.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
    /// Owners who have confirmed it and not taken that back.
    pub confirmations: u32,
    /// As many must.
    pub required: u32,
    /// Whether it was carried out and failed; it can be tried again.
    pub failed: bool,
}

/// A transfer out of a recommended account.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct EscapeRecord {
    /// Who received it.
    pub to: String,
    /// Base units moved.
    pub amount: Units,
    /// The greatest claim on them.
    pub tainted: Units,
    /// Its transaction.
    pub tx: String,
    /// Its rank, from 0, among the USDT transfers of that transaction.
    pub event_position: u32,
    /// Its block.
    pub block: u64,
    /// Block time, RFC 3339 in UTC.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
    /// Seconds since the recommendation was raised.
    pub after_seconds: u64,
}

/// An address to which units left while a freeze was pending.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct NextRecord {
    /// The address.
    pub address: String,
    /// Base units of them that it holds.
    pub amount: Units,
    /// Transfers from the target to here.
    pub hops: u32,
    /// When they arrived last, RFC 3339 in UTC.
    #[schemars(extend("format" = "date-time"))]
    pub since_time: String,
    /// Whether the address is frozen already.
    pub frozen: bool,
    /// Who can act there.
    pub act_by: ActByRecord,
}

/// Who can act on a recommendation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ActByRecord {
    /// `issuer` for a private wallet, `service` for an account at a service.
    #[schemars(extend("enum" = ["issuer", "service"]))]
    pub kind: String,
    /// The service; null for the issuer.
    pub entity: Option<String>,
    /// What the account is there; null for the issuer.
    pub service_kind: Option<String>,
}

/// What one case claims of an account.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ClaimRecord {
    /// The case's id.
    pub case: String,
    /// Tainted base units: held there, or at a service arrived there in all.
    pub tainted: Units,
    /// They per million of the balance; see the recommendation's `share_ppm`.
    pub share_ppm: Option<u64>,
    /// Transfers between the source and the account.
    pub hops: u32,
    /// The transfers from the source to the account, oldest first.
    pub path: Vec<PathRecord>,
    /// Transfers left out of the middle of a path too long for one message.
    pub path_omitted: u32,
}

impl From<&FreezeRecommendation> for FreezeRecord {
    fn from(recommendation: &FreezeRecommendation) -> Self {
        let AccountKey { chain, address } = recommendation.account;
        let address = address::format(chain, address);
        let tainted = recommendation.claims.iter().map(|claim| claim.tainted).max().unwrap_or(0);
        let act_by = ActByRecord::from(&recommendation.actor);
        let Progress { recommended, arrived_ms, submission, frozen_ms, caught, escaped } =
            &recommendation.progress;
        FreezeRecord {
            id: format!("{chain}:{address}.{}", recommendation.revision),
            r#type: FREEZE_TYPE.to_owned(),
            time: rfc3339_utc(recommendation.timestamp_ms),
            chain: chain.name().to_owned(),
            schema_version: SCHEMA_VERSION,
            address,
            revision: recommendation.revision,
            status: recommendation.status.name().to_owned(),
            urgent: recommendation.urgent,
            act_by,
            contract: contract(chain).to_owned(),
            block: recommendation.block,
            raised_time: rfc3339_utc(recommendation.raised_ms),
            balance: Units(recommendation.balance),
            tainted: Units(tainted),
            share_ppm: share_of_balance(recommendation, tainted),
            policy: recommendation.policy.name().to_owned(),
            policy_version: recommendation.policy.version(),
            claims: recommendation
                .claims
                .iter()
                .map(|claim| claim_record(recommendation, claim))
                .collect(),
            claims_omitted: recommendation.claims_omitted,
            worth: recommendation.chance.map(|chance| worth(tainted, recommendation, &chance)),
            arrived_time: arrived_ms.map(rfc3339_utc),
            recommended: Units(*recommended),
            submission: submission.map(|submitted| submission_record(chain, &submitted)),
            frozen_time: frozen_ms.map(rfc3339_utc),
            caught: Units(*caught),
            escaped: Units(escaped.units),
            escaped_tainted: Units(escaped.tainted),
            escapes: escaped
                .newest
                .iter()
                .map(|escape| escape_record(recommendation, escape))
                .collect(),
            escapes_omitted: escaped.omitted,
            next: recommendation.next.iter().map(|next| next_record(chain, next)).collect(),
            next_omitted: Units(recommendation.next_omitted),
            confidential: true,
        }
    }
}

impl FreezeRecord {
    /// Makes it say that nothing claims the account any more, as of that block.
    pub(super) fn withdraw(&mut self, revision: u32, block: u64, timestamp_ms: u64) {
        self.status = FreezeStatus::Withdrawn.name().to_owned();
        (self.revision, self.block) = (revision, block);
        self.time = rfc3339_utc(timestamp_ms);
        self.tainted = Units(0);
        self.share_ppm = self.share_ppm.map(|_| 0);
        self.claims.clear();
        self.claims_omitted = 0;
        (self.urgent, self.next, self.next_omitted) = (false, Vec::new(), Units(0));
        self.worth = None;
        (self.arrived_time, self.recommended) = (None, Units(0));
        (self.submission, self.frozen_time, self.caught) = (None, None, Units(0));
        (self.escaped, self.escaped_tainted) = (Units(0), Units(0));
        (self.escapes, self.escapes_omitted) = (Vec::new(), 0);
        self.id = format!("{}:{}.{}", self.chain, self.address, self.revision);
    }
}

impl From<&Actor> for ActByRecord {
    fn from(actor: &Actor) -> Self {
        match actor {
            Actor::Issuer => {
                ActByRecord { kind: "issuer".to_owned(), entity: None, service_kind: None }
            }
            Actor::Service { entity, kind } => ActByRecord {
                kind: "service".to_owned(),
                entity: Some(entity.clone()),
                service_kind: Some(kind.clone()),
            },
        }
    }
}

fn claim_record(recommendation: &FreezeRecommendation, claim: &Claim) -> ClaimRecord {
    ClaimRecord {
        case: claim.case.clone(),
        tainted: Units(claim.tainted),
        share_ppm: share_of_balance(recommendation, claim.tainted),
        hops: claim.hops,
        path: path(recommendation.account.chain, &claim.path),
        path_omitted: claim.path_omitted,
    }
}

fn worth(tainted: Amount, recommendation: &FreezeRecommendation, chance: &Chance) -> WorthRecord {
    let Worth { clean, expected, score } = Worth::of(tainted, recommendation.balance, chance);
    WorthRecord {
        clean: Units(clean),
        expected: Units(expected),
        score: Units(score),
        chance_ppm: chance.ppm,
        chance_low_ppm: chance.low_ppm,
        chance_high_ppm: chance.high_ppm,
        kind: chance.kind.map_or("any", WalletKind::name).to_owned(),
        outcomes: chance.outcomes,
        held_seconds: chance.held_ms / 1_000,
        lag_seconds: chance.lag_ms / 1_000,
        trials: chance.calibration.trials,
        trials_expected_ppm: chance.calibration.expected_ppm,
        trials_kept_ppm: chance.calibration.kept_ppm,
    }
}

fn submission_record(chain: Chain, submitted: &Submission) -> SubmissionRecord {
    SubmissionRecord {
        call: submitted.call.name().to_owned(),
        id: submitted.id,
        tx: address::format_tx(chain, submitted.tx),
        block: submitted.block,
        time: rfc3339_utc(submitted.timestamp_ms),
        confirmations: submitted.confirmations,
        required: submitted.required,
        failed: submitted.failed,
    }
}

fn escape_record(recommendation: &FreezeRecommendation, escape: &Escape) -> EscapeRecord {
    let chain = recommendation.account.chain;
    EscapeRecord {
        to: address::format(chain, escape.to),
        amount: Units(escape.units),
        tainted: Units(escape.tainted),
        tx: address::format_tx(chain, escape.transfer.tx),
        event_position: escape.transfer.position,
        block: escape.block,
        time: rfc3339_utc(escape.timestamp_ms),
        after_seconds: escape.timestamp_ms.saturating_sub(recommendation.raised_ms) / 1_000,
    }
}

fn next_record(chain: Chain, next: &NextAddress) -> NextRecord {
    NextRecord {
        address: address::format(chain, next.address),
        amount: Units(next.units),
        hops: next.hops,
        since_time: rfc3339_utc(next.since_ms),
        frozen: next.frozen,
        act_by: ActByRecord::from(&next.actor),
    }
}

fn share_of_balance(recommendation: &FreezeRecommendation, tainted: Amount) -> Option<u64> {
    match recommendation.actor {
        Actor::Issuer => Some(share_ppm(tainted, recommendation.balance)),
        Actor::Service { .. } => None,
    }
}

/// The USDT contract on the chain, in its spelling.
pub const fn contract(chain: Chain) -> &'static str {
    match chain {
        Chain::Ethereum => "0xdAC17F958D2ee523a2206206994597C13D831ec7",
        Chain::Tron => "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t",
    }
}
