//! Random ledgers must go on reaching the corners that policies differ in.

use std::collections::BTreeMap;

use flow_core::{AccountKey, Action, Amount, Block, Case, LedgerEvent, Policy, Source};
use flow_sim::ledger_gen::{RandomLedger, random_ledger};
use flow_sim::oracle::{Oracle, Outcome, Step, trace};

const LEDGERS: u64 = 1_000;

type Seen = BTreeMap<&'static str, u32>;

fn note(seen: &mut Seen, what: &'static str, happened: bool) {
    *seen.entry(what).or_default() += u32::from(happened);
}

/// The account that an event debits, and by how much.
fn debit(block: &Block, event: &LedgerEvent) -> Option<(AccountKey, Amount)> {
    let (address, amount) = match event.action {
        Action::Transfer { from, to, amount } if from != to => (from, amount),
        Action::Redeem { from, amount } => (from, amount),
        Action::Destroy { account, amount } => (account, amount),
        _ => return None,
    };
    Some((AccountKey { chain: block.chain, address }, amount))
}

fn before(seen: &mut Seen, oracle: &Oracle, case: &Case, block: &Block, event: &LedgerEvent) {
    if let Some((account, amount)) = debit(block, event) {
        let holding = oracle.holding(account);
        let partly = 0 < holding.tainted && holding.tainted < holding.balance;
        note(seen, "shortfall of a partly tainted account", partly && amount > holding.balance);
        let cut = oracle
            .runs(account)
            .iter()
            .map(|run| run.0)
            .try_fold(amount, |left, run| left.checked_sub(run));
        note(seen, "several runs, cut inside one", partly && cut.is_none_or(|left| left > 0));
    }
    for source in &case.sources {
        if let Source::Wallet { account, since_block } = *source {
            let wakes = account.chain == block.chain && since_block <= block.number;
            let mixed = oracle.runs(account).len() > 1;
            note(seen, "a source wakes holding runs", wakes && mixed);
        }
    }
}

/// Where a parcel of clean and tainted units ends.
fn mixed_parcel(seen: &mut Seen, step: &Step, amount: Amount) {
    let end = match step.outcome {
        Outcome::Clean => return,
        Outcome::AtSource => "a mixed parcel to a source",
        Outcome::Service(_) => "a mixed parcel to a service",
        Outcome::Horizon => "a mixed parcel to the horizon",
        Outcome::Dust => "a mixed parcel to dust",
        Outcome::Held => "a mixed parcel held",
    };
    note(seen, end, 0 < step.moved && step.moved < amount);
}

fn walk(seen: &mut Seen, policy: Policy, ledger: &RandomLedger) {
    for case in &ledger.cases {
        let mut oracle = Oracle::new(policy, case, &ledger.labels, &ledger.opening);
        for block in &ledger.blocks {
            for event in &block.events {
                before(seen, &oracle, case, block, event);
                let step = oracle.apply(block, event);
                if let (Some(step), Action::Transfer { to, amount, .. }) = (step, event.action) {
                    let to = AccountKey { chain: block.chain, address: to };
                    mixed_parcel(seen, &step, amount);
                    let runs = oracle.runs(to).len();
                    note(seen, "four runs", runs >= 4);
                    note(seen, "six runs", runs >= 6);
                }
            }
        }
    }
}

#[test]
fn ordered_policies_reach_every_corner() {
    for policy in [Policy::Fifo, Policy::Lifo] {
        let mut seen = Seen::new();
        for seed in 0..LEDGERS {
            walk(&mut seen, policy, &random_ledger(seed));
        }
        assert_eq!(seen.len(), 10, "{seen:?}");
        assert!(seen.values().all(|count| *count >= 8), "{}: {seen:?}", policy.name());
    }
}

/// Otherwise an engine could follow one policy under the name of another.
#[test]
fn every_policy_has_ledgers_of_its_own() {
    let mut alone = [0; Policy::ALL.len()];
    for seed in 0..LEDGERS {
        let RandomLedger { blocks, cases, labels, opening } = random_ledger(seed);
        let answers = Policy::ALL.map(|policy| trace(policy, &blocks, &cases, &labels, &opening));
        for (count, answer) in alone.iter_mut().zip(&answers) {
            let alike = answers.iter().filter(|other| *other == answer).count();
            *count += u32::from(alike == 1);
        }
    }
    assert!(alone.iter().all(|count| *count >= 50), "{alone:?}");
}
