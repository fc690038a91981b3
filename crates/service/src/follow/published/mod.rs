//! What stands in the output topics, and what is still owed to them.
//!
//! The same events give the same effects, so whatever stands in the output
//! topics already is left out, and whatever does not (a case was added
//! meanwhile, the one who published died before it did) is published. While
//! another instance publishes, or the state is brought to where the group had
//! committed, effects are only owed: of each alert and each account the last.
//!
//! What always holds: a record of an alert is one revision above the one that
//! stands in the topic, so no event id is used twice; an alert that stands as
//! final is never told otherwise again: who would is behind, on a branch that
//! others have left. Of each alert 16 bytes of id, its
//! revision and its status are kept; its record only while it is provisional
//! and was not told again, since it may have to be taken back.

mod freezes;
mod image;
mod ledgers;
mod owed;

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use flow_codec::wire::{AlertRecord, LedgerRecord};
use flow_codec::{address, wire};
use flow_core::{
    AccountKey, Alert, AlertId, AlertStatus, CaseLedger, Chain, FreezeRecommendation, Rule,
};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::Deserialize;

use super::log::{Stream, Told};
use crate::audit::Trail;
use freezes::Freezes;
use ledgers::Ledgers;

pub(super) use freezes::Correction;
pub(super) use image::PublishedImage;
pub(super) use owed::{Owed, OwedLetter};

/// See the module.
#[derive(Debug)]
pub(super) struct Published {
    chain: Chain,
    alerts: HashMap<AlertId, Standing, FixedState>,
    /// Records of provisional alerts that this engine has not told since.
    untold: BTreeMap<AlertId, Untold>,
    /// Of accounts: what stands and what is owed.
    freezes: Freezes,
    /// Of cases: what stands and what is owed.
    ledgers: Ledgers,
    /// The audit trail of the chain.
    pub(super) trail: Trail,
    /// The newest block of which anything stands.
    newest: u64,
    /// Whether the state has come to where those who published before were.
    rebuilt: bool,
    owed: Owed,
}

/// The last record of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing {
    revision: u32,
    status: AlertStatus,
}

/// A provisional alert that was not told again.
#[derive(Debug)]
struct Untold {
    /// A hash of what it says.
    print: u64,
    case: String,
    rule: Option<Rule>,
    record: Vec<u8>,
}

/// What is read of an alert's record.
#[derive(Deserialize)]
struct AlertPart {
    chain: String,
    case: String,
    block: u64,
    rule: String,
    status: String,
}

/// What an alert tells beyond what stands in the topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It holds, or holds of another block.
    Raised,
    /// It is final now.
    Settled,
    /// It no longer holds.
    Retracted,
}

/// An alert that is taken back.
pub(super) struct TakenBack {
    pub(super) rule: Option<Rule>,
    pub(super) message: wire::Message,
}

impl Published {
    /// Nothing of that chain is known to stand.
    pub(super) fn nothing(chain: Chain) -> Published {
        Published {
            chain,
            alerts: HashMap::default(),
            untold: BTreeMap::new(),
            freezes: Freezes::default(),
            ledgers: Ledgers::default(),
            trail: Trail::new(chain),
            newest: 0,
            rebuilt: false,
            owed: Owed::default(),
        }
    }

    /// Takes note of a record of an output topic.
    pub(super) fn note(&mut self, told: &Told<'_>) {
        let Some(id) = told.id else { return };
        match told.stream {
            Stream::Alerts => self.note_alert(id, told.value),
            Stream::Ledgers => self.ledgers.note(self.chain, told.value),
            Stream::Audit => self.trail.note(told.value),
            Stream::Freezes => {
                let of = parse_freeze_id(id).filter(|(account, _)| account.chain == self.chain);
                if let Some((account, revision)) = of {
                    let block = self.freezes.note(account, revision, told.value);
                    self.newest = self.newest.max(block);
                }
            }
        }
    }

    fn note_alert(&mut self, id: &str, record: &[u8]) {
        let Some((id, revision)) = parse_alert_id(id) else { return };
        // What cannot be read was not written by this version: it stays as it is.
        let part: Option<AlertPart> = serde_json::from_slice(record).ok();
        if part.as_ref().is_some_and(|part| part.chain != self.chain.name()) {
            return;
        }
        if self.alerts.get(&id).is_some_and(|standing| standing.revision > revision) {
            return;
        }
        self.untold.remove(&id);
        let named = |name: &str| AlertStatus::ALL.into_iter().find(|s| s.name() == name);
        let status = part.as_ref().and_then(|part| named(&part.status));
        let status = status.unwrap_or(AlertStatus::Final);
        self.alerts.insert(id, Standing { revision, status });
        if let Some(part) = part.filter(|_| status == AlertStatus::Provisional) {
            self.newest = self.newest.max(part.block);
            let rule = Rule::ALL.into_iter().find(|rule| rule.name() == part.rule);
            let print = serde_json::from_slice(record).map_or(0, print);
            let record = record.to_vec();
            self.untold.insert(id, Untold { print, case: part.case, rule, record });
        }
        self.confirm_alert(id);
    }

    /// Alerts that are known.
    pub(super) fn alerts(&self) -> usize {
        self.alerts.len()
    }

    /// What the alert tells beyond what stands.
    fn news(&self, alert: &Alert) -> Option<News> {
        use AlertStatus::{Final, Provisional, Retracted};
        // A provisional alert that says something else since its block is another one.
        let untold = self.untold.get(&alert.id);
        let moved = untold.is_some_and(|told| told.print != print(AlertRecord::from(alert)));
        let standing = self.alerts.get(&alert.id).map(|standing| standing.status);
        match (standing, alert.status) {
            // Nobody needs to hear that what was never told no longer holds.
            (None | Some(Retracted), Retracted) => None,
            (Some(Final), _) => None,
            (Some(Provisional), Provisional) if !moved => None,
            (Some(Provisional), Final) => Some(News::Settled),
            (Some(Provisional), Retracted) => Some(News::Retracted),
            (_, Provisional | Final) => Some(News::Raised),
        }
    }

    /// What the alert tells beyond what stands, if it is to be published; then
    /// it gets its revision.
    pub(super) fn admit_alert(&mut self, alert: &mut Alert) -> Option<News> {
        let news = self.news(alert);
        self.untold.remove(&alert.id);
        let news = news?;
        let standing = self.alerts.get(&alert.id);
        alert.revision = standing.map_or(1, |standing| standing.revision + 1);
        let standing = Standing { revision: alert.revision, status: alert.status };
        self.alerts.insert(alert.id, standing);
        Some(news)
    }

    /// Whether the state has come to where those who published before were.
    pub(super) fn is_rebuilt(&self) -> bool {
        self.rebuilt
    }

    /// The newest block of which anything stands.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// Ends the rebuild. Returns the provisional alerts that stand and do not
    /// hold (`is_live`, by case and alert): they were reverted while nobody
    /// looked.
    pub(super) fn end_rebuild(
        &mut self,
        is_live: impl Fn(&str, AlertId) -> bool,
    ) -> Vec<TakenBack> {
        self.rebuilt = true;
        let mut taken_back = Vec::new();
        for (id, untold) in std::mem::take(&mut self.untold) {
            if is_live(&untold.case, id) {
                continue;
            }
            if let (Some(standing), Some(message)) =
                (self.alerts.get_mut(&id), wire::retraction(&untold.record))
            {
                standing.revision += 1;
                standing.status = AlertStatus::Retracted;
                taken_back.push(TakenBack { rule: untold.rule, message });
            }
        }
        taken_back
    }

    /// What is to be said otherwise of accounts at the end of the rebuild;
    /// `present`: the recommendation for an account as the engine has it.
    ///
    /// # Errors
    /// What `present` says.
    pub(super) fn correct_freezes<E>(
        &mut self,
        present: impl FnMut(AccountKey) -> Result<Option<FreezeRecommendation>, E>,
    ) -> Result<Vec<Correction>, E> {
        self.freezes.correct(present)
    }

    /// The recommendation with its revision, if it is to be published now.
    pub(super) fn admit_freeze(
        &mut self,
        record: FreezeRecommendation,
    ) -> Option<FreezeRecommendation> {
        self.freezes.admit(record)
    }

    /// Recommendations that are owed and can be published now, with their
    /// revisions.
    pub(super) fn settle_freezes(&mut self) -> Vec<FreezeRecommendation> {
        self.freezes.settle()
    }

    /// The ledger as a record, if it is to be published.
    pub(super) fn admit_ledger(&mut self, ledger: &CaseLedger) -> Option<LedgerRecord> {
        self.ledgers.admit(ledger)
    }

    /// The engine told where the money of a case was.
    pub(super) fn owe_ledger(&mut self, ledger: CaseLedger) {
        self.ledgers.owe(ledger);
    }

    /// Ledgers that are owed, to be published.
    pub(super) fn settle_ledgers(&mut self) -> Vec<LedgerRecord> {
        self.ledgers.settle()
    }

    /// The last records of cases that are not open any more, to be published.
    pub(super) fn close_ledgers(&mut self, is_open: impl Fn(&str) -> bool) -> Vec<LedgerRecord> {
        self.ledgers.close(is_open)
    }
}

/// A hash of what an alert says, however far it can be relied on.
fn print(mut record: AlertRecord) -> u64 {
    (record.id, record.revision) = (String::new(), 0);
    (record.status, record.retroactive) = (String::new(), false);
    FixedState::default().hash_one(record)
}

/// `{32 hex digits}.{revision}`.
fn parse_alert_id(id: &str) -> Option<(AlertId, u32)> {
    let (hex, revision) = id.split_once('.')?;
    let mut bytes = [0; 16];
    hex::decode_to_slice(hex, &mut bytes).ok()?;
    Some((AlertId(bytes), revision.parse().ok()?))
}

/// `{chain}:{address}.{revision}`.
fn parse_freeze_id(id: &str) -> Option<(AccountKey, u32)> {
    let (account, revision) = id.rsplit_once('.')?;
    Some((address::parse_account(account).ok()?, revision.parse().ok()?))
}

#[cfg(test)]
mod tests;
