//! Changes of cases and labels, as their compacted topics carry them.
//!
//! Key: the case's id, or `chain:address`; value: the JSON of docs/input.md;
//! an empty value closes the case or withdraws the label.

use flow_codec::{address, case_file};
use flow_core::Event;

use super::log::{Change, ChangeKind};
use crate::pipeline::Rejected;

/// What a record of the topics of cases and labels says.
pub(super) fn parse(change: &Change<'_>) -> Result<Event, Rejected> {
    match change.kind {
        ChangeKind::Case => parse_case(change.key, change.value),
        ChangeKind::Label => parse_label(change.key, change.value),
    }
}

fn parse_case(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Event, Rejected> {
    let id = text(key).ok_or_else(|| invalid_case("the key is not the id of a case"))?;
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(Event::CaseClosed(id.to_owned()));
    };
    let (case, warnings) = case_file::parse_case(value).map_err(invalid_case)?;
    if case.id != id {
        return Err(invalid_case(format!("the key is {id} but the case is {}", case.id)));
    }
    for warning in warnings {
        tracing::warn!(case = id, "{warning}");
    }
    Ok(Event::CaseOpened(case))
}

fn parse_label(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Event, Rejected> {
    let key = text(key).ok_or_else(|| invalid_label("the key is not chain:address"))?;
    let account = address::parse_account(key).map_err(invalid_label)?;
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(Event::LabelRemoved(account));
    };
    let label = case_file::parse_label(value).map_err(invalid_label)?;
    if label.account != account {
        return Err(invalid_label(format!("the key {key} is not the label's account")));
    }
    Ok(Event::LabelSet(label))
}

fn text(key: Option<&[u8]>) -> Option<&str> {
    std::str::from_utf8(key?).ok().filter(|key| !key.is_empty())
}

fn invalid_case(message: impl ToString) -> Rejected {
    Rejected { reason: "invalid_case", message: message.to_string() }
}

fn invalid_label(message: impl ToString) -> Rejected {
    Rejected { reason: "invalid_label", message: message.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USDT: &str = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t";

    #[test]
    fn a_case_opens_and_an_empty_value_closes_it() {
        let value = format!(r#"{{"id":"a","sources":[{{"chain":"tron","address":"{USDT}"}}]}}"#);
        let opened = parse_case(Some(b"a"), Some(value.as_bytes()));
        assert!(matches!(opened, Ok(Event::CaseOpened(case)) if case.sources.len() == 1));
        assert_eq!(parse_case(Some(b"a"), None), Ok(Event::CaseClosed("a".to_owned())));
        assert_eq!(
            parse_case(Some(b"b"), Some(value.as_bytes())).unwrap_err().reason,
            "invalid_case"
        );
        assert_eq!(parse_case(None, None).unwrap_err().reason, "invalid_case");
    }

    #[test]
    fn a_label_is_set_and_withdrawn_under_its_account() {
        let key = format!("tron:{USDT}");
        let value = format!(
            r#"{{"chain":"tron","address":"{USDT}","entity":"X","kind":"exchange","stop":true}}"#
        );
        let set = parse_label(Some(key.as_bytes()), Some(value.as_bytes()));
        assert!(matches!(set, Ok(Event::LabelSet(label)) if label.stop));
        let removed = parse_label(Some(key.as_bytes()), Some(b""));
        assert!(matches!(removed, Ok(Event::LabelRemoved(_))));
        assert_eq!(parse_label(Some(b"tron:T"), None).unwrap_err().reason, "invalid_label");
    }
}
