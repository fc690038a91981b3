//! Sums over all cases, accounts and recommendations, for those who watch the
//! service rather than a case.

use super::Engine;
use crate::{Actor, Chain, FreezeStatus};

/// Where the units of all cases are, under the leading policy. Two cases that
/// both claim a unit count it twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnitSums {
    /// Units that turned from clean to tainted.
    pub emitted: u128,
    /// In accounts that are not frozen.
    pub held: u128,
    /// In frozen accounts.
    pub frozen: u128,
    /// At services.
    pub service: u128,
    /// Redeemed by the issuer.
    pub redeemed: u128,
    /// Burnt by the issuer.
    pub destroyed: u128,
    /// In parcels below a case's `min_units`.
    pub dust: u128,
    /// Beyond a case's `max_hops`.
    pub horizon: u128,
}

/// Recommendations of one status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeskSum {
    /// How many accounts stand at it.
    pub accounts: usize,
    /// Units that cases claimed of them when they were last told of.
    pub units: u128,
}

/// What [`Engine::sums`] gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Where the units are.
    pub units: UnitSums,
    /// Accounts that hold tainted units now.
    pub tainted_accounts: usize,
    /// By rank in [`FreezeStatus::ALL`].
    pub recommendations: [DeskSum; FreezeStatus::ALL.len()],
    /// By chain: block time, in Unix milliseconds, at which the oldest
    /// recommendation to the issuer was raised that nobody has acted on yet.
    pub waiting_since_ms: [Option<u64>; Chain::ALL.len()],
}

impl Engine {
    /// Sums over all that is traced. Costs a walk over the cases, the tainted
    /// accounts and the recommendations.
    pub fn sums(&self) -> Sums {
        let mut sums = Sums { tainted_accounts: self.tainted_accounts(), ..Sums::default() };
        for (ix, lane) in self.tracer.lanes() {
            if lane.siblings[0] == ix {
                let totals = &lane.totals;
                let units = &mut sums.units;
                units.emitted += totals.emitted;
                units.held += totals.held;
                units.frozen += totals.frozen;
                units.service += totals.service();
                units.redeemed += totals.redeemed;
                units.destroyed += totals.destroyed;
                units.dust += totals.dust;
                units.horizon += totals.horizon;
            }
        }
        self.sum_desk(&mut sums);
        sums
    }

    fn tainted_accounts(&self) -> usize {
        let lists = self.tracer.taints.lists.iter();
        lists.filter(|list| list.iter().any(|taint| taint.units > 0)).count()
    }

    fn sum_desk(&self, sums: &mut Sums) {
        for (account, record) in &self.desk.records {
            let rank = FreezeStatus::ALL.iter().position(|status| *status == record.status);
            let sum = &mut sums.recommendations[rank.expect("ALL holds every status")];
            sum.accounts += 1;
            sum.units += record.claimed.iter().map(|(_, units)| u128::from(*units)).sum::<u128>();
            // What a service does with a recommendation, no event tells.
            if record.status.is_unanswered() && record.actor == Actor::Issuer {
                let chain = self.ledger.accounts.key(*account).chain.index();
                let since = &mut sums.waiting_since_ms[chain];
                *since =
                    Some(since.map_or(record.raised_ms, |oldest| oldest.min(record.raised_ms)));
            }
        }
    }
}
