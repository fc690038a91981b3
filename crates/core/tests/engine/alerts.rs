//! Alerts: each rule, once each, with its proof.

use std::collections::BTreeSet;

use flow_core::{Chain, EngineConfig, Event, RiskLevel, Source};

use crate::town::{Town, address, block, case, label, path, strict, tx, wallet};

#[test]
fn a_source_that_moves_and_a_wallet_that_receives_are_told() {
    let mut town = Town::with_source();
    assert_eq!(
        town.alerts_of(1, "V>S 8, S>A 8"),
        ["c first_receipt A 8/8: S>A 8", "c source_moved S 8/8: S>A 8"]
    );
    let [receipt, moved] = &town.alerts[..] else { panic!("two alerts") };
    assert_eq!((receipt.hops, receipt.held, receipt.balance), (1, 8, 8));
    assert_eq!((receipt.risk, moved.risk), (RiskLevel::High, RiskLevel::Severe));
    assert_eq!((moved.hops, moved.held, moved.balance), (0, 0, 0));
    assert_eq!((moved.subject.address, receipt.counterparty), (address('S'), address('S')));
    assert_eq!(moved.counterparty, receipt.subject.address);
}

#[test]
fn a_first_receipt_is_told_once_even_after_the_wallet_was_emptied() {
    let mut town = Town::with_source();
    assert_eq!(town.alerts_of(1, "S>A 8").len(), 2);
    assert_eq!(town.alerts_of(2, "A>B 8"), ["c first_receipt B 8/8: S>A 8 A>B 8"]);
    assert_eq!(town.rows(), ["c B 8/8 hops 2"]);
    assert_eq!(town.alerts_of(3, "S>A 5"), ["c source_moved S 5/5: S>A 5"]);
    assert_eq!(town.alerts_of(4, "B>A 4"), [""; 0]);
}

#[test]
fn receipts_below_the_minimum_are_not_told_but_a_later_larger_one_is() {
    let mut town = Town::new(EngineConfig { alert_min_units: 5, ..strict() });
    town.open(case("c", &[wallet('S')]));
    town.label(label('X', "Alder", "exchange", true));
    assert_eq!(town.alerts_of(1, "S>A 4"), ["c source_moved S 4/4: S>A 4"]);
    assert_eq!(town.alerts_of(2, "A>X 4"), [""; 0]);
    assert_eq!(
        town.alerts_of(3, "S>A 5"),
        ["c first_receipt A 5/5: S>A 5", "c source_moved S 5/5: S>A 5"]
    );
}

#[test]
fn each_threshold_is_told_once_and_of_several_at_once_the_highest() {
    let mut town = Town::with_source();
    assert_eq!(town.alerts_of(1, "S>A 9").len(), 2);
    assert_eq!(
        town.alerts_of(2, "S>A 1"),
        ["c threshold A 1/1 reached 10: S>A 1", "c source_moved S 1/1: S>A 1"]
    );
    assert_eq!(town.alerts_of(3, "A>B 10").len(), 2, "B reaches the first threshold at once");
    assert_eq!(town.alerts_of(4, "S>A 10"), ["c source_moved S 10/10: S>A 10"]);
    assert_eq!(
        town.alerts_of(5, "S>A 90"),
        ["c threshold A 90/90 reached 100: S>A 90", "c source_moved S 90/90: S>A 90"]
    );
    assert_eq!(
        town.alerts_of(6, "A>C 100"),
        [
            "c first_receipt C 100/100: S>A 10 A>C 100",
            "c threshold C 100/100 reached 100: S>A 10 A>C 100"
        ]
    );
}

#[test]
fn a_cash_out_names_the_service_and_ends_the_trace() {
    let mut town = Town::with_source();
    town.label(label('X', "Alder", "exchange", true));
    town.block(1, "S>A 8");
    assert_eq!(
        town.alerts_of(2, "A>X 3, A>X 5"),
        [
            "c cash_out X 3/3 at Alder (exchange): S>A 8 A>X 3",
            "c cash_out X 5/5 at Alder (exchange): S>A 8 A>X 5",
        ]
    );
    assert_eq!(town.alerts_of(3, "X>B 8"), [""; 0], "a service pays out clean units");
    assert_eq!(town.totals("c").services, [("Alder".to_owned(), 8)].into());
}

#[test]
fn alerts_of_a_transfer_come_by_case_then_rule() {
    let mut town = Town::new(strict());
    // Opened in another order than that of their ids.
    for id in ["b", "a"] {
        town.open(case(id, &[wallet('S')]));
    }
    assert_eq!(
        town.alerts_of(1, "S>A 20"),
        [
            "a first_receipt A 20/20: S>A 20",
            "a threshold A 20/20 reached 10: S>A 20",
            "a source_moved S 20/20: S>A 20",
            "b first_receipt A 20/20: S>A 20",
            "b threshold A 20/20 reached 10: S>A 20",
            "b source_moved S 20/20: S>A 20",
        ]
    );
}

#[test]
fn a_path_tells_how_the_units_came_at_the_time() {
    let mut town = Town::with_source();
    town.block(1, "S>A 8");
    town.block(2, "A>B 8");
    town.block(3, "S>C 4");
    // A held none in between, so its new taint has come another way.
    town.block(4, "C>A 4");
    assert_eq!(town.alerts_of(5, "B>D 8"), ["c first_receipt D 8/8: S>A 8 A>B 8 B>D 8"]);
    assert_eq!(town.alerts_of(6, "A>E 4"), ["c first_receipt E 4/4: S>C 4 C>A 4 A>E 4"]);
}

#[test]
fn a_path_is_as_long_as_the_hops_and_rises_in_time() {
    let mut town = Town::with_source();
    town.label(label('X', "Alder", "exchange", true));
    town.block(1, "S>A 100, S>B 7");
    town.block(2, "V>A 50, A>B 30, B>C 20");
    town.block(3, "C>A 20, A>D 60, D>X 10, B>X 5");
    for alert in &town.alerts {
        let hops = alert.hops.max(1);
        assert_eq!(alert.path.len(), usize::try_from(hops).expect("few"), "{}", path(&alert.path));
        assert!(alert.path.is_sorted_by_key(|step| (step.block, step.transfer.tx)));
        let linked = alert.path.windows(2).all(|pair| pair[0].to == pair[1].from);
        assert!(linked, "{}", path(&alert.path));
        let last = alert.path.last().expect("a path has a step");
        assert_eq!((last.transfer, last.tainted), (alert.trigger, alert.tainted));
    }
    assert!(town.alerts.len() > 10);
}

#[test]
fn a_nearer_path_replaces_a_farther_one_but_not_the_reverse() {
    let mut town = Town::with_source();
    town.block(1, "S>A 8, A>B 8");
    town.block(2, "S>B 1");
    assert_eq!(town.rows(), ["c B 9/9 hops 1"]);
    town.block(3, "S>A 1, A>B 1");
    assert_eq!(town.alerts_of(4, "B>C 10")[0], "c first_receipt C 10/10: S>B 1 B>C 10");
}

#[test]
fn a_source_transfer_taints_what_it_moves_and_nothing_else() {
    let mut town = Town::new(strict());
    let source = Source::Transfer { chain: Chain::Tron, tx: tx(1, 1), log_index: 1 };
    town.open(case("c", &[source]));
    assert_eq!(
        town.alerts_of(1, "V>A 8, V>A 8, V>B 8"),
        ["c first_receipt A 8/8: V>A 8"],
        "the sender is a victim, not a source that moved"
    );
    assert_eq!(town.rows(), ["c A 8/16 hops 1"]);
    assert_eq!(town.alerts_of(2, "A>C 6"), ["c first_receipt C 3/6: V>A 8 A>C 3"]);
}

#[test]
fn risk_follows_the_tainted_share_of_the_transfer() {
    let mut town = Town::with_source();
    let risk = |town: &Town| town.alerts.last().expect("an alert").risk;
    town.block(1, "S>A 10, V>A 10, A>B 2");
    assert_eq!(risk(&town), RiskLevel::High, "50 % exactly");
    town.block(2, "S>C 10, V>C 90, C>D 10");
    assert_eq!(risk(&town), RiskLevel::Medium, "10 % exactly");
    town.block(3, "V>C 1000, C>E 200");
    assert_eq!(risk(&town), RiskLevel::Low);
}

#[test]
fn alert_ids_differ_by_all_that_tells_alerts_apart() {
    let mut town = Town::new(strict());
    town.open(case("a", &[wallet('S')]));
    town.open(case("b", &[wallet('S')]));
    // Receipt, thresholds and the source's move, for two cases and wallets.
    town.block(1, "S>A 10, S>B 10");
    town.block(2, "S>A 100");
    // One transaction with two transfers: only the position differs.
    let mut twice = block(Chain::Tron, 3, "S>C 1, S>C 1");
    twice.events[1].tx = twice.events[0].tx;
    twice.events[1].position = 1;
    town.apply(Event::BlockCommitted(twice));
    let ids: BTreeSet<_> = town.alerts.iter().map(|alert| alert.id).collect();
    assert_eq!(ids.len(), town.alerts.len());
    assert_eq!(town.alerts.len(), 2 * (3 + 3 + 2 + 2 + 1));
}

/// Subscribers keep ids: a change of this one is a change of every alert's.
#[test]
fn alert_ids_are_stable() {
    let mut town = Town::with_source();
    town.block(1, "S>A 8");
    let hex = |bytes: [u8; 16]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let ids: Vec<String> = town.alerts.iter().map(|alert| hex(alert.id.0)).collect();
    insta::assert_snapshot!(ids.join(" "), @"c5a172a1087dc47318b3e7317e437d08 f5e4db7a3cac7647e6fd826cc14285f3");
    let mut other_numbers = Town::with_source();
    let mut renumbered = block(Chain::Tron, 1, "S>A 8");
    renumbered.events[0].log_index = None;
    renumbered.hash = None;
    other_numbers.apply(Event::BlockCommitted(renumbered));
    let other: Vec<String> = other_numbers.alerts.iter().map(|alert| hex(alert.id.0)).collect();
    assert_eq!(other, ids, "whatever the source calls the log");
}
