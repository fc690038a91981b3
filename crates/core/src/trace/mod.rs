//! Tracing: what each change of the ledger does to the taint of each case, as
//! docs/semantics.md says it.
//!
//! A [`Tracer`] holds one [`Lane`] for each case and policy. Lanes never look
//! at each other, and a movement carries the balances around it, so a case
//! opened late is traced through the past by a tracer of its own, which is then
//! absorbed. What always holds: after each movement every lane is conserved;
//! an account without taints costs two look-ups and nothing else.

mod arrival;
mod lane;
mod lanes;
mod runs;
mod taints;
mod transfer;

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

pub use lane::CaseTotals;
pub(crate) use lane::{Arrival, Lane, LaneIx, Node, ROOT, Turn};
pub(crate) use runs::{Run, Runs};
pub(crate) use taints::{Book, Taint, TaintList, Taints};
use transfer::Leaving;
pub use transfer::Outcome;
pub(crate) use transfer::Parcel;

use lanes::Lanes;

use crate::movement::{AccountId, BlockMeta, Debit, Movement, NO_LOG_INDEX, TransferId};
use crate::{Amount, Attribution, Case, Chain, EngineConfig, Label, Policy, Rule, Source, TxHash};

/// Labels by account.
pub(crate) type Labels = HashMap<AccountId, Label, FixedState>;

/// What a movement showed, before it is told as an alert.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) lane: LaneIx,
    pub(crate) rule: Rule,
    pub(crate) subject: AccountId,
    pub(crate) counterparty: AccountId,
    pub(crate) transfer: TransferId,
    pub(crate) block: BlockMeta,
    pub(crate) amount: Amount,
    pub(crate) tainted: Amount,
    /// Units the subject holds afterwards, and tainted ones among them.
    pub(crate) balance: Amount,
    pub(crate) held: Amount,
    pub(crate) hops: u32,
    pub(crate) parent: u32,
    pub(crate) threshold: Option<Amount>,
    /// What each policy says, where several trace the case.
    pub(crate) attributions: Vec<Attribution>,
}

/// Why the freeze desk should look at an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    /// Became a source: what it holds is tainted, though nothing moved.
    Woken,
    Arrived,
    Left,
    Frozen,
    Released,
    Destroyed,
}

/// What a movement left for others to act on.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) findings: Vec<Finding>,
    pub(crate) touches: Vec<(AccountId, Touch)>,
    /// What arrivals at services were before, for the journal.
    pub(crate) arrivals: Vec<(LaneIx, AccountId, Option<Arrival>)>,
}

impl Notes {
    /// Has the desk look at an account; once for all cases of a movement.
    #[inline]
    fn touch(&mut self, account: AccountId, touch: Touch) {
        if self.touches.last() != Some(&(account, touch)) {
            self.touches.push((account, touch));
        }
    }
}

/// What tracing reads and never changes.
#[derive(Clone, Copy)]
pub(crate) struct World<'a> {
    pub(crate) config: &'a EngineConfig,
    pub(crate) labels: &'a Labels,
}

/// A wallet that becomes a source later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pending {
    pub(crate) since_block: u64,
    pub(crate) lane: LaneIx,
    pub(crate) account: AccountId,
}

/// A source transfer, as its case names it.
pub(crate) type SourceTransfer = (Chain, TxHash, u32);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Tracer {
    lanes: Lanes,
    pub(crate) taints: Taints,
    /// By chain, soonest last.
    pub(crate) pending: [Vec<Pending>; 2],
    source_transfers: HashMap<SourceTransfer, Vec<LaneIx>, FixedState>,
    /// Sources that became active and that nobody has looked at since.
    pub(crate) woken: Vec<AccountId>,
    parcels: Vec<Parcel>,
    stream: Vec<runs::Run>,
    /// Taints that the transfer in hand makes.
    fresh: Vec<Taint>,
}

impl Tracer {
    pub(crate) fn lane(&self, ix: LaneIx) -> &Lane {
        self.lanes.lane(ix)
    }

    pub(crate) fn lane_mut(&mut self, ix: LaneIx) -> &mut Lane {
        self.lanes.lane_mut(ix)
    }

    /// Whether recommendations rest on the lane: it is the first of its case.
    pub(crate) fn leads(&self, ix: LaneIx) -> bool {
        self.lanes.terms(ix).leads
    }

    /// What arrived of each lane at an account of a service, in the order of
    /// lanes.
    pub(crate) fn arrivals(&self, account: AccountId) -> impl Iterator<Item = (LaneIx, &Arrival)> {
        let arrived = self.lanes.arrived(account).iter();
        arrived.filter_map(move |ix| Some((*ix, self.lane(*ix).arrivals.get(&account)?)))
    }

    /// Puts back what had arrived of a lane there.
    pub(crate) fn restore_arrival(
        &mut self,
        ix: LaneIx,
        account: AccountId,
        before: Option<Arrival>,
    ) {
        self.lanes.set_arrival(ix, account, before);
    }

    pub(crate) fn is_open(&self, ix: LaneIx) -> bool {
        self.lanes.get(ix).is_some()
    }

    /// A tracer of these lanes, with all that they ever tainted.
    pub(crate) fn of(
        lanes: Vec<(LaneIx, Box<Lane>)>,
        taints: Taints,
        pending: [Vec<Pending>; 2],
        woken: Vec<AccountId>,
    ) -> Tracer {
        let mut tracer = Tracer { taints, pending, woken, ..Tracer::default() };
        for (ix, lane) in lanes {
            tracer.install(ix, lane);
        }
        tracer
    }

    /// Open lanes in the order in which they were opened.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = (LaneIx, &Lane)> {
        self.lanes.iter()
    }

    /// Ends a block: looks through the open lanes of which it changed the
    /// totals. `Some`: one of which the books do not balance.
    pub(crate) fn end_block(&mut self, block: &BlockMeta) -> Option<&Lane> {
        let ix = self.lanes.end_block(block)?;
        Some(self.lanes.lane(ix))
    }

    /// Forgets which lanes changed since the last block ended.
    pub(crate) fn forget_changes(&mut self) {
        self.lanes.forget_changes();
    }

    /// Sets what changed the totals of a lane and was not told.
    pub(crate) fn set_untold(&mut self, ix: LaneIx, turn: Option<Turn>) {
        self.lanes.set_untold(ix, turn);
    }

    /// The lanes of which a block of that chain changed the totals last and was
    /// not told, rising. Whoever asks tells them.
    pub(crate) fn take_untold(&mut self, chain: Chain) -> Vec<LaneIx> {
        self.lanes.take_untold(chain)
    }

    /// What the last movement carried, lane by lane.
    pub(crate) fn parcels(&self) -> &[Parcel] {
        &self.parcels
    }

    /// Begins to trace a case under one policy. `wallets` are its wallet
    /// sources, interned; all of them wait to be woken.
    pub(crate) fn open(
        &mut self,
        ix: LaneIx,
        case: &Arc<Case>,
        policy: Policy,
        siblings: &Arc<[LaneIx]>,
        wallets: &[AccountId],
    ) {
        self.install(ix, Box::new(Lane::new(Arc::clone(case), policy, Arc::clone(siblings))));
        let mut wallets = wallets.iter();
        for source in &case.sources {
            if let Source::Wallet { account: key, since_block } = *source {
                let account = *wallets.next().expect("one id for each wallet source");
                let pending = Pending { since_block, lane: ix, account };
                self.pending[key.chain.index()].push(pending);
            }
        }
        self.sort_pending();
    }

    /// Puts the lane into its slot and its source transfers into the index.
    fn install(&mut self, ix: LaneIx, lane: Box<Lane>) {
        for source in &lane.case.sources {
            if let Source::Transfer { chain, tx, log_index } = *source {
                let lanes = self.source_transfers.entry((chain, tx, log_index)).or_default();
                if let Err(at) = lanes.binary_search(&ix) {
                    lanes.insert(at, ix);
                }
            }
        }
        self.lanes.install(ix, lane);
    }

    fn sort_pending(&mut self) {
        for queue in &mut self.pending {
            queue.sort_unstable_by(|a, b| b.cmp(a));
        }
    }

    /// Stops tracing a lane and forgets all that it tainted.
    pub(crate) fn close(&mut self, ix: LaneIx, book: &impl Book) -> Option<Box<Lane>> {
        let lane = self.lanes.take(ix)?;
        for account in &lane.members {
            self.taints.remove(book, *account, ix);
        }
        for queue in &mut self.pending {
            queue.retain(|pending| pending.lane != ix);
        }
        for source in &lane.case.sources {
            if let Source::Transfer { chain, tx, log_index } = *source
                && let Some(lanes) = self.source_transfers.get_mut(&(chain, tx, log_index))
            {
                lanes.retain(|lane| *lane != ix);
                if lanes.is_empty() {
                    self.source_transfers.remove(&(chain, tx, log_index));
                }
            }
        }
        Some(lane)
    }

    /// Takes over all lanes that another tracer followed through the past.
    pub(crate) fn absorb(&mut self, mut past: Tracer, theirs: &impl Book, ours: &mut impl Book) {
        for (ix, lane) in past.lanes.take_all() {
            for account in &lane.members {
                if let Some(taint) = past.taints.get(theirs, *account, ix) {
                    self.taints.put(ours, *account, *taint);
                }
            }
            self.install(ix, lane);
        }
        for (queue, more) in self.pending.iter_mut().zip(past.pending) {
            queue.extend(more);
        }
        self.sort_pending();
        // Their chain may have no block yet, so that nobody looked at them.
        self.woken.extend(past.woken);
    }

    /// Every source transfer of an open lane, in order.
    pub(crate) fn source_transfers(&self) -> Vec<SourceTransfer> {
        let mut all: Vec<SourceTransfer> = self.source_transfers.keys().copied().collect();
        all.sort_unstable();
        all
    }

    /// The lanes of which that transfer is a source.
    #[inline]
    pub(crate) fn marked(&self, chain: Chain, tx: TxHash, log_index: u32) -> &[LaneIx] {
        if self.source_transfers.is_empty() || log_index == NO_LOG_INDEX {
            return &[];
        }
        self.source_transfers.get(&(chain, tx, log_index)).map_or(&[], Vec::as_slice)
    }

    /// Makes active the sources whose time has come with an event of block
    /// `number`. What they hold by now is told by [`settle`](Self::settle).
    pub(crate) fn wake(
        &mut self,
        chain: Chain,
        number: u64,
        book: &mut impl Book,
    ) -> Vec<AccountId> {
        let queue = &mut self.pending[chain.index()];
        let due = queue.partition_point(|pending| pending.since_block > number);
        let due: Vec<Pending> = queue.drain(due..).rev().collect();
        for Pending { lane: ix, account, .. } in &due {
            let (taint, new) = self.taints.entry(book, *account, *ix);
            taint.source = true;
            taint.whole = true;
            taint.hops = 0;
            taint.node = ROOT;
            let lane = self.lane_mut(*ix);
            lane.runs.remove(account);
            if new {
                lane.members.push(*account);
            }
        }
        let accounts: Vec<AccountId> = due.iter().map(|pending| pending.account).collect();
        self.woken.extend(&accounts);
        accounts
    }

    /// Taints whatever an active source holds beyond what is known of it.
    pub(crate) fn settle(&mut self, account: AccountId, balance: Amount, book: &impl Book) {
        let frozen = book.is_frozen(account);
        for taint in self.taints.of_mut(book, account).iter_mut().filter(|taint| taint.source) {
            let emitted = u128::from(balance - taint.units);
            if emitted > 0 {
                taint.units = balance;
                let totals = self.lanes.totals(taint.lane);
                totals.emitted += emitted;
                *totals.class(frozen) += emitted;
            }
        }
    }

    /// Applies one movement of a block; `marks`: the lanes of which it is a
    /// source.
    pub(crate) fn apply(
        &mut self,
        movement: &Movement,
        block: &BlockMeta,
        marks: &[LaneIx],
        book: &mut impl Book,
        world: World<'_>,
        notes: &mut Notes,
    ) {
        let now_ms = block.timestamp_ms;
        self.parcels.clear();
        match *movement {
            Movement::Transfer(ref transfer) => {
                self.transfer(transfer, block, marks, book, world, notes);
            }
            Movement::Issue { to, amount, .. } => {
                self.credit_clean(to, amount, now_ms, book, notes);
            }
            Movement::Redeem { from, amount, debit } => {
                self.remove(from, amount, debit, now_ms, book, |totals| &mut totals.redeemed);
                self.touch(from, Touch::Left, book, notes);
            }
            Movement::Destroy { account, amount, debit } => {
                self.remove(account, amount, debit, now_ms, book, |totals| &mut totals.destroyed);
                self.touch(account, Touch::Destroyed, book, notes);
            }
            Movement::Freeze { account } => {
                self.reclass(account, true, book);
                self.touch(account, Touch::Frozen, book, notes);
            }
            Movement::Release { account } => {
                self.reclass(account, false, book);
                self.touch(account, Touch::Released, book, notes);
            }
        }
    }

    fn touch(&self, account: AccountId, touch: Touch, book: &impl Book, notes: &mut Notes) {
        if !self.taints.of(book, account).is_empty() {
            notes.touch(account, touch);
        }
    }

    /// Credits clean units: tainted there and then where everything is.
    pub(crate) fn credit_clean(
        &mut self,
        account: AccountId,
        amount: Amount,
        now_ms: u64,
        book: &impl Book,
        notes: &mut Notes,
    ) {
        let frozen = book.is_frozen(account);
        for taint in self.taints.of_mut(book, account).iter_mut().filter(|taint| taint.whole) {
            transfer::credit_whole(taint, amount, 0, frozen, self.lanes.totals(taint.lane));
            taint.moved_ms = now_ms;
            notes.touch(account, Touch::Arrived);
        }
    }

    /// Debits units that leave circulation; tainted ones go to `bucket`.
    fn remove(
        &mut self,
        account: AccountId,
        amount: Amount,
        debit: Debit,
        now_ms: u64,
        book: &impl Book,
        bucket: fn(&mut CaseTotals) -> &mut u128,
    ) {
        let frozen = book.is_frozen(account);
        let leaving = Leaving::of(account, debit, amount, frozen);
        for taint in self.taints.of_mut(book, account) {
            self.stream.clear();
            let moved = transfer::take(taint, &mut self.lanes, &leaving, &mut self.stream);
            if moved > 0 {
                taint.moved_ms = now_ms;
                let totals = self.lanes.totals(taint.lane);
                *totals.class(frozen) -= u128::from(moved);
                *bucket(totals) += u128::from(moved);
            }
        }
    }

    /// The account was frozen, or released.
    fn reclass(&mut self, account: AccountId, frozen: bool, book: &impl Book) {
        for taint in self.taints.of(book, account) {
            let totals = self.lanes.totals(taint.lane);
            *totals.class(!frozen) -= u128::from(taint.units);
            *totals.class(frozen) += u128::from(taint.units);
        }
    }
}
