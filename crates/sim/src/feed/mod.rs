//! Blocks written as the records in which users have them.
//!
//! Each function takes one block and gives its records in ledger order, shaped
//! as the producing program shapes them, key order and spacing included. A
//! chain that a format cannot carry gives no records. What always holds: a
//! decoder that reads the records back finds the same events.
//!
//! Deliberately absent: transactions other than those that submit something to
//! the issuer's multisig wallet.

mod compact;
mod ethereum;
mod log;
mod plain;
mod submission;
mod tron;

pub use compact::{compact, compact_file};
pub use ethereum::{ethereum_etl_log, ethereum_etl_token_transfer, json_rpc_log};
pub use log::{ETHEREUM_OWNER, TRON_OWNER};
pub use plain::{PLAIN_CSV_HEADER, plain_csv, plain_json};
pub use submission::{AddressWord, submissions};
pub use tron::{java_tron, java_tron_block_trigger};
