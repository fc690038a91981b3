//! The past in the order in which it applied: the newest blocks in memory, all
//! before them in immutable segments.
//!
//! What always holds: a segment holds whole blocks that can no longer be
//! reverted; each movement stands with the balances around it, so that any
//! part of the past can be traced without the rest.

mod archive;
mod convert;
mod tail;

use std::sync::Arc;

pub use archive::{Archive, MemoryArchive};
pub(crate) use convert::{block_meta, other_movement, transfer_of};
pub(crate) use tail::Tail;

use crate::accounts::Accounts;
use crate::movement::{BlockIx, Detail, TransferId};
use crate::segment::{
    BlockRow, BuildError, CHUNK, Columns, ImageError, Segment, SegmentBuilder, SegmentError,
    TRANSFERS_MAX,
};
use crate::{AccountKey, TransferRef};

/// Sealed blocks whose places are kept at hand, by segment.
const SEGMENTS_AT_HAND: usize = 8;

/// Blocks without transfers are sealed too, once there are this many.
const TAIL_BLOCKS_MAX: usize = 1 << 20;

/// Why the past cannot be kept or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// A segment cannot be read, or is damaged.
    #[error("{0}")]
    Segment(String),
    /// A segment cannot be written.
    #[error("the history cannot be kept: {0}")]
    Archive(String),
    /// Segments that do not follow each other.
    #[error(
        "the segments do not follow each other: segment {number} begins with transfer {found} \
         where {expected} is next"
    )]
    Broken {
        /// The segment's rank.
        number: usize,
        /// The transfer that it begins with.
        found: u32,
        /// The transfer that should come.
        expected: u32,
    },
}

impl From<SegmentError> for HistoryError {
    fn from(error: SegmentError) -> Self {
        HistoryError::Segment(error.to_string())
    }
}

impl From<ImageError> for HistoryError {
    fn from(error: ImageError) -> Self {
        HistoryError::Archive(error.to_string())
    }
}

impl From<BuildError> for HistoryError {
    fn from(error: BuildError) -> Self {
        HistoryError::Archive(error.to_string())
    }
}

/// The blocks of a segment, with the number of transfers before each.
#[derive(Debug)]
struct AtHand {
    segment: usize,
    blocks: Vec<BlockRow>,
    starts: Vec<u32>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct History {
    segments: Vec<Arc<Segment>>,
    pub(crate) tail: Tail,
    archive: Box<dyn Archive>,
    segment_transfers: usize,
    /// Accounts that segments have introduced.
    introduced: usize,
    at_hand: Vec<AtHand>,
    /// The chunk read last: its segment, its number, its transfers.
    chunk: (usize, u32, Columns),
}

impl Default for History {
    fn default() -> Self {
        History::new(Box::new(MemoryArchive), 1 << 20)
    }
}

impl History {
    /// A past without blocks, which seals so many transfers at once.
    pub(crate) fn new(archive: Box<dyn Archive>, segment_transfers: usize) -> History {
        History {
            segments: Vec::new(),
            tail: Tail::default(),
            archive,
            segment_transfers: segment_transfers.clamp(1, TRANSFERS_MAX as usize),
            introduced: 0,
            at_hand: Vec::new(),
            chunk: (usize::MAX, 0, Columns::default()),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.blocks_len() == 0
    }

    /// Blocks applied so far.
    pub(crate) fn blocks_len(&self) -> BlockIx {
        self.tail.first_block + u32::try_from(self.tail.blocks().len()).expect("numbered")
    }

    /// Transfers applied so far.
    pub(crate) fn transfers_len(&self) -> usize {
        self.tail.first_transfer as usize + self.tail.transfers().len()
    }

    pub(crate) fn segments(&self) -> &[Arc<Segment>] {
        &self.segments
    }

    /// Transfers held in memory.
    pub(crate) fn tail_len(&self) -> usize {
        self.tail.transfers().len()
    }

    /// Seals the oldest blocks of the tail, all of them before block `end`,
    /// once they are enough for a segment.
    ///
    /// # Errors
    /// If the archive does not take it.
    pub(crate) fn seal_due(
        &mut self,
        end: BlockIx,
        accounts: &Accounts,
    ) -> Result<(), HistoryError> {
        while let Some(count) = self.due(end) {
            self.seal(count, accounts)?;
        }
        Ok(())
    }

    /// Seals everything before block `end`, however little it is.
    ///
    /// # Errors
    /// If the archive does not take it.
    pub(crate) fn seal_all(
        &mut self,
        end: BlockIx,
        accounts: &Accounts,
    ) -> Result<(), HistoryError> {
        self.seal_due(end, accounts)?;
        let count = self.sealable(end);
        if count > 0 { self.seal(count, accounts) } else { Ok(()) }
    }

    fn sealable(&self, end: BlockIx) -> usize {
        let before_end = end.saturating_sub(self.tail.first_block) as usize;
        before_end.min(self.tail.blocks().len())
    }

    /// How many blocks to seal now: as many as one segment takes.
    fn due(&self, end: BlockIx) -> Option<usize> {
        let (blocks, most) = (self.tail.blocks(), self.segment_transfers);
        if self.tail.transfers().len() < most && blocks.len() < TAIL_BLOCKS_MAX {
            return None;
        }
        let sealable = self.sealable(end);
        let ends = |at: usize| {
            blocks.get(at).map_or(self.tail.transfers().len(), |next| next.transfers_before)
        };
        if sealable == 0 || (ends(sealable) < most && sealable < TAIL_BLOCKS_MAX) {
            return None;
        }
        // The last block that still fits; the first one must, whatever its size.
        let fits = blocks[..=sealable.min(blocks.len() - 1)]
            .partition_point(|block| block.transfers_before <= most);
        let fits = if ends(sealable) <= most { sealable } else { fits - 1 };
        Some(fits.clamp(1, sealable))
    }

    fn seal(&mut self, count: usize, accounts: &Accounts) -> Result<(), HistoryError> {
        let first_account = u32::try_from(self.introduced).expect("ids have 32 bits");
        let tail = &self.tail;
        let mut builder = SegmentBuilder::new(tail.first_transfer, tail.first_block, first_account);
        for key in &accounts.keys()[self.introduced..] {
            builder.push_account(*key);
        }
        for at in 0..count {
            builder.begin_block(convert::block_row(&tail.blocks()[at].meta));
            for (movement, mark) in tail.movements(at) {
                convert::push(&mut builder, &movement, mark);
            }
        }
        let image = self.archive.keep(self.segments.len(), builder.finish()?)?;
        self.segments.push(Arc::new(Segment::open(image)?));
        self.introduced = accounts.len();
        self.tail.forget(count);
        Ok(())
    }

    /// Opens a past that was sealed before; returns its accounts by id.
    ///
    /// # Errors
    /// If a segment is damaged or does not follow the one before it.
    pub(crate) fn reopen(
        segments: Vec<Segment>,
        archive: Box<dyn Archive>,
        segment_transfers: usize,
    ) -> Result<(History, Vec<AccountKey>), HistoryError> {
        let mut history = History::new(archive, segment_transfers);
        let mut accounts = Vec::new();
        let (mut transfer, mut block) = (0, 0);
        for (number, segment) in segments.into_iter().enumerate() {
            let introduces = segment.first_account() as usize;
            let found = segment.first_transfer();
            let follows = introduces == accounts.len() && segment.first_block() == block;
            if found != transfer || !follows {
                return Err(HistoryError::Broken { number, found, expected: transfer });
            }
            accounts.extend(segment.accounts()?);
            transfer += segment.transfers();
            block += segment.blocks_len();
            history.segments.push(Arc::new(segment));
        }
        history.introduced = accounts.len();
        history.tail = Tail::after(transfer, block);
        Ok((history, accounts))
    }

    /// Whether the transfer is not sealed yet.
    pub(crate) fn is_at_hand(&self, id: TransferId) -> bool {
        id.0 >= self.tail.first_transfer
    }

    /// A transfer in full, wherever it lies.
    ///
    /// # Errors
    /// If its segment cannot be read.
    pub(crate) fn detail(
        &mut self,
        id: TransferId,
        accounts: &Accounts,
    ) -> Result<Detail, HistoryError> {
        if let Some((transfer, mark, block)) = self.tail.transfer(id) {
            let place = TransferRef { tx: mark.tx, position: mark.position };
            let ends = (accounts.key(transfer.from), accounts.key(transfer.to));
            return Ok(detail(ends, transfer.amount, place, block.number, block.timestamp_ms));
        }
        let number = self.segments.partition_point(|segment| segment.first_transfer() <= id.0) - 1;
        let segment = Arc::clone(&self.segments[number]);
        let ix = id.0 - segment.first_transfer();
        if (self.chunk.0, self.chunk.1) != (number, ix / CHUNK) {
            self.chunk.0 = usize::MAX;
            segment.chunk(ix / CHUNK, &mut self.chunk.2)?;
            (self.chunk.0, self.chunk.1) = (number, ix / CHUNK);
        }
        let row = self.chunk.2.row((ix % CHUNK) as usize);
        let place = TransferRef { tx: segment.tx(ix)?, position: row.position };
        let block = self.block_of(number, ix)?;
        let ends = (accounts.keys()[row.from as usize], accounts.keys()[row.to as usize]);
        Ok(detail(ends, row.amount, place, block.number, block.timestamp_ms))
    }

    fn block_of(&mut self, segment: usize, ix: u32) -> Result<BlockRow, HistoryError> {
        let known = self.at_hand.iter().position(|kept| kept.segment == segment);
        let kept = match known {
            Some(at) => self.at_hand.remove(at),
            None => at_hand(segment, &self.segments[segment])?,
        };
        let at = kept.starts.partition_point(|start| *start <= ix) - 1;
        let block = kept.blocks[at];
        self.at_hand.insert(0, kept);
        self.at_hand.truncate(SEGMENTS_AT_HAND);
        Ok(block)
    }
}

fn at_hand(segment: usize, sealed: &Segment) -> Result<AtHand, HistoryError> {
    let blocks = sealed.blocks()?;
    let mut next = 0;
    let start = |block: &BlockRow| {
        let start = next;
        next += block.transfers;
        start
    };
    let starts = blocks.iter().map(start).collect();
    Ok(AtHand { segment, blocks, starts })
}

fn detail(
    (from, to): (AccountKey, AccountKey),
    amount: u64,
    transfer: TransferRef,
    block: u64,
    timestamp_ms: u64,
) -> Detail {
    Detail { from, to, amount, transfer, block, timestamp_ms }
}
