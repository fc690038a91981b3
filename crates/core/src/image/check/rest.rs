//! What is small: labels, what was told, the desk, who is waited for.

use super::lanes::{Lanes, open};
use super::{Scope, must, rises};
use crate::Chain;
use crate::freeze::{CELLS, Proposal, Stay, Window};
use crate::image::{RestoreError, format};
use crate::movement::AccountId;

/// Revisions from here on are believed of nobody: what comes next must fit.
const REVISIONS_MAX: u32 = 1 << 31;

/// More stays than transfers there are not, each with a chance of a million
/// parts.
const STAYS_MAX: u64 = 1 << 52;

pub(super) fn rest(
    rest: &format::Rest,
    lanes: &Lanes<'_>,
    scope: Scope<'_>,
) -> Result<(), RestoreError> {
    let labelled = rest.labels.iter().map(|label| label.account);
    must(rises(labelled.clone()), "labels are out of order")?;
    let known = |account| scope.accounts.find(account).is_some();
    must(labelled.into_iter().all(known), "a label of no account")?;
    must(rest.woken.iter().all(|account| scope.has(*account)), "a source that woke is no account")?;
    for (queue, chain) in rest.pending.iter().zip(Chain::ALL) {
        pending(queue, chain, lanes, scope)?;
    }
    told(&rest.told)?;
    desk(&rest.desk, scope)
}

/// Checks a queue of sources that become active later.
pub(super) fn pending(
    queue: &[format::Pending],
    chain: Chain,
    lanes: &Lanes<'_>,
    scope: Scope<'_>,
) -> Result<(), RestoreError> {
    let order = queue.iter().map(|pending| (pending.since_block, pending.lane, pending.account));
    must(order.is_sorted_by(|a, b| a >= b), "sources to come are out of order")?;
    for pending in queue {
        open(lanes, pending.lane)?;
        must(scope.is_on(pending.account, chain), "a source to come is no account of its chain")?;
    }
    Ok(())
}

fn told(told: &[(String, Vec<format::Told>)]) -> Result<(), RestoreError> {
    must(rises(told.iter().map(|(case, _)| case)), "told alerts are out of order")?;
    for (_, alerts) in told {
        must(!alerts.is_empty(), "a case of which nothing was told")?;
        must(rises(alerts.iter().map(|told| told.id)), "told alerts are out of order")?;
        must(alerts.iter().all(|told| told.revision < REVISIONS_MAX), "a revision is too high")?;
    }
    Ok(())
}

fn desk(desk: &format::Desk, scope: Scope<'_>) -> Result<(), RestoreError> {
    must(rises(desk.records.iter().map(|(account, _)| account)), "records are out of order")?;
    must(rises(desk.due_of.iter().map(|(account, _)| account)), "rests are out of order")?;
    let recorded = desk.records.iter().map(|(account, _)| account);
    let resting = desk.due_of.iter().map(|(account, _)| account);
    must(recorded.chain(resting).all(|account| scope.has(*account)), "a record of no account")?;
    for (due, chain) in desk.due.iter().zip(Chain::ALL) {
        must(rises(due), "rests are out of order")?;
        let is_on = due.iter().all(|(_, account)| scope.is_on(*account, chain));
        must(is_on, "who rests is no account of its chain")?;
    }
    for (book, chain) in desk.books.iter().zip(Chain::ALL) {
        book.values().try_for_each(|submitted| proposal(submitted, chain, scope))?;
    }
    desk.windows.iter().try_for_each(|(account, followed)| window(*account, followed, scope))?;
    desk.stays.iter().try_for_each(|(account, followed)| stay(*account, followed, scope))?;
    must(desk.cells.len() == CELLS, "another number of counts of stays")?;
    must(desk.cells.iter().all(|count| *count < STAYS_MAX), "a count of stays is too high")
}

fn stay(account: AccountId, stay: &Stay, scope: Scope<'_>) -> Result<(), RestoreError> {
    must(scope.is_on(account.0, stay.chain), "a stay in no account of its chain")?;
    must(stay.trial.is_none_or(|(_, ppm)| ppm <= 1_000_000), "a chance above certainty")
}

fn proposal(submitted: &Proposal, chain: Chain, scope: Scope<'_>) -> Result<(), RestoreError> {
    let is_on = submitted.call.is_none_or(|(_, account)| scope.is_on(account.0, chain));
    must(is_on, "a submission about no account of its chain")?;
    must(rises(&submitted.owners), "confirmations are out of order")
}

fn window(target: AccountId, window: &Window, scope: Scope<'_>) -> Result<(), RestoreError> {
    let mut accounts = window.frontier.keys().chain([&target]);
    must(accounts.all(|account| scope.has(account.0)), "a freeze window of no account")?;
    let holds = window.frontier.values().all(|stay| stay.units > 0);
    must(holds, "a freeze window followed nothing")
}

/// Checks what a part of the desk was.
pub(super) fn change(change: &format::DeskChange, scope: Scope<'_>) -> Result<(), RestoreError> {
    let is_known = match *change {
        format::DeskChange::Record(account, _)
        | format::DeskChange::DueOf(account, _)
        | format::DeskChange::Escape(account, _) => scope.has(account),
        format::DeskChange::Required(..) => true,
        format::DeskChange::Due { chain, due, .. } => scope.is_on(due.1, chain),
        format::DeskChange::Proposal(chain, _, ref before) => {
            return before.as_ref().map_or(Ok(()), |before| proposal(before, chain, scope));
        }
        format::DeskChange::Window(account, Some(ref before)) => {
            return window(account, before, scope);
        }
        format::DeskChange::Window(account, None) | format::DeskChange::Stay(account, None) => {
            scope.has(account.0)
        }
        format::DeskChange::Stay(account, Some(ref before)) => return stay(account, before, scope),
        format::DeskChange::Cell(at, before) => usize::from(at) < CELLS && before < STAYS_MAX,
    };
    must(is_known, "a record of no account")
}
