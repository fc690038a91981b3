//! From what a node tells to what comes to the partitions of its topics: some
//! of it twice, some of it late, among records that nobody can read.
//!
//! What always holds: the records of one event lie in one partition, in the
//! order in which they were sent; no record comes so late that the assembler
//! has given its block up; a block that is missing is missing whole.

use std::collections::BTreeSet;

use flow_core::Chain;
use flow_sim::Dice;

use super::Topic;
use super::node::{Batch, History, Pace};
use super::record::{Kind, Sent, Style, poison};

/// A pause so long falls between blocks only.
const SILENCE_MS: u64 = 250;

/// A record that comes.
#[derive(Clone, Debug)]
pub(crate) struct Append {
    pub(crate) at_ms: u64,
    /// Rank of its partition among those of all topics.
    pub(crate) partition: usize,
    pub(crate) payload: Vec<u8>,
    /// Whether nobody can read it.
    pub(crate) poison: bool,
    pub(crate) repeat: bool,
}

/// How records lie in their topics.
pub(crate) struct Feed {
    pub(crate) topics: Vec<Topic>,
    pub(crate) window_blocks: u64,
    /// Partitions of headers; those of events follow.
    headers: usize,
    events: usize,
    pace: Pace,
    /// By partition: how much later its records come.
    lag_ms: Vec<u64>,
    /// One record in so many comes twice, or cannot be read, or comes late;
    /// 0: none.
    repeat_one_in: u64,
    poison_one_in: u64,
    late_one_in: u64,
    gap_one_in: u64,
}

impl Feed {
    pub(crate) fn new(dice: &mut Dice, style: Style, pace: Pace) -> Feed {
        let topic = |name, partitions| Topic { name, partitions };
        let (topics, headers, events) = match dice.below(5) {
            0 | 1 => (vec![topic("events", 1)], 0, 1),
            2 => (vec![topic("events", 2)], 0, 2),
            3 => (vec![topic("events", 3)], 0, 3),
            _ if style.headers => {
                let events = 1 + dice.index(2);
                (vec![topic("blocks", 1), topic("events", events)], 1, events)
            }
            _ => (vec![topic("events", 1)], 0, 1),
        };
        Feed {
            topics,
            window_blocks: dice.between(1, 3),
            headers,
            events,
            pace,
            lag_ms: (0..headers + events).map(|_| dice.below(120)).collect(),
            repeat_one_in: dice.pick(&[0, 3, 3]),
            poison_one_in: dice.pick(&[0, 20, 60]),
            late_one_in: dice.pick(&[0, 8]),
            gap_one_in: dice.pick(&[0, 0, 12]),
        }
    }

    /// Heights of which nothing is ever told: none at which blocks were left.
    pub(crate) fn missing(&self, dice: &mut Dice, history: &History) -> BTreeSet<u64> {
        let mut missing = BTreeSet::new();
        for block in history.chain.iter().skip(1).map(|block| block.number) {
            let gap = self.gap_one_in > 0 && dice.one_in(self.gap_one_in);
            if gap && !history.contested.contains(&block) {
                missing.insert(block);
            }
        }
        // The last one would not be missed.
        if let Some(last) = history.chain.last() {
            missing.remove(&last.number);
        }
        missing
    }

    pub(crate) fn appends(
        &self,
        dice: &mut Dice,
        chain: Chain,
        mut batches: Vec<Batch>,
        missing: &BTreeSet<u64>,
    ) -> Vec<Append> {
        for batch in &mut batches {
            batch.sent.retain(|sent| !missing.contains(&sent.height));
        }
        batches.retain(|batch| !batch.sent.is_empty());
        if self.late_one_in > 0 && self.window_blocks > 1 && self.lag_ms.len() == 1 {
            self.delay(dice, &mut batches);
        }
        let mut appends = Vec::new();
        for (at, batch) in batches.iter().enumerate() {
            let later = batches.get(at + 1).map_or(batch.at_ms, |next| next.at_ms);
            for sent in &batch.sent {
                self.append(dice, batch, later, sent, &mut appends);
            }
        }
        self.poison(dice, chain, &mut appends);
        appends.sort_by_key(|append| (append.at_ms, append.partition));
        appends
    }

    /// Has records come after those of later blocks, as long as the assembler
    /// waits for them.
    fn delay(&self, dice: &mut Dice, batches: &mut [Batch]) {
        let window = usize::try_from(self.window_blocks).expect("a few");
        for at in 0..batches.len().saturating_sub(window - 1) {
            let span = &batches[at..at + window];
            let close = |pair: &[Batch]| pair[1].at_ms - pair[0].at_ms < SILENCE_MS;
            let rising = |pair: &[Batch]| pair[1].sent[0].height > pair[0].sent[0].height;
            let plain = span.iter().all(|batch| batch.plain);
            if !plain || !span.windows(2).all(|pair| close(pair) && rising(pair)) {
                continue;
            }
            let to = at + 1 + dice.index(window - 1);
            // One record stays, so that the block is told of in its time.
            while batches[at].sent.len() > 1 && dice.one_in(self.late_one_in) {
                let which = 1 + dice.index(batches[at].sent.len() - 1);
                let height = batches[at].sent[which].height;
                // What came here late itself stays.
                if height != batches[at].sent[0].height {
                    break;
                }
                let late = batches[at].sent.remove(which);
                batches[to].sent.push(late);
            }
        }
    }

    fn append(
        &self,
        dice: &mut Dice,
        batch: &Batch,
        next_ms: u64,
        sent: &Sent,
        appends: &mut Vec<Append>,
    ) {
        let spread = self.pace.step_ms - 1;
        let partition = self.partition(sent);
        let at_ms = batch.at_ms + self.lag_ms[partition] + dice.below(spread);
        let once = Append {
            at_ms,
            partition,
            payload: sent.payload.clone(),
            poison: false,
            repeat: false,
        };
        if self.repeat_one_in > 0 && dice.one_in(self.repeat_one_in) {
            let mut again = Append { repeat: true, ..once.clone() };
            if batch.plain && dice.one_in(2) {
                // Nothing ever takes it back, so it may come any time, anywhere.
                again.partition = self.anywhere(dice, sent.kind);
                let base = if dice.one_in(4) { next_ms + dice.below(2_000) } else { next_ms };
                again.at_ms = base + self.lag_ms.iter().max().unwrap_or(&0) + dice.below(spread);
            } else {
                let left = batch.at_ms + self.lag_ms[partition] + spread - at_ms;
                again.at_ms = at_ms + dice.below(left.max(1));
            }
            appends.push(again);
        }
        appends.push(once);
    }

    fn partition(&self, sent: &Sent) -> usize {
        match sent.kind {
            Kind::Header if self.headers > 0 => 0,
            Kind::Header => 0,
            Kind::Event => {
                let events = u64::try_from(self.events).expect("a few");
                self.headers + usize::try_from(sent.key % events).expect("a few")
            }
        }
    }

    fn anywhere(&self, dice: &mut Dice, kind: Kind) -> usize {
        match kind {
            Kind::Header if self.headers > 0 => 0,
            Kind::Header | Kind::Event => self.headers + dice.index(self.events),
        }
    }

    fn poison(&self, dice: &mut Dice, chain: Chain, appends: &mut Vec<Append>) {
        if self.poison_one_in == 0 {
            return;
        }
        for at in 0..appends.len() {
            if dice.one_in(self.poison_one_in) {
                let payload = poison(chain, dice.index(64));
                let Append { at_ms, partition, .. } = appends[at];
                appends.push(Append { at_ms, partition, payload, poison: true, repeat: false });
            }
        }
    }
}
