//! What every value was before each block that can still be reverted.
//!
//! Rounding loses, so the past cannot be computed backwards: the value before
//! a change is kept and put back. What always holds: entries lie in the order
//! in which blocks applied, those of both chains mixed; the oldest go once they
//! are final.

use std::collections::VecDeque;

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use crate::freeze::DeskChange;
use crate::ledger::{Holding, LedgerStats};
use crate::movement::{AccountId, BlockIx, BlockMeta};
use crate::trace::{Arrival, CaseTotals, LaneIx, Pending, Runs, TaintList, Turn};
use crate::{Alert, AlertId, Block, CaseLedger, Chain};

/// What an account was.
#[derive(Clone, Debug)]
pub(crate) struct AccountWas {
    pub(crate) account: AccountId,
    pub(crate) holding: Holding,
    pub(crate) taints: TaintList,
    /// Where tainted units lay, by lane; for ordered policies alone.
    pub(crate) runs: Vec<(LaneIx, Runs)>,
}

/// What a lane was.
#[derive(Clone, Debug)]
pub(crate) struct LaneWas {
    pub(crate) lane: LaneIx,
    pub(crate) totals: CaseTotals,
    pub(crate) untold: Option<Turn>,
    pub(crate) nodes: usize,
    pub(crate) members: usize,
    pub(crate) reached: usize,
}

/// One block, and all that it changed.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) block: Block,
    pub(crate) ix: BlockIx,
    pub(crate) is_final: bool,
    pub(crate) head: Option<BlockMeta>,
    pub(crate) stats: LedgerStats,
    pub(crate) opening_units: u128,
    pub(crate) accounts: Vec<AccountWas>,
    pub(crate) lanes: Vec<LaneWas>,
    pub(crate) arrivals: Vec<(LaneIx, AccountId, Option<Arrival>)>,
    pub(crate) pending: Option<Vec<Pending>>,
    pub(crate) woken: Vec<AccountId>,
    /// In the order in which they happened.
    pub(crate) desk: Vec<DeskChange>,
    /// Alerts told of this block, as they were told last.
    pub(crate) alerts: Vec<Alert>,
    /// Books of cases to be told once the block is final.
    pub(crate) ledgers: Vec<CaseLedger>,
    noted: HashSet<AccountId, FixedState>,
    noted_lanes: HashSet<LaneIx, FixedState>,
}

impl Entry {
    pub(crate) fn new(
        block: Block,
        ix: BlockIx,
        is_final: bool,
        head: Option<BlockMeta>,
        (stats, opening_units): (LedgerStats, u128),
        woken: Vec<AccountId>,
    ) -> Entry {
        Entry {
            block,
            ix,
            is_final,
            head,
            stats,
            opening_units,
            accounts: Vec::new(),
            lanes: Vec::new(),
            arrivals: Vec::new(),
            pending: None,
            woken,
            desk: Vec::new(),
            alerts: Vec::new(),
            ledgers: Vec::new(),
            noted: HashSet::default(),
            noted_lanes: HashSet::default(),
        }
    }

    /// Whether this block changes the account for the first time.
    pub(crate) fn is_new(&mut self, account: AccountId) -> bool {
        self.noted.insert(account)
    }

    /// Whether this block changes the lane for the first time.
    pub(crate) fn is_new_lane(&mut self, lane: LaneIx) -> bool {
        self.noted_lanes.insert(lane)
    }

    /// Ends the block: nothing more is noted of accounts and lanes.
    pub(crate) fn close(&mut self) {
        self.noted = HashSet::default();
        self.noted_lanes = HashSet::default();
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
}

impl Journal {
    pub(crate) fn of(entries: VecDeque<Entry>) -> Journal {
        Journal { entries }
    }

    /// All entries, the oldest first.
    pub(crate) fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        self.entries.push_back(entry);
    }

    pub(crate) fn newest(&mut self) -> Option<&mut Entry> {
        self.entries.back_mut()
    }

    /// The first block that can still be reverted.
    pub(crate) fn first(&self) -> Option<BlockIx> {
        self.entries.front().map(|entry| entry.ix)
    }

    /// The entry of a block, if it can still be reverted.
    pub(crate) fn entry(&mut self, chain: Chain, number: u64) -> Option<&mut Entry> {
        let this = |entry: &&mut Entry| entry.block.chain == chain && entry.block.number == number;
        self.entries.iter_mut().rev().find(this)
    }

    /// The rank of the first block of the chain from `number` on.
    pub(crate) fn first_from(&self, chain: Chain, number: u64) -> Option<BlockIx> {
        let from = |entry: &&Entry| entry.block.chain == chain && entry.block.number >= number;
        self.entries.iter().find(from).map(|entry| entry.ix)
    }

    /// Takes off the newest entry, if its block is `from` or later.
    pub(crate) fn pop(&mut self, from: BlockIx) -> Option<Entry> {
        self.entries.back().filter(|entry| entry.ix >= from)?;
        self.entries.pop_back()
    }

    /// Marks blocks of the chain up to `number` as final, and hands over their
    /// alerts and the books that waited for them. Entries go once no earlier one
    /// can be reverted.
    pub(crate) fn finalize(&mut self, chain: Chain, number: u64) -> (Vec<Alert>, Vec<CaseLedger>) {
        let (mut alerts, mut ledgers) = (Vec::new(), Vec::new());
        for entry in &mut self.entries {
            if entry.block.chain == chain && entry.block.number <= number {
                entry.is_final = true;
                alerts.append(&mut entry.alerts);
                ledgers.append(&mut entry.ledgers);
            }
        }
        while self.entries.front().is_some_and(|entry| entry.is_final) {
            self.entries.pop_front();
        }
        (alerts, ledgers)
    }

    /// Forgets the books of a case that wait to be told.
    pub(crate) fn drop_ledgers(&mut self, case: &str) {
        for entry in &mut self.entries {
            entry.ledgers.retain(|ledger| ledger.case != case);
        }
    }

    /// Takes out the alerts of a case that are provisional.
    pub(crate) fn take_alerts(&mut self, case: &str) -> Vec<Alert> {
        let of_case = |alert: &mut Alert| alert.case == case;
        self.entries.iter_mut().flat_map(|entry| entry.alerts.extract_if(.., of_case)).collect()
    }

    /// Provisional alerts of all blocks.
    pub(crate) fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.entries.iter().flat_map(|entry| &entry.alerts)
    }

    /// Their ids.
    pub(crate) fn alert_ids(&self) -> impl Iterator<Item = AlertId> + '_ {
        self.alerts().map(|alert| alert.id)
    }
}
