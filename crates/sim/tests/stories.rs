//! Stories: they can be told, they reach the corners that they are there for,
//! and one that fails becomes short.

use std::collections::{BTreeMap, BTreeSet};

use flow_core::{AccountKey, Block, Chain, Policy};
use flow_sim::ledger_gen::{Step, Story, minimal, random_story};
use flow_sim::oracle::{CaseAnswer, trace};

const STORIES: u64 = 2_000;

/// What happened in stories, counted.
#[derive(Default)]
struct Seen(BTreeMap<&'static str, u32>);

impl Seen {
    fn note(&mut self, what: &'static str, happened: bool) {
        *self.0.entry(what).or_default() += u32::from(happened);
    }
}

/// A reader of one story, who remembers every block that was ever applied.
struct Reader<'a> {
    seen: &'a mut Seen,
    chain: Vec<&'a Block>,
    applied: Vec<&'a Block>,
    /// Where each chain was cut, and what left it.
    cuts: Vec<(Chain, u64, Vec<&'a Block>)>,
    finalized: BTreeMap<Chain, u64>,
    open: BTreeSet<&'a str>,
    labelled: BTreeMap<AccountKey, bool>,
}

impl<'a> Reader<'a> {
    fn block(&mut self, block: &'a Block) {
        let txs = |block: &Block| block.events.iter().map(|e| e.tx).collect::<BTreeSet<_>>();
        let head = self.chain.iter().rfind(|other| other.chain == block.chain);
        let rises = head.is_none_or(|head| {
            head.number < block.number && head.timestamp_ms < block.timestamp_ms
        });
        assert!(rises, "{block:?} on {head:?}");
        assert!(self.finalized.get(&block.chain) < Some(&block.number));
        let gone: Vec<&Block> =
            self.applied.iter().filter(|old| old.chain == block.chain).copied().collect();
        let events = !block.events.is_empty();
        self.seen.note("the same block again", events && gone.contains(&block));
        let elsewhere = gone.iter().any(|old| {
            let again = !txs(old).is_disjoint(&txs(block));
            again && (old.events != block.events || old.number != block.number)
        });
        self.seen.note("transactions in another block", elsewhere);
        let rival = gone.iter().any(|old| old.number == block.number && *old != block);
        self.seen.note("another block of the same number", rival);
        self.chain.push(block);
        self.applied.push(block);
    }

    fn revert(&mut self, chain: Chain, number: u64) {
        let leaves = |block: &&Block| block.chain == chain && block.number >= number;
        let gone: Vec<&Block> = self.chain.iter().filter(|b| leaves(b)).copied().collect();
        self.chain.retain(|block| !leaves(block));
        assert!(!gone.is_empty(), "a revert takes something");
        assert!(self.finalized.get(&chain) < Some(&number), "a final block stays");
        let all = self.chain.iter().all(|block| block.chain != chain);
        self.seen.note("one block reverted", gone.len() == 1);
        self.seen.note("several blocks reverted", gone.len() > 1);
        self.seen.note("all blocks reverted", all);
        self.seen.note("a gap named", gone.iter().all(|block| block.number != number));
        let nested = |cut: &&(Chain, u64, Vec<&Block>)| cut.0 == chain && cut.1 >= number;
        self.seen.note("nested", self.cuts.iter().any(|cut| nested(&cut)));
        let back = self.cuts.iter().any(|cut| cut.2.iter().any(|old| gone.contains(old)));
        self.seen.note("what came back leaves again", back);
        self.cuts.push((chain, number, gone));
    }

    fn step(&mut self, step: &'a Step) {
        let late = !self.chain.is_empty();
        match step {
            Step::Block(block) => self.block(block),
            Step::Revert { chain, number } => self.revert(*chain, *number),
            Step::Finalize { chain, number } => {
                let before = self.finalized.insert(*chain, *number);
                assert!(before < Some(*number), "finality rises");
                self.seen.note("finality rises", before.is_some());
            }
            Step::Open(case) => {
                let replaced = !self.open.insert(&case.id);
                self.seen.note("case late", late);
                self.seen.note("case after a revert", !self.cuts.is_empty());
                self.seen.note("case replaced", late && replaced);
            }
            Step::Close(id) => {
                assert!(self.open.remove(id.as_str()), "only an open case is closed");
                self.seen.note("case closed", late);
            }
            Step::Label(label) => {
                let before = self.labelled.insert(label.account, label.stop);
                self.seen.note("label late", late);
                self.seen.note("label changed", before.is_some_and(|stop| stop != label.stop));
            }
            Step::Unlabel(account) => {
                let stop = self.labelled.remove(account).expect("only a label is withdrawn");
                self.seen.note("label removed", late && stop);
            }
        }
    }
}

fn read(story: &Story, seen: &mut Seen) {
    let mut reader = Reader {
        seen,
        chain: Vec::new(),
        applied: Vec::new(),
        cuts: Vec::new(),
        finalized: BTreeMap::new(),
        open: BTreeSet::new(),
        labelled: BTreeMap::new(),
    };
    for step in &story.steps {
        reader.step(step);
    }
    assert!(reader.chain.iter().copied().eq(&story.final_blocks));
    let open = reader.open;
    assert!(story.final_cases.iter().map(|case| case.id.as_str()).collect::<BTreeSet<_>>() == open);
    let labels = story.final_labels.iter().map(|label| (label.account, label.stop));
    assert!(labels.eq(reader.labelled));
    let txs: Vec<_> = story
        .final_blocks
        .iter()
        .flat_map(|block| block.events.iter().map(|e| (block.chain, e.tx, e.log_index)))
        .filter(|(_, _, index)| index.is_some())
        .collect();
    assert_eq!(txs.iter().collect::<BTreeSet<_>>().len(), txs.len(), "a name for each event");
}

fn answers(policy: Policy, story: &Story) -> Vec<CaseAnswer> {
    trace(policy, &story.final_blocks, &story.final_cases, &story.final_labels, &story.opening)
}

#[test]
fn stories_reach_every_corner() {
    let mut seen = Seen::default();
    for seed in 0..STORIES {
        read(&random_story(seed), &mut seen);
    }
    assert_eq!(seen.0.len(), 17);
    assert!(seen.0.values().all(|count| *count >= 100), "{:?}", seen.0);
}

#[test]
fn most_stories_end_with_something_to_compare() {
    for policy in Policy::ALL {
        let ended = (0..200).map(|seed| answers(policy, &random_story(seed)));
        let told = ended.filter(|all| all.iter().any(|answer| answer.totals.emitted > 0)).count();
        assert!(told > 80, "{}: {told}", policy.name());
    }
}

#[test]
fn one_seed_is_one_story() {
    assert_eq!(random_story(7), random_story(7));
    assert_ne!(random_story(7), random_story(8));
}

/// Fails where an engine that forgot to undo reverted blocks would.
fn forgetting_reverts_shows(story: &Story) -> bool {
    let applied = story.steps.iter().filter_map(|step| match step {
        Step::Block(block) => Some(block.clone()),
        _ => None,
    });
    let blocks: Vec<Block> = applied.collect();
    let known = (&story.final_cases, &story.final_labels, &story.opening);
    trace(Policy::Fifo, &blocks, known.0, known.1, known.2) != answers(Policy::Fifo, story)
}

#[test]
fn a_story_that_fails_becomes_short() {
    let failing = (0..).filter(|seed| forgetting_reverts_shows(&random_story(*seed)));
    for seed in failing.take(20) {
        let short = minimal(seed, forgetting_reverts_shows);
        assert!(forgetting_reverts_shows(&short), "seed {seed}");
        assert!(short.steps.len() <= 6, "seed {seed}:\n{short}");
    }
}
