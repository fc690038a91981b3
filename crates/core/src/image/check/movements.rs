//! The past that is not sealed: its blocks rise, its movements are possible, and
//! they end in the balances that accounts hold.

use std::ops::Range;

use super::{Scope, must};
use crate::image::decode::{Parts, Tail};
use crate::image::{RestoreError, format};
use crate::{Amount, Chain};

/// Where the movements of a block lie.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) transfers: Range<usize>,
    pub(super) others: Range<usize>,
}

/// Where the movements of each block lie.
pub(super) fn blocks(tail: &Tail, scope: Scope<'_>) -> Result<Vec<Span>, RestoreError> {
    let mut spans: Vec<Span> = Vec::with_capacity(tail.blocks.len());
    let (mut transfers, mut others) = (0, 0);
    let mut before: [Option<u64>; 2] = [None; 2];
    for block in &tail.blocks {
        let last = &mut before[block.head.chain.index()];
        must(last.is_none_or(|last| last < block.head.number), "blocks are out of order")?;
        *last = Some(block.head.number);
        let ends = (transfers + block.transfers as usize, others + block.others as usize);
        let span = Span { transfers: transfers..ends.0, others: others..ends.1 };
        let fits = ends.0 <= tail.transfers.len() && ends.1 <= tail.others.len();
        must(fits, "blocks hold more movements than there are")?;
        movements(tail, &span, block.head.chain, scope)?;
        (transfers, others) = ends;
        spans.push(span);
    }
    let is_all = (transfers, others) == (tail.transfers.len(), tail.others.len());
    must(is_all, "movements lie in no block")?;
    Ok(spans)
}

fn movements(tail: &Tail, span: &Span, chain: Chain, scope: Scope<'_>) -> Result<(), RestoreError> {
    for transfer in &tail.transfers[span.transfers.clone()] {
        let ends = scope.is_on(transfer.from, chain) && scope.is_on(transfer.to, chain);
        must(ends && transfer.from != transfer.to, "a transfer names no account of its chain")?;
        debit(transfer.amount, transfer.from_before, transfer.missing)?;
        credit(transfer.amount, transfer.to_before)?;
    }
    let mut before = span.transfers.start;
    for other in &tail.others[span.others.clone()] {
        let at = other.transfers_before as usize;
        must(before <= at && at <= span.transfers.end, "movements are out of order")?;
        before = at;
        must(scope.is_on(other.action.account(), chain), "a movement of no account of its chain")?;
        match other.action {
            format::Action::Issue { amount, before, .. } => credit(amount, before)?,
            format::Action::Redeem { amount, before, missing, .. }
            | format::Action::Destroy { amount, before, missing, .. } => {
                debit(amount, before, missing)?;
            }
            format::Action::Freeze { .. } | format::Action::Release { .. } => {}
        }
    }
    Ok(())
}

/// What is missing is added, and the debit empties the account then.
fn debit(amount: Amount, before: Amount, missing: Amount) -> Result<(), RestoreError> {
    let covered = amount <= before && missing <= amount && (missing == 0 || amount == before);
    must(amount > 0 && covered, "a debit of what is not there")
}

fn credit(amount: Amount, before: Amount) -> Result<(), RestoreError> {
    must(amount > 0 && before.checked_add(amount).is_some(), "a credit that does not fit")
}

impl format::Action {
    const fn account(&self) -> u32 {
        match *self {
            format::Action::Issue { to: account, .. }
            | format::Action::Redeem { from: account, .. }
            | format::Action::Destroy { account, .. }
            | format::Action::Freeze { account }
            | format::Action::Release { account } => account,
        }
    }
}

/// The last block of each chain is the newest one that is not sealed, if any is.
pub(super) fn heads(
    tail: &Tail,
    rest: &format::Rest,
    scope: Scope<'_>,
) -> Result<(), RestoreError> {
    for (head, chain) in rest.heads.iter().zip(Chain::ALL) {
        must(head.is_none_or(|head| head.chain == chain), "a head is of another chain")?;
        let newest = tail.blocks.iter().rev().find(|block| block.head.chain == chain);
        let is_newest = newest.is_none_or(|newest| *head == Some(newest.head));
        must(is_newest, "the head is not the newest block")?;
    }
    must(scope.blocks > 0 || rest.heads == [None, None], "a head, and no block")
}

/// Balances on their way back, movement by movement.
pub(super) struct Balances {
    pub(super) holdings: Vec<format::Holding>,
    pub(super) opening_units: u128,
}

impl Balances {
    /// Winds a block back; appends the accounts that it moved.
    pub(super) fn wind_back(
        &mut self,
        parts: &Parts,
        span: &Span,
        moved: &mut Vec<u32>,
    ) -> Result<(), RestoreError> {
        let mut others = parts.tail.others[span.others.clone()].iter().rev().peekable();
        let mut end = span.transfers.end;
        loop {
            if let Some(other) = others.next_if(|other| other.transfers_before as usize >= end) {
                moved.push(other.action.account());
                self.undo_other(&other.action)?;
            } else if end > span.transfers.start {
                end -= 1;
                let transfer = &parts.tail.transfers[end];
                moved.extend([transfer.from, transfer.to]);
                self.undo_credit(transfer.to, transfer.amount, transfer.to_before)?;
                let debit = (transfer.from_before, transfer.missing);
                self.undo_debit(transfer.from, transfer.amount, debit)?;
            } else {
                return Ok(());
            }
        }
    }

    fn undo_other(&mut self, action: &format::Action) -> Result<(), RestoreError> {
        match *action {
            format::Action::Issue { to, amount, before } => self.undo_credit(to, amount, before),
            format::Action::Redeem { from: account, amount, before, missing }
            | format::Action::Destroy { account, amount, before, missing } => {
                self.undo_debit(account, amount, (before, missing))
            }
            format::Action::Freeze { account } => self.undo_freeze(account, true),
            format::Action::Release { account } => self.undo_freeze(account, false),
        }
    }

    fn undo_credit(
        &mut self,
        account: u32,
        amount: Amount,
        before: Amount,
    ) -> Result<(), RestoreError> {
        let balance = &mut self.holdings[account as usize].balance;
        must(*balance == before + amount, "movements do not end in the balances")?;
        *balance = before;
        Ok(())
    }

    fn undo_debit(
        &mut self,
        account: u32,
        amount: Amount,
        (before, missing): (Amount, Amount),
    ) -> Result<(), RestoreError> {
        let balance = &mut self.holdings[account as usize].balance;
        must(*balance == before - amount, "movements do not end in the balances")?;
        *balance = before - missing;
        let opening = self.opening_units.checked_sub(missing.into());
        self.opening_units = opening.ok_or(RestoreError::Malformed("too few opening units"))?;
        Ok(())
    }

    fn undo_freeze(&mut self, account: u32, frozen: bool) -> Result<(), RestoreError> {
        let holding = &mut self.holdings[account as usize];
        must(holding.frozen() == frozen, "movements do not end in the freezes")?;
        holding.flags ^= format::FROZEN;
        Ok(())
    }
}
