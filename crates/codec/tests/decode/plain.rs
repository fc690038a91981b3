//! usdt-flow's own format: JSON lines, and rows of CSV with those of others.

use flow_codec::{ChainAction, CsvLayout, DecodeError, Decoded, Decoder, LogIndex, address};
use flow_core::{Action, Chain};
use serde_json::{Value, json};

use super::{MULTISIG, TX, USDT, event, reason, with, without};

pub(super) fn plain() -> Value {
    json!({
        "chain": "tron", "block": 5, "log_index": 1, "timestamp": 7, "tx": TX,
        "event": "transfer", "from": USDT, "to": MULTISIG, "amount": "9",
    })
}

#[test]
fn plain_events_of_every_kind() {
    let from = address::parse(Chain::Tron, USDT).unwrap();
    let to = address::parse(Chain::Tron, MULTISIG).unwrap();
    let amount = 9;
    for (name, action) in [
        ("transfer", Action::Transfer { from, to, amount }),
        ("issue", Action::Issue { to, amount }),
        ("redeem", Action::Redeem { from, amount }),
        ("destroy", Action::Destroy { account: from, amount }),
        ("blacklist_add", Action::BlacklistAdd { account: from }),
        ("blacklist_remove", Action::BlacklistRemove { account: from }),
    ] {
        let read = event(&with(plain(), "/event", json!(name)));
        assert_eq!(read.action, ChainAction::Ledger(action), "{name}");
        assert_eq!((read.index, read.timestamp_ms), (Some(LogIndex::InBlock(1)), Some(7)));
    }
    let bare = without(with(plain(), "/log_index", json!("")), "timestamp");
    let read = event(&bare);
    assert_eq!((read.index, read.timestamp_ms), (None, None));
    let texts = with(with(plain(), "/block", json!("5")), "/amount", json!(9));
    assert_eq!(event(&texts), event(&plain()));
}

#[test]
fn plain_events_are_refused_for_a_reason() {
    for (path, value, expected) in [
        ("/chain", json!("Tron"), "unknown_chain"),
        ("/event", json!("Transfer"), "unknown_event"),
        ("/amount", json!("18446744073709551616"), "amount_too_large"),
        ("/amount", json!("1,000"), "invalid_number"),
        ("/amount", json!(""), "missing_field"),
        ("/from", Value::Null, "missing_field"),
        ("/to", json!("TR7M"), "invalid_address"),
        ("/log_index", json!(4_294_967_296_u64), "invalid_number"),
        ("/block", json!([5]), "invalid_json"),
        ("/tx", json!("zz"), "invalid_hash"),
    ] {
        assert_eq!(reason(&with(plain(), path, value)), expected, "{path}");
    }
}

pub(super) fn decode_csv(text: &str) -> Result<Vec<Decoded>, DecodeError> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let layout = CsvLayout::from_header(reader.headers().unwrap())?;
    let (mut decoder, mut out) = (Decoder::new(None), Vec::new());
    for row in reader.byte_records() {
        decoder.decode_row(&layout, &row.unwrap(), &mut out)?;
    }
    Ok(out)
}

#[test]
fn csv_columns_stand_in_any_order() {
    let text = format!(
        "\u{feff}note,tx,event,from,to,amount,chain,block,log_index,timestamp\n\
         x,{TX},transfer,{USDT},{MULTISIG},9,tron,5,1,7\n"
    );
    assert_eq!(decode_csv(&text).unwrap(), [Decoded::Event(event(&plain()))]);
    let error = decode_csv("chain,block,tx,event,from,to\n").unwrap_err();
    assert!(error.to_string().contains("no column amount"), "{error}");
    let error = decode_csv("block_number,value_raw\n").unwrap_err();
    assert!(error.to_string().contains("no column timestamp_s"), "{error}");
    let short = "chain,block,tx,event,from,to,amount\ntron,5\n";
    assert_eq!(decode_csv(short).unwrap_err().reason(), "missing_field");
}
