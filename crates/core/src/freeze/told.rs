//! What a recommendation says of its life, beside who claims what.

use serde::{Deserialize, Serialize};

use crate::{Address, Amount, TransferRef, TxHash};

/// How a recommendation has fared so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The most that one case claimed while it was open, base units.
    pub recommended: Amount,
    /// Block time at which tainted units that are there arrived first, Unix
    /// milliseconds. None: of a source that held them, or where none are.
    pub arrived_ms: Option<u64>,
    /// What the issuer's owners submitted last about the account.
    pub submission: Option<Submission>,
    /// Since when the account is frozen, Unix milliseconds.
    pub frozen_ms: Option<u64>,
    /// The greatest claim on what the freeze caught, base units.
    pub caught: Amount,
    /// What left the account since the recommendation was raised.
    pub escaped: Escapes,
}

/// A call that was submitted to the issuer's multisig wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// What is to be done.
    pub call: SubmittedCall,
    /// The multisig's own number for it, where its log was read.
    pub id: Option<u64>,
    /// The transaction that submitted it.
    pub tx: TxHash,
    /// Its block.
    pub block: u64,
    /// The time of that block, Unix milliseconds.
    pub timestamp_ms: u64,
    /// Owners who have confirmed it and not taken that back.
    pub confirmations: u32,
    /// As many must.
    pub required: u32,
    /// Whether it was carried out and failed. It can be tried again.
    pub failed: bool,
}

/// What a submission asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SubmittedCall {
    /// `addBlackList`.
    Freeze,
    /// `removeBlackList`.
    Release,
    /// `destroyBlackFunds`.
    Destroy,
}

impl SubmittedCall {
    /// Every call.
    pub const ALL: [SubmittedCall; 3] =
        [SubmittedCall::Freeze, SubmittedCall::Release, SubmittedCall::Destroy];

    /// The name used in records.
    pub const fn name(self) -> &'static str {
        match self {
            SubmittedCall::Freeze => "freeze",
            SubmittedCall::Release => "release",
            SubmittedCall::Destroy => "destroy",
        }
    }
}

/// Units that left an account while it was recommended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escapes {
    /// All units that left in transfers that carried tainted ones, or while a
    /// submission was pending.
    pub units: Amount,
    /// The greatest claim on what each of them moved, in sum.
    pub tainted: Amount,
    /// The newest of these transfers, oldest first; at most
    /// [`Escapes::NEWEST_MAX`].
    pub newest: Vec<Escape>,
    /// Older ones that are in the sums alone.
    pub omitted: u32,
}

impl Escapes {
    /// So many transfers are told one by one.
    pub const NEWEST_MAX: usize = 32;

    /// Adds a transfer, and tells what was before.
    pub(super) fn push(&mut self, escape: Escape) -> EscapesWere {
        let Escapes { units, tainted, omitted, .. } = *self;
        self.units = units.saturating_add(escape.units);
        self.tainted = tainted.saturating_add(escape.tainted);
        self.newest.push(escape);
        let mut dropped = None;
        if self.newest.len() > Escapes::NEWEST_MAX {
            dropped = Some(self.newest.remove(0));
            self.omitted = omitted.saturating_add(1);
        }
        EscapesWere { units, tainted, omitted, dropped }
    }

    /// Undoes the newest [`Self::push`].
    pub(super) fn take_back(&mut self, before: EscapesWere) {
        self.newest.pop();
        if let Some(dropped) = before.dropped {
            self.newest.insert(0, dropped);
        }
        (self.units, self.tainted) = (before.units, before.tainted);
        self.omitted = before.omitted;
    }
}

/// What [`Escapes`] were before a transfer was added, that transfer aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EscapesWere {
    units: Amount,
    tainted: Amount,
    omitted: u32,
    /// The one that had to go.
    dropped: Option<Escape>,
}

/// One transfer out of a recommended account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escape {
    /// Who received it.
    pub to: Address,
    /// The transfer.
    pub transfer: TransferRef,
    /// Its block.
    pub block: u64,
    /// The time of that block, Unix milliseconds.
    pub timestamp_ms: u64,
    /// Units moved.
    pub units: Amount,
    /// The greatest claim on them.
    pub tainted: Amount,
}

/// Where units that left in a freeze window are now: the next address to
/// freeze.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextAddress {
    /// The account that holds them.
    pub address: Address,
    /// How many, base units.
    pub units: Amount,
    /// Transfers from the target to here.
    pub hops: u32,
    /// When they arrived last, Unix milliseconds.
    pub since_ms: u64,
    /// Whether the account is frozen already.
    pub frozen: bool,
    /// Who can act there.
    pub actor: crate::Actor,
}
