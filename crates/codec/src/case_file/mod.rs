//! Cases, labels and opening balances as users write them.
//!
//! Strict, since a typing error here would accuse the wrong wallet: unknown
//! keys and columns are refused, a wrong address is named with its case and
//! position. What always holds: what is written reads back to the same value.
//! One thing is forgiven with a warning: a source that is nobody's wallet, such
//! as the zero address, is left out, because it would taint everything.

mod record;

use std::collections::BTreeSet;

use flow_core::{AccountKey, Amount, Case, Chain, Label, Source};
use serde::Deserialize;

use crate::address::{format, format_account, format_tx, parse, parse_chain, parse_tx};
use crate::error::DecodeError;

pub use record::{BalanceRecord, CaseRecord, LabelRecord, SourceRecord, Units};

/// What a case file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cases {
    /// The cases, in the order of the file.
    pub cases: Vec<Case>,
    /// What was left out, and why, for people to read.
    pub warnings: Vec<String>,
}

/// Why a file of cases, labels or balances was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaseFileError {
    /// Not the JSON expected.
    #[error("not the JSON expected: {detail}")]
    Json {
        /// What the parser says, with line and column.
        detail: String,
    },
    /// A case with an empty id.
    #[error("case {position}: the id is empty")]
    EmptyId {
        /// Its position in the file, from 1.
        position: usize,
    },
    /// Two cases of one id.
    #[error("case `{case}` occurs twice")]
    DuplicateCase {
        /// The id.
        case: String,
    },
    /// A source with a field that cannot be read.
    #[error("case `{case}`, source {position}: {error}")]
    Source {
        /// The case.
        case: String,
        /// Position among its sources, from 1.
        position: usize,
        /// What is wrong.
        error: DecodeError,
    },
    /// A source that is neither a wallet nor a transfer.
    #[error(
        "case `{case}`, source {position}: must have either `address` (with `since_block` or \
         without) or both `tx` and `log_index`"
    )]
    SourceShape {
        /// The case.
        case: String,
        /// Position among its sources, from 1.
        position: usize,
    },
    /// A JSON label with a field that cannot be read.
    #[error("label: {error}")]
    Label {
        /// What is wrong.
        error: DecodeError,
    },
    /// A CSV file without the columns that it must have, or with others.
    #[error("the header must name {expected}, but is `{found}`")]
    Header {
        /// The columns.
        expected: &'static str,
        /// The header.
        found: String,
    },
    /// A row that is not CSV, or has a field of another type.
    #[error("line {line}: {detail}")]
    Csv {
        /// Its line.
        line: u64,
        /// What the parser says.
        detail: String,
    },
    /// A row with a field that cannot be read.
    #[error("line {line}: {error}")]
    Row {
        /// Its line.
        line: u64,
        /// What is wrong.
        error: DecodeError,
    },
    /// Two opening balances of one account.
    #[error("line {line}: {account} has a balance already")]
    DuplicateAccount {
        /// The line of the second.
        line: u64,
        /// The account.
        account: String,
    },
}

impl From<serde_json::Error> for CaseFileError {
    fn from(error: serde_json::Error) -> Self {
        CaseFileError::Json { detail: error.to_string() }
    }
}

/// Reads a case file: a JSON array.
///
/// # Errors
/// If anything in it cannot be read; no case is then taken.
pub fn parse_cases(json: &[u8]) -> Result<Cases, CaseFileError> {
    let records: Vec<CaseRecord> = serde_json::from_slice(without_mark(json))?;
    let mut read = Cases::default();
    let mut ids = BTreeSet::new();
    for (position, record) in (1..).zip(records) {
        if !ids.insert(record.id.clone()) {
            return Err(CaseFileError::DuplicateCase { case: record.id });
        }
        read.cases.push(to_case(record, position, &mut read.warnings)?);
    }
    Ok(read)
}

/// Reads one case, with warnings: a JSON object.
///
/// # Errors
/// If anything in it cannot be read.
pub fn parse_case(json: &[u8]) -> Result<(Case, Vec<String>), CaseFileError> {
    let mut warnings = Vec::new();
    let case = to_case(serde_json::from_slice(without_mark(json))?, 1, &mut warnings)?;
    Ok((case, warnings))
}

/// Reads a label file: CSV.
///
/// # Errors
/// If any row cannot be read, with its line.
pub fn parse_labels_csv(text: &[u8]) -> Result<Vec<Label>, CaseFileError> {
    let mut labels = Vec::new();
    read_csv(text, "chain,address,entity,kind,stop", |line, record: LabelRecord| {
        labels.push(to_label(record).map_err(|error| CaseFileError::Row { line, error })?);
        Ok(())
    })?;
    Ok(labels)
}

/// Reads one label: a JSON object.
///
/// # Errors
/// If anything in it cannot be read.
pub fn parse_label(json: &[u8]) -> Result<Label, CaseFileError> {
    to_label(serde_json::from_slice(without_mark(json))?)
        .map_err(|error| CaseFileError::Label { error })
}

/// Reads a file of opening balances: CSV.
///
/// # Errors
/// If any row cannot be read, with its line, or repeats an account.
pub fn parse_opening_csv(text: &[u8]) -> Result<Vec<(AccountKey, Amount)>, CaseFileError> {
    let mut balances = Vec::new();
    let mut seen = BTreeSet::new();
    read_csv(text, "chain,address,balance", |line, record: BalanceRecord| {
        let account = to_account(&record.chain, &record.address)
            .map_err(|error| CaseFileError::Row { line, error })?;
        if !seen.insert(account) {
            let account = format_account(account);
            return Err(CaseFileError::DuplicateAccount { line, account });
        }
        balances.push((account, record.balance.0));
        Ok(())
    })?;
    Ok(balances)
}

/// Writes a case as [`parse_case`] reads it.
pub fn case_to_json(case: &Case) -> String {
    serde_json::to_string(&case_record(case)).expect("strings and integers are always JSON")
}

/// The case in the shape of its JSON.
pub fn case_record(case: &Case) -> CaseRecord {
    CaseRecord {
        id: case.id.clone(),
        title: case.title.clone(),
        category: case.category.clone(),
        sources: case.sources.iter().map(from_source).collect(),
        min_units: Units(case.min_units),
        max_hops: case.max_hops,
    }
}

/// Writes a label as [`parse_label`] reads it.
pub fn label_to_json(label: &Label) -> String {
    let AccountKey { chain, address } = label.account;
    let record = LabelRecord {
        chain: chain.name().to_owned(),
        address: format(chain, address),
        entity: label.entity.clone(),
        kind: label.kind.clone(),
        stop: label.stop,
    };
    serde_json::to_string(&record).expect("strings and booleans are always JSON")
}

fn to_case(
    record: CaseRecord,
    position: usize,
    warnings: &mut Vec<String>,
) -> Result<Case, CaseFileError> {
    if record.id.is_empty() {
        return Err(CaseFileError::EmptyId { position });
    }
    let mut sources = Vec::with_capacity(record.sources.len());
    for (position, source) in (1..).zip(&record.sources) {
        let source = to_source(&record.id, position, source)?;
        match source {
            Source::Wallet { account, .. } if account.address.is_reserved() => {
                warnings.push(format!(
                    "case `{}`, source {position}: {} is nobody's wallet and is left out",
                    record.id,
                    format_account(account),
                ));
            }
            _ => sources.push(source),
        }
    }
    Ok(Case {
        id: record.id,
        title: record.title,
        category: record.category,
        sources,
        min_units: record.min_units.0,
        max_hops: record.max_hops,
    })
}

fn to_source(case: &str, position: usize, record: &SourceRecord) -> Result<Source, CaseFileError> {
    let named = |error| CaseFileError::Source { case: case.to_owned(), position, error };
    let chain = parse_chain(&record.chain).map_err(named)?;
    match (&record.address, record.since_block, &record.tx, record.log_index) {
        (Some(address), since_block, None, None) => Ok(Source::Wallet {
            account: AccountKey { chain, address: parse(chain, address).map_err(named)? },
            since_block: since_block.unwrap_or(0),
        }),
        (None, None, Some(tx), Some(log_index)) => {
            Ok(Source::Transfer { chain, tx: parse_tx(tx).map_err(named)?, log_index })
        }
        _ => Err(CaseFileError::SourceShape { case: case.to_owned(), position }),
    }
}

fn from_source(source: &Source) -> SourceRecord {
    let empty = |chain: Chain| SourceRecord {
        chain: chain.name().to_owned(),
        address: None,
        since_block: None,
        tx: None,
        log_index: None,
    };
    match *source {
        Source::Wallet { account: AccountKey { chain, address }, since_block } => SourceRecord {
            address: Some(format(chain, address)),
            since_block: Some(since_block),
            ..empty(chain)
        },
        Source::Transfer { chain, tx, log_index } => SourceRecord {
            tx: Some(format_tx(chain, tx)),
            log_index: Some(log_index),
            ..empty(chain)
        },
    }
}

fn to_label(record: LabelRecord) -> Result<Label, DecodeError> {
    let account = to_account(&record.chain, &record.address)?;
    if record.entity.is_empty() {
        return Err(DecodeError::MissingField { field: "entity" });
    }
    Ok(Label { account, entity: record.entity, kind: record.kind, stop: record.stop })
}

fn to_account(chain: &str, address: &str) -> Result<AccountKey, DecodeError> {
    let chain = parse_chain(chain)?;
    Ok(AccountKey { chain, address: parse(chain, address)? })
}

/// Reads CSV whose header names exactly the expected columns, in any order.
fn read_csv<T: for<'de> Deserialize<'de>>(
    text: &[u8],
    expected: &'static str,
    mut take: impl FnMut(u64, T) -> Result<(), CaseFileError>,
) -> Result<(), CaseFileError> {
    let mut reader = csv::Reader::from_reader(text);
    let header = reader.headers().map_err(|error| csv_error(&error))?.clone();
    let found: BTreeSet<&str> = header.iter().collect();
    if found.len() != header.len() || found != expected.split(',').collect() {
        let found = header.iter().collect::<Vec<_>>().join(",");
        return Err(CaseFileError::Header { expected, found });
    }
    let mut row = csv::StringRecord::new();
    while reader.read_record(&mut row).map_err(|error| csv_error(&error))? {
        let line = row.position().map_or(0, csv::Position::line);
        let record = row.deserialize(Some(&header)).map_err(|error| csv_error(&error))?;
        take(line, record)?;
    }
    Ok(())
}

fn csv_error(error: &csv::Error) -> CaseFileError {
    let line = error.position().map_or(1, csv::Position::line);
    let detail = match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => err.to_string(),
        csv::ErrorKind::Utf8 { err, .. } => err.to_string(),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields where the header has {expected_len}")
        }
        _ => error.to_string(),
    };
    CaseFileError::Csv { line, detail }
}

/// The bytes behind a byte order mark, which some editors put first.
fn without_mark(json: &[u8]) -> &[u8] {
    json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json)
}
