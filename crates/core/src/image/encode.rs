//! From the copied parts of an engine to the bytes of an image.

use postcard::ser_flavors::Flavor;
use serde::Serialize;

use super::format::{self, Settings, VERSION};
use super::{EngineImage, parts};
use crate::accounts::Account;
use crate::engine::{OpenCase, ToldAlerts};
use crate::journal::{AccountWas, Entry, LaneWas};
use crate::ledger::LedgerStats;
use crate::movement::{AccountId, BlockIx};
use crate::trace::{Lane, LaneIx, Pending, Taint};

/// About how many bytes an account and an unsealed transfer take.
const ACCOUNT_BYTES: usize = 8;
const TRANSFER_BYTES: usize = 64;

impl EngineImage {
    /// Appends the bytes. The same state gives the same bytes.
    pub fn encode(&self, into: &mut Vec<u8>) {
        let large = &self.large;
        into.reserve(ACCOUNT_BYTES * large.accounts.len() + TRANSFER_BYTES * large.transfers.len());
        put(into, &VERSION);
        put(into, &Settings::of(&self.config));
        let segment =
            |named: &super::SegmentRef| format::Segment { bytes: named.bytes, check: named.check };
        put_all(into, self.segments.len(), self.segments.iter().map(segment));
        let accounts = &large.accounts;
        let new = accounts.iter().skip(self.introduced).map(Account::key);
        put_all(into, accounts.len() - self.introduced, new);
        let holdings = accounts.iter().map(|account| format::Holding::from(&account.holding()));
        put_all(into, accounts.len(), holdings);
        let ranks = Ranks::of(self);
        self.put_taints(&ranks, into);
        self.put_tail(into);
        put(into, &self.rest(&ranks));
    }

    fn put_taints(&self, ranks: &Ranks, into: &mut Vec<u8>) {
        let large = &self.large;
        let lists = || {
            let slots = (0_u32..).zip(large.accounts.iter().map(Account::slot));
            slots.filter(|(_, slot)| *slot != 0).filter_map(|(account, slot)| {
                let list = large.taints.get(slot as usize)?;
                (!list.is_empty()).then_some((account, list))
            })
        };
        let all = lists().map(|(account, list)| (account, ranks.taints(list)));
        put_all(into, lists().count(), all);
    }

    fn put_tail(&self, into: &mut Vec<u8>) {
        let large = &self.large;
        let ends = large.blocks.iter().skip(1).map(|b| (b.transfers_before, b.others_before));
        let ends = ends.chain([(large.transfers.len(), large.others.len())]);
        let blocks = large.blocks.iter().zip(ends).map(|(block, (transfers, others))| {
            let count = |end: usize, start: usize| u32::try_from(end - start).expect("numbered");
            format::Block {
                head: (&block.meta).into(),
                transfers: count(transfers, block.transfers_before),
                others: count(others, block.others_before),
            }
        });
        put_all(into, large.blocks.len(), blocks);
        let transfers = large.transfers.iter().map(format::Transfer::from);
        put_all(into, large.transfers.len(), transfers);
        let others = large.others.iter().filter_map(|other| {
            let transfers_before = u32::try_from(other.transfers_before).expect("numbered");
            Some(format::Other { transfers_before, action: parts::action(&other.movement)? })
        });
        put_all(into, large.others.len(), others);
    }

    fn rest(&self, ranks: &Ranks) -> format::Rest {
        let mut labels: Vec<_> = self.labels.values().cloned().collect();
        labels.sort_unstable_by_key(|label| label.account);
        let told = self.told.iter().filter(|(_, alerts)| !alerts.is_empty());
        format::Rest {
            heads: self.heads.each_ref().map(|head| head.as_ref().map(Into::into)),
            finals: self.finals,
            sums: sums(&self.stats, self.opening_units),
            labels,
            cases: self.cases.iter().map(|case| self.case(case, ranks)).collect(),
            pending: self.pending.each_ref().map(|queue| ranks.pending(queue)),
            woken: ids(&self.woken),
            told: told.map(|(case, alerts)| (case.clone(), told_alerts(alerts))).collect(),
            desk: self.desk(),
            journal: self.journal.entries().map(|entry| ranks.entry(entry)).collect(),
        }
    }

    fn case(&self, open: &OpenCase, ranks: &Ranks) -> format::OpenCase {
        let lane = |ix: LaneIx| {
            let at = self.lanes.binary_search_by_key(&ix, |(ix, _)| *ix).ok()?;
            Some(&self.lanes[at].1)
        };
        let traced = open.lanes.first().and_then(|first| {
            let case = (*lane(*first)?.case).clone();
            let lanes = open.lanes.iter().filter_map(|ix| lane(*ix)).map(self::lane).collect();
            Some(format::Traced { group: ranks.group(*first), case, lanes })
        });
        let traced_at: BlockIx = open.traced_at;
        let waiting = open.waits_for.map(|waiting| format::Waiting {
            group: ranks.group(waiting.first_lane),
            number: ranks.number(waiting.number),
        });
        let case = (*open.case).clone();
        format::OpenCase { case, traced_at, heads: open.heads, traced, waiting }
    }

    fn desk(&self) -> format::Desk {
        let desk = &self.desk;
        let mut records: Vec<_> =
            desk.records.iter().map(|(account, record)| (account.0, record.clone())).collect();
        records.sort_unstable_by_key(|(account, _)| *account);
        let mut due_of: Vec<_> =
            desk.due_of.iter().map(|(account, due)| (account.0, *due)).collect();
        due_of.sort_unstable();
        let due = desk.due.each_ref().map(|due| due.iter().map(|due| (due.0, due.1.0)).collect());
        let mut revisions: Vec<_> =
            desk.revisions.iter().map(|(account, told)| (account.0, *told)).collect();
        revisions.sort_unstable();
        let (books, windows) = (desk.books.clone(), desk.windows.clone());
        let required = desk.required;
        let stays = desk.dwell.stays.iter().map(|(account, stay)| (*account, *stay)).collect();
        let cells = desk.dwell.cells.clone();
        format::Desk { records, due, due_of, revisions, books, required, windows, stays, cells }
    }
}

/// The ranks of lanes and of late traces, which leave out all that is gone.
struct Ranks {
    /// The first lane of each case that is traced or waits, rising; the others
    /// follow it.
    groups: Vec<LaneIx>,
    policies: u32,
    /// Of late traces that are waited for, rising.
    numbers: Vec<u64>,
}

impl Ranks {
    fn of(image: &EngineImage) -> Ranks {
        let waiting = image.cases.iter().filter_map(|case| case.waits_for);
        let traced = image.cases.iter().filter_map(|case| case.lanes.first().copied());
        let mut groups: Vec<LaneIx> =
            traced.chain(waiting.clone().map(|waiting| waiting.first_lane)).collect();
        let mut numbers: Vec<u64> = waiting.map(|waiting| waiting.number).collect();
        groups.sort_unstable();
        numbers.sort_unstable();
        let policies = u32::try_from(image.config.policies.len()).expect("few policies");
        Ranks { groups, policies, numbers }
    }

    fn group(&self, first: LaneIx) -> u32 {
        rank(self.groups.partition_point(|group| *group < first))
    }

    fn number(&self, number: u64) -> u32 {
        rank(self.numbers.partition_point(|other| *other < number))
    }

    /// The rank of a lane; `None` if it was closed.
    fn lane(&self, lane: LaneIx) -> Option<u32> {
        let group = self.groups.partition_point(|first| *first <= lane).checked_sub(1)?;
        let offset = lane - self.groups[group];
        (offset < self.policies).then(|| rank(group) * self.policies + offset)
    }

    fn taints(&self, list: &[Taint]) -> Vec<format::Taint> {
        let taint = |taint: &Taint| {
            Some(format::Taint {
                lane: self.lane(taint.lane)?,
                units: taint.units,
                hops: taint.hops,
                node: parts::node_out(taint.node),
                source: taint.source,
                told: taint.told,
                thresholds: taint.thresholds,
                moved_ms: taint.moved_ms,
            })
        };
        list.iter().filter_map(taint).collect()
    }

    fn pending(&self, queue: &[Pending]) -> Vec<format::Pending> {
        let pending = |pending: &Pending| {
            let Pending { since_block, lane, account } = *pending;
            Some(format::Pending { since_block, lane: self.lane(lane)?, account: account.0 })
        };
        queue.iter().filter_map(pending).collect()
    }

    fn entry(&self, entry: &Entry) -> format::Entry {
        let arrivals = entry.arrivals.iter().filter_map(|(lane, account, before)| {
            Some((self.lane(*lane)?, account.0, before.as_ref().map(Into::into)))
        });
        format::Entry {
            events: entry.block.events.clone(),
            head: entry.head.as_ref().map(Into::into),
            sums: sums(&entry.stats, entry.opening_units),
            accounts: entry.accounts.iter().map(|was| self.account_was(was)).collect(),
            lanes: entry.lanes.iter().filter_map(|was| self.lane_was(was)).collect(),
            arrivals: arrivals.collect(),
            pending: entry.pending.as_ref().map(|queue| self.pending(queue)),
            woken: ids(&entry.woken),
            desk: entry.desk.iter().map(Into::into).collect(),
            alerts: entry.alerts.clone(),
            ledgers: entry.ledgers.clone(),
        }
    }

    fn account_was(&self, was: &AccountWas) -> format::AccountWas {
        let runs = was.runs.iter();
        format::AccountWas {
            account: was.account.0,
            holding: (&was.holding).into(),
            taints: self.taints(&was.taints),
            runs: runs.filter_map(|(lane, runs)| Some((self.lane(*lane)?, runs.into()))).collect(),
        }
    }

    fn lane_was(&self, was: &LaneWas) -> Option<format::LaneWas> {
        Some(format::LaneWas {
            lane: self.lane(was.lane)?,
            totals: was.totals.clone(),
            untold: was.untold,
            nodes: rank(was.nodes),
            members: rank(was.members),
            reached: rank(was.reached),
        })
    }
}

fn rank(at: usize) -> u32 {
    u32::try_from(at).expect("ids have 32 bits")
}

fn ids(accounts: &[AccountId]) -> Vec<u32> {
    accounts.iter().map(|account| account.0).collect()
}

fn sums(stats: &LedgerStats, opening_units: u128) -> format::Sums {
    let LedgerStats { accounts, zero_transfers, self_transfers, .. } = *stats;
    format::Sums { accounts: accounts as u64, zero_transfers, self_transfers, opening_units }
}

fn told_alerts(alerts: &ToldAlerts) -> Vec<format::Told> {
    let mut told: Vec<format::Told> = alerts
        .iter()
        .map(|(id, told)| {
            let (id, revision) = (*id, told.revision);
            format::Told { id, revision, live: told.live, retroactive: told.retroactive }
        })
        .collect();
    told.sort_unstable_by_key(|told| told.id);
    told
}

fn lane(lane: &Lane) -> format::Lane {
    let mut runs: Vec<_> =
        lane.runs.iter().map(|(account, runs)| (account.0, runs.into())).collect();
    runs.sort_unstable_by_key(|(account, _)| *account);
    let reached = lane
        .reached
        .iter()
        .filter_map(|account| Some((account.0, lane.arrivals.get(account)?.into())));
    format::Lane {
        totals: lane.totals.clone(),
        untold: lane.untold,
        nodes: lane.nodes.iter().map(Into::into).collect(),
        members: ids(&lane.members),
        reached: reached.collect(),
        runs,
    }
}

/// Bytes go where they are wanted.
struct Append<'a>(&'a mut Vec<u8>);

impl Flavor for Append<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

fn put(into: &mut Vec<u8>, value: &impl Serialize) {
    postcard::serialize_with_flavor(value, Append(into)).expect("every list knows its length");
}

/// As postcard writes a list, without having it in memory.
fn put_all<T: Serialize>(into: &mut Vec<u8>, len: usize, items: impl Iterator<Item = T>) {
    put(into, &(len as u64));
    let mut told = 0;
    for item in items {
        put(into, &item);
        told += 1;
    }
    assert_eq!(told, len, "as many items as were announced");
}
