//! One transfer in as few bytes as its numbers need.
//!
//! The control word has 16 bits: a code of 4 bits each for amount, rest and
//! balance before, 3 bits for the log index, and 1 bit that says that a
//! shortfall or a position follow. A code names a length and a scale, because
//! people pay round sums: 5 000 USDT is 5 000 000 000 units, and two bytes.
//!
//! What always holds: any control word and any bytes unpack to some row
//! without a panic; missing bytes read as zeros.

use crate::graph::NO_LOG_INDEX;

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

/// Bytes that follow for each code: a plain number of 0 to 8 bytes, hundredths
/// of a USDT in 1 to 4, whole USDT in 1 to 3.
const CODE_LEN: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 1, 2, 3];
const CENT: u64 = 10_000;
const WHOLE: u64 = 1_000_000;
const CODE_SCALE: [u64; 16] =
    [1, 1, 1, 1, 1, 1, 1, 1, 1, CENT, CENT, CENT, CENT, WHOLE, WHOLE, WHOLE];

/// Bytes of the log index for each of its codes; the last ones are of no use.
const LOG_LEN: [u8; 8] = [0, 1, 2, 3, 4, 0, 0, 0];
const LOG_NONE: u8 = 5;
const EXTRA: u16 = 1 << 15;

/// The lowest bytes of a word, by how many are meant.
const MASK: [u64; 9] = [
    0,
    0xff,
    0xffff,
    0xff_ffff,
    0xffff_ffff,
    0xff_ffff_ffff,
    0xffff_ffff_ffff,
    0xff_ffff_ffff_ffff,
    u64::MAX,
];

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

/// The same for the high byte; what its topmost bit announces is not counted.
const HIGH_LEN: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = CODE_LEN[byte & 15] + LOG_LEN[(byte >> 4) & 7];
        byte += 1;
    }
    table
};

/// Bytes that the value needs: none for zero, at most eight.
fn byte_len(value: u64) -> u8 {
    let bits = u64::BITS - value.leading_zeros();
    u8::try_from(bits.div_ceil(8)).expect("64 bits are eight bytes")
}

/// The code that needs the fewest bytes.
fn code_of(value: u64) -> u8 {
    let plain = byte_len(value);
    if value.is_multiple_of(WHOLE) && byte_len(value / WHOLE) < plain.min(4) {
        return 12 + byte_len(value / WHOLE);
    }
    if value.is_multiple_of(CENT) && byte_len(value / CENT) < plain.min(5) {
        return 8 + byte_len(value / CENT);
    }
    plain
}

fn put(into: &mut Vec<u8>, value: u64, len: u8) {
    into.extend_from_slice(&value.to_le_bytes()[..usize::from(len)]);
}

fn put_coded(into: &mut Vec<u8>, value: u64) -> u8 {
    let code = code_of(value);
    let ix = usize::from(code);
    put(into, value / CODE_SCALE[ix], CODE_LEN[ix]);
    code
}

/// Appends the numbers of a row, its ends aside, and gives its control word.
pub(super) fn pack(row: &Row, into: &mut Vec<u8>) -> u16 {
    let amount = put_coded(into, row.amount);
    let rest = put_coded(into, row.rest);
    let before = put_coded(into, row.to_before);
    let none = row.log_index == NO_LOG_INDEX;
    let log = if none { LOG_NONE } else { byte_len(row.log_index.into()) };
    put(into, row.log_index.into(), LOG_LEN[usize::from(log)]);
    let control = u16::from_le_bytes([amount | rest << 4, before | log << 4]);
    if row.missing == 0 && row.position == 0 {
        return control;
    }
    let extra = into.len();
    into.push(0);
    let missing = put_coded(into, row.missing);
    let position = byte_len(row.position.into());
    put(into, row.position.into(), position);
    into[extra] = missing | position << 4;
    control | EXTRA
}

/// The eight bytes from `at` on; zeros where there are none.
fn word(var: &[u8], at: usize) -> u64 {
    let tail = var.get(at..).and_then(<[u8]>::first_chunk);
    tail.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn short(var: &[u8], at: usize, len: usize) -> u32 {
    u32::try_from(word(var, at) & MASK[len.min(4)]).expect("at most four bytes are left")
}

fn coded(var: &[u8], at: usize, code: usize) -> (u64, usize) {
    let len = usize::from(CODE_LEN[code]);
    let scaled = (word(var, at) & MASK[len]) * CODE_SCALE[code];
    (scaled, at + len)
}

fn extra_len(var: &[u8], at: usize) -> usize {
    let lens = usize::from(var.get(at).copied().unwrap_or(0));
    1 + usize::from(CODE_LEN[lens & 15]) + (lens >> 4)
}

/// Where the row of that control word ends which begins at `at`.
pub(super) fn skip(control: u16, var: &[u8], at: usize) -> usize {
    let [low, high] = control.to_le_bytes();
    let end = at + usize::from(LOW_LEN[usize::from(low)] + HIGH_LEN[usize::from(high)]);
    if control & EXTRA == 0 { end } else { end + extra_len(var, end) }
}

/// The row of that control word which begins at `at`, and where it ends. `var`
/// must have at least [`PAD`](super::chunk::PAD) bytes behind the last row.
pub(super) fn unpack(ends: (u32, u32), control: u16, var: &[u8], at: usize) -> (Row, usize) {
    let code = |shift: u16| usize::from(control >> shift & 15);
    let (amount, at) = coded(var, at, code(0));
    let (rest, at) = coded(var, at, code(4));
    let (to_before, at) = coded(var, at, code(8));
    let log = usize::from(control >> 12 & 7);
    let log_len = usize::from(LOG_LEN[log]);
    let log_index =
        if log >= usize::from(LOG_NONE) { NO_LOG_INDEX } else { short(var, at, log_len) };
    let mut row = Row {
        from: ends.0,
        to: ends.1,
        amount,
        rest,
        to_before,
        missing: 0,
        log_index,
        position: 0,
    };
    let at = at + log_len;
    if control & EXTRA == 0 {
        return (row, at);
    }
    let lens = usize::from(var.get(at).copied().unwrap_or(0));
    let (missing, end) = coded(var, at + 1, lens & 15);
    row.missing = missing;
    row.position = short(var, end, lens >> 4);
    (row, end + (lens >> 4))
}
