//! What else moves or freezes units: everything that is not a transfer, with
//! its place among the blocks and transfers of the segment.

use super::bytes::{Reader, put_varint};
use super::header::Counts;
use super::{Section, SegmentError};

/// A movement that is not a transfer, by global account ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Other {
    /// Rank of its block in the segment.
    pub(crate) block: u32,
    /// How many of the segment's transfers applied before it.
    pub(crate) transfers_before: u32,
    pub(crate) action: OtherAction,
}

/// What it does; `before`, `rest` and `missing` as in [`Row`](super::Row).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OtherAction {
    Issue { to: u32, amount: u64, before: u64 },
    Redeem { from: u32, amount: u64, rest: u64, missing: u64 },
    Destroy { account: u32, amount: u64, rest: u64, missing: u64 },
    Freeze { account: u32 },
    Release { account: u32 },
}

impl OtherAction {
    /// The account that it concerns.
    pub(crate) const fn account(&self) -> u32 {
        match self {
            OtherAction::Issue { to: account, .. }
            | OtherAction::Redeem { from: account, .. }
            | OtherAction::Destroy { account, .. }
            | OtherAction::Freeze { account }
            | OtherAction::Release { account } => *account,
        }
    }

    fn put(&self, into: &mut Vec<u8>) {
        let (kind, numbers) = match *self {
            OtherAction::Issue { amount, before, .. } => (0, vec![amount, before]),
            OtherAction::Redeem { amount, rest, missing, .. } => (1, vec![amount, rest, missing]),
            OtherAction::Destroy { amount, rest, missing, .. } => (2, vec![amount, rest, missing]),
            OtherAction::Freeze { .. } => (3, vec![]),
            OtherAction::Release { .. } => (4, vec![]),
        };
        into.push(kind);
        put_varint(into, self.account().into());
        numbers.into_iter().for_each(|number| put_varint(into, number));
    }

    fn read(reader: &mut Reader<'_>) -> Result<OtherAction, SegmentError> {
        let kind = reader.byte()?;
        let account = reader.varint32()?;
        Ok(match kind {
            0 => OtherAction::Issue {
                to: account,
                amount: reader.varint()?,
                before: reader.varint()?,
            },
            1 => OtherAction::Redeem {
                from: account,
                amount: reader.varint()?,
                rest: reader.varint()?,
                missing: reader.varint()?,
            },
            2 => OtherAction::Destroy {
                account,
                amount: reader.varint()?,
                rest: reader.varint()?,
                missing: reader.varint()?,
            },
            3 => OtherAction::Freeze { account },
            4 => OtherAction::Release { account },
            _ => return Err(reader.malformed("a movement is of no known kind")),
        })
    }
}

/// Their places never fall, so each is told by how far it is from the last.
pub(super) fn put_others(into: &mut Vec<u8>, others: &[Other]) {
    let mut last = (0, 0);
    for other in others {
        put_varint(into, (other.block - last.0).into());
        put_varint(into, (other.transfers_before - last.1).into());
        other.action.put(into);
        last = (other.block, other.transfers_before);
    }
}

pub(super) fn read_others(bytes: &[u8], counts: &Counts) -> Result<Vec<Other>, SegmentError> {
    let mut reader = Reader::new(Section::Others, bytes, 0);
    let mut others = Vec::new();
    let mut last = (0_u32, 0_u32);
    for _ in 0..counts.others {
        let block = last.0.checked_add(reader.varint32()?).filter(|ix| *ix < counts.blocks);
        let block = block.ok_or_else(|| reader.malformed("a movement lies in no block"))?;
        let before = last.1.checked_add(reader.varint32()?).filter(|n| *n <= counts.transfers);
        let before = before.ok_or_else(|| reader.malformed("it lies behind the last transfer"))?;
        let action = OtherAction::read(&mut reader)?;
        if action.account() >= counts.account_end() {
            return Err(reader.malformed("an account was never introduced"));
        }
        others.push(Other { block, transfers_before: before, action });
        last = (block, before);
    }
    reader.end()?;
    Ok(others)
}
