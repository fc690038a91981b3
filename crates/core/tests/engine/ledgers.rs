//! Ledgers of cases over time: when they are told, as of which block, and that
//! blocks which leave the chain tell nothing.

use flow_core::{Chain, EngineConfig, Event};

use crate::town::{Town, case, label, only, strict, wallet};

const DAY: u64 = 86_400;

/// Books that changed are told after ten seconds; the case of wallet S.
fn town(revertible: bool) -> Town {
    let mut town = Town::new(EngineConfig { ledger_update_ms: 10_000, revertible, ..strict() });
    town.label(label('X', "Exchange", "exchange", true));
    town.open(case("c", &[wallet('S')]));
    town
}

fn ledgers(town: &mut Town, number: u64, events: &str) -> Vec<String> {
    only("ledger ", town.block(number, events))
}

#[test]
fn books_are_told_once_in_a_stretch_as_of_the_block_that_changed_them() {
    let mut town = town(false);
    assert_eq!(ledgers(&mut town, 1, "S>A 8"), [""; 0]);
    assert_eq!(ledgers(&mut town, 3, "A>X 2"), [""; 0]);
    // Units that stay held change no sum.
    assert_eq!(ledgers(&mut town, 5, "A>B 1"), [""; 0]);
    assert_eq!(ledgers(&mut town, 12, "A>X 1"), ["c @3: 8 (6, 0, 2)"]);
    assert_eq!(ledgers(&mut town, 19, ""), [""; 0]);
    assert_eq!(ledgers(&mut town, 20, ""), ["c @12: 8 (5, 0, 3)"]);
    assert_eq!(ledgers(&mut town, 40, "A>B 1"), [""; 0], "nothing changed");
}

#[test]
fn a_day_ends_with_its_last_books_however_long_a_stretch_is() {
    let mut town = Town::new(EngineConfig { ledger_update_ms: u64::MAX, ..strict() });
    town.open(case("c", &[wallet('S')]));
    assert_eq!(ledgers(&mut town, DAY - 9, "S>A 8"), [""; 0]);
    assert_eq!(ledgers(&mut town, DAY - 1, "redeem A 3, freeze A"), [""; 0]);
    let told = format!("c @{}: 8 (0, 5, 0)", DAY - 1);
    assert_eq!(ledgers(&mut town, DAY, "release A"), [told]);
    let mut rest = Vec::new();
    town.engine.close_books(&mut rest);
    assert_eq!(rest.len(), 1, "no more blocks will come");
}

#[test]
fn books_of_blocks_that_can_be_reverted_wait_and_those_of_reverted_ones_are_forgotten() {
    let mut town = town(true);
    town.block(1, "S>A 8");
    assert_eq!(ledgers(&mut town, 12, "A>X 8"), [""; 0], "due, and not final");
    assert_eq!(ledgers(&mut town, 25, ""), [""; 0]);
    let revert = Event::BlockReverted { chain: Chain::Tron, number: 12 };
    assert_eq!(only("ledger ", town.apply(revert)), [""; 0]);
    assert_eq!(ledgers(&mut town, 13, "A>X 3"), [""; 0]);
    assert_eq!(ledgers(&mut town, 31, ""), [""; 0]);
    let finalize = |number| Event::BlockFinalized { chain: Chain::Tron, number };
    assert_eq!(only("ledger ", town.apply(finalize(12))), [""; 0]);
    let told = ["c @1: 8 (8, 0, 0)", "c @13: 8 (5, 0, 3)"];
    assert_eq!(only("ledger ", town.apply(finalize(31))), told);
}

#[test]
fn a_case_that_comes_late_is_told_as_of_then_and_one_that_goes_no_more() {
    let mut town = town(true);
    town.block(1, "S>A 8, V>W 5");
    town.open(case("d", &[wallet('V')]));
    town.block(2, "A>X 1");
    town.close("c");
    town.block(12, "");
    let finalize = Event::BlockFinalized { chain: Chain::Tron, number: 12 };
    assert_eq!(only("ledger ", town.apply(finalize)), ["d @1: 5 (5, 0, 0)"]);
}
