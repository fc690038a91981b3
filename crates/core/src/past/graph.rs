//! A trace as a graph: accounts, and the transfers that carried tainted units
//! between them.
//!
//! What always holds: edge `n` is the `n`th of the hops, counted from 0.

use std::fmt::Write;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use super::Hop;

/// See the module.
#[derive(Debug)]
pub struct TraceGraph {
    /// Nodes hold account ids, edges ranks of hops.
    graph: DiGraph<u32, u32, u32>,
    nodes: HashMap<u32, NodeIndex<u32>, FixedState>,
}

impl TraceGraph {
    /// The graph of these hops.
    pub fn of(hops: &[Hop]) -> TraceGraph {
        let (graph, nodes) = (DiGraph::default(), HashMap::default());
        let mut this = TraceGraph { graph, nodes };
        for (ix, hop) in (0..).zip(hops) {
            let ends = (this.node(hop.from), this.node(hop.to));
            this.graph.add_edge(ends.0, ends.1, ix);
        }
        this
    }

    fn node(&mut self, account: u32) -> NodeIndex<u32> {
        let graph = &mut self.graph;
        *self.nodes.entry(account).or_insert_with(|| graph.add_node(account))
    }

    /// Its accounts, in the order in which the trace reached them.
    pub fn accounts(&self) -> impl Iterator<Item = u32> + '_ {
        self.graph.node_weights().copied()
    }

    /// The hops out of an account, the newest first.
    pub fn hops_from(&self, account: u32) -> impl Iterator<Item = u32> + '_ {
        let node = self.nodes.get(&account);
        let edges = node.map(|node| self.graph.edges_directed(*node, Direction::Outgoing));
        edges.into_iter().flatten().map(|edge| *edge.weight())
    }

    /// The graph in the language of Graphviz. `account` names a node, `hop`
    /// an edge by its rank.
    pub fn dot(&self, account: impl Fn(u32) -> String, hop: impl Fn(u32) -> String) -> String {
        let mut text = String::from("digraph trace {\n  rankdir=LR;\n  node [shape=box];\n");
        let mut line = |line: std::fmt::Arguments<'_>| {
            text.write_fmt(line).expect("a string takes whatever is written");
        };
        for id in self.graph.node_weights() {
            line(format_args!("  a{id} [label={}];\n", quoted(&account(*id))));
        }
        for edge in self.graph.edge_references() {
            let (from, to) = (self.graph[edge.source()], self.graph[edge.target()]);
            let label = quoted(&hop(*edge.weight()));
            line(format_args!("  a{from} -> a{to} [label={label}];\n"));
        }
        text.push_str("}\n");
        text
    }
}

/// A string of Graphviz: a line break becomes its escape.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn what_would_end_a_string_is_escaped() {
        assert_eq!(quoted("a \"b\" \\ c\nd"), "\"a \\\"b\\\" \\\\ c\\nd\"");
    }
}
