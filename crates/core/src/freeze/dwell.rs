//! How long tainted units stay in wallets of a kind, and what follows for one
//! that holds some now.
//!
//! A stay begins when the greatest claim on a wallet reaches
//! `freeze_min_units`, and ends when half of the most it held has left. Where
//! the wallet is frozen, its funds are burnt or its case is closed, and where
//! the stay goes on still, nobody knows how long it would have been: it is
//! censored. From both the life table (Kaplan and Meier over buckets, with the
//! actuarial half of those censored in a bucket; Cutler and Ederer 1958) gives
//! the share that stays for longer than some time. Its variance is Greenwood's
//! (1926), and the interval is Wilson's (1927) for as many observations as
//! would have that variance (Rothman 1978), never more than are known to have
//! left in the time in question or to have outlasted it.
//!
//! Each prediction is held against what came: see [`Calibration`]. What always
//! holds: only stays that were seen from their beginning count.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::ages::Ages;
use crate::movement::AccountId;
use crate::{Amount, Chain};

/// Where each bucket begins, in minutes.
const MINUTES: [u64; BUCKETS] = [
    0, 1, 2, 5, 10, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1_080, 1_440, 2_160, 2_880, 4_320,
    7_200, 10_080, 20_160, 43_200,
];
pub(super) const BUCKETS: usize = 23;
const KINDS: usize = WalletKind::ALL.len();
const GROUPS: usize = Chain::ALL.len() * KINDS;
const BINS: usize = 10;

/// Fewer outcomes of a kind say too little: then those of all kinds count.
const KNOWN_MIN: u64 = 20;

const PPM: u64 = 1_000_000;

/// What is counted: stays that ended and that were censored, by group and
/// bucket; predictions by tenth, with their sum and those that held.
pub(crate) const CELLS: usize = GROUPS * 2 * BUCKETS + BINS * 3;

/// The kind of a wallet, as far as it tells how fast units move on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum WalletKind {
    /// A source of the case.
    Source,
    /// One transfer from a source.
    FirstHop,
    /// Further away.
    Further,
    /// A deposit address of a service.
    Deposit,
}

impl WalletKind {
    /// Every kind.
    pub const ALL: [WalletKind; 4] =
        [WalletKind::Source, WalletKind::FirstHop, WalletKind::Further, WalletKind::Deposit];

    /// The name used in records.
    pub const fn name(self) -> &'static str {
        match self {
            WalletKind::Source => "source",
            WalletKind::FirstHop => "first_hop",
            WalletKind::Further => "further",
            WalletKind::Deposit => "deposit",
        }
    }
}

/// The chance that tainted units are still in a wallet after the usual lag of
/// a freeze, in parts per million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chance {
    /// The middle of the interval: with few outcomes it lies near a half.
    pub ppm: u32,
    /// The interval that holds the true chance in 95 of 100 cases.
    pub low_ppm: u32,
    /// Its upper end.
    pub high_ppm: u32,
    /// Which wallets it is drawn from; `None`: those of every kind on the
    /// chain, as too few of this one are known.
    pub kind: Option<WalletKind>,
    /// Outcomes that it rests on: wallets seen to be emptied between now and
    /// the lag, counted from the beginning of the stay, or to outlast it.
    pub outcomes: u64,
    /// For how long the wallet has held them, milliseconds.
    pub held_ms: u64,
    /// The usual lag, milliseconds.
    pub lag_ms: u64,
    /// How earlier predictions like it have fared.
    pub calibration: Calibration,
}

/// Earlier predictions of the same tenth, made when a recommendation was
/// raised, of which the outcome is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calibration {
    /// How many.
    pub trials: u64,
    /// The chance that they named, on average.
    pub expected_ppm: u32,
    /// The share of them whose units were still there after the lag.
    pub kept_ppm: u32,
}

/// Tainted units in a wallet, from their arrival on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stay {
    pub(crate) chain: Chain,
    pub(crate) kind: WalletKind,
    pub(crate) since_ms: u64,
    /// The most that it held, by the greatest claim.
    pub(crate) peak: Amount,
    /// It was seen from its beginning.
    pub(crate) whole: bool,
    /// When a prediction is due, and the chance that it named.
    pub(crate) trial: Option<(u64, u32)>,
}

/// How a stay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The units left.
    Left,
    /// Nobody knows when they would have.
    Censored,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Dwell {
    pub(crate) cells: Vec<u64>,
    pub(crate) stays: HashMap<AccountId, Stay, FixedState>,
    /// By group: stays that go on and are seen whole.
    open: [Ages; GROUPS],
    /// By chain: which prediction is due when.
    trials: [BTreeSet<(u64, AccountId)>; 2],
}

impl Default for Dwell {
    fn default() -> Dwell {
        Dwell {
            cells: vec![0; CELLS],
            stays: HashMap::default(),
            open: Default::default(),
            trials: Default::default(),
        }
    }
}

/// Stays of a chain as of some moment, by kind: how many ended in which bucket,
/// and how many are censored there.
#[derive(Clone, Debug)]
pub(crate) struct Tables([Table; KINDS]);

#[derive(Clone, Copy, Debug, Default)]
struct Table {
    left: [u64; BUCKETS],
    censored: [u64; BUCKETS],
}

impl Dwell {
    /// With these counts and stays.
    pub(crate) fn of(cells: Vec<u64>, stays: BTreeMap<AccountId, Stay>) -> Dwell {
        let mut dwell = Dwell { cells, ..Dwell::default() };
        for (account, stay) in stays {
            dwell.put(account, Some(stay));
        }
        dwell
    }

    /// A stay in place of the one that was there.
    pub(super) fn put(&mut self, account: AccountId, stay: Option<Stay>) -> Option<Stay> {
        let before = match stay {
            Some(stay) => self.stays.insert(account, stay),
            None => self.stays.remove(&account),
        };
        if let Some(before) = before {
            if before.whole {
                self.open[group(before.chain, before.kind)].remove(before.since_ms);
            }
            if let Some((due, _)) = before.trial {
                self.trials[before.chain.index()].remove(&(due, account));
            }
        }
        if let Some(stay) = stay {
            if stay.whole {
                self.open[group(stay.chain, stay.kind)].add(stay.since_ms);
            }
            if let Some((due, _)) = stay.trial {
                self.trials[stay.chain.index()].insert((due, account));
            }
        }
        before
    }

    /// The cells that an end at that time adds to, and by how much.
    pub(super) fn ended(stay: &Stay, end: End, now_ms: u64) -> Vec<(usize, u64)> {
        let mut adds = Vec::new();
        if stay.whole {
            let bucket = bucket(now_ms.saturating_sub(stay.since_ms));
            adds.push((cell(group(stay.chain, stay.kind), end, bucket), 1));
        }
        if let Some((due, predicted)) = stay.trial
            && (end == End::Left || due <= now_ms)
        {
            adds.extend(Dwell::judged(predicted, due <= now_ms));
        }
        adds
    }

    /// The cells that the outcome of a prediction adds to.
    pub(super) fn judged(predicted: u32, kept: bool) -> [(usize, u64); 3] {
        let bin = bin(predicted);
        [(bin, 1), (bin + 1, u64::from(predicted)), (bin + 2, u64::from(kept))]
    }

    /// A prediction of that chain that is due.
    pub(super) fn due(&self, chain: Chain, now_ms: u64) -> Option<AccountId> {
        self.trials[chain.index()].first().filter(|(due, _)| *due <= now_ms).map(|due| due.1)
    }

    /// The same for the block in hand, after which others will follow.
    pub(super) fn tables_now(&mut self, chain: Chain, now_ms: u64) -> Tables {
        for kind in WalletKind::ALL {
            self.open[group(chain, kind)].advance(now_ms);
        }
        self.tables(chain, now_ms)
    }

    pub(super) fn tables(&self, chain: Chain, now_ms: u64) -> Tables {
        Tables(WalletKind::ALL.map(|kind| {
            let group = group(chain, kind);
            let mut table = Table::default();
            for (at, going_on) in self.open[group].at(now_ms).into_iter().enumerate() {
                table.left[at] = self.cells[cell(group, End::Left, at)];
                let censored = self.cells[cell(group, End::Censored, at)];
                table.censored[at] = censored.saturating_add(going_on);
            }
            table
        }))
    }

    /// The chance of a stay; see the module.
    pub(super) fn chance(&self, stay: &Stay, tables: &Tables, now: u64, lag_ms: u64) -> Chance {
        let held_ms = now.saturating_sub(stay.since_ms);
        let until = held_ms.saturating_add(lag_ms);
        let of_kind = tables.0[stay.kind as usize];
        let enough = of_kind.known(held_ms, until) >= KNOWN_MIN;
        let table = if enough { of_kind } else { tables.pooled() };
        let known = table.known(held_ms, until);
        let (ppm, effective) = table.stays_on(held_ms, until).unwrap_or((0, 0));
        let (low_ppm, ppm, high_ppm) = wilson(ppm, effective.min(known));
        Chance {
            ppm,
            low_ppm,
            high_ppm,
            kind: enough.then_some(stay.kind),
            outcomes: known,
            held_ms,
            lag_ms,
            calibration: self.calibration(ppm),
        }
    }

    /// How predictions have fared, by tenth.
    pub(crate) fn calibrations(&self) -> [Calibration; BINS] {
        std::array::from_fn(|tenth| self.calibration(narrow(tenth as u64 * PPM / BINS as u64)))
    }

    fn calibration(&self, ppm: u32) -> Calibration {
        let at = bin(ppm);
        let [trials, expected, kept] = [0, 1, 2].map(|part| self.cells[at + part]);
        let mean = |sum: u64| narrow(sum.checked_div(trials).unwrap_or(0));
        Calibration {
            trials,
            expected_ppm: mean(expected),
            kept_ppm: mean(kept.saturating_mul(PPM)),
        }
    }
}

impl Tables {
    fn pooled(&self) -> Table {
        let mut all = Table::default();
        for table in &self.0 {
            for at in 0..BUCKETS {
                all.left[at] = all.left[at].saturating_add(table.left[at]);
                all.censored[at] = all.censored[at].saturating_add(table.censored[at]);
            }
        }
        all
    }
}

impl Table {
    /// Stays that are known to have ended in the span, or to have outlasted it.
    fn known(&self, from_ms: u64, to_ms: u64) -> u64 {
        let (first, last) = (bucket(from_ms), bucket(to_ms));
        let left = self.left[first..=last].iter();
        let outlasted = self.left[last + 1..].iter().chain(&self.censored[last + 1..]);
        left.chain(outlasted).fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Of stays of the first length the share that reaches the second, in parts
    /// per million, and how many observations would tell it as well. `None`: no
    /// stay is known to have reached even the first.
    fn stays_on(&self, from_ms: u64, to_ms: u64) -> Option<(u64, u64)> {
        const SCALE: u128 = 1_000_000_000_000;
        let mut share = [SCALE; BUCKETS + 1];
        let mut variance: u128 = 0;
        let all = self.left.iter().chain(&self.censored);
        let mut at_risk = all.fold(0_u128, |sum, count| sum + u128::from(*count));
        for at in 0..BUCKETS {
            let (left, censored) = (u128::from(self.left[at]), u128::from(self.censored[at]));
            // Twice the number at risk, less half of those that are censored.
            let exposed = 2 * at_risk - censored;
            let stayed = exposed - 2 * left;
            share[at + 1] = (share[at] * stayed).checked_div(exposed).unwrap_or(share[at]);
            let covered = covered_ppm(at, from_ms, to_ms);
            let term = (4 * left * SCALE).checked_div(exposed * stayed).unwrap_or(0);
            variance += term * u128::from(covered) / u128::from(PPM);
            at_risk -= left + censored;
        }
        let (from, to) = (share_at(&share, from_ms), share_at(&share, to_ms));
        let ppm = (to * u128::from(PPM)).checked_div(from)?;
        let rest = u128::from(PPM) - ppm.min(u128::from(PPM));
        let effective = (rest * SCALE).checked_div(ppm * variance).filter(|_| rest > 0);
        let effective = effective.and_then(|count| u64::try_from(count).ok()).unwrap_or(u64::MAX);
        Some((u64::try_from(ppm).unwrap_or(PPM), effective))
    }
}

/// The share that stays for longer than that, between the ends of its bucket in
/// proportion.
fn share_at(share: &[u128; BUCKETS + 1], at_ms: u64) -> u128 {
    let at = bucket(at_ms);
    let fallen = share[at] - share[at + 1];
    match width_ms(at) {
        Some(width) => share[at] - fallen * u128::from(at_ms - start_ms(at)) / u128::from(width),
        None => share[at],
    }
}

/// How much of a bucket lies in the span.
fn covered_ppm(at: usize, from_ms: u64, to_ms: u64) -> u64 {
    let Some(width) = width_ms(at) else { return 0 };
    let begin = start_ms(at).max(from_ms);
    let end = (start_ms(at) + width).min(to_ms);
    end.saturating_sub(begin) * PPM / width
}

/// Wilson's interval of 95 % around a share of so many, with its middle.
fn wilson(ppm: u64, count: u64) -> (u32, u32, u32) {
    let (ppm, count) = (u128::from(ppm), u128::from(count.min(1 << 40)));
    // z = 1.96, z² = 3.8416.
    let whole = count * 10_000 + 38_416;
    let middle = (ppm * count * 10_000 + 500_000 * 38_416) / whole;
    let spread = count * ppm * (1_000_000 - ppm) + 960_400_000_000;
    let half = 19_600 * spread.isqrt() / whole;
    let part = |ppm: u128| u32::try_from(ppm.min(1_000_000)).expect("at most a million");
    (part(middle.saturating_sub(half)), part(middle), part(middle + half))
}

fn narrow(ppm: u64) -> u32 {
    u32::try_from(ppm).unwrap_or(u32::MAX)
}

const fn group(chain: Chain, kind: WalletKind) -> usize {
    chain.index() * KINDS + kind as usize
}

const fn cell(group: usize, end: End, bucket: usize) -> usize {
    (group * 2 + end as usize) * BUCKETS + bucket
}

/// The first of the three cells of a prediction.
fn bin(ppm: u32) -> usize {
    GROUPS * 2 * BUCKETS + 3 * (ppm as usize * BINS / 1_000_000).min(BINS - 1)
}

pub(super) fn bucket(length_ms: u64) -> usize {
    MINUTES.partition_point(|minute| minute * 60_000 <= length_ms) - 1
}

pub(super) const fn start_ms(bucket: usize) -> u64 {
    MINUTES[bucket] * 60_000
}

/// None: the last has no end.
fn width_ms(bucket: usize) -> Option<u64> {
    Some((MINUTES.get(bucket + 1)? - MINUTES[bucket]) * 60_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    #[test]
    fn wilson_is_wilson() {
        // 8 of 10: 0.4902 to 0.9433 (Newcombe 1998 and any table).
        let (low, middle, high) = wilson(800_000, 10);
        assert_eq!((low / 100, middle / 100, high / 100), (4_901, 7_167, 9_433));
        assert_eq!(wilson(0, 0), (0, 500_000, 1_000_000));
        let (low, _, high) = wilson(1_000_000, 20);
        assert!(low > 830_000 && high > 999_990, "{low} {high}");
    }

    /// 10 of 40 leave within the first minute, 20 are censored in the hour from
    /// 60 minutes on, 10 leave in the hour after that.
    #[test]
    fn the_life_table_by_hand() {
        let mut table = Table::default();
        table.left[0] = 10;
        table.censored[7] = 20;
        table.left[8] = 10;
        assert_eq!(table.stays_on(0, MINUTE).map(|told| told.0), Some(750_000));
        // Halfway through a bucket half of it has happened.
        assert_eq!(table.stays_on(0, MINUTE / 2).map(|told| told.0), Some(875_000));
        // Who stayed one minute stays an hour for sure, and all that are left go.
        assert_eq!(table.stays_on(MINUTE, 100 * MINUTE).map(|told| told.0), Some(1_000_000));
        assert_eq!(table.stays_on(MINUTE, 150 * MINUTE).map(|told| told.0), Some(500_000));
        assert_eq!(table.stays_on(200 * MINUTE, 300 * MINUTE), None);
        // Greenwood: 10 / (40 · 30) of the first; so as many as there are.
        assert_eq!(table.stays_on(0, MINUTE).map(|told| told.1), Some(40));
        assert_eq!((table.known(0, MINUTE), table.known(0, 119 * MINUTE)), (40, 20));
    }

    #[test]
    fn buckets_have_no_holes() {
        for at in 0..BUCKETS {
            assert_eq!(bucket(start_ms(at)), at);
            if let Some(width) = width_ms(at) {
                assert_eq!(bucket(start_ms(at) + width - 1), at);
            }
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert_eq!((bin(0), bin(1_000_000)), (CELLS - 30, CELLS - 3));
    }
}
