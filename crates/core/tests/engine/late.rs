//! Cases and labels that come late: the state is that of a run that knew them
//! from the first event, and each alert is told once.

use std::collections::BTreeSet;

use flow_core::{Alert, Event, Source};

use crate::town::{Town, account, case, label, only, strict, wallet};

const NOTHING: [&str; 0] = [];

const BLOCKS: [(u64, &str); 5] = [
    (1, "V>S 100, S>A 60, A>B 25"),
    (2, "B>X 20, W>A 10, S>C 30"),
    (3, "freeze C, A>A 5, A>B 0, issue S 7"),
    (4, "S>B 12, B>D 9, redeem D 4, destroy C 30"),
    (5, "X>E 15, E>D 5"),
];

/// A case with a wallet, a wallet that wakes in block 2, and a transfer.
fn sources() -> Vec<Source> {
    let chain = flow_core::Chain::Tron;
    vec![
        wallet('S'),
        Source::Wallet { account: account('W'), since_block: 2 },
        Source::Transfer { chain, tx: crate::town::tx(5, 0), log_index: 0 },
    ]
}

/// Opens the case, and sets the label, before the block at that position.
fn run(case_at: usize, label_at: usize) -> Town {
    let mut town = Town::new(strict());
    for at in 0..=BLOCKS.len() {
        if at == label_at {
            town.label(label('X', "Alder", "exchange", true));
        }
        if at == case_at {
            town.open(case("c", &sources()));
        }
        if let Some((number, events)) = BLOCKS.get(at) {
            town.block(*number, events);
        }
    }
    town
}

fn sorted(alerts: &[Alert]) -> Vec<Alert> {
    let mut alerts: Vec<Alert> = alerts.to_vec();
    for alert in &mut alerts {
        alert.retroactive = false;
    }
    alerts.sort_by_key(|alert| alert.id);
    alerts
}

#[test]
fn a_late_case_ends_as_an_early_one_and_raises_the_same_alerts() {
    let early = run(0, 0);
    for at in 1..=BLOCKS.len() {
        let late = run(at, 0);
        assert_eq!(late.rows(), early.rows(), "opened before block {at}");
        assert_eq!(late.totals("c"), early.totals("c"));
        assert_eq!(late.engine.stats(), early.engine.stats());
        assert_eq!(sorted(&late.alerts), sorted(&early.alerts));
        let opened = u64::try_from(at).expect("few");
        for alert in &late.alerts {
            assert_eq!(alert.retroactive, alert.block <= opened, "block {}", alert.block);
        }
    }
}

#[test]
fn a_late_label_ends_in_the_same_books() {
    let early = run(0, 0);
    for at in 1..=BLOCKS.len() {
        let late = run(0, at);
        assert_eq!(late.rows(), early.rows(), "labelled before block {at}");
        assert_eq!(late.totals("c"), early.totals("c"));
    }
}

#[test]
fn a_late_label_tells_the_cash_outs_of_the_past() {
    let mut town = Town::with_source();
    town.block(1, "S>X 8");
    assert_eq!(
        only("alert ", town.label(label('X', "Alder", "exchange", true))),
        ["c cash_out X 8/8 at Alder (exchange) retroactive: S>X 8"]
    );
    assert_eq!(town.rows(), NOTHING);
    // Withdrawn, the units are at X again; its receipt was told long ago.
    assert_eq!(only("alert ", town.apply(Event::LabelRemoved(account('X')))), NOTHING);
    assert_eq!(town.rows(), ["c X 8/8 hops 1"]);
    assert_eq!(town.totals("c").service(), 0);
}

#[test]
fn an_extended_case_tells_only_what_is_new() {
    let mut town = Town::with_source();
    town.block(1, "S>A 8, T>B 8");
    let both = case("c", &[wallet('S'), wallet('T')]);
    assert_eq!(
        only("alert ", town.open(both.clone())),
        ["c first_receipt B 8/8 retroactive: T>B 8", "c source_moved T 8/8 retroactive: T>B 8",]
    );
    assert_eq!(town.open(both), NOTHING, "the same again changes nothing");
    assert_eq!(town.rows(), ["c A 8/8 hops 1", "c B 8/8 hops 1"]);
    let ids: BTreeSet<_> = town.alerts.iter().map(|alert| alert.id).collect();
    assert_eq!(ids.len(), town.alerts.len());
}

#[test]
fn a_narrowed_case_forgets_what_it_no_longer_claims() {
    let mut town = Town::new(strict());
    town.open(case("c", &[wallet('S'), wallet('T')]));
    town.block(1, "S>A 8, T>B 8");
    assert_eq!(town.open(case("c", &[wallet('T')])), NOTHING);
    assert_eq!(town.rows(), ["c B 8/8 hops 1"]);
    assert_eq!(town.totals("c").emitted, 8);
}

#[test]
fn a_closed_case_leaves_no_trace_and_a_reopened_one_ends_as_if_never_closed() {
    let mut town = Town::with_source();
    town.open(case("d", &[wallet('S')]));
    town.block(1, "S>A 8");
    let open = town.rows();
    town.close("c");
    assert_eq!(town.rows(), ["d A 8/8 hops 1"]);
    assert_eq!(town.engine.case_totals().len(), 1);
    assert_eq!(only("alert ", town.block(2, "A>B 3")), ["d first_receipt B 3/3: S>A 8 A>B 3"]);
    town.block(3, "B>A 3");
    // What was told before it was closed is not told again.
    let again = only("alert ", town.open(case("c", &[wallet('S')])));
    assert_eq!(again, ["c first_receipt B 3/3 retroactive: S>A 8 A>B 3"]);
    assert_eq!(town.rows(), open);
}

#[test]
fn closing_a_case_that_is_not_open_does_nothing() {
    let mut town = Town::with_source();
    assert_eq!(town.close("other"), NOTHING);
    assert_eq!(town.engine.case_totals().len(), 1);
}

#[test]
fn a_case_may_name_wallets_nobody_has_seen() {
    let mut town = Town::new(strict());
    town.block(1, "A>B 1");
    let accounts = town.engine.stats().accounts;
    assert_eq!(town.open(case("c", &[wallet('S')])), NOTHING);
    assert_eq!(town.engine.stats().accounts, accounts);
    assert_eq!(town.alerts_of(2, "V>S 5, S>A 5").len(), 2);
}

#[test]
fn a_late_case_recommends_what_has_rested() {
    let mut town = Town::new(strict());
    town.block(1, "V>S 10, S>A 8");
    town.block(9, "A>B 3");
    town.block(12, "");
    assert_eq!(only("freeze ", town.open(case("c", &[wallet('S')]))), ["S raised by issuer: c 2"]);
    assert_eq!(
        only("freeze ", town.block(19, "")),
        ["A raised by issuer: c 5", "B raised by issuer: c 3"]
    );
}
