//! What can be read from the engine: tables, books, sizes, and an audit.

use super::{Engine, OpenCase};
use crate::trace::{LaneIx, World};
use crate::{
    AccountKey, AccountRow, ApplyError, Calibration, CaseTotals, Chain, DeskTotals, FreezeRank,
    FreezeRecommendation, LedgerStats, Past, Policy,
};

impl Engine {
    /// The policies under which cases are traced; the first one leads.
    pub fn policies(&self) -> &[Policy] {
        &self.config.policies
    }

    /// Every account that holds tainted units of a case under the leading
    /// policy, with the case's id; in the order of case, chain and address.
    pub fn taint_rows(&self) -> Vec<(String, AccountRow)> {
        self.taint_rows_under(self.config.policies[0])
    }

    /// The same under any policy that cases are traced under. Under `poison`
    /// every touched account, also an empty one.
    pub fn taint_rows_under(&self, policy: Policy) -> Vec<(String, AccountRow)> {
        let mut rows = Vec::new();
        for (id, ix) in self.lanes_under(policy) {
            let lane = self.tracer.lane(ix);
            rows.extend(lane.members.iter().filter_map(|account| {
                let taint = self.tracer.taints.get(&self.ledger, *account, ix)?;
                let holding = self.ledger.holding(*account);
                (taint.units > 0 || policy == Policy::Poison).then(|| {
                    let row = AccountRow {
                        account: self.ledger.accounts.key(*account),
                        balance: holding.balance,
                        tainted: taint.units,
                        hops: taint.hops,
                        frozen: holding.frozen,
                    };
                    (id.to_owned(), row)
                })
            }));
        }
        rows.sort();
        rows
    }

    /// The books of every case under the leading policy, in the order of case
    /// ids.
    pub fn case_totals(&self) -> Vec<(String, CaseTotals)> {
        self.case_totals_under(self.config.policies[0])
    }

    /// The same under any policy that cases are traced under.
    pub fn case_totals_under(&self, policy: Policy) -> Vec<(String, CaseTotals)> {
        let totals =
            |(id, ix): (&str, LaneIx)| (id.to_owned(), self.tracer.lane(ix).totals.clone());
        self.lanes_under(policy).map(totals).collect()
    }

    /// The lane of each case under that policy; none while a case waits to be
    /// traced through the past.
    fn lanes_under(&self, policy: Policy) -> impl Iterator<Item = (&str, LaneIx)> {
        let rank = self.config.policies.iter().position(|known| *known == policy);
        self.cases.iter().filter_map(move |(id, case)| Some((id.as_str(), *case.lanes.get(rank?)?)))
    }

    /// Sizes and sums.
    pub fn stats(&self) -> LedgerStats {
        LedgerStats {
            transfers: self.history.transfers_len(),
            opening_units: self.ledger.opening_units,
            cases: self.cases.len(),
            ..self.stats
        }
    }

    /// Transfers in memory, segments sealed, transfers in the graph and on
    /// paths at hand, blocks that can be reverted.
    pub fn memory(&self) -> MemoryStats {
        let (graph_transfers, path_transfers) = self.graph.sizes();
        let (segment_bytes, hash_bytes) = self.history.sealed_bytes();
        MemoryStats {
            tail_transfers: self.history.tail_len(),
            segments: self.history.segments().len(),
            sealed_transfers: self.history.transfers_len() - self.history.tail_len(),
            segment_bytes,
            hash_bytes,
            graph_transfers,
            path_transfers,
            revertible_blocks: self.journal.len(),
        }
    }

    /// Seals every block that can no longer be reverted, however few they are,
    /// so that the archive holds the whole final past.
    ///
    /// # Errors
    /// If the archive does not take it.
    pub fn seal(&mut self) -> Result<(), ApplyError> {
        let end = self.journal.first().unwrap_or(self.history.blocks_len());
        Ok(self.history.seal_all(end, &self.ledger.accounts)?)
    }

    /// Hands the past over, to be asked questions; labels stay set.
    pub fn into_past(self) -> Past {
        Past::of(self.history, self.ledger.accounts, self.labels)
    }

    /// The last block of the chain that was applied, and its time in Unix
    /// milliseconds.
    pub fn head(&self, chain: Chain) -> Option<(u64, u64)> {
        self.heads[chain.index()].map(|block| (block.number, block.timestamp_ms))
    }

    /// The open recommendations whose units can still be caught, as of the head
    /// of their chain, in the order of accounts.
    pub fn freeze_ranks(&self) -> Vec<FreezeRank> {
        let world = World { config: &self.config, labels: &self.labels };
        let ranks = |head| self.desk.ranks(head, &self.ledger.accounts, &self.ledger, world);
        self.heads.iter().flatten().flat_map(ranks).collect()
    }

    /// How the chances that were told of recommendations have fared, by tenth.
    pub fn calibration(&self) -> [Calibration; 10] {
        self.desk.dwell.calibrations()
    }

    /// The recommendations of a chain in numbers.
    pub fn desk_totals(&self, chain: Chain) -> DeskTotals {
        self.desk.totals(chain, &self.ledger.accounts)
    }

    /// The recommendation for an account as it stands, as of the head of its
    /// chain; `None` if none was ever made, or its blocks were reverted. Its
    /// revision is that of the last record told.
    ///
    /// # Errors
    /// If the past cannot be read to draw its paths.
    pub fn recommendation(
        &mut self,
        account: AccountKey,
    ) -> Result<Option<FreezeRecommendation>, ApplyError> {
        let Some(id) = self.ledger.accounts.find(account) else { return Ok(None) };
        let Some(head) = self.heads[account.chain.index()] else { return Ok(None) };
        let (mut sight, desk) = self.sight();
        Ok(desk.standing(id, &head, &mut sight)?)
    }

    /// Recomputes every case's held and frozen units from its accounts and
    /// compares them with the running totals. Costs a walk over all tainted
    /// accounts; for tests and the end of a run.
    ///
    /// # Errors
    /// [`ApplyError::NotConserved`] names the case that does not add up.
    pub fn audit(&self) -> Result<(), ApplyError> {
        match self.misfit() {
            Some(id) => Err(self.not_conserved(id)),
            None => Ok(()),
        }
    }

    /// The first case that does not add up.
    pub(super) fn misfit(&self) -> Option<&str> {
        let adds_up = |case: &OpenCase| case.lanes.iter().all(|ix| self.adds_up(*ix));
        self.cases.iter().find(|(_, case)| !adds_up(case)).map(|(id, _)| id.as_str())
    }

    fn adds_up(&self, ix: LaneIx) -> bool {
        let lane = self.tracer.lane(ix);
        let mut sums = CaseTotals::default();
        for account in &lane.members {
            let holding = self.ledger.holding(*account);
            let taint = self.tracer.taints.get(&self.ledger, *account, ix);
            let units = taint.map_or(0, |taint| taint.units);
            let whole = taint.is_some_and(|taint| taint.whole);
            if units > holding.balance || (whole && units != holding.balance) {
                return false;
            }
            *sums.class(holding.frozen) += u128::from(units);
        }
        let same = sums.held == lane.totals.held && sums.frozen == lane.totals.frozen;
        same && lane.is_conserved()
    }

    fn not_conserved(&self, case: &str) -> ApplyError {
        let last = self.heads.iter().flatten().max_by_key(|block| block.timestamp_ms);
        ApplyError::NotConserved {
            case: case.to_owned(),
            chain: last.map_or(Chain::Tron, |block| block.chain),
            block: last.map_or(0, |block| block.number),
        }
    }
}

/// What the engine holds in memory of the past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryStats {
    /// Transfers that are not sealed yet.
    pub tail_transfers: usize,
    /// Segments sealed.
    pub segments: usize,
    /// Transfers in them.
    pub sealed_transfers: usize,
    /// Their bytes, in the archive.
    pub segment_bytes: u64,
    /// Bytes of transaction hashes and of their locator among these.
    pub hash_bytes: u64,
    /// Transfers in the graph.
    pub graph_transfers: usize,
    /// Transfers on paths that were told, kept at hand.
    pub path_transfers: usize,
    /// Blocks that can still be reverted, and those applied since.
    pub revertible_blocks: usize,
}
