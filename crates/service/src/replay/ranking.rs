//! `freeze_ranking.csv`: what to freeze now, for each case and in all.

use std::collections::BTreeMap;
use std::path::Path;

use flow_codec::address;
use flow_core::{
    AccountKey, Actor, Amount, Engine, FreezeRank, WalletKind, Worth, ranked, smallest_set,
};

use super::folder::table;

const COLUMNS: [&str; 18] = [
    "case",
    "chain",
    "address",
    "rank",
    "set_rank",
    "status",
    "act_by",
    "balance",
    "tainted",
    "clean",
    "kind",
    "outcomes",
    "chance_ppm",
    "chance_low_ppm",
    "chance_high_ppm",
    "expected",
    "score",
    "set_share_ppm",
];

/// Writes the rankings; that of all cases under an empty name.
pub(super) fn write(path: &Path, engines: &[&Engine]) -> anyhow::Result<()> {
    let ranks: Vec<FreezeRank> = engines.iter().flat_map(|engine| engine.freeze_ranks()).collect();
    let mut cases: Vec<&str> =
        ranks.iter().flat_map(|rank| rank.claims.iter().map(|(case, _)| case.as_str())).collect();
    cases.sort_unstable();
    cases.dedup();
    let each = std::iter::once(None).chain(cases.into_iter().map(Some));
    table(path, "freeze_ranking.csv", &COLUMNS, each.flat_map(|case| rows(&ranks, case)).collect())
}

fn rows(ranks: &[FreezeRank], case: Option<&str>) -> Vec<Vec<String>> {
    let ranking = ranked(ranks, case);
    let sum: u128 = ranking.iter().map(|(_, _, worth)| u128::from(worth.expected)).sum();
    let of: BTreeMap<AccountKey, u128> = ranking
        .iter()
        .map(|(wallet, _, worth)| (wallet.account, u128::from(worth.expected)))
        .collect();
    let mut caught = 0;
    let set: BTreeMap<AccountKey, (usize, u128)> = (1..)
        .zip(smallest_set(&ranking, 1_000_000))
        .map(|(at, account)| {
            caught += of[&account];
            (account, (at, caught))
        })
        .collect();
    let row = |(rank, of): (usize, &(&FreezeRank, Amount, Worth))| {
        let (wallet, tainted, worth) = of;
        let place = set.get(&wallet.account);
        let share = place.map(|(_, caught)| (caught * 1_000_000).checked_div(sum).unwrap_or(0));
        let chance = &wallet.chance;
        let actor = match &wallet.actor {
            Actor::Issuer => "issuer",
            Actor::Service { entity, .. } => entity,
        };
        vec![
            case.unwrap_or_default().to_owned(),
            wallet.account.chain.name().to_owned(),
            address::format(wallet.account.chain, wallet.account.address),
            (rank + 1).to_string(),
            place.map(|(at, _)| at.to_string()).unwrap_or_default(),
            wallet.status.name().to_owned(),
            actor.to_owned(),
            wallet.balance.to_string(),
            tainted.to_string(),
            worth.clean.to_string(),
            chance.kind.map_or("any", WalletKind::name).to_owned(),
            chance.outcomes.to_string(),
            chance.ppm.to_string(),
            chance.low_ppm.to_string(),
            chance.high_ppm.to_string(),
            worth.expected.to_string(),
            worth.score.to_string(),
            share.map(|share| share.to_string()).unwrap_or_default(),
        ]
    };
    ranking.iter().enumerate().map(row).collect()
}

#[cfg(test)]
mod tests {
    use flow_core::{Address, Chain, Chance, FreezeStatus};

    use super::*;

    fn wallet(byte: u8, balance: Amount, claims: &[(&str, Amount)], ppm: u32) -> FreezeRank {
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
    fn ranks_and_the_smallest_set_by_hand() {
        let ranks = [
            wallet(1, 100, &[("a", 100)], 500_000),
            wallet(2, 1_000, &[("a", 200), ("b", 100)], 500_000),
            wallet(3, 40, &[("b", 40)], 1_000_000),
        ];
        let columns = [
            "rank",
            "set_rank",
            "balance",
            "tainted",
            "clean",
            "expected",
            "score",
            "set_share_ppm",
        ];
        let at = columns.map(|name| COLUMNS.iter().position(|column| *column == name));
        let shown = |case| {
            let line = |row: Vec<String>| at.map(|at| row[at.expect("a column")].clone()).join(" ");
            rows(&ranks, case).into_iter().map(line).collect::<Vec<_>>()
        };
        // Score is expected × tainted / balance; the set goes by expected: 100, 50, 40 of 190.
        assert_eq!(
            shown(None),
            [
                "1 2 100 100 0 50 50 789473",
                "2 3 40 40 0 40 40 1000000",
                "3 1 1000 200 800 100 20 526315"
            ]
        );
        assert_eq!(
            shown(Some("a")),
            ["1 2 100 100 0 50 50 1000000", "2 1 1000 200 800 100 20 666666"]
        );
        assert_eq!(shown(Some("b")), ["1 2 40 40 0 40 40 1000000", "2 1 1000 100 900 50 5 555555"]);
    }
}
