//! Records as a node sends them, and a listener that applies what comes out.

use super::*;

/// A record for an assembler.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    Event(ChainEvent),
    Header(BlockHeader),
}

impl Told {
    pub(super) fn number(&self) -> u64 {
        match self {
            Told::Event(event) => event.block,
            Told::Header(header) => header.number,
        }
    }
}

/// A block of a node's chain.
#[derive(Clone, Debug)]
pub(super) struct Chained {
    pub(super) number: u64,
    pub(super) branch: u8,
    pub(super) txs: Vec<u8>,
}

impl Chained {
    pub(super) fn events(&self) -> impl Iterator<Item = ChainEvent> {
        self.txs.iter().map(|tx| told(self.number, self.branch, *tx))
    }
}

pub(super) fn hash(number: u64, branch: u8) -> BlockHash {
    let mut bytes = [branch; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    BlockHash(bytes)
}

/// The one event of transaction `tx`, in that block; it moves `tx` units.
pub(super) fn told(number: u64, branch: u8, tx: u8) -> ChainEvent {
    let event = transfer(number, tx, LogIndex::InTx(1), 1, 2, u64::from(tx));
    ChainEvent { block_hash: Some(hash(number, branch)), ..event }
}

pub(super) fn removed(event: ChainEvent) -> ChainEvent {
    ChainEvent { removed: true, ..event }
}

pub(super) fn header_of(block: &Chained) -> BlockHeader {
    let transactions = block.txs.iter().map(|tx| TxHash([*tx; 32])).collect();
    BlockHeader {
        hash: Some(hash(block.number, block.branch)),
        ..header(block.number, transactions)
    }
}

pub(super) fn removed_header(header: &BlockHeader) -> BlockHeader {
    BlockHeader { removed: true, ..header.clone() }
}

/// Applies what an assembler puts out, as a ledger would.
pub(super) struct Listener {
    pub(super) assembler: Assembler,
    blocks: Vec<Block>,
    finalized: Option<u64>,
    pub(super) log: Vec<String>,
}

impl Listener {
    pub(super) fn new(window_blocks: usize) -> Listener {
        let config = AssemblerConfig { window_blocks, ..AssemblerConfig::default() };
        Listener::with(config)
    }

    pub(super) fn with(config: AssemblerConfig) -> Listener {
        let assembler = Assembler::new(Chain::Tron, config);
        Listener { assembler, blocks: Vec::new(), finalized: None, log: Vec::new() }
    }

    pub(super) fn push(&mut self, record: Told) -> Result<(), Dropped> {
        match record {
            Told::Event(event) => self.assembler.push(event),
            Told::Header(header) => self.assembler.push_header(header),
        }
    }

    /// Takes a record that must not be refused.
    pub(super) fn hear(&mut self, record: Told) {
        let shown = match &record {
            Told::Event(event) => {
                let sign = if event.removed { '-' } else { '+' };
                let branch = event.block_hash.map(|hash| hash.0[31]);
                format!("{sign}{} {branch:?} tx {}", event.block, event.tx.0[0])
            }
            Told::Header(header) => {
                let sign = if header.removed { '-' } else { '+' };
                format!("{sign}{} {:?} header", header.number, header.hash.map(|hash| hash.0[31]))
            }
        };
        let result = self.push(record);
        self.log.push(format!("{shown}: {result:?}"));
        assert!(matches!(result, Ok(()) | Err(Dropped::Duplicate)), "{:#?}", self.log);
    }

    pub(super) fn release(&mut self, below: u64) {
        let mut out = Vec::new();
        self.assembler.release(below, &mut out);
        self.check();
        self.apply(out);
    }

    pub(super) fn flush(&mut self) {
        let mut out = Vec::new();
        self.assembler.flush(&mut out);
        self.check();
        self.apply(out);
    }

    pub(super) fn image(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.assembler.image().encode(&mut bytes);
        bytes
    }

    /// Puts a restored assembler in the place of this one.
    pub(super) fn restore(&mut self, config: AssemblerConfig) {
        let bytes = self.image();
        let restored = Assembler::restore(Chain::Tron, config, &bytes);
        self.assembler = restored.unwrap_or_else(|error| panic!("{error}: {:#?}", self.log));
        assert_eq!(self.image(), bytes, "{:#?}", self.log);
    }

    /// Events are counted as they are remembered.
    fn check(&self) {
        let held = self.assembler.heights.values().filter(|height| height.applied.is_none());
        let held: usize = held.map(Height::len).sum();
        assert_eq!(self.assembler.held_events, held, "{:#?}", self.log);
    }

    /// The blocks that stand, each with its events in order of amount.
    pub(super) fn stands(&self) -> Vec<(u64, Option<BlockHash>, Vec<u64>)> {
        let block = |block: &Block| {
            let mut amounts = amounts(block);
            amounts.sort_unstable();
            (block.number, block.hash, amounts)
        };
        self.blocks.iter().map(block).collect()
    }

    fn apply(&mut self, out: Vec<Assembled>) {
        self.log.extend(shown(&out));
        for item in out {
            match item {
                Assembled::Block(block) => {
                    let last = self.blocks.last().map(|block| block.number);
                    assert!(Some(block.number) > last.max(self.finalized), "{:#?}", self.log);
                    self.blocks.push(block);
                }
                Assembled::Reverted { number, .. } => {
                    assert!(Some(number) > self.finalized, "{:#?}", self.log);
                    self.blocks.retain(|block| block.number < number);
                }
                Assembled::Final { number, .. } => {
                    let last = self.blocks.last().map(|block| block.number);
                    let told = Some(number);
                    assert!(told > self.finalized && told <= last, "{:#?}", self.log);
                    self.finalized = told;
                }
                Assembled::Gap(_) => {}
            }
        }
    }
}
