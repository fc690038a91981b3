//! From the submission of a freeze to its end: what the issuer's owners do,
//! what leaves meanwhile, and what a reorganisation makes of it.

use flow_core::{Chain, EngineConfig, Escape, Event};

use crate::town::{Town, account, address, case, label, progress_line, strict, tx, wallet};

const NOTHING: [&str; 0] = [];

/// The lines of a block, with what each record tells of its progress.
fn told(town: &mut Town, number: u64, events: &str) -> Vec<String> {
    let before = town.freezes.len();
    let lines = town.freezes_of(number, events);
    let progress = town.freezes[before..].iter().map(progress_line);
    lines.iter().zip(progress).map(|(line, progress)| format!("{line} | {progress}")).collect()
}

/// A holds 8 tainted units and is recommended.
fn recommended(config: EngineConfig) -> Town {
    let mut town = Town::new(config);
    town.open(case("c", &[wallet('S')]));
    town.block(1, "S>A 8");
    assert_eq!(town.freezes_of(11, ""), ["A raised by issuer: c 8"]);
    town
}

#[test]
fn a_freeze_is_submitted_confirmed_carried_out_and_the_funds_are_burnt() {
    let mut town = recommended(strict());
    assert_eq!(
        told(&mut town, 20, "submit 7+confirm 7 K+call freeze A"),
        ["A submitted by issuer: c 8 | freeze 1/2"]
    );
    assert_eq!(told(&mut town, 30, "confirm 7 L"), ["A confirmed by issuer: c 8 | freeze 2/2"]);
    assert_eq!(told(&mut town, 40, "freeze A+execute 7"), ["A frozen by issuer: c 8 | freeze 2/2"]);
    let frozen = town.freezes.last().expect("told");
    assert_eq!((frozen.progress.caught, frozen.progress.frozen_ms), (8, Some(40_000)));
    assert_eq!(frozen.progress.arrived_ms, Some(1_000));
    assert_eq!(frozen.progress.submission.map(|submitted| submitted.timestamp_ms), Some(20_000));
    assert_eq!(
        told(&mut town, 50, "submit 8+call destroy A"),
        ["A frozen by issuer: c 8 | destroy 0/2"]
    );
    assert_eq!(
        told(&mut town, 60, "confirm 8 K, destroy A 8+execute 8"),
        ["A destroyed by issuer:  | destroy 1/2"]
    );
    let last = town.freezes.last().expect("told");
    assert_eq!((last.progress.caught, last.progress.frozen_ms), (8, Some(40_000)));
    assert_eq!(town.totals("c").destroyed, 8);
    assert_eq!(told(&mut town, 70, "confirm 8 L"), NOTHING, "that is over");
}

#[test]
fn a_confirmation_is_counted_once_and_can_be_taken_back() {
    let mut town = recommended(strict());
    town.block(20, "submit 7+call freeze A+confirm 7 K");
    assert_eq!(told(&mut town, 21, "confirm 7 K"), NOTHING);
    assert_eq!(told(&mut town, 22, "confirm 9 L"), NOTHING, "of what nobody submitted");
    assert_eq!(
        told(&mut town, 23, "confirm 7 L, fail 7"),
        ["A confirmed by issuer: c 8 | freeze 2/2 failed"]
    );
    assert_eq!(
        told(&mut town, 24, "revoke 7 K"),
        ["A submitted by issuer: c 8 | freeze 1/2 failed"]
    );
    assert_eq!(
        told(&mut town, 25, "execute 7, freeze A"),
        ["A frozen by issuer: c 8 | freeze 1/2"]
    );
}

#[test]
fn the_log_and_the_call_of_a_transaction_are_one_submission() {
    let mut town = recommended(strict());
    town.block(12, "S>B 8");
    town.block(23, "");
    assert_eq!(
        told(&mut town, 30, "submit 7+submit 8+call freeze A+call freeze B"),
        ["A submitted by issuer: c 8 | freeze 0/2", "B submitted by issuer: c 8 | freeze 0/2"]
    );
    assert_eq!(told(&mut town, 31, "confirm 8 K, confirm 8 L").len(), 1);
    let last = town.freezes.last().expect("told");
    assert_eq!(
        (last.account, last.progress.submission.and_then(|s| s.id)),
        (account('B'), Some(8))
    );
}

#[test]
fn a_submission_known_by_its_log_alone_names_nobody() {
    let mut town = recommended(strict());
    assert_eq!(told(&mut town, 20, "submit 7+confirm 7 K, confirm 7 L"), NOTHING);
    assert_eq!(told(&mut town, 30, "freeze A+execute 7"), ["A frozen by issuer: c 8 | "]);
}

#[test]
fn a_target_that_was_not_recommended_yet_is_told_when_its_freeze_is_submitted() {
    let mut town = Town::with_source();
    town.block(1, "S>A 8");
    assert_eq!(told(&mut town, 2, "call freeze A"), ["A submitted by issuer: c 8 | freeze 0/2"]);
    assert_eq!(town.freezes[0].raised_ms, 2_000);
    assert_eq!(told(&mut town, 20, ""), NOTHING, "it is told already");
}

#[test]
fn an_escape_is_urgent_and_names_the_next_address() {
    let mut town = recommended(strict());
    town.block(20, "submit 7+call freeze A+confirm 7 K");
    assert_eq!(
        told(&mut town, 21, "V>A 4, A>B 6"),
        ["A submitted by issuer: c 4 | freeze 1/2, escaped 6 (4 tainted): B 6, next B 6, urgent"]
    );
    let escape: &Escape = &town.freezes.last().expect("told").progress.escaped.newest[0];
    assert_eq!((escape.to, escape.transfer.tx), (address('B'), tx(21, 1)));
    assert_eq!((escape.block, escape.timestamp_ms, escape.tainted), (21, 21_000, 4));
    // What arrived beside them stays behind where the units move on.
    assert_eq!(
        told(&mut town, 22, "V>B 9, B>C 2, C>D 1"),
        ["A submitted by issuer: c 4 | freeze 1/2, escaped 6 (4 tainted): B 6, \
          next B 4 C 1 D 1, urgent"]
    );
    let hops: Vec<u32> = town.freezes.last().expect("told").next.iter().map(|n| n.hops).collect();
    assert_eq!(hops, [1, 2, 3]);
    assert_eq!(
        told(&mut town, 23, "A>E 6"),
        ["A escaped by issuer:  | freeze 1/2, escaped 12 (8 tainted): B 6 E 6, \
          next E 6 B 4 C 1 D 1, urgent"]
    );
    // It goes on while the freeze is pending, and the freeze comes too late.
    assert_eq!(told(&mut town, 24, "E>F 6").len(), 1);
    assert_eq!(
        told(&mut town, 30, "confirm 7 L, freeze A+execute 7"),
        ["A frozen by issuer:  | freeze 2/2, escaped 12 (8 tainted): B 6 E 6, \
          next F 6 B 4 C 1 D 1"]
    );
    assert_eq!(town.freezes.last().expect("told").progress.caught, 0);
    assert!(
        told(&mut town, 31, "F>G 6, B>G 4").iter().all(|line| !line.starts_with('A')),
        "the window is closed"
    );
}

#[test]
fn any_target_is_watched() {
    let mut town = Town::with_source();
    town.block(1, "V>A 9");
    assert_eq!(told(&mut town, 2, "call freeze A"), ["A submitted by issuer:  | freeze 0/2"]);
    assert_eq!(
        told(&mut town, 3, "A>B 5"),
        ["A submitted by issuer:  | freeze 0/2, escaped 5 (0 tainted): B 5, next B 5, urgent"]
    );
    assert_eq!(
        told(&mut town, 4, "A>B 4"),
        ["A escaped by issuer:  | freeze 0/2, escaped 9 (0 tainted): B 5 B 4, next B 9, urgent"]
    );
    assert_eq!(told(&mut town, 5, "freeze A").len(), 1);
    assert_eq!(told(&mut town, 6, "V>A 1, B>C 9"), NOTHING, "no longer followed");
    assert_eq!(
        told(&mut town, 7, "destroy A 1"),
        ["A destroyed by issuer:  | freeze 0/2, escaped 9 \
         (0 tainted): B 5 B 4"]
    );
}

#[test]
fn what_reaches_a_service_is_not_followed_out_of_it() {
    let mut town = recommended(strict());
    town.label(label('X', "Alder", "exchange", true));
    town.block(20, "call freeze A");
    town.block(21, "A>X 8");
    assert_eq!(town.freezes.len(), 4, "A twice more, and X");
    assert_eq!(told(&mut town, 22, "X>B 100"), NOTHING);
    let escaped = &town.freezes[2];
    assert_eq!(progress_line(escaped), "freeze 0/2, escaped 8 (8 tainted): X 8, next X 8, urgent");
    assert!(
        matches!(&escaped.next[0].actor, flow_core::Actor::Service { entity, .. } if entity == "Alder")
    );
}

#[test]
fn services_and_reserved_addresses_are_no_targets() {
    let mut town = Town::with_source();
    town.label(label('X', "Alder", "exchange", true));
    assert_eq!(told(&mut town, 1, "call freeze X, call freeze \0"), NOTHING);
    assert_eq!(told(&mut town, 2, "X>A 5, \0>A 5"), NOTHING);
}

#[test]
fn a_window_does_not_stay_open_for_ever() {
    let mut town = recommended(strict());
    town.block(20, "call freeze A");
    let late = 20 + 14 * 24 * 3600;
    assert_eq!(told(&mut town, late, ""), NOTHING);
    assert_eq!(told(&mut town, late + 1, ""), ["A updated by issuer: c 8 | freeze 0/2"]);
}

#[test]
fn a_freeze_that_is_lifted_starts_anew() {
    let mut town = recommended(strict());
    town.block(20, "call freeze A, freeze A");
    let frozen = town.freezes.last().expect("told");
    assert_eq!((frozen.progress.caught, frozen.progress.frozen_ms), (8, Some(20_000)));
    assert_eq!(told(&mut town, 30, "call release A"), ["A frozen by issuer: c 8 | release 0/2"]);
    assert_eq!(told(&mut town, 40, "release A"), ["A released by issuer: c 8 | release 0/2"]);
    let released = town.freezes.last().expect("told");
    assert_eq!((released.progress.caught, released.progress.frozen_ms), (0, None));
}

#[test]
fn the_wallet_says_how_many_confirmations_it_asks_for() {
    let mut town = recommended(EngineConfig { revertible: true, ..strict() });
    assert_eq!(
        told(&mut town, 20, "submit 7+confirm 7 K+call freeze A"),
        ["A submitted by issuer: c 8 | freeze 1/2"]
    );
    assert_eq!(
        told(&mut town, 21, "require 4, confirm 7 L"),
        ["A confirmed by issuer: c 8 | freeze 2/4"]
    );
    assert_eq!(told(&mut town, 22, "require 3"), NOTHING);
    assert_eq!(told(&mut town, 23, "confirm 7 M"), ["A confirmed by issuer: c 8 | freeze 3/3"]);
    // What is reverted was never said.
    town.apply(Event::BlockReverted { chain: Chain::Tron, number: 22 });
    assert_eq!(told(&mut town, 32, "confirm 7 N"), ["A confirmed by issuer: c 8 | freeze 3/4"]);
    town.apply(Event::BlockReverted { chain: Chain::Tron, number: 21 });
    assert_eq!(told(&mut town, 31, "confirm 7 L"), ["A confirmed by issuer: c 8 | freeze 2/2"]);
}

/// In the middle of a life blocks are taken back, and others come.
#[test]
fn a_reorganisation_undoes_exactly_what_it_should() {
    let lives = [
        "submit 7+call freeze A+confirm 7 K",
        "A>B 5",
        "B>C 3, require 4",
        "confirm 7 L, freeze A",
    ];
    for kept in 0..=lives.len() {
        let mut town = recommended(EngineConfig { revertible: true, ..strict() });
        for (at, events) in (20..).zip(lives) {
            town.block(at, events);
        }
        let told_before = town.freezes.len();
        let first = 20 + kept as u64;
        town.apply(Event::BlockReverted { chain: Chain::Tron, number: first });
        let mut quiet = recommended(EngineConfig { revertible: true, ..strict() });
        for (at, events) in (20..).zip(&lives[..kept]) {
            quiet.block(at, events);
        }
        if kept < lives.len() {
            let told = town.freezes.last().expect("told");
            assert!(town.freezes.len() > told_before, "{kept}: what changed is told again");
            assert_eq!(told.block, if kept == 0 { 11 } else { first - 1 });
        }
        let branch = ["A>B 1", "confirm 7 L", "B>C 1", "freeze A", "destroy A 8"];
        for (number, events) in (first + 10..).zip(branch) {
            let lines = told(&mut town, number, events);
            assert_eq!(lines, told(&mut quiet, number, events), "{kept}: {events}");
        }
        for letter in ['A', 'B', 'C'] {
            let both = [&mut town, &mut quiet].map(|town| {
                let record = town.engine.recommendation(account(letter)).expect("readable");
                record.map(|record| flow_core::FreezeRecommendation { revision: 0, ..record })
            });
            assert_eq!(both[0], both[1], "{kept}: {letter}");
        }
    }
}
