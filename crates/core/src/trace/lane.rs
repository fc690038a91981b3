//! One case under one policy, as it is being traced.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::runs::Runs;
use crate::movement::{AccountId, BlockMeta, TransferId};
use crate::{Amount, Case, Chain, Policy};

/// Rank of a lane; never given twice.
pub(crate) type LaneIx = u32;

/// The parent of a path's first transfer.
pub(crate) const ROOT: u32 = u32::MAX;

/// The conservation identity of a case:
/// `emitted = held + frozen + services + redeemed + destroyed + horizon + dust`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseTotals {
    /// Units that turned from clean to tainted.
    pub emitted: u128,
    /// Tainted units in accounts that are not frozen.
    pub held: u128,
    /// Tainted units in frozen accounts.
    pub frozen: u128,
    /// Tainted units that reached services, by entity.
    pub services: BTreeMap<String, u128>,
    /// Tainted units redeemed by the issuer.
    pub redeemed: u128,
    /// Tainted units burnt by the issuer.
    pub destroyed: u128,
    /// Tainted units that arrived in parcels below the case's `min_units`.
    pub dust: u128,
    /// Tainted units that went further than the case's `max_hops`.
    pub horizon: u128,
}

impl CaseTotals {
    /// Tainted units at services, whatever the entity.
    pub fn service(&self) -> u128 {
        self.services.values().sum()
    }

    /// Whether the identity holds. Under `poison` it need not.
    pub fn is_conserved(&self) -> bool {
        let parts =
            [self.held, self.frozen, self.redeemed, self.destroyed, self.dust, self.horizon];
        self.emitted == parts.iter().sum::<u128>() + self.service()
    }

    pub(crate) fn class(&mut self, frozen: bool) -> &mut u128 {
        if frozen { &mut self.frozen } else { &mut self.held }
    }
}

/// One transfer of a path, with the path that led to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) transfer: TransferId,
    pub(crate) parent: u32,
    pub(crate) tainted: Amount,
}

/// Tainted units that reached one account of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) units: Amount,
    pub(crate) hops: u32,
    pub(crate) node: u32,
}

/// A block that changed the books of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Turn {
    pub(crate) chain: Chain,
    pub(crate) block: u64,
    pub(crate) timestamp_ms: u64,
}

impl From<&BlockMeta> for Turn {
    fn from(block: &BlockMeta) -> Turn {
        let BlockMeta { chain, number, timestamp_ms, .. } = *block;
        Turn { chain, block: number, timestamp_ms }
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) case: Arc<Case>,
    pub(crate) policy: Policy,
    /// The lanes of the same case, itself among them; the first is the one
    /// that recommendations rest on.
    pub(crate) siblings: Arc<[LaneIx]>,
    pub(crate) totals: CaseTotals,
    /// What changed the totals last, if that was not told yet; of the first lane of
    /// a case alone.
    pub(crate) untold: Option<Turn>,
    pub(crate) nodes: Vec<Node>,
    /// Accounts that ever had a taint entry, in order of first touch.
    pub(crate) members: Vec<AccountId>,
    /// Accounts of services that tainted units reached, in order of first touch.
    pub(crate) reached: Vec<AccountId>,
    pub(crate) arrivals: HashMap<AccountId, Arrival, FixedState>,
    /// Where tainted units lie, by account; for ordered policies alone.
    pub(crate) runs: HashMap<AccountId, Runs, FixedState>,
}

impl Lane {
    pub(crate) fn new(case: Arc<Case>, policy: Policy, siblings: Arc<[LaneIx]>) -> Lane {
        Lane {
            case,
            policy,
            siblings,
            totals: CaseTotals::default(),
            untold: None,
            nodes: Vec::new(),
            members: Vec::new(),
            reached: Vec::new(),
            arrivals: HashMap::default(),
            runs: HashMap::default(),
        }
    }

    /// Whether the books balance, where they must.
    pub(crate) fn is_conserved(&self) -> bool {
        self.policy == Policy::Poison || self.totals.is_conserved()
    }

    pub(super) fn push_node(&mut self, node: Node) -> u32 {
        let ix = u32::try_from(self.nodes.len()).expect("fewer nodes than transfers");
        self.nodes.push(node);
        ix
    }
}
