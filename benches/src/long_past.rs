//! An invented past of millions of transfers: accounts a quarter of them, drawn
//! with power-law degrees, fixed seed; new money comes in amounts log-uniform
//! between 0.01 and 10,000 USDT, and goes on in random shares.

use std::time::{Duration, Instant};

use flow_core::{
    AccountKey, Action, Address, Block, Case, Chain, Effect, Engine, EngineConfig, Event,
    LedgerEvent, Source, TxHash,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Transfers in a block of TRON at a busy hour.
pub const BLOCK_TRANSFERS: u64 = 60;

/// Blocks of TRON that can be reverted.
const REVERTIBLE: u64 = 19;

/// Blocks that are made before the clock runs: as many as caches hold, since
/// the engine gets blocks that were made a moment ago.
const AHEAD: usize = 64;

/// How long the past is to be.
pub fn transfers(usual: u64) -> u64 {
    let text = std::env::var("FLOW_BENCH_TRANSFERS").ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn address(account: u64) -> Address {
    let mut bytes = [0x5a; 20];
    bytes[..8].copy_from_slice(&account.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes[8..16].copy_from_slice(&account.to_be_bytes());
    Address(bytes)
}

/// The account of that rank; those of low ranks are busy.
pub fn key(account: u64) -> AccountKey {
    AccountKey { chain: Chain::Tron, address: address(account) }
}

/// The rank of the account at that address.
pub(crate) fn rank(address: &Address) -> u64 {
    u64::from_be_bytes(address.0[8..16].try_into().expect("eight bytes"))
}

/// An account drawn by a power law: few take part in most transfers.
fn draw(random: &mut Pcg64Mcg, accounts: u64) -> u64 {
    let bits: u64 = random.random();
    // The cube of a uniform number: of 5 million accounts the first takes part
    // in one transfer of a hundred, half of all in one or two.
    let uniform = u128::from(bits >> 32);
    let cubed = (uniform * uniform * uniform) >> 64;
    u64::try_from((cubed * u128::from(accounts)) >> 32).expect("below the number of accounts")
}

/// A share of what the sender holds, so that money goes on; who holds less than
/// a USDT brings new money from before the first event.
fn amount(random: &mut Pcg64Mcg, balance: u64) -> u64 {
    if balance < 1_000_000 {
        let magnitude = random.random_range(13..34);
        return random.random_range(1 << magnitude..2 << magnitude);
    }
    let share = u128::from(random.random::<u64>() >> 48) + 1;
    u64::try_from((u128::from(balance) * share) >> 16).expect("no more than the balance")
}

/// An engine with so many transfers behind it; where blocks can be reverted,
/// those older than [`REVERTIBLE`] are final.
pub fn played(transfers: u64, config: EngineConfig, cases: &[Case]) -> Engine {
    let revertible = config.revertible;
    let mut engine = Engine::new(config);
    let mut effects = Vec::new();
    for case in cases {
        engine.apply(Event::CaseOpened(case.clone()), &mut effects).expect("the case opens");
    }
    for block in Stream::new(transfers) {
        let number = block.number;
        engine.apply(Event::BlockCommitted(block), &mut effects).expect("the block applies");
        if revertible && number > REVERTIBLE {
            let last = Event::BlockFinalized { chain: Chain::Tron, number: number - REVERTIBLE };
            engine.apply(last, &mut effects).expect("finality rises");
        }
        effects.clear();
    }
    engine
}

/// The time that the engine takes for the blocks; they are made beside the clock.
pub fn timed(engine: &mut Engine, blocks: impl Iterator<Item = Block>) -> Duration {
    timed_with(engine, blocks, |_| {})
}

/// The same; what the engine has told of each block is looked at, within the
/// time.
pub fn timed_with(
    engine: &mut Engine,
    mut blocks: impl Iterator<Item = Block>,
    mut look: impl FnMut(&[Effect]),
) -> Duration {
    let mut effects = Vec::new();
    let mut took = Duration::ZERO;
    loop {
        let ahead: Vec<_> = blocks.by_ref().take(AHEAD).collect();
        if ahead.is_empty() {
            return took;
        }
        let began = Instant::now();
        for block in ahead {
            engine.apply(Event::BlockCommitted(block), &mut effects).expect("the block applies");
            look(&effects);
            effects.clear();
        }
        took += began.elapsed();
    }
}

/// The blocks of so many transfers, one after the other.
#[derive(Debug)]
pub struct Stream {
    random: Pcg64Mcg,
    accounts: u64,
    balances: Vec<u64>,
    numbers: std::ops::Range<u64>,
}

impl Stream {
    /// Always the same for as many transfers; accounts are a quarter of them, and
    /// begin empty.
    pub fn new(transfers: u64) -> Stream {
        Stream { numbers: 0..transfers / BLOCK_TRANSFERS, ..Stream::over(transfers / 4, 0) }
    }

    /// Without an end, over so many accounts that hold so many units each.
    pub fn over(accounts: u64, units: u64) -> Stream {
        Stream {
            random: Pcg64Mcg::seed_from_u64(7),
            accounts,
            balances: vec![units; usize::try_from(accounts).expect("fits")],
            numbers: 0..u64::MAX,
        }
    }
}

impl Iterator for Stream {
    type Item = Block;

    fn next(&mut self) -> Option<Block> {
        let number = self.numbers.next()?;
        Some(block(&mut self.random, self.accounts, number, &mut self.balances))
    }
}

/// The block of that number.
fn block(random: &mut Pcg64Mcg, accounts: u64, number: u64, balances: &mut [u64]) -> Block {
    let event = |position: u64| {
        let (from, to) = (draw(random, accounts), draw(random, accounts));
        let mut tx = [0; 32];
        tx[..8].copy_from_slice(&random.random::<u64>().to_be_bytes());
        tx[8..16].copy_from_slice(&(number * BLOCK_TRANSFERS + position).to_be_bytes());
        let ends = [from, to].map(|account| usize::try_from(account).expect("fits"));
        let amount = amount(random, balances[ends[0]]).max(1);
        balances[ends[0]] = balances[ends[0]].saturating_sub(amount);
        balances[ends[1]] += amount;
        let log_index = u32::try_from(position).ok();
        let action = Action::Transfer { from: address(from), to: address(to), amount };
        LedgerEvent { tx: TxHash(tx), log_index, position: 0, action }
    };
    Block {
        chain: Chain::Tron,
        number,
        hash: None,
        timestamp_ms: 1_700_000_000_000 + number * 3_000,
        events: (0..BLOCK_TRANSFERS).map(event).collect(),
    }
}

/// A case of one wallet.
pub fn case(id: &str, account: u64, min_units: u64) -> Case {
    Case {
        id: id.to_owned(),
        title: None,
        category: None,
        sources: vec![Source::Wallet { account: key(account), since_block: 0 }],
        min_units,
        max_hops: None,
    }
}

/// Cases of wallets spread evenly over the ranks of so many accounts.
pub fn cases(count: u64, accounts: u64, min_units: u64) -> Vec<Case> {
    let wallet = |at: u64| (2 * at + 1) * accounts / (2 * count);
    (0..count).map(|at| case(&format!("case-{at:05}"), wallet(at), min_units)).collect()
}
