//! The recorded slice of TRON that comes with usdt-flow.

use std::io::Read;

use flow_codec::address;
use flow_core::{Action, Block, Chain, LedgerEvent};

pub(crate) const SLICE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/data/tron_trc20_56804500_56805500.csv.gz");

const USDT: &str = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t";

/// The USDT transfers of the slice, read without the decoders.
pub(crate) fn blocks() -> Vec<Block> {
    let file = std::fs::File::open(SLICE).expect("the slice lies in the repository");
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("gzip of UTF-8");
    let mut blocks: Vec<Block> = Vec::new();
    for row in text.lines().skip(1) {
        let columns: Vec<&str> = row.split(',').collect();
        let [number, seconds, _, index, tx, contract, from, to, value] = columns[..] else {
            panic!("nine columns: {row}");
        };
        if contract != USDT {
            continue;
        }
        let number = number.parse().expect("a block number");
        if blocks.last().is_none_or(|block| block.number != number) {
            let timestamp_ms = seconds.parse::<u64>().expect("seconds") * 1_000;
            let (chain, events) = (Chain::Tron, Vec::new());
            blocks.push(Block { chain, number, hash: None, timestamp_ms, events });
        }
        let account = |text| address::parse(Chain::Tron, text).expect("an address");
        blocks.last_mut().expect("pushed").events.push(LedgerEvent {
            tx: address::parse_tx(tx).expect("a hash"),
            log_index: Some(index.parse().expect("a log index")),
            position: 0,
            action: Action::Transfer {
                from: account(from),
                to: account(to),
                amount: value.parse().expect("an amount"),
            },
        });
    }
    blocks
}
