use flow_codec::wire::AlertRecord;
use flow_core::{
    AccountKey, Actor, Address, Claim, FreezeRecommendation, FreezeStatus, Policy, RiskLevel,
    TransferRef, TxHash,
};

use super::super::outgoing::message;
use super::freezes::parse_freeze_block;
use super::*;

fn account(byte: u8) -> AccountKey {
    AccountKey { chain: Chain::Tron, address: Address([byte; 20]) }
}

fn alert(id: u8, block: u64, status: AlertStatus) -> Alert {
    Alert {
        id: AlertId([id; 16]),
        revision: 1,
        status,
        rule: Rule::FirstReceipt,
        risk: RiskLevel::High,
        case: "a".to_owned(),
        case_title: None,
        category: None,
        policy: Policy::Haircut,
        attributions: Vec::new(),
        subject: account(id),
        counterparty: Address([9; 20]),
        trigger: TransferRef { tx: TxHash([id; 32]), position: 0 },
        block,
        block_hash: None,
        timestamp_ms: 1_000,
        amount: 5,
        tainted: 5,
        balance: 5,
        held: 5,
        hops: 1,
        service: None,
        threshold: None,
        retroactive: false,
        path: Vec::new(),
        path_omitted: 0,
    }
}

fn freeze(block: u64, status: FreezeStatus, tainted: u64) -> FreezeRecommendation {
    FreezeRecommendation {
        account: account(1),
        status,
        actor: Actor::Issuer,
        block,
        timestamp_ms: 1_000,
        raised_ms: 1_000,
        balance: 10,
        policy: Policy::Haircut,
        claims: vec![Claim {
            case: "a".to_owned(),
            tainted,
            hops: 1,
            path: Vec::new(),
            path_omitted: 0,
        }],
    }
}

/// What a session finds that published these.
fn after(alerts: &[Alert], freezes: &[FreezeRecommendation]) -> Published {
    let mut known = Published::nothing(Chain::Tron);
    for alert in alerts {
        note_alert(&mut known, alert);
    }
    for record in freezes {
        note_freeze(&mut known, record);
    }
    known
}

fn note_alert(known: &mut Published, alert: &Alert) {
    note(known, Stream::Alerts, message("a", wire::alert_message(alert)));
}

fn note_freeze(known: &mut Published, record: &FreezeRecommendation) {
    note(known, Stream::Freezes, message("f", wire::freeze_message(record)));
}

/// The record comes by its topic.
fn note(known: &mut Published, stream: Stream, message: Outgoing) {
    let (key, id) = (message.key.as_deref(), message.header("ce_id").map(String::as_str));
    known.note(&Told { stream, key: key.map(str::as_bytes), id, value: &message.value });
}

fn owe_freeze(known: &mut Published, record: FreezeRecommendation) {
    let message = message("f", wire::freeze_message(&record));
    known.owe_freeze(record, message);
}

/// What is owed, alerts first.
fn owed(known: &mut Published) -> (Vec<Alert>, Vec<FreezeRecommendation>) {
    let owed = known.take_owed();
    let freezes = owed.freezes.into_values().map(|(record, _)| record);
    (owed.alerts.into_values().collect(), freezes.collect())
}

use AlertStatus::{Final, Provisional, Retracted};

#[test]
fn what_stands_is_left_out_and_what_changed_is_the_next_revision() {
    let second = Alert { revision: 2, ..alert(2, 7, Retracted) };
    let mut known = after(
        &[alert(1, 7, Provisional), alert(2, 7, Provisional), second, alert(3, 7, Final)],
        &[],
    );
    let mut admit = |id, status| {
        let mut alert = alert(id, 7, status);
        let news = known.admit_alert(&mut alert);
        news.map(|news| (news, alert.revision))
    };
    assert_eq!(admit(1, Provisional), None);
    assert_eq!(admit(1, Final), Some((News::Settled, 2)));
    assert_eq!(admit(1, Final), None);
    assert_eq!(admit(2, Retracted), None);
    assert_eq!(admit(2, Provisional), Some((News::Raised, 3)), "it holds again");
    assert_eq!(admit(2, Retracted), Some((News::Retracted, 4)));
    assert_eq!(admit(3, Provisional), None, "final is final");
    assert_eq!(admit(3, Final), None);
    assert_eq!(admit(4, Retracted), None, "nobody knows of it");
    assert_eq!(admit(4, Final), Some((News::Raised, 1)));
}

#[test]
fn provisional_alerts_that_nothing_told_again_are_taken_back() {
    let mut known =
        after(&[alert(1, 7, Provisional), alert(2, 8, Provisional), alert(3, 9, Final)], &[]);
    assert_eq!(known.newest(), 8);
    assert_eq!(known.admit_alert(&mut alert(1, 7, Provisional)), None);
    let taken_back = known.end_rebuild(|_, _| false).taken_back;
    assert_eq!(taken_back.len(), 1);
    assert_eq!(taken_back[0].rule, Some(Rule::FirstReceipt));
    let record = AlertRecord::read(&taken_back[0].message.value).unwrap();
    assert_eq!((record.id, record.revision, record.status), (AlertId([2; 16]), 2, Retracted));
    // Found after all, it is the revision behind.
    let mut back = alert(2, 8, Provisional);
    assert_eq!(known.admit_alert(&mut back), Some(News::Raised));
    assert_eq!(back.revision, 3);
    assert!(known.end_rebuild(|_, _| false).taken_back.is_empty());
}

#[test]
fn a_provisional_alert_that_moved_to_another_block_is_told() {
    let mut known = after(&[alert(1, 7, Provisional)], &[]);
    let mut moved = alert(1, 8, Provisional);
    assert_eq!(known.admit_alert(&mut moved), Some(News::Raised));
    assert_eq!(moved.revision, 2);
}

#[test]
fn recommendations_of_earlier_blocks_are_left_out_while_rebuilding_alone() {
    use FreezeStatus::{Raised, Updated};
    let mut known = after(&[], &[freeze(20, Raised, 5)]);
    let admit = |known: &mut Published, record: FreezeRecommendation| {
        let message = message("f", wire::freeze_message(&record));
        known.admit_freeze(&record, message).is_some()
    };
    // The same claims, found for the block of the transfer now.
    assert!(!admit(&mut known, freeze(11, Raised, 4)));
    assert!(!admit(&mut known, freeze(12, Updated, 5)));
    assert!(known.end_rebuild(|_, _| false).recommendations.is_empty());
    // Live, after a reorganisation.
    assert!(admit(&mut known, freeze(19, Raised, 5)));
    assert!(admit(&mut known, freeze(20, Updated, 6)));
}

#[test]
fn a_recommendation_that_stands_and_is_wrong_is_put_right_after_the_rebuild() {
    use FreezeStatus::{Escaped, Raised};
    let mut known = after(&[], &[freeze(20, Escaped, 0)]);
    let record = freeze(19, Raised, 5);
    let same = message("f", wire::freeze_message(&record));
    assert!(known.admit_freeze(&record, same).is_none());
    let recommendations = known.end_rebuild(|_, _| false).recommendations;
    assert_eq!(recommendations.len(), 1);
    assert_eq!(recommendations[0].value, wire::freeze_message(&record).value);
    // One that is told anew as it stands is not news.
    let mut known = after(&[], &[freeze(20, Raised, 5)]);
    let (earlier, same) = (freeze(19, Raised, 4), freeze(20, Raised, 5));
    for record in [earlier, same] {
        let message = message("f", wire::freeze_message(&record));
        assert!(known.admit_freeze(&record, message).is_none());
    }
    assert!(known.end_rebuild(|_, _| false).recommendations.is_empty());
}

#[test]
fn a_recommendation_without_cause_is_found_unless_it_is_closed() {
    use FreezeStatus::{Escaped, Raised};
    let groundless = |standing: FreezeStatus, told: bool| {
        let mut known = after(&[], &[freeze(20, standing, 5)]);
        if told {
            let record = freeze(12, Raised, 5);
            let message = message("f", wire::freeze_message(&record));
            assert!(known.admit_freeze(&record, message).is_none());
        }
        known.end_rebuild(|_, _| false).groundless.len()
    };
    assert_eq!(groundless(Raised, false), 1);
    assert_eq!(groundless(Raised, true), 0);
    assert_eq!(groundless(Escaped, false), 0);
}

#[test]
fn what_was_told_and_stands_is_not_owed() {
    let mut known = after(&[alert(1, 7, Final)], &[freeze(20, FreezeStatus::Raised, 5)]);
    // Told before it stood, told after, told otherwise.
    known.owe_alert(alert(2, 8, Final));
    note_alert(&mut known, &alert(2, 8, Final));
    known.owe_alert(alert(1, 7, Final));
    known.owe_alert(alert(3, 9, Final));
    owe_freeze(&mut known, freeze(20, FreezeStatus::Raised, 5));
    assert_eq!(known.owed_len(), 1);
    let (alerts, freezes) = owed(&mut known);
    assert_eq!((alerts, freezes), (vec![alert(3, 9, Final)], vec![]));
}

#[test]
fn the_last_word_of_each_alert_is_owed() {
    let mut known = after(&[], &[]);
    known.owe_alert(alert(1, 7, Provisional));
    known.owe_alert(alert(2, 7, Provisional));
    known.owe_alert(alert(2, 7, Retracted));
    assert_eq!(known.owed_len(), 1, "nobody has heard of the second");
    // Whoever publishes tells it, takes it back and dies.
    note_alert(&mut known, &alert(1, 7, Provisional));
    assert_eq!(known.owed_len(), 1, "it may still be taken back");
    note_alert(&mut known, &Alert { revision: 2, ..alert(1, 7, Retracted) });
    let (alerts, _) = owed(&mut known);
    let mut told = alerts[0].clone();
    assert_eq!(known.admit_alert(&mut told), Some(News::Raised));
    assert_eq!(told.revision, 3);
}

#[test]
fn what_the_engine_tells_is_never_taken_back() {
    let mut known = after(&[alert(1, 7, Provisional)], &[]);
    let taken_back = known.end_rebuild(|case, id| case == "a" && id == AlertId([1; 16])).taken_back;
    assert!(taken_back.is_empty());
}

#[test]
fn of_an_account_what_came_after_what_stands_is_owed() {
    use FreezeStatus::{Raised, Updated};
    let mut known = after(&[], &[]);
    owe_freeze(&mut known, freeze(11, Raised, 5));
    owe_freeze(&mut known, freeze(12, Updated, 6));
    note_freeze(&mut known, &freeze(11, Raised, 5));
    assert_eq!(owed(&mut known).1, [freeze(12, Updated, 6)]);
    owe_freeze(&mut known, freeze(13, Updated, 7));
    note_freeze(&mut known, &freeze(13, Updated, 7));
    assert_eq!(known.owed_len(), 0);
    assert!(known.end_rebuild(|_, _| false).groundless.is_empty(), "it was told, and stands");
}

#[test]
fn of_an_account_what_came_before_what_stands_is_not_owed() {
    use FreezeStatus::{Escaped, Raised, Updated};
    // The one who publishes is ahead of the one who stands by.
    let mut known = after(&[], &[freeze(11, Raised, 5), freeze(13, Escaped, 0)]);
    for record in [freeze(11, Raised, 5), freeze(12, Updated, 6), freeze(13, Escaped, 0)] {
        owe_freeze(&mut known, record);
    }
    assert_eq!(known.owed_len(), 0);
    owe_freeze(&mut known, freeze(14, Raised, 7));
    assert_eq!(owed(&mut known).1, [freeze(14, Raised, 7)]);
    // And behind, with two records of one block.
    let mut known = after(&[], &[]);
    for record in [freeze(11, Raised, 5), freeze(11, Updated, 6), freeze(11, Updated, 7)] {
        owe_freeze(&mut known, record);
    }
    note_freeze(&mut known, &freeze(11, Updated, 6));
    assert_eq!(owed(&mut known).1, [freeze(11, Updated, 7)]);
}

#[test]
fn records_of_another_chain_are_of_no_concern() {
    let mut known = Published::nothing(Chain::Ethereum);
    note_alert(&mut known, &alert(1, 7, Provisional));
    note_freeze(&mut known, &freeze(11, FreezeStatus::Raised, 5));
    assert_eq!((known.alerts(), known.newest()), (0, 0));
    let corrections = known.end_rebuild(|_, _| false);
    assert!(corrections.taken_back.is_empty() && corrections.groundless.is_empty());
}

#[test]
fn a_checkpoint_keeps_what_stands() {
    let mut known = after(&[alert(1, 7, Final), alert(2, 8, Provisional)], &[]);
    let mut third = alert(3, 9, Final);
    known.admit_alert(&mut third);
    let bytes = known.image().encode().unwrap();
    let mut again = Published::restore(Chain::Tron, &bytes).unwrap();
    assert_eq!(again.image().encode().unwrap(), bytes);
    assert_eq!(again.admit_alert(&mut third.clone()), None);
    let mut settled = alert(2, 8, Final);
    assert_eq!(again.admit_alert(&mut settled), Some(News::Settled));
    assert_eq!(settled.revision, 2);
    for len in 0..bytes.len() {
        assert!(Published::restore(Chain::Tron, &bytes[..len]).is_err(), "{len}");
    }
}

#[test]
fn event_ids_parse() {
    let id = format!("{}.3", "0a".repeat(16));
    assert_eq!(parse_alert_id(&id), Some((AlertId([10; 16]), 3)));
    assert_eq!(parse_alert_id("0a0b.3"), None);
    assert_eq!(parse_alert_id(&"0a".repeat(16)), None);
    assert_eq!(parse_freeze_block("tron:TAy1g5.56804883.1a2b3c4d"), Some(56_804_883));
}
