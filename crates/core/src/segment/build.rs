//! Writes a segment: takes the past in the order in which it applied.

use super::block::{put_accounts, put_blocks};
use super::header::{Counts, SECTIONS, put_header};
use super::other::put_others;
use super::{BlockRow, BuildError, CHUNK, Other, OtherAction, Row, Section};
use super::{TRANSFERS_MAX, chunk, index, tx};
use crate::{AccountKey, TxHash};

/// The bytes of a segment, one part behind the other: its header and sections.
pub(crate) type Parts = [Vec<u8>; 1 + SECTIONS];

/// A segment in the making. What cannot become one is told by
/// [`SegmentBuilder::finish`], at the end, so that pushing stays simple.
/// It serves for one segment after another, since fresh memory would cost more
/// than what is written to it.
#[derive(Debug, Default)]
pub(crate) struct SegmentBuilder {
    counts: Counts,
    fault: Option<BuildError>,
    accounts: Vec<AccountKey>,
    blocks: Vec<BlockRow>,
    others: Vec<Other>,
    draft: chunk::Draft,
    index: index::Draft,
    locator: tx::Locator,
    parts: Parts,
}

impl SegmentBuilder {
    /// Begins a segment of about so many transfers; the other arguments are the
    /// global ids of what comes first.
    pub(crate) fn begin(
        &mut self,
        first_transfer: u32,
        first_block: u32,
        first_account: u32,
        transfers: usize,
    ) {
        self.counts = Counts { first_transfer, first_block, first_account, ..Counts::default() };
        self.fault = None;
        self.accounts.clear();
        self.blocks.clear();
        self.others.clear();
        self.draft.clear();
        self.index.begin(transfers);
        self.parts.iter_mut().for_each(Vec::clear);
        // Rarely more than this, hashes aside (docs/performance.md).
        self.parts[Section::Chunks as usize].reserve(24 * transfers);
        tx::reserve(&mut self.parts[Section::Hashes as usize], transfers);
    }

    /// Introduces the account of the next id; before anything names it.
    pub(crate) fn push_account(&mut self, account: AccountKey) {
        match self.counts.account_end().checked_add(1) {
            Some(_) => self.counts.accounts += 1,
            None => self.fail(BuildError::Full(Section::Accounts)),
        }
        self.accounts.push(account);
    }

    /// Begins a block. Its transfers are counted here, whatever the row says.
    pub(crate) fn begin_block(&mut self, block: BlockRow) {
        match self.counts.blocks.checked_add(1) {
            Some(blocks) => self.counts.blocks = blocks,
            None => self.fail(BuildError::Full(Section::Blocks)),
        }
        self.blocks.push(BlockRow { transfers: 0, ..block });
    }

    /// Appends transfers to the block begun last.
    #[inline]
    pub(crate) fn push_transfers<'a>(
        &mut self,
        transfers: impl ExactSizeIterator<Item = (Row, &'a TxHash)>,
    ) {
        let room = (TRANSFERS_MAX - self.counts.transfers) as usize;
        if transfers.len() > room {
            self.fail(BuildError::Full(Section::Chunks));
        }
        if self.blocks.is_empty() && transfers.len() > 0 {
            return self.fail(BuildError::OutsideBlock);
        }
        let before = self.counts.transfers;
        for (row, tx) in transfers.take(room) {
            self.check(row.from.max(row.to));
            self.draft.push(&row);
            tx::put_hash(&mut self.parts[Section::Hashes as usize], tx);
            self.counts.transfers += 1;
            if self.counts.transfers.is_multiple_of(tx::PAGE) {
                self.end_page();
            }
        }
        if let Some(block) = self.blocks.last_mut() {
            block.transfers += self.counts.transfers - before;
        }
    }

    /// Ends a page of hashes, and with some also a chunk.
    fn end_page(&mut self) {
        tx::end_page(&mut self.parts[Section::Hashes as usize]);
        if self.counts.transfers.is_multiple_of(CHUNK) {
            self.end_chunk();
        }
    }

    /// Appends a movement that is not a transfer to the block begun last.
    pub(crate) fn push_other(&mut self, action: OtherAction) {
        let Some(block) = self.counts.blocks.checked_sub(1) else {
            return self.fail(BuildError::OutsideBlock);
        };
        match self.counts.others.checked_add(1) {
            Some(others) => self.counts.others = others,
            None => self.fail(BuildError::Full(Section::Others)),
        }
        self.check(action.account());
        self.others.push(Other { block, transfers_before: self.counts.transfers, action });
    }

    /// The segment's bytes, or the first thing that was wrong with what was pushed.
    pub(crate) fn finish(&mut self) -> Result<&mut Parts, BuildError> {
        if self.draft.rows() > 0 {
            self.end_chunk();
        }
        if let Some(section) = self.counts.overfull() {
            self.fail(BuildError::Full(section));
        }
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let [header, sections @ ..] = &mut self.parts;
        let [directory, _, index, blocks, others, accounts, hashes, locator] = sections;
        if !self.counts.transfers.is_multiple_of(tx::PAGE) {
            tx::end_page(hashes);
        }
        self.index.finish(index, directory);
        put_blocks(blocks, &self.blocks);
        put_others(others, &self.others);
        put_accounts(accounts, &self.accounts);
        self.locator.put(hashes, self.counts.transfers, locator);
        put_header(header, self.counts, sections);
        Ok(&mut self.parts)
    }

    fn end_chunk(&mut self) {
        let [_, directory, chunks, ..] = &mut self.parts;
        self.index.push_chunk(self.draft.accounts());
        self.draft.seal(chunks, directory);
    }

    fn check(&mut self, account: u32) {
        if account >= self.counts.account_end() {
            self.fail(BuildError::UnknownAccount(account));
        }
    }

    fn fail(&mut self, fault: BuildError) {
        self.fault.get_or_insert(fault);
    }
}
