//! Numbers as bytes. What always holds: a [`Reader`] never looks beyond its
//! bytes, and says where it stopped understanding them.

use super::{Section, SegmentError};

/// Appends seven bits a byte, low ones first; the last byte is below 128.
pub(super) fn put_varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    into.push((value & 0x7f) as u8);
}

/// Appends how to come from `base` to `value`, short when they are close.
pub(super) fn put_step(into: &mut Vec<u8>, base: u64, value: u64) {
    let step = value.wrapping_sub(base).cast_signed();
    put_varint(into, ((step << 1) ^ (step >> 63)).cast_unsigned());
}

/// Appends as many numbers of 32 bits as there are.
pub(super) fn put_u32s(into: &mut Vec<u8>, values: impl IntoIterator<Item = u32>) {
    for value in values {
        into.extend_from_slice(&value.to_le_bytes());
    }
}

/// Reads numbers from bytes of one section.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    section: Section,
    bytes: &'a [u8],
    at: usize,
    /// Where `bytes` begin in the section, to say where something is wrong.
    offset: u64,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(section: Section, bytes: &'a [u8], offset: u64) -> Self {
        Reader { section, bytes, at: 0, offset }
    }

    pub(super) const fn is_done(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// The error that something just read, or about to be read, is `what`.
    pub(super) const fn malformed(&self, what: &'static str) -> SegmentError {
        let offset = self.offset + self.at as u64;
        SegmentError::Malformed { section: self.section, offset, what }
    }

    /// Fails when bytes are left over.
    pub(super) fn end(&self) -> Result<(), SegmentError> {
        if self.is_done() { Ok(()) } else { Err(self.malformed("bytes are left over")) }
    }

    pub(super) fn slice(&mut self, len: usize) -> Result<&'a [u8], SegmentError> {
        let found = self.bytes[self.at..].get(..len);
        let found = found.ok_or_else(|| self.malformed("it ends too early"))?;
        self.at += len;
        Ok(found)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], SegmentError> {
        let mut array = [0; N];
        array.copy_from_slice(self.slice(N)?);
        Ok(array)
    }

    pub(super) fn byte(&mut self) -> Result<u8, SegmentError> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, SegmentError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, SegmentError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn varint(&mut self) -> Result<u64, SegmentError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.malformed("a number has more than 64 bits"))
    }

    pub(super) fn varint32(&mut self) -> Result<u32, SegmentError> {
        let value = self.varint()?;
        u32::try_from(value).map_err(|_| self.malformed("a number has more than 32 bits"))
    }

    /// The inverse of [`put_step`].
    pub(super) fn step(&mut self, base: u64) -> Result<u64, SegmentError> {
        let step = self.varint()?;
        Ok(base.wrapping_add((step >> 1) ^ (step & 1).wrapping_neg()))
    }
}
