//! Ledgers of cases that stand in their topic, and those still owed to it.
//!
//! The engine tells ledgers of final blocks alone, so whatever stands was true
//! as of its block. What always holds: of a case and day no ledger is published
//! that is older than the one that stands, or the same; a record is one revision
//! above the one that stands; of a case that is followed no longer the newest
//! record says so.

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use flow_codec::wire::{self, LedgerRecord};
use flow_core::{CaseLedger, Chain};
use foldhash::fast::FixedState;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ledgers {
    standing: BTreeMap<String, Days>,
    /// By case and day: the last that the engine told and nobody published.
    owed: BTreeMap<(String, String), CaseLedger>,
}

/// What stands of a case.
#[derive(Debug, Default)]
struct Days {
    /// By day.
    told: BTreeMap<String, Standing>,
    /// That of the newest day.
    newest: Option<LedgerRecord>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing {
    revision: u32,
    block: u64,
    /// A hash of what it says.
    print: u64,
}

/// Case, day, revision, block, hash.
pub(super) type Row = (String, String, u32, u64, u64);

impl Ledgers {
    /// A record was published.
    pub(super) fn note(&mut self, chain: Chain, record: &[u8]) {
        let Ok(record) = serde_json::from_slice::<LedgerRecord>(record) else { return };
        if record.chain != chain.name() {
            return;
        }
        let days = self.standing.get(&record.case);
        let known = days.and_then(|days| days.told.get(&record.day));
        if known.is_some_and(|standing| standing.revision >= record.revision) {
            return;
        }
        self.confirm(&record);
        self.put(record);
    }

    fn put(&mut self, record: LedgerRecord) {
        let days = self.standing.entry(record.case.clone()).or_default();
        days.told.insert(record.day.clone(), Standing::of(&record));
        if days.newest.as_ref().is_none_or(|newest| newest.day <= record.day) {
            days.newest = Some(record);
        }
    }

    /// What is owed of the case up to that day, unless it is newer, is not owed
    /// any more.
    fn confirm(&mut self, record: &LedgerRecord) {
        let key = (record.case.clone(), record.day.clone());
        let outdated = self.owed.range((record.case.clone(), String::new())..key.clone());
        let outdated: Vec<_> = outdated.map(|(key, _)| key.clone()).collect();
        for key in outdated {
            self.owed.remove(&key);
        }
        let stands = Standing::of(record);
        if self.owed.get(&key).is_some_and(|owed| !stands.is_before(owed)) {
            self.owed.remove(&key);
        }
    }

    /// What stands of its case and day.
    fn standing_of(&self, ledger: &CaseLedger) -> Option<Standing> {
        let days = self.standing.get(&ledger.case)?;
        days.told.get(&wire::day(ledger.timestamp_ms)).copied()
    }

    /// The engine told it, and it is not to be published now.
    pub(super) fn owe(&mut self, ledger: CaseLedger) {
        let standing = self.standing_of(&ledger);
        if standing.is_none_or(|standing| standing.is_before(&ledger)) {
            let day = wire::day(ledger.timestamp_ms);
            self.owed.insert((ledger.case.clone(), day), ledger);
        }
    }

    /// The record of what the engine told, if it is to be published.
    pub(super) fn admit(&mut self, ledger: &CaseLedger) -> Option<LedgerRecord> {
        let standing = self.standing_of(ledger);
        if standing.is_some_and(|standing| !standing.is_before(ledger)) {
            return None;
        }
        let revision = standing.map_or(0, |standing| standing.revision).saturating_add(1);
        let record = LedgerRecord::of(ledger, revision);
        self.put(record.clone());
        Some(record)
    }

    /// Takes out what is owed and is to be published, by case and day.
    pub(super) fn settle(&mut self) -> Vec<LedgerRecord> {
        let owed = std::mem::take(&mut self.owed);
        owed.values().filter_map(|ledger| self.admit(ledger)).collect()
    }

    /// The last records of cases that are not open any more and of which none
    /// says so yet.
    pub(super) fn close(&mut self, is_open: impl Fn(&str) -> bool) -> Vec<LedgerRecord> {
        self.owed.retain(|(case, _), _| is_open(case));
        let last = |(case, days): (&String, &Days)| {
            let newest = days.newest.as_ref().filter(|newest| !newest.is_closed())?;
            (!is_open(case)).then(|| newest.clone().closed())
        };
        let closed: Vec<LedgerRecord> = self.standing.iter().filter_map(last).collect();
        for record in &closed {
            self.put(record.clone());
        }
        closed
    }

    /// What stands, as a checkpoint keeps it: the rows, and the newest record of
    /// each case.
    pub(super) fn rows(&self) -> (Vec<Row>, Vec<Vec<u8>>) {
        let rows = self.standing.iter().flat_map(|(case, days)| {
            days.told.iter().map(|(day, standing)| {
                let Standing { revision, block, print } = *standing;
                (case.clone(), day.clone(), revision, block, print)
            })
        });
        let newest = self.standing.values().filter_map(|days| days.newest.as_ref());
        let newest = newest.map(|record| serde_json::to_vec(record).unwrap_or_default());
        (rows.collect(), newest.collect())
    }

    /// As it was.
    pub(super) fn restore(rows: Vec<Row>, newest: &[Vec<u8>]) -> Ledgers {
        let mut ledgers = Ledgers::default();
        for (case, day, revision, block, print) in rows {
            let days = ledgers.standing.entry(case).or_default();
            days.told.insert(day, Standing { revision, block, print });
        }
        for record in newest {
            let Ok(record) = serde_json::from_slice::<LedgerRecord>(record) else { continue };
            let days = ledgers.standing.entry(record.case.clone()).or_default();
            days.newest = Some(record);
        }
        ledgers
    }
}

impl Standing {
    fn of(record: &LedgerRecord) -> Standing {
        let (revision, block) = (record.revision, record.block);
        Standing { revision, block, print: print(record.clone()) }
    }

    /// Whether the ledger is to follow: it is of a later block, or of the same
    /// and tells something else, since a case or a label came.
    fn is_before(self, ledger: &CaseLedger) -> bool {
        let same = || self.print == print(LedgerRecord::of(ledger, 0));
        self.block < ledger.block || (self.block == ledger.block && !same())
    }
}

/// A hash of what a ledger says.
fn print(mut record: LedgerRecord) -> u64 {
    (record.id, record.revision) = (String::new(), 0);
    FixedState::default().hash_one(record)
}

#[cfg(test)]
mod tests {
    use flow_core::{CaseTotals, Policy};

    use super::*;

    const DAY_MS: u64 = 86_400_000;

    fn ledger(block: u64, day: u64, held: u128) -> CaseLedger {
        CaseLedger {
            case: "a".to_owned(),
            chain: Chain::Tron,
            block,
            timestamp_ms: day * DAY_MS + block,
            policy: Policy::Haircut,
            totals: CaseTotals { emitted: held, held, ..CaseTotals::default() },
        }
    }

    fn told(ledgers: &mut Ledgers, ledger: &CaseLedger) -> Option<(u32, u64)> {
        ledgers.admit(ledger).map(|record| (record.revision, record.block))
    }

    fn bytes(record: &LedgerRecord) -> Vec<u8> {
        wire::ledger_message(Chain::Tron, record).value
    }

    #[test]
    fn each_day_has_revisions_of_its_own_and_nothing_is_told_twice() {
        let mut ledgers = Ledgers::default();
        assert_eq!(told(&mut ledgers, &ledger(5, 1, 10)), Some((1, 5)));
        assert_eq!(told(&mut ledgers, &ledger(5, 1, 10)), None);
        assert_eq!(told(&mut ledgers, &ledger(7, 1, 9)), Some((2, 7)));
        assert_eq!(told(&mut ledgers, &ledger(5, 1, 10)), None, "who tells it is behind");
        assert_eq!(told(&mut ledgers, &ledger(9, 2, 8)), Some((1, 9)));
        assert_eq!(told(&mut ledgers, &ledger(7, 1, 8)), Some((3, 7)), "a label came");
    }

    #[test]
    fn what_another_published_is_owed_no_longer() {
        let (mut theirs, mut ours) = (Ledgers::default(), Ledgers::default());
        for ledger in [ledger(5, 1, 10), ledger(7, 1, 9), ledger(9, 2, 8), ledger(11, 2, 7)] {
            ours.owe(ledger);
        }
        for ledger in [ledger(5, 1, 10), ledger(9, 2, 8)] {
            let record = theirs.admit(&ledger).unwrap();
            ours.note(Chain::Tron, &bytes(&record));
        }
        let settled = ours.settle();
        let settled: Vec<_> =
            settled.iter().map(|record| (record.block, record.revision)).collect();
        assert_eq!(settled, [(11, 2)]);
        ours.owe(ledger(11, 2, 7));
        assert_eq!(ours.settle(), []);
    }

    #[test]
    fn a_case_that_is_closed_is_told_so_once_and_may_come_back() {
        let mut ledgers = Ledgers::default();
        told(&mut ledgers, &ledger(5, 1, 10));
        told(&mut ledgers, &ledger(9, 2, 8));
        assert_eq!(ledgers.close(|_| true), []);
        let closed = ledgers.close(|_| false);
        assert_eq!(closed.len(), 1);
        let last = &closed[0];
        assert_eq!((last.id.as_str(), last.is_closed()), ("tron:a:1970-01-03.2", true));
        assert_eq!(ledgers.close(|_| false), []);
        assert_eq!(told(&mut ledgers, &ledger(9, 2, 8)), Some((3, 9)), "it is open again");
    }

    #[test]
    fn a_checkpoint_keeps_what_stands() {
        let mut ledgers = Ledgers::default();
        told(&mut ledgers, &ledger(5, 1, 10));
        told(&mut ledgers, &ledger(9, 2, 8));
        let (rows, newest) = ledgers.rows();
        let mut again = Ledgers::restore(rows.clone(), &newest);
        assert_eq!(again.rows(), (rows, newest));
        assert_eq!(told(&mut again, &ledger(9, 2, 8)), None);
        assert_eq!(again.close(|_| false).len(), 1);
    }
}
