//! Records of every supported format to [`Decoded`] values.
//!
//! What always holds: a record is decoded whole or refused whole, and never
//! panics. Where no format is named, it is told from the record itself (its
//! first bytes, or its keys), never from where the record came from.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::address::AddressCache;
use crate::error::{DecodeError, shown};
use crate::field::Text;
use crate::shape::Shapes;
use crate::{Decoded, compact, ethereum_etl, java_tron, json_rpc, plain, slice};

/// An input format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// usdt-flow's own, CSV or JSON Lines.
    Plain,
    /// Messages of java-tron's event subscription.
    JavaTron,
    /// Messages of `ethereumetl stream`.
    EthereumEtl,
    /// Logs and headers of Ethereum's JSON-RPC.
    JsonRpc,
    /// A slice of TRON's TRC-20 transfers, CSV alone.
    Slice,
    /// One block as a protobuf message.
    Compact,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 6] = [
        Format::Plain,
        Format::JavaTron,
        Format::EthereumEtl,
        Format::JsonRpc,
        Format::Slice,
        Format::Compact,
    ];

    /// The name used on the command line and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Plain => "plain",
            Format::JavaTron => "java-tron",
            Format::EthereumEtl => "ethereum-etl",
            Format::JsonRpc => "json-rpc",
            Format::Slice => "slice",
            Format::Compact => "compact",
        }
    }

    /// The format of that [`name`](Self::name), if there is one.
    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }

    /// The format of a record, told by its first bytes or, of JSON, by its
    /// keys.
    ///
    /// # Errors
    /// [`DecodeError::UnknownFormat`], or [`DecodeError::InvalidUtf8`] or
    /// [`DecodeError::InvalidJson`] if it cannot be told for want of these.
    pub fn recognise(record: &[u8]) -> Result<Format, DecodeError> {
        if compact::is_compact(record) {
            return Ok(Format::Compact);
        }
        of_json(text(record)?)
    }
}

/// The record as text. The library is quicker, the standard one says where a
/// record goes wrong.
fn text(record: &[u8]) -> Result<&str, DecodeError> {
    match simdutf8::basic::from_utf8(record) {
        Ok(text) => Ok(text),
        Err(_) => Ok(std::str::from_utf8(record)?),
    }
}

/// The format of a JSON record, told by its keys.
fn of_json(record: &str) -> Result<Format, DecodeError> {
    if record.trim_start().starts_with('[') {
        return Ok(Format::JsonRpc);
    }
    if let Some(format) = first_key(record).and_then(telling_key) {
        return Ok(format);
    }
    serde_json::from_str::<Keys>(record)?.format().ok_or(DecodeError::UnknownFormat)
}

/// Decodes records one by one. Holds nothing but addresses already read and
/// templates of records, so the order of records never changes what they mean.
#[derive(Debug, Default)]
pub struct Decoder {
    format: Option<Format>,
    /// The format of the last record.
    last: Option<Format>,
    cache: AddressCache,
    plain: Shapes<()>,
    java_tron: java_tron::LogShapes,
}

impl Decoder {
    /// A decoder of one format, or of all mixed.
    pub fn new(format: Option<Format>) -> Self {
        Decoder { format, ..Decoder::default() }
    }

    /// The format of the record that was decoded last, if it was recognised.
    pub fn last_format(&self) -> Option<Format> {
        self.last
    }

    /// Decodes a record, JSON or compact, and appends what it means, at least one value.
    ///
    /// # Errors
    /// If the record is of no supported format or does not hold what its format
    /// promises. `out` is then as it was.
    pub fn decode(&mut self, record: &[u8], out: &mut Vec<Decoded>) -> Result<(), DecodeError> {
        let is_compact = || self.format.is_none() && compact::is_compact(record);
        if self.format == Some(Format::Compact) || is_compact() {
            self.last = Some(Format::Compact);
            return compact::decode(record, out);
        }
        self.last = self.format;
        let text = text(record)?;
        let format = match self.format {
            Some(format) => format,
            None => of_json(text)?,
        };
        self.last = Some(format);
        match format {
            Format::Plain => plain::decode(text, &mut self.cache, &mut self.plain, out),
            Format::JavaTron => java_tron::decode(text, &mut self.cache, &mut self.java_tron, out),
            Format::EthereumEtl => ethereum_etl::decode(text, &mut self.cache, out),
            Format::JsonRpc => json_rpc::decode(text, out),
            Format::Slice | Format::Compact => Err(DecodeError::UnknownFormat),
        }
    }

    /// Decodes a row of a CSV file and appends what it means.
    ///
    /// # Errors
    /// If a column is missing or does not hold what its format promises. `out`
    /// is then as it was.
    pub fn decode_row(
        &mut self,
        layout: &CsvLayout,
        row: &csv::ByteRecord,
        out: &mut Vec<Decoded>,
    ) -> Result<(), DecodeError> {
        let decoded = match &layout.0 {
            Columns::Plain(at) => plain::event(texts(&plain::COLUMNS, at, row)?, &mut self.cache),
            Columns::Slice(at) => slice::event(texts(&slice::COLUMNS, at, row)?, &mut self.cache),
        }?;
        out.push(decoded);
        Ok(())
    }
}

/// Which column of a CSV file holds what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvLayout(Columns);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Columns {
    Plain([Option<usize>; plain::COLUMNS.len()]),
    Slice([Option<usize>; slice::COLUMNS.len()]),
}

impl CsvLayout {
    /// Recognises a header row. Columns may stand in any order, and others
    /// between them.
    ///
    /// # Errors
    /// [`DecodeError::InvalidCsv`], naming what the nearest format misses.
    pub fn from_header<'a>(
        columns: impl IntoIterator<Item = &'a str>,
    ) -> Result<CsvLayout, DecodeError> {
        // A file may begin with a byte order mark.
        let header: Vec<&str> =
            columns.into_iter().map(|name| name.trim_start_matches('\u{feff}').trim()).collect();
        if header.contains(&"value_raw") {
            return locate(&header, &slice::COLUMNS, &[]).map(|at| CsvLayout(Columns::Slice(at)));
        }
        locate(&header, &plain::COLUMNS, &plain::OPTIONAL).map(|at| CsvLayout(Columns::Plain(at)))
    }

    /// The format of the rows.
    pub const fn format(&self) -> Format {
        match self.0 {
            Columns::Plain(_) => Format::Plain,
            Columns::Slice(_) => Format::Slice,
        }
    }
}

fn locate<const N: usize>(
    header: &[&str],
    columns: &[&str; N],
    optional: &[&str],
) -> Result<[Option<usize>; N], DecodeError> {
    let at = columns.map(|column| header.iter().position(|name| *name == column));
    let missing: Vec<&str> = columns
        .iter()
        .zip(at)
        .filter(|(column, at)| at.is_none() && !optional.contains(column))
        .map(|(column, _)| *column)
        .collect();
    if missing.is_empty() {
        return Ok(at);
    }
    let detail = format!("no column {} in `{}`", missing.join(", "), header.join(","));
    Err(DecodeError::InvalidCsv { detail: shown(&detail) })
}

/// The texts of a row's columns; a column that the header leaves out is empty.
fn texts<'a, const N: usize>(
    columns: &[&'static str; N],
    at: &[Option<usize>; N],
    row: &'a csv::ByteRecord,
) -> Result<[&'a str; N], DecodeError> {
    let mut texts = [""; N];
    for ((text, column), at) in texts.iter_mut().zip(columns).zip(at) {
        if let Some(at) = at {
            let bytes = row.get(*at).ok_or(DecodeError::MissingField { field: column })?;
            *text = std::str::from_utf8(bytes)?;
        }
    }
    Ok(texts)
}

/// The first key of an object, read without parsing what follows.
fn first_key(record: &str) -> Option<&str> {
    let inner = record.trim_start().strip_prefix('{')?.trim_start().strip_prefix('"')?;
    inner.split_once('"').map(|(key, _)| key)
}

/// The format of which a key tells by itself. Sources write these keys first.
fn telling_key(key: &str) -> Option<Format> {
    match key {
        "triggerName" | "timeStamp" => Some(Format::JavaTron),
        "type" | "item_id" => Some(Format::EthereumEtl),
        "jsonrpc" => Some(Format::JsonRpc),
        "chain" => Some(Format::Plain),
        _ => None,
    }
}

/// The keys of an object that tell its format, wherever they stand.
#[derive(Default)]
struct Keys {
    telling: Option<Format>,
    topics: bool,
    parent_hash: bool,
}

impl Keys {
    fn see(&mut self, key: &str) {
        // `type` stands in java-tron's and JSON-RPC's objects of other kinds
        // too, so a key seen before it wins.
        self.telling = self.telling.or(telling_key(key));
        self.topics |= key == "topics";
        self.parent_hash |= key == "parentHash";
    }

    fn format(&self) -> Option<Format> {
        let log_or_header = (self.topics || self.parent_hash).then_some(Format::JsonRpc);
        self.telling.or(log_or_header)
    }
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeysVisitor;
        impl<'de> Visitor<'de> for KeysVisitor {
            type Value = Keys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Keys::default();
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    keys.see(&key);
                    map.next_value::<IgnoredAny>()?;
                }
                Ok(keys)
            }
        }
        deserializer.deserialize_map(KeysVisitor)
    }
}
