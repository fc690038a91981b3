//! Writes a segment: takes the past in the order in which it applied.

use super::block::{put_accounts, put_blocks};
use super::header::{Counts, SECTIONS, put_header};
use super::other::put_others;
use super::{BlockRow, BuildError, CHUNK, Other, OtherAction, Row, Section};
use super::{TRANSFERS_MAX, chunk, index, tx};
use crate::{AccountKey, TxHash};

/// The bytes of a segment, one part behind the other: its header and sections.
pub(crate) type Parts<'a> = [&'a [u8]; 1 + SECTIONS];

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
    txs: tx::Draft,
    draft: chunk::Draft,
    places: index::Draft,
    header: Vec<u8>,
    directory: Vec<u8>,
    chunks: Vec<u8>,
    index: Vec<u8>,
    /// The sections of blocks, of others and of accounts.
    small: [Vec<u8>; 3],
    locator: Vec<u8>,
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
        self.txs.begin(transfers);
        self.draft = chunk::Draft::default();
        self.places.begin(transfers);
        for section in [&mut self.header, &mut self.directory, &mut self.index, &mut self.locator] {
            section.clear();
        }
        self.chunks.clear();
        // Rarely more than this, hashes aside (docs/performance.md).
        self.chunks.reserve(24 * transfers);
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

    /// Appends a transfer to the block begun last.
    pub(crate) fn push_transfer(&mut self, row: &Row, tx: TxHash) {
        let Some(block) = self.blocks.last_mut() else {
            return self.fail(BuildError::OutsideBlock);
        };
        let Some(chunk) = chunk_of(self.counts.transfers) else {
            return self.fail(BuildError::Full(Section::Chunks));
        };
        block.transfers += 1;
        self.counts.transfers += 1;
        self.check(row.from);
        self.check(row.to);
        self.places.push(row.from, chunk);
        self.places.push(row.to, chunk);
        self.txs.push(tx, chunk);
        self.draft.push(row);
        if self.draft.rows() == CHUNK as usize {
            self.seal();
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
    pub(crate) fn finish(&mut self) -> Result<Parts<'_>, BuildError> {
        if self.draft.rows() > 0 {
            self.seal();
        }
        if let Some(section) = self.counts.overfull() {
            self.fail(BuildError::Full(section));
        }
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        self.places.finish(&mut self.index, &mut self.directory);
        let hashes = self.txs.finish(self.counts.transfers, &mut self.locator);
        self.small =
            [put_blocks(&self.blocks), put_others(&self.others), put_accounts(&self.accounts)];
        let [blocks, others, accounts] = &self.small;
        let sections: [&[u8]; SECTIONS] = [
            &self.directory,
            &self.chunks,
            &self.index,
            blocks,
            others,
            accounts,
            hashes,
            &self.locator,
        ];
        put_header(&mut self.header, self.counts, &sections);
        let mut parts: Parts<'_> = [&self.header; 1 + SECTIONS];
        parts[1..].copy_from_slice(&sections);
        Ok(parts)
    }

    fn seal(&mut self) {
        self.draft.seal(&mut self.chunks, &mut self.directory);
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

/// The chunk of a transfer, if a segment has room for it.
fn chunk_of(transfer: u32) -> Option<u8> {
    u8::try_from(transfer / CHUNK).ok().filter(|_| transfer < TRANSFERS_MAX)
}
