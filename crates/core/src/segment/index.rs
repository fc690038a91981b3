//! Which chunks an account occurs in, so that a walk through the past reads
//! only those of the accounts that it follows.
//!
//! Accounts lie in pages by rising id. The first id of each page stays in
//! memory; one read of one page answers for an account. Each page begins with
//! its checksum. Most accounts occur in one chunk of a segment, and cost about
//! three bytes here.

use super::bytes::{Reader, put_u32s, put_varint};
use super::{Section, SegmentError, radix};

/// Accounts in each page but the last.
const PAGE: usize = 512;

/// With more chunks than this, an account has a bit for each of 256 instead.
const LIST_MAX: usize = 32;

/// What the directory tells of a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    /// Its first account.
    pub(super) first: u32,
    pub(super) offset: u64,
    pub(super) len: u32,
}

/// Accounts with the chunks they occur in, by rising chunk: the account's id
/// above the eight bits of the chunk.
#[derive(Debug, Default)]
pub(super) struct Draft {
    places: Vec<u64>,
    spare: Vec<u64>,
}

impl Draft {
    /// Begins the next one, with room for that many transfers.
    pub(super) fn begin(&mut self, transfers: usize) {
        self.places.clear();
        self.places.reserve(2 * transfers);
    }

    pub(super) fn push(&mut self, account: u32, chunk: u8) {
        self.places.push(u64::from(account) << 8 | u64::from(chunk));
    }

    /// Appends the section, and to the directory what it has to tell of the
    /// section's pages.
    pub(super) fn finish(&mut self, section: &mut Vec<u8>, directory: &mut Vec<u8>) {
        let most = self.places.iter().max().map_or(0, |place| account_of(*place));
        let bits = 8..8 + (u32::BITS - most.leading_zeros());
        radix::sort(&mut self.places, &mut self.spare, bits);
        self.places.dedup();
        let same = |one: &u64, next: &u64| account_of(*one) == account_of(*next);
        let mut accounts = self.places.chunk_by(same).peekable();
        while let Some(places) = accounts.peek() {
            let first = account_of(places[0]);
            let start = section.len();
            put_page(section, first, accounts.by_ref().take(PAGE));
            let len = u32::try_from(section.len() - start);
            put_u32s(directory, [first, len.expect("512 accounts of at most 38 bytes")]);
        }
    }
}

const fn account_of(place: u64) -> u32 {
    (place >> 8 & 0xffff_ffff) as u32
}

const fn chunk_of(place: u64) -> u8 {
    (place & 0xff) as u8
}

/// Appends a page, its checksum first.
fn put_page<'a>(section: &mut Vec<u8>, first: u32, accounts: impl Iterator<Item = &'a [u64]>) {
    let start = section.len();
    put_u32s(section, [0]);
    let body = section.len();
    let mut last = first;
    for places in accounts {
        let account = account_of(places[0]);
        let step = u64::from(account - last) << 1;
        last = account;
        if places.len() == 1 {
            put_varint(section, step);
            section.push(chunk_of(places[0]));
        } else {
            put_varint(section, step | 1);
            put_places(section, places);
        }
    }
    let crc = crc32fast::hash(&section[body..]);
    section[start..body].copy_from_slice(&crc.to_le_bytes());
}

fn put_places(body: &mut Vec<u8>, places: &[u64]) {
    body.push(u8::try_from(places.len() - 1).expect("a segment has at most 256 chunks"));
    let chunks = places.iter().map(|place| chunk_of(*place));
    if places.len() <= LIST_MAX {
        body.extend(chunks);
        return;
    }
    let mut bits = [0_u8; 32];
    for chunk in chunks {
        bits[usize::from(chunk / 8)] |= 1 << (chunk % 8);
    }
    body.extend(bits);
}

/// The page that tells of the account, if any does.
pub(super) fn page_for(pages: &[Page], account: u32) -> Option<Page> {
    let after = pages.partition_point(|page| page.first <= account);
    after.checked_sub(1).map(|ix| pages[ix])
}

/// Checks a page and visits its accounts, until `visit` wants no more.
pub(super) fn walk(
    page: Page,
    bytes: &[u8],
    mut visit: impl FnMut(u32, &[u8]) -> bool,
) -> Result<(), SegmentError> {
    let (section, offset) = (Section::Index, page.offset);
    let mut reader = Reader::new(section, bytes, offset);
    if reader.u32()? != crc32fast::hash(&bytes[4..]) {
        return Err(SegmentError::Checksum { section, offset });
    }
    let mut account = page.first;
    let mut chunks = Vec::new();
    while !reader.is_done() {
        let step = reader.varint()?;
        let next = u32::try_from(step >> 1).ok().and_then(|step| account.checked_add(step));
        account = next.ok_or_else(|| reader.malformed("an account has more than 32 bits"))?;
        chunks.clear();
        read_places(&mut reader, step & 1 == 1, &mut chunks)?;
        if !visit(account, &chunks) {
            return Ok(());
        }
    }
    Ok(())
}

fn read_places(
    reader: &mut Reader<'_>,
    many: bool,
    chunks: &mut Vec<u8>,
) -> Result<(), SegmentError> {
    if !many {
        chunks.push(reader.byte()?);
        return Ok(());
    }
    let count = usize::from(reader.byte()?) + 1;
    if count <= LIST_MAX {
        chunks.extend(reader.slice(count)?);
    } else {
        let bits: [u8; 32] = reader.array()?;
        let is_set = |chunk: &u8| bits[usize::from(chunk / 8)] >> (chunk % 8) & 1 == 1;
        chunks.extend((0..=u8::MAX).filter(is_set));
    }
    Ok(())
}
