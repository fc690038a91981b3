//! What an image says, in plain numbers.
//!
//! What always holds: this is the format and nothing else follows the engine's
//! layout in memory, so that either can change without the other. Accounts are
//! named by id; lanes by rank among those that are open or being traced, so
//! that how many there ever were leaves no mark; places of an account in some
//! map do not occur. Lists without an order of their own are sorted.
//!
//! An image is these parts one behind the other, each as postcard writes it:
//! the version, [`Settings`], `[Segment]`, `[AccountKey]` of the accounts that
//! no segment introduced, `[Holding]` of all accounts, `[(u32, [Taint])]` of
//! those that are tainted, `[Block]`, `[Transfer]` and `[Other]` of what is not
//! sealed, and [`Rest`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::freeze::{Book, EscapesWere, Proposal, ProposalKey, Record, Stay, Window};
use crate::movement::AccountId;
use crate::trace::Turn;
use crate::{
    Alert, Amount, BlockHash, Case, CaseLedger, CaseTotals, Chain, EngineConfig, Label,
    LedgerEvent, Policy, TxHash,
};

/// Rises with every change of the format.
pub(crate) const VERSION: u32 = 4;

/// The settings on which the state depends.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) policies: Vec<Policy>,
    pub(crate) alert_min_units: Amount,
    pub(crate) thresholds: Vec<Amount>,
    pub(crate) freeze_min_units: Amount,
    pub(crate) freeze_rest_ms: u64,
    pub(crate) freeze_update_ms: u64,
    pub(crate) ledger_update_ms: u64,
    pub(crate) freeze_lag_ms: [u64; 2],
    pub(crate) revertible: bool,
}

impl Settings {
    pub(crate) fn of(config: &EngineConfig) -> Settings {
        Settings {
            policies: config.policies.clone(),
            alert_min_units: config.alert_min_units,
            thresholds: config.thresholds.clone(),
            freeze_min_units: config.freeze_min_units,
            freeze_rest_ms: config.freeze_rest_ms,
            freeze_update_ms: config.freeze_update_ms,
            ledger_update_ms: config.ledger_update_ms,
            freeze_lag_ms: config.freeze_lag_ms,
            revertible: config.revertible,
        }
    }

    /// The first setting that is another one there.
    pub(crate) fn difference(&self, other: &Settings) -> Option<&'static str> {
        let same = [
            ("policies", self.policies == other.policies),
            ("alert_min_units", self.alert_min_units == other.alert_min_units),
            ("thresholds", self.thresholds == other.thresholds),
            ("freeze_min_units", self.freeze_min_units == other.freeze_min_units),
            ("freeze_rest_ms", self.freeze_rest_ms == other.freeze_rest_ms),
            ("freeze_update_ms", self.freeze_update_ms == other.freeze_update_ms),
            ("ledger_update_ms", self.ledger_update_ms == other.ledger_update_ms),
            ("freeze_lag_ms", self.freeze_lag_ms == other.freeze_lag_ms),
            ("revertible", self.revertible == other.revertible),
        ];
        same.into_iter().find(|(_, same)| !same).map(|(name, _)| name)
    }
}

/// A sealed segment that the state rests on, by its length and its header's
/// checksum; its number is its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Segment {
    pub(crate) bytes: u64,
    pub(crate) check: u32,
}

/// What an account holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holding {
    pub(crate) balance: Amount,
    /// The sum of [`FROZEN`] and [`SEEN`], where they apply.
    pub(crate) flags: u8,
}

pub(crate) const FROZEN: u8 = 1;
/// Named by an event or an opening balance.
pub(crate) const SEEN: u8 = 2;

/// One lane's units in one account. Whether all that it holds is tainted
/// follows from the policy and `source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Taint {
    pub(crate) lane: u32,
    pub(crate) units: Amount,
    pub(crate) hops: u32,
    /// None: no path leads there.
    pub(crate) node: Option<u32>,
    pub(crate) source: bool,
    pub(crate) told: bool,
    pub(crate) thresholds: u8,
    pub(crate) moved_ms: u64,
}

/// A block that was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) chain: Chain,
    pub(crate) number: u64,
    pub(crate) hash: Option<BlockHash>,
    pub(crate) timestamp_ms: u64,
    pub(crate) has_events: bool,
}

/// A block that is not sealed, with how much it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Block {
    pub(crate) head: Head,
    pub(crate) transfers: u32,
    pub(crate) others: u32,
}

/// A transfer that is not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Transfer {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) amount: Amount,
    /// What the sender held, with the missing units.
    pub(crate) from_before: Amount,
    pub(crate) missing: Amount,
    pub(crate) to_before: Amount,
    pub(crate) tx: TxHash,
    pub(crate) log_index: Option<u32>,
    pub(crate) position: u32,
}

/// Another movement that is not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Other {
    /// Transfers before it, among those that are not sealed.
    pub(crate) transfers_before: u32,
    pub(crate) action: Action,
}

/// What another movement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Action {
    Issue { to: u32, amount: Amount, before: Amount },
    Redeem { from: u32, amount: Amount, before: Amount, missing: Amount },
    Destroy { account: u32, amount: Amount, before: Amount, missing: Amount },
    Freeze { account: u32 },
    Release { account: u32 },
}

/// All that is small.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Rest {
    /// By chain, as everything that has two.
    pub(crate) heads: [Option<Head>; 2],
    pub(crate) finals: [Option<u64>; 2],
    pub(crate) sums: Sums,
    /// By account.
    pub(crate) labels: Vec<Label>,
    /// By id.
    pub(crate) cases: Vec<OpenCase>,
    /// Soonest last.
    pub(crate) pending: [Vec<Pending>; 2],
    pub(crate) woken: Vec<u32>,
    /// By case, of whatever case that alerts were told of.
    pub(crate) told: Vec<(String, Vec<Told>)>,
    pub(crate) desk: Desk,
    /// Of the newest blocks, as many as there are entries.
    pub(crate) journal: Vec<Entry>,
}

/// Counted over all events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sums {
    pub(crate) accounts: u64,
    pub(crate) zero_transfers: u64,
    pub(crate) self_transfers: u64,
    pub(crate) opening_units: u128,
}

/// An open case.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OpenCase {
    pub(crate) case: Case,
    pub(crate) traced_at: u32,
    pub(crate) heads: [Option<u64>; 2],
    pub(crate) traced: Option<Traced>,
    pub(crate) waiting: Option<Waiting>,
}

/// What is traced of a case.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Traced {
    /// Its lanes have the ranks from `group` times the number of policies on.
    pub(crate) group: u32,
    /// As it was when it was traced.
    pub(crate) case: Case,
    /// One for each policy, in their order.
    pub(crate) lanes: Vec<Lane>,
}

/// A late trace that a case waits for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// See [`Traced::group`].
    pub(crate) group: u32,
    /// Its rank among late traces, in the order in which they were begun.
    pub(crate) number: u32,
}

/// A case under one policy.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Lane {
    pub(crate) totals: CaseTotals,
    pub(crate) untold: Option<Turn>,
    pub(crate) nodes: Vec<Node>,
    /// In order of first touch.
    pub(crate) members: Vec<u32>,
    /// Accounts of services, in order of first touch.
    pub(crate) reached: Vec<(u32, Arrival)>,
    /// By account.
    pub(crate) runs: Vec<(u32, Runs)>,
}

/// One transfer of a path.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Node {
    pub(crate) transfer: u32,
    pub(crate) parent: Option<u32>,
    pub(crate) tainted: Amount,
}

/// Tainted units that reached an account of a service.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Arrival {
    pub(crate) units: Amount,
    pub(crate) hops: u32,
    pub(crate) node: Option<u32>,
}

/// Where the tainted units of an account lie among all that it holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Runs {
    /// The place of the oldest unit held.
    pub(crate) head: Amount,
    /// Start and length of each.
    pub(crate) runs: Vec<(Amount, Amount)>,
}

/// A wallet that becomes a source later.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) since_block: u64,
    pub(crate) lane: u32,
    pub(crate) account: u32,
}

/// What subscribers know of an alert.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) id: crate::AlertId,
    pub(crate) revision: u32,
    pub(crate) live: bool,
    pub(crate) retroactive: bool,
}

/// The freeze desk. Its records, submissions, windows and stays are plain
/// already and stand as they are.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Desk {
    /// By account.
    pub(crate) records: Vec<(u32, Record)>,
    /// Time and account, rising.
    pub(crate) due: [Vec<(u64, u32)>; 2],
    /// By account.
    pub(crate) due_of: Vec<(u32, u64)>,
    /// By account: how many records were told of it.
    pub(crate) revisions: Vec<(u32, u32)>,
    /// By transaction.
    pub(crate) books: [Book; 2],
    /// By chain: confirmations that the issuer's wallet asks for.
    pub(crate) required: [Option<u32>; 2],
    /// By target.
    pub(crate) windows: BTreeMap<AccountId, Window>,
    /// By account.
    pub(crate) stays: BTreeMap<AccountId, Stay>,
    /// As [`crate::freeze::Dwell`] counts.
    pub(crate) cells: Vec<u64>,
}

/// A block that can be reverted or came after one, and what all was before it.
/// Whether it is final itself follows from [`Rest::finals`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) events: Vec<LedgerEvent>,
    /// The block of its chain before it.
    pub(crate) head: Option<Head>,
    pub(crate) sums: Sums,
    pub(crate) accounts: Vec<AccountWas>,
    pub(crate) lanes: Vec<LaneWas>,
    /// Lane, account of a service, and what had arrived there.
    pub(crate) arrivals: Vec<(u32, u32, Option<Arrival>)>,
    pub(crate) pending: Option<Vec<Pending>>,
    pub(crate) woken: Vec<u32>,
    pub(crate) desk: Vec<DeskChange>,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) ledgers: Vec<CaseLedger>,
}

/// What an account was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AccountWas {
    pub(crate) account: u32,
    pub(crate) holding: Holding,
    pub(crate) taints: Vec<Taint>,
    pub(crate) runs: Vec<(u32, Runs)>,
}

/// What a lane was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LaneWas {
    pub(crate) lane: u32,
    pub(crate) totals: CaseTotals,
    pub(crate) untold: Option<Turn>,
    pub(crate) nodes: u32,
    pub(crate) members: u32,
    pub(crate) reached: u32,
}

/// What a part of the desk was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum DeskChange {
    Record(u32, Option<Record>),
    DueOf(u32, Option<u64>),
    Due { chain: Chain, due: (u64, u32), was_there: bool },
    Proposal(Chain, ProposalKey, Option<Proposal>),
    Required(Chain, Option<u32>),
    Escape(u32, EscapesWere),
    Window(AccountId, Option<Window>),
    Stay(AccountId, Option<Stay>),
    Cell(u16, u64),
}
