//! What the demo shows: records in order, with the cases to follow.

use std::collections::{BTreeMap, BTreeSet};

use flow_codec::{Assembled, Assembler, AssemblerConfig, CsvLayout, Decoded, Decoder};
use flow_core::{AccountKey, Action, Address, Block, Case, Chain, Label, Source};
use flow_sim::feed;
use flow_sim::workload::{Workload, WorkloadConfig};

use crate::knowledge::Knowledge;

/// 1,001 blocks of TRON mainnet; see `data/NOTICE.md`.
const SLICE: &[u8] = include_bytes!("../../data/tron_trc20_56804500_56805500.csv.gz");

/// Wallets of the slice whose units travel far. Accused of nothing.
const FLAGGED: [(&str, &str); 3] = [
    ("demo-a", "TBDsNZ6SzozMUAJ9rWctBq1KFH4RTPmEUY"),
    ("demo-b", "TUVYkDqoVnsCvmxcoTG3MYYC1GQpumFLpb"),
    ("demo-c", "TS1WcxnLZ4JYEzCkz12aKHaESsmdxFvgP3"),
];

/// A wallet of the slice that deals with so many others is taken for a service
/// of unknown name.
const BUSY_COUNTERPARTIES: usize = 60;

/// Topics of the demo's inputs, below its prefix, with their chains.
pub const TOPICS: [(&str, Chain); 3] = [
    ("tron.contractevent", Chain::Tron),
    ("ethereum.logs", Chain::Ethereum),
    ("ethereum.token_transfers", Chain::Ethereum),
];

/// What happens in the demo.
pub struct Story {
    /// Cases, labels and opening balances.
    pub known: Knowledge,
    /// Blocks in the order of time.
    pub blocks: Vec<Block>,
    /// What to say before it begins.
    pub introduction: String,
}

impl Story {
    /// Invented traffic of both chains with planted crimes.
    pub fn invented(seed: u64, blocks: u64) -> Story {
        let workload = Workload::new(WorkloadConfig { seed, blocks, ..WorkloadConfig::default() });
        let planted = workload.planted();
        let known = Knowledge {
            cases: planted.cases,
            labels: planted.labels,
            opening: workload.opening().to_vec(),
        };
        let introduction = format!(
            "Invented traffic of TRON and Ethereum (seed {seed}) with {} planted crimes. \
             Every name and address is made up.",
            known.cases.len()
        );
        Story { known, blocks: workload.collect(), introduction }
    }

    /// Recorded transfers of TRON mainnet.
    pub fn recorded() -> anyhow::Result<Story> {
        let blocks = slice_blocks()?;
        let labels = busy_wallets(&blocks);
        let cases = FLAGGED.map(|(id, wallet)| flagged(id, wallet)).into_iter().collect();
        let introduction = format!(
            "29,047 real USDT transfers of TRON mainnet, 2023-11-27 00:49 to 01:39 UTC.\n\
             The three wallets flagged here are accused of nothing: they were chosen because \
             their units travel far within the hour.\n\
             {} wallets with {BUSY_COUNTERPARTIES} counterparties or more are taken for services \
             of unknown name.",
            labels.len()
        );
        let known = Knowledge { cases, labels, opening: Vec::new() };
        Ok(Story { known, blocks, introduction })
    }
}

/// The records of a block, each with the rank of its topic in [`TOPICS`].
/// Ethereum is told twice, as ethereum-etl does; each event counts once.
pub(super) fn records(block: &Block) -> Vec<(usize, String)> {
    let tag = |topic: usize, records: Vec<String>| {
        records.into_iter().map(move |record| (topic, record)).collect::<Vec<_>>()
    };
    match block.chain {
        Chain::Tron => tag(0, feed::java_tron(block)),
        Chain::Ethereum => {
            let mut records = tag(1, feed::ethereum_etl_log(block));
            records.extend(tag(2, feed::ethereum_etl_token_transfer(block)));
            records
        }
    }
}

/// Records that are not what they should be, for the dead-letter topic: cut
/// off, and with an address that fails its checksum.
pub(super) fn poison() -> [(usize, String); 2] {
    let cut = r#"{"triggerName":"contractEventTrigger","uniqueId":"0f27"#.to_owned();
    let checksum = r#"{"chain":"tron","block":1,"log_index":0,"timestamp":1,"tx":"00","event":"transfer","from":"TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u","to":"TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t","amount":1}"#
        .to_owned();
    [(0, cut), (0, checksum)]
}

fn slice_blocks() -> anyhow::Result<Vec<Block>> {
    let plain = flate2::read::GzDecoder::new(SLICE);
    let mut reader = csv::Reader::from_reader(plain);
    let layout = CsvLayout::from_header(reader.headers()?.iter())?;
    let mut decoder = Decoder::new(None);
    let mut assembler = Assembler::new(Chain::Tron, AssemblerConfig::default());
    let (mut decoded, mut out) = (Vec::new(), Vec::new());
    for row in reader.byte_records() {
        decoder.decode_row(&layout, &row?, &mut decoded)?;
        for item in decoded.drain(..) {
            if let Decoded::Event(event) = item {
                assembler.push(event)?;
            }
        }
        assembler.release(u64::MAX, &mut out);
    }
    assembler.flush(&mut out);
    let block = |item| match item {
        Assembled::Block(block) => Some(block),
        Assembled::Gap(_) | Assembled::Reverted { .. } | Assembled::Final { .. } => None,
    };
    Ok(out.into_iter().filter_map(block).collect())
}

fn busy_wallets(blocks: &[Block]) -> Vec<Label> {
    let mut partners: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
    for event in blocks.iter().flat_map(|block| &block.events) {
        if let Action::Transfer { from, to, amount } = event.action
            && amount > 0
        {
            partners.entry(from).or_default().insert(to);
            partners.entry(to).or_default().insert(from);
        }
    }
    let busy = partners.into_iter().filter(|(_, others)| others.len() >= BUSY_COUNTERPARTIES);
    let label = |(rank, (address, _)): (usize, (Address, BTreeSet<Address>))| Label {
        account: AccountKey { chain: Chain::Tron, address },
        entity: format!("unnamed service {:02}", rank + 1),
        kind: "busy".to_owned(),
        stop: true,
    };
    busy.enumerate().map(label).collect()
}

fn flagged(id: &str, wallet: &str) -> Case {
    let address =
        flow_codec::address::parse(Chain::Tron, wallet).expect("the addresses above are valid");
    let account = AccountKey { chain: Chain::Tron, address };
    Case {
        id: id.to_owned(),
        title: Some("flagged for the demo, accused of nothing".to_owned()),
        category: None,
        sources: vec![Source::Wallet { account, since_block: 0 }],
        min_units: 1_000_000,
        max_hops: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_story_is_the_whole_slice() {
        let story = Story::recorded().unwrap();
        let moved =
            story.blocks.iter().flat_map(|block| &block.events).map(|event| match event.action {
                Action::Transfer { amount, .. } => u128::from(amount),
                _ => 0,
            });
        assert_eq!(moved.clone().count(), 29_047);
        assert_eq!(moved.sum::<u128>(), 167_913_949_867_410);
        assert_eq!(story.known.labels.len(), 49);
    }

    #[test]
    fn poison_is_not_readable() {
        for (_, record) in poison() {
            let mut out = Vec::new();
            assert!(Decoder::new(None).decode(record.as_bytes(), &mut out).is_err());
        }
    }
}
