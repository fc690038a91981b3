//! Which chunks an account occurs in, so that a walk through the past reads
//! only those of the accounts that it follows.
//!
//! Accounts lie in pages by rising id. The first id of each page stays in
//! memory; one read of one page answers for an account. Each page begins with
//! its checksum. Most accounts occur in one chunk of a segment, and cost about
//! three bytes here.

use super::bytes::{Reader, put_u32s, put_varint};
use super::radix::{Keys, parts};
use super::{Section, SegmentError};

/// Accounts in each page but the last.
const PAGE: usize = 512;

/// Chunks of a segment.
const CHUNKS_MAX: usize = 256;

/// Bytes of a page's checksum.
const CRC_LEN: usize = 4;

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

/// The section in the making.
#[derive(Debug, Default)]
pub(super) struct Draft {
    places: Keys,
}

impl Draft {
    /// Begins the next one, with room for that many transfers.
    pub(super) fn begin(&mut self, transfers: usize) {
        self.places.begin(2 * transfers);
    }

    /// Takes the accounts of a chunk, in any order and however often.
    pub(super) fn push_chunk(&mut self, columns: [&[[u8; 4]]; 2]) {
        for accounts in columns {
            self.places.extend(accounts.iter().map(|id| u32::from_le_bytes(*id)));
        }
        self.places.end_chunk();
    }

    /// Appends the section, and to the directory what it has to tell of the
    /// section's pages.
    pub(super) fn finish(&mut self, section: &mut Vec<u8>, directory: &mut Vec<u8>) {
        let mut pages = Pages { section, directory, accounts: 0, first: 0, last: 0, start: 0 };
        let mut chunks = [0; CHUNKS_MAX];
        self.places.visit_sorted(|high, group| {
            for places in group.chunk_by(|one, next| parts(*one).0 == parts(*next).0) {
                let (mut len, mut last) = (0, None);
                for place in places {
                    if last.replace(*place) != Some(*place) {
                        chunks[len] = parts(*place).1;
                        len += 1;
                    }
                }
                pages.put(high | parts(places[0]).0, &chunks[..len]);
            }
        });
        pages.end();
    }
}

/// The pages of accounts that come by rising id.
struct Pages<'a> {
    section: &'a mut Vec<u8>,
    directory: &'a mut Vec<u8>,
    /// Of the last page: how many there are, and the first and the last of them.
    accounts: usize,
    first: u32,
    last: u32,
    /// Where that page begins.
    start: usize,
}

impl Pages<'_> {
    fn put(&mut self, account: u32, chunks: &[u8]) {
        if self.accounts == PAGE {
            self.end();
        }
        if self.accounts == 0 {
            self.start = self.section.len();
            (self.first, self.last) = (account, account);
            put_u32s(self.section, [0]);
        }
        self.accounts += 1;
        let step = u64::from(account - self.last) << 1;
        self.last = account;
        if let ([chunk], Ok(step @ ..0x80)) = (chunks, u8::try_from(step)) {
            self.section.extend_from_slice(&[step, *chunk]);
        } else if let [chunk] = chunks {
            put_varint(self.section, step);
            self.section.push(*chunk);
        } else {
            put_varint(self.section, step | 1);
            put_places(self.section, chunks);
        }
    }

    /// Ends the page in the making, if there is one: its checksum comes first.
    fn end(&mut self) {
        if self.accounts == 0 {
            return;
        }
        let (crc, body) = self.section[self.start..].split_at_mut(CRC_LEN);
        crc.copy_from_slice(&crc32fast::hash(body).to_le_bytes());
        let len = u32::try_from(CRC_LEN + body.len());
        put_u32s(self.directory, [self.first, len.expect("512 accounts of at most 38 bytes")]);
        self.accounts = 0;
    }
}

fn put_places(body: &mut Vec<u8>, chunks: &[u8]) {
    body.push(u8::try_from(chunks.len() - 1).expect("a segment has at most 256 chunks"));
    if chunks.len() <= LIST_MAX {
        body.extend_from_slice(chunks);
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
