//! Questions to the past against the oracle, over thousands of random ledgers:
//! forward, backward, and the strongest paths. `FLOW_SIM_LEDGERS` sets how many.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use common::config;
use flow_core::{
    AccountKey, Action, Archive, Block, Case, Chain, Engine, EngineConfig, Event, Hop, Image,
    ImageError, Label, Origin, Origins, Outcome, Past, Policy, Source, Trace, TracePath,
    paths_from_sources, strongest_paths,
};
use flow_sim::ledger_gen::{RandomLedger, random_ledger};
use flow_sim::oracle::{self, Oracle};
use flow_sim::workload::{Workload, WorkloadConfig};

fn seeds() -> std::ops::Range<u64> {
    let count = std::env::var("FLOW_SIM_LEDGERS").ok().and_then(|text| text.parse().ok());
    0..count.unwrap_or(2_000_u64)
}

/// Keeps what the engine seals, so that it can be opened again.
#[derive(Clone, Debug, Default)]
struct Shelf(Arc<Mutex<Vec<Arc<dyn Image>>>>);

impl Archive for Shelf {
    fn keep(&mut self, _: usize, parts: &mut [Vec<u8>]) -> Result<Arc<dyn Image>, ImageError> {
        let image: Arc<dyn Image> = Arc::new(parts.concat());
        self.0.lock().expect("nobody panicked").push(Arc::clone(&image));
        Ok(image)
    }
}

/// The past of a ledger: partly sealed as the seed says, or sealed whole and
/// opened again.
fn past(ledger: &RandomLedger, config: EngineConfig, reopened: bool) -> Past {
    let shelf = Shelf::default();
    let mut engine = Engine::with_archive(config, Box::new(shelf.clone()));
    engine.load_opening(&ledger.opening).expect("opening balances fit");
    let mut effects = Vec::new();
    for block in &ledger.blocks {
        engine.apply(Event::BlockCommitted(block.clone()), &mut effects).expect("applies");
    }
    let mut past = if reopened {
        engine.seal().expect("memory takes everything");
        let images = shelf.0.lock().expect("nobody panicked").clone();
        let past = Past::open(images).expect("what was sealed opens");
        past.verify(|_, _| {}).expect("nothing is damaged");
        past
    } else {
        engine.into_past()
    };
    past.set_labels(&ledger.labels);
    past
}

/// The ledger and the past of that seed. Segments do not tell what an account
/// held that never moved, so where they are opened again there is none such.
fn told(seed: u64) -> (RandomLedger, Past) {
    let mut ledger = random_ledger(seed);
    let reopened = seed.is_multiple_of(5);
    if reopened {
        let whole = past(&ledger, EngineConfig::default(), false);
        let moved = moved(&whole.blocks().collect::<Result<Vec<Block>, _>>().expect("readable"));
        ledger.opening.retain(|(account, _)| moved.contains(account));
    }
    let past = past(&ledger, config(seed), reopened);
    (ledger, past)
}

/// The accounts whose units events of these blocks move.
fn moved(blocks: &[Block]) -> BTreeSet<AccountKey> {
    let events = blocks.iter().flat_map(|block| block.events.iter().map(move |e| (block, e)));
    events.flat_map(|(block, event)| touched(block.chain, &event.action)).collect()
}

fn follow(past: &Past, case: &Case, policy: Policy) -> Trace {
    past.follow(case, policy, |_, _| {}).expect("memory can be read")
}

/// Steps an oracle through the blocks; returns it with every step that carried
/// tainted units.
fn stepped(
    policy: Policy,
    case: &Case,
    labels: &[Label],
    ledger: &RandomLedger,
    counts: impl Fn(&Block) -> bool,
) -> (Oracle, Vec<oracle::Step>) {
    let mut oracle = Oracle::new(policy, case, labels, &ledger.opening);
    let mut steps = Vec::new();
    for block in ledger.blocks.iter().filter(|block| counts(block)) {
        for event in &block.events {
            steps.extend(oracle.apply(block, event).filter(|step| step.moved > 0));
        }
    }
    (oracle, steps)
}

fn in_words(past: &Past, hop: &Hop) -> oracle::Step {
    let outcome = match hop.outcome {
        Outcome::AtSource => oracle::Outcome::AtSource,
        Outcome::Service => {
            let label = past.label(hop.to).expect("a service has a label");
            oracle::Outcome::Service(label.entity.clone())
        }
        Outcome::Horizon => oracle::Outcome::Horizon,
        Outcome::Dust => oracle::Outcome::Dust,
        Outcome::Held => oracle::Outcome::Held,
    };
    oracle::Step {
        from_before: hop.before,
        from_tainted: hop.tainted_before,
        moved: hop.moved,
        hops: hop.hops,
        outcome,
    }
}

#[test]
fn forward_equals_the_oracle_step_by_step() {
    for seed in seeds() {
        let (ledger, past) = told(seed);
        for (case, policy) in
            ledger.cases.iter().flat_map(|case| Policy::ALL.map(|policy| (case, policy)))
        {
            let trace = follow(&past, case, policy);
            let (oracle, steps) = stepped(policy, case, &ledger.labels, &ledger, |_| true);
            let hops: Vec<oracle::Step> =
                trace.hops.iter().map(|hop| in_words(&past, hop)).collect();
            assert_eq!(hops, steps, "seed {seed} {} {}", case.id, policy.name());
            let answer = oracle.answer();
            let rows: BTreeSet<_> = answer
                .rows
                .iter()
                .filter(|row| past.find(row.account).is_some())
                .map(|row| (row.account, row.tainted, row.hops, row.frozen))
                .collect();
            let held: BTreeSet<_> = trace
                .held
                .iter()
                .map(|held| (past.account(held.account), held.tainted, held.hops, held.frozen))
                .collect();
            assert_eq!(held, rows, "seed {seed} {} {}", case.id, policy.name());
            assert_eq!(trace.totals.emitted, answer.totals.emitted, "seed {seed}");
            assert_eq!(trace.totals.services, answer.totals.service, "seed {seed}");
            assert_eq!(trace.totals.dust, answer.totals.dust, "seed {seed}");
            check_runs(&trace, seed);
        }
    }
}

/// Under ordered policies the runs of a hop are what it moved.
fn check_runs(trace: &Trace, seed: u64) {
    for (ix, hop) in trace.hops.iter().enumerate() {
        let runs = trace.runs(ix);
        let sum: u64 = runs.iter().map(|run| run.1).sum();
        let ordered = matches!(trace.policy, Policy::Fifo | Policy::Lifo);
        assert_eq!(sum, if ordered { hop.moved } else { 0 }, "seed {seed}");
        assert!(runs.iter().all(|(start, len)| start + len <= hop.amount), "seed {seed}");
    }
}

#[test]
fn the_past_played_back_is_the_same_ledger() {
    for seed in seeds() {
        let (ledger, past) = told(seed);
        let blocks: Result<Vec<Block>, _> = past.blocks().collect();
        let (blocks, opening) = (blocks.expect("readable"), past.opening().expect("readable"));
        assert_eq!(blocks.len(), ledger.blocks.len(), "seed {seed}");
        let moved = moved(&blocks);
        for policy in [Policy::Haircut, Policy::Lifo] {
            let told = oracle::trace(
                policy,
                &ledger.blocks,
                &ledger.cases,
                &ledger.labels,
                &ledger.opening,
            );
            let again = oracle::trace(policy, &blocks, &ledger.cases, &ledger.labels, &opening);
            for (told, again) in told.iter().zip(&again) {
                let rows = |answer: &oracle::CaseAnswer| -> Vec<_> {
                    answer.rows.iter().filter(|row| moved.contains(&row.account)).copied().collect()
                };
                assert_eq!(rows(told), rows(again), "seed {seed}");
                assert_eq!(told.totals.service, again.totals.service, "seed {seed}");
            }
        }
    }
}

fn touched(chain: Chain, action: &Action) -> Vec<AccountKey> {
    let addresses = match *action {
        Action::Transfer { amount: 0, .. }
        | Action::BlacklistAdd { .. }
        | Action::BlacklistRemove { .. }
        | Action::Multisig(_) => vec![],
        Action::Transfer { from, to, .. } => vec![from, to],
        Action::Issue { to: account, .. }
        | Action::Redeem { from: account, .. }
        | Action::Destroy { account, .. } => vec![account],
    };
    addresses.into_iter().map(|address| AccountKey { chain, address }).collect()
}

fn case_of(wallets: impl IntoIterator<Item = AccountKey>) -> Case {
    let source = |account| Source::Wallet { account, since_block: 0 };
    Case {
        id: "origin".to_owned(),
        title: None,
        category: None,
        sources: wallets.into_iter().map(source).collect(),
        min_units: 0,
        max_hops: None,
    }
}

/// What the oracle says of one origin: the case that it makes.
struct Expected {
    origin: Origin,
    oracle: Oracle,
}

/// The origins that a case can stand for: services, the named source, openings
/// of accounts that never receive anything.
fn expected(
    past: &Past,
    ledger: &RandomLedger,
    policy: Policy,
    named: Option<AccountKey>,
    until: Option<(Chain, u64)>,
) -> Vec<Expected> {
    let counts =
        |block: &Block| until.is_none_or(|(chain, n)| block.chain != chain || block.number <= n);
    let stop =
        |account| Label { account, entity: "named".to_owned(), kind: String::new(), stop: true };
    let mut labels: Vec<Label> =
        ledger.labels.iter().filter(|label| Some(label.account) != named).cloned().collect();
    let mut all = Vec::new();
    if let Some(key) = named {
        let (oracle, _) = stepped(policy, &case_of([key]), &labels, ledger, counts);
        let origin = Origin::Source(past.find(key).expect("named by the ledger"));
        all.push(Expected { origin, oracle });
        labels.push(stop(key));
    }
    let mut services: BTreeMap<&str, Vec<AccountKey>> = BTreeMap::new();
    for label in labels.iter().filter(|label| label.stop && Some(label.account) != named) {
        services.entry(&label.entity).or_default().push(label.account);
    }
    for (entity, wallets) in services {
        let others: Vec<Label> =
            labels.iter().filter(|label| label.entity != entity || !label.stop).cloned().collect();
        let (oracle, _) = stepped(policy, &case_of(wallets), &others, ledger, counts);
        all.push(Expected { origin: Origin::Service(entity.to_owned()), oracle });
    }
    for key in never_receive(past, ledger, &labels) {
        let (oracle, _) = stepped(policy, &case_of([key]), &labels, ledger, counts);
        all.push(Expected { origin: Origin::Opening(past.find(key).expect("known")), oracle });
    }
    all
}

fn never_receive(past: &Past, ledger: &RandomLedger, labels: &[Label]) -> Vec<AccountKey> {
    let mut receive = BTreeSet::new();
    for block in &ledger.blocks {
        let chain = block.chain;
        for event in &block.events {
            match event.action {
                Action::Transfer { from, to, amount } if amount > 0 && from != to => {
                    receive.insert(AccountKey { chain, address: to });
                }
                Action::Issue { to, amount } if amount > 0 => {
                    receive.insert(AccountKey { chain, address: to });
                }
                _ => {}
            }
        }
    }
    receive.extend(labels.iter().filter(|label| label.stop).map(|label| label.account));
    keys(past).into_iter().filter(|key| !receive.contains(key)).collect()
}

fn keys(past: &Past) -> Vec<AccountKey> {
    let count = u32::try_from(past.sizes().accounts).expect("few");
    (0..count).map(|id| past.account(id)).collect()
}

fn check_origins(origins: &Origins, key: AccountKey, expected: &[Expected], what: &str) {
    let poison = origins.policy == Policy::Poison;
    for Expected { origin, oracle } in expected {
        let holding = oracle.holding(key);
        let share = origins.shares.iter().find(|share| share.origin == *origin);
        assert_eq!(origins.balance, holding.balance, "{what}");
        if let Some(share) = share {
            let told = (share.units, share.hops);
            assert_eq!(told, (holding.tainted, holding.hops), "{what} {origin:?}\n{origins:#?}");
        } else {
            let none = if poison {
                !holding.in_trace || holding.balance == 0
            } else {
                holding.tainted == 0
            };
            assert!(none, "{what} {origin:?} {holding:?}\n{origins:#?}");
        }
    }
    if matches!(origins.policy, Policy::Fifo | Policy::Lifo) {
        assert_eq!(origins.remainder(), 0, "{what}\n{origins:#?}");
    }
    assert!(origins.shares.iter().all(|share| share.units <= origins.balance), "{what}");
    assert!(poison || origins.shares.iter().all(|share| share.units > 0), "{what}");
}

#[test]
fn backward_equals_the_oracle_origin_by_origin() {
    let mut compared = 0;
    for seed in seeds() {
        let (ledger, past) = told(seed);
        let keys = keys(&past);
        let pick = |salt: u64| usize::try_from(seed / salt).expect("small") % keys.len().max(1);
        let named = (seed % 2 == 1).then(|| keys.get(pick(3)).copied()).flatten();
        let until =
            (seed % 3 == 1).then(|| ledger.blocks.get(pick(7)).map(|b| (b.chain, b.number)));
        let until = until.flatten();
        for policy in Policy::ALL {
            let expected = expected(&past, &ledger, policy, named, until);
            for key in keys.iter().filter(|key| until.is_none_or(|(chain, _)| chain == key.chain)) {
                let sources: Vec<AccountKey> = named.into_iter().collect();
                let origins = past
                    .origins(*key, policy, until.map(|(_, number)| number), &sources, |_, _| {})
                    .expect("memory can be read")
                    .expect("a known account");
                let what = format!("seed {seed} {} {key:?} until {until:?}", policy.name());
                check_origins(&origins, *key, &expected, &what);
                compared += origins.shares.len();
            }
        }
    }
    assert!(compared > 1_000);
}

/// Every path by trying all of them; `None` if they are too many.
fn all_paths(trace: &Trace, from: u32, to: u32) -> Option<Vec<TracePath>> {
    let mut found = Vec::new();
    let mut stack = vec![(from, Vec::<u32>::new(), u64::MAX)];
    for _ in 0..20_000 {
        let Some((end, hops, strength)) = stack.pop() else {
            found.sort_by_key(|path: &TracePath| {
                (std::cmp::Reverse(path.strength), path.hops.len(), path.hops.clone())
            });
            return Some(found);
        };
        if end == to && !hops.is_empty() {
            found.push(TracePath { hops, strength });
            continue;
        }
        let after = hops.last().map_or(0, |last| last + 1);
        for (ix, hop) in (0..).zip(&trace.hops).skip(after as usize) {
            let been = hops.iter().any(|ix| trace.hops[*ix as usize].from == hop.to);
            let goes_on = hop.to == to || matches!(hop.outcome, Outcome::Held | Outcome::AtSource);
            // A hop in between that took the last tainted unit ends it.
            let gone = trace.hops[after as usize..ix as usize].iter().any(|other| {
                let last = other.moved == other.tainted_before && !other.marked;
                other.from == end && (last || other.amount == other.before)
            });
            let gone = gone && after > 0 && trace.policy != Policy::Poison;
            if hop.from == end && hop.to != end && !been && goes_on && !gone {
                let longer = hops.iter().copied().chain([ix]).collect();
                stack.push((hop.to, longer, strength.min(hop.moved)));
            }
        }
    }
    None
}

#[test]
fn the_strongest_paths_are_those_of_an_enumeration() {
    let mut compared = 0;
    for seed in seeds() {
        let (ledger, past) = told(seed);
        let policy = Policy::ALL[usize::try_from(seed).expect("small") % 6];
        let trace = follow(&past, &ledger.cases[0], policy);
        let accounts: BTreeSet<u32> =
            trace.hops.iter().flat_map(|hop| [hop.from, hop.to]).collect();
        for (from, to) in
            accounts.iter().flat_map(|from| accounts.iter().map(move |to| (*from, *to)))
        {
            let Some(all) = all_paths(&trace, from, to).filter(|_| from != to) else { continue };
            for k in [1, 3, 1_000] {
                let found = strongest_paths(&trace, from, to, k);
                assert!(!found.given_up, "seed {seed}");
                assert_eq!(found.paths, all[..k.min(all.len())], "seed {seed} {from} {to} {k}");
            }
            compared += all.len();
        }
    }
    assert!(compared > 10_000 || seeds().end < 2_000, "{compared}");
}

#[test]
fn paths_from_the_crime_leave_a_source_once() {
    let mut compared = 0;
    for seed in seeds() {
        let (ledger, past) = told(seed);
        let policy = Policy::ALL[usize::try_from(seed).expect("small") % 6];
        let trace = follow(&past, &ledger.cases[0], policy);
        let leaves = |ix: &u32| trace.hops[*ix as usize].hops == 1;
        let begins: BTreeSet<u32> =
            trace.hops.iter().filter(|hop| hop.hops == 1).map(|hop| hop.from).collect();
        let ends: BTreeSet<u32> = trace.hops.iter().map(|hop| hop.to).collect();
        for to in ends {
            let each = begins.iter().map(|from| all_paths(&trace, *from, to));
            let Some(each) = each.collect::<Option<Vec<_>>>() else { continue };
            let mut all: Vec<TracePath> = each.into_iter().flatten().collect();
            all.retain(|path| leaves(&path.hops[0]) && !path.hops[1..].iter().any(leaves));
            all.sort_by_key(|path| {
                (std::cmp::Reverse(path.strength), path.hops.len(), path.hops.clone())
            });
            for k in [1, 1_000] {
                let found = paths_from_sources(&trace, to, k);
                assert!(!found.given_up, "seed {seed}");
                assert_eq!(found.paths, all[..k.min(all.len())], "seed {seed} {to} {k}");
            }
            compared += all.len();
        }
    }
    assert!(compared > 5_000 || seeds().end < 2_000, "{compared}");
}

#[test]
fn however_it_is_sealed_the_past_answers_the_same() {
    let workload = Workload::new(WorkloadConfig { blocks: 400, ..WorkloadConfig::default() });
    let planted = workload.planted();
    let ledger = RandomLedger {
        opening: workload.opening().to_vec(),
        blocks: workload.collect(),
        cases: planted.cases,
        labels: planted.labels,
    };
    let sealed = |segment_transfers, reopened| {
        past(&ledger, EngineConfig { segment_transfers, ..EngineConfig::default() }, reopened)
    };
    let (memory, pasts) = (sealed(1 << 20, false), [sealed(9_000, true), sealed(1_000, false)]);
    for case in &ledger.cases {
        let trace = follow(&memory, case, Policy::Fifo);
        let last = trace.hops.iter().rev().take(3).map(|hop| memory.account(hop.to));
        let wallets: BTreeSet<AccountKey> = last.collect();
        for past in &pasts {
            assert_eq!(follow(past, case, Policy::Fifo), trace, "{}", case.id);
            for key in &wallets {
                for policy in Policy::ALL {
                    let ask = |past: &Past| past.origins(*key, policy, None, &[], |_, _| {});
                    assert_eq!(ask(past), ask(&memory), "{} {key:?}", case.id);
                }
            }
        }
    }
}

#[test]
fn a_transfer_is_told_in_full_wherever_it_lies() {
    for seed in 0..200 {
        let (ledger, mut past) = told(seed);
        let transfers = u32::try_from(past.sizes().transfers).expect("few");
        for id in 0..transfers {
            let facts = past.transfer(id).expect("it is there");
            let block = ledger
                .blocks
                .iter()
                .find(|block| block.chain == facts.chain && block.number == facts.block);
            let block = block.expect("its block");
            assert_eq!((block.hash, block.timestamp_ms), (facts.block_hash, facts.timestamp_ms));
            let (from, to, amount) = (facts.from.address, facts.to.address, facts.amount);
            let same = block.events.iter().any(|event| {
                event.action == Action::Transfer { from, to, amount }
                    && event.tx == facts.transfer.tx
                    && event.position == facts.transfer.position
                    && event.log_index == facts.log_index
            });
            assert!(same, "seed {seed}: {facts:?}");
            let of_tx = past.transfers_of(facts.chain, &facts.transfer.tx).expect("readable");
            assert!(of_tx.contains(&facts), "seed {seed}");
        }
        assert!(past.transfer(transfers).is_err());
    }
}
