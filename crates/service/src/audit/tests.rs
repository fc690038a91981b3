//! A trail of every kind of entry, and what becomes of it in wrong hands.

use flow_codec::wire::Message;
use flow_core::{AccountKey, Address, Case, Chain, Event, Label, Source};

use super::trail::{Known, Trail};
use super::verify::{Head, Line, Report, check};

fn case(min_units: u64) -> Case {
    let account = account(9);
    Case {
        id: "theft".to_owned(),
        title: Some("Theft".to_owned()),
        category: None,
        sources: vec![Source::Wallet { account, since_block: 0 }],
        min_units,
        max_hops: None,
    }
}

fn account(byte: u8) -> AccountKey {
    AccountKey { chain: Chain::Tron, address: Address([byte; 20]) }
}

fn label(byte: u8, entity: &str) -> Label {
    let (entity, kind) = (entity.to_owned(), "exchange".to_owned());
    Label { account: account(byte), entity, kind, stop: true }
}

fn record(revision: u32) -> Message {
    let key = "tron:T9".to_owned();
    let id = format!("{key}.{revision}");
    let value = format!(r#"{{"id":"{id}","status":"raised"}}"#).into_bytes();
    Message { key, headers: vec![("ce_id", id)], value }
}

fn known() -> Known {
    let other = Label {
        account: AccountKey { chain: Chain::Ethereum, ..account(3) },
        ..label(3, "elsewhere")
    };
    Known { cases: vec![case(0)], labels: vec![label(1, "X"), other] }
}

/// A trail of seven entries.
fn written() -> (Trail, Vec<Message>) {
    let mut trail = Trail::new(Chain::Tron);
    let mut entries = trail.reconcile(&known(), None);
    let as_of = Some((7, 1_701_046_164_000));
    entries.push(trail.recommended(&record(1), as_of));
    let changes = [
        Event::CaseOpened(case(5)),
        Event::LabelSet(label(1, "Y")),
        Event::LabelRemoved(account(1)),
        Event::CaseClosed("theft".to_owned()),
    ];
    entries.extend(changes.iter().filter_map(|change| trail.learnt(change, as_of)));
    (trail, entries)
}

fn lines(entries: &[Message]) -> Vec<Line> {
    let line = |(at, entry): (usize, &Message)| Line {
        place: format!("line {}", at + 1),
        bytes: entry.value.clone(),
    };
    entries.iter().enumerate().map(line).collect()
}

fn faults(report: &Report) -> Vec<String> {
    report.faults.iter().map(|fault| format!("{}: {}", fault.place, fault.what)).collect()
}

fn head(report: &Report) -> Head {
    report.trails[0].head.parse().unwrap()
}

#[test]
fn a_trail_is_whole_and_says_what_happened() {
    let (_, entries) = written();
    let report = check(&lines(&entries), &[], Some(&lines(&[record(1)])));
    assert_eq!(faults(&report), [""; 0]);
    assert_eq!((report.trails[0].entries, report.recommendations), (7, 1));
    let told = |entry: &Message| {
        let entry: serde_json::Value = serde_json::from_slice(&entry.value).unwrap();
        format!("{} {} {}", entry["sequence"], entry["event"], entry["block"])
    };
    let told: Vec<String> = entries.iter().map(told).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    1 "label_set" null
    2 "case_opened" null
    3 "recommended" 7
    4 "case_changed" 7
    5 "label_changed" 7
    6 "label_removed" 7
    7 "case_closed" 7
    "#);
    insta::assert_snapshot!(String::from_utf8_lossy(&entries[1].value));
}

#[test]
fn whoever_goes_on_repeats_nothing() {
    let (trail, entries) = written();
    let mut read = Trail::new(Chain::Tron);
    for entry in entries.iter().chain(&entries) {
        read.note(&entry.value);
    }
    assert_eq!(read, trail);
    assert_eq!(Trail::restore(Chain::Tron, trail.row()), trail);
    let now = Known { cases: Vec::new(), labels: Vec::new() };
    assert_eq!(read.reconcile(&now, None), []);
    let again = read.reconcile(&known(), None);
    assert_eq!(read.reconcile(&known(), None), []);
    let report = check(&lines(&[entries, again].concat()), &[], None);
    assert_eq!(faults(&report), [""; 0]);
}

#[test]
fn what_was_tampered_with_is_found() {
    let (_, entries) = written();
    let whole = lines(&entries);
    let head = head(&check(&whole, &[], None));
    let tampered = |change: fn(&mut Vec<Line>)| {
        let mut lines = whole.clone();
        change(&mut lines);
        faults(&check(&lines, std::slice::from_ref(&head), None)).join("\n")
    };
    let replace = |line: &mut Line, from: &str, to: &str| {
        let text = String::from_utf8(line.bytes.clone()).unwrap();
        assert!(text.contains(from), "{text}");
        line.bytes = text.replace(from, to).into_bytes();
    };
    let told = [
        tampered(|_| ()),
        tampered(|lines| drop(lines.remove(0))),
        tampered(|lines| drop(lines.drain(2..4))),
        tampered(|lines| lines.swap(3, 4)),
        tampered(|lines| lines.insert(4, lines[2].clone())),
        tampered(|lines| drop(lines.pop())),
        tampered(|lines| lines[3].bytes.truncate(20)),
    ];
    insta::assert_snapshot!(told.join("\n--\n"));
    let mut changed = whole.clone();
    replace(&mut changed[2], "tron:T9", "tron:T8");
    replace(&mut changed[3], "\"min_units\":5", "\"min_units\":6");
    replace(&mut changed[6], "theft", "other");
    insta::assert_snapshot!(faults(&check(&changed, &[head], None)).join("\n"));
}

#[test]
fn recommendations_are_compared_with_the_trail() {
    let (_, entries) = written();
    let mut changed = record(1);
    changed.value.push(b' ');
    let records = [record(2), changed];
    let report = check(&lines(&entries), &[], Some(&lines(&records)));
    assert_eq!(
        faults(&report),
        [
            "line 1: no entry tells of recommendation tron:T9.2",
            "line 2: recommendation tron:T9.1 is not the one of the trail"
        ]
    );
}

#[test]
fn a_head_is_read_as_it_is_printed() {
    for bad in ["", "tron", "tron:1", "tron:1:00", "doge:1:", "tron:x:"] {
        let text = if bad.ends_with(':') { format!("{bad}{}", "0".repeat(64)) } else { bad.into() };
        assert!(text.parse::<Head>().unwrap_err().contains("CHAIN:SEQUENCE:SHA256"), "{text}");
    }
}
