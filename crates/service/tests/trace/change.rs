//! Cases opened and closed in a file, and bookings beside the ledger.

use serde_json::Value;

use crate::common::{FLAGGED, Folder, slice};

const PAST: [&str; 6] = ["--cases", "new.json", "--labels", "labels.csv", "--events", "events.csv"];

fn error(folder: &Folder, asked: &[&str]) -> String {
    let output = folder.run(asked);
    assert_ne!(output.status.code(), Some(0), "{asked:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_case_is_opened_replaced_and_closed_in_a_file() {
    let folder = Folder::new(&slice());
    let source = format!("tron:{}@7", FLAGGED[0]);
    let open = ["case", "open", "theft", "--source", &source, "--cases", "new.json"];
    let told = folder.ask(&open);
    assert!(told.starts_with("opened case theft in new.json:\n"), "{told}");
    let record: Value =
        serde_json::from_str(told.lines().nth(1).expect("the record")).expect("JSON");
    assert_eq!(record["sources"][0]["since_block"], 7);
    assert!(error(&folder, &open).contains("--replace writes another definition"), "again");
    let replaced = folder.ask(&[&open[..], &["--replace", "--title", "A theft"]].concat());
    assert!(replaced.starts_with("replaced case theft"), "{replaced}");
    folder.ask(&["case", "open", "b", "--source", &source, "--cases", "new.json"]);
    assert!(folder.read("new.json").contains("A theft"));
    folder.ask(&["case", "close", "theft", "--cases", "new.json"]);
    assert!(!folder.read("new.json").contains("A theft"));
    let twice = error(&folder, &["case", "close", "theft", "--cases", "new.json"]);
    assert!(twice.contains("case theft is not open in new.json; open: b"), "{twice}");
    for wrong in ["tron", "tron:T123", "tron:TUVYkDqoVnsCvmxcoTG3MYYC1GQpumFLpb@x", "moon:0x1:2"] {
        let wrong = ["case", "open", "c", "--source", wrong, "--cases", "new.json"];
        assert!(!error(&folder, &wrong).is_empty());
    }
    assert!(!folder.read("new.json").contains("\"c\""));
}

#[test]
fn bookings_stand_beside_the_ledger_of_their_case() {
    let folder = Folder::new(&slice());
    let source = format!("tron:{}", FLAGGED[0]);
    folder.ask(&["case", "open", "theft", "--source", &source, "--cases", "new.json"]);
    let document = ["--date", "2026-03-01", "--reference", "12 Js 345/26"];
    let book = [&["case", "book", "theft", "--seized", "1000.50"][..], &document].concat();
    let told = folder.ask(&book);
    assert_eq!(told, "booked in bookings.csv: seized 1,000.500000 USDT for case theft\n");
    folder.ask(&[&["case", "book", "theft", "--recovered", "250"][..], &document].concat());
    folder.ask(&[&["case", "book", "other", "--seized", "7"][..], &document].concat());
    assert!(error(&folder, &book).contains("holds that booking already"));
    let wrong = [&["case", "book", "theft", "--seized", "1.0000001"][..], &document].concat();
    assert!(error(&folder, &wrong).contains("is no amount of USDT"));

    let with = ["--bookings", "bookings.csv"];
    let json = ["--output", "json"];
    let show = [&["case", "show", "theft"][..], &PAST].concat();
    let shown = folder.ask(&[&show[..], &with].concat());
    assert!(shown.contains("Booked by hand for case theft"), "{shown}");
    assert!(shown.contains("1,000.500000 USDT  12 Js 345/26"), "{shown}");
    let plain: Value =
        serde_json::from_str(&folder.ask(&[&show[..], &json].concat())).expect("JSON");
    let booked = folder.ask(&[&show[..], &with, &json].concat());
    let booked: Value = serde_json::from_str(&booked).expect("JSON");
    assert_eq!(booked["booked"]["seized"], "1000500000");
    assert_eq!(booked["booked"]["recovered"], "250000000");
    assert_eq!(booked["ledger"], plain["ledger"], "the ledger does not rest on it");
    let list = folder.ask(&[&["case", "list"][..], &PAST, &with].concat());
    assert!(list.contains("Booked by hand for case theft") && !list.contains("other"), "{list}");
    let report = folder.ask(&[&["case", "report", "theft"][..], &PAST, &with].concat());
    assert!(report.contains("What was booked by hand"), "{report}");
    assert!(!folder.ask(&[&["case", "report", "theft"][..], &PAST].concat()).contains("by hand"));
}
