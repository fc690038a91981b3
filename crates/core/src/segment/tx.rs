//! The transaction of each transfer, and the transfers of a transaction.
//!
//! Hashes lie in pages of 64, each with its checksum, so that the hash of one
//! transfer is one small read. The locator tells for each hash the chunk in
//! which it occurs: hashes are uniform, so their first bytes choose a bucket of
//! about 32, and one byte more tells all but one in 256 strangers apart. A
//! transaction that the segment does not know costs two small reads, and one
//! time in eight those of the hashes of one chunk.

use super::bytes::{Reader, put_u32s};
use super::radix::{Keys, parts};
use super::{CHUNK, Section, SegmentError};
use crate::TxHash;

/// Hashes in each page but the last.
pub(super) const PAGE: u32 = 64;

/// Bytes of a hash, and of a page's or a bucket's checksum.
const HASH_LEN: usize = 32;
const CRC_LEN: usize = 4;
pub(super) const PAGE_LEN: usize = PAGE as usize * HASH_LEN + CRC_LEN;

/// Pages of the transfers of one chunk.
const PAGES_IN_CHUNK: usize = (CHUNK / PAGE) as usize;

/// Transfers for each bucket.
const BUCKET: u32 = 32;

/// Bytes of the hashes of so many transfers.
pub(super) fn pages_len(transfers: u32) -> u64 {
    let crcs = u64::from(transfers.div_ceil(PAGE)) * CRC_LEN as u64;
    u64::from(transfers) * HASH_LEN as u64 + crcs
}

/// Makes room for so many hashes.
pub(super) fn reserve(pages: &mut Vec<u8>, transfers: usize) {
    pages.reserve(transfers.div_ceil(PAGE as usize) * PAGE_LEN);
}

/// Appends the hash of the next transfer to its section.
pub(super) fn put_hash(pages: &mut Vec<u8>, tx: &TxHash) {
    pages.extend_from_slice(&tx.0);
}

/// Ends the page of the hashes put last, of which there are some.
pub(super) fn end_page(pages: &mut Vec<u8>) {
    let start = pages.len() - pages.len() % PAGE_LEN;
    let crc = crc32fast::hash(&pages[start..]);
    put_u32s(pages, [crc]);
}

/// The locator in the making.
#[derive(Debug, Default)]
pub(super) struct Locator {
    /// For each hash its bucket, and its mark in the lowest byte.
    places: Keys,
}

impl Locator {
    /// Makes the locator of hashes in whole pages, of which there are so many.
    pub(super) fn put(&mut self, pages: &[u8], transfers: u32, into: &mut Vec<u8>) {
        self.places.begin(transfers as usize);
        for chunk in pages.chunks(PAGES_IN_CHUNK * PAGE_LEN) {
            let mut last = None;
            for page in chunk.chunks(PAGE_LEN) {
                // Transfers of one transaction follow each other.
                let told = hashes_of(page).iter().filter(|tx| last.replace(*tx) != Some(*tx));
                self.places.extend(told.map(|tx| key(tx, transfers)));
            }
            self.places.end_chunk();
        }
        let mut buckets = Buckets::begin(into, buckets(transfers));
        self.places.visit_sorted(|high, group| {
            let key = |entry: u32| high | parts(entry).0;
            for entries in group.chunk_by(|one, next| key(*one) >> 8 == key(*next) >> 8) {
                let told = |entry: &u32| [(key(*entry) & 0xff) as u8, parts(*entry).1];
                buckets.put(key(entries[0]) >> 8, entries.iter().map(told));
            }
        });
        buckets.end();
    }
}

/// The hashes of a whole page.
fn hashes_of(page: &[u8]) -> &[[u8; HASH_LEN]] {
    page[..page.len().saturating_sub(CRC_LEN)].as_chunks().0
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

/// The bucket of a hash, and in the lowest byte the mark that it leaves there.
/// Its first bytes choose the bucket: hashes are uniform.
fn key(tx: &[u8; HASH_LEN], transfers: u32) -> u32 {
    let head = u32::from_le_bytes([tx[0], tx[1], tx[2], tx[3]]);
    let bucket = (u64::from(head) * u64::from(buckets(transfers))) >> 32;
    ((bucket & 0xff_ffff) as u32) << 8 | u32::from(tx[4])
}

/// Where a hash is looked up: its bucket, and the byte that it leaves there.
pub(super) fn place(tx: &TxHash, transfers: u32) -> (u32, u8) {
    let key = key(&tx.0, transfers);
    (key >> 8, (key & 0xff) as u8)
}

/// A locator in the making: where the entries of each bucket begin, as `u32`,
/// and where the last end; then the buckets: a checksum and an entry of two
/// bytes for each hash.
struct Buckets<'a> {
    into: &'a mut Vec<u8>,
    /// Where the bucket in the making begins.
    start: usize,
    bucket: u32,
    buckets: u32,
    /// Those of the buckets before it.
    entries: u32,
}

impl Buckets<'_> {
    fn begin(into: &mut Vec<u8>, buckets: u32) -> Buckets<'_> {
        into.clear();
        into.resize((buckets as usize + 1) * 4 + CRC_LEN, 0);
        Buckets { start: into.len() - CRC_LEN, into, bucket: 0, buckets, entries: 0 }
    }

    /// Appends the marks and chunks of some more hashes of a bucket.
    fn put(&mut self, bucket: u32, told: impl ExactSizeIterator<Item = [u8; 2]>) {
        while self.bucket < bucket {
            self.end_bucket();
        }
        let start = self.into.len();
        self.into.resize(start + 2 * told.len(), 0);
        let (slots, _) = self.into[start..].as_chunks_mut();
        slots.iter_mut().zip(told).for_each(|(slot, told)| *slot = told);
    }

    /// Ends the bucket in the making and begins the next one.
    fn end_bucket(&mut self) {
        let crc = bucket_crc(self.bucket, &self.into[self.start + CRC_LEN..]);
        self.into[self.start..][..CRC_LEN].copy_from_slice(&crc.to_le_bytes());
        let entries = (self.into.len() - self.start - CRC_LEN) / 2;
        self.entries += u32::try_from(entries).expect("at most 2^20 of a segment");
        self.bucket += 1;
        let bound = self.bucket as usize * 4;
        self.into[bound..][..4].copy_from_slice(&self.entries.to_le_bytes());
        self.start = self.into.len();
        put_u32s(self.into, [0]);
    }

    fn end(mut self) {
        while self.bucket < self.buckets {
            self.end_bucket();
        }
        // There is no next one.
        self.into.truncate(self.start);
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
