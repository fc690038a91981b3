//! Recommendations that stand in their topic, and those still owed to it.
//!
//! Of each account the topic holds a row of records, and the engine tells one.
//! Where the engine has told just what stands, the two rows have *met*: what it
//! told before stands too or is outdated, and what it tells from then on is to
//! be published. Until then it may be behind whoever published, or on another
//! branch, or may have learnt of a case earlier than that one did: what it
//! tells is kept back until they meet, and where they do not, what stands is
//! compared with the engine's own state at the end of the rebuild.
//!
//! What always holds: a record is one revision above the one that stands.

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use flow_codec::wire::FreezeRecord;
use flow_core::{AccountKey, FreezeRecommendation, FreezeStatus};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Freezes {
    standing: HashMap<AccountKey, Standing, FixedState>,
    /// In the order in which they were told.
    owed: BTreeMap<u64, (Print, FreezeRecommendation)>,
    owed_at: HashMap<AccountKey, Vec<u64>, FixedState>,
    told: u64,
}

/// The last record for an account.
#[derive(Debug)]
struct Standing {
    revision: u32,
    print: Print,
    /// Whether the engine has told it.
    met: bool,
    /// The record, as long as it may have to be withdrawn.
    record: Vec<u8>,
}

/// What tells records apart, whatever their revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Print {
    /// A hash of everything but what it is worth.
    whole: u64,
    /// A hash of what is asked for: who is to act, how far that is, since when,
    /// and what each case claims of how much; not the block, nor whether it was
    /// told before. Of one that is over, how it ended and when it was raised.
    asks: u64,
}

/// Where something that the engine told belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It is what stands.
    Stands,
    /// After what stands.
    Due,
    /// Nobody can say yet: the rows have not met.
    Early,
}

/// Account, revision, hashes.
pub(super) type Row = (AccountKey, u32, u64, u64);

/// What has to be said otherwise at the end of a rebuild.
#[derive(Debug)]
pub(in crate::follow) enum Correction {
    /// This holds.
    Recommend(Box<FreezeRecommendation>),
    /// The recommendation of this record has no cause.
    Withdraw(Vec<u8>),
}

impl Freezes {
    /// A record for the account was published. Returns its block, 0 of one that
    /// cannot be read.
    pub(super) fn note(&mut self, account: AccountKey, revision: u32, record: &[u8]) -> u64 {
        let known = self.standing.get(&account).map_or(0, |standing| standing.revision);
        let read: Option<FreezeRecord> = serde_json::from_slice(record).ok();
        let block = read.as_ref().map_or(0, |record| record.block);
        if revision <= known {
            return block;
        }
        let is_closed = read.as_ref().is_none_or(|record| is_closed(&record.status));
        let print = read.map_or(Print { whole: 0, asks: 0 }, Print::of);
        let met = self.confirm(account, print);
        let kept = !met && !is_closed;
        let record = if kept { record.to_vec() } else { Vec::new() };
        self.standing.insert(account, Standing { revision, print, met, record });
        block
    }

    /// Whether that is owed; it and what was told before it are owed no longer.
    fn confirm(&mut self, account: AccountKey, print: Print) -> bool {
        let Some(places) = self.owed_at.get_mut(&account) else { return false };
        let is_it = |at: &u64| self.owed.get(at).is_some_and(|(owed, _)| owed.whole == print.whole);
        let Some(place) = places.iter().rposition(is_it) else { return false };
        for at in places.drain(..=place) {
            self.owed.remove(&at);
        }
        if places.is_empty() {
            self.owed_at.remove(&account);
        }
        true
    }

    /// Looks at what the engine told beside what stands.
    fn place(&mut self, account: AccountKey, print: Print) -> Place {
        let Some(standing) = self.standing.get_mut(&account) else { return Place::Due };
        if standing.print.whole == print.whole {
            standing.met = true;
            standing.record = Vec::new();
            self.forget(account);
            return Place::Stands;
        }
        if standing.met { Place::Due } else { Place::Early }
    }

    fn forget(&mut self, account: AccountKey) {
        for at in self.owed_at.remove(&account).unwrap_or_default() {
            self.owed.remove(&at);
        }
    }

    /// What the engine told is owed, unless it stands.
    pub(super) fn owe(&mut self, record: FreezeRecommendation) {
        let print = Print::of(FreezeRecord::from(&record));
        if self.place(record.account, print) != Place::Stands {
            self.push(print, record);
        }
    }

    fn push(&mut self, print: Print, record: FreezeRecommendation) {
        self.told += 1;
        self.owed_at.entry(record.account).or_default().push(self.told);
        self.owed.insert(self.told, (print, record));
    }

    /// What the engine told, with its revision, if it is to be published now.
    pub(super) fn admit(&mut self, record: FreezeRecommendation) -> Option<FreezeRecommendation> {
        let print = Print::of(FreezeRecord::from(&record));
        self.admit_printed(print, record)
    }

    fn admit_printed(
        &mut self,
        print: Print,
        record: FreezeRecommendation,
    ) -> Option<FreezeRecommendation> {
        match self.place(record.account, print) {
            Place::Stands => None,
            Place::Due => Some(self.publish(print, record)),
            Place::Early => {
                self.push(print, record);
                None
            }
        }
    }

    fn publish(&mut self, print: Print, record: FreezeRecommendation) -> FreezeRecommendation {
        let before = self.standing.get(&record.account).map_or(0, |standing| standing.revision);
        let revision = before.saturating_add(1);
        let standing = Standing { revision, print, met: true, record: Vec::new() };
        self.standing.insert(record.account, standing);
        FreezeRecommendation { revision, ..record }
    }

    /// Takes out what is owed and can be published.
    pub(super) fn settle(&mut self) -> Vec<FreezeRecommendation> {
        let standing = &self.standing;
        let waits = |record: &FreezeRecommendation| {
            standing.get(&record.account).is_some_and(|standing| !standing.met)
        };
        let owed = std::mem::take(&mut self.owed);
        let (wait, due): (BTreeMap<_, _>, BTreeMap<_, _>) =
            owed.into_iter().partition(|(_, (_, record))| waits(record));
        self.owed_at.retain(|account, _| standing.get(account).is_some_and(|told| !told.met));
        self.owed = wait;
        due.into_values().filter_map(|(print, record)| self.admit_printed(print, record)).collect()
    }

    /// Compares what stands and was never met with what the engine has, and
    /// says what is otherwise, in the order of accounts.
    ///
    /// # Errors
    /// What `present` says.
    pub(super) fn correct<E>(
        &mut self,
        mut present: impl FnMut(AccountKey) -> Result<Option<FreezeRecommendation>, E>,
    ) -> Result<Vec<Correction>, E> {
        let unmet = self.standing.iter().filter(|(_, standing)| !standing.met);
        let mut unmet: Vec<AccountKey> = unmet.map(|(account, _)| *account).collect();
        unmet.sort_unstable();
        let mut corrections = Vec::new();
        for account in unmet {
            self.forget(account);
            let present = present(account)?;
            let Some(standing) = self.standing.get_mut(&account) else { continue };
            standing.met = true;
            let published = std::mem::take(&mut standing.record);
            match present {
                Some(record) => {
                    let print = Print::of(FreezeRecord::from(&record));
                    if print.asks != standing.print.asks {
                        let record = self.publish(print, record);
                        corrections.push(Correction::Recommend(Box::new(record)));
                    }
                }
                None if published.is_empty() => {}
                None => {
                    standing.revision = standing.revision.saturating_add(1);
                    standing.print = Print { whole: 0, asks: 0 };
                    corrections.push(Correction::Withdraw(published));
                }
            }
        }
        Ok(corrections)
    }

    /// How many are owed.
    pub(super) fn len(&self) -> usize {
        self.owed.len()
    }

    /// What stands, as a checkpoint keeps it. The engine has told all of it.
    pub(super) fn rows(&self) -> Vec<Row> {
        let row = |(account, standing): (&AccountKey, &Standing)| {
            (*account, standing.revision, standing.print.whole, standing.print.asks)
        };
        self.standing.iter().map(row).collect()
    }

    /// As it was.
    pub(super) fn restore(rows: Vec<Row>) -> Freezes {
        let standing = |(account, revision, whole, asks)| {
            let print = Print { whole, asks };
            (account, Standing { revision, print, met: true, record: Vec::new() })
        };
        Freezes { standing: rows.into_iter().map(standing).collect(), ..Freezes::default() }
    }
}

impl Print {
    fn of(mut record: FreezeRecord) -> Print {
        (record.id, record.revision) = (String::new(), 0);
        // It rests on stays that were seen, so on when other cases became known.
        record.worth = None;
        let whole = FixedState::default().hash_one(&record);
        let asks = if is_closed(&record.status) {
            FixedState::default().hash_one((&record.status, &record.raised_time))
        } else {
            let status = record.status.as_str();
            let is_first = status == FreezeStatus::Updated.name();
            let status = if is_first { FreezeStatus::Raised.name() } else { status };
            let claims = record.claims.iter().map(|claim| (&claim.case, claim.tainted.0));
            let actor = (&record.act_by.kind, &record.act_by.entity, &record.act_by.service_kind);
            let claims: Vec<_> = claims.collect();
            let figures = (record.balance, &record.raised_time, record.claims_omitted);
            FixedState::default().hash_one((status, actor, claims, figures))
        };
        Print { whole, asks }
    }
}

/// Whether the desk waits for nothing more.
fn is_closed(status: &str) -> bool {
    use FreezeStatus::{Destroyed, Escaped, Withdrawn};
    [Destroyed, Escaped, Withdrawn].iter().any(|closed| closed.name() == status)
}
