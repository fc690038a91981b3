//! The transaction of each transfer, and the transfers of a transaction.
//!
//! Hashes lie in pages of 64, each with its checksum, so that the hash of one
//! transfer is one small read. The locator tells for each hash the chunk in
//! which it occurs: hashes are uniform, so their first bytes choose a bucket of
//! about 32, and one byte more tells all but one in 256 strangers apart. A
//! transaction that the segment does not know costs two small reads, and one
//! time in eight those of the hashes of one chunk.

use super::bytes::{Reader, put_u32s};
use super::{Section, SegmentError, radix};
use crate::TxHash;

/// Hashes in each page but the last.
pub(super) const PAGE: u32 = 64;

/// Bytes of a hash, and of a page's or a bucket's checksum.
const HASH_LEN: usize = 32;
const CRC_LEN: usize = 4;
pub(super) const PAGE_LEN: usize = PAGE as usize * HASH_LEN + CRC_LEN;

/// Transfers for each bucket.
const BUCKET: u32 = 32;

/// Bytes of the hashes of so many transfers.
pub(super) fn pages_len(transfers: u32) -> u64 {
    let crcs = u64::from(transfers.div_ceil(PAGE)) * CRC_LEN as u64;
    u64::from(transfers) * HASH_LEN as u64 + crcs
}

/// Both sections in the making.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pages: Vec<u8>,
    /// Where the last page begins.
    page: usize,
    last: Option<(TxHash, u8)>,
    /// What places a hash in its bucket, its mark, its chunk; in 32, 8, 8 bits.
    entries: Vec<u64>,
    spare: Vec<u64>,
}

impl Draft {
    /// Begins the next one, with room for that many transfers.
    pub(super) fn begin(&mut self, transfers: usize) {
        self.pages.clear();
        self.pages.reserve(transfers.div_ceil(PAGE as usize) * PAGE_LEN);
        self.entries.clear();
        self.entries.reserve(transfers);
        (self.page, self.last) = (0, None);
    }

    pub(super) fn push(&mut self, tx: TxHash, chunk: u8) {
        if self.pages.len() - self.page == PAGE_LEN - CRC_LEN {
            self.end_page();
        }
        self.pages.extend_from_slice(&tx.0);
        if self.last.replace((tx, chunk)) != Some((tx, chunk)) {
            let entry = u64::from(head(&tx)) << 16 | u64::from(mark(&tx)) << 8;
            self.entries.push(entry | u64::from(chunk));
        }
    }

    fn end_page(&mut self) {
        let crc = crc32fast::hash(&self.pages[self.page..]);
        put_u32s(&mut self.pages, [crc]);
        self.page = self.pages.len();
    }

    /// The section of the pages; appends that of the locator of all transfers,
    /// of which there are so many.
    pub(super) fn finish(&mut self, transfers: u32, locator: &mut Vec<u8>) -> &[u8] {
        if self.pages.len() > self.page {
            self.end_page();
        }
        for entry in &mut self.entries {
            *entry = bucket(*entry >> 16, transfers) << 16 | *entry & 0xffff;
        }
        // By bucket and mark; they came by rising chunk.
        let bits = 8..16 + (u32::BITS - buckets(transfers).leading_zeros());
        radix::sort(&mut self.entries, &mut self.spare, bits);
        put_locator(&self.entries, transfers, locator);
        &self.pages
    }
}

/// The hashes of whole pages that begin at `offset`.
pub(super) fn read_pages(bytes: &[u8], offset: u64) -> Result<Vec<TxHash>, SegmentError> {
    let mut txs = Vec::with_capacity(bytes.len() / HASH_LEN);
    let mut at = offset;
    for page in bytes.chunks(PAGE_LEN) {
        let mut reader = Reader::new(Section::Hashes, page, at);
        let hashes = reader.slice(page.len().saturating_sub(CRC_LEN))?;
        if reader.u32()? != crc32fast::hash(hashes) {
            return Err(SegmentError::Checksum { section: Section::Hashes, offset: at });
        }
        let (words, _) = hashes.as_chunks::<HASH_LEN>();
        txs.extend(words.iter().map(|hash| TxHash(*hash)));
        at += page.len() as u64;
    }
    Ok(txs)
}

pub(super) const fn buckets(transfers: u32) -> u32 {
    transfers.div_ceil(BUCKET)
}

/// What chooses the bucket: hashes are uniform.
fn head(tx: &TxHash) -> u32 {
    tx.0.first_chunk().map_or(0, |head| u32::from_le_bytes(*head))
}

/// The byte that a hash leaves in its bucket.
const fn mark(tx: &TxHash) -> u8 {
    tx.0[4]
}

/// The bucket of a hash with that head.
fn bucket(head: u64, transfers: u32) -> u64 {
    (head * u64::from(buckets(transfers))) >> 32
}

/// Where a hash is looked up: its bucket, and the byte that it leaves there.
pub(super) fn place(tx: &TxHash, transfers: u32) -> (u32, u8) {
    let bucket = bucket(head(tx).into(), transfers);
    ((bucket & 0xffff_ffff) as u32, mark(tx))
}

/// Appends where the entries of each bucket begin, as `u32`, and where the last
/// end; then the buckets: a checksum and an entry of two bytes for each hash.
fn put_locator(entries: &[u64], transfers: u32, into: &mut Vec<u8>) {
    let mut starts = Vec::with_capacity(buckets(transfers) as usize + 1);
    let mut start = 0;
    for bucket in 0..u64::from(buckets(transfers)) {
        starts.push(start);
        start += entries[start..].iter().take_while(|entry| **entry >> 16 == bucket).count();
    }
    starts.push(start);
    let narrow = |start: &usize| u32::try_from(*start).expect("at most 2^20 entries");
    put_u32s(into, starts.iter().map(narrow));
    let mut body = Vec::new();
    for (bucket, bounds) in (0..).zip(starts.windows(2)) {
        body.clear();
        for entry in &entries[bounds[0]..bounds[1]] {
            body.extend_from_slice(&((entry & 0xffff) as u16).to_be_bytes());
        }
        put_u32s(into, [bucket_crc(bucket, &body)]);
        into.extend_from_slice(&body);
    }
}

/// Numbered, so that the bytes of another bucket do not pass for this one's.
fn bucket_crc(bucket: u32, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bucket.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}

/// Where the numbers lie that tell where the bucket begins and ends.
pub(super) fn bounds_at(bucket: u32) -> u64 {
    u64::from(bucket) * 4
}

/// Where the bucket begins in the section, and how many bytes it has.
pub(super) fn bucket_range(
    bucket: u32,
    transfers: u32,
    bounds: [u32; 2],
) -> Result<(u64, u64), SegmentError> {
    let (section, offset) = (Section::Locator, bounds_at(bucket));
    let what = "a bucket ends before it begins";
    let len = bounds[1].checked_sub(bounds[0]);
    let len = len.ok_or(SegmentError::Malformed { section, offset, what })?;
    let before = (u64::from(buckets(transfers)) + 1) * 4 + bounds_at(bucket);
    Ok((before + u64::from(bounds[0]) * 2, CRC_LEN as u64 + u64::from(len) * 2))
}

/// The chunks of a bucket in which a hash of that mark may occur, rising.
pub(super) fn candidates(
    bucket: u32,
    mark: u8,
    bytes: &[u8],
    offset: u64,
) -> Result<Vec<u8>, SegmentError> {
    let mut reader = Reader::new(Section::Locator, bytes, offset);
    let crc = reader.u32()?;
    let body = reader.slice(bytes.len() - CRC_LEN)?;
    if crc != bucket_crc(bucket, body) {
        return Err(SegmentError::Checksum { section: Section::Locator, offset });
    }
    let (entries, _) = body.as_chunks::<2>();
    let mut chunks: Vec<u8> = entries.iter().filter(|e| e[0] == mark).map(|e| e[1]).collect();
    chunks.dedup();
    Ok(chunks)
}
