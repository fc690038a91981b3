//! The freeze desk over random ledgers: what it recommends in the end does not
//! depend on when the cases and labels became known.

use std::collections::{BTreeMap, BTreeSet};

use flow_core::{
    AccountKey, Action, Actor, Amount, Block, Chain, Effect, Engine, EngineConfig, Event,
    FreezeRecommendation, FreezeStatus,
};
use flow_sim::ledger_gen::{RandomLedger, random_ledger};

/// Every recommendation in the order told; the last of an account holds.
fn run(ledger: &RandomLedger, min: Amount, late_at: usize) -> Vec<FreezeRecommendation> {
    let mut engine = Engine::new(EngineConfig {
        freeze_min_units: min,
        freeze_rest_ms: 5_000,
        freeze_update_ms: 0,
        ..EngineConfig::default()
    });
    engine.load_opening(&ledger.opening).expect("opening balances fit");
    let mut effects = Vec::new();
    for at in 0..=ledger.blocks.len() {
        let mut events = Vec::new();
        if at == late_at {
            events.extend(ledger.labels.iter().cloned().map(Event::LabelSet));
            events.extend(ledger.cases.iter().cloned().map(Event::CaseOpened));
        }
        events.extend(ledger.blocks.get(at).cloned().map(Event::BlockCommitted));
        for event in events {
            engine.apply(event, &mut effects).expect("generated ledgers apply");
        }
    }
    // All that has not moved by now has come to rest.
    for chain in Chain::ALL {
        let block = Block {
            chain,
            number: 1_000_000,
            hash: None,
            timestamp_ms: 1_800_000_000_000,
            events: Vec::new(),
        };
        engine.apply(Event::BlockCommitted(block), &mut effects).expect("applies");
    }
    let told = effects.into_iter().filter_map(|effect| match effect {
        Effect::Recommend(record) => Some(*record),
        _ => None,
    });
    told.collect()
}

type Open = BTreeMap<AccountKey, (Actor, Vec<(String, Amount)>)>;

/// What is to be frozen in the end, but for accounts that were ever frozen: a
/// wallet that is frozen when a case becomes known is not recommended any more.
fn open(ledger: &RandomLedger, told: &[FreezeRecommendation]) -> Open {
    let mut last = BTreeMap::new();
    for record in told {
        last.insert(record.account, record);
    }
    let frozen: BTreeSet<AccountKey> = ledger
        .blocks
        .iter()
        .flat_map(|block| block.events.iter().map(|event| (block.chain, event.action)))
        .filter_map(|(chain, action)| match action {
            Action::BlacklistAdd { account: address } => Some(AccountKey { chain, address }),
            _ => None,
        })
        .collect();
    let is_open = |status| matches!(status, FreezeStatus::Raised | FreezeStatus::Updated);
    last.into_iter()
        .filter(|(account, record)| is_open(record.status) && !frozen.contains(account))
        .map(|(account, record)| {
            let claims = record.claims.iter().map(|claim| (claim.case.clone(), claim.tainted));
            (account, (record.actor.clone(), claims.collect()))
        })
        .collect()
}

#[test]
fn what_is_recommended_does_not_depend_on_when_cases_became_known() {
    let mut compared = 0;
    for seed in 0..2_000 {
        let ledger = random_ledger(seed);
        let min = seed % 4 + 1;
        let early = open(&ledger, &run(&ledger, min, 0));
        for late_at in [ledger.blocks.len() / 2, ledger.blocks.len()] {
            let late = open(&ledger, &run(&ledger, min, late_at));
            assert_eq!(late, early, "seed {seed}, known before block {late_at}");
        }
        compared += early.len();
    }
    assert!(compared > 2_000, "{compared}");
}

#[test]
fn records_are_sound() {
    for seed in 0..2_000 {
        let ledger = random_ledger(seed);
        let stops: BTreeSet<AccountKey> =
            ledger.labels.iter().filter(|label| label.stop).map(|label| label.account).collect();
        let mut last = BTreeMap::new();
        let mut places = BTreeSet::new();
        for record in run(&ledger, 1, 0) {
            let before = last.insert(record.account, record.block);
            assert!(before < Some(record.block), "seed {seed}: {record:?}");
            assert!(places.insert((record.account, record.block)), "seed {seed}: {record:?}");
            assert!(record.raised_ms <= record.timestamp_ms, "seed {seed}");
            let stop = stops.contains(&record.account);
            assert!(!(stop && record.actor == Actor::Issuer), "seed {seed}: {record:?}");
            let held = record.claims.iter().all(|claim| stop || claim.tainted <= record.balance);
            assert!(held, "seed {seed}: {record:?}");
        }
    }
}
