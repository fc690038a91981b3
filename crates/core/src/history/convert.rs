//! Between movements as they apply and rows as segments keep them.

use crate::movement::{AccountId, BlockMeta, Debit, Mark, Movement, Transfer, TransferId};
use crate::segment::{BlockRow, OtherAction, Row, SegmentBuilder};

use super::Tail;

/// The block without its count of transfers, which the builder knows.
fn block_row(block: &BlockMeta) -> BlockRow {
    let BlockMeta { chain, number, hash, timestamp_ms, has_events } = *block;
    BlockRow { chain, number, hash, timestamp_ms, has_events, transfers: 0 }
}

pub(crate) fn block_meta(row: &BlockRow) -> BlockMeta {
    let BlockRow { chain, number, hash, timestamp_ms, has_events, .. } = *row;
    BlockMeta { chain, number, hash, timestamp_ms, has_events }
}

/// Appends a block by its place in the tail, and all that moved in it.
pub(super) fn push_block(builder: &mut SegmentBuilder, tail: &Tail, at: usize) {
    builder.begin_block(block_row(&tail.blocks()[at].meta));
    let (transfers, others) = tail.parts(at);
    let mut next = transfers.start;
    for other in others {
        push_transfers(builder, &tail.transfers()[next..other.transfers_before]);
        next = other.transfers_before;
        push_other(builder, &other.movement);
    }
    push_transfers(builder, &tail.transfers()[next..transfers.end]);
}

fn push_transfers(builder: &mut SegmentBuilder, transfers: &[(Transfer, Mark)]) {
    let rows = transfers.iter().map(|(transfer, mark)| (row(transfer, mark), &mark.tx));
    builder.push_transfers(rows);
}

fn push_other(builder: &mut SegmentBuilder, movement: &Movement) {
    builder.push_other(match *movement {
        // The tail keeps them apart.
        Movement::Transfer(_) => return,
        Movement::Issue { to, amount, before } => OtherAction::Issue { to: to.0, amount, before },
        Movement::Redeem { from, amount, debit } => {
            let (rest, missing) = (debit.before - amount, debit.missing);
            OtherAction::Redeem { from: from.0, amount, rest, missing }
        }
        Movement::Destroy { account, amount, debit } => {
            let (rest, missing) = (debit.before - amount, debit.missing);
            OtherAction::Destroy { account: account.0, amount, rest, missing }
        }
        Movement::Freeze { account } => OtherAction::Freeze { account: account.0 },
        Movement::Release { account } => OtherAction::Release { account: account.0 },
    });
}

fn row(transfer: &Transfer, mark: &Mark) -> Row {
    let Transfer { from, to, amount, debit, to_before, .. } = *transfer;
    Row {
        from: from.0,
        to: to.0,
        amount,
        rest: debit.before - amount,
        to_before,
        missing: debit.missing,
        log_index: mark.log_index,
        position: mark.position,
    }
}

/// The transfer of a row. A row made to deceive saturates.
pub(crate) fn transfer_of(id: u32, row: &Row) -> Transfer {
    let before = row.rest.saturating_add(row.amount);
    Transfer {
        id: TransferId(id),
        from: AccountId(row.from),
        to: AccountId(row.to),
        amount: row.amount,
        debit: Debit { before, missing: row.missing.min(row.amount) },
        to_before: row.to_before,
    }
}

pub(crate) fn other_movement(action: OtherAction) -> Movement {
    let debit =
        |amount: u64, rest: u64, missing| Debit { before: rest.saturating_add(amount), missing };
    match action {
        OtherAction::Issue { to, amount, before } => {
            Movement::Issue { to: AccountId(to), amount, before }
        }
        OtherAction::Redeem { from, amount, rest, missing } => {
            Movement::Redeem { from: AccountId(from), amount, debit: debit(amount, rest, missing) }
        }
        OtherAction::Destroy { account, amount, rest, missing } => {
            let debit = debit(amount, rest, missing);
            Movement::Destroy { account: AccountId(account), amount, debit }
        }
        OtherAction::Freeze { account } => Movement::Freeze { account: AccountId(account) },
        OtherAction::Release { account } => Movement::Release { account: AccountId(account) },
    }
}
