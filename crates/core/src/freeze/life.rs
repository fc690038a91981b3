//! From one state of a recommendation to the next.

use super::claim::{by_case, claims};
use super::record::Record;
use super::told::{Progress, Submission};
use super::{FreezeDesk, Hold};
use crate::Amount;
use crate::alert::Sight;
use crate::effect::{Claim, FreezeRecommendation, FreezeStatus};
use crate::history::HistoryError;
use crate::movement::{AccountId, BlockMeta};

/// An account as the desk finds it.
#[derive(Clone, Copy)]
pub(super) struct Look {
    /// Something happened to it in this block; `true`: its funds were burnt.
    pub(super) moved: Option<bool>,
    pub(super) frozen: bool,
    /// The greatest claim is worth a freeze.
    pub(super) enough: bool,
    pub(super) unclaimed: bool,
    /// What is claimed was told already.
    pub(super) told: bool,
    /// The balance is less than is worth a freeze.
    pub(super) drained: bool,
    /// A freeze is pending, and how far it has got.
    pub(super) pending: Option<FreezeStatus>,
}

/// The status of a record that is waited for; `None`: nothing is to be told.
pub(super) fn next_status(record: &Record, look: &Look) -> Option<FreezeStatus> {
    match look.moved {
        Some(burnt) => Some(moved_status(record, burnt, look)),
        None => reviewed_status(record, look),
    }
}

fn moved_status(record: &Record, burnt: bool, look: &Look) -> FreezeStatus {
    use FreezeStatus::{Destroyed, Escaped, Frozen, Released, Updated, Withdrawn};
    let bare = record.is_bare() && look.unclaimed;
    match record.status {
        _ if burnt && look.unclaimed => Destroyed,
        _ if look.frozen => Frozen,
        Frozen if look.enough || bare => Released,
        _ if bare && look.drained && record.progress.escaped.units > 0 => Escaped,
        _ if bare => look.pending.unwrap_or(Withdrawn),
        _ if !look.enough => Escaped,
        _ => look.pending.unwrap_or(Updated),
    }
}

/// After a look without a movement: what is claimed can have changed with a
/// case or a label only.
fn reviewed_status(record: &Record, look: &Look) -> Option<FreezeStatus> {
    use FreezeStatus::{Frozen, Updated, Withdrawn};
    match (look.told, look.frozen) {
        _ if look.unclaimed && !record.is_bare() => Some(look.pending.unwrap_or(Withdrawn)),
        (true, _) => None,
        (false, true) => Some(Frozen),
        (false, false) if look.enough => Some(look.pending.unwrap_or(Updated)),
        (false, false) => Some(look.pending.unwrap_or(Withdrawn)),
    }
}

/// How far a pending freeze has got. The one who submits confirms in the same
/// transaction, so that one confirmation says nothing more.
pub(super) const fn pending_status(submission: &Submission) -> FreezeStatus {
    if submission.confirmations < 2 { FreezeStatus::Submitted } else { FreezeStatus::Confirmed }
}

impl FreezeDesk {
    /// Takes the account into that status, and tells it.
    pub(super) fn record(
        &mut self,
        account: AccountId,
        status: FreezeStatus,
        holds: &[Hold],
        block: &BlockMeta,
        sight: &mut Sight<'_>,
    ) -> Result<FreezeRecommendation, HistoryError> {
        let before = self.records.get(&account).filter(|_| status != FreezeStatus::Raised);
        let raised_ms = before.map_or(block.timestamp_ms, |before| before.raised_ms);
        let progress = before.map(|before| before.progress.clone()).unwrap_or_default();
        let claims = claims(holds, sight)?;
        let most = holds.iter().map(|hold| hold.units).max().unwrap_or(0);
        let submission = self.submission(account, block.chain);
        let record = Record {
            status,
            raised_ms,
            told_ms: block.timestamp_ms,
            actor: super::actor(account, sight.world),
            claimed: by_case(holds, sight.tracer),
            progress: advanced(progress, status, most, &claims.0, submission, block),
        };
        let revision = self.next_revision(account);
        if self.tables.is_none() && self.dwell.stays.contains_key(&account) {
            self.tables = Some(self.dwell.tables_now(block.chain, block.timestamp_ms));
        }
        let told = self.recommendation(account, revision, &record, claims, block, sight);
        if let Some(chance) = told.chance.filter(|_| status == FreezeStatus::Raised) {
            self.try_out(account, chance, block);
        }
        self.set_record(account, Some(record));
        if self.due_of.contains_key(&account) {
            self.set_due_of(account, None);
        }
        Ok(told)
    }
}

fn advanced(
    mut progress: Progress,
    status: FreezeStatus,
    most: Amount,
    claims: &[Claim],
    submission: Option<Submission>,
    block: &BlockMeta,
) -> Progress {
    let arrived = claims.iter().filter_map(|claim| Some(claim.path.last()?.timestamp_ms)).min();
    progress.arrived_ms = [progress.arrived_ms, arrived].into_iter().flatten().min();
    progress.submission = submission.or(progress.submission);
    progress.recommended = progress.recommended.max(most);
    match status {
        FreezeStatus::Frozen => {
            progress.frozen_ms = progress.frozen_ms.or(Some(block.timestamp_ms));
            progress.caught = most;
        }
        FreezeStatus::Destroyed => {}
        _ => (progress.frozen_ms, progress.caught) = (None, 0),
    }
    progress
}
