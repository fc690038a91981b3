//! Invented events, of which every so many raise alerts.
//!
//! Ordinary transfers go between residents; a flagged one leaves the wallet of
//! the case for a wallet that was never seen before, which makes two alerts:
//! the source moved, and a wallet received tainted units for the first time.
//! Which events are flagged has nothing to do with their place in a block.

use flow_core::{
    AccountKey, Action, Address, Block, BlockHash, Case, Chain, LedgerEvent, Source, TxHash,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::cli::LatencyArgs;

const SEED: u64 = 1;
const RESIDENTS: usize = 10_000;
const FIRST_BLOCK: u64 = 80_000_000;

/// 2026-01-01T00:00:00Z.
const START_MS: u64 = 1_767_225_600_000;

/// One USDT.
const AMOUNT: u64 = 1_000_000;

/// One event, alone in its ledger entry, and whether it is flagged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) tx: TxHash,
    pub(super) flagged: bool,
}

/// Makes blocks without end.
#[derive(Clone, Debug)]
pub(super) struct Traffic {
    random: Pcg64Mcg,
    chain: Chain,
    source: Address,
    residents: Vec<Address>,
    rate: u64,
    block_records: u64,
    alert_percent: u64,
    number: u64,
}

impl Traffic {
    /// As the arguments say.
    pub(super) fn new(args: &LatencyArgs) -> Traffic {
        let mut random = Pcg64Mcg::seed_from_u64(SEED);
        Traffic {
            chain: args.format.chain(),
            source: Address(random.random()),
            residents: (0..RESIDENTS).map(|_| Address(random.random())).collect(),
            random,
            rate: args.rate,
            block_records: args.block_records,
            alert_percent: args.alert_percent,
            number: 0,
        }
    }

    /// The case whose wallet flagged transfers leave.
    pub(super) fn case(&self) -> Case {
        let account = AccountKey { chain: self.chain, address: self.source };
        Case {
            id: "latency".to_owned(),
            title: None,
            category: None,
            sources: vec![Source::Wallet { account, since_block: 0 }],
            min_units: 0,
            max_hops: None,
        }
    }

    /// The next block; `quiet`: with one event, which is not flagged.
    pub(super) fn next_block(&mut self, quiet: bool) -> (Block, Vec<Made>) {
        let count = if quiet { 1 } else { self.block_records };
        let made: Vec<(LedgerEvent, Made)> = (0..count).map(|at| self.event(at, quiet)).collect();
        let number = FIRST_BLOCK + self.number;
        let mut hash: [u8; 32] = self.random.random();
        // The hash of a block of TRON begins with its number.
        hash[..8].copy_from_slice(&number.to_be_bytes());
        let block = Block {
            chain: self.chain,
            number,
            hash: Some(BlockHash(hash)),
            timestamp_ms: START_MS + self.number * self.block_records * 1_000 / self.rate,
            events: made.iter().map(|(event, _)| *event).collect(),
        };
        self.number += 1;
        (block, made.into_iter().map(|(_, made)| made).collect())
    }

    fn event(&mut self, at: u64, quiet: bool) -> (LedgerEvent, Made) {
        let flagged = self.random.random_range(0..100) < self.alert_percent && !quiet;
        let (from, to) = if flagged {
            (self.source, Address(self.random.random()))
        } else {
            (self.resident(), self.resident())
        };
        let tx = TxHash(self.random.random());
        let action = Action::Transfer { from, to, amount: AMOUNT };
        let log_index = u32::try_from(at).ok();
        (LedgerEvent { tx, log_index, position: 0, action }, Made { tx, flagged })
    }

    fn resident(&mut self) -> Address {
        self.residents[self.random.random_range(0..self.residents.len())]
    }
}
