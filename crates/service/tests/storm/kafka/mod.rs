//! Kafka as far as a follower sees it: topics with offsets, a group's committed
//! offsets, transactions and fencing.
//!
//! What always holds: outputs and offsets of a transaction become visible
//! together or never; after a fence nothing of an older producer does. What may
//! be: markers take offsets, a transaction stays undecided for a while, old
//! input is deleted.

mod changes;
mod input;
mod output;

use std::time::Duration;

use flow_sim::Dice;
use usdt_flow::follow::{Committed, Outgoing, Position, Stream};

pub(crate) use changes::{ChangeLog, Stored};
pub(crate) use input::{Input, Letter};
pub(crate) use output::OutputTopic;

/// A transaction of which nobody knows yet how it ends.
#[derive(Debug)]
struct Undecided {
    outputs: Vec<Outgoing>,
    positions: Vec<Position>,
    /// What the coordinator has made of it.
    commits: bool,
    until: Duration,
}

/// See the module.
pub(crate) struct Kafka {
    pub(crate) input: Input,
    pub(crate) changes: ChangeLog,
    /// Alerts, recommendations, dead letters.
    pub(crate) outputs: Vec<OutputTopic>,
    /// By partition of the input.
    pub(crate) committed: Vec<Option<Committed>>,
    /// Rises with each fence.
    pub(crate) epoch: u64,
    undecided: Option<Undecided>,
    /// Rises with each transaction that becomes visible.
    pub(crate) commits: u64,
}

impl Kafka {
    pub(crate) fn new(input: Input, changes: ChangeLog, outputs: Vec<OutputTopic>) -> Kafka {
        let committed = vec![None; input.len()];
        Kafka { input, changes, outputs, committed, epoch: 0, undecided: None, commits: 0 }
    }

    /// Makes every older producer powerless. An undecided transaction ends as
    /// the coordinator has it.
    pub(crate) fn fence(&mut self, dice: &mut Dice) -> u64 {
        self.decide(dice);
        self.epoch += 1;
        self.epoch
    }

    /// Ends the undecided transaction if its time has come.
    pub(crate) fn tick(&mut self, now: Duration, dice: &mut Dice) {
        if self.undecided.as_ref().is_some_and(|undecided| undecided.until <= now) {
            self.decide(dice);
        }
    }

    fn decide(&mut self, dice: &mut Dice) {
        let Some(undecided) = self.undecided.take() else { return };
        if undecided.commits {
            self.show(&undecided.outputs, &undecided.positions, dice);
        } else {
            self.waste(&undecided.outputs, dice);
        }
    }

    /// Leaves a transaction undecided for a while.
    pub(crate) fn leave_undecided(
        &mut self,
        outputs: &[Outgoing],
        positions: &[Position],
        commits: bool,
        until: Duration,
    ) {
        let (outputs, positions) = (outputs.to_vec(), positions.to_vec());
        self.undecided = Some(Undecided { outputs, positions, commits, until });
    }

    /// Makes a transaction visible.
    pub(crate) fn show(&mut self, outputs: &[Outgoing], positions: &[Position], dice: &mut Dice) {
        for output in outputs {
            self.topic(&output.topic).append(output, true);
        }
        self.end(outputs, dice);
        for Position { partition, committed } in positions {
            let known = self.committed[*partition].as_ref().map_or(0, |known| known.offset);
            assert!(committed.offset >= known, "the group would move back: {committed:?}");
            self.committed[*partition] = Some(committed.clone());
        }
        self.commits += 1;
    }

    /// Aborts a transaction: it takes offsets, and is never seen.
    pub(crate) fn waste(&mut self, outputs: &[Outgoing], dice: &mut Dice) {
        let sent = dice.index(outputs.len() + 1);
        for output in &outputs[..sent] {
            self.topic(&output.topic).append(output, false);
        }
        self.end(&outputs[..sent], dice);
    }

    /// Writes the markers of a transaction.
    fn end(&mut self, outputs: &[Outgoing], dice: &mut Dice) {
        for topic in &mut self.outputs {
            let in_topic = outputs.iter().any(|output| output.topic == topic.name);
            // Entries of the audit trail stand beside other records, and share their luck.
            let is_audit = topic.stream == Some(Stream::Audit);
            if in_topic && (is_audit || !dice.one_in(8)) {
                topic.mark();
            }
        }
    }

    fn topic(&mut self, name: &str) -> &mut OutputTopic {
        let topic = self.outputs.iter_mut().find(|topic| topic.name == name);
        topic.expect("only the topics of the configuration are written")
    }
}
