//! The messages of docs/schemas/compact.proto, as they are written.

use flow_core::{Action, Address, Block, Chain, LedgerEvent};

/// Begins every record: the letters USDT.
pub(super) const MAGIC: u32 = u32::from_le_bytes(*b"USDT");

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct BlockMessage {
    #[prost(fixed32, tag = "2")]
    magic: u32,
    #[prost(enumeration = "ChainCode", tag = "3")]
    chain: i32,
    #[prost(uint64, optional, tag = "4")]
    number: Option<u64>,
    #[prost(uint64, optional, tag = "5")]
    timestamp_ms: Option<u64>,
    #[prost(bytes = "vec", tag = "6")]
    hash: Vec<u8>,
    #[prost(bytes = "vec", tag = "7")]
    parent_hash: Vec<u8>,
    #[prost(uint64, optional, tag = "8")]
    solid: Option<u64>,
    #[prost(message, repeated, tag = "9")]
    events: Vec<EventMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct EventMessage {
    #[prost(bytes = "vec", tag = "1")]
    tx: Vec<u8>,
    #[prost(uint32, optional, tag = "2")]
    log_index: Option<u32>,
    #[prost(enumeration = "Kind", tag = "3")]
    kind: i32,
    #[prost(bytes = "vec", tag = "4")]
    from: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    to: Vec<u8>,
    #[prost(uint64, tag = "6")]
    amount: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum ChainCode {
    Unspecified = 0,
    Ethereum = 1,
    Tron = 2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum Kind {
    Unspecified = 0,
    Transfer = 1,
    Issue = 2,
    Redeem = 3,
    Destroy = 4,
    BlacklistAdd = 5,
    BlacklistRemove = 6,
}

impl BlockMessage {
    pub(super) fn new(block: &Block, solid: Option<u64>) -> BlockMessage {
        let chain = match block.chain {
            Chain::Ethereum => ChainCode::Ethereum,
            Chain::Tron => ChainCode::Tron,
        };
        BlockMessage {
            magic: MAGIC,
            chain: chain.into(),
            number: Some(block.number),
            timestamp_ms: Some(block.timestamp_ms),
            hash: block.hash.map(|hash| hash.0.to_vec()).unwrap_or_default(),
            parent_hash: Vec::new(),
            solid,
            events: block.events.iter().filter_map(EventMessage::new).collect(),
        }
    }
}

impl EventMessage {
    fn new(event: &LedgerEvent) -> Option<EventMessage> {
        let (kind, from, to, amount) = match event.action {
            Action::Transfer { from, to, amount } => (Kind::Transfer, Some(from), Some(to), amount),
            Action::Issue { to, amount } => (Kind::Issue, None, Some(to), amount),
            Action::Redeem { from, amount } => (Kind::Redeem, Some(from), None, amount),
            Action::Destroy { account, amount } => (Kind::Destroy, Some(account), None, amount),
            Action::BlacklistAdd { account } => (Kind::BlacklistAdd, Some(account), None, 0),
            Action::BlacklistRemove { account } => (Kind::BlacklistRemove, Some(account), None, 0),
            Action::Multisig(_) => return None,
        };
        let bytes = |address: Option<Address>| address.map(|a| a.0.to_vec()).unwrap_or_default();
        Some(EventMessage {
            tx: event.tx.0.to_vec(),
            log_index: event.log_index,
            kind: kind.into(),
            from: bytes(from),
            to: bytes(to),
            amount,
        })
    }
}
