//! One change of the ledger by dense ids, with the balances around it.
//!
//! What a policy moves for a case depends on these balances and on that case
//! alone. So a movement read back from the past can be traced without its
//! neighbours, and only those that touch a case's accounts need be read.

use serde::{Deserialize, Serialize};

use crate::{Amount, BlockHash, Chain, TransferRef, TxHash};

/// Dense id of an account: its rank in order of first sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct AccountId(pub(crate) u32);

impl AccountId {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Dense id of a transfer: its rank in the order of application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TransferId(pub(crate) u32);

/// Rank of a block among all blocks applied, of whatever chain.
pub(crate) type BlockIx = u32;

pub(crate) const DAY_MS: u64 = 86_400_000;

/// The index of a log whose source does not number logs.
pub(crate) const NO_LOG_INDEX: u32 = u32::MAX;

/// A block that was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockMeta {
    pub(crate) chain: Chain,
    pub(crate) number: u64,
    pub(crate) hash: Option<BlockHash>,
    pub(crate) timestamp_ms: u64,
    /// Whether it held an event of the ledger, so that sources become active.
    pub(crate) has_events: bool,
}

impl BlockMeta {
    /// The UTC day of its time, counted from that of 1970-01-01 on.
    pub(crate) const fn day(&self) -> u64 {
        self.timestamp_ms / DAY_MS
    }
}

/// What a debit met: the account's balance just before it, and what had to be
/// added to cover it because the history before our first event is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Debit {
    /// With the missing units.
    pub(crate) before: Amount,
    /// Then the debit empties the account.
    pub(crate) missing: Amount,
}

/// A transfer of a positive amount between two accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transfer {
    pub(crate) id: TransferId,
    pub(crate) from: AccountId,
    pub(crate) to: AccountId,
    pub(crate) amount: Amount,
    pub(crate) debit: Debit,
    /// What the receiver held before the credit.
    pub(crate) to_before: Amount,
}

/// One change of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Movement {
    Transfer(Transfer),
    Issue { to: AccountId, amount: Amount, before: Amount },
    Redeem { from: AccountId, amount: Amount, debit: Debit },
    Destroy { account: AccountId, amount: Amount, debit: Debit },
    Freeze { account: AccountId },
    Release { account: AccountId },
}

impl Movement {
    /// The accounts that it concerns.
    pub(crate) fn accounts(&self) -> (AccountId, Option<AccountId>) {
        match *self {
            Movement::Transfer(Transfer { from, to, .. }) => (from, Some(to)),
            Movement::Issue { to: account, .. }
            | Movement::Redeem { from: account, .. }
            | Movement::Destroy { account, .. }
            | Movement::Freeze { account }
            | Movement::Release { account } => (account, None),
        }
    }
}

/// What identifies a transfer and its place, besides accounts and amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) tx: TxHash,
    pub(crate) log_index: u32,
    pub(crate) position: u32,
}

impl Mark {
    /// How alerts name the transfer.
    pub(crate) const fn place(&self) -> TransferRef {
        TransferRef { tx: self.tx, position: self.position }
    }
}
