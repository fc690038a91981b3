//! Case files, labels and opening balances: what is read, refused and warned of.

use flow_codec::case_file::{
    CaseFileError, case_to_json, label_to_json, parse_case, parse_cases, parse_label,
    parse_labels_csv, parse_opening_csv,
};
use flow_codec::{address, usdt};
use flow_core::{AccountKey, Address, Case, Chain, Label, Source, TxHash};
use proptest::prelude::*;

const WALLET: &str = "TBPxhVAsuzoFnKyXtc1o2UySEydPHgATto";

/// The example of the file format's description.
fn example(wallet: &str) -> String {
    format!(
        r#"[{{"id": "case-1", "title": "optional", "category": "optional",
             "sources": [{{"chain": "tron", "address": "{wallet}", "since_block": 70000000}},
                         {{"chain": "ethereum", "tx": "0x{}", "log_index": 3}}],
             "min_units": 0, "max_hops": null}}]"#,
        "ab".repeat(32)
    )
}

#[test]
fn the_documented_example_reads() {
    let read = parse_cases(example(WALLET).as_bytes()).unwrap();
    assert!(read.warnings.is_empty());
    let wallet =
        AccountKey { chain: Chain::Tron, address: address::parse(Chain::Tron, WALLET).unwrap() };
    let sources = vec![
        Source::Wallet { account: wallet, since_block: 70_000_000 },
        Source::Transfer { chain: Chain::Ethereum, tx: TxHash([0xab; 32]), log_index: 3 },
    ];
    let expected = Case {
        id: "case-1".into(),
        title: Some("optional".into()),
        category: Some("optional".into()),
        sources,
        min_units: 0,
        max_hops: None,
    };
    assert_eq!(read.cases, [expected]);
}

#[test]
fn absent_fields_have_their_defaults() {
    let json = format!(
        r#"{{"id":"a","sources":[{{"chain":"tron","address":"{WALLET}"}}],
            "min_units":"18446744073709551615"}}"#
    );
    let (case, warnings) = parse_case(json.as_bytes()).unwrap();
    assert!(warnings.is_empty() && case.title.is_none() && case.max_hops.is_none());
    assert_eq!(case.min_units, u64::MAX);
    assert!(matches!(case.sources[..], [Source::Wallet { since_block: 0, .. }]));
}

#[test]
fn a_source_that_is_nobodys_wallet_is_left_out_with_a_warning() {
    let zero = "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb";
    let read = parse_cases(example(zero).as_bytes()).unwrap();
    assert!(matches!(read.cases[0].sources[..], [Source::Transfer { .. }]));
    let [warning] = &read.warnings[..] else { panic!("{:?}", read.warnings) };
    assert!(warning.contains("`case-1`, source 1") && warning.contains(zero), "{warning}");
}

#[test]
fn what_is_wrong_is_named() {
    let source = |source: &str| format!(r#"[{{"id":"c","sources":[{source}]}}]"#);
    let mistyped = WALLET.replace("TBP", "TBQ");
    for (json, words) in [
        (
            example(&mistyped),
            "case `case-1`, source 1: field `address` is not an address: wrong checksum",
        ),
        (source(r#"{"chain":"bsc","address":"0x"}"#), "source 1: unknown chain `bsc`"),
        (source(r#"{"chain":"tron"}"#), "source 1: must have either `address`"),
        (source(r#"{"chain":"tron","tx":"ab"}"#), "source 1: must have either `address`"),
        (source(r#"{"chain":"tron","tx":"ab","log_index":1}"#), "field `tx` is not a valid hash"),
        (
            source(r#"{"chain":"tron","address":"T","log_index":1}"#),
            "source 1: must have either `address`",
        ),
        (source(r#"{"chain":"tron","adress":"T"}"#), "unknown field `adress`"),
        (r#"[{"id":"c","sources":[],"hops":1}]"#.into(), "unknown field `hops`"),
        (r#"[{"id":"c"}]"#.into(), "missing field `sources`"),
        (r#"[{"id":"","sources":[]}]"#.into(), "case 1: the id is empty"),
        (r#"[{"id":"c","sources":[],"min_units":-1}]"#.into(), "from 0 to 2^64 - 1"),
        (r#"[{"id":"c","sources":[],"min_units":1.5}]"#.into(), "from 0 to 2^64 - 1"),
        (r#"[{"id":"c","sources":[],"min_units":"1 000"}]"#.into(), "not a whole number"),
        (r#"[{"id":"c","sources":[]},{"id":"c","sources":[]}]"#.into(), "case `c` occurs twice"),
        ("{}".into(), "not the JSON expected"),
    ] {
        let error = parse_cases(json.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(words), "{json}: {error}");
    }
}

#[test]
fn labels_read_from_csv_and_json() {
    let csv = format!(
        "chain,address,entity,kind,stop\r\ntron,{WALLET},\"Tether, multisig\",issuer,true\r\n\
         ethereum,0xDAC17F958D2EE523A2206206994597C13D831EC7,USDT,token,false\r\n"
    );
    let labels = parse_labels_csv(csv.as_bytes()).unwrap();
    assert_eq!(labels.len(), 2);
    assert_eq!((labels[0].entity.as_str(), labels[0].stop), ("Tether, multisig", true));
    assert_eq!(labels[1].account.address, usdt(Chain::Ethereum));
    for label in &labels {
        assert_eq!(parse_label(label_to_json(label).as_bytes()).as_ref(), Ok(label));
    }
}

#[test]
fn rows_are_refused_with_their_line() {
    let labels =
        |rows: &str| parse_labels_csv(format!("chain,address,entity,kind,stop\n{rows}").as_bytes());
    let good = format!("tron,{WALLET},e,k,true\n");
    for (rows, words) in [
        (format!("{good}tron,T1,e,k,true\n"), "line 3: field `address` is not an address"),
        (format!("{good}bsc,0x,e,k,true\n"), "line 3: unknown chain `bsc`"),
        (format!("{good}tron,{WALLET},,k,true\n"), "line 3: field `entity` is missing"),
        (format!("{good}tron,{WALLET},e,k,yes\n"), "line 3: "),
        (format!("{good}tron,{WALLET},e,k\n"), "line 3: 4 fields where the header has 5"),
    ] {
        let error = labels(&rows).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    for header in ["", "chain,address,entity,kind", "chain,address,entity,kind,stop,stop"] {
        let error = parse_labels_csv(header.as_bytes()).unwrap_err();
        assert!(matches!(error, CaseFileError::Header { .. }), "{error}");
    }
}

#[test]
fn opening_balances_occur_once() {
    let good = format!("chain,address,balance\ntron,{WALLET},18446744073709551615\n");
    let account = address::parse_account(&format!("tron:{WALLET}")).unwrap();
    assert_eq!(parse_opening_csv(good.as_bytes()), Ok(vec![(account, u64::MAX)]));
    for (row, words) in [
        (
            format!("tron,{WALLET},1"),
            "line 3: tron:TBPxhVAsuzoFnKyXtc1o2UySEydPHgATto has a balance",
        ),
        (format!("tron,{WALLET},18446744073709551616"), "line 3: "),
        (format!("tron,{WALLET},-1"), "line 3: "),
        (format!("tron,{WALLET},"), "line 3: "),
    ] {
        let error = parse_opening_csv(format!("{good}{row}\n").as_bytes()).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}

fn any_source() -> impl Strategy<Value = Source> {
    let chain = || prop::sample::select(Chain::ALL.to_vec());
    prop_oneof![
        (chain(), any::<[u8; 20]>(), any::<u64>()).prop_map(|(chain, bytes, since_block)| {
            let address = Address(bytes);
            Source::Wallet { account: AccountKey { chain, address }, since_block }
        }),
        (chain(), any::<[u8; 32]>(), any::<u32>()).prop_map(|(chain, tx, log_index)| {
            Source::Transfer { chain, tx: TxHash(tx), log_index }
        }),
    ]
}

proptest! {
    #[test]
    fn cases_read_back(
        id in "[^\u{0}]{1,8}",
        title in prop::option::of(".{0,8}"),
        sources in prop::collection::vec(any_source(), 0..4),
        min_units in any::<u64>(),
        max_hops in any::<Option<u32>>(),
    ) {
        let case = Case { id, title, category: None, sources, min_units, max_hops };
        prop_assert_eq!(parse_case(case_to_json(&case).as_bytes()), Ok((case, vec![])));
    }

    #[test]
    fn labels_read_back(bytes in any::<[u8; 20]>(), entity in ".{1,8}", kind in ".{0,8}", stop: bool) {
        let account = AccountKey { chain: Chain::Tron, address: Address(bytes) };
        let label = Label { account, entity, kind, stop };
        prop_assert_eq!(parse_label(label_to_json(&label).as_bytes()), Ok(label));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        prop_assert!(parse_cases(&bytes).is_err());
        prop_assert!(parse_label(&bytes).is_err());
        prop_assert!(parse_labels_csv(&bytes).is_err());
        prop_assert!(parse_opening_csv(&bytes).is_err());
    }
}
