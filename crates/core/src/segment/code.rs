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

/// Numbers in the making, one row behind the other.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// Longer than what is put, so that eight bytes are written at a time.
    bytes: Vec<u8>,
    len: usize,
}

impl Numbers {
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Room for one more row, to be [taken](Self::take) once it is written.
    #[inline]
    pub(super) fn room(&mut self) -> Room<'_> {
        if self.bytes.len() < self.len + ROOM {
            self.grow();
        }
        let bytes = self.bytes[self.len..].first_chunk_mut().expect("it was made");
        Room { bytes, len: 0 }
    }

    #[cold]
    fn grow(&mut self) {
        self.bytes.resize(2 * self.bytes.len() + ROOM, 0);
    }

    /// Takes as many bytes of the room as were written.
    #[inline]
    pub(super) fn take(&mut self, len: usize) {
        self.len += len;
    }
}

/// Bytes of a row, 41 at most, and eight for what is written beyond its last number.
const ROOM: usize = 56;

/// A row in the making.
#[derive(Debug)]
pub(super) struct Room<'a> {
    bytes: &'a mut [u8; ROOM],
    pub(super) len: usize,
}

impl Room<'_> {
    /// Appends the lowest `len` bytes of a value, at most eight.
    #[inline]
    pub(super) fn put(&mut self, value: u64, len: u8) {
        self.bytes[self.len..][..8].copy_from_slice(&value.to_le_bytes());
        self.len += usize::from(len);
    }

    /// Appends a value in the fewest bytes and gives its code.
    #[inline(always)]
    pub(super) fn put_coded(&mut self, value: u64) -> u8 {
        let plain = byte_len(value);
        // Every unit is a multiple of 100, which is quickly told; and what needs
        // one byte cannot be shorter.
        if plain > 1 && value.is_multiple_of(100) {
            return self.put_rounded(value, plain);
        }
        self.put(value, plain);
        plain
    }

    #[inline(never)]
    fn put_rounded(&mut self, value: u64, plain: u8) -> u8 {
        let (code, count) = rounded(value, plain).unwrap_or((plain, value));
        self.put(count, CODE_LEN[usize::from(code)]);
        code
    }

    pub(super) fn set_byte(&mut self, at: usize, byte: u8) {
        self.bytes[at] = byte;
    }
}

/// The code of a round sum that needs the fewest bytes, and what it counts; the
/// first such where several are as short, none where the plain number is.
fn rounded(value: u64, plain: u8) -> Option<(u8, u64)> {
    counted::<12>(value, plain)
        .or_else(|| counted::<14>(value, plain))
        .or_else(|| counted::<15>(value, plain))
        .or_else(|| counted::<10>(value, plain))
        .or_else(|| counted::<13>(value, plain))
        .or_else(|| counted::<9>(value, plain))
        .or_else(|| counted::<11>(value, plain))
}

/// What the value is in the unit of a code. That is known to the compiler, which
/// then multiplies where it had to divide.
fn counted<const CODE: u8>(value: u64, plain: u8) -> Option<(u8, u64)> {
    let (unit, len) = ROUND[usize::from(CODE - PLAIN_MAX - 1)];
    let count = value / unit;
    let suits = len < plain && count * unit == value && count <= MASK[usize::from(len)];
    suits.then_some((CODE, count))
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
