//! The graph that is worked on: the newest transfers, and those on which the
//! paths of live cases rest. The only user of petgraph.
//!
//! What always holds: it is bounded by configuration, whatever the length of
//! the past; what it does not hold is read from the history.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::accounts::Accounts;
use crate::history::{Found, History, HistoryError};
use crate::movement::{AccountId, TransferId};
use crate::prefetch::prefetch;
use crate::{Amount, EngineConfig, PathStep};

/// No node stands for the account.
const ABSENT: u32 = u32::MAX;

/// What an edge knows of its transfer; the accounts are its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) id: TransferId,
    pub(crate) amount: Amount,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct TransferGraph {
    recent: DiGraph<AccountId, Edge, u32>,
    /// By account: its node in `recent`.
    nodes: Vec<u32>,
    /// Transfers that the graph keeps once there are twice as many.
    window: usize,
    /// Sealed transfers of paths told, as they were told last.
    paths: HashMap<TransferId, PathStep, FixedState>,
    paths_max: usize,
}

impl Default for TransferGraph {
    fn default() -> Self {
        TransferGraph::new(1 << 16, 1 << 18)
    }
}

impl TransferGraph {
    /// A graph of at least the newest `window` transfers, at most twice as
    /// many, and of at most `paths_max` transfers of paths.
    pub(crate) fn new(window: usize, paths_max: usize) -> TransferGraph {
        TransferGraph {
            recent: DiGraph::default(),
            nodes: Vec::new(),
            window,
            paths: HashMap::default(),
            paths_max: paths_max.max(1),
        }
    }

    /// A graph of the configured size.
    pub(crate) fn of(config: &EngineConfig) -> TransferGraph {
        TransferGraph::new(config.graph_transfers, config.graph_transfers.saturating_mul(4))
    }

    /// Appends the newest transfer.
    pub(crate) fn append(&mut self, from: AccountId, to: AccountId, edge: Edge) {
        if self.window == 0 {
            return;
        }
        if self.recent.edge_count() >= 2 * self.window {
            self.keep(self.recent.edge_count() - self.window, usize::MAX);
        }
        let ends = (self.node(from), self.node(to));
        self.recent.add_edge(ends.0, ends.1, edge);
    }

    /// Brings near what [`append`](Self::append) asks of the account.
    #[inline]
    pub(crate) fn prefetch(&self, account: AccountId) {
        prefetch(&self.nodes, account.index());
    }

    fn node(&mut self, account: AccountId) -> NodeIndex<u32> {
        if self.nodes.len() <= account.index() {
            self.nodes.resize(account.index() + 1, ABSENT);
        }
        let known = self.nodes[account.index()];
        if known != ABSENT {
            return NodeIndex::new(known as usize);
        }
        let node = self.recent.add_node(account);
        self.nodes[account.index()] = u32::try_from(node.index()).expect("at most 4 windows");
        node
    }

    /// Forgets transfers that were reverted: those from `end` on.
    pub(crate) fn revert(&mut self, end: TransferId) {
        let keep = self.recent.edge_weights().take_while(|edge| edge.id < end).count();
        self.keep(0, keep);
        self.paths.retain(|id, _| *id < end);
    }

    /// Builds the graph anew from its edges `from..to`.
    fn keep(&mut self, from: usize, to: usize) {
        let old = std::mem::take(&mut self.recent);
        for account in old.node_weights() {
            self.nodes[account.index()] = ABSENT;
        }
        for edge in old.raw_edges().iter().take(to).skip(from) {
            let ends = (self.node(old[edge.source()]), self.node(old[edge.target()]));
            self.recent.add_edge(ends.0, ends.1, edge.weight);
        }
    }

    /// The transfer as a step of a path that carried `tainted` units. What was
    /// read from segments stays at hand.
    pub(crate) fn step(
        &mut self,
        id: TransferId,
        tainted: Amount,
        history: &mut History,
        accounts: &Accounts,
    ) -> Result<PathStep, HistoryError> {
        if history.is_at_hand(id) {
            return Ok(step(&history.transfer(id)?, tainted, accounts));
        }
        if let Some(step) = self.paths.get(&id) {
            return Ok(PathStep { tainted, ..step.clone() });
        }
        let step = step(&history.transfer(id)?, tainted, accounts);
        if self.paths.len() >= self.paths_max {
            self.paths.clear();
        }
        self.paths.insert(id, step.clone());
        Ok(step)
    }

    /// Transfers in the window and on paths.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.recent.edge_count(), self.paths.len())
    }
}

fn step(found: &Found, tainted: Amount, accounts: &Accounts) -> PathStep {
    PathStep {
        transfer: found.mark.place(),
        block: found.block.number,
        timestamp_ms: found.block.timestamp_ms,
        from: accounts.key(found.transfer.from).address,
        to: accounts.key(found.transfer.to).address,
        amount: found.transfer.amount,
        tainted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(graph: &mut TransferGraph, ids: std::ops::Range<u32>) {
        for id in ids {
            let edge = Edge { id: TransferId(id), amount: 1 };
            graph.append(AccountId(id % 7), AccountId(id % 5 + 7), edge);
        }
    }

    fn ids(graph: &TransferGraph) -> Vec<u32> {
        graph.recent.edge_weights().map(|edge| edge.id.0).collect()
    }

    #[test]
    fn what_a_transfer_in_the_window_costs() {
        assert_eq!(size_of::<petgraph::graph::Edge<Edge, u32>>(), 32);
    }

    #[test]
    fn keeps_between_one_and_two_windows() {
        let mut graph = TransferGraph::new(10, 1);
        append(&mut graph, 0..95);
        assert_eq!(ids(&graph), (80..95).collect::<Vec<_>>());
        assert!(graph.recent.node_count() <= 12);
        for edge in graph.recent.raw_edges() {
            let ends = (graph.recent[edge.source()].0, graph.recent[edge.target()].0);
            assert_eq!(ends, (edge.weight.id.0 % 7, edge.weight.id.0 % 5 + 7));
        }
    }

    #[test]
    fn a_revert_takes_off_the_newest() {
        let mut graph = TransferGraph::new(10, 1);
        append(&mut graph, 0..15);
        graph.revert(TransferId(12));
        append(&mut graph, 12..14);
        assert_eq!(ids(&graph), (0..14).collect::<Vec<_>>());
    }
}
