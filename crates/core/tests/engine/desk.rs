//! The freeze desk: what to freeze, who can, and how each recommendation fares.

use std::collections::BTreeSet;

use flow_core::{EngineConfig, Event, Source};

use crate::town::{Town, account, case, label, only, path, strict, wallet};

const NOTHING: [&str; 0] = [];

#[test]
fn units_are_recommended_when_their_rest_is_over_and_not_before() {
    let mut town = Town::with_source();
    assert_eq!(town.freezes_of(1, "S>A 8"), NOTHING);
    assert_eq!(town.freezes_of(10, ""), NOTHING, "nine seconds of rest");
    assert_eq!(town.freezes_of(11, ""), ["A raised by issuer: c 8"]);
    let record = &town.freezes[0];
    assert_eq!((record.block, record.timestamp_ms, record.raised_ms), (11, 11_000, 11_000));
    assert_eq!((record.balance, record.claims[0].hops), (8, 1));
    assert_eq!(path(&record.claims[0].path), "S>A 8");
    assert_eq!(town.freezes_of(40, ""), NOTHING, "once is enough");
}

#[test]
fn movement_resets_the_rest() {
    let mut town = Town::with_source();
    town.block(1, "S>A 8");
    town.block(6, "S>A 1");
    assert_eq!(town.freezes_of(11, ""), NOTHING);
    town.block(12, "A>B 1");
    assert_eq!(town.freezes_of(16, ""), NOTHING);
    assert_eq!(town.freezes_of(21, ""), NOTHING);
    assert_eq!(town.freezes_of(22, ""), ["A raised by issuer: c 8", "B raised by issuer: c 1"]);
}

#[test]
fn clean_units_that_arrive_do_not_reset_the_rest() {
    let mut town = Town::with_source();
    town.block(1, "S>A 8");
    assert_eq!(town.freezes_of(11, "V>A 5"), ["A raised by issuer: c 8"]);
    assert_eq!(town.freezes[0].balance, 13);
}

#[test]
fn small_changes_are_told_together() {
    let mut town = Town::new(EngineConfig { freeze_update_ms: 20_000, ..strict() });
    town.open(case("c", &[wallet('S')]));
    town.block(1, "S>A 100");
    assert_eq!(town.freezes_of(11, ""), ["A raised by issuer: c 100"]);
    assert_eq!(town.freezes_of(12, "A>B 5"), NOTHING);
    assert_eq!(town.freezes_of(13, "A>B 5"), ["A updated by issuer: c 90"], "a tenth together");
    assert_eq!(town.freezes_of(14, "A>C 1"), NOTHING);
    assert_eq!(town.freezes_of(15, "C>A 1"), NOTHING);
    assert_eq!(town.freezes_of(32, ""), ["B raised by issuer: c 10"]);
    // The claim is what it was, and a unit has come and gone: that is told.
    assert_eq!(town.freezes_of(33, ""), ["A updated by issuer: c 90"]);
    assert_eq!(town.freezes.last().expect("told").progress.escaped.units, 11);
    assert_eq!(town.freezes_of(53, ""), NOTHING);
    assert_eq!(town.freezes_of(54, "A>C 1"), ["A updated by issuer: c 89"], "the last is long ago");
    assert_eq!(town.freezes_of(55, "freeze A"), ["A frozen by issuer: c 89"]);
}

#[test]
fn of_very_many_claims_the_greatest_are_listed() {
    let mut town = Town::new(strict());
    town.open(case("b", &[wallet('T')]));
    for number in 0..16 {
        town.open(case(&format!("c{number:02}"), &[wallet('S')]));
    }
    town.block(1, "S>A 8, T>A 1");
    town.block(11, "");
    let record = &town.freezes[0];
    let claims: Vec<_> = record.claims.iter().map(|c| (c.case.as_str(), c.tainted)).collect();
    let greatest: Vec<_> = (0..16).map(|number| (format!("c{number:02}"), 8)).collect();
    assert_eq!(
        claims,
        greatest.iter().map(|(id, units)| (id.as_str(), *units)).collect::<Vec<_>>()
    );
    assert_eq!(record.claims_omitted, 1);
    // All of them count where they are asked for by case.
    let ranks = town.engine.freeze_ranks();
    assert_eq!((ranks[0].claims.len(), ranks[0].claim(Some("b"))), (17, Some(1)));
}

#[test]
fn too_few_units_are_not_recommended() {
    let mut town = Town::new(EngineConfig { freeze_min_units: 5, ..strict() });
    town.open(case("c", &[wallet('S')]));
    town.block(1, "S>A 4, S>B 5");
    assert_eq!(town.freezes_of(20, ""), ["B raised by issuer: c 5"]);
    assert_eq!(town.freezes_of(21, "B>C 1"), ["B escaped by issuer: c 4"]);
}

#[test]
fn a_recommendation_lives_through_updates_freeze_release_and_destruction() {
    let mut town = Town::with_source();
    town.block(1, "S>A 8");
    town.block(11, "");
    assert_eq!(town.freezes_of(12, "S>A 2"), ["A updated by issuer: c 10"]);
    assert_eq!(town.freezes_of(13, "freeze A"), ["A frozen by issuer: c 10"]);
    assert_eq!(town.freezes_of(14, "S>A 1"), ["A frozen by issuer: c 11"]);
    assert_eq!(town.freezes_of(15, "release A"), ["A released by issuer: c 11"]);
    assert_eq!(town.freezes_of(16, "freeze A"), ["A frozen by issuer: c 11"]);
    assert_eq!(town.freezes_of(17, "destroy A 11"), ["A destroyed by issuer: "]);
    assert_eq!(town.totals("c").destroyed, 11);
    assert!(town.freezes.iter().all(|record| record.raised_ms == 11_000));
}

#[test]
fn an_escaped_account_can_be_recommended_again() {
    let mut town = Town::with_source();
    town.block(1, "S>A 8");
    town.block(11, "");
    assert_eq!(town.freezes_of(12, "A>B 8"), ["A escaped by issuer: "]);
    assert_eq!(town.freezes_of(13, "S>A 3"), NOTHING);
    let told = town.freezes_of(23, "");
    assert_eq!(told, ["B raised by issuer: c 8", "A raised by issuer: c 3"]);
    assert_eq!(town.freezes.last().expect("told").raised_ms, 23_000);
}

#[test]
fn a_wallet_frozen_before_its_rest_is_over_needs_no_recommendation() {
    let mut town = Town::with_source();
    town.block(1, "S>A 8");
    town.block(2, "freeze A");
    assert_eq!(town.freezes_of(20, ""), NOTHING);
    assert_eq!(town.freezes_of(21, "release A"), ["A raised by issuer: c 8"]);
}

#[test]
fn a_service_is_told_at_once_and_of_all_that_arrived() {
    let mut town = Town::with_source();
    town.label(label('X', "Alder", "exchange", true));
    town.block(1, "S>A 8");
    assert_eq!(town.freezes_of(2, "A>X 3"), ["X raised by Alder: c 3"]);
    assert_eq!(town.freezes_of(3, "A>X 5"), ["X updated by Alder: c 8"]);
    assert_eq!(town.freezes_of(4, "X>B 8"), NOTHING, "what a service pays out is clean");
    let issuers = town.freezes.iter().filter(|r| r.actor == flow_core::Actor::Issuer);
    assert_eq!(issuers.filter(|r| r.account == account('X')).count(), 0);
}

#[test]
fn a_deposit_address_is_for_its_service() {
    let mut town = Town::with_source();
    town.label(label('D', "Alder", "deposit", false));
    town.label(label('W', "Carol", "person", false));
    town.block(1, "S>D 8, S>W 8");
    assert_eq!(town.freezes_of(11, ""), ["D raised by Alder: c 8", "W raised by issuer: c 8"]);
}

#[test]
fn an_account_has_one_record_for_a_block() {
    let mut town = Town::new(strict());
    town.open(case("a", &[wallet('S')]));
    town.open(case("b", &[wallet('T')]));
    town.label(label('X', "Alder", "exchange", true));
    town.block(1, "S>A 8, T>A 8");
    assert_eq!(town.freezes_of(11, ""), ["A raised by issuer: a 8; b 8"]);
    assert_eq!(
        town.freezes_of(12, "A>X 4, S>A 1, A>X 4, freeze A"),
        ["A frozen by issuer: a 5; b 5", "X raised by Alder: a 4; b 3"]
    );
    let mut seen = BTreeSet::new();
    assert!(town.freezes.iter().all(|record| seen.insert((record.account, record.block))));
}

#[test]
fn a_source_is_recommended_itself() {
    let mut town = Town::with_source();
    // The victim pays the thief: clean units that turn on arrival.
    town.block(1, "V>S 8");
    assert_eq!(town.freezes_of(11, ""), ["S raised by issuer: c 8"]);
    assert_eq!(town.freezes_of(12, "issue S 4"), ["S updated by issuer: c 12"]);
    assert_eq!(town.freezes_of(13, "S>A 12"), ["S escaped by issuer: "]);
}

#[test]
fn a_source_that_held_units_before_is_recommended_when_it_becomes_one() {
    let mut town = Town::new(strict());
    town.engine.load_opening(&[(account('S'), 8)]).expect("fits");
    town.open(case("now", &[wallet('S')]));
    town.open(case("then", &[Source::Wallet { account: account('S'), since_block: 30 }]));
    assert_eq!(town.freezes_of(9, "V>W 1"), NOTHING);
    assert_eq!(town.freezes_of(20, "V>W 1"), ["S raised by issuer: now 8"]);
    assert_eq!(town.freezes_of(30, "V>W 1"), ["S updated by issuer: now 8; then 8"]);
}

#[test]
fn a_closed_case_withdraws_what_it_alone_claimed() {
    let mut town = Town::new(strict());
    town.open(case("a", &[wallet('S')]));
    town.open(case("b", &[wallet('T')]));
    town.block(1, "S>A 8, T>A 8, S>B 8");
    town.block(11, "");
    assert_eq!(
        only("freeze ", town.close("a")),
        ["A updated by issuer: b 8", "B withdrawn by issuer: "]
    );
    assert_eq!(only("freeze ", town.close("b")), ["A withdrawn by issuer: "]);
    assert_eq!(town.freezes_of(30, ""), NOTHING);
}

#[test]
fn a_case_opened_late_adds_its_claim_to_what_is_recommended() {
    let mut town = Town::with_source();
    town.block(1, "S>A 8, T>A 8");
    town.block(11, "");
    assert_eq!(
        only("freeze ", town.open(case("d", &[wallet('T')]))),
        ["A updated by issuer: c 8; d 8"]
    );
    assert_eq!(only("freeze ", town.open(case("d", &[wallet('T')]))), NOTHING, "nothing new");
}

#[test]
fn a_label_hands_an_open_recommendation_to_the_service() {
    let mut town = Town::with_source();
    town.open(case("d", &[wallet('S')]));
    town.block(1, "S>A 8, S>D 8");
    town.block(11, "");
    assert_eq!(
        only("freeze ", town.label(label('D', "Alder", "deposit", false))),
        ["D updated by Alder: c 8; d 8"]
    );
    assert_eq!(
        only("freeze ", town.label(label('A', "Birch", "exchange", true))),
        ["A updated by Birch: c 8; d 8"]
    );
    assert_eq!(
        only("freeze ", town.apply(Event::LabelRemoved(account('A')))),
        ["A updated by issuer: c 8; d 8"]
    );
}

#[test]
fn each_record_is_of_a_later_block() {
    let mut town = Town::with_source();
    for step in 1..40 {
        let events = match (step % 3, step % 7) {
            (0, _) => "S>A 2",
            (_, 0) => "A>B 3",
            _ => "",
        };
        town.block(step * 10, events);
    }
    for letter in ['A', 'B'] {
        let of = |record: &&flow_core::FreezeRecommendation| record.account == account(letter);
        let blocks: Vec<u64> = town.freezes.iter().filter(of).map(|r| r.block).collect();
        assert!(blocks.len() > 2, "{letter} {blocks:?}");
        assert!(blocks.is_sorted_by(|a, b| a < b), "{letter} {blocks:?}");
    }
}

/// Wallets empty themselves after a minute, but for every fifth.
#[test]
fn the_chance_is_learnt_from_the_stays_that_were_seen() {
    let lag = EngineConfig { freeze_lag_ms: [120_000; 2], ..strict() };
    let mut town = Town::new(lag);
    town.open(case("c", &[wallet('S')]));
    let letters: Vec<char> = ('a'..='z').collect();
    for round in 0..8_u64 {
        for (at, letter) in (0..).zip(&letters) {
            let start = 1_000 * (round * 26 + at);
            town.block(start + 1, &format!("S>{letter} 10"));
            town.block(start + 20, "");
            if at % 5 != 0 {
                town.block(start + 61, &format!("{letter}>Z 10"));
            }
            town.block(start + 500, "");
            if at % 5 == 0 {
                town.block(start + 900, &format!("{letter}>Z 10"));
            }
        }
    }
    town.block(999_001, "S>A 10");
    town.block(999_020, "");
    let raised = town.freezes.iter().rfind(|record| record.account == account('A'));
    let chance = raised.and_then(|record| record.chance).expect("it is open");
    assert_eq!((chance.kind, chance.held_ms), (Some(flow_core::WalletKind::FirstHop), 19_000));
    // 48 of 208 stay.
    assert!((180_000..280_000).contains(&chance.ppm), "{chance:?}");
    assert!(chance.low_ppm < 230_000 && 230_000 < chance.high_ppm, "{chance:?}");
    assert!(chance.high_ppm - chance.low_ppm < 130_000, "{chance:?}");
    assert_eq!(chance.outcomes, 208);
    let calibration = chance.calibration;
    assert!(calibration.trials > 100, "{calibration:?}");
    assert!(calibration.kept_ppm.abs_diff(calibration.expected_ppm) < 60_000, "{calibration:?}");
    assert!(town.freezes[0].chance.is_some_and(|first| first.ppm == 500_000), "nothing is known");
}
