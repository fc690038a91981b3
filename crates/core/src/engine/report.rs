//! What can be read from the engine: tables, books, sizes, and an audit.

use super::Engine;
use crate::ledger::LaneIx;
use crate::{AccountRow, ApplyError, CaseTotals, Chain, LedgerStats};

impl Engine {
    /// Every account that holds tainted units of a case, with the case's id;
    /// in the order of case, chain and address.
    pub fn taint_rows(&self) -> Vec<(String, AccountRow)> {
        let mut rows = Vec::new();
        for (id, ix) in &self.lanes {
            let lane = self.tracer.lane(*ix);
            rows.extend(lane.members.iter().filter_map(|account| {
                let taint = self.tracer.book.taint(*account, *ix)?;
                let holding = self.tracer.book.holding(*account);
                (taint.units > 0).then(|| {
                    let row = AccountRow {
                        account: self.graph.account(*account),
                        balance: holding.balance,
                        tainted: taint.units,
                        hops: taint.hops,
                        frozen: holding.frozen,
                    };
                    (id.clone(), row)
                })
            }));
        }
        rows.sort();
        rows
    }

    /// The books of every case, in the order of case ids.
    pub fn case_totals(&self) -> Vec<(String, CaseTotals)> {
        let totals =
            |(id, ix): (&String, &LaneIx)| (id.clone(), self.tracer.lane(*ix).totals.clone());
        self.lanes.iter().map(totals).collect()
    }

    /// Sizes and sums.
    pub fn stats(&self) -> LedgerStats {
        LedgerStats {
            transfers: self.graph.transfer_count(),
            opening_units: self.tracer.opening_units,
            cases: self.lanes.len(),
            ..self.stats
        }
    }

    /// The last block of the chain that was applied, and its time in Unix
    /// milliseconds.
    pub fn head(&self, chain: Chain) -> Option<(u64, u64)> {
        let block = self.history.block(self.heads[chain.index()]?);
        Some((block.number, block.timestamp_ms))
    }

    /// Recomputes every case's held and frozen units from its accounts and
    /// compares them with the running totals. Costs a walk over all tainted
    /// accounts; for tests and the end of a run.
    ///
    /// # Errors
    /// [`ApplyError::NotConserved`] names the case that does not add up.
    pub fn audit(&self) -> Result<(), ApplyError> {
        for (id, ix) in &self.lanes {
            let lane = self.tracer.lane(*ix);
            let mut sums = CaseTotals::default();
            for account in &lane.members {
                let holding = self.tracer.book.holding(*account);
                let units = self.tracer.book.taint(*account, *ix).map_or(0, |taint| taint.units);
                if units > holding.balance {
                    return Err(self.not_conserved(id));
                }
                *sums.class(holding.frozen) += u128::from(units);
            }
            let same = sums.held == lane.totals.held && sums.frozen == lane.totals.frozen;
            if !same || !lane.totals.is_conserved() {
                return Err(self.not_conserved(id));
            }
        }
        Ok(())
    }

    fn not_conserved(&self, case: &str) -> ApplyError {
        let last = self.history.blocks().last();
        ApplyError::NotConserved {
            case: case.to_owned(),
            chain: last.map_or(Chain::Tron, |block| block.chain),
            block: last.map_or(0, |block| block.number),
        }
    }
}
