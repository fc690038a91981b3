//! Numbers in as few bytes as they need, each with a code of four bits.
//!
//! A code names a length and a unit, because people pay round sums: 5 000 USDT
//! is 5 000 000 000 base units, and one byte. Numbers are read eight bytes at a
//! time; missing bytes read as zeros, so any code and any bytes give a number.

/// What each code from 9 on counts in, and in how many bytes: chosen for what
/// they save on recorded transfers of TRON; where other sums are paid they save
/// less. The codes below are plain numbers of 0 to 8 bytes.
const ROUND: [(u64, u8); 7] = [
    (100, 3),
    (10_000, 2),
    (10_000, 3),
    (1_000_000, 1),
    (1_000_000, 2),
    (100_000_000, 1),
    (1_000_000_000, 1),
];
const PLAIN_MAX: u8 = 8;

/// Bytes that follow for each code.
pub(super) const CODE_LEN: [u8; 16] = {
    let mut table = [0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0];
    let mut ix = 0;
    while ix < ROUND.len() {
        table[9 + ix] = ROUND[ix].1;
        ix += 1;
    }
    table
};

/// What those bytes count in.
const CODE_SCALE: [u64; 16] = {
    let mut table = [1; 16];
    let mut ix = 0;
    while ix < ROUND.len() {
        table[9 + ix] = ROUND[ix].0;
        ix += 1;
    }
    table
};

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

/// Bytes that the value needs: none for zero, at most eight.
pub(super) fn byte_len(value: u64) -> u8 {
    let bits = u64::BITS - value.leading_zeros();
    u8::try_from(bits.div_ceil(8)).expect("64 bits are eight bytes")
}

/// The code that needs the fewest bytes.
fn code_of(value: u64) -> u8 {
    let plain = byte_len(value);
    // Every unit is a multiple of 100, which is quickly told.
    if !value.is_multiple_of(100) {
        return plain;
    }
    let suits = |unit: u64, len: u8| {
        len < plain && value.is_multiple_of(unit) && byte_len(value / unit) <= len
    };
    let round = (PLAIN_MAX + 1..).zip(ROUND).filter(|(_, (unit, len))| suits(*unit, *len));
    round.min_by_key(|(_, (_, len))| *len).map_or(plain, |(code, _)| code)
}

/// Appends the lowest `len` bytes of a value.
pub(super) fn put(into: &mut Vec<u8>, value: u64, len: u8) {
    // Eight bytes are copied by one instruction, so many by a call.
    let end = into.len() + usize::from(len);
    into.extend_from_slice(&value.to_le_bytes());
    into.truncate(end);
}

/// Appends a value and gives its code.
pub(super) fn put_coded(into: &mut Vec<u8>, value: u64) -> u8 {
    let code = code_of(value);
    let ix = usize::from(code);
    put(into, value / CODE_SCALE[ix], CODE_LEN[ix]);
    code
}

/// The eight bytes from `at` on; zeros where there are none.
fn word(var: &[u8], at: usize) -> u64 {
    let tail = var.get(at..).and_then(<[u8]>::first_chunk);
    tail.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// The number of at most four bytes at `at`.
pub(super) fn short(var: &[u8], at: usize, len: usize) -> u32 {
    u32::try_from(word(var, at) & MASK[len.min(4)]).expect("at most four bytes are left")
}

/// The number of that code at `at`, and where it ends.
pub(super) fn coded(var: &[u8], at: usize, code: usize) -> (u64, usize) {
    let len = usize::from(CODE_LEN[code]);
    let scaled = (word(var, at) & MASK[len]) * CODE_SCALE[code];
    (scaled, at + len)
}
