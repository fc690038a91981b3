//! How far the partitions of a chain have come.
//!
//! What always holds: a block is not released while a partition of its chain
//! that is still catching up may tell of it; a partition that runs far ahead of
//! the others waits for them. Live, a block waits until every partition has
//! come past it, or has for `align` had nothing more to tell: a partition of
//! which something is unread is waited for, however long this process stood
//! still or the broker was away.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::log::{Committed, PartitionId, Position};
use crate::report::Explain;

/// While catching up, a partition this many blocks ahead of the slowest is
/// paused.
const LEAD_BLOCKS_MAX: u64 = 5_000;

/// How far one partition has come.
#[derive(Debug)]
struct Partition {
    id: PartitionId,
    /// First offset of the first session, on which a rebuild rests.
    start: i64,
    /// What the group has committed; −1: nothing.
    committed: i64,
    /// One past the last offset when the session began, or what the group had
    /// committed when it took over, if that is more.
    end: i64,
    position: i64,
    newest_block: u64,
    caught_up: bool,
    paused: bool,
    /// When the broker last said, or would have, that all of it was read.
    all_read: Option<Instant>,
    /// Whether something was unread when the broker was last asked.
    unread: bool,
    /// Blocks below this one had been told to be final when all of it was read.
    final_below: u64,
}

/// Where a partition stood in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stand {
    pub(super) offset: i64,
    pub(super) newest_block: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Progress {
    partitions: Vec<Partition>,
    align: Duration,
    /// Blocks that not every partition has come past, and when each was first
    /// told of; oldest first.
    told: VecDeque<(u64, Instant)>,
    /// Blocks below this one have waited long enough.
    over_below: u64,
}

impl Progress {
    /// Nothing has been read.
    pub(super) fn new(partitions: &[PartitionId], align: Duration) -> Progress {
        let partition = |id: &PartitionId| Partition {
            id: id.clone(),
            start: 0,
            committed: -1,
            end: 0,
            position: 0,
            newest_block: 0,
            caught_up: false,
            paused: false,
            all_read: None,
            unread: false,
            final_below: 0,
        };
        Progress {
            partitions: partitions.iter().map(partition).collect(),
            align,
            told: VecDeque::new(),
            over_below: 0,
        }
    }

    /// Finds where to begin: at the `stands` of a checkpoint, in the order of
    /// the partitions and none for one that is new since; or at the beginning.
    /// `bounds`: the first and the end offset of each.
    ///
    /// # Errors
    /// If records that the state rests on are gone.
    pub(super) fn locate(
        &mut self,
        stands: Option<&[Option<Stand>]>,
        bounds: &[(i64, i64)],
        committed: &[Option<Committed>],
        group_id: &str,
    ) -> anyhow::Result<()> {
        for (at, partition) in self.partitions.iter_mut().enumerate() {
            let (low, high) = bounds[at];
            let stand = stands.and_then(|stands| stands[at].as_ref());
            partition.end = high;
            partition.position = stand.map_or(low, |stand| stand.offset);
            partition.newest_block = stand.map_or(0, |stand| stand.newest_block);
            partition.start = low;
            partition.caught_up = partition.position >= high;
            if let Some(committed) = &committed[at] {
                partition.committed = committed.offset;
                let told = committed.metadata.strip_prefix("start=");
                partition.start = told.and_then(|start| start.parse().ok()).unwrap_or(low);
            }
            let needed = stand.map_or(partition.start, |stand| stand.offset);
            if low > needed {
                return lost(partition, needed, low, group_id, stand.is_some());
            }
        }
        Ok(())
    }

    /// Where each partition is read from next.
    pub(super) fn positions(&self) -> Vec<i64> {
        self.partitions.iter().map(|partition| partition.position).collect()
    }

    /// Where each partition stands, for a checkpoint.
    pub(super) fn stands(&self) -> Vec<(PartitionId, Stand)> {
        let stand = |partition: &Partition| {
            let (offset, newest_block) = (partition.position, partition.newest_block);
            (partition.id.clone(), Stand { offset, newest_block })
        };
        self.partitions.iter().map(stand).collect()
    }

    /// Takes note of what the group has committed by now.
    pub(super) fn note_committed(&mut self, committed: &[Option<Committed>]) {
        for (partition, committed) in self.partitions.iter_mut().zip(committed) {
            if let Some(committed) = committed {
                partition.committed = partition.committed.max(committed.offset);
            }
        }
    }

    /// Takes note of what the group has committed, to go on from there: whoever
    /// has not come so far catches up first, however long ago it had caught up
    /// with what there was then.
    pub(super) fn take_over(&mut self, committed: &[Option<Committed>]) {
        self.note_committed(committed);
        for partition in &mut self.partitions {
            partition.end = partition.end.max(partition.committed);
            partition.caught_up &= partition.position >= partition.committed;
        }
    }

    /// Notes that the record was processed; `block`: the newest it told of.
    pub(super) fn processed(&mut self, at: usize, offset: i64, block: Option<u64>, now: Instant) {
        let partition = &mut self.partitions[at];
        partition.position = offset + 1;
        partition.caught_up |= partition.position >= partition.end;
        if let Some(block) = block.filter(|block| *block > partition.newest_block) {
            partition.newest_block = block;
            self.saw(block, now);
        }
    }

    /// A partition told of that block.
    fn saw(&mut self, block: u64, now: Instant) {
        let all_past = self.partitions.iter().map(|p| p.newest_block).min().unwrap_or(0);
        while self.told.front().is_some_and(|(waiting, _)| *waiting <= all_past) {
            self.told.pop_front();
        }
        if block > all_past && self.told.back().is_none_or(|(newest, _)| *newest < block) {
            self.told.push_back((block, now));
        }
    }

    /// Where the partition of that rank is read from next; `None` while it is
    /// held back.
    pub(super) fn position(&self, at: usize) -> Option<i64> {
        Some(&self.partitions[at]).filter(|p| !p.paused).map(|p| p.position)
    }

    /// Notes whether all of a partition had been read at that moment, when the
    /// blocks below `final_below` had been told to be final.
    pub(super) fn surveyed(&mut self, at: usize, all_read: bool, now: Instant, final_below: u64) {
        let partition = &mut self.partitions[at];
        partition.unread = !all_read;
        if all_read {
            partition.all_read = Some(now);
            partition.final_below = partition.final_below.max(final_below);
            partition.caught_up = true;
        }
    }

    /// Whether a block has waited for `align`, so that it is to be asked
    /// whether the others have anything more to tell.
    pub(super) fn is_survey_due(&self, now: Instant) -> bool {
        let waits = self.told.front().is_some_and(|(_, since)| now >= *since + self.align);
        waits && self.partitions.len() > 1 && self.caught_up()
    }

    /// Whether the group has committed anything.
    pub(super) fn has_committed(&self) -> bool {
        self.partitions.iter().any(|partition| partition.committed >= 0)
    }

    /// Whether the group has committed the record.
    pub(super) fn was_committed(&self, at: usize, offset: i64) -> bool {
        offset < self.partitions[at].committed
    }

    /// The partition of that rank.
    pub(super) fn id(&self, at: usize) -> &PartitionId {
        &self.partitions[at].id
    }

    /// Whether every partition has reached the end that it is to catch up with.
    pub(super) fn caught_up(&self) -> bool {
        self.slowest().is_none()
    }

    /// Whether every partition has come to where the group had committed.
    pub(super) fn rebuilt(&self) -> bool {
        self.partitions.iter().all(|p| p.caught_up || p.position >= p.committed)
    }

    /// Blocks from this one on may still be told of: by a partition that is
    /// catching up, however long that takes; live, by one that has not come past
    /// them, unless it has had nothing to tell for `align`.
    pub(super) fn complete_below(&mut self) -> u64 {
        if let Some(slowest) = self.slowest() {
            return slowest;
        }
        let mut newest = self.partitions.iter().map(|partition| partition.newest_block);
        match (newest.next(), newest.min()) {
            (Some(first), Some(rest)) => first.min(rest).max(self.over_below()),
            _ => u64::MAX,
        }
    }

    /// Every block below has waited long enough.
    fn over_below(&mut self) -> u64 {
        while let Some((block, since)) = self.told.front().copied() {
            let mut behind = self.partitions.iter().filter(|p| p.newest_block < block);
            if !behind.all(|p| p.all_read.is_some_and(|at| at >= since + self.align)) {
                break;
            }
            self.over_below = self.over_below.max(block + 1);
            self.told.pop_front();
        }
        self.over_below
    }

    /// Blocks from this one on may still be taken back by a partition that lags:
    /// one that has not told of blocks `finality` further, nor was read to its
    /// end since they were told to be final.
    pub(super) fn not_final_from(&self, finality: u64) -> u64 {
        if self.partitions.len() < 2 {
            return u64::MAX;
        }
        let deep = |p: &Partition| (p.newest_block + 1).saturating_sub(finality);
        let below = self.partitions.iter().map(|p| deep(p).max(p.final_below));
        below.min().unwrap_or(u64::MAX)
    }

    /// The newest block of the partition that lags most while catching up.
    fn slowest(&self) -> Option<u64> {
        let behind = self.partitions.iter().filter(|partition| !partition.caught_up);
        behind.map(|partition| partition.newest_block).min()
    }

    /// The same, also where a partition lags while live.
    fn hindmost(&self) -> Option<u64> {
        let behind = self.partitions.iter().filter(|p| !p.caught_up || p.unread);
        behind.map(|partition| partition.newest_block).min()
    }

    /// Partitions to be held back from now on, since they run far ahead while
    /// others catch up, and those to be let go.
    pub(super) fn balance(&mut self) -> Vec<(usize, bool)> {
        let limit = self.hindmost().unwrap_or(u64::MAX).saturating_add(LEAD_BLOCKS_MAX);
        let mut changes = Vec::new();
        for (at, partition) in self.partitions.iter_mut().enumerate() {
            let ahead = partition.newest_block > limit;
            if ahead != partition.paused {
                partition.paused = ahead;
                changes.push((at, ahead));
            }
        }
        changes
    }

    /// Positions to commit: those that went beyond what is committed already.
    /// A partition still being rebuilt would move the group backwards.
    pub(super) fn to_commit(&self) -> Vec<Position> {
        self.positions_if(|p| p.position > p.committed.max(0))
    }

    /// Positions that are committed, to commit them again.
    pub(super) fn to_commit_again(&self) -> Vec<Position> {
        self.positions_if(|p| p.position > 0 && p.position == p.committed)
    }

    fn positions_if(&self, chosen: impl Fn(&Partition) -> bool) -> Vec<Position> {
        let position = |(partition, p): (usize, &Partition)| {
            let metadata = format!("start={}", p.start);
            Position { partition, committed: Committed { offset: p.position, metadata } }
        };
        let partitions = self.partitions.iter().enumerate();
        partitions.filter(|(_, partition)| chosen(partition)).map(position).collect()
    }

    /// Notes that [`to_commit`](Self::to_commit) is committed.
    pub(super) fn committed(&mut self) {
        for partition in &mut self.partitions {
            partition.committed = partition.committed.max(partition.position);
        }
    }
}

/// The records that the state rests on are no longer all there.
#[derive(Debug, thiserror::Error)]
#[error(
    "topic {topic} partition {number} now begins at offset {low}, but the state of group {group_id} \
     rests on records from offset {needed} on"
)]
pub(super) struct LostBeginning {
    topic: String,
    number: i32,
    needed: i64,
    low: i64,
    group_id: String,
}

fn lost(
    partition: &Partition,
    needed: i64,
    low: i64,
    group_id: &str,
    from_checkpoint: bool,
) -> anyhow::Result<()> {
    let (topic, number) = (partition.id.topic.clone(), partition.id.number);
    let lost = LostBeginning { topic, number, needed, low, group_id: group_id.to_owned() };
    let hint = if from_checkpoint {
        "keep input topics for longer than the oldest checkpoint is old (retention.ms), or start \
         anew with another kafka.group_id, transactional_id and output topics"
    } else {
        "there is no checkpoint that can be used: keep the input topics from their beginning \
         (retention.ms=-1), or start anew with another kafka.group_id, transactional_id and \
         output topics"
    };
    Err(lost).explain("the state cannot be rebuilt", hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(partitions: usize) -> Progress {
        let id = |number: usize| PartitionId {
            topic: "events".to_owned(),
            number: i32::try_from(number).unwrap(),
            topic_ix: 0,
        };
        let ids: Vec<PartitionId> = (0..partitions).map(id).collect();
        Progress::new(&ids, Duration::from_millis(100))
    }

    #[test]
    fn a_block_waits_until_the_others_have_had_nothing_to_tell_for_a_while() {
        let began = Instant::now();
        let at = |ms| began + Duration::from_millis(ms);
        let mut progress = progress(2);
        progress.locate(None, &[(0, 0), (0, 0)], &[None, None], "g").unwrap();
        progress.processed(0, 0, Some(7), at(0));
        progress.processed(0, 1, Some(8), at(50));
        progress.processed(0, 2, Some(7), at(90));
        progress.surveyed(1, true, at(99), 0);
        assert_eq!(progress.complete_below(), 0);
        assert!(!progress.is_survey_due(at(99)) && progress.is_survey_due(at(100)));
        progress.surveyed(1, false, at(100), 0);
        assert_eq!(progress.complete_below(), 0, "the other one has something to tell");
        progress.surveyed(1, true, at(120), 0);
        assert_eq!(progress.complete_below(), 8);
        assert!(!progress.is_survey_due(at(149)) && progress.is_survey_due(at(150)));
        progress.processed(1, 0, Some(9), at(151));
        assert_eq!(progress.complete_below(), 8, "the first may tell of more of block 8");
        progress.processed(0, 3, Some(9), at(160));
        assert_eq!(progress.complete_below(), 9);
        assert!(!progress.is_survey_due(at(900)), "nothing waits");
    }

    #[test]
    fn a_block_is_final_when_no_partition_can_take_it_back() {
        let now = Instant::now();
        let mut progress = progress(2);
        progress.locate(None, &[(0, 9), (0, 9)], &[None, None], "g").unwrap();
        progress.processed(0, 0, Some(90), now);
        assert_eq!(progress.not_final_from(10), 0);
        progress.processed(1, 0, Some(30), now);
        assert_eq!(progress.not_final_from(10), 21);
        progress.surveyed(1, false, now, 81);
        assert_eq!(progress.not_final_from(10), 21);
        progress.surveyed(1, true, now, 75);
        assert_eq!(progress.not_final_from(10), 75);
        progress.surveyed(1, true, now, 81);
        assert_eq!(progress.not_final_from(10), 81);
        assert_eq!(self::progress(1).not_final_from(10), u64::MAX);
    }

    #[test]
    fn a_checkpoint_says_where_to_begin_and_a_rebuild_begins_at_the_beginning() {
        let committed = [
            Some(Committed { offset: 70, metadata: "start=3".to_owned() }),
            Some(Committed { offset: 20, metadata: "start=0".to_owned() }),
        ];
        let bounds = [(3, 100), (0, 20)];
        let stands = [Some(Stand { offset: 50, newest_block: 9 }), None];
        let mut from_checkpoint = progress(2);
        from_checkpoint.locate(Some(&stands), &bounds, &committed, "g").unwrap();
        assert_eq!(from_checkpoint.positions(), [50, 0]);
        assert!(!from_checkpoint.rebuilt() && from_checkpoint.was_committed(0, 69));
        let mut from_beginning = progress(2);
        from_beginning.locate(None, &bounds, &committed, "g").unwrap();
        assert_eq!(from_beginning.positions(), [3, 0]);
    }

    #[test]
    fn what_retention_took_is_missed() {
        let committed = [Some(Committed { offset: 70, metadata: "start=3".to_owned() })];
        let mut rebuild = progress(1);
        let error = rebuild.locate(None, &[(4, 100)], &committed, "g").unwrap_err();
        assert!(format!("{error:#}").contains("begins at offset 4"), "{error:#}");
        let stand = |offset| [Some(Stand { offset, newest_block: 1 })];
        rebuild.locate(Some(&stand(60)), &[(60, 100)], &committed, "g").unwrap();
        assert!(rebuild.locate(Some(&stand(59)), &[(60, 100)], &committed, "g").is_err());
    }

    #[test]
    fn who_takes_over_catches_up_with_what_was_committed_meanwhile() {
        let now = Instant::now();
        let committed = |offset| [Some(Committed { offset, metadata: String::new() })];
        let mut progress = progress(1);
        progress.locate(None, &[(0, 0)], &[None], "g").unwrap();
        progress.processed(0, 0, Some(7), now);
        progress.take_over(&committed(3));
        assert!(!progress.rebuilt() && !progress.caught_up(), "others came further");
        progress.processed(0, 1, Some(8), now);
        assert!(!progress.rebuilt());
        progress.processed(0, 2, Some(9), now);
        assert!(progress.rebuilt() && progress.caught_up());
        progress.take_over(&committed(3));
        assert!(progress.rebuilt() && progress.caught_up());
        // The rest is no longer there.
        progress.take_over(&committed(5));
        progress.surveyed(0, true, now, 0);
        assert!(progress.rebuilt() && progress.caught_up());
    }

    #[test]
    fn only_what_went_further_is_committed() {
        let now = Instant::now();
        let committed = [Some(Committed { offset: 7, metadata: String::new() }), None];
        let mut progress = progress(2);
        progress.locate(None, &[(0, 9), (0, 0)], &committed, "g").unwrap();
        progress.processed(0, 5, None, now);
        assert_eq!(progress.to_commit(), []);
        progress.processed(0, 7, None, now);
        let to_commit = progress.to_commit();
        assert_eq!((to_commit.len(), to_commit[0].committed.offset), (1, 8));
        progress.committed();
        assert_eq!(progress.to_commit(), []);
    }
}
