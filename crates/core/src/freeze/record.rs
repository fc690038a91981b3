//! What is known of a recommended account, and how it is told.

use serde::{Deserialize, Serialize};

use super::claim::{by_case, claims};
use super::told::{NextAddress, Progress};
use super::window::Window;
use super::{FreezeDesk, actor, holds, is_service};
use crate::alert::Sight;
use crate::effect::{Actor, Claim, FreezeRecommendation, FreezeStatus};
use crate::history::HistoryError;
use crate::movement::{AccountId, BlockMeta};
use crate::{Address, Amount};

/// What was last told of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) status: FreezeStatus,
    pub(crate) raised_ms: u64,
    /// When it was last told of.
    pub(crate) told_ms: u64,
    /// Who was told to act, and the units that each case claimed.
    pub(crate) actor: Actor,
    pub(crate) claimed: Vec<(String, Amount)>,
    pub(crate) progress: Progress,
}

/// What is known of an account: if it is another one than before, it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    record: Option<Record>,
    window: Option<Window>,
}

impl Record {
    /// Whether the desk still waits for the funds to be caught, or for what
    /// becomes of them.
    pub(super) fn is_open(&self) -> bool {
        use FreezeStatus::{Confirmed, Frozen, Raised, Released, Submitted, Updated};
        matches!(self.status, Raised | Updated | Submitted | Confirmed | Frozen | Released)
    }

    /// Whether what changes little is not told at once.
    pub(super) fn can_wait(&self) -> bool {
        matches!(self.status, FreezeStatus::Raised | FreezeStatus::Updated)
    }

    /// Whether no case ever claimed anything of it: it is watched since its
    /// freeze was submitted.
    pub(super) fn is_bare(&self) -> bool {
        self.progress.recommended == 0
    }

    /// Whether it tells already who can act and what is claimed.
    pub(super) fn tells(&self, account: AccountId, service: bool, sight: &Sight<'_>) -> bool {
        let holds = holds(account, service, sight.tracer, sight.ledger);
        self.actor == actor(account, sight.world)
            && self.claimed.len() == holds.len()
            && self.claimed == by_case(&holds, sight.tracer)
    }
}

impl FreezeDesk {
    /// What is known of the account.
    pub(crate) fn known(&self, account: AccountId) -> Known {
        Known {
            record: self.records.get(&account).cloned(),
            window: self.windows.get(&account).cloned(),
        }
    }

    /// The record as it stands, told anew after a reorganisation took back
    /// what was known; where none is left the recommendation is withdrawn.
    pub(crate) fn retell(
        &mut self,
        account: AccountId,
        gone: &Known,
        block: &BlockMeta,
        sight: &mut Sight<'_>,
    ) -> Result<Option<FreezeRecommendation>, HistoryError> {
        let record = match (self.records.get(&account), &gone.record) {
            (Some(record), _) => record.clone(),
            (None, Some(gone)) => Record {
                status: FreezeStatus::Withdrawn,
                progress: Progress::default(),
                ..gone.clone()
            },
            (None, None) => return Ok(None),
        };
        let holds = match record.status {
            FreezeStatus::Withdrawn => Vec::new(),
            _ => holds(account, is_service(account, sight.world), sight.tracer, sight.ledger),
        };
        let revision = self.next_revision(account);
        let claims = claims(&holds, sight)?;
        Ok(Some(self.recommendation(account, revision, &record, claims, block, sight)))
    }

    /// The record as it stands, as of the head of its chain: nothing is told
    /// by it.
    pub(crate) fn standing(
        &self,
        account: AccountId,
        head: &BlockMeta,
        sight: &mut Sight<'_>,
    ) -> Result<Option<FreezeRecommendation>, HistoryError> {
        let Some(record) = self.records.get(&account) else { return Ok(None) };
        let service = is_service(account, sight.world);
        let holds = holds(account, service, sight.tracer, sight.ledger);
        let revision = self.revisions.get(&account).copied().unwrap_or(0);
        let claims = claims(&holds, sight)?;
        Ok(Some(self.recommendation(account, revision, record, claims, head, sight)))
    }

    pub(super) fn next_revision(&mut self, account: AccountId) -> u32 {
        let revision = self.revisions.entry(account).or_default();
        *revision = revision.saturating_add(1);
        *revision
    }

    pub(super) fn recommendation(
        &self,
        account: AccountId,
        revision: u32,
        record: &Record,
        (claims, claims_omitted): (Vec<Claim>, u32),
        block: &BlockMeta,
        sight: &Sight<'_>,
    ) -> FreezeRecommendation {
        let window = self.windows.get(&account);
        FreezeRecommendation {
            account: sight.accounts.key(account),
            revision,
            status: record.status,
            urgent: self.stirred.get(&account).is_some_and(|stir| stir.escaped),
            actor: record.actor.clone(),
            block: block.number,
            timestamp_ms: block.timestamp_ms,
            raised_ms: record.raised_ms,
            balance: sight.ledger.holding(account).balance,
            policy: sight.world.config.policies[0],
            claims,
            claims_omitted,
            chance: self
                .chance(account, block, sight.world)
                .filter(|_| record.is_open() && record.status != FreezeStatus::Frozen),
            progress: record.progress.clone(),
            next: window.map(|window| next(window, sight)).unwrap_or_default(),
            next_omitted: window.map_or(0, |window| window.omitted),
        }
    }
}

/// Where the units of a window are, most first.
fn next(window: &Window, sight: &Sight<'_>) -> Vec<NextAddress> {
    let mut next: Vec<NextAddress> = window
        .frontier
        .iter()
        .map(|(account, stay)| NextAddress {
            address: sight.accounts.key(*account).address,
            units: stay.units,
            hops: stay.hops,
            since_ms: stay.since_ms,
            frozen: sight.ledger.holding(*account).frozen,
            actor: actor(*account, sight.world),
        })
        .collect();
    let order = |next: &NextAddress| (std::cmp::Reverse(next.units), next.address);
    next.sort_unstable_by_key(|next| -> (std::cmp::Reverse<Amount>, Address) { order(next) });
    next
}
