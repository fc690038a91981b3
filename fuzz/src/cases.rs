//! Cases, labels and opening balances as users write them.
//!
//! What the readers promise: what is written reads back to the same value; an
//! account has one opening balance; nobody's wallet is never a source.

use std::collections::BTreeSet;

use flow_codec::case_file::{
    CaseFileError, case_to_json, label_to_json, parse_case, parse_cases, parse_label,
    parse_labels_csv, parse_opening_csv,
};
use flow_core::{Case, Label, Source};

/// Reads the bytes as each kind of file and record.
pub fn case_file(data: &[u8]) {
    if let Some(read) = accepted(parse_cases(data)) {
        read.cases.iter().for_each(check_case);
        let ids: BTreeSet<&str> = read.cases.iter().map(|case| case.id.as_str()).collect();
        assert_eq!(ids.len(), read.cases.len(), "two cases of one id");
    }
    if let Some((case, _)) = accepted(parse_case(data)) {
        check_case(&case);
    }
    if let Some(label) = accepted(parse_label(data)) {
        check_label(&label);
    }
    if let Some(labels) = accepted(parse_labels_csv(data)) {
        labels.iter().for_each(check_label);
    }
    if let Some(balances) = accepted(parse_opening_csv(data)) {
        let accounts: BTreeSet<_> = balances.iter().map(|(account, _)| account).collect();
        assert_eq!(accounts.len(), balances.len(), "two balances of one account");
    }
}

fn accepted<T>(read: Result<T, CaseFileError>) -> Option<T> {
    read.inspect_err(|error| assert!(!error.to_string().is_empty())).ok()
}

fn check_case(case: &Case) {
    assert!(!case.id.is_empty());
    let is_nobody = |source: &Source| matches!(source, Source::Wallet { account, .. } if account.address.is_reserved());
    assert!(!case.sources.iter().any(is_nobody), "{case:?}");
    let text = case_to_json(case);
    assert_eq!(parse_case(text.as_bytes()), Ok((case.clone(), Vec::new())), "{text}");
}

fn check_label(label: &Label) {
    let text = label_to_json(label);
    assert_eq!(parse_label(text.as_bytes()).as_ref(), Ok(label), "{text}");
}
