//! Records as sources send them.

use flow_core::{Block, Chain};
use flow_sim::feed;

/// What a record tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Header,
    Event,
}

/// A record of a source.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) kind: Kind,
    pub(crate) height: u64,
    /// The same for all records of one event of one block.
    pub(crate) key: u64,
    pub(crate) payload: Vec<u8>,
}

/// How a source tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Whether it sends headers of blocks.
    pub(crate) headers: bool,
    /// Whether it sends headers of blocks that are taken back.
    pub(crate) removed_headers: bool,
    /// Whether it takes the newest block back first.
    pub(crate) top_down: bool,
    /// How far the last block that it tells to be final lies below the one told
    /// of; `None`: it tells of none.
    pub(crate) solid_lag: Option<u64>,
}

impl Style {
    /// What is told of a block that is adopted.
    pub(crate) fn told(&self, block: &Block) -> Vec<Sent> {
        let header = self.headers.then(|| self.header(block, false));
        header.into_iter().chain(self.events(block, false)).collect()
    }

    /// What is told of a block that is left.
    pub(crate) fn taken_back(&self, block: &Block) -> Vec<Sent> {
        let header = (self.headers && self.removed_headers).then(|| self.header(block, true));
        header.into_iter().chain(self.events(block, true)).collect()
    }

    fn header(&self, block: &Block, removed: bool) -> Sent {
        let text = match block.chain {
            Chain::Tron => feed::java_tron_block_trigger(block).expect("a block of TRON"),
            Chain::Ethereum => ethereum_header(block),
        };
        self.sent(Kind::Header, block, 0, &text, removed)
    }

    fn events(&self, block: &Block, removed: bool) -> Vec<Sent> {
        let texts = match block.chain {
            Chain::Tron => feed::java_tron(block),
            Chain::Ethereum => feed::json_rpc_log(block),
        };
        let sent =
            |(rank, text): (u64, String)| self.sent(Kind::Event, block, rank + 1, &text, removed);
        (0..).zip(texts).map(sent).collect()
    }

    fn sent(&self, kind: Kind, block: &Block, rank: u64, text: &str, removed: bool) -> Sent {
        let mut text = match removed {
            true => text.replace("\"removed\":false", "\"removed\":true"),
            false => text.to_owned(),
        };
        if block.chain == Chain::Tron {
            let solid = |number: u64| format!("\"latestSolidifiedBlockNumber\":{number}");
            let told = self.solid_lag.map_or(0, |lag| block.number.saturating_sub(lag));
            text = text.replace(&solid(block.number.saturating_sub(19)), &solid(told));
        }
        let hash = block.hash.expect("every block has one").0;
        let branch = u64::from_be_bytes(hash[16..24].try_into().expect("eight bytes"));
        let key = (branch * 64 + rank).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        Sent { kind, height: block.number, key, payload: text.into_bytes() }
    }
}

/// A header as `eth_subscribe` sends it, but for what nobody reads.
fn ethereum_header(block: &Block) -> String {
    let hash = block.hash.expect("every block has one");
    format!(
        "{{\"parentHash\":\"0x{:064x}\",\"hash\":\"0x{}\",\"number\":\"0x{:x}\",\
         \"timestamp\":\"0x{:x}\",\"removed\":false}}",
        0,
        hash.0.map(|byte| format!("{byte:02x}")).concat(),
        block.number,
        block.timestamp_ms / 1_000,
    )
}

/// Records that nobody can take, by chain.
pub(crate) fn poison(chain: Chain, variant: usize) -> Vec<u8> {
    let foreign = match chain {
        Chain::Tron => "ethereum",
        Chain::Ethereum => "tron",
    };
    let other_chain = format!(
        "{{\"chain\":\"{foreign}\",\"block\":7,\"log_index\":0,\"tx\":\"{:064x}\",\
         \"event\":\"transfer\",\"from\":\"0x{:040x}\",\"to\":\"0x{:040x}\",\"amount\":1}}",
        1, 0xaaaa_aaaa_u32, 0xbbbb_bbbb_u32
    );
    let choices: [&[u8]; 6] = [
        b"",
        b"{\"triggerName\":\"contractEventTrigger\",\"blo",
        b"\xff\xfe\x00",
        b"{\"triggerName\":\"nothingKnown\"}",
        b"{\"hello\":\"world\"}",
        other_chain.as_bytes(),
    ];
    choices[variant % choices.len()].to_vec()
}
