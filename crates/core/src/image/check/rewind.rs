//! The journal: whether taking back blocks, down to any depth, leads to a state
//! that can have been.
//!
//! Goes back from the newest block and holds what the journal says that things
//! were against the movements of the past and against each other. What always
//! holds: a lane that was traced when a block was applied already is out of
//! consideration for that block and those before it, since a reorganisation
//! that takes it back closes the lane and has its case traced anew.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::lanes::{self, Lanes, OpenLane};
use super::movements::{Balances, Span};
use super::{Scope, must, rest, rises, sums};
use crate::image::decode::Parts;
use crate::image::{RestoreError, format};
use crate::{CaseTotals, Policy};

/// A lane at some depth.
struct LaneAt<'a> {
    open: &'a OpenLane<'a>,
    is_out: bool,
    nodes: usize,
    members: usize,
    reached: usize,
    totals: &'a CaseTotals,
    held: u128,
    frozen: u128,
}

/// Accounts by lane.
type Pairs = Vec<(u32, u32)>;

/// What a block adds to lanes, told in two ways that must agree.
#[derive(Default)]
struct Added {
    /// Accounts that have no taint, or no arrival, without it.
    members: Pairs,
    reached: Pairs,
    /// Accounts that the lists of lanes are shorter by without it.
    members_cut: Pairs,
    reached_cut: Pairs,
    /// Lanes whose sums it changes.
    lanes: Vec<u32>,
}

/// See the module.
pub(super) struct Rewind<'a> {
    parts: &'a Parts,
    scope: Scope<'a>,
    lanes: &'a Lanes<'a>,
    at: Vec<Option<LaneAt<'a>>>,
    /// Open lanes, those traced last in the end.
    retiring: Vec<u32>,
    balances: Balances,
    sums: format::Sums,
    /// Taints of accounts that the journal named so far.
    taints: HashMap<u32, &'a [format::Taint], FixedState>,
    /// By lane and account.
    arrivals: HashMap<(u32, u32), format::Arrival, FixedState>,
}

impl<'a> Rewind<'a> {
    pub(super) fn new(parts: &'a Parts, lanes: &'a Lanes<'a>, scope: Scope<'a>) -> Rewind<'a> {
        let at = |open: &'a OpenLane<'a>| LaneAt {
            open,
            is_out: false,
            nodes: open.lane.nodes.len(),
            members: open.lane.members.len(),
            reached: open.lane.reached.len(),
            totals: &open.lane.totals,
            held: open.lane.totals.held,
            frozen: open.lane.totals.frozen,
        };
        let open = (0..).zip(lanes).filter_map(|(ix, lane)| Some((ix, lane.as_ref()?)));
        let mut retiring: Vec<(u32, u32)> =
            open.clone().map(|(ix, lane)| (lane.traced_at, ix)).collect();
        retiring.sort_unstable();
        let arrivals = open.flat_map(|(ix, lane)| {
            lane.lane.reached.iter().map(move |(account, arrival)| ((ix, *account), *arrival))
        });
        let (holdings, sums) = (parts.holdings.clone(), parts.rest.sums);
        Rewind {
            parts,
            scope,
            lanes,
            at: lanes.iter().map(|lane| lane.as_ref().map(at)).collect(),
            retiring: retiring.into_iter().map(|(_, ix)| ix).collect(),
            balances: Balances { holdings, opening_units: sums.opening_units },
            sums,
            taints: HashMap::default(),
            arrivals: arrivals.collect(),
        }
    }

    /// Through all blocks that are not sealed.
    pub(super) fn run(mut self, spans: &[Span]) -> Result<(), RestoreError> {
        let journal = &self.parts.rest.journal;
        let first = spans.len().checked_sub(journal.len());
        let first = first.ok_or(RestoreError::Malformed("more journal than blocks"))?;
        self.begins_where_it_must(first)?;
        let all = 0..u32::try_from(self.at.len()).unwrap_or(u32::MAX);
        all.into_iter().try_for_each(|lane| self.check_conserved(lane))?;
        let mut moved = Vec::new();
        for (ix, span) in spans.iter().enumerate().rev() {
            moved.clear();
            match ix.checked_sub(first).and_then(|at| journal.get(at)) {
                None => self.balances.wind_back(self.parts, span, &mut moved)?,
                Some(entry) => self.entry(ix, entry, span, &mut moved)?,
            }
        }
        let begin = spans.get(first).map(|span| span.transfers.start);
        let begin = begin.map_or(self.scope.transfers, |at| self.scope.transfer(at));
        self.check_end(begin)
    }

    /// The journal begins with the first block that can be reverted.
    fn begins_where_it_must(&self, first: usize) -> Result<(), RestoreError> {
        let finals = &self.parts.rest.finals;
        let is_final =
            |block: &format::Block| finals[block.head.chain.index()] >= Some(block.head.number);
        let (before, after) = self.parts.tail.blocks.split_at(first);
        let begins = after.first().is_none_or(|block| !is_final(block));
        must(begins, "the journal begins with a final block")?;
        let is_whole = !self.scope.revertible || before.iter().all(is_final);
        must(is_whole, "a block that can be reverted is not in the journal")
    }

    /// Takes back the block at that place.
    fn entry(
        &mut self,
        ix: usize,
        entry: &'a format::Entry,
        span: &Span,
        moved: &mut Vec<u32>,
    ) -> Result<(), RestoreError> {
        let end = self.scope.transfer(span.transfers.end);
        self.retire(self.scope.block(ix), end)?;
        self.head_was(ix, entry)?;
        let mut named: Vec<u32> = entry.accounts.iter().map(|was| was.account).collect();
        named.sort_unstable();
        must(rises(&named), "the journal names an account twice")?;
        must(named.last().is_none_or(|last| self.scope.has(*last)), "the journal of no account")?;
        let mut added = Added::default();
        self.arrivals_were(entry, &mut added)?;
        for was in &entry.accounts {
            self.take_out(was, &mut added)?;
        }
        self.balances.wind_back(self.parts, span, moved)?;
        let is_named = moved.iter().all(|account| named.binary_search(account).is_ok());
        must(is_named, "a block moved an account that the journal does not name")?;
        for was in &entry.accounts {
            self.put_back(was, &mut added)?;
        }
        self.lanes_were(entry, end, &mut added)?;
        added.agrees()?;
        added.lanes.iter().try_for_each(|lane| self.check_conserved(*lane))?;
        self.sums_were(&entry.sums)?;
        self.rest_was(ix, entry)
    }

    /// Leaves lanes out that were traced when the block was applied already.
    fn retire(&mut self, block: u32, end: u32) -> Result<(), RestoreError> {
        while let Some(ix) = self.retiring.pop() {
            let Some(lane) = self.at[ix as usize].as_mut() else { continue };
            if lane.open.traced_at <= block {
                self.retiring.push(ix);
                return Ok(());
            }
            lane.ends_before(end)?;
            lane.is_out = true;
        }
        Ok(())
    }

    /// A lane that the block in hand can have changed.
    fn lane(&mut self, lane: u32) -> Result<&mut LaneAt<'a>, RestoreError> {
        let at = self.at.get_mut(lane as usize).and_then(Option::as_mut);
        let at = at.filter(|lane| !lane.is_out);
        at.ok_or(RestoreError::Malformed("the journal names a lane that was not open"))
    }

    fn head_was(&self, ix: usize, entry: &format::Entry) -> Result<(), RestoreError> {
        let blocks = &self.parts.tail.blocks;
        let this = &blocks[ix].head;
        let before = blocks[..ix].iter().rev().find(|block| block.head.chain == this.chain);
        let is_right = match (before, entry.head) {
            (Some(before), head) => head == Some(before.head),
            (None, Some(head)) => head.chain == this.chain && head.number < this.number,
            (None, None) => true,
        };
        must(is_right, "the head was not the block before")
    }

    fn arrivals_were(
        &mut self,
        entry: &format::Entry,
        added: &mut Added,
    ) -> Result<(), RestoreError> {
        for (lane, account, before) in entry.arrivals.iter().rev() {
            let key = (*lane, *account);
            let now = self.arrivals.get(&key).copied();
            let now = now.ok_or(RestoreError::Malformed("the journal of no arrival"))?;
            self.lane(*lane)?.has_node(now.node)?;
            match before {
                Some(before) => drop(self.arrivals.insert(key, *before)),
                None => {
                    self.arrivals.remove(&key);
                    added.reached.push(key);
                }
            }
        }
        Ok(())
    }

    /// The taints of an account at the depth reached.
    fn taints(&self, account: u32) -> &'a [format::Taint] {
        if let Some(list) = self.taints.get(&account) {
            return list;
        }
        let all = &self.parts.taints;
        let at = all.binary_search_by_key(&account, |(account, _)| *account);
        at.map_or(&[], |at| all[at].1.as_slice())
    }

    /// Takes what an account held after the block out of the sums.
    fn take_out(
        &mut self,
        was: &format::AccountWas,
        added: &mut Added,
    ) -> Result<(), RestoreError> {
        let frozen = self.balances.holdings[was.account as usize].frozen();
        for taint in self.taints(was.account) {
            let Some(Some(lane)) = self.at.get_mut(taint.lane as usize) else { continue };
            lane.has_node(taint.node)?;
            if !lane.is_out {
                *lane.class(frozen) -= u128::from(taint.units);
                added.lanes.push(taint.lane);
                if !was.taints.iter().any(|before| before.lane == taint.lane) {
                    added.members.push((taint.lane, was.account));
                }
            }
        }
        Ok(())
    }

    /// Puts in what it held before.
    fn put_back(
        &mut self,
        was: &'a format::AccountWas,
        added: &mut Added,
    ) -> Result<(), RestoreError> {
        let format::AccountWas { account, holding, taints, runs } = was;
        let now = &mut self.balances.holdings[*account as usize];
        let is_same = holding.balance == now.balance && holding.frozen() == now.frozen();
        must(is_same && holding.flags < 4, "the journal has other balances than the past")?;
        must(now.seen() || !holding.seen(), "an account was seen before it was")?;
        self.sums.accounts -= u64::from(now.seen() && !holding.seen());
        *now = *holding;
        lanes::list(taints, holding, self.scope)?;
        let after = self.taints(*account);
        for taint in taints {
            *self.lane(taint.lane)?.class(holding.frozen()) += u128::from(taint.units);
            added.lanes.push(taint.lane);
            let is_kept = after.iter().any(|after| after.lane == taint.lane);
            must(is_kept, "an account lost a taint")?;
        }
        let ordered = || taints.iter().filter(|taint| lanes::has_runs(taint, self.scope));
        let fits = ordered().zip(runs).all(|(taint, (lane, runs))| {
            taint.lane == *lane && lanes::runs_fit(runs, taint.units, holding.balance)
        });
        must(fits && ordered().count() == runs.len(), "tainted units lay nowhere")?;
        self.taints.insert(*account, taints);
        Ok(())
    }

    fn lanes_were(
        &mut self,
        entry: &'a format::Entry,
        end: u32,
        added: &mut Added,
    ) -> Result<(), RestoreError> {
        for ledger in &entry.ledgers {
            sums::totals(&ledger.totals)?;
        }
        for was in &entry.lanes {
            sums::totals(&was.totals)?;
            let at = self.lane(was.lane)?;
            at.ends_before(end)?;
            let [nodes, members, reached] =
                [was.nodes, was.members, was.reached].map(|count| count as usize);
            let shrinks = nodes <= at.nodes && members <= at.members && reached <= at.reached;
            must(shrinks, "a lane was longer than it is")?;
            let lane = at.open.lane;
            let cut = lane.members[members..at.members].iter();
            added.members_cut.extend(cut.map(|account| (was.lane, *account)));
            let cut = lane.reached[reached..at.reached].iter();
            added.reached_cut.extend(cut.map(|(account, _)| (was.lane, *account)));
            (at.nodes, at.members, at.reached) = (nodes, members, reached);
            at.totals = &was.totals;
            added.lanes.push(was.lane);
        }
        Ok(())
    }

    fn check_conserved(&self, ix: u32) -> Result<(), RestoreError> {
        let Some(Some(lane)) = self.at.get(ix as usize) else { return Ok(()) };
        let adds_up = (lane.held, lane.frozen) == (lane.totals.held, lane.totals.frozen);
        let is_poison = self.scope.policy(ix) == Policy::Poison;
        if adds_up && (is_poison || lane.totals.is_conserved()) {
            return Ok(());
        }
        Err(RestoreError::NotConserved(lane.open.case.to_owned()))
    }

    fn sums_were(&mut self, were: &format::Sums) -> Result<(), RestoreError> {
        sums::counts(were)?;
        must(were.accounts == self.sums.accounts, "another number of accounts was seen")?;
        let opening = self.balances.opening_units;
        must(were.opening_units == opening, "opening units are others than those missing")?;
        let rise = were.zero_transfers <= self.sums.zero_transfers
            && were.self_transfers <= self.sums.self_transfers;
        must(rise, "a count fell")?;
        self.sums = *were;
        Ok(())
    }

    fn rest_was(&mut self, ix: usize, entry: &format::Entry) -> Result<(), RestoreError> {
        let chain = self.parts.tail.blocks[ix].head.chain;
        if let Some(queue) = &entry.pending {
            rest::pending(queue, chain, self.lanes, self.scope)?;
            queue.iter().try_for_each(|pending| self.lane(pending.lane).map(|_| ()))?;
        }
        let woken = entry.woken.iter().all(|account| self.scope.has(*account));
        must(woken, "a source that woke is no account")?;
        entry.desk.iter().try_for_each(|change| rest::change(change, self.scope))
    }

    /// What is left once all that can be is taken back.
    fn check_end(&self, begin: u32) -> Result<(), RestoreError> {
        let lanes = self.at.iter().flatten();
        lanes.filter(|lane| !lane.is_out).try_for_each(|lane| lane.ends_before(begin))?;
        let all = self.parts.taints.iter().flat_map(|(account, _)| self.taints(*account));
        let taints = all.map(|taint| (taint.lane, taint.node));
        let arrivals = self.arrivals.iter().map(|((lane, _), arrival)| (*lane, arrival.node));
        for (lane, node) in taints.chain(arrivals) {
            if let Some(Some(lane)) = self.at.get(lane as usize) {
                lane.has_node(node)?;
            }
        }
        Ok(())
    }
}

impl LaneAt<'_> {
    fn has_node(&self, node: Option<u32>) -> Result<(), RestoreError> {
        let is_there = node.is_none_or(|node| (node as usize) < self.nodes);
        must(is_there, "a path ends nowhere")
    }

    /// Its paths are made of transfers before that one.
    fn ends_before(&self, transfer: u32) -> Result<(), RestoreError> {
        let last = self.open.lane.nodes[..self.nodes].last();
        must(last.is_none_or(|node| node.transfer < transfer), "a path of transfers to come")
    }

    const fn class(&mut self, frozen: bool) -> &mut u128 {
        if frozen { &mut self.frozen } else { &mut self.held }
    }
}

impl Added {
    fn agrees(&mut self) -> Result<(), RestoreError> {
        let Added { members, reached, members_cut, reached_cut, lanes } = self;
        for pairs in [&mut *members, reached, members_cut, reached_cut] {
            pairs.sort_unstable();
        }
        lanes.sort_unstable();
        lanes.dedup();
        let agrees = members == members_cut && reached == reached_cut;
        must(agrees, "a lane did not grow by what it tainted")
    }
}
