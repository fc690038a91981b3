//! What `trace` answers, against the oracle and against what the manual says.

use std::collections::BTreeMap;

use flow_codec::address;
use flow_core::{Case, Chain, Policy, Source};
use flow_sim::oracle::Oracle;
use serde_json::Value;

use crate::common::{FLAGGED, Folder, Known, SLICE, slice, tron};

const WALLET: &str = FLAGGED[0];
const REACHED: &str = "TKGDEJ75LcuqsLvsX6aLYKLpTV4dZYQ4wF";

fn rows(csv: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    reader.deserialize().map(|row| row.expect("a row of text")).collect()
}

/// Transaction, amount, balance before, tainted before and tainted moved of
/// every transfer that carried units of the case.
fn expected(known: &Known, case: &Case, policy: Policy) -> Vec<[String; 5]> {
    let mut oracle = Oracle::new(policy, case, &known.labels, &known.opening);
    let mut expected = Vec::new();
    for block in &known.blocks {
        for event in &block.events {
            let flow_core::Action::Transfer { amount, .. } = event.action else { continue };
            let Some(step) = oracle.apply(block, event).filter(|step| step.moved > 0) else {
                continue;
            };
            let tx = address::format_tx(Chain::Tron, event.tx);
            let units = [amount, step.from_before, step.from_tainted, step.moved];
            let [amount, before, tainted, moved] = units.map(|units| units.to_string());
            expected.push([tx, amount, before, tainted, moved]);
        }
    }
    expected
}

#[test]
fn forward_tells_every_hop_as_the_oracle_sees_it() {
    let known = slice();
    let folder = Folder::new(&known);
    folder.replay("haircut");
    for (case, policy) in known.cases.iter().flat_map(|case| Policy::ALL.map(|p| (case, p))) {
        let name = policy.name();
        let wallet = case.id.strip_prefix("case-").expect("named after its wallet");
        let asked = ["trace", "forward", "--from", wallet, "--policy", name, "--output", "csv"];
        let labels = ["--labels", "labels.csv", "--history", "history"];
        let csv = folder.ask(&[&asked[..], &labels].concat());
        let columns = ["tx", "amount", "balance_before", "tainted_before", "moved"];
        let told: Vec<[String; 5]> =
            rows(&csv).iter().map(|row| columns.map(|column| row[column].clone())).collect();
        assert_eq!(told, expected(&known, case, policy), "{} {name}", case.id);
        let case_file = [
            "trace",
            "forward",
            "--case",
            &case.id,
            "--cases",
            "cases.json",
            "--policy",
            name,
            "--output",
            "csv",
        ];
        assert_eq!(folder.ask(&[&case_file[..], &labels].concat()), csv);
        let files = ["events.csv", "--labels", "labels.csv", "--no-progress"];
        assert_eq!(folder.ask(&[&asked[..], &files].concat()), csv, "from event files");
    }
}

#[test]
fn one_transfer_can_be_followed() {
    let known = slice();
    let folder = Folder::new(&known);
    let tx = "3c04a25bd3a1c283f2dfcdfdfbf3896ce9d5d9f5fa6a4a0c648bd5fd72f6d695";
    let transfer = format!("tron:{tx}:14");
    let asked = ["trace", "forward", SLICE, "--output", "json", "--transfer", &transfer];
    let told: Value = serde_json::from_str(&folder.ask(&asked)).expect("JSON");
    let source = Source::Transfer {
        chain: Chain::Tron,
        tx: address::parse_tx(tx).expect("a hash"),
        log_index: 14,
    };
    let known = Known { labels: Vec::new(), ..known };
    let case = Case { sources: vec![source], ..known.cases[0].clone() };
    let hops = told["hops"].as_array().expect("hops");
    assert_eq!(hops.len(), expected(&known, &case, Policy::Haircut).len());
    assert_eq!((&hops[0]["marked"], &hops[0]["hops"]), (&true.into(), &1.into()));
    assert_eq!(told["totals"]["emitted"], "80000000000");
    let only = folder.ask(&[&asked[..], &["--to", REACHED]].concat());
    let only: Value = serde_json::from_str(&only).expect("JSON");
    let some = only["hops"].as_array().expect("hops");
    assert!(some.len() < hops.len() && some.len() > 3);
    assert_eq!(some.last().expect("hops")["to"], REACHED);
}

#[test]
fn shares_add_up_whichever_way_the_past_is_opened() {
    let known = slice();
    let folder = Folder::new(&known);
    folder.replay("haircut");
    for policy in Policy::ALL.map(Policy::name) {
        let asked = ["trace", "backward", REACHED, "--source", WALLET, "--policy", policy];
        let asked = [&asked[..], &["--labels", "labels.csv", "--output", "json"]].concat();
        let text = folder.ask(&[&asked[..], &["--history", "history"]].concat());
        assert_eq!(folder.ask(&[&asked[..], &["--events", "events.csv"]].concat()), text);
        let told: Value = serde_json::from_str(&text).expect("JSON");
        let units = |value: &Value| -> i128 {
            value.as_str().expect("a decimal string").parse().expect("a whole number")
        };
        let origins = told["origins"].as_array().expect("origins");
        let sum: i128 = origins.iter().map(|origin| units(&origin["units"])).sum();
        assert_eq!(sum + units(&told["remainder"]), units(&told["balance"]), "{policy}");
        if matches!(policy, "fifo" | "lifo") {
            assert_eq!(units(&told["remainder"]), 0, "{policy}");
        }
        // The share of the named source is what a case of it ends with.
        let case = &known.cases[0];
        let policy = Policy::from_name(policy).expect("a policy");
        let mut oracle = Oracle::new(policy, case, &known.labels, &[]);
        for (block, event) in known.blocks.iter().flat_map(|b| b.events.iter().map(move |e| (b, e)))
        {
            oracle.apply(block, event);
        }
        let share = origins.iter().find(|origin| origin["kind"] == "source");
        let share = share.map_or(0, |origin| units(&origin["units"]));
        assert_eq!(share, i128::from(oracle.holding(tron(REACHED)).tainted));
    }
}

#[test]
fn the_manual_shows_what_is_printed() {
    let folder = Folder::new(&slice());
    let manual = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/trace.md");
    let manual = std::fs::read_to_string(manual).expect("the manual");
    let path = ["trace", "path", SLICE, "--from", WALLET, "--to", REACHED, "-k", "1"];
    let backward = ["trace", "backward", REACHED, SLICE, "--source", WALLET, "--policy", "fifo"];
    for asked in [&path[..], &backward] {
        let printed = folder.ask(asked);
        assert!(manual.contains(printed.trim_end()), "docs/trace.md lacks:\n{printed}");
    }
}

#[test]
fn what_cannot_be_answered_is_explained() {
    let folder = Folder::new(&slice());
    let fails = |arguments: &[&str], code: i32, words: &[&str]| {
        let output = folder.run(&[&["trace"], arguments].concat());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        assert!(words.iter().all(|word| told.contains(word)), "{arguments:?}: {told}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    };
    let nobody = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t";
    let covers = ["never seen in this history", "tron blocks 56804500 to 56805500"];
    fails(&["backward", nobody, SLICE], 1, &covers);
    fails(&["forward", SLICE, "--from", nobody], 1, &covers);
    let hex = format!("0x{}", hex::encode(tron(WALLET).address.0));
    fails(&["backward", &hex, SLICE], 1, &["it was seen as tron:"]);
    fails(&["backward", &hex[2..], SLICE], 1, &["does not tell the chain"]);
    fails(&["backward", "TBDs", SLICE], 1, &["cannot understand the address"]);
    fails(&["backward", WALLET], 1, &["there is no past to ask", "--history"]);
    fails(&["backward", WALLET, "--history", "nowhere"], 1, &["nowhere"]);
    fails(&["forward", SLICE], 2, &["--from"]);
    fails(&["forward", SLICE, "--from", WALLET, "--policy", "fair"], 2, &["haircut, fifo"]);
    fails(&["forward", SLICE, "--transfer", "tron:12:0"], 1, &["cannot understand the transfer"]);
    let none = format!("tron:{}:0", "ab".repeat(32));
    fails(&["forward", SLICE, "--transfer", &none], 1, &["no such transfer"]);
    let unknown = ["forward", SLICE, "--case", "x", "--cases", "cases.json"];
    fails(&unknown, 1, &["no case of that id", "case-TBDs"]);
    let same = ["path", SLICE, "--from", WALLET, "--to", WALLET];
    fails(&same, 1, &["same wallet"]);
    let back = folder.run(&["trace", "path", SLICE, "--from", REACHED, "--to", WALLET]);
    assert_eq!(back.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&back.stderr).contains("no tainted unit of"));
}

#[test]
fn help_teaches_with_examples() {
    let folder = Folder::new(&slice());
    for command in ["trace forward", "trace backward", "trace path", "verify"] {
        let arguments: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = folder.ask(&arguments);
        assert!(help.contains("Usage: usdt-flow") && help.contains("Examples:"), "{help}");
        assert!(help.contains("--history"), "{help}");
    }
}
