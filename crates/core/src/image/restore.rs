//! From the parts of an image to the parts of an engine, once they are checked.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::decode::{Parts, Tail};
use super::{RestoreError, check, format};
use crate::accounts::Accounts;
use crate::engine::{OpenCase, Told, ToldAlerts, Waiting};
use crate::freeze::{Dwell, FreezeDesk};
use crate::history::{Archive, History, TailBlock, TailOther};
use crate::journal::{AccountWas, Entry, Journal, LaneWas};
use crate::ledger::{Ledger, LedgerStats};
use crate::movement::{AccountId, BlockMeta, TransferId};
use crate::policy::Policy;
use crate::segment::Segment;
use crate::trace::{Labels, Lane, LaneIx, Pending, ROOT, Taint, TaintList, Taints, Tracer};
use crate::{Block, EngineConfig, Image};

/// All of an engine but what can be derived.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) history: History,
    pub(crate) ledger: Ledger,
    pub(crate) labels: Labels,
    pub(crate) tracer: Tracer,
    pub(crate) cases: BTreeMap<String, OpenCase>,
    pub(crate) told: Vec<ToldAlerts>,
    pub(crate) slots: BTreeMap<String, usize>,
    pub(crate) next_lane: LaneIx,
    pub(crate) next_trace: u64,
    pub(crate) desk: FreezeDesk,
    pub(crate) journal: Journal,
    pub(crate) heads: [Option<BlockMeta>; 2],
    pub(crate) finals: [Option<u64>; 2],
    pub(crate) stats: LedgerStats,
}

/// See [`crate::Engine::restore`].
pub(crate) fn restore(
    config: &EngineConfig,
    archive: Box<dyn Archive>,
    segments: Vec<Arc<dyn Image>>,
    bytes: &[u8],
) -> Result<Restored, RestoreError> {
    let mut parts = Parts::read(bytes, config)?;
    let segments = opened(&parts.segments, segments)?;
    let (mut history, mut keys) = History::reopen(segments, archive, config.segment_transfers)?;
    keys.append(&mut parts.accounts);
    let what = "an account stands there twice, or one too many";
    let accounts = Accounts::of(keys).ok_or(RestoreError::Malformed(what))?;
    check::parts(&parts, config, &accounts, &history)?;
    let Parts { holdings, taints, tail, rest, .. } = parts;
    put_tail(tail, &mut history);
    let opening_units = rest.sums.opening_units;
    let holdings = holdings.iter().map(format::Holding::holding);
    let mut ledger = Ledger::of(accounts, holdings, opening_units);
    let mut builder =
        Builder { policies: &config.policies, lanes: Vec::new(), groups: 0, traces: 0 };
    let (slots, told) = told(rest.told, &rest.cases);
    let cases = builder.cases(rest.cases, &slots);
    let taints = builder.taints(taints, &mut ledger);
    let pending = rest.pending.map(|queue| queue.into_iter().map(pending).collect());
    Ok(Restored {
        next_lane: builder.groups * builder.count(),
        next_trace: builder.traces,
        journal: builder.journal(rest.journal, &rest.finals, &history),
        tracer: Tracer::of(builder.lanes, taints, pending, ids(rest.woken)),
        stats: stats(&rest.sums),
        labels: labels(rest.labels, &ledger.accounts),
        heads: rest.heads.map(|head| head.map(|head| head.meta())),
        finals: rest.finals,
        desk: desk(rest.desk),
        history,
        ledger,
        cases,
        told,
        slots,
    })
}

/// Opens the segments, which must be those that the image names.
fn opened(
    named: &[format::Segment],
    images: Vec<Arc<dyn Image>>,
) -> Result<Vec<Segment>, RestoreError> {
    let (expected, found) = (named.len(), images.len());
    if expected != found {
        return Err(RestoreError::SegmentCount { expected, found });
    }
    let mut segments = Vec::new();
    for (number, (named, image)) in named.iter().zip(images).enumerate() {
        let segment = Segment::open(image).map_err(crate::HistoryError::from)?;
        let (expected, found) = ((named.bytes, named.check), segment.identity());
        if expected != found {
            return Err(RestoreError::OtherSegment { number, expected, found });
        }
        segments.push(segment);
    }
    Ok(segments)
}

fn put_tail(from: Tail, history: &mut History) {
    let tail = &mut history.tail;
    let (mut transfers_before, mut others_before) = (0, 0);
    for block in from.blocks {
        let meta = block.head.meta();
        tail.blocks.push(TailBlock { meta, transfers_before, others_before });
        transfers_before += block.transfers as usize;
        others_before += block.others as usize;
    }
    for (id, transfer) in (tail.first_transfer..).zip(&from.transfers) {
        tail.transfers.push(transfer.transfer(TransferId(id)));
    }
    for other in from.others {
        let transfers_before = other.transfers_before as usize;
        tail.others.push(TailOther { transfers_before, movement: other.action.movement() });
    }
}

/// Builds what has lanes.
struct Builder<'a> {
    policies: &'a [Policy],
    lanes: Vec<(LaneIx, Box<Lane>)>,
    /// Cases that are traced or waited for.
    groups: u32,
    /// Late traces that are waited for.
    traces: u64,
}

impl Builder<'_> {
    fn count(&self) -> u32 {
        u32::try_from(self.policies.len()).expect("few policies")
    }

    fn cases(
        &mut self,
        cases: Vec<format::OpenCase>,
        slots: &BTreeMap<String, usize>,
    ) -> BTreeMap<String, OpenCase> {
        cases.into_iter().map(|case| (case.case.id.clone(), self.case(case, slots))).collect()
    }

    fn case(&mut self, open: format::OpenCase, slots: &BTreeMap<String, usize>) -> OpenCase {
        let case = Arc::new(open.case);
        let waits_for = open.waiting.map(|waiting| {
            self.groups += 1;
            self.traces += 1;
            let number = u64::from(waiting.number) + 1;
            Waiting { number, first_lane: waiting.group * self.count() }
        });
        let lanes = open.traced.map(|traced| self.traced(traced, &case));
        OpenCase {
            slot: slots[&case.id],
            lanes: lanes.unwrap_or_default(),
            traced_at: open.traced_at,
            heads: open.heads,
            waits_for,
            case,
        }
    }

    fn traced(&mut self, traced: format::Traced, now: &Arc<crate::Case>) -> Vec<LaneIx> {
        self.groups += 1;
        let first = traced.group * self.count();
        let case = if traced.case == **now { Arc::clone(now) } else { Arc::new(traced.case) };
        let siblings: Arc<[LaneIx]> = (first..first + self.count()).collect();
        for ((ix, policy), lane) in siblings.iter().zip(self.policies).zip(traced.lanes) {
            let built = Lane::new(Arc::clone(&case), *policy, Arc::clone(&siblings));
            self.lanes.push((*ix, Box::new(filled(built, lane))));
        }
        siblings.to_vec()
    }

    fn taints(&self, taints: Vec<(u32, Vec<format::Taint>)>, ledger: &mut Ledger) -> Taints {
        let mut built = Taints::default();
        for (account, list) in taints {
            built.restore(ledger, AccountId(account), self.list(&list));
        }
        built
    }

    fn list(&self, taints: &[format::Taint]) -> TaintList {
        let taint = |taint: &format::Taint| Taint {
            lane: taint.lane,
            units: taint.units,
            hops: taint.hops,
            node: taint.node.unwrap_or(ROOT),
            source: taint.source,
            whole: taint.is_whole(self.policies),
            told: taint.told,
            thresholds: taint.thresholds,
            moved_ms: taint.moved_ms,
        };
        taints.iter().map(taint).collect()
    }

    fn journal(
        &self,
        entries: Vec<format::Entry>,
        finals: &[Option<u64>; 2],
        history: &History,
    ) -> Journal {
        let blocks = history.tail.blocks();
        let first = blocks.len() - entries.len();
        let ranks = history.tail.first_block..;
        let blocks = ranks.zip(blocks).skip(first);
        let entries = blocks.zip(entries).map(|((ix, at), entry)| {
            let is_final = finals[at.meta.chain.index()] >= Some(at.meta.number);
            self.entry((ix, is_final), &at.meta, entry)
        });
        Journal::of(entries.collect())
    }

    fn entry(&self, (ix, is_final): (u32, bool), meta: &BlockMeta, from: format::Entry) -> Entry {
        let BlockMeta { chain, number, hash, timestamp_ms, .. } = *meta;
        let block = Block { chain, number, hash, timestamp_ms, events: from.events };
        let head = from.head.map(|head| head.meta());
        let sums = (stats(&from.sums), from.sums.opening_units);
        let mut entry = Entry::new(block, ix, is_final, head, sums, ids(from.woken));
        entry.accounts = from.accounts.iter().map(|was| self.account_was(was)).collect();
        entry.lanes = from.lanes.into_iter().map(lane_was).collect();
        let arrival = |(lane, account, before): (u32, u32, Option<format::Arrival>)| {
            (lane, AccountId(account), before.map(|before| before.arrival()))
        };
        entry.arrivals = from.arrivals.into_iter().map(arrival).collect();
        entry.pending = from.pending.map(|queue| queue.into_iter().map(pending).collect());
        entry.desk = from.desk.into_iter().map(format::DeskChange::change).collect();
        entry.alerts = from.alerts;
        entry.ledgers = from.ledgers;
        entry
    }

    fn account_was(&self, was: &format::AccountWas) -> AccountWas {
        AccountWas {
            account: AccountId(was.account),
            holding: was.holding.holding(),
            taints: self.list(&was.taints),
            runs: was.runs.iter().map(|(lane, runs)| (*lane, runs.runs())).collect(),
        }
    }
}

fn filled(mut lane: Lane, from: format::Lane) -> Lane {
    lane.totals = from.totals;
    lane.untold = from.untold;
    lane.nodes = from.nodes.iter().map(format::Node::node).collect();
    lane.members = ids(from.members);
    lane.reached = from.reached.iter().map(|(account, _)| AccountId(*account)).collect();
    let arrivals = from.reached.iter();
    lane.arrivals =
        arrivals.map(|(account, arrival)| (AccountId(*account), arrival.arrival())).collect();
    lane.runs =
        from.runs.iter().map(|(account, runs)| (AccountId(*account), runs.runs())).collect();
    lane
}

fn lane_was(was: format::LaneWas) -> LaneWas {
    let format::LaneWas { lane, totals, untold, nodes, members, reached } = was;
    let [nodes, members, reached] = [nodes, members, reached].map(|count| count as usize);
    LaneWas { lane, totals, untold, nodes, members, reached }
}

fn pending(from: format::Pending) -> Pending {
    let format::Pending { since_block, lane, account } = from;
    Pending { since_block, lane, account: AccountId(account) }
}

fn ids(accounts: Vec<u32>) -> Vec<AccountId> {
    accounts.into_iter().map(AccountId).collect()
}

fn stats(sums: &format::Sums) -> LedgerStats {
    LedgerStats {
        accounts: usize::try_from(sums.accounts).expect("checked to be the accounts seen"),
        zero_transfers: sums.zero_transfers,
        self_transfers: sums.self_transfers,
        ..LedgerStats::default()
    }
}

fn labels(labels: Vec<crate::Label>, accounts: &Accounts) -> Labels {
    let known = |label: crate::Label| Some((accounts.find(label.account)?, label));
    labels.into_iter().filter_map(known).collect()
}

/// A place for each case of which alerts were told, and for each that is open.
fn told(
    told: Vec<(String, Vec<format::Told>)>,
    open: &[format::OpenCase],
) -> (BTreeMap<String, usize>, Vec<ToldAlerts>) {
    let mut slots = BTreeMap::new();
    let mut tables = Vec::new();
    for (case, alerts) in told {
        slots.insert(case, tables.len());
        let alert = |told: format::Told| {
            let format::Told { id, revision, live, retroactive } = told;
            (id, Told { revision, live, retroactive })
        };
        tables.push(alerts.into_iter().map(alert).collect());
    }
    for case in open {
        slots.entry(case.case.id.clone()).or_insert_with(|| {
            tables.push(ToldAlerts::default());
            tables.len() - 1
        });
    }
    (slots, tables)
}

fn desk(desk: format::Desk) -> FreezeDesk {
    let id = AccountId;
    let mut restored = FreezeDesk::default();
    restored.records = desk.records.into_iter().map(|(of, told)| (id(of), told)).collect();
    restored.due = desk.due.map(|due| due.into_iter().map(|(at, of)| (at, id(of))).collect());
    restored.due_of = desk.due_of.into_iter().map(|(of, due)| (id(of), due)).collect();
    restored.revisions = desk.revisions.into_iter().map(|(of, told)| (id(of), told)).collect();
    restored.books = desk.books;
    restored.required = desk.required;
    restored.windows = desk.windows;
    restored.dwell = Dwell::of(desk.cells, desk.stays);
    restored
}
