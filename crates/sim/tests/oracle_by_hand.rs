//! The oracle against ledgers worked out by hand, one for each clause of the
//! definition of taint. Letters are accounts on TRON unless said otherwise.

use flow_core::{
    AccountKey, Action, Address, Amount, Block, Case, Chain, Label, LedgerEvent, Policy, Source,
    TxHash,
};
use flow_sim::oracle::{CaseAnswer, trace};

fn account(name: char) -> Address {
    Address([u8::try_from(name).expect("ASCII"); 20])
}

fn key(name: char) -> AccountKey {
    AccountKey { chain: Chain::Tron, address: account(name) }
}

fn tx(number: u8) -> TxHash {
    TxHash([number; 32])
}

fn pay(from: char, to: char, amount: Amount) -> Action {
    Action::Transfer { from: account(from), to: account(to), amount }
}

/// One block of TRON per action, numbered from 1; the log index is 0.
fn ledger(actions: &[Action]) -> Vec<Block> {
    (1_u8..)
        .zip(actions)
        .map(|(number, action)| Block {
            chain: Chain::Tron,
            number: u64::from(number),
            hash: None,
            timestamp_ms: 0,
            events: vec![LedgerEvent {
                tx: tx(number),
                log_index: Some(0),
                position: 0,
                action: *action,
            }],
        })
        .collect()
}

fn case(sources: &[Source]) -> Case {
    Case {
        id: "case".to_owned(),
        title: None,
        category: None,
        sources: sources.to_vec(),
        min_units: 0,
        max_hops: None,
    }
}

fn wallet(name: char, since_block: u64) -> Source {
    Source::Wallet { account: key(name), since_block }
}

fn transfer(number: u8) -> Source {
    Source::Transfer { chain: Chain::Tron, tx: tx(number), log_index: 0 }
}

fn stop(name: char) -> Label {
    let (entity, kind) = ("Alder".to_owned(), "exchange".to_owned());
    Label { account: key(name), entity, kind, stop: true }
}

fn solve(actions: &[Action], case: Case, labels: &[Label], opening: &[(char, u64)]) -> CaseAnswer {
    let opening: Vec<_> = opening.iter().map(|(name, amount)| (key(*name), *amount)).collect();
    trace(Policy::Haircut, &ledger(actions), &[case], labels, &opening).remove(0)
}

/// Rows as `name tainted/balance hops`, then the totals that are not 0.
fn text(answer: &CaseAnswer) -> String {
    let rows = answer.rows.iter().map(|row| {
        let name = char::from(row.account.address.0[0]);
        let frozen = if row.frozen { " frozen" } else { "" };
        format!("{name} {}/{} hop {}{frozen}", row.tainted, row.balance, row.hops)
    });
    let totals = &answer.totals;
    let service = totals.service.iter().map(|(entity, units)| format!("at {entity} {units}"));
    let sums = [
        ("emitted", totals.emitted),
        ("redeemed", totals.redeemed),
        ("destroyed", totals.destroyed),
        ("dust", totals.dust),
        ("horizon", totals.horizon),
    ];
    let sums =
        sums.iter().filter(|(_, units)| *units > 0).map(|(name, units)| format!("{name} {units}"));
    rows.chain(sums).chain(service).collect::<Vec<_>>().join("; ")
}

#[test]
fn haircut_rounds_down_and_the_sender_keeps_the_rest() {
    // B holds 10, 3 of them tainted. Sending 5 moves floor(3·5/10) = 1, leaving
    // 2 of 5; sending 3 moves floor(2·3/5) = 1, leaving 1 of 2.
    let answer = solve(
        &[pay('A', 'B', 3), pay('B', 'C', 5), pay('B', 'C', 3)],
        case(&[wallet('A', 0)]),
        &[],
        &[('A', 3), ('B', 7)],
    );
    assert_eq!(text(&answer), "B 1/2 hop 1; C 2/8 hop 2; emitted 3");
}

#[test]
fn a_shortfall_adds_clean_units_first() {
    // B holds 4 tainted and sends 10: 6 clean units are added, so all 4 of 10
    // leave.
    let answer = solve(&[pay('A', 'B', 4), pay('B', 'C', 10)], case(&[wallet('A', 0)]), &[], &[]);
    assert_eq!(text(&answer), "C 4/10 hop 2; emitted 4");
}

#[test]
fn the_shortfall_of_a_source_is_emitted() {
    // A opens with 2 (emitted at once) and sends 5: 3 more are emitted.
    let answer = solve(&[pay('A', 'B', 5)], case(&[wallet('A', 0)]), &[], &[('A', 2)]);
    assert_eq!(text(&answer), "B 5/5 hop 1; emitted 5");
}

#[test]
fn a_source_from_block_0_taints_its_opening_balance_without_any_event() {
    let answer = solve(&[], case(&[wallet('A', 0)]), &[], &[('A', 7)]);
    assert_eq!(text(&answer), "A 7/7 hop 0; emitted 7");
}

#[test]
fn zero_amounts_and_self_transfers_change_nothing() {
    // Neither has a shortfall, and a source transfer to oneself emits nothing.
    let actions = [pay('A', 'A', 9), pay('B', 'B', 9), pay('A', 'B', 0)];
    let answer = solve(&actions, case(&[wallet('A', 0), transfer(2), transfer(3)]), &[], &[]);
    assert_eq!(text(&answer), "");
}

#[test]
fn a_late_source_taints_what_it_holds_when_it_wakes() {
    // Block 1 moves clean units. Block 2 wakes A, holding 4, before its event
    // pays 2 more in.
    let actions = [pay('B', 'A', 4), pay('B', 'A', 2)];
    let answer = solve(&actions, case(&[wallet('A', 2)]), &[], &[]);
    assert_eq!(text(&answer), "A 6/6 hop 0; emitted 6");
    let never = solve(&actions, case(&[wallet('A', 3)]), &[], &[]);
    assert_eq!(text(&never), "");
}

#[test]
fn multisig_steps_and_other_chains_wake_no_source() {
    let step = Action::Multisig(flow_core::MultisigAction::Execution { id: 1 });
    let mut blocks = ledger(&[pay('B', 'A', 4), step]);
    let mut foreign = ledger(&[pay('B', 'C', 1)]).remove(0);
    (foreign.chain, foreign.number) = (Chain::Ethereum, 9);
    blocks.push(foreign);
    let answer = trace(Policy::Haircut, &blocks, &[case(&[wallet('A', 2)])], &[], &[]).remove(0);
    assert_eq!(text(&answer), "");
}

#[test]
fn tainted_units_that_reach_a_source_are_not_emitted_again() {
    // A emits 6. B sends back 4 of 8, 3 of them tainted: 1 more is emitted.
    let answer =
        solve(&[pay('A', 'B', 6), pay('B', 'A', 4)], case(&[wallet('A', 0)]), &[], &[('B', 2)]);
    assert_eq!(text(&answer), "A 4/4 hop 0; B 3/4 hop 1; emitted 7");
}

#[test]
fn a_source_transfer_taints_what_it_moves_with_hop_1() {
    // B got 6 tainted and holds 8. Its source transfer moves 4, of which 3 were
    // tainted with hop 1 (they would arrive with hop 2): all 4 arrive with hop
    // 1, and 1 is emitted.
    let answer = solve(
        &[pay('A', 'B', 6), pay('B', 'C', 4)],
        case(&[wallet('A', 0), transfer(2)]),
        &[],
        &[('B', 2)],
    );
    assert_eq!(text(&answer), "B 3/4 hop 1; C 4/4 hop 1; emitted 7");
}

#[test]
fn a_source_transfer_needs_its_log_index() {
    let other = Source::Transfer { chain: Chain::Tron, tx: tx(1), log_index: 1 };
    let answer = solve(&[pay('A', 'B', 6)], case(&[other]), &[], &[]);
    assert_eq!(text(&answer), "");
}

#[test]
fn a_service_swallows_taint_and_pays_out_clean() {
    // X is also a service of which tracing knows nothing more: C stays clean.
    let answer =
        solve(&[pay('A', 'X', 5), pay('X', 'C', 5)], case(&[wallet('A', 0)]), &[stop('X')], &[]);
    assert_eq!(text(&answer), "emitted 5; at Alder 5");
}

#[test]
fn a_label_without_stop_changes_nothing() {
    let label = Label { stop: false, ..stop('X') };
    let answer = solve(&[pay('A', 'X', 5)], case(&[wallet('A', 0)]), &[label], &[]);
    assert_eq!(text(&answer), "X 5/5 hop 1; emitted 5");
}

#[test]
fn a_source_that_is_a_service_is_a_source() {
    let answer = solve(&[pay('B', 'X', 5)], case(&[wallet('X', 0)]), &[stop('X')], &[]);
    assert_eq!(text(&answer), "X 5/5 hop 0; emitted 5");
}

#[test]
fn the_service_rule_comes_before_horizon_and_dust() {
    let strict = Case { max_hops: Some(0), min_units: 9, ..case(&[wallet('A', 0)]) };
    let answer = solve(&[pay('A', 'X', 5)], strict.clone(), &[stop('X')], &[]);
    assert_eq!(text(&answer), "emitted 5; at Alder 5");
    // And the horizon comes before dust.
    let answer = solve(&[pay('A', 'B', 5)], strict, &[], &[]);
    assert_eq!(text(&answer), "emitted 5; horizon 5");
}

#[test]
fn units_beyond_the_horizon_arrive_clean() {
    let near = Case { max_hops: Some(1), ..case(&[wallet('A', 0)]) };
    let answer = solve(&[pay('A', 'B', 8), pay('B', 'C', 3)], near, &[], &[]);
    assert_eq!(text(&answer), "B 5/5 hop 1; emitted 8; horizon 3");
}

#[test]
fn fewer_than_min_units_are_dust() {
    // 3 is not fewer than 3; 2 is.
    let coarse = Case { min_units: 3, ..case(&[wallet('A', 0)]) };
    let answer = solve(&[pay('A', 'B', 3), pay('A', 'C', 2)], coarse, &[], &[]);
    assert_eq!(text(&answer), "B 3/3 hop 1; emitted 5; dust 2");
}

#[test]
fn the_least_hop_counts_until_no_tainted_unit_is_left() {
    // C gets hop 2 by B, then hop 1 from A. It pays out all, and what comes by
    // B afterwards counts 2 again.
    let through_b = [pay('A', 'B', 4), pay('B', 'C', 2), pay('A', 'C', 1)];
    let answer = solve(&through_b, case(&[wallet('A', 0)]), &[], &[]);
    assert_eq!(text(&answer), "B 2/2 hop 1; C 3/3 hop 1; emitted 5");
    let emptied = [&through_b[..], &[pay('C', 'D', 3), pay('B', 'C', 2)]].concat();
    let answer = solve(&emptied, case(&[wallet('A', 0)]), &[], &[]);
    assert_eq!(text(&answer), "C 2/2 hop 2; D 3/3 hop 2; emitted 5");
}

#[test]
fn frozen_units_are_counted_apart_and_still_move() {
    let freeze = Action::BlacklistAdd { account: account('B') };
    let release = Action::BlacklistRemove { account: account('B') };
    let frozen = [pay('A', 'B', 4), freeze];
    let answer = solve(&frozen, case(&[wallet('A', 0)]), &[], &[]);
    assert_eq!(text(&answer), "B 4/4 hop 1 frozen; emitted 4");
    assert_eq!((answer.totals.frozen, answer.totals.held), (4, 0));
    let released = [&frozen[..], &[release]].concat();
    let answer = solve(&released, case(&[wallet('A', 0)]), &[], &[]);
    assert_eq!((answer.totals.frozen, answer.totals.held), (0, 4));
}

#[test]
fn redeemed_and_destroyed_units_leave_in_proportion() {
    // B holds 4 tainted of 8. Redeeming 4 takes 2; destroying the other 4 takes
    // the other 2.
    let answer = solve(
        &[
            pay('A', 'B', 4),
            Action::Redeem { from: account('B'), amount: 4 },
            Action::Destroy { account: account('B'), amount: 4 },
        ],
        case(&[wallet('A', 0)]),
        &[],
        &[('B', 4)],
    );
    assert_eq!(text(&answer), "emitted 4; redeemed 2; destroyed 2");
}

#[test]
fn issued_units_are_clean_except_in_a_source() {
    let issue = |name| Action::Issue { to: account(name), amount: 5 };
    let answer = solve(&[issue('A'), issue('B')], case(&[wallet('A', 0)]), &[], &[]);
    assert_eq!(text(&answer), "A 5/5 hop 0; emitted 5");
}

#[test]
fn an_event_beyond_64_bits_is_left_out_whole() {
    // B has no room for 2 more, so A is not debited either.
    let answer =
        solve(&[pay('A', 'B', 2)], case(&[wallet('A', 0)]), &[], &[('A', 1), ('B', u64::MAX - 1)]);
    assert_eq!(text(&answer), "A 1/1 hop 0; emitted 1");
}

#[test]
fn products_take_128_bits() {
    // 2^62 tainted of 2^63; half of it leaves with half of the taint.
    let half = 1_u64 << 62;
    let answer = solve(
        &[pay('A', 'B', half), pay('B', 'C', half)],
        case(&[wallet('A', 0)]),
        &[],
        &[('B', half)],
    );
    let (kept, moved) = (half / 2, half / 2);
    assert_eq!(
        text(&answer),
        format!("B {kept}/{half} hop 1; C {moved}/{half} hop 2; emitted {half}")
    );
}

#[test]
fn cases_do_not_subtract_from_each_other() {
    let both = [case(&[wallet('A', 0)]), case(&[transfer(1)])];
    let answers = trace(Policy::Haircut, &ledger(&[pay('A', 'B', 4)]), &both, &[], &[]);
    assert!(answers.iter().all(|answer| text(answer) == "B 4/4 hop 1; emitted 4"));
}
