//! What the feed writes, the decoders read back: the same events in the same
//! blocks, in every format.

use flow_codec::{Assembled, Assembler, AssemblerConfig, CsvLayout, Decoded, Decoder, Format};
use flow_core::{Action, Address, Block, BlockHash, Chain, LedgerEvent, MultisigAction, TxHash};
use flow_sim::feed;
use flow_sim::workload::{Workload, WorkloadConfig};

fn owner(chain: Chain) -> Address {
    match chain {
        Chain::Ethereum => feed::ETHEREUM_OWNER,
        Chain::Tron => feed::TRON_OWNER,
    }
}

/// A block with every kind of event, each in a transaction of its own but the
/// first two.
fn every_kind(chain: Chain) -> Block {
    let (a, b) = (Address([0x11; 20]), Address([0xab; 20]));
    let actions = [
        Action::Transfer { from: a, to: b, amount: 1_968_510_000 },
        Action::Transfer { from: b, to: a, amount: u64::MAX },
        Action::Transfer { from: a, to: a, amount: 0 },
        Action::Issue { to: owner(chain), amount: 1_000_000_000_000 },
        Action::Redeem { from: owner(chain), amount: 5 },
        Action::Destroy { account: b, amount: 7 },
        Action::BlacklistAdd { account: b },
        Action::BlacklistRemove { account: b },
        Action::Multisig(MultisigAction::Submission { id: Some(4_000), call: None }),
        Action::Multisig(MultisigAction::Confirmation { id: 4_000, owner: a }),
        Action::Multisig(MultisigAction::Revocation { id: 4_000, owner: a }),
        Action::Multisig(MultisigAction::Execution { id: 4_000 }),
        Action::Multisig(MultisigAction::ExecutionFailure { id: 4_000 }),
        Action::Multisig(MultisigAction::RequirementChange { required: 4 }),
    ];
    let mut hash = [9; 32];
    hash[..8].copy_from_slice(&77_u64.to_be_bytes());
    let event = |(place, action): (u8, &Action)| LedgerEvent {
        tx: TxHash([place.max(1); 32]),
        log_index: Some(u32::from(place) * 2),
        position: u32::from(place == 1),
        action: *action,
    };
    Block {
        chain,
        number: 77,
        hash: Some(BlockHash(hash)),
        timestamp_ms: 1_767_225_600_000,
        events: (0..).zip(&actions).map(event).collect(),
    }
}

fn sample(chain: Chain) -> Vec<Block> {
    let config = WorkloadConfig {
        blocks: 60,
        accounts: 100,
        transfers_per_block: 8,
        chains: vec![chain],
        ..WorkloadConfig::default()
    };
    let mut blocks = vec![every_kind(chain)];
    blocks.extend(Workload::new(config));
    blocks
}

/// Decodes the records and puts them into blocks again.
fn read(chain: Chain, format: Format, records: &[String]) -> Vec<Block> {
    let mut decoder = Decoder::new(Some(format));
    let mut decoded = Vec::new();
    for record in records {
        decoder.decode(record.as_bytes(), &mut decoded).unwrap_or_else(|error| {
            panic!("{error}: {record}");
        });
    }
    assemble(chain, decoded)
}

fn assemble(chain: Chain, decoded: Vec<Decoded>) -> Vec<Block> {
    let mut assembler = Assembler::new(chain, AssemblerConfig::default());
    let mut out = Vec::new();
    for one in decoded {
        match one {
            Decoded::Event(event) => assembler.push(event).expect("in order, each once"),
            Decoded::Header(header) => assembler.push_header(header).expect("in order, each once"),
            other => panic!("nothing else is written: {other:?}"),
        }
    }
    assembler.flush(&mut out);
    let block = |assembled| match assembled {
        Assembled::Block(block) => Some(block),
        Assembled::Gap(_) | Assembled::Reverted { .. } | Assembled::Final { .. } => None,
    };
    out.into_iter().filter_map(block).collect()
}

/// The blocks with what a format does not carry taken out.
fn reduced(
    blocks: &[Block],
    keep: impl Fn(&Action) -> bool,
    strip: impl Fn(&mut Block),
) -> Vec<Block> {
    let mut blocks: Vec<Block> = blocks.to_vec();
    for block in &mut blocks {
        block.events.retain(|event| keep(&event.action));
        strip(block);
    }
    blocks.retain(|block| !block.events.is_empty());
    blocks
}

fn is_ledger_event(action: &Action) -> bool {
    !matches!(action, Action::Multisig(_))
}

fn forget_indices(block: &mut Block) {
    for event in &mut block.events {
        event.log_index = None;
    }
}

#[test]
fn json_rpc_reads_back_whole_on_both_chains() {
    for chain in Chain::ALL {
        let blocks = sample(chain);
        let records: Vec<String> = blocks.iter().flat_map(feed::json_rpc_log).collect();
        let read = read(chain, Format::JsonRpc, &records);
        assert_eq!(read, reduced(&blocks, |_| true, |_| {}));
    }
}

#[test]
fn ethereum_etl_logs_read_back_whole() {
    let blocks = sample(Chain::Ethereum);
    let records: Vec<String> = blocks.iter().flat_map(feed::ethereum_etl_log).collect();
    let read = read(Chain::Ethereum, Format::EthereumEtl, &records);
    assert_eq!(read, reduced(&blocks, |_| true, |_| {}));
}

#[test]
fn ethereum_etl_token_transfers_read_back_as_transfers() {
    let blocks = sample(Chain::Ethereum);
    let records: Vec<String> = blocks.iter().flat_map(feed::ethereum_etl_token_transfer).collect();
    let read = read(Chain::Ethereum, Format::EthereumEtl, &records);
    let is_transfer = |action: &Action| matches!(action, Action::Transfer { .. });
    assert_eq!(read, reduced(&blocks, is_transfer, |_| {}));
}

#[test]
fn java_tron_reads_back_with_its_own_log_numbers() {
    let blocks = sample(Chain::Tron);
    let records: Vec<String> = blocks.iter().flat_map(feed::java_tron).collect();
    let mut read = read(Chain::Tron, Format::JavaTron, &records);
    // Logs are numbered from 1 in each transaction.
    assert_eq!(read[0].events[0].log_index, Some(1));
    assert_eq!(read[0].events[1].log_index, Some(2));
    assert_eq!(read[0].events[2].log_index, Some(1));
    read.iter_mut().for_each(forget_indices);
    assert_eq!(read, reduced(&blocks, |_| true, forget_indices));
}

#[test]
fn java_tron_block_triggers_agree_with_the_blocks() {
    let blocks = sample(Chain::Tron);
    for block in &blocks {
        let record = feed::java_tron_block_trigger(block).expect("a TRON block");
        let mut decoded = Vec::new();
        Decoder::new(Some(Format::JavaTron)).decode(record.as_bytes(), &mut decoded).unwrap();
        let headers: Vec<_> = decoded
            .iter()
            .filter_map(|one| match one {
                Decoded::Header(header) => Some(header),
                _ => None,
            })
            .collect();
        assert_eq!(headers.len(), 1);
        let header = headers[0];
        assert_eq!((header.number, header.hash), (block.number, block.hash));
        assert_eq!(header.timestamp_ms, block.timestamp_ms);
        let mut txs: Vec<TxHash> = block.events.iter().map(|event| event.tx).collect();
        txs.dedup();
        assert_eq!(header.transactions, txs);
    }
}

#[test]
fn plain_json_reads_back_whole() {
    for chain in Chain::ALL {
        let blocks = sample(chain);
        let records: Vec<String> = blocks.iter().flat_map(feed::plain_json).collect();
        let read = read(chain, Format::Plain, &records);
        assert_eq!(read, reduced(&blocks, is_ledger_event, |block| block.hash = None));
    }
}

#[test]
fn compact_reads_back_whole_with_the_hashes() {
    for chain in Chain::ALL {
        let blocks = sample(chain);
        let mut decoder = Decoder::new(None);
        let mut decoded = Vec::new();
        for block in &blocks {
            decoder.decode(&feed::compact(block), &mut decoded).unwrap();
        }
        assert_eq!(assemble(chain, decoded), reduced(&blocks, is_ledger_event, |_| {}));
    }
}

#[test]
fn plain_csv_reads_back_whole() {
    for chain in Chain::ALL {
        let blocks = sample(chain);
        let layout = CsvLayout::from_header(feed::PLAIN_CSV_HEADER.split(',')).unwrap();
        let mut decoder = Decoder::new(Some(Format::Plain));
        let mut decoded = Vec::new();
        for row in blocks.iter().flat_map(feed::plain_csv) {
            let row: csv::ByteRecord = row.split(',').collect::<Vec<_>>().into();
            decoder.decode_row(&layout, &row, &mut decoded).unwrap();
        }
        let read = assemble(chain, decoded);
        assert_eq!(read, reduced(&blocks, is_ledger_event, |block| block.hash = None));
    }
}

#[test]
fn formats_of_one_chain_write_nothing_for_the_other() {
    let (ethereum, tron) = (every_kind(Chain::Ethereum), every_kind(Chain::Tron));
    assert!(feed::java_tron(&ethereum).is_empty());
    assert!(feed::java_tron_block_trigger(&ethereum).is_none());
    assert!(feed::ethereum_etl_log(&tron).is_empty());
    assert!(feed::ethereum_etl_token_transfer(&tron).is_empty());
}

/// A message as a node writes it, and the same transfer from the feed.
#[test]
fn java_tron_has_the_shape_of_the_node() {
    let block = Block {
        chain: Chain::Tron,
        number: 56_804_500,
        hash: Some(BlockHash(hex_array(
            "000000000362c4944eb432a1ee064b4d43fdb99a353821801317cb61e257b52c",
        ))),
        timestamp_ms: 1_701_046_164_000,
        events: vec![LedgerEvent {
            tx: TxHash(hex_array(
                "0f2703829ae116c95c8ff07fd0a5e354ad91a0a27482bf2b8b0990678a1b1b46",
            )),
            log_index: Some(0),
            position: 0,
            action: Action::Transfer {
                from: Address(hex_array("80fdfd8d08fd1596cda08d4099d5a55dba9369e1")),
                to: Address(hex_array("cebabc6a66da33d2135f11207d6ab88b82829813")),
                amount: 1_968_510_000,
            },
        }],
    };
    let message = r#"{"timeStamp":1701046164000,"triggerName":"contractEventTrigger","uniqueId":"0f2703829ae116c95c8ff07fd0a5e354ad91a0a27482bf2b8b0990678a1b1b46_1","transactionId":"0f2703829ae116c95c8ff07fd0a5e354ad91a0a27482bf2b8b0990678a1b1b46","contractAddress":"TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t","callerAddress":"","originAddress":"TMjFmBGydHZNYGjGxgmvpNbz3m3DjqUkHh","creatorAddress":"THPvaUhoh2Qn2y9THCZML3H815hhFhn5YC","blockNumber":56804500,"blockHash":"000000000362c4944eb432a1ee064b4d43fdb99a353821801317cb61e257b52c","removed":false,"latestSolidifiedBlockNumber":56804481,"logInfo":null,"rawData":{"address":"a614f803b6fd780986a42c78ec9c7f77e6ded13c","topics":["ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef","00000000000000000000000080fdfd8d08fd1596cda08d4099d5a55dba9369e1","000000000000000000000000cebabc6a66da33d2135f11207d6ab88b82829813"],"data":"0000000000000000000000000000000000000000000000000000000075551430"},"abi":null,"eventSignature":"Transfer(address,address,uint256)","eventSignatureFull":"Transfer(address from,address to,uint256 value)","eventName":"Transfer","topicMap":{"0":"TMjFmBGydHZNYGjGxgmvpNbz3m3DjqUkHh","1":"TUpHuDkiCCmwaTZBHZvQdwWzGNm5t8J2b9","from":"TMjFmBGydHZNYGjGxgmvpNbz3m3DjqUkHh","to":"TUpHuDkiCCmwaTZBHZvQdwWzGNm5t8J2b9"},"dataMap":{"2":"1968510000","value":"1968510000"}}"#;
    assert_eq!(feed::java_tron(&block), [message]);
}

fn hex_array<const N: usize>(text: &str) -> [u8; N] {
    let bytes = hex::decode(text).expect("hex digits");
    bytes.try_into().expect("as long as it should be")
}
