//! Tracing: what each change of the ledger does to the taint of each case, as
//! docs/semantics.md says it.
//!
//! A [`Tracer`] holds one [`Lane`] for each case over one [`Book`]. Lanes never
//! look at each other, so a case opened late is traced through the past by a
//! tracer of its own and then absorbed. What always holds: after each movement
//! every lane is conserved.

mod transfer;

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};

use crate::graph::{AccountId, TransferGraph, TransferId};
use crate::history::{BlockIx, History, Movement};
use crate::ledger::{Book, CaseTotals, Holding, LaneIx};
use crate::{AlertId, Amount, Case, Chain, EngineConfig, Label, Policy, Rule, Source, TxHash};

/// The parent of a path's first transfer.
pub(crate) const ROOT: u32 = u32::MAX;

/// One transfer of a path, with the path that led to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) transfer: TransferId,
    pub(crate) parent: u32,
    pub(crate) tainted: Amount,
}

/// Tainted units that reached one account of a service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) units: Amount,
    pub(crate) hops: u32,
    pub(crate) node: u32,
}

/// One case being traced.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) case: Arc<Case>,
    pub(crate) policy: Policy,
    pub(crate) totals: CaseTotals,
    pub(crate) nodes: Vec<Node>,
    /// Accounts that ever had a taint entry, in order of first touch.
    pub(crate) members: Vec<AccountId>,
    /// Accounts of services that tainted units reached, in order of first touch.
    pub(crate) reached: Vec<AccountId>,
    pub(crate) arrivals: HashMap<AccountId, Arrival, FixedState>,
    pub(crate) raised: HashSet<AlertId, FixedState>,
}

/// What a movement showed, before it is told as an alert.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finding {
    pub(crate) lane: LaneIx,
    pub(crate) rule: Rule,
    pub(crate) subject: AccountId,
    pub(crate) transfer: TransferId,
    pub(crate) tainted: Amount,
    pub(crate) hops: u32,
    pub(crate) parent: u32,
    pub(crate) threshold: Option<Amount>,
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
}

/// What tracing reads and never changes.
#[derive(Clone, Copy)]
pub(crate) struct World<'a> {
    pub(crate) config: &'a EngineConfig,
    pub(crate) graph: &'a TransferGraph,
    pub(crate) history: &'a History,
    pub(crate) labels: &'a HashMap<AccountId, Label, FixedState>,
}

/// Tainted units of one case on their way.
#[derive(Clone, Copy, Debug)]
struct Parcel {
    lane: LaneIx,
    units: Amount,
    hops: u32,
    parent: u32,
}

/// A transfer being applied.
#[derive(Clone, Copy)]
struct Transit {
    id: TransferId,
    from: AccountId,
    to: AccountId,
    amount: Amount,
    now_ms: u64,
}

/// A wallet that becomes a source later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pending {
    since_block: u64,
    lane: LaneIx,
    account: AccountId,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Tracer {
    pub(crate) book: Book,
    lanes: Vec<Option<Lane>>,
    /// By chain, soonest last.
    pending: [Vec<Pending>; 2],
    source_transfers: HashMap<(Chain, TxHash, u32), Vec<LaneIx>, FixedState>,
    parcels: Vec<Parcel>,
    /// Sources that became active and that nobody has looked at since.
    woken: Vec<AccountId>,
    pub(crate) opening_units: u128,
}

impl Tracer {
    pub(crate) fn lane(&self, ix: LaneIx) -> &Lane {
        self.lanes[ix as usize].as_ref().expect("taints name open lanes only")
    }

    pub(crate) fn lane_mut(&mut self, ix: LaneIx) -> &mut Lane {
        self.lanes[ix as usize].as_mut().expect("taints name open lanes only")
    }

    /// Open lanes in the order of their slots.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = (LaneIx, &Lane)> {
        (0..).zip(&self.lanes).filter_map(|(ix, lane)| Some((ix, lane.as_ref()?)))
    }

    /// The lowest slot without a lane.
    pub(crate) fn free_slot(&self) -> LaneIx {
        let at = self.lanes.iter().position(Option::is_none).unwrap_or(self.lanes.len());
        LaneIx::try_from(at).expect("fewer than 2^32 cases")
    }

    /// Begins to trace a case. `accounts` are its wallet sources, interned.
    pub(crate) fn open(
        &mut self,
        ix: LaneIx,
        case: Arc<Case>,
        policy: Policy,
        accounts: &[AccountId],
    ) {
        self.install(
            ix,
            Lane {
                case: Arc::clone(&case),
                policy,
                totals: CaseTotals::default(),
                nodes: Vec::new(),
                members: Vec::new(),
                reached: Vec::new(),
                arrivals: HashMap::default(),
                raised: HashSet::default(),
            },
        );
        let mut wallets = accounts.iter();
        for source in &case.sources {
            let Source::Wallet { account, since_block } = *source else {
                continue;
            };
            let id = *wallets.next().expect("one id for each wallet source");
            if since_block == 0 {
                self.activate(ix, id);
            } else {
                let queue = &mut self.pending[account.chain.index()];
                queue.push(Pending { since_block, lane: ix, account: id });
                queue.sort_unstable_by(|a, b| b.cmp(a));
            }
        }
    }

    /// Puts the lane into its slot and its source transfers into the index.
    fn install(&mut self, ix: LaneIx, lane: Lane) {
        for source in &lane.case.sources {
            if let Source::Transfer { chain, tx, log_index } = *source {
                let lanes = self.source_transfers.entry((chain, tx, log_index)).or_default();
                if let Err(at) = lanes.binary_search(&ix) {
                    lanes.insert(at, ix);
                }
            }
        }
        if self.lanes.len() <= ix as usize {
            self.lanes.resize_with(ix as usize + 1, || None);
        }
        self.lanes[ix as usize] = Some(lane);
    }

    /// Stops tracing a lane and forgets all that it tainted.
    pub(crate) fn close(&mut self, ix: LaneIx) -> Option<Lane> {
        let lane = self.lanes.get_mut(ix as usize)?.take()?;
        for account in &lane.members {
            self.book.remove_taint(*account, ix);
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

    /// Takes over a lane that another tracer followed through the same past.
    pub(crate) fn absorb(&mut self, mut past: Tracer, ix: LaneIx) {
        let lane = past.lanes[ix as usize].take().expect("the lane that was traced");
        for account in &lane.members {
            if let Some(taint) = past.book.taint(*account, ix) {
                *self.book.taint_entry(*account, ix).0 = *taint;
            }
        }
        for (queue, more) in self.pending.iter_mut().zip(past.pending) {
            queue.extend(more);
            queue.sort_unstable_by(|a, b| b.cmp(a));
        }
        self.woken.extend(past.woken);
        self.install(ix, lane);
    }

    /// Hands over the sources of a chain that became active since last asked.
    pub(crate) fn take_woken(&mut self, chain: Chain, graph: &TransferGraph) -> Vec<AccountId> {
        let here = |account: &mut AccountId| graph.account(*account).chain == chain;
        self.woken.extract_if(.., here).collect()
    }

    /// Activates the sources whose time has come with an event of this block.
    pub(crate) fn begin_block(&mut self, chain: Chain, number: u64) {
        while let Some(next) = self.pending[chain.index()].last() {
            if next.since_block > number {
                break;
            }
            let Pending { lane, account, .. } = *next;
            self.pending[chain.index()].pop();
            self.activate(lane, account);
        }
    }

    /// Credits units from before the first event.
    pub(crate) fn open_balance(&mut self, account: AccountId, amount: Amount) {
        self.credit_clean(account, amount);
        self.opening_units += u128::from(amount);
    }

    /// Applies one movement of the block `block`.
    pub(crate) fn apply(
        &mut self,
        movement: Movement,
        world: World<'_>,
        block: BlockIx,
        notes: &mut Notes,
    ) {
        let now_ms = world.history.block(block).timestamp_ms;
        match movement {
            Movement::Transfer { id, from, to, amount } => {
                self.transfer(Transit { id, from, to, amount, now_ms }, world, notes);
            }
            Movement::Issue { to, amount } => {
                self.credit_clean(to, amount);
                self.touch_source(to, now_ms, notes);
            }
            Movement::Redeem { from, amount } => {
                self.remove(from, amount, now_ms, |totals| &mut totals.redeemed);
                self.touch(from, Touch::Left, notes);
            }
            Movement::Destroy { account, amount } => {
                self.remove(account, amount, now_ms, |totals| &mut totals.destroyed);
                self.touch(account, Touch::Destroyed, notes);
            }
            Movement::Freeze { account } => {
                self.set_frozen(account, true);
                self.touch(account, Touch::Frozen, notes);
            }
            Movement::Release { account } => {
                self.set_frozen(account, false);
                self.touch(account, Touch::Released, notes);
            }
        }
    }

    fn touch(&self, account: AccountId, touch: Touch, notes: &mut Notes) {
        if !self.book.taints(account).is_empty() {
            notes.touches.push((account, touch));
        }
    }

    /// Clean units that reach a source are tainted there and then.
    fn touch_source(&mut self, account: AccountId, now_ms: u64, notes: &mut Notes) {
        for taint in self.book.taints_mut(account).iter_mut().filter(|taint| taint.source) {
            taint.moved_ms = now_ms;
            notes.touches.push((account, Touch::Arrived));
        }
    }

    fn activate(&mut self, ix: LaneIx, account: AccountId) {
        let Holding { balance, frozen, .. } = *self.book.holding(account);
        let lane = self.lanes[ix as usize].as_mut().expect("a lane opens before its sources");
        let (taint, new) = self.book.taint_entry(account, ix);
        if new {
            lane.members.push(account);
        }
        let emitted = u128::from(balance - taint.units);
        taint.units = balance;
        taint.source = true;
        taint.hops = 0;
        taint.node = ROOT;
        lane.totals.emitted += emitted;
        *lane.totals.class(frozen) += emitted;
        self.woken.push(account);
    }

    /// Credits new units: clean, unless the account is an active source.
    fn credit_clean(&mut self, account: AccountId, amount: Amount) {
        let holding = self.book.holding_mut(account);
        holding.balance += amount;
        let frozen = holding.frozen;
        for taint in self.book.taints_mut(account).iter_mut().filter(|taint| taint.source) {
            taint.units += amount;
            let totals =
                &mut self.lanes[taint.lane as usize].as_mut().expect("an open lane").totals;
            totals.emitted += u128::from(amount);
            *totals.class(frozen) += u128::from(amount);
        }
    }

    /// Adds what the account must have held before our first event.
    fn cover_shortfall(&mut self, account: AccountId, amount: Amount) {
        let missing = amount.saturating_sub(self.book.holding(account).balance);
        if missing > 0 {
            self.open_balance(account, missing);
        }
    }

    /// Debits units that leave circulation; tainted ones go to `bucket`.
    fn remove(
        &mut self,
        account: AccountId,
        amount: Amount,
        now_ms: u64,
        bucket: fn(&mut CaseTotals) -> &mut u128,
    ) {
        self.cover_shortfall(account, amount);
        let Holding { balance, frozen, .. } = *self.book.holding(account);
        for taint in self.book.taints_mut(account) {
            let lane = self.lanes[taint.lane as usize].as_mut().expect("an open lane");
            let moved = transfer::debit(taint, balance, amount, now_ms, lane.policy);
            *lane.totals.class(frozen) -= u128::from(moved);
            *bucket(&mut lane.totals) += u128::from(moved);
        }
        self.book.holding_mut(account).balance -= amount;
    }

    fn set_frozen(&mut self, account: AccountId, frozen: bool) {
        if self.book.holding(account).frozen == frozen {
            return;
        }
        self.book.holding_mut(account).frozen = frozen;
        for taint in self.book.taints(account) {
            let totals =
                &mut self.lanes[taint.lane as usize].as_mut().expect("an open lane").totals;
            *totals.class(!frozen) -= u128::from(taint.units);
            *totals.class(frozen) += u128::from(taint.units);
        }
    }
}
