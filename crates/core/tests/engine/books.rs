//! Balances and books: order, shortfalls, opening balances, conservation.

use flow_core::{
    AccountKey, Amount, ApplyError, Case, CaseTotals, Chain, Engine, EngineConfig, Event, Source,
};

use crate::town::{Town, account, address, block, case, label, strict, wallet};

#[test]
fn a_block_that_does_not_rise_is_refused() {
    let mut town = Town::with_source();
    town.block(5, "S>A 8");
    for number in [5, 4] {
        let again = Event::BlockCommitted(block(Chain::Tron, number, "S>A 8"));
        assert_eq!(
            town.try_apply(again),
            Err(ApplyError::OutOfOrder { chain: Chain::Tron, block: number, head: 5 })
        );
    }
    // Each chain has an order of its own.
    town.apply(Event::BlockCommitted(block(Chain::Ethereum, 1, "S>A 8")));
    assert_eq!(town.engine.head(Chain::Tron), Some((5, 5_000)));
    assert_eq!(town.engine.head(Chain::Ethereum), Some((1, 1_000)));
}

#[test]
fn chains_share_no_accounts() {
    let mut town = Town::with_source();
    town.block(1, "S>A 8");
    town.apply(Event::BlockCommitted(block(Chain::Ethereum, 1, "S>A 8, A>B 8")));
    assert_eq!(town.rows(), ["c A 8/8 hops 1"]);
    assert_eq!(town.engine.stats().accounts, 5);
}

#[test]
fn a_credit_without_room_is_refused_and_changes_nothing() {
    let mut town = Town::with_source();
    let full = Amount::MAX;
    town.block(1, &format!("issue S {full}, S>A {full}, V>S 9"));
    let (rows, totals, stats) = (town.rows(), town.totals("c"), town.engine.stats());
    let told = town.block(2, "S>A 1, issue A 1");
    assert_eq!(told, ["refuse balance_overflow", "refuse balance_overflow"]);
    assert_eq!((town.rows(), town.totals("c")), (rows, totals));
    assert_eq!(town.engine.stats(), stats);
    // The block's other events apply.
    assert_eq!(town.block(3, "S>A 1, S>B 9").len(), 3);
}

#[test]
fn a_shortfall_is_older_and_clean_unless_a_source_sends_it() {
    let mut town = Town::with_source();
    town.block(1, "S>A 6");
    assert_eq!(town.engine.stats().opening_units, 6);
    assert_eq!(town.totals("c").emitted, 6);
    // A holds 6 tainted units and spends 9: 3 clean ones were there before.
    town.block(2, "A>B 9");
    assert_eq!(town.rows(), ["c B 6/9 hops 2"]);
    assert_eq!(town.engine.stats().opening_units, 9);
}

#[test]
fn opening_balances_count_before_the_first_block_only() {
    let mut town = Town::new(strict());
    town.engine.load_opening(&[(account('S'), 10), (account('A'), 6)]).expect("fits");
    town.open(case("c", &[wallet('S')]));
    assert_eq!(town.rows(), ["c S 10/10 hops 0"]);
    town.block(1, "S>A 6, A>B 6");
    assert_eq!(town.rows(), ["c A 3/6 hops 1", "c B 3/6 hops 2", "c S 4/4 hops 0"]);
    assert_eq!(town.engine.stats().opening_units, 16);
    let late = town.engine.load_opening(&[(account('A'), 1)]);
    assert!(matches!(late, Err(ApplyError::Opening(1, _))), "{late:?}");
}

#[test]
fn opening_balances_that_overflow_are_refused() {
    let mut engine = Engine::new(EngineConfig::default());
    let twice = [(account('A'), Amount::MAX), (account('A'), 1)];
    assert!(matches!(engine.load_opening(&twice), Err(ApplyError::Opening(1, _))));
}

#[test]
fn zero_amounts_and_self_transfers_are_counted_and_move_nothing() {
    let mut town = Town::with_source();
    town.block(1, "S>A 8");
    assert_eq!(town.block(2, "A>B 0, A>A 5, S>S 5, A>A 0"), [""; 0]);
    let stats = town.engine.stats();
    assert_eq!((stats.zero_transfers, stats.self_transfers, stats.transfers), (2, 3, 1));
    assert_eq!(town.rows(), ["c A 8/8 hops 1"]);
    assert_eq!(stats.opening_units, 8, "a transfer to oneself shows no shortfall");
}

#[test]
fn every_bucket_is_filled_and_the_books_balance() {
    let mut town = Town::new(strict());
    town.open(Case { min_units: 3, max_hops: Some(2), ..case("c", &[wallet('S')]) });
    town.label(label('X', "Alder", "exchange", true));
    town.label(label('Y', "Alder", "exchange", true));
    town.block(1, "issue S 100, S>A 50, S>B 20, S>C 2");
    town.block(2, "A>X 5, A>Y 6, redeem A 4, A>D 10, D>E 10");
    town.block(3, "freeze B, destroy B 7, S>B 0");
    let expected = CaseTotals {
        emitted: 100,
        held: 53,
        frozen: 13,
        services: [("Alder".to_owned(), 11)].into(),
        redeemed: 4,
        destroyed: 7,
        dust: 2,
        horizon: 10,
    };
    assert_eq!(town.totals("c"), expected);
    assert!(expected.is_conserved());
    assert_eq!(expected.service(), 11);
    assert_eq!(town.rows(), ["c A 25/25 hops 1", "c B 13/13 hops 1 frozen", "c S 28/28 hops 0"]);
    assert!(!CaseTotals { dust: 3, ..expected }.is_conserved());
}

#[test]
fn a_source_wakes_with_the_first_event_of_its_chain_at_its_block() {
    let mut town = Town::new(strict());
    let ethereum = AccountKey { chain: Chain::Ethereum, address: address('S') };
    town.open(case("c", &[Source::Wallet { account: ethereum, since_block: 5 }]));
    let commit = |town: &mut Town, chain, number, events: &str| {
        town.apply(Event::BlockCommitted(block(chain, number, events)));
        town.totals("c").emitted
    };
    assert_eq!(commit(&mut town, Chain::Ethereum, 4, "V>S 8, S>A 2"), 0);
    assert_eq!(commit(&mut town, Chain::Tron, 6, "V>S 8"), 0, "another chain");
    assert_eq!(commit(&mut town, Chain::Ethereum, 6, ""), 0, "a block without events");
    assert_eq!(commit(&mut town, Chain::Ethereum, 7, "V>W 1"), 6);
    assert_eq!(commit(&mut town, Chain::Ethereum, 8, "V>S 3"), 9);
}

#[test]
fn the_same_events_give_the_same_effects() {
    let run = || {
        let mut town = Town::with_source();
        town.open(case("b", &[wallet('T')]));
        let mut told = town.block(1, "S>A 8, T>A 80, A>B 40");
        told.extend(town.block(20, "B>C 40, freeze A"));
        told.extend(town.open(case("a", &[wallet('A')])));
        (told, town.alerts, town.freezes)
    };
    let (told, ..) = run();
    assert!(told.len() > 10, "{told:?}");
    assert_eq!(run(), run());
}
