//! Requests to freeze: who is asked for what, that every figure is checked by
//! `verify`, and that a signature holds for what was signed alone.

use flow_codec::address;
use flow_core::{Action, Policy};
use serde_json::Value;

use crate::common::{Folder, invented, invented_blocks, slice};
use crate::verify::tampered;

const PAST: [&str; 4] = ["--labels", "labels.csv", "--history", "history"];
const ASKER: [&str; 6] = [
    "--reference",
    "AB-1/2026",
    "--agency",
    "Police of Ash",
    "--contact",
    "J. Doe <doe@ash.example>",
];

/// The secret key of RFC 8032, section 7.1, test 1, and its public key.
const KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
    -----END PRIVATE KEY-----\n";
const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
    -----END PUBLIC KEY-----\n";
/// That of its test 2.
const OTHER_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\n\
    -----END PUBLIC KEY-----\n";

fn asked<'a>(case: &'a str, account: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let command = ["case", "packet", case, account, "--cases", "cases.json", "--output", "packet"];
    [&command[..], &PAST, &ASKER, more].concat()
}

fn packet(folder: &Folder, case: &str, account: &str, more: &[&str]) -> Value {
    folder.ask(&asked(case, account, more));
    serde_json::from_str(&folder.read("packet/request.json")).expect("JSON")
}

/// Exit status, and what was printed.
fn told(folder: &Folder, arguments: &[&str]) -> (Option<i32>, String) {
    let output = folder.run(arguments);
    let text = String::from_utf8(output.stdout).expect("output is UTF-8");
    (output.status.code(), text + &String::from_utf8_lossy(&output.stderr))
}

fn verified(folder: &Folder, file: &str, more: &[&str]) -> (Option<i32>, String) {
    told(folder, &[&["verify", file][..], &PAST, more].concat())
}

/// The accounts of a case: those that hold most, and those of services.
fn accounts(folder: &Folder, case: &str, policy: &str) -> Vec<String> {
    let asked = ["case", "report", case, "--cases", "cases.json", "--policy", policy];
    let report = folder.ask(&[&asked[..], &PAST, &["--trails", "3"]].concat());
    let lines = report.lines().filter(|line| line.starts_with("### To `"));
    lines.map(|line| line.split('`').nth(1).expect("an address").to_owned()).collect()
}

#[test]
fn every_request_verifies_under_every_policy() {
    let mut of_services = 0;
    for known in [slice(), invented()] {
        let folder = Folder::new(&known);
        folder.replay("haircut");
        for (case, policy) in known.cases.iter().zip(Policy::ALL.map(Policy::name).iter().cycle()) {
            for account in accounts(&folder, &case.id, policy) {
                let request = packet(&folder, &case.id, &account, &["--policy", policy]);
                let (code, text) = verified(&folder, "packet/request.json", &[]);
                assert_eq!(code, Some(0), "{policy} {account}: {text}");
                assert!(text.ends_with("1 requests ok, 0 differ, 0 refused\n"), "{text}");
                of_services += usize::from(request["balance"].is_null());
                let letter = folder.read("packet/request.md");
                for said in ["AB-1/2026", "Police of Ash", &account] {
                    assert!(letter.contains(said), "{letter}");
                }
                let contract = request["contract"].as_str().expect("text");
                assert!(letter.contains(contract), "{letter}");
            }
        }
    }
    assert!(of_services > 0, "no service was asked");
}

#[test]
fn who_is_asked_follows_from_the_label() {
    let known = slice();
    let folder = Folder::new(&known);
    folder.replay("haircut");
    let service = address::format(known.labels[0].account.chain, known.labels[0].account.address);
    let case = known.cases[1].id.as_str();
    let request = packet(&folder, case, &service, &[]);
    assert_eq!(request["act_by"]["kind"], "service");
    assert!(request["balance"].is_null() && request["share_ppm"].is_null());
    let (code, text) = told(&folder, &asked(case, &service, &["--to", "issuer"]));
    assert!(
        code == Some(1) && text.contains("the issuer freezes no account of a service"),
        "{text}"
    );

    let wallet = accounts(&folder, case, "haircut").swap_remove(0);
    let request = packet(&folder, case, &wallet, &["--to", "issuer"]);
    assert_eq!(request["act_by"]["kind"], "issuer");
    let (code, text) = told(&folder, &asked(case, &wallet, &["--to", "service"]));
    assert!(code == Some(1) && text.contains("no label gives the account to a service"), "{text}");

    // Nothing is asked where nothing tainted is, or where something is missing.
    let show = ["case", "show", case, "--cases", "cases.json", "--output", "json"];
    let holders = folder.ask(&[&show[..], &PAST].concat());
    let clean = known.blocks.iter().flat_map(|block| &block.events).find_map(|event| {
        let Action::Transfer { to, .. } = event.action else { return None };
        let name = address::format(flow_core::Chain::Tron, to);
        (!holders.contains(&name) && name != service).then_some(name)
    });
    let (code, text) = told(&folder, &asked(case, &clean.expect("a transfer"), &[]));
    assert!(code == Some(1) && text.contains("no tainted unit of the case is there"), "{text}");
    let nobody = "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb";
    assert_eq!(told(&folder, &asked(case, nobody, &[])).0, Some(1));
    let bare = ["case", "packet", case, &wallet, "--cases", "cases.json"];
    let (code, text) = told(&folder, &[&bare[..], &PAST, &ASKER[2..]].concat());
    assert!(code == Some(2) && text.contains("--reference <TEXT>"), "{text}");
    let (code, text) =
        told(&folder, &[&bare[..], &PAST, &ASKER[2..], &["--reference", " "]].concat());
    assert!(code == Some(2) && text.contains("it is empty"), "{text}");
}

/// A folder with a request about a wallet that lies two hops or more from the
/// crime.
fn requested(more: &[&str]) -> (Folder, Value) {
    // Little traffic: each record that is checked plays it.
    let known = invented_blocks(250);
    let folder = Folder::new(&known);
    folder.replay("haircut");
    folder.write("key.pem", KEY);
    folder.write("public.pem", PUBLIC_KEY);
    folder.write("other.pem", OTHER_KEY);
    for case in &known.cases {
        for account in accounts(&folder, &case.id, "haircut") {
            let request = packet(&folder, &case.id, &account, more);
            let steps = request["trails"][0]["steps"].as_array().map_or(0, Vec::len);
            if steps > 1 && !request["balance"].is_null() {
                return (folder, request);
            }
        }
    }
    panic!("no wallet lies that far");
}

#[test]
fn any_tampered_evidence_is_noticed() {
    let (folder, request) = requested(&["-k", "1"]);
    let free = ["reference", "agency", "contact", "date", "note", "software", "command", "inputs"];
    let is_free = |field: &str| free.iter().any(|name| field.starts_with(name));
    let mut changed: Vec<(String, Value)> = tampered(&request);
    // Of another type it is no request, and read as an alert.
    let free_too = ["trails_given_up.", "type."];
    changed.retain(|(field, _)| !is_free(field) && !free_too.contains(&field.as_str()));
    let mut change = |what: &str, change: &dyn Fn(&mut Value)| {
        let mut request = request.clone();
        change(&mut request);
        changed.push((what.to_owned(), request));
    };
    change("no trail", &|request| request["trails"] = Value::Array(vec![]));
    change("no first step", &|request| {
        request["trails"][0]["steps"].as_array_mut().expect("a list").remove(0);
    });
    change("no last step", &|request| {
        request["trails"][0]["steps"].as_array_mut().expect("a list").pop();
    });
    change("steps swapped", &|request| {
        request["trails"][0]["steps"].as_array_mut().expect("a list").swap(0, 1);
    });
    change("a field more", &|request| request["more"] = 1.into());
    let lines: Vec<String> = changed.iter().map(|(_, request)| request.to_string()).collect();
    folder.write("tampered.jsonl", lines.join("\n"));
    let (code, text) = verified(&folder, "tampered.jsonl", &["--cases", "cases.json", "--json"]);
    assert_eq!(code, Some(1), "{text}");
    let verdicts: Vec<Value> = text
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(verdicts.len(), changed.len());
    for ((field, request), verdict) in changed.iter().zip(verdicts) {
        let result = verdict["result"].as_str().expect("text");
        assert!(["differs", "refused"].contains(&result), "{field} of {request}");
    }
}

#[test]
fn a_signature_holds_for_what_was_signed() {
    let (folder, _) = requested(&["--key", "key.pem"]);
    let signed = "packet/request.dsse.json";
    let with = |file: &str, key: &str| verified(&folder, file, &["--public-key", key]);
    let (code, text) = with(signed, "public.pem");
    assert!(code == Some(0) && text.contains("1 requests ok"), "{text}");
    let (code, text) = verified(&folder, signed, &[]);
    assert!(code == Some(0) && text.contains("the signature is not checked"), "{text}");

    let envelope: Value = serde_json::from_str(&folder.read(signed)).expect("JSON");
    let refused = |what: &str, envelope: &Value, key: &str, why: &str| {
        folder.write("altered.json", envelope.to_string());
        let (code, text) = with("altered.json", key);
        assert!(code == Some(1) && text.contains(why), "{what}: {text}");
        assert!(text.contains("0 requests ok, 0 differ, 1 refused"), "{what}: {text}");
    };
    refused("another key", &envelope, "other.pem", "another key signed it");
    let mut altered = envelope.clone();
    let payload = envelope["payload"].as_str().expect("text");
    altered["payload"] = payload.replacen('A', "B", 1).into();
    refused("payload", &altered, "public.pem", "it was altered since");
    let mut altered = envelope.clone();
    altered["payloadType"] = "application/json".into();
    refused("type", &altered, "public.pem", "its payload type is \"application/json\"");
    let mut altered = envelope.clone();
    altered["signatures"] = Value::Array(vec![]);
    refused("no signature", &altered, "public.pem", "it holds no signature");
    let bare: Value = serde_json::from_str(&folder.read("packet/request.json")).expect("JSON");
    refused("not signed", &bare, "public.pem", "it is not signed");

    // Signed by the right key, and wrong nevertheless: the evidence decides.
    let events = folder.read("events.csv");
    let step = bare["trails"][0]["steps"][0]["tx"].as_str().expect("text");
    let without: Vec<&str> = events.lines().filter(|line| !line.contains(step)).collect();
    folder.write("other.csv", without.join("\n"));
    let other = ["--labels", "labels.csv", "--opening", "opening.csv", "--events", "other.csv"];
    let asked_of = ["verify", signed, "--public-key", "public.pem"];
    let (code, text) = told(&folder, &[&asked_of[..], &other].concat());
    assert!(code == Some(1) && text.contains("the history has no such transfer"), "{text}");

    // What is no key is told before anything is written.
    folder.write("no.pem", "no key");
    let (code, text) = verified(&folder, signed, &["--public-key", "no.pem"]);
    assert!(code == Some(2) && text.contains("openssl pkey -in key.pem -pubout"), "{text}");
    let account = bare["address"].as_str().expect("text");
    let case = bare["case"]["id"].as_str().expect("text");
    let (code, text) = told(&folder, &asked(case, account, &["--key", "no.pem"]));
    assert!(code == Some(1) && text.contains("openssl genpkey -algorithm ed25519"), "{text}");
    let mut command = folder.command();
    command.args(asked(case, account, &[])).env("USDT_FLOW_CASEWORK_KEY_FILE", "key.pem");
    let told = String::from_utf8_lossy(&command.output().expect("starts").stderr).into_owned();
    assert!(told.contains("signed with the key "), "{told}");
}
