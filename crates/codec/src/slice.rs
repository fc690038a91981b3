//! Slices of a TRON ledger's TRC-20 transfers, as CSV.
//!
//! What always holds: every row is a `Transfer` of some token; those of other
//! tokens than USDT are ignored without a look at their amounts, which are
//! often larger than any amount of USDT.

use flow_core::{Action, Chain};

use crate::address::{AddressCache, parse_tx};
use crate::error::DecodeError;
use crate::field::{parse_amount, parse_u32, parse_u64, to_millis};
use crate::tether::usdt;
use crate::{ChainAction, ChainEvent, Decoded, Ignored, LogIndex};

const CHAIN: Chain = Chain::Tron;

/// The columns, in the order in which [`event`] takes them.
pub(crate) const COLUMNS: [&str; 8] =
    ["block_number", "timestamp_s", "log_index", "tx_hash", "contract", "from", "to", "value_raw"];

/// Decodes the texts of the [`COLUMNS`].
pub(crate) fn event(
    fields: [&str; COLUMNS.len()],
    cache: &mut AddressCache,
) -> Result<Decoded, DecodeError> {
    let [block, seconds, log_index, tx, contract, from, to, value] = fields;
    let mut address = |field, text| cache.parse(CHAIN, text).map_err(|error| error.at(field));
    if address("contract", contract)? != usdt(CHAIN) {
        return Ok(Decoded::Ignored(Ignored::ForeignContract));
    }
    let action = Action::Transfer {
        from: address("from", from)?,
        to: address("to", to)?,
        amount: parse_amount("value_raw", value)?,
    };
    let seconds = parse_u64("timestamp_s", seconds)?;
    Ok(Decoded::Event(ChainEvent {
        chain: CHAIN,
        block: parse_u64("block_number", block)?,
        block_hash: None,
        timestamp_ms: Some(to_millis("timestamp_s", seconds)?),
        tx: parse_tx(tx).map_err(|error| error.at("tx_hash"))?,
        index: Some(LogIndex::InBlock(parse_u32("log_index", log_index)?)),
        action: ChainAction::Ledger(action),
        removed: false,
        solid: None,
    }))
}
