//! The transaction of each transfer, and the transfers of a transaction.
//!
//! Hashes lie in pages of 64, each with its checksum, so that the hash of one
//! transfer is one small read. The locator tells for each hash the chunk in
//! which it occurs: hashes are uniform, so their first bytes choose a bucket of
//! about 32, and one byte more tells all but one in 256 strangers apart. A
//! transaction that the segment does not know costs two small reads, and one
//! time in eight those of the hashes of one chunk.

use super::bytes::{Reader, put_u32s};
use super::{CHUNK, Section, SegmentError};
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

pub(super) fn put_pages(txs: &[TxHash]) -> Vec<u8> {
    let mut into = Vec::with_capacity(txs.len() * (HASH_LEN + 1));
    for page in txs.chunks(PAGE as usize) {
        let start = into.len();
        into.extend(page.iter().flat_map(|tx| tx.0));
        let crc = crc32fast::hash(&into[start..]);
        put_u32s(&mut into, [crc]);
    }
    into
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

/// Where a hash is looked up: its bucket, and the byte that it leaves there.
pub(super) fn place(tx: &TxHash, transfers: u32) -> (u32, u8) {
    let head = tx.0.first_chunk().map_or(0, |head| u32::from_le_bytes(*head));
    let bucket = (u64::from(head) * u64::from(buckets(transfers))) >> 32;
    ((bucket & 0xffff_ffff) as u32, tx.0[4])
}

/// Where the entries of each bucket begin, as `u32`, and where the last end;
/// then the buckets: a checksum and an entry of two bytes for each hash.
pub(super) fn put_locator(txs: &[TxHash]) -> Vec<u8> {
    let transfers = u32::try_from(txs.len()).expect("a segment holds at most 2^20");
    let mut entries: Vec<(u32, u8, u8)> = Vec::with_capacity(txs.len());
    for (chunk, txs) in (0..=u8::MAX).zip(txs.chunks(CHUNK as usize)) {
        let mut last = None;
        for tx in txs.iter().filter(|tx| last.replace(**tx) != Some(**tx)) {
            let (bucket, mark) = place(tx, transfers);
            entries.push((bucket, mark, chunk));
        }
    }
    entries.sort_unstable();
    let start = |bucket| entries.partition_point(|entry| entry.0 < bucket);
    let starts: Vec<usize> = (0..=buckets(transfers)).map(start).collect();
    let mut into = Vec::with_capacity(txs.len() * 9 / 4 + 8);
    let narrow = |start: &usize| u32::try_from(*start).expect("at most 2^20 entries");
    put_u32s(&mut into, starts.iter().map(narrow));
    for (bucket, bounds) in (0..).zip(starts.windows(2)) {
        let body: Vec<u8> =
            entries[bounds[0]..bounds[1]].iter().flat_map(|entry| [entry.1, entry.2]).collect();
        put_u32s(&mut into, [bucket_crc(bucket, &body)]);
        into.extend(body);
    }
    into
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
