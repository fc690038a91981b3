//! One transfer in as few bytes as its numbers need.
//!
//! The control word has 16 bits: a code of 4 bits each for amount, rest and
//! balance before, 3 bits for the log index, and 1 bit that says that a
//! shortfall or a position follow. The numbers themselves follow one another.
//!
//! What always holds: any control word and any bytes unpack to some row
//! without a panic.

use super::code::{CODE_LEN, Numbers, Room, byte_len, coded, short};
use crate::movement::NO_LOG_INDEX;

/// One transfer as it applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The account debited, by its global id.
    pub(crate) from: u32,
    /// The account credited, by its global id.
    pub(crate) to: u32,
    pub(crate) amount: u64,
    /// What the sender holds after the debit. It held `rest + amount` before.
    pub(crate) rest: u64,
    /// What the receiver held before the credit.
    pub(crate) to_before: u64,
    /// The shortfall added to the sender just before the debit.
    pub(crate) missing: u64,
    /// `NO_LOG_INDEX` where the source does not number logs.
    pub(crate) log_index: u32,
    pub(crate) position: u32,
}

/// Codes of the log index: none; its bytes, 1 to 4; or by how much, 1 to 3, it
/// exceeds that of the row before, as most do where USDT makes most of the logs.
const LOG_NONE: u16 = 0;
const LOG_BYTES: u16 = 4;
const LOG_STEP: u32 = 3;
const LOG_LEN: [u8; 8] = [0, 1, 2, 3, 4, 0, 0, 0];

const EXTRA: u16 = 1 << 15;

/// The byte that announces more: the code of a shortfall, the length of a
/// position, and whether the amount less the shortfall stands for the shortfall.
const POSITION_LEN: u8 = 7;
const RELATIVE: u8 = 1 << 7;

/// Bytes that follow for the codes in the low byte of a control word.
const LOW_LEN: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = CODE_LEN[byte & 15] + CODE_LEN[byte >> 4];
        byte += 1;
    }
    table
};

/// Appends the log index in view of the one before, and gives its code.
fn put_log(into: &mut Room<'_>, before: u32, log_index: u32) -> u16 {
    let step = log_index.wrapping_sub(before);
    if log_index == NO_LOG_INDEX {
        return LOG_NONE;
    }
    if let (1..=LOG_STEP, Ok(step)) = (step, u16::try_from(step)) {
        return LOG_BYTES + step;
    }
    let len = byte_len(log_index.into()).max(1);
    into.put(log_index.into(), len);
    len.into()
}

/// Appends the numbers of a row, its ends aside, and gives its control word.
/// `log_before` is the log index of the row before, or none behind a mark.
#[inline]
pub(super) fn pack(row: &Row, log_before: u32, into: &mut Numbers) -> u16 {
    let mut room = into.room();
    let amount = u16::from(room.put_coded(row.amount));
    let rest = u16::from(room.put_coded(row.rest));
    let before = u16::from(room.put_coded(row.to_before));
    let log = put_log(&mut room, log_before, row.log_index);
    let mut control = amount | rest << 4 | before << 8 | log << 12;
    if row.missing != 0 || row.position != 0 {
        put_extra(row, &mut room);
        control |= EXTRA;
    }
    let len = room.len;
    into.take(len);
    control
}

fn put_extra(row: &Row, room: &mut Room<'_>) {
    let extra = room.len;
    room.put(0, 1);
    // Where nothing was known of the sender, all that it sent was missing.
    let (held, relative) = match row.amount.checked_sub(row.missing) {
        Some(held) if row.missing > 0 => (held, RELATIVE),
        _ => (row.missing, 0),
    };
    let missing = room.put_coded(held);
    let position = byte_len(row.position.into());
    room.put(row.position.into(), position);
    room.set_byte(extra, missing | position << 4 | relative);
}

fn extra_len(var: &[u8], at: usize) -> usize {
    let lens = var.get(at).copied().unwrap_or(0);
    1 + usize::from(CODE_LEN[usize::from(lens & 15)] + (lens >> 4 & POSITION_LEN))
}

/// Where a row begins, and what is known of the row before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) at: usize,
    log_before: u32,
}

impl Place {
    /// The place of a row that is understood without the one before.
    pub(super) const fn at_mark(at: usize) -> Place {
        Place { at, log_before: NO_LOG_INDEX }
    }

    /// Goes to the next row; this one has that control word.
    pub(super) fn skip(&mut self, control: u16, var: &[u8]) {
        let [low, high] = control.to_le_bytes();
        let before_len = CODE_LEN[usize::from(high & 15)];
        self.at += usize::from(LOW_LEN[usize::from(low)] + before_len);
        self.read_log(control, var);
        if control & EXTRA != 0 {
            self.at += extra_len(var, self.at);
        }
    }

    /// Reads the row, whose ends and control word lie elsewhere, and goes to
    /// the next one. `var` must have some eight bytes behind the last row.
    pub(super) fn unpack(&mut self, ends: (u32, u32), control: u16, var: &[u8]) -> Row {
        let code = |shift: u16| usize::from(control >> shift & 15);
        let (amount, at) = coded(var, self.at, code(0));
        let (rest, at) = coded(var, at, code(4));
        let (to_before, at) = coded(var, at, code(8));
        self.at = at;
        let log_index = self.read_log(control, var);
        let (from, to) = ends;
        let mut row = Row { from, to, amount, rest, to_before, missing: 0, log_index, position: 0 };
        if control & EXTRA != 0 {
            self.read_extra(var, &mut row);
        }
        row
    }

    fn read_log(&mut self, control: u16, var: &[u8]) -> u32 {
        let code = control >> 12 & 7;
        let len = usize::from(LOG_LEN[usize::from(code)]);
        self.log_before = match code {
            LOG_NONE => NO_LOG_INDEX,
            1..=LOG_BYTES => short(var, self.at, len),
            _ => self.log_before.wrapping_add(u32::from(code - LOG_BYTES)),
        };
        self.at += len;
        self.log_before
    }

    fn read_extra(&mut self, var: &[u8], row: &mut Row) {
        let lens = var.get(self.at).copied().unwrap_or(0);
        let (missing, end) = coded(var, self.at + 1, usize::from(lens & 15));
        let all = row.amount.wrapping_sub(missing);
        row.missing = if lens & RELATIVE == 0 { missing } else { all };
        let position_len = usize::from(lens >> 4 & POSITION_LEN);
        row.position = short(var, end, position_len);
        self.at = end + position_len;
    }
}
