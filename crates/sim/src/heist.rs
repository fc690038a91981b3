//! Thefts, thieves who move on, and an issuer who takes its time: a closed
//! loop to try choices of what to freeze.
//!
//! Each wallet's behaviour follows from the seed and its address alone, so that
//! every choice meets the same thieves. Thieves move at different speeds: some
//! wallets pass on within the hour, some within days, some keep what they have
//! for weeks; those further from the theft are slower. A third of the wallets
//! hold honest units too. A freeze is asked for at set times, a few at once; it
//! is submitted after some handling, is carried out after half an hour to 14
//! hours with a median near 2.7 (2.6 is published for TRON), and one
//! target in five is warned by the submission. What always holds: a wallet
//! sends all that it has, or nothing of it is honest; so how many stolen units
//! are where follows from adding, and no policy could say otherwise.

use std::collections::{BTreeMap, BTreeSet};

use flow_core::{
    AccountKey, Action, Address, Amount, ApplyError, Block, Case, Chain, Effect, Engine,
    EngineConfig, Event, FreezeRecommendation, Label, LedgerEvent, MultisigAction, MultisigCall,
    Source, TxHash, ranked,
};

use crate::dice::Dice;

const MINUTE: u64 = 1;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const USDT: Amount = 1_000_000;
const START_MS: u64 = 1_767_225_600_000;
/// Who pays the honest units, and where loot is cashed out.
const CROWD: Address = Address([0xc0; 20]);
const EXCHANGE: Address = Address([0xe0; 20]);
const HOPS: u32 = 5;

/// How the wallets to freeze are chosen among those that the desk recommends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Choice {
    /// By the desk's score.
    Score,
    /// Any.
    Random,
    /// The largest balances.
    LargestBalance,
}

impl Choice {
    /// Every choice.
    pub const ALL: [Choice; 3] = [Choice::Score, Choice::Random, Choice::LargestBalance];

    /// For a table.
    pub const fn name(self) -> &'static str {
        match self {
            Choice::Score => "score",
            Choice::Random => "chance",
            Choice::LargestBalance => "largest balance",
        }
    }
}

/// What to play.
#[derive(Clone, Copy, Debug)]
pub struct HeistConfig {
    /// The same seed gives the same thieves.
    pub seed: u64,
    /// Thefts, spread evenly over the days.
    pub thefts: u64,
    /// Days.
    pub days: u64,
    /// Wallets that are asked to be frozen, each `every_hours`.
    pub freezes: usize,
    /// See `freezes`.
    pub every_hours: u64,
    /// How they are chosen.
    pub choice: Choice,
}

/// What is true of a wallet whose freeze was submitted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// When, Unix milliseconds.
    pub submitted_ms: u64,
    /// When it was frozen.
    pub frozen_ms: Option<u64>,
    /// Stolen units that were there then.
    pub caught: Amount,
    /// Other units that were.
    pub clean: Amount,
    /// What it ever sent: time, receiver, units, stolen ones among them.
    pub sent: Vec<(u64, Address, Amount, Amount)>,
}

/// How it ended.
#[derive(Debug)]
pub struct Heist {
    /// The state at the end.
    pub engine: Engine,
    /// All that the desk told, in order.
    pub told: Vec<FreezeRecommendation>,
    /// By address.
    pub targets: BTreeMap<Address, Target>,
    /// Units stolen.
    pub stolen: Amount,
    /// Stolen units that were cashed out.
    pub cashed: Amount,
}

#[derive(Clone, Copy, Debug, Default)]
struct Purse {
    units: Amount,
    stolen: Amount,
    hops: u32,
    frozen: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Steal(u64),
    Move(Address),
    Ask,
    Submit(Address),
    Freeze(Address),
}

struct World {
    config: HeistConfig,
    purses: BTreeMap<Address, Purse>,
    moves_at: BTreeMap<Address, u64>,
    queue: BTreeSet<(u64, u64, Act)>,
    queued: u64,
    asked: BTreeSet<Address>,
    dice: Dice,
    heist: Heist,
    next_tx: u64,
}

/// Plays it to the end.
///
/// # Errors
/// If the engine cannot go on.
pub fn play(config: HeistConfig) -> Result<Heist, ApplyError> {
    let mut engine = Engine::new(EngineConfig::default());
    engine.load_opening(&[(key(CROWD), 1 << 60)])?;
    let exchange = Label {
        account: key(EXCHANGE),
        entity: "Alder Exchange".to_owned(),
        kind: "exchange".to_owned(),
        stop: true,
    };
    let mut told = Vec::new();
    engine.apply(Event::LabelSet(exchange), &mut told)?;
    for theft in 0..config.thefts {
        engine.apply(Event::CaseOpened(case(&config, theft)), &mut told)?;
    }
    let heist = Heist { engine, told: Vec::new(), targets: BTreeMap::new(), stolen: 0, cashed: 0 };
    let mut world = World {
        config,
        purses: BTreeMap::new(),
        moves_at: BTreeMap::new(),
        queue: BTreeSet::new(),
        queued: 0,
        asked: BTreeSet::new(),
        dice: Dice::new(config.seed ^ 0xa5a5),
        heist,
        next_tx: 0,
    };
    for theft in 0..config.thefts {
        world.at(theft * config.days * DAY / config.thefts, Act::Steal(theft));
    }
    let step = usize::try_from(config.every_hours * HOUR).expect("few hours");
    for time in (1..config.days * DAY).step_by(step) {
        world.at(time, Act::Ask);
    }
    world.run()?;
    Ok(world.heist)
}

impl World {
    fn at(&mut self, minute: u64, act: Act) {
        self.queued += 1;
        self.queue.insert((minute, self.queued, act));
    }

    /// A block for each minute in which something happens, and each fifth.
    fn run(&mut self) -> Result<(), ApplyError> {
        for minute in 0..self.config.days * DAY + 2 * DAY {
            let mut events = Vec::new();
            while let Some(&(due, number, act)) = self.queue.first() {
                if due > minute {
                    break;
                }
                self.queue.remove(&(due, number, act));
                self.act(act, minute, &mut events);
            }
            if events.is_empty() && minute % 5 != 0 {
                continue;
            }
            let block = Block {
                chain: Chain::Tron,
                number: minute + 1,
                hash: None,
                timestamp_ms: time_ms(minute),
                events,
            };
            let mut effects = Vec::new();
            self.heist.engine.apply(Event::BlockCommitted(block), &mut effects)?;
            let records = effects.into_iter().filter_map(|effect| match effect {
                Effect::Recommend(record) => Some(*record),
                _ => None,
            });
            self.heist.told.extend(records);
        }
        Ok(())
    }

    fn act(&mut self, act: Act, minute: u64, events: &mut Vec<LedgerEvent>) {
        match act {
            Act::Steal(theft) => {
                let thief = thief(&self.config, theft);
                let amount = dice_of(self.config.seed, thief).between(20_000, 1_000_000) * USDT;
                self.heist.stolen += amount;
                self.pay(CROWD, thief, (amount, amount), 0, minute, events);
            }
            Act::Move(from) => self.move_on(from, minute, events),
            Act::Ask => self.ask(minute),
            Act::Submit(target) => self.submit(target, minute, events),
            Act::Freeze(target) => self.freeze(target, minute, events),
        }
    }

    fn event(&mut self, tx: TxHash, events: &mut Vec<LedgerEvent>, action: Action) {
        let log_index = u32::try_from(events.len()).ok();
        events.push(LedgerEvent { tx, log_index, position: 0, action });
    }

    fn tx(&mut self) -> TxHash {
        self.next_tx += 1;
        let mut tx = [0; 32];
        tx[..8].copy_from_slice(&self.next_tx.to_be_bytes());
        TxHash(tx)
    }

    /// Moves units, stolen ones among them, to where they rest next.
    fn pay(
        &mut self,
        from: Address,
        to: Address,
        (units, stolen): (Amount, Amount),
        hops: u32,
        minute: u64,
        events: &mut Vec<LedgerEvent>,
    ) {
        let tx = self.tx();
        self.event(tx, events, Action::Transfer { from, to, amount: units });
        if let Some(target) = self.heist.targets.get_mut(&from) {
            target.sent.push((time_ms(minute), to, units, stolen));
        }
        if to == EXCHANGE {
            self.heist.cashed += stolen;
            return;
        }
        let mut dice = dice_of(self.config.seed, to);
        let mut purse = Purse { units, stolen, hops, frozen: false };
        if hops > 0 && dice.one_in(3) {
            let honest = units / 10 * dice.between(1, 30);
            let tx = self.tx();
            self.event(tx, events, Action::Transfer { from: CROWD, to, amount: honest });
            purse.units += honest;
        }
        self.purses.insert(to, purse);
        let stay = stay(hops, &mut dice);
        self.moves_at.insert(to, minute + stay);
        self.at(minute + stay, Act::Move(to));
    }

    fn move_on(&mut self, from: Address, minute: u64, events: &mut Vec<LedgerEvent>) {
        let purse = self.purses[&from];
        if purse.frozen || purse.units == 0 || self.moves_at[&from] > minute {
            return;
        }
        self.purses.insert(from, Purse { units: 0, stolen: 0, ..purse });
        let parts = dice_of(!self.config.seed, from).between(1, 3);
        if purse.hops >= HOPS {
            self.pay(from, EXCHANGE, (purse.units, purse.stolen), 0, minute, events);
        } else if purse.units > purse.stolen || purse.units < 5_000 * USDT {
            let to = child(from, 0);
            self.pay(from, to, (purse.units, purse.stolen), purse.hops + 1, minute, events);
        } else {
            let mut left = purse.units;
            for part in 0..parts {
                let units = if part + 1 == parts { left } else { left / 2 };
                left -= units;
                self.pay(from, child(from, part), (units, units), purse.hops + 1, minute, events);
            }
        }
    }

    /// Chooses what to have frozen.
    fn ask(&mut self, minute: u64) {
        let ranks = self.heist.engine.freeze_ranks();
        let mut wallets: Vec<(Address, Amount)> = ranked(&ranks, None)
            .iter()
            .map(|(rank, _, _)| (rank.account.address, rank.balance))
            .filter(|(address, _)| !self.asked.contains(address))
            .collect();
        match self.config.choice {
            Choice::Score => {}
            Choice::LargestBalance => {
                wallets.sort_by_key(|(_, balance)| std::cmp::Reverse(*balance))
            }
            Choice::Random => {
                for at in (1..wallets.len()).rev() {
                    let other = self.dice.index(at + 1);
                    wallets.swap(at, other);
                }
            }
        }
        for (address, _) in wallets.into_iter().take(self.config.freezes) {
            self.asked.insert(address);
            let handling = dice_of(self.config.seed ^ 1, address).between(30, 180);
            self.at(minute + handling, Act::Submit(address));
        }
    }

    fn submit(&mut self, target: Address, minute: u64, events: &mut Vec<LedgerEvent>) {
        let mut dice = dice_of(self.config.seed ^ 2, target);
        let id = self.heist.targets.len() as u64;
        let (tx, owner) = (self.tx(), Address([1; 20]));
        let call = Some(MultisigCall::AddBlackList(target));
        for step in [
            MultisigAction::Submission { id: Some(id), call: None },
            MultisigAction::Confirmation { id, owner },
            MultisigAction::Submission { id: None, call },
        ] {
            self.event(tx, events, Action::Multisig(step));
        }
        let told = Target { submitted_ms: time_ms(minute), ..Target::default() };
        self.heist.targets.insert(target, told);
        // Half an hour to 14 hours, each doubling alike.
        let base = 30 << dice.between(0, 4);
        let lag = dice.between(base, base / 4 * 7);
        self.at(minute + lag, Act::Freeze(target));
        if dice.one_in(5) {
            let soon = minute + dice.between(10, 60);
            if self.moves_at.get(&target).is_some_and(|planned| *planned > soon) {
                self.moves_at.insert(target, soon);
                self.at(soon, Act::Move(target));
            }
        }
    }

    fn freeze(&mut self, target: Address, minute: u64, events: &mut Vec<LedgerEvent>) {
        let tx = self.tx();
        self.event(tx, events, Action::BlacklistAdd { account: target });
        let purse = self.purses.entry(target).or_default();
        purse.frozen = true;
        let (caught, clean) = (purse.stolen, purse.units - purse.stolen);
        if let Some(told) = self.heist.targets.get_mut(&target) {
            (told.frozen_ms, told.caught, told.clean) = (Some(time_ms(minute)), caught, clean);
        }
    }
}

/// Minutes for which a wallet keeps what it got.
fn stay(hops: u32, dice: &mut Dice) -> u64 {
    let slow = 15 + 12 * u64::from(hops);
    match dice.below(100) {
        of if of < slow => dice.between(3 * DAY, 25 * DAY),
        of if of < slow + 25 => dice.between(2 * HOUR, 24 * HOUR),
        _ => dice.between(2, 60),
    }
}

fn dice_of(seed: u64, address: Address) -> Dice {
    let word = address.0.first_chunk::<8>().expect("20 bytes");
    Dice::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from_le_bytes(*word))
}

fn child(parent: Address, number: u64) -> Address {
    let word = parent.0.first_chunk::<8>().expect("20 bytes");
    let mixed = u64::from_le_bytes(*word).wrapping_mul(0xff51_afd7_ed55_8ccd) ^ (number + 1);
    Address(Dice::new(mixed).bytes())
}

fn thief(config: &HeistConfig, theft: u64) -> Address {
    Address(Dice::new(config.seed.wrapping_mul(1_000_003).wrapping_add(theft)).bytes())
}

fn case(config: &HeistConfig, theft: u64) -> Case {
    let thief = thief(config, theft);
    Case {
        id: format!("theft-{theft:03}"),
        title: None,
        category: None,
        sources: vec![Source::Wallet { account: key(thief), since_block: 0 }],
        min_units: 0,
        max_hops: None,
    }
}

const fn key(address: Address) -> AccountKey {
    AccountKey { chain: Chain::Tron, address }
}

const fn time_ms(minute: u64) -> u64 {
    START_MS + minute * 60_000
}
