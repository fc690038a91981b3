//! From a long story that fails to a short one that fails as well.
//!
//! What always holds: the short story can be told, and what is true in its end
//! is worked out anew.

use std::collections::BTreeSet;

use flow_core::{Block, Case, Chain, LedgerEvent, TxHash};

use super::generator::position;
use super::{Step, Story, random_story};

/// The story of that seed if it does not fail; else a story made from it that
/// fails, and from which nothing more can be taken away alone.
///
/// `fails` must not panic: a test that asserts can catch that first.
pub fn minimal(seed: u64, fails: impl Fn(&Story) -> bool) -> Story {
    let story = random_story(seed);
    if fails(&story) { shrink(story, fails) } else { story }
}

/// Takes away from a story that fails for as long as it goes on failing.
pub fn shrink(mut story: Story, fails: impl Fn(&Story) -> bool) -> Story {
    loop {
        let before = story.clone();
        for smaller in [fewer_steps, fewer_transactions, fewer_events, less_known] {
            story = smaller(story, &fails);
        }
        if story == before {
            return story;
        }
    }
}

type Fails<'a> = &'a dyn Fn(&Story) -> bool;

/// The candidate, if it is smaller indeed and fails.
fn accept(candidate: Story, story: &Story, fails: Fails) -> Option<Story> {
    (candidate != *story && fails(&candidate)).then_some(candidate)
}

/// Leaves out runs of steps: half of them at first, in the end single ones.
fn fewer_steps(mut story: Story, fails: Fails) -> Story {
    let mut length = story.steps.len() / 2;
    while length > 0 {
        let mut at = story.steps.len();
        while at > 0 {
            at = at.saturating_sub(length);
            let (before, rest) = story.steps.split_at(at.min(story.steps.len()));
            let steps = [before, &rest[length.min(rest.len())..]].concat();
            let candidate = Story::new(story.opening.clone(), steps);
            story = accept(candidate, &story, fails).unwrap_or(story);
        }
        length /= 2;
    }
    story
}

/// Leaves transactions out of every block that has them.
fn fewer_transactions(mut story: Story, fails: Fails) -> Story {
    let in_block = |block: &Block| {
        let chain = block.chain;
        block.events.iter().map(move |event| (chain, event.tx)).collect::<Vec<_>>()
    };
    let txs: BTreeSet<(Chain, TxHash)> = blocks(&story).flat_map(in_block).collect();
    for (chain, tx) in txs {
        let candidate = with_events(&story, chain, |events| {
            events.iter().filter(|event| event.tx != tx).copied().collect()
        });
        story = accept(candidate, &story, fails).unwrap_or(story);
    }
    story
}

/// Leaves single events out of their transaction, wherever it is included.
fn fewer_events(mut story: Story, fails: Fails) -> Story {
    let in_block = |block: &Block| {
        let (chain, events) = (block.chain, &block.events);
        let ranked = (0..events.len()).flat_map(|rank| events.iter().map(move |e| (e.tx, rank)));
        ranked.map(|(tx, rank)| (chain, tx, rank)).collect::<Vec<_>>()
    };
    let places: BTreeSet<(Chain, TxHash, usize)> = blocks(&story).flat_map(in_block).collect();
    for (chain, tx, rank) in places.into_iter().rev() {
        let candidate = with_events(&story, chain, |events| without(events, tx, rank));
        story = accept(candidate, &story, fails).unwrap_or(story);
    }
    story
}

/// Leaves out opening balances, sources and limits of cases.
fn less_known(mut story: Story, fails: Fails) -> Story {
    for at in (0..story.opening.len()).rev() {
        let mut opening = story.opening.clone();
        opening.remove(at);
        let candidate = Story::new(opening, story.steps.clone());
        story = accept(candidate, &story, fails).unwrap_or(story);
    }
    for at in 0..story.steps.len() {
        while let Some(smaller) = smaller_cases(&story, at).find_map(|case| {
            let mut steps = story.steps.clone();
            steps[at] = Step::Open(case);
            accept(Story::new(story.opening.clone(), steps), &story, fails)
        }) {
            story = smaller;
        }
    }
    story
}

/// The case opened at that step with one thing less.
fn smaller_cases(story: &Story, at: usize) -> impl Iterator<Item = Case> + use<> {
    let case = match story.steps.get(at) {
        Some(Step::Open(case)) => Some(case.clone()),
        _ => None,
    };
    case.into_iter().flat_map(|case| {
        let sources = case.sources.clone();
        let without = |at: usize| [&sources[..at], &sources[at + 1..]].concat();
        let fewer = (0..sources.len()).map(|at| Case { sources: without(at), ..case.clone() });
        let plain =
            [Case { min_units: 0, ..case.clone() }, Case { max_hops: None, ..case.clone() }];
        fewer.chain(plain).collect::<Vec<_>>()
    })
}

fn blocks(story: &Story) -> impl Iterator<Item = &Block> {
    story.steps.iter().filter_map(|step| match step {
        Step::Block(block) => Some(block),
        _ => None,
    })
}

/// The story with other events in the blocks of the chain.
fn with_events(
    story: &Story,
    chain: Chain,
    change: impl Fn(&[LedgerEvent]) -> Vec<LedgerEvent>,
) -> Story {
    let mut steps = story.steps.clone();
    for step in &mut steps {
        if let Step::Block(block) = step
            && block.chain == chain
        {
            block.events = change(&block.events);
        }
    }
    Story::new(story.opening.clone(), steps)
}

/// The events without that one of the transaction, with positions that are
/// right again.
fn without(events: &[LedgerEvent], tx: TxHash, rank: usize) -> Vec<LedgerEvent> {
    let mut left: Vec<LedgerEvent> = Vec::new();
    let mut in_tx = 0;
    for event in events {
        let is_that = event.tx == tx && in_tx == rank;
        in_tx += usize::from(event.tx == tx);
        if !is_that {
            let position = position(&left, event.tx, &event.action);
            left.push(LedgerEvent { position, ..*event });
        }
    }
    left
}
