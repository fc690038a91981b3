//! A transfer by its id, wherever it lies.
//!
//! What was read last of the segments stays at hand, so that asking in rising
//! order reads each part of a segment once.

use std::sync::Arc;

use super::{History, HistoryError, block_meta, transfer_of};
use crate::movement::{BlockMeta, Mark, Transfer, TransferId};
use crate::segment::{BlockRow, CHUNK, Columns, Segment};

/// Segments whose blocks are kept at hand.
const SEGMENTS_MAX: usize = 8;

/// A transfer with all that is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) transfer: Transfer,
    pub(crate) mark: Mark,
    pub(crate) block: BlockMeta,
}

/// The parts of segments that were read last.
#[derive(Debug, Default)]
pub(super) struct AtHand {
    /// The newest first.
    blocks: Vec<Blocks>,
    /// Of `columns`: the segment, and the chunk in it.
    chunk: Option<(usize, u32)>,
    columns: Columns,
}

/// The blocks of a segment, with the number of transfers before each.
#[derive(Debug)]
struct Blocks {
    segment: usize,
    rows: Vec<BlockRow>,
    starts: Vec<u32>,
}

impl History {
    /// The transfer of that id.
    ///
    /// # Errors
    /// If its segment cannot be read, or there is no such transfer.
    pub(crate) fn transfer(&mut self, id: TransferId) -> Result<Found, HistoryError> {
        if let Some((transfer, mark, block)) = self.tail.transfer(id) {
            return Ok(Found { transfer: *transfer, mark: *mark, block: *block });
        }
        let segments = &self.segments;
        let number = segments.partition_point(|segment| segment.first_transfer() <= id.0);
        let number = number
            .checked_sub(1)
            .filter(|at| id.0 - segments[*at].first_transfer() < segments[*at].transfers())
            .ok_or_else(|| HistoryError::Segment(format!("there is no transfer {}", id.0)))?;
        let segment = Arc::clone(&segments[number]);
        let ix = id.0 - segment.first_transfer();
        self.at_hand.turn_to(number, &segment, ix / CHUNK)?;
        let row = self.at_hand.columns.row((ix % CHUNK) as usize);
        let mark = Mark { tx: segment.tx(ix)?, log_index: row.log_index, position: row.position };
        let block = self.at_hand.block_of(number, &segment, ix)?;
        Ok(Found { transfer: transfer_of(id.0, &row), mark, block })
    }
}

impl AtHand {
    fn turn_to(
        &mut self,
        number: usize,
        segment: &Segment,
        chunk: u32,
    ) -> Result<(), HistoryError> {
        if self.chunk != Some((number, chunk)) {
            self.chunk = None;
            segment.chunk(chunk, &mut self.columns)?;
            self.chunk = Some((number, chunk));
        }
        Ok(())
    }

    fn block_of(
        &mut self,
        number: usize,
        segment: &Segment,
        ix: u32,
    ) -> Result<BlockMeta, HistoryError> {
        let known = self.blocks.iter().position(|blocks| blocks.segment == number);
        let blocks = match known {
            Some(at) => self.blocks.remove(at),
            None => Blocks::read(number, segment)?,
        };
        let at = blocks.starts.partition_point(|start| *start <= ix) - 1;
        let block = block_meta(&blocks.rows[at]);
        self.blocks.insert(0, blocks);
        self.blocks.truncate(SEGMENTS_MAX);
        Ok(block)
    }
}

impl Blocks {
    fn read(number: usize, segment: &Segment) -> Result<Blocks, HistoryError> {
        let rows = segment.blocks()?;
        let mut next = 0;
        let start = |block: &BlockRow| {
            let start = next;
            next += block.transfers;
            start
        };
        let starts = rows.iter().map(start).collect();
        Ok(Blocks { segment: number, rows, starts })
    }
}
