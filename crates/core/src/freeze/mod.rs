//! The freeze desk: which accounts to freeze, and how each recommendation
//! fares.
//!
//! Tainted units have come to rest when none has entered or left the account
//! for `freeze_rest_ms` of block time. An account whose tainted units for some
//! case are then at least `freeze_min_units` is recommended: to the issuer if
//! it is private, and for a service, as soon as the units arrive, to the
//! service's compliance desk. A submission to the issuer's multisig wallet
//! opens a freeze window, of whatever account: until it is frozen all that it
//! sends is followed. What always holds: at most one record for an account and
//! block; a record is the whole state as of its block; what changes little is
//! told again once in `freeze_update_ms`.

mod ages;
mod claim;
mod dwell;
mod follow;
mod life;
mod multisig;
mod observe;
mod rank;
mod record;
mod told;
mod touched;
mod window;

use std::collections::{BTreeMap, BTreeSet};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::alert::Sight;
use crate::effect::{Actor, FreezeRecommendation, FreezeStatus};
use crate::history::HistoryError;
use crate::movement::{AccountId, BlockMeta};
use crate::trace::{Touch, World};
use crate::{Amount, Chain, MultisigAction, TxHash};
use claim::{Hold, holds, stake};
use dwell::Tables;
use life::Look;
use observe::Sighting;

pub(crate) use dwell::{CELLS, Dwell, Stay};
pub use dwell::{Calibration, Chance, WalletKind};
pub use multisig::required as confirmations_required;
pub(crate) use multisig::{Book, Proposal, ProposalKey};
pub use rank::{DeskTotals, FreezeRank, Worth, ranked, smallest_set};
pub(crate) use record::{Known, Record};
pub(crate) use told::EscapesWere;
pub use told::{Escape, Escapes, NextAddress, Progress, Submission, SubmittedCall};
pub(crate) use window::Window;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct FreezeDesk {
    pub(crate) records: HashMap<AccountId, Record, FixedState>,
    /// By chain: when which account will have rested long enough.
    pub(crate) due: [BTreeSet<(u64, AccountId)>; 2],
    /// The entry of `due` that counts for an account.
    pub(crate) due_of: HashMap<AccountId, u64, FixedState>,
    /// How many records were told of an account, also on blocks that are
    /// reverted.
    pub(crate) revisions: HashMap<AccountId, u32, FixedState>,
    /// By chain: what the issuer's owners submitted.
    pub(crate) books: [Book; 2],
    /// By chain: how many confirmations the issuer's wallet asks for, once it
    /// has said so.
    pub(crate) required: [Option<u32>; 2],
    /// By target.
    pub(crate) windows: BTreeMap<AccountId, Window>,
    /// How long units stay where they are.
    pub(crate) dwell: Dwell,
    /// That as of the block in hand, where it was asked for.
    tables: Option<Tables>,
    /// Accounts of the block in hand to look at, whether or not tainted units
    /// moved there.
    stirred: BTreeMap<AccountId, Stir>,
    /// What was before each change since the journal asked last.
    changes: Vec<DeskChange>,
}

/// What a part of the desk was before it changed.
#[derive(Clone, Debug)]
pub(crate) enum DeskChange {
    Record(AccountId, Option<Record>),
    DueOf(AccountId, Option<u64>),
    Due {
        chain: Chain,
        due: (u64, AccountId),
        was_there: bool,
    },
    Proposal(Chain, ProposalKey, Option<Proposal>),
    Required(Chain, Option<u32>),
    /// A transfer out of a recommended account was noted.
    Escape(AccountId, EscapesWere),
    Window(AccountId, Option<Window>),
    Stay(AccountId, Option<Stay>),
    /// One of the counts of [`Dwell`].
    Cell(u16, u64),
}

impl DeskChange {
    /// The account of which something else was told, if so.
    pub(crate) fn account(&self) -> Option<AccountId> {
        match self {
            DeskChange::Record(account, _)
            | DeskChange::Escape(account, _)
            | DeskChange::Window(account, _) => Some(*account),
            DeskChange::DueOf(..)
            | DeskChange::Due { .. }
            | DeskChange::Proposal(..)
            | DeskChange::Required(..)
            | DeskChange::Stay(..)
            | DeskChange::Cell(..) => None,
        }
    }
}

/// What happened to an account in the block in hand.
#[derive(Clone, Copy, Debug, Default)]
struct Stir {
    /// Units left in its freeze window, or moved on.
    escaped: bool,
    /// Its funds were burnt.
    burnt: bool,
}

impl FreezeDesk {
    /// Looks at every account that the block touched, and at those whose rest
    /// is over by its time.
    pub(crate) fn end_block(
        &mut self,
        block: &BlockMeta,
        touches: &[(AccountId, Touch)],
        sight: &mut Sight<'_>,
        out: &mut Vec<FreezeRecommendation>,
    ) -> Result<(), HistoryError> {
        self.expire(block, sight);
        self.judge(block);
        for (account, touched) in self.touched(touches, sight) {
            self.look(account, touched, block, sight, out)?;
        }
        let mut rested = self.rested(block);
        rested.sort_unstable_by_key(|(due, account)| (*due, sight.accounts.key(*account)));
        for (_, account) in rested {
            // What is known already waited to be told.
            let known = self.records.get(&account).filter(|record| record.can_wait());
            self.look(account, known.map(|_| false), block, sight, out)?;
        }
        self.close(block, sight);
        Ok(())
    }

    /// Closes windows that were open for too long; their accounts are looked at.
    fn expire(&mut self, block: &BlockMeta, sight: &Sight<'_>) {
        let is_over = |(account, window): &(&AccountId, &Window)| {
            sight.accounts.key(**account).chain == block.chain && window.is_over(block.timestamp_ms)
        };
        let over: Vec<AccountId> =
            self.windows.iter().filter(is_over).map(|(account, _)| *account).collect();
        for account in over {
            self.set_window(account, None);
            self.stirred.entry(account).or_default();
        }
    }

    /// Forgets submissions that are over, and closes windows: of accounts that
    /// are frozen, and of freezes that are not pending any more.
    fn close(&mut self, block: &BlockMeta, sight: &Sight<'_>) {
        self.stirred.clear();
        self.tables = None;
        let chain = block.chain;
        for key in multisig::over(&self.books[chain.index()], block.timestamp_ms) {
            self.set_proposal(chain, key, None);
        }
        let book = &self.books[chain.index()];
        let is_over = |(account, _): &(&AccountId, &Window)| {
            sight.accounts.key(**account).chain == chain
                && (sight.ledger.holding(**account).frozen
                    || !book.values().any(|proposal| proposal.awaits(**account)))
        };
        let over: Vec<AccountId> =
            self.windows.iter().filter(is_over).map(|(account, _)| *account).collect();
        for account in over {
            self.set_window(account, None);
        }
    }

    /// A step of the issuer's multisig wallet; `call`: that of a submission,
    /// with its account.
    pub(crate) fn step(
        &mut self,
        tx: TxHash,
        step: MultisigAction,
        call: Option<(SubmittedCall, AccountId)>,
        block: &BlockMeta,
        sight: &Sight<'_>,
    ) {
        if let MultisigAction::RequirementChange { required } = step {
            let required = u32::try_from(required).unwrap_or(u32::MAX);
            let before = self.required[block.chain.index()].replace(required);
            self.changes.push(DeskChange::Required(block.chain, before));
            return;
        }
        let book = &self.books[block.chain.index()];
        let Some((key, proposal)) = multisig::after_step(book, tx, step, call, block) else {
            return;
        };
        let about = proposal.call;
        self.set_proposal(block.chain, key, Some(proposal));
        let Some((about, account)) = about else { return };
        let reserved = sight.accounts.key(account).address.is_reserved();
        if reserved || is_service(account, sight.world) {
            return;
        }
        let is_known = self.records.get(&account).is_some_and(Record::is_open);
        let opens = about == SubmittedCall::Freeze && call.is_some();
        if opens && !sight.ledger.holding(account).frozen {
            if !self.windows.contains_key(&account) {
                self.set_window(account, Some(Window::new(block)));
            }
            if !is_known {
                let record = Record {
                    status: FreezeStatus::Submitted,
                    raised_ms: block.timestamp_ms,
                    told_ms: block.timestamp_ms,
                    actor: actor(account, sight.world),
                    claimed: Vec::new(),
                    progress: Progress::default(),
                };
                self.set_record(account, Some(record));
            }
        }
        if self.records.contains_key(&account) {
            self.stirred.entry(account).or_default();
        }
    }

    /// Takes out the accounts whose rest is over by the block's time.
    fn rested(&mut self, block: &BlockMeta) -> Vec<(u64, AccountId)> {
        let mut rested = Vec::new();
        let chain = block.chain.index();
        while let Some(due) = self.due[chain].first().copied() {
            if due.0 > block.timestamp_ms {
                break;
            }
            self.due[chain].pop_first();
            self.changes.push(DeskChange::Due { chain: block.chain, due, was_there: true });
            if self.due_of.get(&due.1) == Some(&due.0) {
                self.set_due_of(due.1, None);
                rested.push(due);
            }
        }
        rested
    }

    /// Looks at accounts whose claims changed without a transfer: a case or a
    /// label came, changed or went. `block` is the head of their chain.
    pub(crate) fn review(
        &mut self,
        account: AccountId,
        block: &BlockMeta,
        sight: &mut Sight<'_>,
        out: &mut Vec<FreezeRecommendation>,
    ) -> Result<(), HistoryError> {
        let looked = self.look(account, None, block, sight, out);
        self.tables = None;
        looked
    }

    /// What changed since last asked.
    pub(crate) fn take_changes(&mut self) -> Vec<DeskChange> {
        std::mem::take(&mut self.changes)
    }

    /// Puts back what was; the newest change comes first.
    pub(crate) fn undo(&mut self, change: DeskChange) {
        match change {
            DeskChange::Record(account, Some(record)) => {
                self.records.insert(account, record);
            }
            DeskChange::Record(account, None) => {
                self.records.remove(&account);
            }
            DeskChange::DueOf(account, Some(due)) => {
                self.due_of.insert(account, due);
            }
            DeskChange::DueOf(account, None) => {
                self.due_of.remove(&account);
            }
            DeskChange::Due { chain, due, was_there: true } => {
                self.due[chain.index()].insert(due);
            }
            DeskChange::Due { chain, due, was_there: false } => {
                self.due[chain.index()].remove(&due);
            }
            DeskChange::Proposal(chain, key, Some(proposal)) => {
                self.books[chain.index()].insert(key, proposal);
            }
            DeskChange::Proposal(chain, key, None) => {
                self.books[chain.index()].remove(&key);
            }
            DeskChange::Required(chain, before) => self.required[chain.index()] = before,
            DeskChange::Escape(account, before) => {
                if let Some(record) = self.records.get_mut(&account) {
                    record.progress.escaped.take_back(before);
                }
            }
            DeskChange::Window(account, Some(window)) => {
                self.windows.insert(account, window);
            }
            DeskChange::Window(account, None) => {
                self.windows.remove(&account);
            }
            DeskChange::Stay(account, stay) => {
                self.dwell.put(account, stay);
            }
            DeskChange::Cell(at, before) => self.dwell.cells[usize::from(at)] = before,
        }
    }

    /// `touched`: something happened to the account in this block; `true`: its
    /// funds were burnt.
    fn look(
        &mut self,
        account: AccountId,
        touched: Option<bool>,
        block: &BlockMeta,
        sight: &mut Sight<'_>,
        out: &mut Vec<FreezeRecommendation>,
    ) -> Result<(), HistoryError> {
        if self.passes_over(account, sight) {
            return Ok(());
        }
        let service = is_service(account, sight.world);
        let stake = stake(account, service, sight.tracer, sight.ledger);
        let least = sight.world.config.freeze_min_units;
        let enough = stake.units >= least && stake.units > 0;
        let holding = sight.ledger.holding(account);
        let (frozen, balance) = (holding.frozen, holding.balance);
        let watched = self.windows.contains_key(&account);
        if !service || self.dwell.stays.contains_key(&account) {
            let holds_some = enough && !frozen && !service;
            let seen = Sighting { holds: holds_some, moved: touched == Some(false) && !frozen };
            self.observe(account, &stake, seen, block, sight.world);
        }
        let record = self.records.get(&account);
        let status = match record.filter(|record| record.is_open() || watched) {
            Some(record) => {
                let submission = self.submission(account, block.chain).filter(|_| watched);
                let look = Look {
                    moved: touched,
                    frozen,
                    enough,
                    unclaimed: stake.units == 0,
                    told: touched.is_none() && record.tells(account, service, sight),
                    drained: balance < least.max(1),
                    pending: submission.as_ref().map(life::pending_status),
                };
                life::next_status(record, &look)
            }
            None if !enough || frozen => None,
            None if service => Some(FreezeStatus::Raised),
            None => self.rest(account, stake.stirred_ms, block, sight.world),
        };
        let Some(status) = status else { return Ok(()) };
        let is_update = status == FreezeStatus::Updated && touched.is_some() && !watched;
        if !(is_update && self.waits(account, stake.units, block, sight.world)) {
            let holds = holds(account, service, sight.tracer, sight.ledger);
            out.push(self.record(account, status, &holds, block, sight)?);
        }
        Ok(())
    }

    /// Whether an update waits: the greatest claim has changed by less than a
    /// tenth, and the account was told of a moment ago.
    fn waits(
        &mut self,
        account: AccountId,
        most: Amount,
        block: &BlockMeta,
        world: World<'_>,
    ) -> bool {
        let Some(record) = self.records.get(&account).filter(|record| record.can_wait()) else {
            return false;
        };
        let told = record.claimed.iter().map(|(_, units)| *units).max().unwrap_or(0);
        let due_ms = record.told_ms.saturating_add(world.config.freeze_update_ms);
        if most.abs_diff(told) >= told.div_ceil(10) || due_ms <= block.timestamp_ms {
            return false;
        }
        if self.due_of.get(&account) != Some(&due_ms) {
            self.wait_until(due_ms, account, block);
        }
        true
    }

    /// Has the account looked at once that time has come.
    fn wait_until(&mut self, due_ms: u64, account: AccountId, block: &BlockMeta) {
        self.set_due_of(account, Some(due_ms));
        let due = (due_ms, account);
        if self.due[block.chain.index()].insert(due) {
            self.changes.push(DeskChange::Due { chain: block.chain, due, was_there: false });
        }
    }

    /// What was submitted last about the account and is not forgotten.
    fn submission(&self, account: AccountId, chain: Chain) -> Option<Submission> {
        let required = self.required[chain.index()].unwrap_or(multisig::required(chain));
        multisig::about(&self.books[chain.index()], account, required)
    }

    /// `Raised` if the units have rested long enough; else notes when they
    /// will have.
    fn rest(
        &mut self,
        account: AccountId,
        moved_ms: u64,
        block: &BlockMeta,
        world: World<'_>,
    ) -> Option<FreezeStatus> {
        let due_ms = moved_ms.saturating_add(world.config.freeze_rest_ms);
        if due_ms <= block.timestamp_ms {
            return Some(FreezeStatus::Raised);
        }
        self.wait_until(due_ms, account, block);
        None
    }

    fn set_due_of(&mut self, account: AccountId, due: Option<u64>) {
        let before = match due {
            Some(due) => self.due_of.insert(account, due),
            None => self.due_of.remove(&account),
        };
        self.changes.push(DeskChange::DueOf(account, before));
    }

    fn set_record(&mut self, account: AccountId, record: Option<Record>) {
        let before = match record {
            Some(record) => self.records.insert(account, record),
            None => self.records.remove(&account),
        };
        self.changes.push(DeskChange::Record(account, before));
    }

    fn set_proposal(&mut self, chain: Chain, key: ProposalKey, proposal: Option<Proposal>) {
        let book = &mut self.books[chain.index()];
        let before = match proposal {
            Some(proposal) => book.insert(key, proposal),
            None => book.remove(&key),
        };
        self.changes.push(DeskChange::Proposal(chain, key, before));
    }

    fn set_window(&mut self, account: AccountId, window: Option<Window>) {
        let before = match window {
            Some(window) => self.windows.insert(account, window),
            None => self.windows.remove(&account),
        };
        self.changes.push(DeskChange::Window(account, before));
    }
}

fn is_service(account: AccountId, world: World<'_>) -> bool {
    world.labels.get(&account).is_some_and(|label| label.stop)
}

fn actor(account: AccountId, world: World<'_>) -> Actor {
    Actor::of(world.labels.get(&account))
}
