//! The output records, byte for byte: one alert of each rule and one
//! recommendation of each status, their headers, and the published schemas.

use std::path::PathBuf;

use flow_codec::wire::{
    AlertRecord, FreezeRecord, Message, ParsedAlert, ReadError, Units, alert_message,
    freeze_message, retraction, schemas, withdrawal,
};
use flow_core::{
    AccountKey, Actor, Address, Alert, AlertId, AlertStatus, Attribution, BlockHash, Calibration,
    Chain, Chance, Claim, Escape, Escapes, FreezeRecommendation, FreezeStatus, NextAddress,
    PathStep, Policy, Progress, RiskLevel, Rule, Submission, SubmittedCall, TransferRef, TxHash,
    WalletKind,
};
use serde_json::Value;

const BLOCK_MS: u64 = 1_701_046_164_000;

fn step(hop: u8, tainted: u64) -> PathStep {
    PathStep {
        transfer: TransferRef { tx: TxHash([hop; 32]), position: u32::from(hop) - 1 },
        block: 56_804_400 + u64::from(hop),
        timestamp_ms: BLOCK_MS - 60_000 + u64::from(hop),
        from: Address([hop; 20]),
        to: Address([hop + 1; 20]),
        amount: 3 * tainted,
        tainted,
    }
}

/// Haircut and poison differ over what the transfer moved.
fn attributions() -> Vec<Attribution> {
    let attribution = |policy, tainted, held| Attribution { policy, tainted, held };
    vec![
        attribution(Policy::Haircut, 10_000_000, 12_000_000),
        attribution(Policy::Poison, 30_000_000, 9_007_199_254_740_993),
    ]
}

fn alert(rule: Rule, chain: Chain) -> Alert {
    let moves_source = rule == Rule::SourceMoved;
    let hops = if moves_source { 0 } else { 2 };
    Alert {
        id: AlertId([0xa5; 16]),
        revision: 1,
        status: if moves_source { AlertStatus::Final } else { AlertStatus::Provisional },
        rule,
        risk: if moves_source { RiskLevel::Severe } else { RiskLevel::Medium },
        case: "case-1".to_owned(),
        case_title: (!moves_source).then(|| "Fake airdrop".to_owned()),
        category: (!moves_source).then(|| "phishing".to_owned()),
        policy: Policy::Haircut,
        attributions: if moves_source { Vec::new() } else { attributions() },
        subject: AccountKey { chain, address: Address([3; 20]) },
        counterparty: Address([2; 20]),
        trigger: TransferRef { tx: TxHash([2; 32]), position: 1 },
        block: 56_804_402,
        block_hash: Some(BlockHash([0xb1; 32])),
        timestamp_ms: BLOCK_MS,
        amount: 30_000_000,
        tainted: 10_000_000,
        // Beyond what a JSON number can hold.
        balance: 9_007_199_254_740_993,
        held: 12_000_000,
        hops,
        service: (rule == Rule::CashOut)
            .then(|| ("Alder Exchange".to_owned(), "exchange".to_owned())),
        threshold: (rule == Rule::Threshold).then_some(10_000_000),
        retroactive: rule == Rule::Threshold,
        path: (1..=2).take(hops as usize).map(|hop| step(hop, 10_000_000)).collect(),
        path_omitted: 0,
    }
}

fn recommendation(status: FreezeStatus) -> FreezeRecommendation {
    let chain = if status == FreezeStatus::Frozen { Chain::Ethereum } else { Chain::Tron };
    let at_service = status == FreezeStatus::Updated;
    let claim = |case: &str, tainted| Claim {
        case: case.to_owned(),
        tainted,
        hops: 2,
        path: vec![step(1, tainted), step(2, tainted)],
        path_omitted: 0,
    };
    let is_empty = status == FreezeStatus::Escaped;
    FreezeRecommendation {
        account: AccountKey { chain, address: Address([3; 20]) },
        revision: 2,
        status,
        urgent: status == FreezeStatus::Submitted,
        actor: if at_service {
            Actor::Service { entity: "Alder Exchange".to_owned(), kind: "deposit".to_owned() }
        } else {
            Actor::Issuer
        },
        block: 56_804_500,
        timestamp_ms: BLOCK_MS,
        raised_ms: BLOCK_MS - 3_600_000,
        balance: if is_empty { 0 } else { 3_000_000_000 },
        policy: Policy::Haircut,
        claims: if is_empty {
            vec![]
        } else {
            vec![claim("case-1", 1_000_000_000), claim("case-2", 2_999_999_999)]
        },
        claims_omitted: if is_empty { 0 } else { 5 },
        chance: (status == FreezeStatus::Raised).then_some(Chance {
            ppm: 700_000,
            low_ppm: 612_345,
            high_ppm: 787_655,
            kind: Some(WalletKind::FirstHop),
            outcomes: 100,
            held_ms: 300_000,
            lag_ms: 9_360_000,
            calibration: Calibration { trials: 10, expected_ppm: 712_000, kept_ppm: 800_000 },
        }),
        progress: progress(status),
        next: if status == FreezeStatus::Submitted { next() } else { Vec::new() },
        next_omitted: 0,
    }
}

/// Nothing was submitted before the third status; all that is told later
/// escaped by one transfer, and was frozen.
fn progress(status: FreezeStatus) -> Progress {
    use FreezeStatus::{Destroyed, Frozen, Raised, Released, Updated};
    let submitted = !matches!(status, Raised | Updated);
    let submission = Submission {
        call: SubmittedCall::Freeze,
        id: Some(1_234),
        tx: TxHash([0x5b; 32]),
        block: 56_804_400,
        timestamp_ms: BLOCK_MS - 300_000,
        confirmations: if status == FreezeStatus::Submitted { 1 } else { 2 },
        required: 2,
        failed: false,
    };
    let escape = Escape {
        to: Address([9; 20]),
        transfer: TransferRef { tx: TxHash([0xe5; 32]), position: 2 },
        block: 56_804_450,
        timestamp_ms: BLOCK_MS - 60_000,
        units: 7_000_000,
        tainted: 5_000_000,
    };
    let escaped =
        Escapes { units: 7_000_000, tainted: 5_000_000, newest: vec![escape], omitted: 0 };
    let caught = matches!(status, Frozen | Released | Destroyed);
    Progress {
        recommended: 3_000_000_000,
        arrived_ms: Some(BLOCK_MS - 7_200_000),
        submission: submitted.then_some(submission),
        frozen_ms: caught.then_some(BLOCK_MS),
        caught: if caught { 2_999_999_999 } else { 0 },
        escaped: if submitted { escaped } else { Escapes::default() },
    }
}

fn next() -> Vec<NextAddress> {
    vec![NextAddress {
        address: Address([9; 20]),
        units: 7_000_000,
        hops: 1,
        since_ms: BLOCK_MS - 60_000,
        frozen: false,
        actor: Actor::Issuer,
    }]
}

/// The record as people read it: headers, then the value laid out.
fn shown(message: &Message) -> String {
    let headers = message.headers.iter().map(|(name, value)| format!("{name}: {value}\n"));
    let value = String::from_utf8(message.value.clone()).expect("JSON is UTF-8");
    format!("{}\n{value}\n", headers.collect::<String>())
}

#[test]
fn an_alert_of_each_rule() {
    for rule in Rule::ALL {
        let message = alert_message(&alert(rule, Chain::Tron));
        insta::assert_snapshot!(format!("alert_{}", rule.name()), shown(&message));
    }
    let message = alert_message(&alert(Rule::FirstReceipt, Chain::Ethereum));
    insta::assert_snapshot!("alert_ethereum", shown(&message));
}

#[test]
fn a_recommendation_of_each_status() {
    for status in FreezeStatus::ALL {
        let message = freeze_message(&recommendation(status));
        insta::assert_snapshot!(format!("freeze_{}", status.name()), shown(&message));
    }
}

#[test]
fn records_read_back_as_written() {
    for rule in Rule::ALL {
        let alert = alert(rule, Chain::Ethereum);
        let read: AlertRecord = serde_json::from_slice(&alert_message(&alert).value).unwrap();
        assert_eq!(read, AlertRecord::from(&alert));
    }
    for status in FreezeStatus::ALL {
        let freeze = recommendation(status);
        let read: FreezeRecord = serde_json::from_slice(&freeze_message(&freeze).value).unwrap();
        assert_eq!(read, FreezeRecord::from(&freeze));
    }
}

/// What a reader finds in the record of that alert.
fn parsed(alert: &Alert) -> ParsedAlert {
    let alert = alert.clone();
    ParsedAlert {
        id: alert.id,
        revision: alert.revision,
        status: alert.status,
        rule: alert.rule,
        case: alert.case,
        policy: alert.policy,
        attributions: alert.attributions,
        subject: alert.subject,
        counterparty: alert.counterparty,
        trigger: alert.trigger,
        block: alert.block,
        timestamp_ms: alert.timestamp_ms,
        amount: alert.amount,
        tainted: alert.tainted,
        balance: alert.balance,
        held: alert.held,
        hops: alert.hops,
        threshold: alert.threshold,
        service: alert.service,
        path: alert.path,
        path_omitted: alert.path_omitted,
    }
}

#[test]
fn the_facts_of_an_alert_read_back_from_its_json() {
    for (rule, chain) in Rule::ALL.into_iter().flat_map(|rule| Chain::ALL.map(|c| (rule, c))) {
        for status in AlertStatus::ALL {
            let alert = Alert { status, path_omitted: 7, ..alert(rule, chain) };
            assert_eq!(AlertRecord::read(&alert_message(&alert).value), Ok(parsed(&alert)));
        }
    }
}

#[test]
fn a_record_that_cannot_be_read_names_the_field() {
    let good: Value =
        serde_json::from_slice(&alert_message(&alert(Rule::CashOut, Chain::Tron)).value).unwrap();
    let error = |pointer: &str, value: Value| {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        AlertRecord::read(bad.to_string().as_bytes()).unwrap_err().to_string()
    };
    for (pointer, field) in [
        ("/type", "type"),
        ("/id", "id"),
        ("/chain", "chain"),
        ("/alert_id", "alert_id"),
        ("/status", "status"),
        ("/rule", "rule"),
        ("/policy", "policy"),
        ("/attributions/1/policy", "attributions.policy"),
        ("/address", "address"),
        ("/counterparty", "counterparty"),
        ("/tx", "tx"),
        ("/time", "time"),
        ("/path/0/tx", "path.tx"),
        ("/path/1/from", "path.from"),
        ("/path/1/to", "path.to"),
        ("/path/0/time", "path.time"),
    ] {
        let text = error(pointer, Value::from("?"));
        assert!(text.contains(&format!("field `{field}`")), "{pointer}: {text}");
    }
    for pointer in ["/schema_version", "/policy_version", "/attributions/0/policy_version"] {
        assert!(error(pointer, Value::from(2)).ends_with("is 2; only version 1 is known here"));
    }
    let mut without = good.clone();
    without.as_object_mut().unwrap().remove("held");
    let error = AlertRecord::read(without.to_string().as_bytes()).unwrap_err();
    assert!(matches!(&error, ReadError::NotARecord { .. }));
    assert!(error.to_string().contains("missing field `held`"), "{error}");
}

#[test]
fn policies_agree_on_the_units_moved_or_not() {
    let agree = |tainted: &[u64]| {
        let attribution = |tainted| Attribution { tainted, ..attributions()[0] };
        let attributions = tainted.iter().copied().map(attribution).collect();
        AlertRecord::from(&Alert { attributions, ..alert(Rule::CashOut, Chain::Tron) })
            .policies_agree
    };
    assert!(agree(&[]) && agree(&[5]) && agree(&[5, 5, 5]));
    assert!(!agree(&[5, 5, 6]) && !agree(&[4, 5, 5]));
}

#[test]
fn a_retraction_is_the_record_with_another_status_and_the_next_revision() {
    for rule in Rule::ALL {
        let told = Alert { revision: 2, block_hash: None, ..alert(rule, Chain::Ethereum) };
        let retracted = Alert { revision: 3, status: AlertStatus::Retracted, ..told.clone() };
        let message = retraction(&alert_message(&told).value).unwrap();
        assert_eq!(message, alert_message(&retracted));
        assert_eq!(retraction(&message.value), None, "retracted already");
    }
    let last = Alert { revision: u32::MAX, ..alert(Rule::CashOut, Chain::Tron) };
    assert_eq!(retraction(&alert_message(&last).value), None);
    let freeze = freeze_message(&recommendation(FreezeStatus::Raised));
    assert_eq!(retraction(&freeze.value), None);
    assert_eq!(retraction(b"{"), None);
}

#[test]
fn a_withdrawal_is_the_next_revision_without_claims_as_of_another_block() {
    for status in FreezeStatus::ALL {
        let told = recommendation(status);
        let message = withdrawal(&freeze_message(&told).value, 60_000_000, BLOCK_MS + 1);
        let withdrawn = FreezeRecommendation {
            revision: 3,
            status: FreezeStatus::Withdrawn,
            block: 60_000_000,
            timestamp_ms: BLOCK_MS + 1,
            claims: Vec::new(),
            claims_omitted: 0,
            urgent: false,
            chance: None,
            progress: Progress::default(),
            next: Vec::new(),
            ..told
        };
        let expected = (status != FreezeStatus::Withdrawn).then(|| freeze_message(&withdrawn));
        assert_eq!(message, expected, "{status:?}");
    }
    let alert = alert_message(&alert(Rule::CashOut, Chain::Tron));
    assert_eq!(withdrawal(&alert.value, 1, 1), None);
}

#[test]
fn the_block_hash_is_a_header_and_no_part_of_the_value() {
    let told = alert(Rule::FirstReceipt, Chain::Tron);
    let untold = Alert { block_hash: None, ..told.clone() };
    let (told, untold) = (alert_message(&told), alert_message(&untold));
    assert_eq!(told.value, untold.value);
    let (last, rest) = told.headers.split_last().unwrap();
    assert_eq!(*last, ("ce_blockhash", "b1".repeat(32)));
    assert_eq!(rest, untold.headers);
}

#[test]
fn units_are_decimal_strings_of_64_bits() {
    assert_eq!(serde_json::to_string(&Units(u64::MAX)).unwrap(), "\"18446744073709551615\"");
    for bad in ["\"18446744073709551616\"", "\"-1\"", "\"\"", "\"1.5\"", "7"] {
        assert!(serde_json::from_str::<Units>(bad).is_err(), "{bad}");
    }
}

#[test]
fn shares_round_down_and_are_0_of_nothing() {
    let share = |tainted, amount| {
        let alert = Alert { tainted, amount, ..alert(Rule::FirstReceipt, Chain::Tron) };
        AlertRecord::from(&alert).share_ppm
    };
    assert_eq!(share(1, 3), 333_333);
    assert_eq!(share(u64::MAX - 1, u64::MAX), 999_999);
    assert_eq!(share(u64::MAX, u64::MAX), 1_000_000);
    assert_eq!(share(0, 0), 0);
}

fn schema_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas")
}

#[test]
fn published_schemas_are_those_of_the_types() {
    let updating = std::env::var_os("UPDATE_SCHEMAS").is_some();
    for (name, schema) in schemas() {
        let path = schema_folder().join(name);
        let text = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
        if updating {
            std::fs::write(&path, &text).unwrap();
        }
        let published = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            published, text,
            "docs/schemas/{name} differs from the types; \
             run the test again with UPDATE_SCHEMAS=1 and commit the file"
        );
    }
}

#[test]
fn every_field_written_is_described_and_required() {
    let values = [
        alert_message(&alert(Rule::CashOut, Chain::Tron)).value,
        freeze_message(&recommendation(FreezeStatus::Raised)).value,
    ];
    for ((name, schema), value) in schemas().into_iter().zip(values) {
        assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#", "{name}");
        let value: Value = serde_json::from_slice(&value).unwrap();
        let required = schema["required"].as_array().unwrap();
        for field in value.as_object().unwrap().keys() {
            let property = &schema["properties"][field];
            assert!(property["description"].is_string(), "{name}: {field} is not described");
            assert!(required.contains(&Value::from(field.as_str())), "{name}: {field}");
        }
        assert_eq!(schema["properties"].as_object().unwrap().len(), required.len(), "{name}");
    }
}

/// The index of topics points at every published schema.
#[test]
fn the_topic_index_refers_to_every_schema() {
    let index = std::fs::read_to_string(schema_folder().join("../asyncapi.yaml")).unwrap();
    // A request to freeze goes from hand to hand, not through a topic.
    for (name, _) in schemas().into_iter().filter(|(name, _)| *name != "freeze-request.json") {
        assert!(index.contains(&format!("./schemas/{name}")), "{name}");
    }
}
