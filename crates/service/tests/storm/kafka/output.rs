//! A topic that the service writes.

use usdt_flow::follow::{Outgoing, Stream};

/// A record as it lies there.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) offset: i64,
    pub(crate) record: Outgoing,
    /// Whether its transaction was committed.
    pub(crate) visible: bool,
}

/// See the module.
pub(crate) struct OutputTopic {
    pub(crate) name: String,
    /// None for dead letters, which nobody reads back.
    pub(crate) stream: Option<Stream>,
    pub(crate) partitions: Vec<Vec<Written>>,
    /// By partition: the next offset.
    pub(crate) ends: Vec<i64>,
}

impl OutputTopic {
    pub(crate) fn new(name: &str, stream: Option<Stream>, partitions: usize) -> OutputTopic {
        OutputTopic {
            name: name.to_owned(),
            stream,
            partitions: vec![Vec::new(); partitions],
            ends: vec![0; partitions],
        }
    }

    pub(super) fn append(&mut self, output: &Outgoing, visible: bool) {
        let key = output.key.as_deref().unwrap_or_default();
        let sum: usize = key.bytes().map(usize::from).sum();
        let at = sum % self.partitions.len();
        let offset = self.ends[at];
        self.ends[at] += 1;
        self.partitions[at].push(Written { offset, record: output.clone(), visible });
    }

    /// A transaction's markers.
    pub(super) fn mark(&mut self) {
        for end in &mut self.ends {
            *end += 1;
        }
    }

    /// What was committed, in the order of each partition.
    pub(crate) fn visible(&self) -> impl Iterator<Item = &Outgoing> {
        let all = self.partitions.iter().flatten();
        all.filter(|written| written.visible).map(|written| &written.record)
    }

    /// The next committed record of a partition from that offset on.
    pub(crate) fn read(&self, partition: usize, from: i64) -> Option<&Written> {
        let written = &self.partitions[partition];
        let at = written.partition_point(|written| written.offset < from);
        written[at..].iter().find(|written| written.visible)
    }
}
