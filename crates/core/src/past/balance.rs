//! What an account held at some point of the past: beside each movement stand
//! the balances around it, so the last one before that point tells.

use super::{End, Past};
use crate::history::{HistoryError, other_movement, transfer_of};
use crate::movement::{AccountId, Debit, Movement, Transfer};
use crate::segment::{CHUNK, Columns, Segment};
use crate::{AccountKey, Amount};

/// An account's balance before and after a movement.
type Around = (Amount, Amount);

impl Past {
    /// What the account held after block `until` of its chain; at the end where
    /// none is named.
    ///
    /// # Errors
    /// If a segment cannot be read.
    pub fn balance(&self, account: u32, until: Option<u64>) -> Result<Amount, HistoryError> {
        let end = self.end_of(self.account(account).chain, until)?;
        self.balance_at(account, end)
    }

    pub(super) fn balance_at(&self, account: u32, end: End) -> Result<Amount, HistoryError> {
        let tail = self.around_in_tail(account, end);
        if let Some((_, after)) = tail.last() {
            return Ok(*after);
        }
        for segment in self.history.segments().iter().rev() {
            if let Some((_, after)) = around(segment, account, end, true)? {
                return Ok(after);
            }
        }
        self.first_held(account)
    }

    /// What the account held before its first movement.
    fn first_held(&self, account: u32) -> Result<Amount, HistoryError> {
        for segment in self.history.segments() {
            if let Some((before, _)) = around(segment, account, self.end(), false)? {
                return Ok(before);
            }
        }
        if let Some((before, _)) = self.around_in_tail(account, self.end()).first() {
            return Ok(*before);
        }
        Ok(self.accounts.all[account as usize].balance)
    }

    /// What every account held before its first movement, where that is
    /// anything, in the order of ids.
    ///
    /// # Errors
    /// If a segment cannot be read.
    pub fn opening(&self) -> Result<Vec<(AccountKey, Amount)>, HistoryError> {
        let mut first: Vec<Option<Amount>> = vec![None; self.accounts.len()];
        let mut meet = |movement: &Movement| {
            for (account, (before, _)) in balances(movement) {
                first[account.index()].get_or_insert(before);
            }
        };
        for segment in self.history.segments() {
            each_movement(segment, &mut meet)?;
        }
        let tail = &self.history.tail;
        for at in 0..tail.blocks().len() {
            tail.movements(at).for_each(|(movement, _)| meet(&movement));
        }
        let accounts = self.accounts.all.iter().zip(first);
        // What an account holds that never moved is what it held before.
        let held =
            accounts.map(|(account, first)| (account.key(), first.unwrap_or(account.balance)));
        Ok(held.filter(|(_, amount)| *amount > 0).collect())
    }

    fn around_in_tail(&self, account: u32, end: End) -> Vec<Around> {
        let tail = &self.history.tail;
        let blocks = end.block.saturating_sub(tail.first_block) as usize;
        let movements = (0..blocks.min(tail.blocks().len())).flat_map(|at| tail.movements(at));
        movements.filter_map(|(movement, _)| of(&movement, account)).collect()
    }
}

/// The balances around the last movement of the account in that segment, or
/// around the first.
fn around(
    segment: &Segment,
    account: u32,
    end: End,
    last: bool,
) -> Result<Option<Around>, HistoryError> {
    let blocks = end.block.saturating_sub(segment.first_block());
    let others = segment.others()?.into_iter().filter(|other| other.block < blocks);
    let mut others = others.filter_map(|other| {
        Some((other.transfers_before, of(&other_movement(other.action), account)?))
    });
    let other = if last { others.next_back() } else { others.next() };
    let transfer = find_transfer(segment, account, end, last)?;
    Ok(match (other, transfer) {
        // A movement that so many transfers precede comes behind all of those.
        (Some((before, other)), Some((ix, transfer))) => {
            Some(if (before > ix) == last { other } else { transfer })
        }
        (other, transfer) => other.or(transfer).map(|(_, around)| around),
    })
}

fn find_transfer(
    segment: &Segment,
    account: u32,
    end: End,
    last: bool,
) -> Result<Option<(u32, Around)>, HistoryError> {
    let mut chunks = segment.chunks_of(account)?;
    if last {
        chunks.reverse();
    }
    let mut columns = Columns::default();
    for chunk in chunks {
        segment.chunk(chunk, &mut columns)?;
        let ends = columns.froms().iter().zip(columns.tos());
        let mut rows = ends.enumerate().filter_map(|(at, (from, to))| {
            let counts = columns.transfer(at) < end.transfer;
            (counts && (*from == account || *to == account)).then_some(at)
        });
        if let Some(at) = if last { rows.next_back() } else { rows.next() } {
            let movement = Movement::Transfer(transfer_of(0, &columns.row(at)));
            let ix = chunk * CHUNK + u32::try_from(at).expect("a chunk has 4096 rows");
            return Ok(of(&movement, account).map(|around| (ix, around)));
        }
    }
    Ok(None)
}

fn each_movement(segment: &Segment, meet: &mut impl FnMut(&Movement)) -> Result<(), HistoryError> {
    let mut others = segment.others()?.into_iter().peekable();
    let mut columns = Columns::default();
    for chunk in 0..segment.chunk_count() {
        segment.chunk(chunk, &mut columns)?;
        let mut rows = columns.rows();
        for at in 0..columns.len() {
            let id = columns.transfer(at);
            let before = id - segment.first_transfer();
            while let Some(other) = others.next_if(|other| other.transfers_before <= before) {
                meet(&other_movement(other.action));
            }
            meet(&Movement::Transfer(transfer_of(id, &rows.row_at(at))));
        }
    }
    others.for_each(|other| meet(&other_movement(other.action)));
    Ok(())
}

/// The accounts whose balances a movement changes, with those.
fn balances(movement: &Movement) -> impl Iterator<Item = (AccountId, Around)> {
    let left = |debit: Debit, amount: Amount| (debit.before - debit.missing, debit.before - amount);
    let (first, second) = match *movement {
        Movement::Transfer(Transfer { from, to, amount, debit, to_before, .. }) => {
            let arrived = (to_before, to_before.saturating_add(amount));
            (Some((from, left(debit, amount))), Some((to, arrived)))
        }
        Movement::Issue { to, amount, before } => {
            (Some((to, (before, before.saturating_add(amount)))), None)
        }
        Movement::Redeem { from: account, amount, debit }
        | Movement::Destroy { account, amount, debit } => {
            (Some((account, left(debit, amount))), None)
        }
        Movement::Freeze { .. } | Movement::Release { .. } => (None, None),
    };
    first.into_iter().chain(second)
}

fn of(movement: &Movement, account: u32) -> Option<Around> {
    balances(movement).find(|(id, _)| id.0 == account).map(|(_, around)| around)
}
