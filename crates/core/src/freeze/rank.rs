//! What to freeze now: a ranking of the open recommendations by what can still
//! be caught, against the clean units that would be caught with it.

use super::{Chance, FreezeDesk};
use crate::accounts::Accounts;
use crate::effect::{Actor, FreezeStatus};
use crate::ledger::Ledger;
use crate::movement::BlockMeta;
use crate::trace::World;
use crate::{AccountKey, Amount, Chain};

/// One open recommendation with the factors of its rank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreezeRank {
    /// The account.
    pub account: AccountKey,
    /// Where its life stands.
    pub status: FreezeStatus,
    /// Who can act.
    pub actor: Actor,
    /// Units that it holds.
    pub balance: Amount,
    /// What each case claims of them, in the order of case ids.
    pub claims: Vec<(String, Amount)>,
    /// Whether they are still there after the usual lag.
    pub chance: Chance,
}

/// The ranking of one case, or of all (`None`): each recommendation with what
/// is claimed and what that is worth, the highest score first.
pub fn ranked<'a>(
    ranks: &'a [FreezeRank],
    case: Option<&str>,
) -> Vec<(&'a FreezeRank, Amount, Worth)> {
    let claimed = ranks.iter().filter_map(|rank| {
        let tainted = rank.claim(case)?;
        Some((rank, tainted, Worth::of(tainted, rank.balance, &rank.chance)))
    });
    let mut claimed: Vec<_> = claimed.collect();
    claimed.sort_by_key(|(rank, _, worth)| (std::cmp::Reverse(worth.score), rank.account));
    claimed
}

/// The smallest set of wallets of a ranking that is expected to catch at least
/// that share of what all of them are, in the order in which they are taken:
/// most expected units first, of equal ones those with fewer clean units.
pub fn smallest_set(ranking: &[(&FreezeRank, Amount, Worth)], share_ppm: u32) -> Vec<AccountKey> {
    let mut all: Vec<_> = ranking.iter().collect();
    all.sort_by_key(|(rank, _, worth)| {
        (std::cmp::Reverse(worth.expected), worth.clean, rank.account)
    });
    let sum: u128 = all.iter().map(|(_, _, worth)| u128::from(worth.expected)).sum();
    let wanted = (sum * u128::from(share_ppm)).div_ceil(1_000_000);
    let mut caught = 0;
    let mut set = Vec::new();
    for (rank, _, worth) in all {
        if caught >= wanted {
            break;
        }
        caught += u128::from(worth.expected);
        set.push(rank.account);
    }
    set
}

/// What became of the units of a chain's recommendations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeskTotals {
    /// The most that was claimed of each, in sum; claims of one account count
    /// once.
    pub recommended: u128,
    /// What freezes caught of it.
    pub caught: u128,
    /// What left before it was frozen.
    pub escaped: u128,
}

/// What a claim is worth to freeze.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worth {
    /// Units that would be caught with those claimed.
    pub clean: Amount,
    /// Claimed units times the chance that they are still there, rounded down.
    pub expected: Amount,
    /// Those times the claimed share of the balance, rounded down: the rank.
    pub score: Amount,
}

impl Worth {
    /// Of so many claimed units in an account that holds `balance`.
    pub fn of(tainted: Amount, balance: Amount, chance: &Chance) -> Worth {
        let part = |units: Amount, of: u128, all: u128| {
            let part = (u128::from(units) * of).checked_div(all).unwrap_or(0);
            Amount::try_from(part).unwrap_or(Amount::MAX)
        };
        let tainted = tainted.min(balance);
        let expected = part(tainted, u128::from(chance.ppm), 1_000_000);
        let score = part(expected, u128::from(tainted), u128::from(balance));
        Worth { clean: balance - tainted, expected, score }
    }
}

impl FreezeRank {
    /// The greatest claim, or that of one case; `None` where that claims
    /// nothing.
    pub fn claim(&self, case: Option<&str>) -> Option<Amount> {
        let of = |(id, _): &&(String, Amount)| case.is_none_or(|case| case == id);
        self.claims.iter().filter(of).map(|(_, units)| *units).max()
    }
}

impl FreezeDesk {
    /// What became of the units of a chain's recommendations.
    pub(crate) fn totals(&self, chain: Chain, accounts: &Accounts) -> DeskTotals {
        let mut totals = DeskTotals::default();
        // In whatever order: sums do not depend on it.
        for (account, record) in &self.records {
            if accounts.key(*account).chain != chain {
                continue;
            }
            totals.recommended += u128::from(record.progress.recommended);
            totals.caught += u128::from(record.progress.caught);
            totals.escaped += u128::from(record.progress.escaped.tainted);
        }
        totals
    }

    /// The open recommendations of a chain whose units can still be caught, in
    /// the order of accounts. No account of a service where tracing ends is
    /// among them: its units are mixed with those of others.
    pub(crate) fn ranks(
        &self,
        head: &BlockMeta,
        accounts: &Accounts,
        ledger: &Ledger,
        world: World<'_>,
    ) -> Vec<FreezeRank> {
        let rank = |account| {
            let record = self.records.get(account)?;
            let key = accounts.key(*account);
            let frozen = record.status == FreezeStatus::Frozen;
            if key.chain != head.chain || frozen || !record.is_open() || record.claimed.is_empty() {
                return None;
            }
            Some(FreezeRank {
                account: key,
                status: record.status,
                actor: record.actor.clone(),
                balance: ledger.holding(*account).balance,
                claims: record.claimed.clone(),
                chance: self.chance(*account, head, world)?,
            })
        };
        let mut ranks: Vec<FreezeRank> = self.dwell.stays.keys().filter_map(rank).collect();
        ranks.sort_unstable_by_key(|rank| rank.account);
        ranks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Address;

    fn rank(byte: u8, balance: Amount, claims: &[(&str, Amount)], ppm: u32) -> FreezeRank {
        FreezeRank {
            account: AccountKey { chain: Chain::Tron, address: Address([byte; 20]) },
            status: FreezeStatus::Raised,
            actor: Actor::Issuer,
            balance,
            claims: claims.iter().map(|(case, units)| ((*case).to_owned(), *units)).collect(),
            chance: Chance {
                ppm,
                low_ppm: 0,
                high_ppm: 1_000_000,
                kind: None,
                outcomes: 0,
                held_ms: 0,
                lag_ms: 1,
                calibration: Default::default(),
            },
        }
    }

    #[test]
    fn rank_and_smallest_set_by_hand() {
        let ranks = [
            rank(1, 100, &[("a", 100)], 500_000),
            rank(2, 1_000, &[("a", 200), ("b", 100)], 500_000),
            rank(3, 40, &[("b", 40)], 1_000_000),
        ];
        let shown = |case| {
            let ranked = ranked(&ranks, case);
            ranked
                .iter()
                .map(|(rank, _, worth)| (rank.account.address.0[0], worth.expected, worth.score))
                .collect::<Vec<_>>()
        };
        // A fifth of the second is tainted: most is expected there, and much that is clean.
        assert_eq!(shown(None), [(1, 50, 50), (3, 40, 40), (2, 100, 20)]);
        assert_eq!(shown(Some("b")), [(3, 40, 40), (2, 50, 5)]);
        let set = |share| smallest_set(&ranked(&ranks, None), share).len();
        assert_eq!([0, 500_000, 526_316, 526_400, 1_000_000].map(set), [0, 1, 2, 2, 3]);
    }
}
