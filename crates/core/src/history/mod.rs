//! The past in the order in which it applied: the newest blocks in memory, all
//! before them in immutable segments.
//!
//! What always holds: a segment holds whole blocks that can no longer be
//! reverted; each movement stands with the balances around it, so that any
//! part of the past can be traced without the rest.

mod archive;
mod convert;
mod lookup;
mod tail;
mod whole;

use std::sync::Arc;

pub use archive::{Archive, MemoryArchive};
pub(crate) use convert::{block_meta, other_movement, transfer_of};
pub(crate) use lookup::Found;
pub(crate) use tail::{Other as TailOther, Tail, TailBlock};
pub use whole::verify_segment;

use crate::AccountKey;
use crate::accounts::Accounts;
use crate::movement::{BlockIx, TransferId};
use crate::segment::{
    BuildError, ImageError, Segment, SegmentBuilder, SegmentError, TRANSFERS_MAX,
};
use lookup::AtHand;

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

/// See the module.
#[derive(Debug)]
pub(crate) struct History {
    segments: Vec<Arc<Segment>>,
    pub(crate) tail: Tail,
    archive: Box<dyn Archive>,
    builder: SegmentBuilder,
    segment_transfers: usize,
    /// Accounts that segments have introduced.
    introduced: usize,
    /// Bytes of all segments, and those of hashes among them.
    sealed_bytes: (u64, u64),
    at_hand: AtHand,
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
            builder: SegmentBuilder::default(),
            segment_transfers: segment_transfers.clamp(1, TRANSFERS_MAX as usize),
            introduced: 0,
            sealed_bytes: (0, 0),
            at_hand: AtHand::default(),
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

    /// Bytes of all segments, and those of transaction hashes and their locator
    /// among them.
    pub(crate) fn sealed_bytes(&self) -> (u64, u64) {
        self.sealed_bytes
    }

    /// Accounts that segments have introduced.
    pub(crate) fn introduced(&self) -> usize {
        self.introduced
    }

    fn add_segment(&mut self, segment: Segment) {
        let (all, hashes) = segment.bytes();
        self.sealed_bytes.0 += all;
        self.sealed_bytes.1 += hashes;
        self.segments.push(Arc::new(segment));
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
        let blocks = tail.blocks();
        let transfers =
            blocks.get(count).map_or(tail.transfers().len(), |next| next.transfers_before);
        let builder = &mut self.builder;
        builder.begin(tail.first_transfer, tail.first_block, first_account, transfers);
        for key in accounts.keys_from(self.introduced) {
            builder.push_account(key);
        }
        for at in 0..count {
            convert::push_block(builder, tail, at);
        }
        let image = self.archive.keep(self.segments.len(), builder.finish()?)?;
        self.add_segment(Segment::open(image)?);
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
            history.add_segment(segment);
        }
        history.introduced = accounts.len();
        history.tail = Tail::after(transfer, block);
        Ok((history, accounts))
    }

    /// Whether the transfer is not sealed yet.
    pub(crate) fn is_at_hand(&self, id: TransferId) -> bool {
        id.0 >= self.tail.first_transfer
    }
}
