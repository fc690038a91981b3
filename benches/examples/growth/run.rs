//! One engine over accounts that all had units before the first event.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use flow_benches::limit::{Records, ends};
use flow_benches::long_past::{BLOCK_TRANSFERS, Stream, case, key, timed, timed_with};
use flow_benches::timing::{Timing, each, float};
use flow_core::{Action, Address, Block, Case, Effect, Engine, EngineConfig, Event, Source};

/// What each account holds before the first event: 100 USDT.
const OPENING: u64 = 100_000_000;

/// Coprime to every number of accounts used here: neighbours in rank are none in
/// the order in which the engine learns of them.
const SPREAD: u64 = 2_654_435_761;

/// Blocks of as many transfers as a segment takes, so that each window seals one.
const WINDOW: usize = 17_476;

/// Windows that are timed, unless they take long.
const WINDOWS: usize = 3;
const LONG: Duration = Duration::from_secs(8);

/// An engine that was given its accounts, and the stream that it follows.
pub(crate) struct Run {
    engine: Engine,
    stream: Stream,
    accounts: u64,
}

impl Run {
    /// Accounts with opening balances, and cases.
    pub(crate) fn opened(accounts: u64, cases: &[Case]) -> Run {
        Run::set(EngineConfig::default(), accounts, cases)
    }

    /// The same with an engine that recommends nothing.
    pub(crate) fn without_desk(accounts: u64, cases: &[Case]) -> Run {
        let config = EngineConfig { freeze_min_units: u64::MAX, ..EngineConfig::default() };
        Run::set(config, accounts, cases)
    }

    fn set(config: EngineConfig, accounts: u64, cases: &[Case]) -> Run {
        let mut engine = Engine::new(EngineConfig { alert_min_units: 1_000_000_000, ..config });
        let mut ranks = vec![0; usize::try_from(accounts).expect("fits")];
        for rank in 0..accounts {
            ranks[number(rank, accounts) as usize] = u32::try_from(rank).expect("32 bits");
        }
        for ranks in ranks.chunks(1 << 20) {
            let balances: Vec<_> =
                ranks.iter().map(|rank| (key(u64::from(*rank)), OPENING)).collect();
            engine.load_opening(&balances).expect("no block was applied");
        }
        let mut run = Run { engine, stream: Stream::over(accounts, OPENING), accounts };
        for case in cases {
            run.open(case);
        }
        // The first segment introduces all accounts, which is not what a later
        // transfer costs.
        timed(&mut run.engine, run.stream.by_ref().take(1));
        run.engine.seal().expect("memory takes it");
        // From here on a segment is sealed in the middle of each window.
        timed(&mut run.engine, run.stream.by_ref().take(WINDOW / 2));
        run
    }

    /// Opens a case.
    pub(crate) fn open(&mut self, case: &Case) {
        let mut effects = Vec::new();
        self.engine.apply(Event::CaseOpened(case.clone()), &mut effects).expect("the case opens");
    }

    /// Goes on for so many windows that are not timed.
    pub(crate) fn warm_up(&mut self, windows: usize) {
        timed(&mut self.engine, self.stream.by_ref().take(windows * WINDOW));
    }

    /// The time for one transfer, in some windows, and what was told meanwhile.
    pub(crate) fn timing(&mut self) -> (Timing, Told) {
        let (mut windows, mut all) = (Vec::new(), Duration::ZERO);
        let (mut alerts, mut recommendations) = (0u32, 0u32);
        while windows.len() < WINDOWS && all < LONG {
            let took = timed_with(&mut self.engine, self.stream.by_ref().take(WINDOW), |effects| {
                for effect in effects {
                    match effect {
                        Effect::Raise(_) => alerts += 1,
                        Effect::Recommend(_) => recommendations += 1,
                        _ => {}
                    }
                }
            });
            all += took;
            windows.push(each(took, WINDOW as u64 * BLOCK_TRANSFERS));
        }
        let transfers = float(windows.len() * WINDOW) * float(BLOCK_TRANSFERS);
        let told = Told {
            alerts: float(alerts) / transfers,
            recommendations: float(recommendations) / transfers,
        };
        (Timing::of(windows), told)
    }

    /// The same, with what senders held: the mean of what is so before and after
    /// the windows.
    pub(crate) fn timing_with_taint(&mut self) -> (Timing, Told, Taint) {
        let before = self.cases_by_account();
        let (timing, told) = self.timing();
        let after = self.cases_by_account();
        let blocks: Vec<Block> = self.stream.by_ref().take(WINDOW / 16).collect();
        let (before, after) = (Taint::of(&blocks, &before), Taint::of(&blocks, &after));
        let mean = Taint {
            share: f64::midpoint(before.share, after.share),
            cases: f64::midpoint(before.cases, after.cases),
        };
        (timing, told, mean)
    }

    /// How many cases have tainted an account that any has.
    fn cases_by_account(&self) -> HashMap<Address, u32> {
        let mut cases = HashMap::new();
        for (_, row) in self.engine.taint_rows() {
            *cases.entry(row.account.address).or_default() += 1;
        }
        cases
    }

    /// What memory allows over the next transfers of the same stream. The engine
    /// goes, to make room.
    pub(crate) fn limit(self) -> Limit {
        let Run { engine, mut stream, accounts } = self;
        drop(engine);
        let mut next = || ends(stream.by_ref().take(WINDOW), |rank| number(rank, accounts));
        let (first, windows) = (next(), [next(), next(), next()]);
        let mut records = Records::new(usize::try_from(accounts).expect("fits"));
        records.plain(&first);
        let median = |times: [Duration; 3]| {
            Timing::of(times.map(|took| each(took, first.len())).to_vec()).median
        };
        Limit {
            plain: median(windows.each_ref().map(|window| records.plain(window))),
            ahead: median(windows.each_ref().map(|window| records.prefetched(window))),
            read: median(windows.each_ref().map(|window| records.chased(window))) / 2.0,
        }
    }
}

/// What the engine told, for each transfer.
pub(crate) struct Told {
    pub(crate) alerts: f64,
    pub(crate) recommendations: f64,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}, {:.2}", self.alerts, self.recommendations)
    }
}

/// What memory allows, in ns.
pub(crate) struct Limit {
    /// For each transfer.
    pub(crate) plain: f64,
    /// For each transfer, records asked for ahead.
    pub(crate) ahead: f64,
    /// For one read that waits for the one before it.
    pub(crate) read: f64,
}

/// A case of those wallets.
pub(crate) fn wallets(ranks: &[u64], min_units: u64, max_hops: Option<u32>) -> Case {
    let source = |rank: &u64| Source::Wallet { account: key(*rank), since_block: 0 };
    let first = case(&format!("case-{:08}", ranks[0]), ranks[0], min_units);
    Case { sources: ranks.iter().map(source).collect(), max_hops, ..first }
}

/// The place of an account in the order in which the engine learns of them.
fn number(rank: u64, accounts: u64) -> u32 {
    u32::try_from(rank * SPREAD % accounts).expect("fewer than 2^32 accounts")
}

/// What the senders of transfers hold.
pub(crate) struct Taint {
    /// Of so many percent of transfers the sender holds tainted units.
    pub(crate) share: f64,
    /// Of so many cases, as a mean over all transfers.
    pub(crate) cases: f64,
}

impl Taint {
    fn of(blocks: &[Block], cases: &HashMap<Address, u32>) -> Taint {
        let events: Vec<_> = blocks.iter().flat_map(|block| &block.events).collect();
        let of = |action: &Action| match action {
            Action::Transfer { from, .. } => cases.get(from).copied(),
            _ => None,
        };
        let found: Vec<u32> = events.iter().filter_map(|event| of(&event.action)).collect();
        let all = float(events.len());
        Taint {
            share: 100.0 * float(found.len()) / all,
            cases: float(found.iter().sum::<u32>()) / all,
        }
    }
}
