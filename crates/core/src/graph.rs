//! The graph that is worked on: the newest transfers that carried tainted units,
//! and those on which the paths of live cases rest. With `past/graph` the only
//! user of petgraph.
//!
//! What always holds: it is bounded by configuration, whatever the length of
//! the past, and costs clean transfers nothing; what it does not hold is read
//! from the history.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::accounts::Accounts;
use crate::history::{Found, History, HistoryError};
use crate::movement::{AccountId, TransferId};
use crate::prefetch::prefetch;
use crate::{Amount, EngineConfig, PathStep};

/// What an edge knows of its transfer; the accounts are its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) id: TransferId,
    pub(crate) amount: Amount,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct TransferGraph {
    /// The newest tainted transfers, `window` of them at most, and as many before
    /// them.
    newer: DiGraph<AccountId, Edge, u32>,
    older: DiGraph<AccountId, Edge, u32>,
    /// By account: its node in `newer`, if that node is the account's.
    nodes: Vec<u32>,
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
    /// A graph of at least the newest `window` tainted transfers, at most twice
    /// as many, and of at most `paths_max` transfers of paths.
    pub(crate) fn new(window: usize, paths_max: usize) -> TransferGraph {
        TransferGraph {
            newer: DiGraph::default(),
            older: DiGraph::default(),
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

    /// Appends the newest transfer that carried tainted units.
    pub(crate) fn append(&mut self, from: AccountId, to: AccountId, edge: Edge) {
        if self.window == 0 {
            return;
        }
        if self.newer.edge_count() >= self.window || self.newer.node_count() > 4 * self.window {
            std::mem::swap(&mut self.newer, &mut self.older);
            self.newer.clear();
        }
        let ends = (self.node(from), self.node(to));
        self.newer.add_edge(ends.0, ends.1, edge);
    }

    /// Brings near what [`append`](Self::append) asks of the account.
    #[inline]
    pub(crate) fn prefetch(&self, account: AccountId) {
        prefetch(&self.nodes, account.index());
    }

    /// Then brings near the account's node.
    #[inline]
    pub(crate) fn prefetch_node(&self, account: AccountId) {
        if let Some(node) = self.nodes.get(account.index()) {
            prefetch(self.newer.raw_nodes(), *node as usize);
        }
    }

    #[inline]
    fn node(&mut self, account: AccountId) -> NodeIndex<u32> {
        if self.nodes.len() <= account.index() {
            self.nodes.resize(account.index() + 1, 0);
        }
        let known = NodeIndex::new(self.nodes[account.index()] as usize);
        if self.newer.node_weight(known) == Some(&account) {
            return known;
        }
        let node = self.newer.add_node(account);
        self.nodes[account.index()] = u32::try_from(node.index()).expect("at most 4 windows");
        node
    }

    /// Forgets transfers that were reverted: those from `end` on.
    pub(crate) fn revert(&mut self, end: TransferId) {
        for graph in [&mut self.newer, &mut self.older] {
            while let Some(last) = graph.edge_indices().next_back()
                && graph[last].id >= end
            {
                graph.remove_edge(last);
            }
        }
        self.paths.retain(|id, _| *id < end);
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
        (self.newer.edge_count() + self.older.edge_count(), self.paths.len())
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
        let edges = graph.older.edge_weights().chain(graph.newer.edge_weights());
        edges.map(|edge| edge.id.0).collect()
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
        for graph in [&graph.older, &graph.newer] {
            assert!(graph.node_count() <= 12);
            for edge in graph.raw_edges() {
                let ends = (graph[edge.source()].0, graph[edge.target()].0);
                assert_eq!(ends, (edge.weight.id.0 % 7, edge.weight.id.0 % 5 + 7));
            }
        }
    }

    #[test]
    fn a_revert_takes_off_the_newest() {
        for end in [12, 7] {
            let mut graph = TransferGraph::new(10, 1);
            append(&mut graph, 0..15);
            graph.revert(TransferId(end));
            assert_eq!(ids(&graph), (0..end).collect::<Vec<_>>());
            append(&mut graph, end..14);
            assert_eq!(ids(&graph), (0..14).collect::<Vec<_>>());
        }
    }
}
