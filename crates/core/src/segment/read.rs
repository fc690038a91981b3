//! Reads a segment. Opening reads the header and the directory, which stay in
//! memory: 8 bytes for each 512 accounts and 16 for each 4096 transfers.
//!
//! What always holds: what is read is compared with a checksum before it is
//! believed; no bytes whatever make a reader panic or run without end.

use std::sync::Arc;

use super::block::{read_accounts, read_blocks};
use super::bytes::Reader;
use super::header::Counts;
use super::other::read_others;
use super::sections::Sections;
use super::{BlockRow, CHUNK, Columns, Image, Other, Section, SegmentError};
use super::{chunk, index, tx};
use crate::{AccountKey, TxHash};

/// An immutable stretch of the past of all chains.
#[derive(Debug)]
pub(crate) struct Segment {
    sections: Sections,
    chunks: Vec<chunk::Entry>,
    pages: Vec<index::Page>,
}

impl Segment {
    /// Reads the header and the directory.
    pub(crate) fn open(image: Arc<dyn Image>) -> Result<Segment, SegmentError> {
        let sections = Sections::open(image)?;
        let header = sections.header;
        let directory = sections.whole(Section::Directory)?;
        let mut segment = Segment { sections, chunks: Vec::new(), pages: Vec::new() };
        let mut reader = Reader::new(Section::Directory, &directory, 0);
        segment.read_chunk_entries(&mut reader)?;
        segment.read_page_entries(&mut reader)?;
        let hashes = header.extent(Section::Hashes).len;
        if hashes != tx::pages_len(header.counts.transfers) {
            let (section, what) = (Section::Hashes, "there is not one hash for each transfer");
            return Err(SegmentError::Malformed { section, offset: 0, what });
        }
        Ok(segment)
    }

    fn read_chunk_entries(&mut self, reader: &mut Reader<'_>) -> Result<(), SegmentError> {
        let mut offset = 0;
        for ix in 0..self.counts().transfers.div_ceil(CHUNK) {
            let (var, crc) = (reader.u32()?, reader.u32()?);
            self.chunks.push(chunk::Entry { offset, var, crc });
            offset += chunk::fixed_len(self.rows_in(ix)) as u64 + u64::from(var);
        }
        if offset == self.sections.header.extent(Section::Chunks).len {
            return Ok(());
        }
        Err(reader.malformed("chunks have another length than their section"))
    }

    fn read_page_entries(&mut self, reader: &mut Reader<'_>) -> Result<(), SegmentError> {
        let mut offset = 0;
        while !reader.is_done() {
            let (first, len) = (reader.u32()?, reader.u32()?);
            if self.pages.last().is_some_and(|last| last.first >= first) {
                return Err(reader.malformed("pages of the account index are out of order"));
            }
            self.pages.push(index::Page { first, offset, len });
            offset += u64::from(len);
        }
        if offset == self.sections.header.extent(Section::Index).len {
            return Ok(());
        }
        Err(reader.malformed("pages of the account index have another length than it"))
    }

    /// Reads everything and compares it with every checksum.
    pub(crate) fn verify(&self) -> Result<(), SegmentError> {
        Section::STORED.into_iter().try_for_each(|section| self.sections.check(section))?;
        self.blocks()?;
        self.others()?;
        self.accounts()?;
        for page in &self.pages {
            index::walk(*page, &self.page(*page)?, |_, _| true)?;
        }
        let mut columns = Columns::default();
        for ix in 0..self.chunk_count() {
            self.chunk(ix, &mut columns)?;
            if !columns.rows_fit() {
                let (section, offset) = (Section::Chunks, self.chunks[ix as usize].offset);
                let what = "rows have other lengths than their marks tell";
                return Err(SegmentError::Malformed { section, offset, what });
            }
        }
        Ok(())
    }

    const fn counts(&self) -> Counts {
        self.sections.header.counts
    }

    /// The global id of the first transfer.
    pub(crate) const fn first_transfer(&self) -> u32 {
        self.counts().first_transfer
    }

    /// How many transfers there are.
    pub(crate) const fn transfers(&self) -> u32 {
        self.counts().transfers
    }

    /// The global rank of the first block.
    pub(crate) const fn first_block(&self) -> u32 {
        self.counts().first_block
    }

    /// How many blocks there are.
    pub(crate) const fn blocks_len(&self) -> u32 {
        self.counts().blocks
    }

    /// The global id of the first account introduced here.
    pub(crate) const fn first_account(&self) -> u32 {
        self.counts().first_account
    }

    /// How many accounts are introduced here.
    pub(crate) const fn accounts_len(&self) -> u32 {
        self.counts().accounts
    }

    /// Where its bytes lie.
    pub(crate) fn image(&self) -> Arc<dyn Image> {
        self.sections.image()
    }

    /// Its length in bytes and the checksum of its header, which covers the
    /// counts and the checksums of all sections.
    pub(crate) fn identity(&self) -> (u64, u32) {
        (self.sections.len(), self.sections.header.crc)
    }

    /// Bytes of all sections, and those of transaction hashes and their locator among them.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let len = |section| self.sections.header.extent(section).len;
        let all = Section::STORED.into_iter().map(len).sum();
        (all, len(Section::Hashes) + len(Section::Locator))
    }

    /// How many chunks the transfers lie in.
    pub(crate) const fn chunk_count(&self) -> u32 {
        self.counts().transfers.div_ceil(CHUNK)
    }

    /// The blocks, in the order in which they applied.
    pub(crate) fn blocks(&self) -> Result<Vec<BlockRow>, SegmentError> {
        let counts = self.counts();
        read_blocks(&self.sections.whole(Section::Blocks)?, counts.blocks, counts.transfers)
    }

    /// Everything that is not a transfer, in order.
    pub(crate) fn others(&self) -> Result<Vec<Other>, SegmentError> {
        read_others(&self.sections.whole(Section::Others)?, &self.counts())
    }

    /// The accounts introduced here, in the order of their ids.
    pub(crate) fn accounts(&self) -> Result<Vec<AccountKey>, SegmentError> {
        read_accounts(&self.sections.whole(Section::Accounts)?, self.counts().accounts)
    }

    /// The chunks in which the account is sender or receiver, rising.
    pub(crate) fn chunks_of(&self, account: u32) -> Result<Vec<u32>, SegmentError> {
        let mut found = Vec::new();
        let Some(page) = index::page_for(&self.pages, account) else {
            return Ok(found);
        };
        let there = self.chunk_count();
        index::walk(page, &self.page(page)?, |id, chunks| {
            if id == account {
                let known = chunks.iter().map(|chunk| u32::from(*chunk));
                found.extend(known.filter(|chunk| *chunk < there));
            }
            id < account
        })?;
        Ok(found)
    }

    /// Reads one chunk into `columns`, in place of what they held; on failure
    /// they are left empty. A scan of the segment reads one after the other.
    pub(crate) fn chunk(&self, ix: u32, columns: &mut Columns) -> Result<(), SegmentError> {
        columns.clear();
        let entry = self.chunk_entry(ix)?;
        let rows = self.rows_in(ix);
        let len = chunk::fixed_len(rows) as u64 + u64::from(entry.var);
        let len = self.sections.within(Section::Chunks, entry.offset, len)?;
        self.sections.fill(Section::Chunks, entry.offset, columns.buffer(len))?;
        columns.parse(self.first_transfer() + ix * CHUNK, rows, entry)?;
        if columns.are_below(self.counts().account_end()) {
            return Ok(());
        }
        columns.clear();
        let (section, offset) = (Section::Chunks, entry.offset);
        let what = "an account was never introduced";
        Err(SegmentError::Malformed { section, offset, what })
    }

    fn chunk_entry(&self, ix: u32) -> Result<chunk::Entry, SegmentError> {
        let (section, len) = (Section::Chunks, self.chunk_count());
        let entry = self.chunks.get(ix as usize).copied();
        entry.ok_or(SegmentError::Absent { section, ix, len })
    }

    fn rows_in(&self, chunk: u32) -> usize {
        let left = self.transfers().saturating_sub(chunk.saturating_mul(CHUNK));
        left.min(CHUNK) as usize
    }

    /// The transaction of a transfer; `ix` counts from the segment's first.
    pub(crate) fn tx(&self, ix: u32) -> Result<TxHash, SegmentError> {
        let len = self.transfers();
        let absent = SegmentError::Absent { section: Section::Hashes, ix, len };
        if ix >= len {
            return Err(absent);
        }
        let page = ix / tx::PAGE * tx::PAGE;
        let hashes = self.hashes(page, (page + tx::PAGE).min(len))?;
        hashes.get((ix - page) as usize).copied().ok_or(absent)
    }

    /// The transfers of a transaction, rising, counted from the segment's first.
    pub(crate) fn find_tx(&self, wanted: &TxHash) -> Result<Vec<u32>, SegmentError> {
        let mut found = Vec::new();
        if self.transfers() == 0 {
            return Ok(found);
        }
        for chunk in self.chunks_of_tx(wanted)? {
            let first = u32::from(chunk) * CHUNK;
            let hashes = self.hashes(first, (first + CHUNK).min(self.transfers()))?;
            let here = (first..).zip(&hashes).filter(|(_, tx)| *tx == wanted);
            found.extend(here.map(|(ix, _)| ix));
        }
        Ok(found)
    }

    /// The chunks in which a transaction may have transfers, rising.
    fn chunks_of_tx(&self, tx: &TxHash) -> Result<Vec<u8>, SegmentError> {
        let (bucket, mark) = tx::place(tx, self.transfers());
        let section = Section::Locator;
        let bounds = self.sections.range(section, tx::bounds_at(bucket), 8)?;
        let mut reader = Reader::new(section, &bounds, tx::bounds_at(bucket));
        let bounds = [reader.u32()?, reader.u32()?];
        let (offset, len) = tx::bucket_range(bucket, self.transfers(), bounds)?;
        let bytes = self.sections.range(section, offset, len)?;
        let mut chunks = tx::candidates(bucket, mark, &bytes, offset)?;
        chunks.retain(|chunk| u32::from(*chunk) < self.chunk_count());
        Ok(chunks)
    }

    /// The hashes of transfers from the first of a page to the last of another.
    pub(crate) fn hashes(&self, from: u32, to: u32) -> Result<Vec<TxHash>, SegmentError> {
        let (start, end) = (tx::pages_len(from), tx::pages_len(to));
        tx::read_pages(
            &self.sections.range(Section::Hashes, start, end.saturating_sub(start))?,
            start,
        )
    }

    fn page(&self, page: index::Page) -> Result<Vec<u8>, SegmentError> {
        self.sections.range(Section::Index, page.offset, page.len.into())
    }
}
