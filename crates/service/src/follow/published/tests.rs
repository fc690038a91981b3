use flow_core::{
    AccountKey, Actor, Address, Claim, FreezeRecommendation, FreezeStatus, Policy, Progress,
    RiskLevel, TransferRef, TxHash,
};

use super::super::outgoing::{Outgoing, message};
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
        revision: 1,
        status,
        urgent: false,
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
        claims_omitted: 0,
        chance: None,
        progress: Progress::default(),
        next: Vec::new(),
        next_omitted: 0,
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

/// The record as that revision.
fn revision(revision: u32, record: FreezeRecommendation) -> FreezeRecommendation {
    FreezeRecommendation { revision, ..record }
}

/// What is said at the end of a rebuild, where the engine has this.
fn corrected(known: &mut Published, present: Option<&FreezeRecommendation>) -> Vec<Correction> {
    known.end_rebuild(|_, _| false);
    known.correct_freezes(|_| Ok::<_, ()>(present.cloned())).unwrap()
}

/// What is owed, alerts first.
fn owed(known: &mut Published) -> (Vec<Alert>, Vec<FreezeRecommendation>) {
    (known.take_owed().alerts.into_values().collect(), known.settle_freezes())
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
    assert_eq!(admit(3, Retracted), None, "who would take it back is behind");
    assert_eq!(admit(4, Retracted), None, "nobody knows of it");
    assert_eq!(admit(4, Final), Some((News::Raised, 1)));
}

#[test]
fn provisional_alerts_that_nothing_told_again_are_taken_back() {
    let mut known =
        after(&[alert(1, 7, Provisional), alert(2, 8, Provisional), alert(3, 9, Final)], &[]);
    assert_eq!(known.newest(), 8);
    assert_eq!(known.admit_alert(&mut alert(1, 7, Provisional)), None);
    let taken_back = known.end_rebuild(|_, _| false);
    assert_eq!(taken_back.len(), 1);
    assert_eq!(taken_back[0].rule, Some(Rule::FirstReceipt));
    let record = AlertRecord::read(&taken_back[0].message.value).unwrap();
    assert_eq!((record.id, record.revision, record.status), (AlertId([2; 16]), 2, Retracted));
    // Found after all, it is the revision behind.
    let mut back = alert(2, 8, Provisional);
    assert_eq!(known.admit_alert(&mut back), Some(News::Raised));
    assert_eq!(back.revision, 3);
    assert!(known.end_rebuild(|_, _| false).is_empty());
}

#[test]
fn a_provisional_alert_that_is_another_in_another_block_is_told() {
    let at_another_height = alert(1, 8, Provisional);
    let at_the_same = Alert { balance: 6, ..alert(1, 7, Provisional) };
    for mut moved in [at_another_height, at_the_same] {
        let mut known = after(&[alert(1, 7, Provisional)], &[]);
        assert_eq!(known.admit_alert(&mut moved), Some(News::Raised));
        assert_eq!(moved.revision, 2);
    }
}

#[test]
fn what_the_engine_recommends_waits_until_it_tells_what_stands() {
    use FreezeStatus::{Escaped, Raised, Updated};
    let mut known = after(&[], &[freeze(11, Raised, 4), revision(2, freeze(20, Updated, 5))]);
    for record in [freeze(11, Raised, 4), freeze(12, Updated, 3), freeze(20, Updated, 5)] {
        assert_eq!(known.admit_freeze(record), None);
    }
    assert_eq!(known.owed_len(), 0);
    assert!(corrected(&mut known, None).is_empty(), "the engine told what stands");
    // Live, also after a reorganisation.
    let third = known.admit_freeze(freeze(19, Escaped, 0));
    assert_eq!(third, Some(revision(3, freeze(19, Escaped, 0))));
    let fourth = known.admit_freeze(freeze(20, Updated, 5));
    assert_eq!(fourth, Some(revision(4, freeze(20, Updated, 5))));
}

#[test]
fn what_stands_and_is_not_so_is_put_right_after_the_rebuild() {
    use FreezeStatus::{Escaped, Raised, Updated};
    let cases = [
        // The case was known for earlier blocks now: the same is asked for.
        (freeze(20, Raised, 5), Some(freeze(19, Updated, 5)), "nothing"),
        (freeze(20, Escaped, 1), Some(freeze(18, Escaped, 2)), "nothing"),
        (freeze(20, Raised, 5), Some(freeze(19, Raised, 4)), "recommend"),
        (freeze(20, Escaped, 0), Some(freeze(19, Raised, 5)), "recommend"),
        (freeze(20, Raised, 5), None, "withdraw"),
        (freeze(20, Escaped, 0), None, "nothing"),
    ];
    for (standing, present, expected) in cases {
        let mut known = after(&[], std::slice::from_ref(&standing));
        assert_eq!(known.admit_freeze(freeze(12, Raised, 7)), None);
        let said = corrected(&mut known, present.as_ref());
        let name = match said.as_slice() {
            [] => "nothing",
            [Correction::Recommend(record)] => {
                assert_eq!(Some(&**record), present.map(|record| revision(2, record)).as_ref());
                "recommend"
            }
            [Correction::Withdraw(record)] => {
                assert_eq!(*record, wire::freeze_message(&standing).value);
                "withdraw"
            }
            _ => "too much",
        };
        assert_eq!(name, expected, "{standing:?}");
        assert_eq!(known.owed_len(), 0);
        // From then on it goes on from there.
        let next = known.admit_freeze(freeze(21, Updated, 9)).unwrap();
        assert_eq!(next.revision, if expected == "nothing" { 2 } else { 3 });
    }
}

#[test]
fn what_was_told_and_stands_is_not_owed() {
    let mut known = after(&[alert(1, 7, Final)], &[freeze(20, FreezeStatus::Raised, 5)]);
    // Told before it stood, told after, told otherwise.
    known.owe_alert(alert(2, 8, Final));
    note_alert(&mut known, &alert(2, 8, Final));
    known.owe_alert(alert(1, 7, Final));
    known.owe_alert(alert(3, 9, Final));
    known.owe_freeze(freeze(20, FreezeStatus::Raised, 5));
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
fn an_alert_that_stands_as_final_is_not_taken_back_by_one_who_is_behind() {
    let mut known = after(&[alert(1, 7, Final)], &[]);
    known.owe_alert(alert(1, 6, Provisional));
    known.owe_alert(alert(1, 6, Retracted));
    assert_eq!(known.owed_len(), 0);
    assert_eq!(known.admit_alert(&mut alert(1, 6, Retracted)), None);
}

#[test]
fn what_another_took_back_and_holds_is_raised_again_when_it_is_told() {
    let second = Alert { revision: 2, ..alert(1, 7, Retracted) };
    let stands = alert(2, 8, Provisional);
    let mut known = after(&[alert(1, 7, Provisional), second, stands], &[]);
    assert!(known.end_rebuild(|_, _| true).is_empty());
    let mut again = alert(1, 7, Provisional);
    assert_eq!(known.admit_alert(&mut again), Some(News::Raised));
    assert_eq!(again.revision, 3);
    assert_eq!(known.admit_alert(&mut alert(2, 8, Provisional)), None, "it stands");
}

#[test]
fn what_the_engine_tells_is_never_taken_back() {
    let mut known = after(&[alert(1, 7, Provisional)], &[]);
    let taken_back = known.end_rebuild(|case, id| case == "a" && id == AlertId([1; 16]));
    assert!(taken_back.is_empty());
}

#[test]
fn of_an_account_what_came_after_what_stands_is_owed() {
    use FreezeStatus::{Escaped, Raised, Updated};
    let mut known = after(&[], &[]);
    known.owe_freeze(freeze(11, Raised, 5));
    known.owe_freeze(freeze(12, Updated, 6));
    note_freeze(&mut known, &freeze(11, Raised, 5));
    assert_eq!(owed(&mut known).1, [revision(2, freeze(12, Updated, 6))]);
    // The one who publishes is ahead of the one who stands by, then behind,
    // with two records of one block.
    let mut known = after(&[], &[freeze(11, Raised, 5), revision(2, freeze(13, Escaped, 0))]);
    for record in [freeze(11, Raised, 5), freeze(12, Updated, 6), freeze(13, Escaped, 0)] {
        known.owe_freeze(record);
    }
    assert_eq!(known.owed_len(), 0);
    for record in [freeze(14, Raised, 7), freeze(14, Updated, 8), freeze(14, Updated, 9)] {
        known.owe_freeze(record);
    }
    note_freeze(&mut known, &revision(3, freeze(14, Raised, 7)));
    note_freeze(&mut known, &revision(4, freeze(14, Updated, 8)));
    assert_eq!(owed(&mut known).1, [revision(5, freeze(14, Updated, 9))]);
    assert!(corrected(&mut known, None).is_empty());
}

#[test]
fn records_of_another_chain_are_of_no_concern() {
    let mut known = Published::nothing(Chain::Ethereum);
    note_alert(&mut known, &alert(1, 7, Provisional));
    note_freeze(&mut known, &freeze(11, FreezeStatus::Raised, 5));
    assert_eq!((known.alerts(), known.newest()), (0, 0));
    assert!(known.end_rebuild(|_, _| false).is_empty());
    assert!(known.correct_freezes(|_| Err(())).is_ok(), "nothing is asked");
}

#[test]
fn a_checkpoint_keeps_what_stands() {
    use FreezeStatus::{Raised, Updated};
    let mut known = after(&[alert(1, 7, Final), alert(2, 8, Provisional)], &[]);
    known.admit_freeze(freeze(11, Raised, 5)).unwrap();
    let mut third = alert(3, 9, Final);
    known.admit_alert(&mut third);
    let bytes = known.image().encode().unwrap();
    let mut again = Published::restore(Chain::Tron, &bytes).unwrap();
    assert_eq!(again.image().encode().unwrap(), bytes);
    assert_eq!(again.admit_alert(&mut third.clone()), None);
    let next = again.admit_freeze(freeze(12, Updated, 6));
    assert_eq!(next, Some(revision(2, freeze(12, Updated, 6))));
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
    assert_eq!(
        parse_freeze_id(&format!("{}.7", address::format_account(account(3)))),
        Some((account(3), 7))
    );
    assert_eq!(parse_freeze_id("tron:TAy1g5.7"), None);
}
