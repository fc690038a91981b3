//! What cannot be read: told line by line, and never the end of the run unless
//! asked for.

use flow_sim::feed::PLAIN_CSV_HEADER;
use serde_json::Value;

use crate::folder::{Folder, Known};

const TX: &str = "0f2703829ae116c95c8ff07fd0a5e354ad91a0a27482bf2b8b0990678a1b1b46";
const FROM: &str = "TMjFmBGydHZNYGjGxgmvpNbz3m3DjqUkHh";
const TO: &str = "TUpHuDkiCCmwaTZBHZvQdwWzGNm5t8J2b9";
/// [`TO`] with its last letter mistyped.
const MISTYPED: &str = "TUpHuDkiCCmwaTZBHZvQdwWzGNm5t8J2b8";
const TWO_TO_256_LESS_1: &str =
    "115792089237316195423570985008687907853269984665640564039457584007913129639935";

fn row(index: u32, event: &str, to: &str, amount: &str) -> String {
    format!("tron,1,{index},1701046164000,{TX},{event},{FROM},{to},{amount}")
}

/// (line, reason) of each refusal.
fn refusals(refused: &[Value]) -> Vec<(u64, &str)> {
    let place = |record: &Value| record["line"].as_u64().expect("a line number");
    let reason = |record| -> &str { Value::as_str(record).expect("a reason") };
    refused.iter().map(|record| (place(record), reason(&record["reason"]))).collect()
}

fn parsed(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON Lines")).collect()
}

/// A CSV file with every other row bad, and the (line, reason) expected.
fn bad_csv() -> (Vec<u8>, Vec<(u64, &'static str)>) {
    let rows = [
        (row(0, "transfer", TO, "5"), None),
        (row(1, "transfer", MISTYPED, "5"), Some("invalid_address")),
        (row(2, "transfer", TO, TWO_TO_256_LESS_1), Some("amount_too_large")),
        (row(3, "transfer", TO, "-5"), Some("invalid_number")),
        (row(4, "transfer", TO, "1.5"), Some("invalid_number")),
        (row(5, "approve", TO, "5"), Some("unknown_event")),
        (row(6, "transfer", TO, ""), Some("missing_field")),
        (format!("tron,1,7,1701046164000,{TX},transfer"), Some("missing_field")),
        (row(8, "transfer", TO, "7").replace("tron", "tron2"), Some("unknown_chain")),
        (row(9, "transfer", TO, "7").replace(TX, "0f27"), Some("invalid_hash")),
        (row(10, "transfer", TO, "18446744073709551615"), None),
        (row(0, "transfer", TO, "6"), Some("conflict")),
    ];
    let mut bytes = format!("{PLAIN_CSV_HEADER}\n").into_bytes();
    let mut expected = Vec::new();
    for (line, (text, reason)) in (2..).zip(&rows) {
        bytes.extend(text.bytes().chain([b'\n']));
        expected.extend(reason.map(|reason| (line, reason)));
    }
    bytes.extend(row(11, "transfer", "T\u{1}", "5").bytes().map(|b| if b == 1 { 0xff } else { b }));
    bytes.push(b'\n');
    expected.push((14, "invalid_utf8"));
    bytes.extend(row(12, "transfer", TO, "9").bytes());
    (bytes, expected)
}

#[test]
fn a_bad_row_is_told_with_line_reason_and_text_and_the_rest_is_read() {
    let folder = Folder::new(&Known::default());
    let (bytes, mut expected) = bad_csv();
    folder.write("events.csv", bytes);
    let files = folder.replay(&["events.csv"], &[]);
    let refused = parsed(&files["refused.jsonl"]);
    // The full receiver has no room for the last row; the ledger says so.
    let last = refused.last().expect("told");
    assert_eq!((&last["reason"], &last["block"]), (&"balance_overflow".into(), &1.into()));
    let lines = &refused[..refused.len() - 1];
    expected.sort_unstable();
    assert_eq!(refusals(lines), expected);
    assert!(lines.iter().all(|record| record["file"] == "events.csv"));
    assert_eq!(lines[0]["text"], row(1, "transfer", MISTYPED, "5"));
    let message = lines[0]["message"].as_str().expect("a message");
    assert!(message.contains("checksum") && message.contains(MISTYPED), "{message}");
    let bytes = lines.last().and_then(|record| record["text_hex"].as_str()).expect("hex");
    assert!(bytes.contains("54ff"), "the bytes as they were: {bytes}");
    let summary = folder.summary();
    assert_eq!(summary["events_total"], 3);
    assert_eq!(summary["refused_total"], refused.len());
}

#[test]
fn a_bad_message_is_told_and_the_rest_is_read() {
    let folder = Folder::new(&Known::default());
    let good = format!(
        r#"{{"chain":"tron","block":1,"log_index":0,"tx":"{TX}","event":"transfer","from":"{FROM}","to":"{TO}","amount":5}}"#
    );
    let mut bytes = Vec::new();
    let lines: [&[u8]; 9] = [
        good.as_bytes(),
        b"",
        &good.as_bytes()[..100],
        br#"{"triggerName":"shieldedTRC20Trigger","blockNumber":1}"#,
        br#"{"type":"receipt","block_number":1}"#,
        br#"{"hello":"world"}"#,
        b"{\"chain\":\"tr\xffon\"}",
        b"[1,2",
        b"hello",
    ];
    for line in lines {
        bytes.extend(line);
        bytes.push(b'\n');
    }
    bytes.extend(good.replace("\"log_index\":0", "\"log_index\":1").bytes());
    folder.write("events.jsonl", bytes);
    let files = folder.replay(&["events.jsonl"], &[]);
    let refused = parsed(&files["refused.jsonl"]);
    assert_eq!(
        refusals(&refused),
        [
            (3, "invalid_json"),
            (4, "unknown_trigger"),
            (5, "unknown_type"),
            (6, "unknown_format"),
            (7, "invalid_utf8"),
            (8, "invalid_json"),
            (9, "invalid_json"),
        ]
    );
    assert_eq!(refused[1]["text"], r#"{"triggerName":"shieldedTRC20Trigger","blockNumber":1}"#);
    assert_eq!(folder.summary()["events"]["transfer"], 2);
}

#[test]
fn strict_stops_at_the_first_bad_line_and_names_it() {
    let folder = Folder::empty();
    let (bytes, _) = bad_csv();
    folder.write("events.csv", bytes);
    assert_failure(&folder, &["events.csv", "--strict"], &["events.csv line 3", "checksum"]);
    let good = format!("{PLAIN_CSV_HEADER}\n{}\n", row(0, "transfer", TO, "5"));
    folder.write("good.csv", good);
    assert_eq!(folder.run(&["good.csv", "--strict"], b"").status.code(), Some(0));
}

#[test]
fn strict_stops_at_an_event_that_the_ledger_refuses() {
    let folder = Folder::empty();
    let rows = [row(0, "transfer", TO, &u64::MAX.to_string()), row(1, "transfer", TO, "1")];
    folder.write("events.csv", format!("{PLAIN_CSV_HEADER}\n{}\n", rows.join("\n")));
    assert_eq!(folder.run(&["events.csv"], b"").status.code(), Some(0));
    assert_failure(&folder, &["events.csv", "--strict"], &["tron block 1", "balance_overflow"]);
}

#[test]
fn a_file_of_no_known_format_is_an_error_that_says_what_is_missing() {
    let folder = Folder::empty();
    folder.write("other.csv", "date,payer,payee\n2026-01-01,a,b\n");
    let columns = ["other.csv is of no known format", "chain,block,log_index"];
    assert_failure(&folder, &["other.csv"], &columns);
    folder.write("short.csv", "chain,block,log_index,timestamp,tx,event,from,to\n");
    assert_failure(&folder, &["short.csv"], &["short.csv is of no known format", "amount"]);
    let told = ["other.csv does not begin with a compact record", "leave --format out"];
    assert_failure(&folder, &["other.csv", "--format", "compact"], &told);
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_that_names_it() {
    let folder = Folder::empty();
    std::fs::create_dir(folder.path().join("events.d")).expect("a folder");
    assert_failure(&folder, &["absent.csv"], &["cannot read absent.csv"]);
    assert_failure(&folder, &["events.d"], &["cannot read events.d"]);
    folder.write("broken.csv.gz", "not gzip");
    assert_failure(&folder, &["broken.csv.gz"], &["cannot read broken.csv.gz"]);
}

#[test]
fn an_empty_file_is_a_run_without_events() {
    let folder = Folder::new(&Known::default());
    folder.write("empty.jsonl", "");
    folder.write("header.csv", format!("{PLAIN_CSV_HEADER}\n"));
    for name in ["empty.jsonl", "header.csv"] {
        let files = folder.replay(&[name], &[]);
        assert_eq!(files["refused.jsonl"], "");
        assert_eq!(files["taint.csv"], "case,chain,address,balance,tainted,hops,frozen\n");
        assert_eq!(folder.summary()["events_total"], 0);
    }
    let files = folder.replay_from(&["-"], &[], b"");
    assert_eq!(files["alerts.jsonl"], "");
}

fn assert_failure(folder: &Folder, arguments: &[&str], told: &[&str]) {
    let output = folder.run(arguments, b"");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
    for part in told {
        assert!(stderr.contains(part), "{arguments:?}: {stderr}");
    }
    assert!(output.stdout.is_empty(), "{arguments:?}");
}
