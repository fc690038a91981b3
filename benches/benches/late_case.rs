//! A case opened late: through a past of millions of transfers that lies in
//! segments already.
//!
//! Accounts are drawn with power-law degrees, fixed seed; new money comes in
//! amounts log-uniform between 0.01 and 10,000 USDT, and goes on in random shares. `FLOW_BENCH_TRANSFERS` sets the length of the
//! past; accounts are a quarter of it.

use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flow_core::{
    AccountKey, Action, Address, Block, Case, Chain, Engine, EngineConfig, Event, LateTrace,
    LedgerEvent, Policy, Source, TxHash,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Transfers in a block of TRON at a busy hour.
const BLOCK_TRANSFERS: u64 = 60;

fn transfers() -> u64 {
    let text = std::env::var("FLOW_BENCH_TRANSFERS").ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(2_000_000)
}

fn address(account: u64) -> Address {
    let mut bytes = [0x5a; 20];
    bytes[..8].copy_from_slice(&account.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes[8..16].copy_from_slice(&account.to_be_bytes());
    Address(bytes)
}

fn key(account: u64) -> AccountKey {
    AccountKey { chain: Chain::Tron, address: address(account) }
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

/// An engine with so many transfers behind it.
fn past(transfers: u64, policies: &[Policy]) -> Engine {
    let accounts = transfers / 4;
    let mut random = Pcg64Mcg::seed_from_u64(7);
    let mut balances = vec![0_u64; usize::try_from(accounts).expect("fits")];
    let mut engine = Engine::new(EngineConfig {
        policies: policies.to_vec(),
        alert_min_units: 1_000_000_000,
        defer_late: true,
        ..EngineConfig::default()
    });
    let mut effects = Vec::new();
    for number in 0..transfers / BLOCK_TRANSFERS {
        let event = |position: u64| {
            let (from, to) = (draw(&mut random, accounts), draw(&mut random, accounts));
            let mut tx = [0; 32];
            tx[..8].copy_from_slice(&random.random::<u64>().to_be_bytes());
            tx[8..16].copy_from_slice(&(number * BLOCK_TRANSFERS + position).to_be_bytes());
            let ends = [from, to].map(|account| usize::try_from(account).expect("fits"));
            let amount = amount(&mut random, balances[ends[0]]).max(1);
            balances[ends[0]] = balances[ends[0]].saturating_sub(amount);
            balances[ends[1]] += amount;
            let action = Action::Transfer { from: address(from), to: address(to), amount };
            let log_index = u32::try_from(position).ok();
            LedgerEvent { tx: TxHash(tx), log_index, position: 0, action }
        };
        let block = Block {
            chain: Chain::Tron,
            number,
            hash: None,
            timestamp_ms: 1_700_000_000_000 + number * 3_000,
            events: (0..BLOCK_TRANSFERS).map(event).collect(),
        };
        engine.apply(Event::BlockCommitted(block), &mut effects).expect("the block applies");
    }
    engine.seal().expect("memory takes it");
    let memory = engine.memory();
    let hundredths = |bytes: u64| bytes * 100 / memory.sealed_transfers as u64;
    let (rest, hashes) = (memory.segment_bytes - memory.hash_bytes, memory.hash_bytes);
    println!(
        "{} transfers, {} accounts, {} segments: {} hundredths of a byte a transfer, and {} of hashes",
        memory.sealed_transfers,
        engine.stats().accounts,
        memory.segments,
        hundredths(rest),
        hundredths(hashes),
    );
    engine
}

fn case(account: u64, min_units: u64) -> Case {
    Case {
        id: "late".to_owned(),
        title: None,
        category: None,
        sources: vec![Source::Wallet { account: key(account), since_block: 0 }],
        min_units,
        max_hops: None,
    }
}

fn open(engine: &mut Engine, case: &Case) -> LateTrace {
    let mut effects = Vec::new();
    engine.apply(Event::CaseOpened(case.clone()), &mut effects).expect("the case opens");
    engine.take_late().pop().expect("there is a past")
}

fn close(engine: &mut Engine) {
    let mut effects = Vec::new();
    engine.apply(Event::CaseClosed("late".to_owned()), &mut effects).expect("the case closes");
}

fn late_case(c: &mut Criterion) {
    let transfers = transfers();
    let accounts = transfers / 4;
    for policy in [Policy::Haircut, Policy::Fifo] {
        let mut engine = past(transfers, &[policy]);
        let mut group = c.benchmark_group(format!("late_case/{}", policy.name()));
        group.throughput(Throughput::Elements(transfers)).sample_size(10);
        group.measurement_time(Duration::from_secs(10));
        for (name, account, min_units) in [
            ("a_hub_exactly", accounts / 1000, 0),
            ("a_hub_above_1_usdt", accounts / 1000, 1_000_000),
            ("a_small_wallet_above_1_usdt", accounts - 2, 1_000_000),
        ] {
            let case = case(account, min_units);
            let mut late = open(&mut engine, &case);
            late.run().expect("segments in memory can be read");
            let touched = late.touched();
            close(&mut engine);
            group.bench_function(BenchmarkId::new(name, format!("{touched}_touched")), |bencher| {
                bencher.iter_batched(
                    || {
                        close(&mut engine);
                        open(&mut engine, &case)
                    },
                    |mut late| {
                        late.run().expect("segments in memory can be read");
                        late
                    },
                    BatchSize::PerIteration,
                );
            });
            close(&mut engine);
        }
        group.finish();
    }
}

criterion_group!(benches, late_case);
criterion_main!(benches);
