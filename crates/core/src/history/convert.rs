//! Between movements as they apply and rows as segments keep them.

use crate::movement::{AccountId, BlockMeta, Debit, Mark, Movement, Transfer, TransferId};
use crate::segment::{BlockRow, OtherAction, Row, SegmentBuilder};

/// The block without its count of transfers, which the builder knows.
pub(super) fn block_row(block: &BlockMeta) -> BlockRow {
    let BlockMeta { chain, number, hash, timestamp_ms, has_events } = *block;
    BlockRow { chain, number, hash, timestamp_ms, has_events, transfers: 0 }
}

pub(crate) fn block_meta(row: &BlockRow) -> BlockMeta {
    let BlockRow { chain, number, hash, timestamp_ms, has_events, .. } = *row;
    BlockMeta { chain, number, hash, timestamp_ms, has_events }
}

/// Appends a movement to the block begun last.
pub(super) fn push(builder: &mut SegmentBuilder, movement: &Movement, mark: Option<&Mark>) {
    match *movement {
        Movement::Transfer(transfer) => {
            let mark = mark.expect("a transfer of the tail has its mark");
            builder.push_transfer(&row(&transfer, mark), mark.tx);
        }
        Movement::Issue { to, amount, before } => {
            builder.push_other(OtherAction::Issue { to: to.0, amount, before });
        }
        Movement::Redeem { from, amount, debit } => {
            let (rest, missing) = (debit.before - amount, debit.missing);
            builder.push_other(OtherAction::Redeem { from: from.0, amount, rest, missing });
        }
        Movement::Destroy { account, amount, debit } => {
            let (rest, missing) = (debit.before - amount, debit.missing);
            let account = account.0;
            builder.push_other(OtherAction::Destroy { account, amount, rest, missing });
        }
        Movement::Freeze { account } => {
            builder.push_other(OtherAction::Freeze { account: account.0 });
        }
        Movement::Release { account } => {
            builder.push_other(OtherAction::Release { account: account.0 });
        }
    }
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
