//! The plain event format of usdt-flow, CSV and JSON Lines.
//!
//! What always holds: both shapes carry the same texts and go through the same
//! [`event`]; fields that do not apply to an event are not looked at.

use flow_core::{Action, Address, Chain};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::address::{AddressCache, parse_chain, parse_tx};
use crate::error::{DecodeError, shown};
use crate::field::{self, scalar_text};
use crate::shape::{Shapes, Step};
use crate::{ChainAction, ChainEvent, Decoded, LogIndex};

/// The columns, in the order in which [`event`] takes them.
pub(crate) const COLUMNS: [&str; 9] =
    ["chain", "block", "log_index", "timestamp", "tx", "event", "from", "to", "amount"];

/// Columns that a file may leave out.
pub(crate) const OPTIONAL: [&str; 2] = ["log_index", "timestamp"];

/// One JSON line. Numbers may be numbers or strings.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    chain: Option<&'a RawValue>,
    block: Option<&'a RawValue>,
    log_index: Option<&'a RawValue>,
    timestamp: Option<&'a RawValue>,
    tx: Option<&'a RawValue>,
    event: Option<&'a RawValue>,
    from: Option<&'a RawValue>,
    to: Option<&'a RawValue>,
    amount: Option<&'a RawValue>,
}

/// The role of a value: its column.
fn role(path: &[Step<'_>]) -> Option<usize> {
    match path {
        [Step::Key(name)] => COLUMNS.iter().position(|column| column == name),
        _ => None,
    }
}

/// Decodes one JSON line.
pub(crate) fn decode(
    text: &str,
    cache: &mut AddressCache,
    shapes: &mut Shapes<()>,
    out: &mut Vec<Decoded>,
) -> Result<(), DecodeError> {
    if let Some((values, ())) = shapes.fit(text) {
        out.push(event(values.map(Option::unwrap_or_default), cache)?);
        return Ok(());
    }
    let record: Record<'_> = serde_json::from_str(text)?;
    let fields = [
        scalar_text(record.chain)?,
        scalar_text(record.block)?,
        scalar_text(record.log_index)?,
        scalar_text(record.timestamp)?,
        scalar_text(record.tx)?,
        scalar_text(record.event)?,
        scalar_text(record.from)?,
        scalar_text(record.to)?,
        scalar_text(record.amount)?,
    ];
    let told = fields.each_ref().map(AsRef::as_ref);
    out.push(event(told, cache)?);
    shapes.learn(text, (), role, |values| values.map(Option::unwrap_or_default) == told);
    Ok(())
}

/// Decodes the texts of the [`COLUMNS`]; one that is absent is empty.
pub(crate) fn event(
    fields: [&str; COLUMNS.len()],
    cache: &mut AddressCache,
) -> Result<Decoded, DecodeError> {
    let [chain, block, log_index, timestamp, tx, name, from, to, amount] = fields;
    let chain = parse_chain(needed("chain", chain)?)?;
    let row = Row { chain, from, to, amount };
    let action = row.action(needed("event", name)?, cache)?;
    let index = given(log_index).map(|text| field::parse_u32("log_index", text)).transpose()?;
    let time = given(timestamp).map(|text| field::parse_u64("timestamp", text)).transpose()?;
    Ok(Decoded::Event(ChainEvent {
        chain,
        block: field::parse_u64("block", needed("block", block)?)?,
        block_hash: None,
        timestamp_ms: time,
        tx: parse_tx(needed("tx", tx)?)?,
        index: index.map(LogIndex::InBlock),
        action: ChainAction::Ledger(action),
        removed: false,
        solid: None,
    }))
}

/// The fields that depend on the event.
struct Row<'a> {
    chain: Chain,
    from: &'a str,
    to: &'a str,
    amount: &'a str,
}

impl Row<'_> {
    fn action(&self, name: &str, cache: &mut AddressCache) -> Result<Action, DecodeError> {
        let mut address = |field, text| self.address(field, text, cache);
        Ok(match name {
            "transfer" => Action::Transfer {
                from: address("from", self.from)?,
                to: address("to", self.to)?,
                amount: self.amount()?,
            },
            "issue" => Action::Issue { to: address("to", self.to)?, amount: self.amount()? },
            "redeem" => {
                Action::Redeem { from: address("from", self.from)?, amount: self.amount()? }
            }
            "destroy" => {
                Action::Destroy { account: address("from", self.from)?, amount: self.amount()? }
            }
            "blacklist_add" => Action::BlacklistAdd { account: address("from", self.from)? },
            "blacklist_remove" => Action::BlacklistRemove { account: address("from", self.from)? },
            other => return Err(DecodeError::UnknownEvent { name: shown(other) }),
        })
    }

    fn address(
        &self,
        field: &'static str,
        text: &str,
        cache: &mut AddressCache,
    ) -> Result<Address, DecodeError> {
        cache.parse(self.chain, needed(field, text)?).map_err(|error| error.at(field))
    }

    fn amount(&self) -> Result<u64, DecodeError> {
        field::parse_amount("amount", needed("amount", self.amount)?)
    }
}

fn given(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn needed<'a>(field: &'static str, text: &'a str) -> Result<&'a str, DecodeError> {
    field::required(field, given(text))
}
