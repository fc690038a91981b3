//! What comes out of the engine: alerts with their proof, freeze
//! recommendations, and events that could not be applied.

use serde::{Deserialize, Serialize};

use crate::freeze::{Chance, NextAddress, Progress};
use crate::{
    AccountKey, Address, Amount, BlockHash, CaseTotals, Chain, Label, LedgerEvent, Policy,
    TransferRef,
};

/// One thing the shell must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Tell the subscribers.
    Raise(Box<Alert>),
    /// Tell them that an alert told as provisional is final now.
    Settle(Box<Alert>),
    /// Tell them that an alert no longer holds: its block was reverted, or what
    /// is known of labels changed.
    Retract(Box<Alert>),
    /// Tell the freeze desk, and nobody else.
    Recommend(Box<FreezeRecommendation>),
    /// Where the money of a case was as of a final block.
    Ledger(Box<CaseLedger>),
    /// An event contradicts the ledger and was left out.
    Refuse(RefusedEvent),
}

/// Why an alert was raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Rule {
    /// A wallet received tainted units of the case for the first time.
    FirstReceipt,
    /// The tainted units that a wallet holds reached a configured threshold.
    Threshold,
    /// Tainted units reached a labelled service.
    CashOut,
    /// A source wallet of the case sent units.
    SourceMoved,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Rule; 4] =
        [Rule::FirstReceipt, Rule::Threshold, Rule::CashOut, Rule::SourceMoved];

    /// The name used in records and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Rule::FirstReceipt => "first_receipt",
            Rule::Threshold => "threshold",
            Rule::CashOut => "cash_out",
            Rule::SourceMoved => "source_moved",
        }
    }
}

/// How grave an alert is, in the words that screening vendors use.
///
/// Severe: the source itself moves. Otherwise by the tainted share of what the
/// transfer moved: High from 50 %, Medium from 10 %, Low below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RiskLevel {
    /// Below 10 % of the transfer is tainted.
    Low,
    /// From 10 %.
    Medium,
    /// From 50 %.
    High,
    /// A source wallet moves.
    Severe,
}

impl RiskLevel {
    /// Every level, from the lowest.
    pub const ALL: [RiskLevel; 4] =
        [RiskLevel::Low, RiskLevel::Medium, RiskLevel::High, RiskLevel::Severe];

    /// The name used in records and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            RiskLevel::Severe => "Severe",
            RiskLevel::High => "High",
            RiskLevel::Medium => "Medium",
            RiskLevel::Low => "Low",
        }
    }
}

/// How far an alert can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AlertStatus {
    /// Its block can still be reverted.
    Provisional,
    /// Its block is final.
    Final,
    /// It no longer holds.
    Retracted,
}

impl AlertStatus {
    /// Every status.
    pub const ALL: [AlertStatus; 3] =
        [AlertStatus::Provisional, AlertStatus::Final, AlertStatus::Retracted];

    /// The name used in records and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            AlertStatus::Provisional => "provisional",
            AlertStatus::Final => "final",
            AlertStatus::Retracted => "retracted",
        }
    }
}

/// What one policy says of an alert's transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribution {
    /// The policy.
    pub policy: Policy,
    /// Tainted units among those the transfer moved.
    pub tainted: Amount,
    /// Tainted units that the subject holds after it.
    pub held: Amount,
}

/// Stable id of an alert: the first 16 bytes of SHA-256 over chain,
/// transaction, position, rule, policy with its version, case, subject and
/// threshold. Unchanged by redelivery, restart or source format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlertId(#[serde(with = "crate::image::raw")] pub [u8; 16]);

/// A finding, told with its proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// See [`AlertId`].
    pub id: AlertId,
    /// 1 when first raised; rises with each record of the same alert.
    pub revision: u32,
    /// How far it can be relied on.
    pub status: AlertStatus,
    /// Why.
    pub rule: Rule,
    /// How grave.
    pub risk: RiskLevel,
    /// The case whose units these are.
    pub case: String,
    /// The case's title.
    pub case_title: Option<String>,
    /// The case's category.
    pub category: Option<String>,
    /// How taint was attributed.
    pub policy: Policy,
    /// What each policy that traces the case says, [`policy`](Self::policy)
    /// among them, in the order of [`Policy::ALL`].
    pub attributions: Vec<Attribution>,
    /// The wallet that the alert is about.
    pub subject: AccountKey,
    /// The other side of the triggering transfer.
    pub counterparty: Address,
    /// The triggering transfer.
    pub trigger: TransferRef,
    /// Its block.
    pub block: u64,
    /// The hash of that block, where the source tells it.
    pub block_hash: Option<BlockHash>,
    /// Block time, Unix milliseconds.
    pub timestamp_ms: u64,
    /// Units moved by the triggering transfer.
    pub amount: Amount,
    /// Tainted units among them.
    pub tainted: Amount,
    /// Units the subject holds after the transfer.
    pub balance: Amount,
    /// Tainted units the subject holds after the transfer.
    pub held: Amount,
    /// Transfers between the source and the subject.
    pub hops: u32,
    /// The service reached (`CashOut`): entity and kind.
    pub service: Option<(String, String)>,
    /// The threshold reached (`Threshold`), base units.
    pub threshold: Option<Amount>,
    /// Whether a case opened late owed this alert to the past.
    pub retroactive: bool,
    /// The transfers from the source to the subject, oldest first; for
    /// `SourceMoved` the transfer that left it.
    pub path: Vec<PathStep>,
    /// Transfers left out of the middle of a very long path.
    pub path_omitted: u32,
}

/// One transfer of a path of proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathStep {
    /// The transfer.
    pub transfer: TransferRef,
    /// Its block.
    pub block: u64,
    /// Block time, Unix milliseconds.
    pub timestamp_ms: u64,
    /// The account debited.
    pub from: Address,
    /// The account credited.
    pub to: Address,
    /// Units moved.
    pub amount: Amount,
    /// Tainted units of the case among them.
    pub tainted: Amount,
}

/// What to freeze: the whole state of the recommendation for one account, as
/// of its block. Of an account the highest revision holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreezeRecommendation {
    /// The account.
    pub account: AccountKey,
    /// 1 when first told of the account; rises by one from record to record.
    pub revision: u32,
    /// Where its life stands.
    pub status: FreezeStatus,
    /// Whether units have just left in a freeze window, or moved on from where
    /// they went.
    pub urgent: bool,
    /// Who can act.
    pub actor: Actor,
    /// The block as of which all figures hold.
    pub block: u64,
    /// Its time, Unix milliseconds.
    pub timestamp_ms: u64,
    /// When the recommendation was first raised, Unix milliseconds.
    pub raised_ms: u64,
    /// Units the account holds.
    pub balance: Amount,
    /// How taint was attributed.
    pub policy: Policy,
    /// What cases claim there, in the order of case ids; of very many those
    /// that claim most.
    pub claims: Vec<Claim>,
    /// Cases that claim less than those.
    pub claims_omitted: u32,
    /// Whether they are still there once they can be frozen. None: of a service,
    /// of a frozen account, and where it is over.
    pub chance: Option<Chance>,
    /// How it has fared so far.
    pub progress: Progress,
    /// In a freeze window, where the units are that left in it, most first.
    pub next: Vec<NextAddress>,
    /// Units that left in it and went to more accounts than are followed.
    pub next_omitted: Amount,
}

/// Where the life of a recommendation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FreezeStatus {
    /// Tainted units have come to rest; freeze them.
    Raised,
    /// More came, or some left; figures are new.
    Updated,
    /// The issuer's owners have submitted a freeze, and it is not carried out.
    Submitted,
    /// More of them than the one who submitted it have confirmed.
    Confirmed,
    /// The issuer has frozen the account.
    Frozen,
    /// The issuer has lifted the freeze.
    Released,
    /// The issuer has burnt the funds.
    Destroyed,
    /// Too few tainted units are left there: they moved on.
    Escaped,
    /// No case claims the account any more.
    Withdrawn,
}

impl FreezeStatus {
    /// Every status.
    pub const ALL: [FreezeStatus; 9] = [
        FreezeStatus::Raised,
        FreezeStatus::Updated,
        FreezeStatus::Submitted,
        FreezeStatus::Confirmed,
        FreezeStatus::Frozen,
        FreezeStatus::Released,
        FreezeStatus::Destroyed,
        FreezeStatus::Escaped,
        FreezeStatus::Withdrawn,
    ];

    /// The name used in records and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            FreezeStatus::Raised => "raised",
            FreezeStatus::Updated => "updated",
            FreezeStatus::Submitted => "submitted",
            FreezeStatus::Confirmed => "confirmed",
            FreezeStatus::Frozen => "frozen",
            FreezeStatus::Released => "released",
            FreezeStatus::Destroyed => "destroyed",
            FreezeStatus::Escaped => "escaped",
            FreezeStatus::Withdrawn => "withdrawn",
        }
    }

    /// Whether the desk waits for somebody to act.
    pub const fn is_unanswered(self) -> bool {
        matches!(self, FreezeStatus::Raised | FreezeStatus::Updated | FreezeStatus::Released)
    }
}

/// Who can act on a recommendation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Actor {
    /// The token's issuer, for a private wallet.
    Issuer,
    /// The compliance desk of the service that runs the account.
    Service {
        /// Who runs it.
        entity: String,
        /// What the account is.
        kind: String,
    },
}

impl Actor {
    /// Who can act on an account with that label.
    pub fn of(label: Option<&Label>) -> Actor {
        match label {
            Some(label) if label.is_of_service() => {
                Actor::Service { entity: label.entity.clone(), kind: label.kind.clone() }
            }
            _ => Actor::Issuer,
        }
    }
}

/// What one case claims of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The case.
    pub case: String,
    /// Tainted units: held there, or for a service arrived there in all.
    pub tainted: Amount,
    /// Transfers between the source and the account.
    pub hops: u32,
    /// The transfers from the source to the account, oldest first.
    pub path: Vec<PathStep>,
    /// Transfers left out of the middle of a very long path.
    pub path_omitted: u32,
}

/// The books of a case as of the block that changed them last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseLedger {
    /// The case.
    pub case: String,
    /// The chain of the block.
    pub chain: Chain,
    /// The block.
    pub block: u64,
    /// Its time, Unix milliseconds.
    pub timestamp_ms: u64,
    /// How taint was attributed.
    pub policy: Policy,
    /// Where the units are: on every chain that the engine follows.
    pub totals: CaseTotals,
}

/// An event left out of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedEvent {
    /// Its chain.
    pub chain: Chain,
    /// Its block.
    pub block: u64,
    /// Block time, Unix milliseconds.
    pub timestamp_ms: u64,
    /// The event itself.
    pub event: LedgerEvent,
    /// Why.
    pub reason: Refusal,
}

/// Why an event was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The receiver's balance would exceed 2^64 − 1 base units, which no
    /// genuine supply of USDT allows.
    BalanceOverflow,
}

impl Refusal {
    /// The name used in summaries and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Refusal::BalanceOverflow => "balance_overflow",
        }
    }
}
