//! What a walk meets in a segment besides transfers: sources that become
//! active, other movements, source transfers; each in its place.

use crate::history::{HistoryError, block_meta, other_movement};
use crate::movement::{BlockMeta, Movement};
use crate::segment::{BlockRow, CHUNK, Columns, Segment};
use crate::trace::{LaneIx, Tracer};

/// Something to do before a transfer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Task {
    /// Sources of the block's chain become active.
    Wake,
    Apply(Movement),
}

#[derive(Clone, Copy, Debug)]
struct Item {
    block: u32,
    /// Transfers of the segment before it.
    at: u32,
    task: Task,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Passage {
    blocks: Vec<BlockRow>,
    /// Transfers before the end of each block.
    ends: Vec<u32>,
    agenda: Vec<Item>,
    next_item: usize,
    /// Source transfers by place, with their lanes.
    marks: Vec<(u32, Vec<LaneIx>)>,
    next_mark: usize,
    block: usize,
}

impl Passage {
    pub(super) fn new(segment: &Segment, tracer: &Tracer) -> Result<Passage, HistoryError> {
        let blocks = segment.blocks()?;
        let mut end = 0;
        let ends: Vec<u32> = blocks
            .iter()
            .map(|block| {
                end += block.transfers;
                end
            })
            .collect();
        let mut agenda = wakes(&blocks, &ends, tracer);
        agenda.extend(segment.others()?.into_iter().map(|other| Item {
            block: other.block,
            at: other.transfers_before,
            task: Task::Apply(other_movement(other.action)),
        }));
        // Stable: within a block sources become active first, the rest keeps its order.
        agenda.sort_by_key(|item| (item.block, matches!(item.task, Task::Apply(_))));
        let mut passage = Passage {
            blocks,
            ends,
            agenda,
            next_item: 0,
            marks: Vec::new(),
            next_mark: 0,
            block: 0,
        };
        passage.marks = passage.find_marks(segment, tracer)?;
        Ok(passage)
    }

    fn find_marks(
        &self,
        segment: &Segment,
        tracer: &Tracer,
    ) -> Result<Vec<(u32, Vec<LaneIx>)>, HistoryError> {
        let mut marks = Vec::new();
        let mut columns = Columns::default();
        for (chain, tx, log_index) in tracer.source_transfers() {
            for place in segment.find_tx(&tx)? {
                let at = self.ends.partition_point(|end| *end <= place);
                segment.chunk(place / CHUNK, &mut columns)?;
                let row = columns.row((place % CHUNK) as usize);
                if self.blocks[at].chain == chain && row.log_index == log_index {
                    marks.push((place, tracer.marked(chain, tx, log_index).to_vec()));
                }
            }
        }
        marks.sort_unstable();
        Ok(marks)
    }

    /// The places of source transfers.
    pub(super) fn marks(&self) -> impl Iterator<Item = u32> + '_ {
        self.marks.iter().map(|(place, _)| *place)
    }

    /// The lanes of which the transfer at that place is a source.
    pub(super) fn marked(&self, place: u32) -> &[LaneIx] {
        match self.marks.binary_search_by_key(&place, |(place, _)| *place) {
            Ok(at) => &self.marks[at].1,
            Err(_) => &[],
        }
    }

    /// The next place before which there is something to do, or that is a
    /// source transfer.
    pub(super) fn next_stop(&self) -> u32 {
        let task = self.agenda.get(self.next_item).map_or(u32::MAX, |item| item.at);
        let mark = self.marks.get(self.next_mark).map_or(u32::MAX, |(place, _)| *place);
        task.min(mark)
    }

    /// Whether the transfer at that place is a source; places rise.
    pub(super) fn is_marked(&mut self, place: u32) -> bool {
        while self.marks.get(self.next_mark).is_some_and(|(mark, _)| *mark < place) {
            self.next_mark += 1;
        }
        let here = self.marks.get(self.next_mark).is_some_and(|(mark, _)| *mark == place);
        self.next_mark += usize::from(here);
        here
    }

    /// The next thing to do before the transfer at `place`, with its block.
    pub(super) fn task_before(&mut self, place: u32) -> Option<(BlockMeta, Task)> {
        let item = *self.agenda.get(self.next_item).filter(|item| item.at <= place)?;
        self.next_item += 1;
        Some((block_meta(&self.blocks[item.block as usize]), item.task))
    }

    /// The place of the task handed out last.
    pub(super) fn task_at(&self) -> u32 {
        self.agenda[self.next_item - 1].at
    }

    /// The block of the transfer at `place`; places rise.
    pub(super) fn block_of(&mut self, place: u32) -> BlockMeta {
        if self.ends.get(self.block + 64).is_some_and(|end| *end <= place) {
            self.block += self.ends[self.block..].partition_point(|end| *end <= place);
        }
        while self.ends[self.block] <= place {
            self.block += 1;
        }
        block_meta(&self.blocks[self.block])
    }
}

/// The blocks at which a waiting source becomes active.
fn wakes(blocks: &[BlockRow], ends: &[u32], tracer: &Tracer) -> Vec<Item> {
    let mut items = Vec::new();
    let mut waiting = [0, 1].map(|chain| tracer.pending[chain].as_slice());
    for ((ix, block), end) in (0..).zip(blocks).zip(ends) {
        let waiting = &mut waiting[block.chain.index()];
        let left = waiting.partition_point(|pending| pending.since_block > block.number);
        if block.has_events && left < waiting.len() {
            *waiting = &waiting[..left];
            items.push(Item { block: ix, at: end - block.transfers, task: Task::Wake });
        }
    }
    items
}
