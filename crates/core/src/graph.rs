//! The transfer graph: accounts are nodes, transfers are edges in the order in
//! which they applied. The only user of petgraph.
//!
//! What always holds: ids are dense and rise in order of first appearance, so
//! equal inputs give equal ids; the address index is never iterated.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use petgraph::graph::{DiGraph, EdgeIndex, NodeIndex};

use crate::{AccountKey, Amount, PathStep, TransferRef, TxHash, history::BlockIx};

/// Dense id of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AccountId(pub(crate) u32);

impl AccountId {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Dense id of a transfer: its rank in the order of application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TransferId(pub(crate) u32);

/// The index of a log whose source does not number logs.
pub(crate) const NO_LOG_INDEX: u32 = u32::MAX;

/// What an edge knows of its transfer; the accounts are its ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transfer {
    pub(crate) amount: Amount,
    pub(crate) block: BlockIx,
    pub(crate) position: u32,
    pub(crate) log_index: u32,
}

/// More accounts or transfers than 32-bit ids can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GraphFull;

/// Accounts and transfers.
#[derive(Debug, Default)]
pub(crate) struct TransferGraph {
    graph: DiGraph<AccountKey, Transfer, u32>,
    ids: HashMap<AccountKey, AccountId, FixedState>,
    txs: Vec<TxHash>,
}

impl TransferGraph {
    /// The account's id, given on first sight.
    pub(crate) fn intern(&mut self, account: AccountKey) -> Result<AccountId, GraphFull> {
        if let Some(id) = self.ids.get(&account) {
            return Ok(*id);
        }
        let node = self.graph.try_add_node(account).map_err(|_| GraphFull)?;
        let id = AccountId(u32::try_from(node.index()).map_err(|_| GraphFull)?);
        self.ids.insert(account, id);
        Ok(id)
    }

    pub(crate) fn account(&self, id: AccountId) -> AccountKey {
        self.graph[NodeIndex::new(id.index())]
    }

    pub(crate) fn account_count(&self) -> usize {
        self.graph.node_count()
    }

    pub(crate) fn transfer_count(&self) -> usize {
        self.txs.len()
    }

    /// Appends a transfer.
    pub(crate) fn add(
        &mut self,
        from: AccountId,
        to: AccountId,
        tx: TxHash,
        transfer: Transfer,
    ) -> Result<TransferId, GraphFull> {
        let ends = (NodeIndex::new(from.index()), NodeIndex::new(to.index()));
        let edge = self.graph.try_add_edge(ends.0, ends.1, transfer).map_err(|_| GraphFull)?;
        self.txs.push(tx);
        Ok(TransferId(u32::try_from(edge.index()).map_err(|_| GraphFull)?))
    }

    /// Ends, edge and transaction of a transfer.
    pub(crate) fn transfer(&self, id: TransferId) -> (AccountId, AccountId, Transfer, TxHash) {
        let edge = EdgeIndex::<u32>::new(id.0 as usize);
        let (from, to) = self.graph.edge_endpoints(edge).expect("ids are given by add");
        let id_of = |node: NodeIndex<u32>| {
            AccountId(u32::try_from(node.index()).expect("node ids have 32 bits"))
        };
        (id_of(from), id_of(to), self.graph[edge], self.txs[id.0 as usize])
    }

    /// The transfer as a step of a path that carried `tainted` units.
    pub(crate) fn step(
        &self,
        id: TransferId,
        tainted: Amount,
        block: u64,
        timestamp_ms: u64,
    ) -> PathStep {
        let (from, to, transfer, tx) = self.transfer(id);
        PathStep {
            transfer: TransferRef { tx, position: transfer.position },
            block,
            timestamp_ms,
            from: self.account(from).address,
            to: self.account(to).address,
            amount: transfer.amount,
            tainted,
        }
    }
}

#[cfg(test)]
mod tests {
    use petgraph::graph::{Edge, Node};

    use super::*;

    #[test]
    fn what_a_transfer_costs() {
        assert_eq!(size_of::<Node<AccountKey, u32>>(), 32);
        assert_eq!(size_of::<(AccountKey, AccountId)>(), 28);
        assert_eq!(size_of::<Edge<Transfer, u32>>() + size_of::<TxHash>(), 40 + 32);
    }
}
