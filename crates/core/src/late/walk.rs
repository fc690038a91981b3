//! Some lanes through the past, in the order in which it applied.
//!
//! A movement concerns a lane only if its sender holds tainted units or its
//! receiver is a source: the balances stand beside it, so nothing else need be
//! known. Where few accounts are touched, a segment's index tells where they
//! occur and only those chunks are read; where many are, its transfers are
//! scanned, at one bit of memory for each account. Both give the same.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::book::WalkBook;
use super::passage::{Passage, Task};
use crate::history::{HistoryError, Tail, transfer_of};
use crate::ledger::Ledger;
use crate::movement::{AccountId, BlockMeta, Debit, Mark, Movement, Transfer};
use crate::segment::{CHUNK, Columns, Row, Segment};
use crate::trace::{Book, LaneIx, Notes, Taint, Tracer, World};
use crate::{Amount, Chain, Policy};

/// A look-up in the index costs about as much as scanning so many transfers.
const SCANNED_PER_LOOKUP: usize = 1024;

/// How many transfers ahead memory is asked for.
const AHEAD: usize = 12;

/// Sees every movement that carried or met tainted units of the walk's lanes.
pub(crate) trait Watch {
    /// `tracer` has just applied the movement and still holds its parcels.
    fn saw(&mut self, tracer: &Tracer, movement: &Movement, block: &BlockMeta);
}

impl Watch for () {
    fn saw(&mut self, _: &Tracer, _: &Movement, _: &BlockMeta) {}
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Walk {
    pub(crate) tracer: Tracer,
    book: WalkBook,
    pub(crate) notes: Notes,
}

impl Walk {
    /// Through the past of so many accounts with the lanes of that tracer.
    pub(crate) fn new(tracer: Tracer, accounts: usize) -> Walk {
        let poison = tracer.lanes().any(|(_, lane)| lane.policy == Policy::Poison);
        let book = WalkBook::new(accounts, poison);
        let mut walk = Walk { tracer, book, notes: Notes::default() };
        // Sources since block 0 are active before the first event.
        for chain in Chain::ALL {
            walk.wake(chain, 0);
        }
        walk
    }

    /// Through one segment.
    pub(crate) fn segment(
        &mut self,
        segment: &Segment,
        world: World<'_>,
        watch: &mut impl Watch,
    ) -> Result<(), HistoryError> {
        self.book.grow((segment.first_account() + segment.accounts_len()) as usize);
        let mut passage = Passage::new(segment, &self.tracer)?;
        let lookups_max = segment.transfers() as usize / SCANNED_PER_LOOKUP;
        let scan_from = if self.book.touched.len() <= lookups_max {
            self.follow(segment, &mut passage, world, watch)?
        } else {
            0
        };
        self.scan(segment, scan_from, &mut passage, world, watch)?;
        while let Some((block, task)) = passage.task_before(u32::MAX) {
            self.perform(&block, &task, world, watch);
        }
        Ok(())
    }

    /// Visits the transfers of touched accounts alone. Returns where a scan
    /// must go on: at the end, or earlier if too many were touched.
    fn follow(
        &mut self,
        segment: &Segment,
        passage: &mut Passage,
        world: World<'_>,
        watch: &mut impl Watch,
    ) -> Result<u32, HistoryError> {
        let mut seek = Seek::new(segment);
        seek.places.extend(passage.marks().map(Reverse));
        self.book.fresh.clone_from(&self.book.touched);
        let mut done = 0;
        loop {
            self.seek_fresh(&mut seek, done)?;
            if seek.effort > segment.transfers() as usize {
                return Ok(done);
            }
            let place = seek.places.peek().map_or(u32::MAX, |place| place.0);
            if let Some((block, task)) = passage.task_before(place) {
                done = done.max(passage.task_at());
                self.perform(&block, &task, world, watch);
                continue;
            }
            let Some(Reverse(place)) = seek.places.pop() else {
                return Ok(segment.transfers());
            };
            if place < done {
                continue; // Found twice: by its sender and by its receiver.
            }
            let columns = seek.chunk(place / CHUNK)?;
            let row = columns.row((place % CHUNK) as usize);
            let block = passage.block_of(place);
            let id = segment.first_transfer() + place;
            self.take(id, &row, &block, passage.marked(place), world, watch);
            done = place + 1;
        }
    }

    /// Finds where the accounts touched since the last time occur from `done` on.
    fn seek_fresh(&mut self, seek: &mut Seek<'_>, done: u32) -> Result<(), HistoryError> {
        for account in std::mem::take(&mut self.book.fresh) {
            seek.find(account, done, self.book.hears.has(account.0))?;
        }
        Ok(())
    }

    /// Visits all transfers from `from` on.
    fn scan(
        &mut self,
        segment: &Segment,
        from: u32,
        passage: &mut Passage,
        world: World<'_>,
        watch: &mut impl Watch,
    ) -> Result<(), HistoryError> {
        let mut columns = Columns::default();
        for chunk in from / CHUNK..segment.chunk_count() {
            segment.chunk(chunk, &mut columns)?;
            let first = chunk * CHUNK;
            let mut rows = columns.rows();
            let skip = from.saturating_sub(first) as usize;
            let (senders, receivers) = (columns.froms(), columns.tos());
            for at in skip..columns.len() {
                self.look_ahead(senders, receivers, at);
                let place = first + u32::try_from(at).expect("a chunk has 4096 rows");
                let mut marked = false;
                if place >= passage.next_stop() {
                    while let Some((block, task)) = passage.task_before(place) {
                        self.perform(&block, &task, world, watch);
                    }
                    marked = passage.is_marked(place);
                }
                if marked || self.book.concerns(senders[at], receivers[at]) {
                    let row = rows.row_at(at);
                    let block = passage.block_of(place);
                    let id = segment.first_transfer() + place;
                    self.take(id, &row, &block, passage.marked(place), world, watch);
                }
            }
        }
        self.book.fresh.clear();
        Ok(())
    }

    /// Brings near what is known of the accounts that come next: first where
    /// their taints stand, then these.
    #[inline]
    fn look_ahead(&self, senders: &[u32], receivers: &[u32], at: usize) {
        if let (Some(sender), Some(receiver)) =
            (senders.get(at + 2 * AHEAD), receivers.get(at + 2 * AHEAD))
            && self.book.concerns(*sender, *receiver)
        {
            self.book.prefetch(*sender);
            self.book.prefetch(*receiver);
        }
        if let (Some(sender), Some(receiver)) = (senders.get(at + AHEAD), receivers.get(at + AHEAD))
            && self.book.concerns(*sender, *receiver)
        {
            for account in [*sender, *receiver] {
                self.tracer.taints.prefetch(self.book.slot(AccountId(account)));
            }
        }
    }

    fn take(
        &mut self,
        id: u32,
        row: &Row,
        block: &BlockMeta,
        marks: &[LaneIx],
        world: World<'_>,
        watch: &mut impl Watch,
    ) {
        let movement = Movement::Transfer(transfer_of(id, row));
        self.apply(&movement, block, marks, world, watch);
    }

    fn perform(
        &mut self,
        block: &BlockMeta,
        task: &Task,
        world: World<'_>,
        watch: &mut impl Watch,
    ) {
        match task {
            Task::Wake => self.wake(block.chain, block.number),
            Task::Apply(movement) => self.apply(movement, block, &[], world, watch),
        }
    }

    /// Through the blocks that are not sealed yet.
    pub(crate) fn tail(&mut self, tail: &Tail, world: World<'_>, watch: &mut impl Watch) {
        for (at, block) in tail.blocks().iter().enumerate() {
            if block.meta.has_events {
                self.wake(block.meta.chain, block.meta.number);
            }
            for (movement, mark) in tail.movements(at) {
                let marks = self.marks(block.meta.chain, mark);
                self.apply(&movement, &block.meta, &marks, world, watch);
            }
        }
    }

    fn marks(&self, chain: Chain, mark: Option<&Mark>) -> Vec<LaneIx> {
        mark.map_or_else(Vec::new, |mark| {
            self.tracer.marked(chain, mark.tx, mark.log_index).to_vec()
        })
    }

    fn wake(&mut self, chain: Chain, number: u64) {
        for account in self.tracer.wake(chain, number, &mut self.book) {
            self.book.hear(account);
        }
    }

    fn apply(
        &mut self,
        movement: &Movement,
        block: &BlockMeta,
        marks: &[LaneIx],
        world: World<'_>,
        watch: &mut impl Watch,
    ) {
        match *movement {
            Movement::Freeze { account } => self.book.set_frozen(account, true),
            Movement::Release { account } => self.book.set_frozen(account, false),
            _ => {}
        }
        if !self.is_concerned(movement) && marks.is_empty() {
            return;
        }
        self.settle(movement);
        self.tracer.apply(movement, block, marks, &mut self.book, world, &mut self.notes);
        self.notes.touches.clear();
        self.notes.arrivals.clear();
        watch.saw(&self.tracer, movement, block);
    }

    fn is_concerned(&self, movement: &Movement) -> bool {
        match *movement {
            Movement::Transfer(Transfer { from, to, .. }) => self.book.concerns(from.0, to.0),
            _ => self.book.sends.has(movement.accounts().0.0),
        }
    }

    /// What a source held when it became active shows when it next moves.
    fn settle(&mut self, movement: &Movement) {
        let known = |debit: Debit| debit.before.saturating_sub(debit.missing);
        match *movement {
            Movement::Transfer(Transfer { from, to, debit, to_before, .. }) => {
                self.settle_source(from, known(debit));
                self.settle_source(to, to_before);
            }
            Movement::Issue { to, before, .. } => self.settle_source(to, before),
            Movement::Redeem { from: account, debit, .. }
            | Movement::Destroy { account, debit, .. } => {
                self.settle_source(account, known(debit));
            }
            Movement::Freeze { .. } | Movement::Release { .. } => {}
        }
    }

    fn settle_source(&mut self, account: AccountId, balance: Amount) {
        if self.book.hears.has(account.0) {
            self.tracer.settle(account, balance, &self.book);
        }
    }

    /// Accounts touched so far.
    pub(crate) fn touched(&self) -> usize {
        self.book.touched.len()
    }

    /// Makes room for accounts named since the walk began.
    pub(crate) fn grow(&mut self, accounts: usize) {
        self.book.grow(accounts);
    }

    /// Hands its lanes over; returns them.
    pub(crate) fn absorb_into(self, tracer: &mut Tracer, ledger: &mut Ledger) -> Vec<LaneIx> {
        let lanes = self.tracer.lanes().map(|(ix, _)| ix).collect();
        tracer.absorb(self.tracer, &self.book, ledger);
        lanes
    }

    /// Ends the walk: `balance` tells what a source holds by then.
    pub(crate) fn settle_sources<E>(
        &mut self,
        balance: impl Fn(AccountId) -> Result<Amount, E>,
    ) -> Result<(), E> {
        for account in std::mem::take(&mut self.book.sources) {
            self.tracer.settle(account, balance(account)?, &self.book);
        }
        Ok(())
    }

    /// Every account that the lane ever tainted, with its taint and whether it
    /// is frozen.
    pub(crate) fn members(&self, ix: LaneIx) -> impl Iterator<Item = (AccountId, &Taint, bool)> {
        self.tracer.lane(ix).members.iter().filter_map(move |account| {
            let taint = self.tracer.taints.get(&self.book, *account, ix)?;
            Some((*account, taint, self.book.is_frozen(*account)))
        })
    }
}

/// Where touched accounts occur in a segment.
struct Seek<'a> {
    segment: &'a Segment,
    /// Transfers to visit, soonest first.
    places: BinaryHeap<Reverse<u32>>,
    chunks: HashMap<u32, Columns, FixedState>,
    /// What was done so far, in transfers that a scan could have seen.
    effort: usize,
}

impl<'a> Seek<'a> {
    fn new(segment: &'a Segment) -> Seek<'a> {
        Seek { segment, places: BinaryHeap::new(), chunks: HashMap::default(), effort: 0 }
    }

    /// Adds the transfers that the account sent from `done` on; with `hears`
    /// those that it received too.
    fn find(&mut self, account: AccountId, done: u32, hears: bool) -> Result<(), HistoryError> {
        let mut chunks = self.segment.chunks_of(account.0)?;
        chunks.retain(|chunk| (chunk + 1) * CHUNK > done);
        self.effort += SCANNED_PER_LOOKUP + chunks.len() * CHUNK as usize;
        if self.effort > self.segment.transfers() as usize {
            return Ok(()); // A scan is cheaper, and comes next.
        }
        for chunk in chunks {
            let mut found = Vec::new();
            let columns = self.chunk(chunk)?;
            let ends = columns.froms().iter().zip(columns.tos());
            for (place, (from, to)) in (chunk * CHUNK..).zip(ends) {
                if place >= done && (*from == account.0 || (hears && *to == account.0)) {
                    found.push(Reverse(place));
                }
            }
            self.places.extend(found);
        }
        Ok(())
    }

    fn chunk(&mut self, ix: u32) -> Result<&Columns, HistoryError> {
        if !self.chunks.contains_key(&ix) {
            let mut columns = Columns::default();
            self.segment.chunk(ix, &mut columns)?;
            self.chunks.insert(ix, columns);
        }
        Ok(&self.chunks[&ix])
    }
}
