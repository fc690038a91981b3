//! What `case` answers, against the tables of `replay` and the oracle.

use std::collections::BTreeMap;

use flow_core::{Case, Policy};
use flow_sim::oracle::{Oracle, Totals};
use serde_json::Value;

use crate::common::{Folder, Known, invented, slice};

const PAST: [&str; 6] = ["--cases", "cases.json", "--labels", "labels.csv", "--history", "history"];

fn told(folder: &Folder, asked: &[&str]) -> Value {
    let json = folder.ask(&[asked, &PAST, &["--output", "json"]].concat());
    serde_json::from_str(&json).expect("JSON")
}

fn units(value: &Value) -> u128 {
    value.as_str().expect("digits").parse().expect("base units")
}

/// The books of each case as `replay` wrote them.
fn replayed(folder: &Folder) -> BTreeMap<String, BTreeMap<String, String>> {
    let table = folder.read("out/cases.csv");
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let rows = reader.deserialize::<BTreeMap<String, String>>();
    rows.map(|row| row.expect("a row")).map(|row| (row["case"].clone(), row)).collect()
}

/// The books of cases day by day as `replay` wrote them.
fn history(folder: &Folder) -> Vec<BTreeMap<String, String>> {
    let table = folder.read("out/ledger_history.csv");
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    reader.deserialize().map(|row| row.expect("a row")).collect()
}

/// The books of the case as the oracle keeps them.
fn oracle_books(known: &Known, case: &Case) -> Totals {
    let mut oracle = Oracle::new(Policy::Haircut, case, &known.labels, &known.opening);
    for block in &known.blocks {
        for event in &block.events {
            oracle.apply(block, event);
        }
    }
    oracle.answer().totals
}

fn agrees(known: &Known) -> u128 {
    let folder = Folder::new(known);
    folder.replay("haircut");
    let replayed = replayed(&folder);
    let list = told(&folder, &["case", "list"]);
    let listed = list["cases"].as_array().expect("cases");
    assert_eq!(listed.len(), known.cases.len());
    let mut at_services = 0;
    for (case, told_case) in known.cases.iter().zip(listed) {
        assert_eq!(told_case["case"], case.id);
        let shown = told(&folder, &["case", "show", &case.id]);
        let books = &shown["ledger"];
        assert_eq!(*books, told_case["ledger"], "{}", case.id);
        for column in ["emitted", "held", "frozen", "redeemed", "destroyed", "dust", "horizon"] {
            assert_eq!(books[column], replayed[&case.id][column], "{} {column}", case.id);
        }
        let expected = oracle_books(known, case).service;
        let services = books["services"].as_object().expect("services");
        let services = services.iter().map(|(entity, sum)| (entity.clone(), units(sum))).collect();
        assert_eq!(expected, services, "{}", case.id);
        let mut by_day = BTreeMap::<String, u128>::new();
        for arrival in shown["arrivals"].as_array().expect("arrivals") {
            let entity = arrival["entity"].as_str().expect("a name").to_owned();
            *by_day.entry(entity).or_default() += units(&arrival["units"]);
        }
        assert_eq!(by_day, expected, "{}", case.id);
        let wallets = shown["wallets"].as_array().expect("wallets");
        let in_wallets: u128 = wallets.iter().map(|wallet| units(&wallet["tainted"])).sum();
        assert_eq!(in_wallets, units(&books["held"]) + units(&books["frozen"]), "{}", case.id);
        let days = shown["days"].as_array().expect("days");
        assert_eq!(days.last().expect("a day")["ledger"], *books, "{}", case.id);
        let row = &replayed[&case.id];
        let is_last = |history: &BTreeMap<String, String>| {
            row.iter().all(|(column, value)| history[column] == *value)
        };
        assert!(history(&folder).iter().any(is_last), "{}: {row:?}", case.id);
        at_services += expected.values().sum::<u128>();
    }
    at_services
}

#[test]
fn ledgers_agree_with_replay_and_the_oracle() {
    assert!(agrees(&slice()) > 0, "no unit reached a service");
    assert!(agrees(&invented()) > 0, "no unit reached a service");
}

#[test]
fn tables_name_the_case_and_an_unknown_case_is_told() {
    let known = slice();
    let folder = Folder::new(&known);
    folder.replay("haircut");
    let case = known.cases[0].id.as_str();
    let shown = folder.ask(&[&["case", "show", case, "--limit", "1"][..], &PAST].concat());
    assert!(shown.starts_with(&format!("Case {case}: A title\n")), "{shown}");
    assert!(shown.contains("it covers tron blocks"), "{shown}");
    let list = folder.ask(&[&["case", "list"][..], &PAST].concat());
    assert_eq!(list.lines().count(), 1 + known.cases.len(), "{list}");
    let output = folder.run(&[&["case", "show", "nowhere"][..], &PAST].concat());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_ne!(output.status.code(), Some(0));
    assert!(error.contains("cannot follow case nowhere") && error.contains(case), "{error}");
}
